"""What accelerators can do at most, by their makers' figures: operations, memory, links.

Figures of TPUs are those of Google's "Cloud TPU" documents and of "How to Scale Your Model" (Austin
et al., 2025, https://jax-ml.github.io/scaling-book/tpus), v2's and v3's of "A domain-specific
supercomputer for training deep neural networks" (Jouppi et al., 2020, doi:10.1145/3360307); those
of GPUs are of the data sheets of NVIDIA and AMD, without sparsity. The clocks of v2 to v4 are those
of these papers and of "TPU v4" (Jouppi et al., 2023, arXiv:2304.01433); those of later ones follow
from their peaks: v5e has 4 units of 128 x 128 multipliers, v5p 8, v6e 4 of 256 x 256.
"""

import typing
from collections.abc import Mapping

import jax

TERA, GIGA = 1e12, 1e9


class Chip(typing.NamedTuple):
    """What a chip can do at most.

    Attributes:
        name: that a `Topology` has for it.
        kind: how JAX names such a device; several kinds begin with it.
        cores: of a chip, of which a device may be one.
        half: operations a second of products of 16-bit floats.
        single: of those of float32 as JAX computes them by default: on TPUs in bfloat16, on GPUs in
            TF32 where there is that.
        bandwidth: bytes a second from and to its memory.
        link: bytes a second that it takes from other chips, along one axis of a TPU's torus in both
            directions, or from the other GPUs of a host.
        clock: cycles a second of a TPU; None: not known.
    """

    name: str
    kind: str
    cores: int
    half: float
    single: float
    bandwidth: float
    link: float
    clock: float | None = None

    def of(self, device: jax.Device) -> "Chip":
        """What a device can do, which may be one core of the chip."""
        share = getattr(device, "num_cores", self.cores) / self.cores
        return self._replace(
            half=share * self.half,
            single=share * self.single,
            bandwidth=share * self.bandwidth,
            link=share * self.link,
        )

    def peak(self, dtype: str) -> float:
        """Operations a second of products of a dtype."""
        return self.half if dtype in ("bfloat16", "float16") else self.single

    def seconds(self, operations: Mapping[str, int]) -> float:
        """What operations of products take at the peak of their dtypes."""
        return sum(count / self.peak(dtype) for dtype, count in operations.items())


def _tpu(
    name: str, kind: str, cores: int, tera: float, rates: tuple[float, float], ghz: float | None
) -> Chip:
    """A chip of Google's, whose products of float32 are those of bfloat16.

    Args:
        rates: of its memory and of its links, in GB a second.
        ghz: of its clock.
    """
    most, clock = tera * TERA, ghz and ghz * GIGA
    return Chip(name, kind, cores, most, most, *(rate * GIGA for rate in rates), clock)


def _gpu(name: str, kind: str, half: float, single: float, bandwidth: float, link: float) -> Chip:
    return Chip(name, kind, 1, half * TERA, single * TERA, bandwidth * GIGA, link * GIGA)


# kinds that begin with others come before these
CHIPS = (
    _tpu("v2", "TPU v2", 2, 45, (700, 100), 0.7),
    _tpu("v3", "TPU v3", 2, 123, (900, 200), 0.94),
    _tpu("v4", "TPU v4", 2, 275, (1_228, 90), 1.05),
    _tpu("v5e", "TPU v5 lite", 1, 197, (819, 90), 1.5),
    _tpu("v5p", "TPU v5", 2, 459, (2_765, 180), 1.75),
    _tpu("v6e", "TPU v6 lite", 1, 918, (1_640, 180), 1.75),
    _tpu("tpu7x", "TPU7x", 2, 2_307, (7_380, 180), None),
    _gpu("t4", "Tesla T4", 65, 8.1, 320, 16),
    _gpu("l4", "NVIDIA L4", 121, 60, 300, 32),
    _gpu("a100-80", "NVIDIA A100-SXM4-80GB", 312, 156, 2_039, 300),
    _gpu("a100", "NVIDIA A100", 312, 156, 1_555, 300),
    _gpu("h100", "NVIDIA H100 80GB HBM3", 989.4, 494.7, 3_352, 450),
    _gpu("h200", "NVIDIA H200", 989.4, 494.7, 4_800, 450),
    _gpu("b200", "NVIDIA B200", 2_250, 1_125, 8_000, 900),
    _gpu("mi300x", "AMD Instinct MI300X", 1_307.4, 653.7, 5_300, 448),
)
OTHER_KINDS = {"TPU v5e": "TPU v5 lite", "TPU v5p": "TPU v5", "TPU v6e": "TPU v6 lite"}


def chip_of(device: jax.Device) -> Chip | None:
    """What a device can do at most, whether it is here or not; None of one that is not known: a
    name that is only like a known one is no known one.

    >>> chip_of(jax.devices("cpu")[0]) is None
    True
    """
    kind = OTHER_KINDS.get(device.device_kind, device.device_kind)
    for chip in CHIPS:
        if kind == chip.kind or kind.startswith(f"{chip.kind}-"):
            return chip.of(device)
    return None
