"""Large copies by a few threads: numpy lets others run while it copies, and one thread alone does
not use up what the memory gives.
"""

import concurrent.futures
import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

MOST_THREADS = 4  # of one copy: a memory has few channels, and others want some of them
FEWEST_IN_ORDER = 2**22  # bytes for a thread, which begins some 50 µs after it is asked to
FEWEST_SCATTERED = 2**20  # bytes of rows here and there, which take longer
_of_thread = threading.local()


@contextlib.contextmanager
def helpers() -> Iterator[None]:
    """A `with` block in which a few threads help with the copies of this one; they end with it.

    >>> with helpers():
    ...     copy_into(np.arange(3), np.zeros(3))
    """
    opened = vars(_of_thread).setdefault("pools", [])
    with concurrent.futures.ThreadPoolExecutor(MOST_THREADS, "jkeras-copy") as pool:
        opened.append(pool)  # which starts a thread when there is something to do
        try:
            yield
        finally:
            opened.remove(pool)  # generators may end in another order than they began


def copy_into(values: Any, out: np.ndarray) -> None:
    """Copies an array into another one.

    >>> out = np.zeros(3)
    >>> copy_into(np.arange(3), out)
    >>> out
    array([0., 1., 2.])
    """
    in_parts(lambda part: np.copyto(out[part], values[part], "unsafe"), out, FEWEST_IN_ORDER)


def in_parts(copy: Callable[[slice], Any], out: np.ndarray, fewest: int) -> None:
    """Calls a function for parts of the rows of an array, which it fills: inside of `helpers` in a
    few threads; all have ended when it returns.

    Args:
        fewest: bytes of a part.
    """
    parts = min(MOST_THREADS, _cores(), len(out), out.nbytes // fewest)
    pools = getattr(_of_thread, "pools", ())
    if not pools or parts < 2:
        copy(slice(None))
        return
    ends = [number * len(out) // parts for number in range(parts + 1)]
    first, *others = map(slice, ends, ends[1:])
    running = [pools[-1].submit(copy, part) for part in others]
    try:
        copy(first)
    finally:
        concurrent.futures.wait(running)  # the memory may be given to someone else after this
    for one in running:
        one.result()


@functools.cache
def _cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
