"""Devices that are not here: their compiler is, so programs can be planned for them."""

import contextlib
import importlib.util
import math
import os
import re
import typing
from typing import Any

import jax

from jkeras.core.errors import explain
from jkeras.core.say.extras import install_line
from jkeras.core.system import versions

# kind in a name: kind of the device, and the bytes that XLA gives a program on one, in GiB, as
# libtpu 0.0.52 says where one does not fit
TPUS = {
    "v2": ("TPU v2", 7.48),
    "v3": ("TPU v3", 15.48),
    "v4": ("TPU v4", 15.25),
    "v5e": ("TPU v5 lite", 15.75),
    "v5p": ("TPU v5", 95.73),
    "v6e": ("TPU v6 lite", 31.24),
    "tpu7x": ("TPU7x", 94.74),
}
GIB = 2**30
GPUS_OF_A_HOST = 8


class Gpu(typing.NamedTuple):
    """What XLA's compiler asks of a GPU that is not there; facts of NVIDIA's data sheets, and of
    the devices that XLA describes in its `gpu/target_config`.

    Attributes:
        description: how JAX names such a device.
        capability: of CUDA.
        cores: how many, each with `units` for float32 and `shared` bytes, of which a block of
            threads takes at most 1,024 less.
        threads: of a core.
        cache: bytes of the second level.
        clock: in GHz.
        bandwidth, memory: bytes a second, and bytes.
    """

    description: str
    capability: tuple[int, int]
    cores: int
    units: int
    shared: int
    threads: int
    cache: int
    clock: float
    bandwidth: int
    memory: int

    def text(self) -> str:
        """As a protocol buffer in text."""
        major, minor = self.capability
        return f"""
            gpu_device_info {{
              threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
              shared_memory_per_core: {self.shared} threads_per_core_limit: {self.threads}
              core_count: {self.cores} fpus_per_core: {self.units}
              block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
              memory_bandwidth: {self.bandwidth} l2_cache_size: {self.cache}
              clock_rate_ghz: {self.clock} device_memory_size: {self.memory}
              shared_memory_per_block_optin: {self.shared - 1024}
              cuda_compute_capability {{ major: {major} minor: {minor} }}
              registers_per_core_limit: 65536 registers_per_block_limit: 65536
            }}
            platform_name: "CUDA" dnn_version_info {{ major: 9 minor: 8 }}
            runtime_version {{ major: 12 minor: 9 }} device_description_str: "{self.description}"
        """


MIB = 2**20
A100 = Gpu(
    "NVIDIA A100-SXM4-40GB",
    (8, 0),
    108,
    64,
    167_936,
    2048,
    40 * MIB,
    1.41,
    1_555_200_000_000,
    42_331_013_120,
)
H100 = Gpu(
    "NVIDIA H100 80GB HBM3",
    (9, 0),
    132,
    128,
    233_472,
    2048,
    50 * MIB,
    1.98,
    3_352_320_000_000,
    84_978_434_048,
)
GPUS = {
    "t4": Gpu(
        "Tesla T4", (7, 5), 40, 64, 65_536, 1024, 4 * MIB, 1.59, 320 * 10**9, int(14.75 * GIB)
    ),
    "l4": Gpu(
        "NVIDIA L4", (8, 9), 58, 128, 102_400, 1536, 48 * MIB, 2.04, 300 * 10**9, int(22.17 * GIB)
    ),
    "a100": A100,
    "a100-80": A100._replace(
        description="NVIDIA A100-SXM4-80GB", bandwidth=2_039_040_000_000, memory=85_100_068_864
    ),
    "h100": H100,
    "h200": H100._replace(
        description="NVIDIA H200", bandwidth=4_800_000_000_000, memory=151_397_597_184
    ),
    "b200": Gpu(
        "NVIDIA B200",
        (10, 0),
        148,
        128,
        233_472,
        2048,
        132_644_864,
        1.965,
        7_672_320_000_000,
        191_514_411_008,
    ),
}
NAME = re.compile(r"([a-z]+\d+[a-z]*(?:-\d+)?):(\d+(?:x\d+)*)")
EXTRA = f"`{install_line('aot')}` brings the compilers"


class Topology:
    """Devices for which programs are compiled and planned, but not run: the compilers of TPUs and
    GPUs run on any machine.

    Args:
        name: "v5e:16x16", a kind of TPU and how its chips lie; the kinds are v2, v3, v4, v5e, v5p,
            v6e and tpu7x. Or "h100:8", a kind of GPU and how many; the kinds are t4, l4, a100 (of
            40 GB), a100-80, h100, h200 and b200.
        slices: so many of these, which are joined by a slower network.

    Attributes:
        devices: wherever a distribution takes devices, such as `FSDP(devices=)`.
        platform: "tpu" or "cuda".
        device_memory: bytes that a program may take on each.

    Raises:
        ValueError: another name.
        ImportError: the compiler is not installed.

    >>> Topology("v5e")
    Traceback (most recent call last):
        ...
    ValueError: Topology: expected a name such as 'v5e:4x4' or 'h100:8' ...
    """

    def __init__(self, name: str, slices: int = 1) -> None:
        self.name, self.slices = name, slices
        match = NAME.fullmatch(str(name).lower())
        kind, sizes = match.groups() if match else ("", "")
        if kind in TPUS:
            self.platform, self.devices = "tpu", self._tpus(f"{kind}:{sizes}")
        elif kind in GPUS and sizes.isdigit():
            self.platform, self.devices = "cuda", self._gpus(kind, int(sizes))
        else:
            kinds = f"{', '.join(TPUS)} with sizes, {', '.join(GPUS)} with a number"
            expected = (
                f"a name such as 'v5e:4x4' or 'h100:8' ({kinds}; 'mi300x:8' is planned by the "
                "roofline alone, by its name)"
            )
            raise ValueError(explain("Topology", expected, repr(name)))
        self.device_memory = memory_of(self.devices[0])

    def _tpus(self, name: str) -> list[jax.Device]:
        if importlib.util.find_spec("libtpu") is None:
            raise ImportError(
                f"Topology('{name}') takes the package libtpu, XLA's compiler for TPUs: {EXTRA}."
            )
        _refuse_older("libtpu", name)
        # there is no TPU to ask for its position in a pod, and other processes may compile as well
        os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
        os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
        chips = math.prod(map(int, name.partition(":")[2].split("x")))
        options = {"chips_per_host_bounds": (1, 1, 1)} if chips == 1 else {}
        if self.slices > 1:
            options["num_slices"] = self.slices
        return self._described(platform="tpu", topology_name=name, **options)

    def _gpus(self, kind: str, count: int) -> list[jax.Device]:
        if not any(map(importlib.util.find_spec, ("jax_cuda12_plugin", "jax_cuda13_plugin"))):
            raise ImportError(
                f"Topology('{kind}:{count}') takes the package jax-cuda12-plugin, XLA's compiler "
                f"for GPUs: {EXTRA}."
            )
        each = min(count, GPUS_OF_A_HOST)
        if count % each:
            raise ValueError(explain("Topology", f"a multiple of {each} GPUs", str(count)))
        sizes = f"{self.slices}x{count // each}x{each}"
        options = {"topology": sizes, "target_config": GPUS[kind].text()}
        return self._described(platform="cuda", topology_name="", **options)

    def _described(self, **options: Any) -> list[jax.Device]:
        from jax.experimental import topologies

        try:
            return list(topologies.get_topology_desc(**options).devices)
        except jax.errors.JaxRuntimeError as error:
            raise ValueError(
                explain("Topology", "sizes that there are", repr(self.name), str(error))
            ) from error

    def __repr__(self) -> str:
        slices = f", slices={self.slices}" if self.slices > 1 else ""
        return f"Topology('{self.name}'{slices}): {len(self.devices)} devices"


def _refuse_older(package: str, name: str) -> None:
    """Raises an error where a package is older than the one that JAX asks for, as on Colab's TPUs:
    it ends the process where it compiles for devices that are not here.
    """
    have, wanted = versions.installed(package), versions.asked(package)
    if have is None or versions.numbers(have) >= versions.numbers(wanted):
        return
    raise ImportError(
        f"Topology('{name}') takes {package} {wanted.lstrip('=')}, which goes with JAX "
        f"{jax.__version__}, and {have} is installed: pip install '{package}{wanted}'."
    )


def memory_of(device: jax.Device) -> int | None:
    """The bytes that a program may take on a device, whether it is here or not; None: unknown.

    >>> memory_of(jax.devices("cpu")[0]) is None
    True
    """
    if device.platform == "cpu":
        return None  # its memory is the machine's
    with contextlib.suppress(jax.errors.JaxRuntimeError):  # of a device that is not here
        limit = (device.memory_stats() or {}).get("bytes_limit")
        if limit is not None:
            return limit
    for kind, size in TPUS.values():
        if device.device_kind == kind:
            return int(size * GIB)
    for gpu in GPUS.values():
        if device.device_kind == gpu.description:
            return gpu.memory
    return None
