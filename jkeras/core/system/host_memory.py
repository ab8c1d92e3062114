"""Memory of the host for arrays that JAX on a CPU takes over as they are."""

import math
import mmap
import sys
import threading
from typing import Any

import numpy as np

ALIGNMENT = 64  # bytes, of an address that JAX need not copy from
HUGE_PAGE = 2**21  # bytes
MOST = 1.125  # times the size, which whole pages may take
SMALLEST = 2**18  # bytes of an array that a pool keeps: `malloc` has smaller ones at hand


def aligned(shape: tuple[int, ...], dtype: Any, in_huge_pages: bool = False) -> np.ndarray:
    """An array without values, whose memory JAX on a CPU takes over as it is.

    Args:
        in_huge_pages: for arrays that stay. The system gives large ones in pages of its larger
            size, where it has these: the many small ones take it longer than reading a file into
            them.

    >>> aligned((2, 3), "float32").shape
    (2, 3)
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = _huge_pages(size) if in_huge_pages else None
    if memory is None:
        memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def is_aligned(value: np.ndarray) -> bool:
    """Whether JAX on a CPU takes over the memory of an array as it is."""
    return value.flags.c_contiguous and value.ctypes.data % ALIGNMENT == 0


def _huge_pages(size: int) -> np.ndarray | None:
    """As many bytes, and some more; None where such pages are too large, or there are none."""
    whole = -(-size // HUGE_PAGE) * HUGE_PAGE
    if not 0 < whole <= MOST * size or not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    try:
        memory = mmap.mmap(-1, whole, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_HUGEPAGE)
    except OSError:  # the system has no such pages, or not so much memory, which numpy explains
        return None
    return np.frombuffer(memory, np.uint8)


class MemoryPool:
    """Memory for large arrays of which a few are in use at a time: it is taken again when nobody
    holds it.

    The system gives new memory page by page and fills each with zeros, which takes about as long as
    reading rows into it. An array is in use while someone holds it or a view of it; JAX does until
    the last program that reads it has ended. Several threads may ask.

    Args:
        most: arrays that are kept, those of other sizes than were asked for of late no longer; more
            of them are arrays like any other.

    >>> pool = MemoryPool(most=2)
    >>> first, second = (pool.aligned((2**20,), "uint8") for _ in range(2))
    >>> places = first.ctypes.data, second.ctypes.data
    >>> del first
    >>> pool.aligned((2**18,), "float32").ctypes.data == places[0]
    True
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: list[np.ndarray] = []
        self._lock = threading.Lock()  # until an array refers to the memory that was found

    def aligned(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """As the function `aligned`."""
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        if size < SMALLEST:
            return aligned(shape, dtype)
        with self._lock:
            memory = self._unused(size)
            start = -memory.ctypes.data % ALIGNMENT
            return memory[start : start + size].view(dtype).reshape(shape)

    def _unused(self, size: int) -> np.ndarray:
        """Memory that nobody else holds, or new one, which is kept if there is room."""
        unused = [n for n in range(len(self._kept)) if _holders(self._kept, n) == ONE_HOLDER]
        for number in unused:
            if len(self._kept[number]) == size + ALIGNMENT:
                return self._kept[number]
        if unused and len(self._kept) == self.most:
            del self._kept[unused[0]]
        memory = np.empty(size + ALIGNMENT, np.uint8)
        if len(self._kept) < self.most:
            self._kept.append(memory)
        return memory


def _holders(kept: list, number: int) -> int:
    """The references to an item, those of the list and of this call included."""
    return sys.getrefcount(kept[number])


ONE_HOLDER = _holders([object()], 0)  # the list
