"""`LayoutReport`: how each weight of a model lies over devices, as rows and as a table."""

from collections.abc import Iterator
from typing import NamedTuple


class LayoutRow(NamedTuple):
    """How one weight lies.

    Attributes:
        path, shape, dtype: of the weight.
        layout: for each of its axes the axis of the mesh along which it is cut, or None.
        bytes: of the whole weight.
        why: the rule that says so.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    layout: tuple[str | None, ...]
    bytes: int
    why: str

    @property
    def is_cut(self) -> bool:
        """Whether a device has only a part of it."""
        return any(axis is not None for axis in self.layout)


class LayoutReport:
    """How the weights of a model lie: a sequence of `LayoutRow`s, and printed a table.

    >>> row = LayoutRow("net/dense/kernel", (4, 8), "float32", (None, "model"), 128, "columns")
    >>> report = LayoutReport([row])
    >>> print(report)
    net/dense/kernel  (4, 8)  float32  (None, 'model')  128  columns
    100.0 % of 128 bytes are cut
    >>> len(report), report[0].is_cut
    (1, True)
    """

    def __init__(self, rows: list[LayoutRow]) -> None:
        self.rows = rows

    @property
    def bytes(self) -> int:
        """Of all weights."""
        return sum(row.bytes for row in self.rows)

    @property
    def share_cut(self) -> float:
        """The share of all bytes that is cut, between 0 and 1."""
        return sum(row.bytes for row in self.rows if row.is_cut) / max(self.bytes, 1)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[LayoutRow]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> LayoutRow:
        return self.rows[index]

    def __str__(self) -> str:
        texts = [
            (row.path, str(row.shape), row.dtype, str(row.layout), f"{row.bytes:,}", row.why)
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(*texts)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in texts]
        total = f"{100 * self.share_cut:.1f} % of {self.bytes:,} bytes are cut"
        return "\n".join([*lines, total])

    __repr__ = __str__
