"""ServerOptions: how a server is laid out."""

import dataclasses
import numbers
import time
from collections.abc import Callable
from typing import Any

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.generation.paged.cache import BLOCK


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
        blocks: of the cache that texts share, in each layer; None: as many as all slots may need.
            With fewer, more slots fit into a memory: texts wait where there is no room, and the
            youngest leaves its slot where an older one needs it, and goes on later.
        block_size: tokens of a block.
        cache_dtype: "int8", "float8_e4m3fn" or "float8_e5m2" of keys and values; None: that of the
            model.
        shares_prefixes: the beginnings of prompts, and of texts that were written, are kept as far
            as there is room, and are not computed again where a prompt begins with the same tokens.
        clock: the time in seconds, for the counters.

    Raises:
        ValueError: fewer than one request, block or token.

    >>> ServerOptions(queue=64).queue
    64
    """

    queue: int = 256
    blocks: int | None = None
    block_size: int = BLOCK
    cache_dtype: str | None = None
    shares_prefixes: bool = True
    clock: Callable[[], float] = time.perf_counter

    def __post_init__(self) -> None:
        check_count("ServerOptions", "queue", self.queue)
        check_count("ServerOptions", "block_size", self.block_size)
        if self.blocks is not None:
            check_count("ServerOptions", "blocks", self.blocks)
