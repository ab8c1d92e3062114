"""Source: prompts that are taken one at a time, from wherever they come, without waiting for them
while texts are written.
"""

import collections.abc
import itertools
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from jkeras.core.errors import explain

GRACE = 0.1  # seconds in which a source that has a prompt gives it
OVER = object()


class Source:
    """Pairs of a prompt and what its random numbers follow from.

    Args:
        prompts: any iterable; one that is no sequence is run in a thread of its own.
        rngs: for each prompt; None: their numbers.
    """

    def __init__(self, prompts: Iterable[Any], rngs: Iterable[Any] | None) -> None:
        keys = itertools.count() if rngs is None else iter(rngs)
        self._pairs = _paired(prompts, keys)
        self._found: queue.Queue = queue.Queue()
        self._asked: queue.Queue = queue.Queue()
        self._is_waiting = False
        self._thread = None
        are_there = isinstance(prompts, collections.abc.Sequence) or hasattr(prompts, "__array__")
        if not are_there:
            self._thread = threading.Thread(target=self._serve, daemon=True)
            self._thread.start()

    def take(self, blocks: bool) -> Any:
        """The next pair; None: there is none yet; OVER: there are no more.

        Args:
            blocks: wait for it.
        """
        if self._thread is None:
            return next(self._pairs, OVER)
        timeout = 0.0 if self._is_waiting else GRACE
        if not self._is_waiting:
            self._asked.put(True)
            self._is_waiting = True
        try:
            if blocks:
                found, error = self._found.get()
            else:
                found, error = self._found.get(timeout=timeout)
        except queue.Empty:
            return None
        self._is_waiting = False
        if error is not None:
            raise error
        return found

    def close(self) -> None:
        """Takes no more."""
        self._asked.put(False)

    def _serve(self) -> None:
        """Takes a pair each time that one is asked for."""
        while self._asked.get():
            try:
                self._found.put((next(self._pairs, OVER), None))
            except BaseException as error:  # the caller's, where it is raised again
                self._found.put((None, error))


def _paired(prompts: Iterable[Any], keys: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    for number, prompt in enumerate(prompts):
        try:
            yield prompt, next(keys)
        except StopIteration:
            expected = "a key in `rngs` for each prompt"
            raise ValueError(explain("Server", expected, f"none for prompt {number}")) from None
