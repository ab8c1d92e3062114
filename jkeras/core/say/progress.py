"""How far a loop over batches of unknown number has come, on one line."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from jkeras.core.say import console

Item = TypeVar("Item")
INTERVAL = 0.1  # seconds between two drawings


def counted(items: Iterable[Item], total: int | None, is_drawn: bool) -> Iterator[Item]:
    """The items, while a line says how many have been taken; at the end it stays.

    Args:
        total: how many there will be, if that is known.
        is_drawn: write the line anew as it goes on, as on a terminal; otherwise only at the end.

    >>> list(counted("abc", 3, is_drawn=False))  # doctest: +ELLIPSIS
    3/3 steps - 0s
    ['a', 'b', 'c']
    """
    began = drawn = time.monotonic()
    count = 0
    for item in items:
        yield item
        count += 1
        now = time.monotonic()
        if is_drawn and now - drawn > INTERVAL:
            console.write(f"\r{_line(count, total, now - began)}")
            drawn = now
    if is_drawn:
        console.write("\r")
    console.say(_line(count, total, time.monotonic() - began))


def _line(count: int, total: int | None, seconds: float) -> str:
    of_all = "?"
    if total is not None:
        of_all = max(total, count)
    return f"{count}/{of_all} steps - {seconds:.0f}s"
