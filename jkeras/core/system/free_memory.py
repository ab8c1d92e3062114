"""The memory that this process can still have."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator


def free_on_host(shares: int = 1) -> int | None:
    """The bytes that this process can still have, divided by so many; None: it is not known.

    >>> free_on_host(2) is None or free_on_host(2) > 0
    True
    """
    if sys.platform != "linux":
        return None
    limits = list(_of_machine())
    limits += _of_container()
    limits += _of_process()
    return min(limits) // shares if limits else None


def _of_machine() -> Iterator[int]:
    """What is free, can be freed, or can be moved to the disk."""
    with contextlib.suppress(OSError, KeyError):
        sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB", _read("/proc/meminfo"), re.M))
        yield 1024 * (int(sizes["MemAvailable"]) + int(sizes["SwapFree"]))


def _of_container(root: str = "/sys/fs/cgroup") -> Iterator[int]:
    """What the limit of a control group leaves."""
    with contextlib.suppress(OSError, ValueError):
        cached = re.search(r"^inactive_file (\d+)", _read(f"{root}/memory.stat"), re.M)
        used = int(_read(f"{root}/memory.current")) - int(cached[1] if cached else 0)
        yield int(_read(f"{root}/memory.max")) - used  # ValueError: "max"


def _of_process() -> Iterator[int]:
    """What `ulimit -v` leaves."""
    import resource  # not on every system

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        pages = int(_read("/proc/self/statm").split()[0])
        yield limit - pages * os.sysconf("SC_PAGE_SIZE")


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()
