"""Memory for arrays that are read from files."""

import math
import mmap

import numpy as np

HUGE_PAGE = 2**21  # bytes
MOST = 1.125  # times the size, which whole pages may take


def aligned(shape, dtype):
    """An array without values, whose memory JAX on a CPU takes over as it is.

    >>> aligned((2, 3), "float32").shape
    (2, 3)
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = _memory(size)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def _memory(size):
    """As many bytes, and some more. The system gives large ones in pages of its larger size, where
    it has these: the many small ones take it longer than reading a file into them.
    """
    whole = -(-size // HUGE_PAGE) * HUGE_PAGE
    if not 0 < whole <= MOST * size or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.empty(size + 64, np.uint8)
    try:
        memory = mmap.mmap(-1, whole, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_HUGEPAGE)
    except OSError:  # it has no such pages, or not so much memory, which numpy explains
        return np.empty(size + 64, np.uint8)
    return np.frombuffer(memory, np.uint8)
