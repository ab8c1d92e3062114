"""How many rows a batch has, and filling it up to a size that a program is compiled for."""

import jax
import numpy as np

from jkeras.core.graph.keras_tensor import flatten
from jkeras.training.types import Structure


def size_of(x: Structure) -> int:
    """The number of rows of a batch."""
    first = next((v for v in flatten(x) if v is not None), None)
    if first is None:
        raise ValueError("A batch has no arrays. Expected some.")
    return first.shape[0]


def padded(batch: Structure, size: int) -> Structure:
    """A batch on the host with its last row repeated up to so many rows; zeros where it has
    none.
    """

    def filled(array: np.ndarray) -> np.ndarray:
        if not len(array):
            return np.zeros((size, *array.shape[1:]), array.dtype)
        return np.concatenate([array, np.repeat(array[-1:], size - array.shape[0], 0)])

    return jax.tree_util.tree_map(filled, batch)


def bucket(rows: int) -> int:
    """The size that a batch is padded to: 1, or the next power of two from 4 on; what compiles for
    4 serves for 2.

    >>> [bucket(n) for n in range(1, 10)]
    [1, 4, 4, 4, 8, 8, 8, 8, 16]
    """
    return 1 if rows == 1 else max(4, 2 ** (rows - 1).bit_length())
