"""`Plan`: what a step would take on devices, as a table and as fields."""

import dataclasses
import typing

MIB = 2**20


class Memory(typing.NamedTuple):
    """Bytes for each device, in its memory but for `host`.

    Attributes:
        parameters: what is trained, and what is frozen.
        optimizer: its state, but for what lies with the host.
        state: what else the model carries, metrics among it.
        batch: of the data.
        temporary: activations, gradients and what else comes and goes.
        results: what comes out and takes no place of what goes in.
        code: of the program.
        host: what lies in the memory of the host, with `offload="optimizer"` of a distribution.
        padding: of what goes in: on TPUs the last two axes of an array fill up tiles, as of 8 x 128
            numbers, so that 64 features take the memory of 128.
    """

    parameters: int
    optimizer: int
    state: int
    batch: int
    temporary: int
    results: int
    code: int
    host: int
    padding: int = 0

    @property
    def total(self) -> int:
        """All that lies in the memory of the device."""
        return sum(self) - self.host


class Roofline(typing.NamedTuple):
    """The seconds that a step takes at least, by what a chip can do at most (Williams et al., 2009,
    doi:10.1145/1498765.1498785); a step that does all three at the same time takes the largest.

    Attributes:
        operations: of its products, each at the peak of its dtype.
        memory: of what it reads from the main memory and writes to it.
        network: of what the devices receive.
        model: of the products that the model needs whatever is computed again, as `operations`.
    """

    operations: float
    memory: float
    network: float
    model: float

    @property
    def seconds(self) -> float:
        """The largest of the three."""
        return max(self[:3])

    @property
    def bound(self) -> str:
        """Which of the three it is."""
        return self._fields[self[:3].index(self.seconds)]

    @property
    def mfu(self) -> float:
        """The share of the peak that the model's products are of a step that takes `seconds`
        (model FLOPs utilization, Chowdhery et al., 2022, arXiv:2204.02311).
        """
        return self.model / self.seconds


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one step takes on devices, from the program compiled for them; nothing was run.

    Attributes:
        what: was planned, in words.
        devices: how many, and of what kind.
        fits: whether the memory of a device is enough.
        memory: bytes on each device by what takes them; those of temporaries are 0 where the
            compiler found no way to fit the program.
        needed: bytes on each device; of a program that the compiler refused, what it says.
        available: bytes that a program may take there; None: not known.
        flops: operations of a step in products and convolutions, on all devices together.
        collectives: bytes of what a device receives in a step, by kind.
        bytes_accessed: what a device reads from its main memory and writes to it in a step, of
            loops as often as they run; None where the compiler refused the program.
        roofline: the seconds that a step takes at least; None: what the devices can do is unknown.
        estimated: the seconds that the compiler of a TPU estimates, without kernels and links; None
            where it says nothing.
        seconds: that compiling took.
        text: the compiled program; "" where the compiler refused it.
        is_compiled: False: no compiler of the chips is here. `memory` and `needed` are without
            activations then, and `bytes_accessed` are those of products and of the state.
    """

    what: str
    devices: str
    fits: bool
    memory: Memory
    needed: int
    available: int | None
    flops: int
    collectives: dict[str, int]
    bytes_accessed: int | None
    roofline: Roofline | None
    seconds: float
    text: str = dataclasses.field(repr=False)
    is_compiled: bool = True
    estimated: float | None = None

    def __str__(self) -> str:
        of = "" if self.available is None else f" of {size_in_words(self.available)}"
        fits = "yes" if self.fits else "no"
        rows = [
            ("fits", f"{fits} ({self.needed_in_words()}{of} on each device)"),
            *((name, size_in_words(size)) for name, size in self.memory._asdict().items()),
            ("operations", f"{self.flops:.3g} a step"),
            *(
                (name, f"{size_in_words(size)} a device and step")
                for name, size in self.collectives.items()
            ),
            *self._rows_of_time(),
        ]
        if self.is_compiled:
            rows.append(("compiled in", f"{self.seconds:.1f} s"))
        width = max(len(name) for name, _ in rows)
        lines = [f"  {name:{width}}  {value}" for name, value in rows]
        return "\n".join([f"{self.what} on {self.devices}", *lines])

    def needed_in_words(self) -> str:
        """How much memory of a device it takes."""
        size = size_in_words(self.needed)
        if self.is_compiled:
            return size
        return f"{size} without activations"

    def seconds_of_a_step(self) -> float | None:
        """The larger of what a step takes at least and of what the compiler estimates; None: what
        the devices can do is unknown.
        """
        if self.roofline is None:
            return None
        return max(self.roofline.seconds, self.estimated or 0.0)

    def _rows_of_time(self) -> list[tuple[str, str]]:
        """The rows of the table about what a step takes of the device's time."""
        rows = []
        if self.bytes_accessed is not None:
            accessed = f"{size_in_words(self.bytes_accessed)} a device and step"
            rows.append(("read and written", accessed))
        if self.roofline is not None:
            at_least = f"{1000 * self.roofline.seconds:.3g} ms, bound by {self.roofline.bound}"
            rows.append(("a step takes at least", at_least))
            rows.append(("MFU at most", f"{self.roofline.mfu:.0%}"))
        if self.estimated is not None:
            rows.append(("estimated by the compiler", f"{1000 * self.estimated:.3g} ms"))
        return rows


def size_in_words(size: int) -> str:
    """A number of bytes for a reader.

    >>> size_in_words(3 * 2**29), size_in_words(2**19)
    ('1.50 GiB', '0.5 MiB')
    """
    if size >= 1024 * MIB:
        return f"{size / 2**30:.2f} GiB"
    return f"{size / MIB:.1f} MiB"
