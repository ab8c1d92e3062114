"""ServerOptions: how a server is laid out."""

import dataclasses
import numbers
import time
from collections.abc import Callable
from typing import Any

from jkeras.core.errors import explain
from jkeras.core.names.registry import public


def check_count(where: str, name: str, value: Any) -> None:
    """Raises ValueError for what is no whole number of 1 or more."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or value < 1:
        raise ValueError(explain(where, f"`{name}` of 1 or more", f"{name}={value!r}"))


@public("jkeras.generation.ServerOptions")
@dataclasses.dataclass(frozen=True)
class ServerOptions:
    """How a `Server` is laid out.

    Args:
        queue: how many requests may wait for a slot.
        clock: the time in seconds, for the counters.

    Raises:
        ValueError: fewer than one request.

    >>> ServerOptions(queue=64).queue
    64
    """

    queue: int = 256
    clock: Callable[[], float] = time.perf_counter

    def __post_init__(self) -> None:
        check_count("ServerOptions", "queue", self.queue)
