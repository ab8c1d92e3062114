"""Rows that do not lie in memory as a dense array: in a file, in a sparse matrix. They are read
batch by batch.
"""

import typing

import jax
import numpy as np

from jkeras.core.graph.host_numbers import Ids, type_for_all, warn_of_ids
from jkeras.training.data.arrays import as_array

# what tells a tensor or table from a file
IN_MEMORY = ("detach", "numpy", "to_numpy", "todense", "dense_shape")


def is_stored(value: typing.Any) -> bool:
    """Whether a value is a memory map, an array in a file (h5py, zarr), a scipy matrix, or a column
    of a data set.

    >>> is_stored(np.zeros(3)), is_stored([1, 2])
    (False, False)
    """
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        return isinstance(value, np.memmap) and value.ndim > 0
    if hasattr(value, "tocsr"):
        return True
    if hasattr(value, "column_name") and hasattr(value, "source"):  # of Hugging Face datasets
        return True
    if any(hasattr(value, name) for name in IN_MEMORY):
        return False
    return all(hasattr(value, name) for name in ("shape", "dtype", "__getitem__", "__len__"))


class Stored:
    """The rows `span` of something that gives rows for a slice or for increasing numbers, as arrays
    of `as_array`.

    >>> import scipy.sparse
    >>> rows = Stored(scipy.sparse.eye_array(1000), "x")
    >>> rows.shape, rows.nbytes, rows[np.array([5, 2])][:, :6].tolist()
    ((1000, 1000), 4000000, [[0.0, 0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])
    """

    def __init__(
        self,
        value: typing.Any,
        what: str,
        span: range | None = None,
        target: str | None = None,
    ) -> None:
        if hasattr(value, "tocsr"):
            value = value.tocsr()
        self.value = value
        self.what = what
        self.span = _all_rows(value) if span is None else span
        self.target = target  # the dtype that the numbers go to
        first_row = as_array(self.value[0:1], what, target)
        self.shape = (len(self.span), *first_row.shape[1:])
        self.dtype = type_for_all(first_row.dtype, target)
        self.ndim = first_row.ndim
        self.nbytes = int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.span)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray | jax.Array:
        """The rows of a slice, or of an array of numbers in any order: they are read in the order
        of the file.
        """
        if isinstance(rows, slice):
            rows = self.span[rows]
            return self._read(rows.start, rows.stop)
        found, inverse = self._in_file_order(rows)
        return found[inverse]

    def read_into(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Puts the rows of some numbers, in any order, into an array."""
        if isinstance(self.value, np.memmap) and self.value.dtype == out.dtype:
            np.take(self.value, rows + self.span.start, axis=0, out=out, mode="clip")
            self._check_ids(out)
        else:
            found, inverse = self._in_file_order(rows)
            np.take(np.asarray(found), inverse, axis=0, out=out, mode="clip")

    def read_range_into(self, rows: slice, out: np.ndarray) -> None:
        """Puts rows one after another into an array."""
        span = self.span[rows]
        if hasattr(self.value, "read_direct") and self.value.dtype == out.dtype:  # of h5py
            self.value.read_direct(out, np.s_[span.start : span.stop])
            self._check_ids(out)
        else:
            out[...] = as_array(self.value[span.start : span.stop], self.what, self.target)

    def in_map(self, rows: slice) -> np.ndarray | None:
        """Rows of a memory map, as they are there; None: they lie elsewhere, or in another type."""
        if not isinstance(self.value, np.memmap) or self.value.dtype != self.dtype:
            return None
        span = self.span[rows]
        found = np.asarray(self.value[span.start : span.stop])
        self._check_ids(found)
        return found

    def _check_ids(self, array: np.ndarray) -> None:
        if isinstance(self.target, Ids):
            warn_of_ids(array, self.what, self.target)

    def _in_file_order(self, rows: np.ndarray) -> tuple[np.ndarray | jax.Array, np.ndarray]:
        """(the rows of some numbers, each once and in the order of the file; where in them each of
        the numbers is).
        """
        requested = np.asarray(rows, "int64") + self.span.start
        numbers, inverse = np.unique(requested, return_inverse=True)
        if numbers[-1] - numbers[0] + 1 == len(numbers):
            return self._read(int(numbers[0]), int(numbers[-1]) + 1), inverse
        return self._as_array(self.value[numbers]), inverse

    def _read(self, start, stop):
        return self._as_array(self.value[start:stop])

    def _as_array(self, rows):
        array = as_array(rows, self.what, self.target)
        return array if array.dtype == self.dtype else array.astype(self.dtype)

    def cut(self, rows: slice) -> "Stored":
        """The rows of a slice, not read."""
        return Stored(self.value, self.what, self.span[rows], self.target)


def _all_rows(value):
    if hasattr(value, "shape"):
        return range(value.shape[0])
    return range(len(value))


def array_or_stored(
    value: typing.Any, what: str = "x", dtype: str | None = None
) -> np.ndarray | jax.Array | Stored:
    """`as_array`, but `Stored` where the rows lie elsewhere."""
    if type(value) is np.ndarray:
        return as_array(value, what, dtype)
    if isinstance(value, Stored):
        return value
    if is_stored(value):
        return Stored(value, what, target=dtype)
    return as_array(value, what, dtype)


def cut(structure: typing.Any, rows: slice) -> typing.Any:
    """The rows of a slice of a structure of arrays; of what is stored elsewhere nothing is read."""

    def cut_leaf(leaf):
        if isinstance(leaf, Stored):
            return leaf.cut(rows)
        return leaf[rows]

    return jax.tree_util.tree_map(cut_leaf, structure)


def in_memory(structure: typing.Any) -> typing.Any:
    """A structure with all that is stored elsewhere read."""
    return jax.tree_util.tree_map(lambda v: v[:] if isinstance(v, Stored) else v, structure)


def has_stored(structure: typing.Any) -> bool:
    """Whether a part of a structure is stored elsewhere."""
    return Stored in map(type, jax.tree_util.tree_leaves(structure))
