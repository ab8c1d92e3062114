"""Rows that do not lie in memory as a dense array: in a file, in a sparse matrix. They are read
batch by batch.
"""

import jax
import numpy as np

from jkeras.training.data.arrays import as_array

# what tells a tensor or table from a file
IN_MEMORY = ("detach", "numpy", "to_numpy", "todense", "dense_shape")


def is_stored(value):
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
    return all(
        hasattr(value, name) for name in ("shape", "dtype", "__getitem__", "__len__")
    ) and not any(hasattr(value, name) for name in IN_MEMORY)


class Stored:
    """The rows `span` of something that gives rows for a slice or for increasing numbers, as arrays
    of `as_array`.

    >>> import scipy.sparse
    >>> rows = Stored(scipy.sparse.eye_array(1000), "x")
    >>> rows.shape, rows.nbytes, rows[np.array([5, 2])][:, :6].tolist()
    ((1000, 1000), 4000000, [[0.0, 0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])
    """

    def __init__(self, value, what, span=None):
        self.value, self.what = value.tocsr() if hasattr(value, "tocsr") else value, what
        self.span = (
            range(value.shape[0] if hasattr(value, "shape") else len(value))
            if span is None
            else span
        )
        first = as_array(self.value[0:1], what)
        self.shape, self.dtype = (len(self.span), *first.shape[1:]), first.dtype
        self.ndim = first.ndim
        self.nbytes = int(np.prod(self.shape, dtype=object)) * first.dtype.itemsize

    def __len__(self):
        return len(self.span)

    def __getitem__(self, rows):
        """The rows of a slice, or of an array of numbers in any order: they are read in the order
        of the file.
        """
        if isinstance(rows, slice):
            rows = self.span[rows]
            return self._read(rows.start, rows.stop)
        numbers, places = np.unique(
            np.asarray(rows, "int64") + self.span.start, return_inverse=True
        )
        if numbers[-1] - numbers[0] + 1 == len(numbers):
            return self._read(int(numbers[0]), int(numbers[-1]) + 1)[places]
        return as_array(self.value[numbers], self.what)[places]

    def _read(self, start, stop):
        return as_array(self.value[start:stop], self.what)

    def part(self, rows):
        """The rows of a slice, not read."""
        return Stored(self.value, self.what, self.span[rows])


def array_or_stored(value, what="x"):
    """`as_array`, but `Stored` where the rows lie elsewhere."""
    if isinstance(value, Stored):
        return value
    return Stored(value, what) if is_stored(value) else as_array(value, what)


def part(structure, rows):
    """The rows of a slice of a structure of arrays; of what is stored elsewhere nothing is read."""
    return jax.tree_util.tree_map(
        lambda v: v.part(rows) if isinstance(v, Stored) else v[rows], structure
    )


def in_memory(structure):
    """A structure with all that is stored elsewhere read."""
    return jax.tree_util.tree_map(lambda v: v[:] if isinstance(v, Stored) else v, structure)


def has_stored(structure):
    """Whether a part of a structure is stored elsewhere."""
    return any(isinstance(v, Stored) for v in jax.tree_util.tree_leaves(structure))
