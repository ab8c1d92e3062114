"""The source of rows that can be reached by number: arrays, in memory or stored elsewhere."""

import collections.abc
import functools
import operator
import typing
import warnings

import jax
import numpy as np

from jkeras.core.errors import ArgumentError
from jkeras.core.system.host_memory import MemoryPool
from jkeras.training.data import placement
from jkeras.training.data.arrays import TO_ONE_SHAPE, batch_of_arrays, take
from jkeras.training.data.source import Batch, DataTypes, Source
from jkeras.training.data.stored import array_or_stored, has_stored, in_memory
from jkeras.training.data.weights import check_weights
from jkeras.training.data.workers import noted

ON_DEVICE_LIMIT = 2**28  # bytes of a data set that are put on the device once
IN_USE = 8  # chunks of its rows: those that wait, the one that is read, those that steps hold


class ArraySource(Source):
    """Arrays cut into batches; a new order each epoch where `shuffle` is set.

    What is stored elsewhere (a memory map, say) and larger than `ON_DEVICE_LIMIT` is read batch by
    batch.

    Args:
        batch_size: 32 by default, or as many rows as make `steps` batches.
        shuffle: True for rows in a new order each epoch, "batch" for those of each batch in a new
            order.
        types: that the data goes to.

    Raises:
        ValueError: no rows, or parts that do not have the same number of them.
    """

    from_any_thread = True

    def __init__(
        self,
        x: typing.Any,
        y: typing.Any = None,
        sample_weight: typing.Any = None,
        batch_size: int | None = None,
        shuffle: bool | str = False,
        steps: int | None = None,
        types: DataTypes | None = None,
    ) -> None:
        self.data = batch_of_arrays((x, y, sample_weight), types, array_or_stored)
        self.size = self._rows(_leaves(self.data))
        check_weights(*self.data[1:])
        self.batch_size = self._size_of_batch(batch_size, steps)
        self.shuffle = shuffle
        self.num_batches = -(-self.size // self.batch_size)
        is_read = self.fits_on_device or self.num_batches == 1
        if is_read and has_stored(self.data):
            self.data = in_memory(self.data)
        self._on_device = None

    def _size_of_batch(self, batch_size, steps):
        """The size that was asked for, or the default."""
        if batch_size == 0:
            warnings.warn(
                "`batch_size=0` is taken for no batch size, as in Keras: the default holds.",
                stacklevel=2,
            )
        if batch_size:
            if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
                raise ArgumentError(
                    f"`batch_size` must be a positive integer. Received: batch_size={batch_size!r}"
                )
            return int(batch_size)
        if steps:
            return -(-self.size // steps)
        return 32

    @staticmethod
    def _rows(leaves):
        """The number of rows that all have."""
        sizes = set()
        for name, leaf in leaves:
            if leaf.ndim == 0:
                raise ValueError(f"`{name}` must have a batch axis; received a single number.")
            sizes.add(leaf.shape[0])
        if len(sizes) > 1:
            shapes = [f"{name} {tuple(leaf.shape)}" for name, leaf in leaves]
            more = f", and {len(shapes) - 6} more" if len(shapes) > 6 else ""
            raise ValueError(
                "Data cardinality is ambiguous: the arrays have different numbers of rows. "
                f"Received: {', '.join(shapes[:6])}{more}.{_advice(leaves)}"
            )
        if not sizes or 0 in sizes:
            _refuse_empty(leaves)
        return sizes.pop()

    def order(self, seed: int | None, epoch: int) -> np.ndarray:
        """The rows of an epoch, in order.

        Args:
            seed: None: it is drawn from numpy's global generator, as Keras does.
        """
        dtype = "int32" if self.size < 2**31 else "int64"
        rows = np.arange(self.size, dtype=dtype)
        if not self.shuffle:
            return rows
        # in place, which draws what `permutation` does: of many rows two orders are memory
        rng = np.random if seed is None else np.random.default_rng((seed, epoch))
        length = self.batch_size if self.shuffle == "batch" else self.size
        for start in range(0, self.size, length):
            rng.shuffle(rows[start : start + length])
        return rows

    def look_ahead(self) -> None:
        """Draws an order, of the first batch alone where each has its own."""
        if self.shuffle:
            length = self.batch_size if self.shuffle == "batch" else self.size
            np.random.permutation(min(length, self.size))

    def steps(
        self, seed: int | None, epoch: int, padded_size: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The rows of an epoch by its steps, as the loop on a device takes them.

        Args:
            padded_size: rows of a batch that may be padded; None: none may.

        Returns:
            (numbers of rows (steps, rows of a batch), those past the end being padding; rows of a
            smaller batch behind them, if it may not be padded).
        """
        rows = self.order(seed, epoch)
        size = min(self.batch_size, self.size)
        whole = len(rows) // size if padded_size is None else -(-len(rows) // size)
        rest = rows[whole * size :]
        if len(rows) < whole * size:
            rows = np.concatenate([rows, np.arange(len(rows), whole * size, dtype=rows.dtype)])
        return rows[: whole * size].reshape(whole, size), rest

    @functools.cached_property
    def pool(self) -> MemoryPool:
        """Memory for rows that are read, of all epochs."""
        return MemoryPool(IN_USE * len(_leaves(self.data)))

    @functools.cached_property
    def fits_on_device(self) -> bool:
        """Whether the data is small enough to be put on the device once."""
        sizes = map(operator.attrgetter("nbytes"), jax.tree_util.tree_leaves(self.data))
        return sum(sizes) <= ON_DEVICE_LIMIT

    @property
    def has_weights(self) -> bool:
        """Whether the rows have weights."""
        return self.data[2] is not None

    def on_device(self) -> Batch:
        """The data as a compiled step takes it, put there once."""
        if self._on_device is None:
            self._on_device = placement.put_once(self.data)
        return self._on_device

    def batches(
        self, seed: int | None = 0, epoch: int = 0, skip: int = 0
    ) -> collections.abc.Iterator[Batch]:
        """The batches of an epoch, from number `skip` on."""
        return self._in_order(self.order(seed, epoch), skip)

    def _in_order(self, order: np.ndarray, skip: int) -> collections.abc.Iterator[Batch]:
        for number, rows in self.rows(order, skip):
            with noted(number, "the rows"):
                batch = take(self.data, rows)
            yield batch

    def rows(
        self, order: np.ndarray, skip: int
    ) -> collections.abc.Iterator[tuple[int, slice | np.ndarray]]:
        """(number of a batch, its rows in an order), from number `skip` on."""
        for number in range(skip, self.num_batches):
            start = number * self.batch_size
            rows = slice(start, min(start + self.batch_size, self.size))
            if self.shuffle:
                rows = order[rows]
            yield number, rows

    def peek(self) -> Batch:
        """The first batch."""
        return take(self.data, slice(self.batch_size))


class OneBatch(ArraySource):
    """The arrays of one batch, which need not have the same number of rows: nodes, edges and
    graphs, say.
    """

    def __init__(
        self,
        x: typing.Any,
        y: typing.Any = None,
        sample_weight: typing.Any = None,
        types: DataTypes | None = None,
    ) -> None:
        super().__init__(x, y, sample_weight, batch_size=1, types=types)

    @staticmethod
    def _rows(leaves):
        _refuse_empty(leaves)
        return 1


def _leaves(data):
    """(name, array) of all in `(x, y, sample_weight)`."""
    return [
        (name, leaf)
        for name, structure in zip(("x", "y", "sample_weight"), data)
        for leaf in jax.tree_util.tree_leaves(structure)
    ]


def _advice(leaves):
    """What to do about a list of rows, which is taken for one array for each input."""
    of_x = [leaf for name, leaf in leaves if name == "x"]
    others = {leaf.shape[0] for name, leaf in leaves if name != "x"}
    if len(of_x) < 2 or others - {len(of_x)}:
        return ""
    text = f" `x` is a list of {len(of_x)} arrays, as if for so many inputs: to make rows of one"
    if len({leaf.shape for leaf in of_x}) == 1:
        return f"{text} array of them, pass `np.stack(x)`."
    return f"{text} array of them, bring them to one shape, {TO_ONE_SHAPE}, and `np.stack` them."


def _refuse_empty(leaves):
    if all([leaf.shape[:1] == (0,) for _, leaf in leaves]):
        raise ValueError(
            "The data is empty: expected at least one sample, received "
            f"{[tuple(leaf.shape) for _, leaf in leaves]}."
        )
