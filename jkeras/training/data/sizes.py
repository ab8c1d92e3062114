"""How many rows a batch has, and filling up to a size that a program is compiled for."""

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


def in_passes(count: int, at_once: int) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, whether they count), both (passes, so many at once): 0, 1, … in order, the last
    one again where the last pass is longer than what is left.

    >>> numbers, counts = in_passes(5, 2)
    >>> numbers.tolist(), counts.tolist()
    ([[0, 1], [2, 3], [4, 4]], [[True, True], [True, True], [True, False]])
    """
    at_once = min(at_once, count)
    numbers = np.arange(-(-count // at_once) * at_once).reshape(-1, at_once)
    return np.minimum(numbers, count - 1), numbers < count
