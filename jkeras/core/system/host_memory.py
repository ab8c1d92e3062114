"""Memory of the host for arrays that JAX on a CPU takes over as they are."""

import math
import mmap
from typing import Any

import numpy as np

ALIGNMENT = 64  # bytes, of an address that JAX need not copy from
HUGE_PAGE = 2**21  # bytes
MOST = 1.125  # times the size, which whole pages may take


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
