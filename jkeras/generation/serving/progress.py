"""Progress: how far a request is, which threads and event loops wait for."""

import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

WAITING, RUNNING, FINISHED = "waiting", "running", "finished"
FAILED, CANCELLED = "failed", "cancelled"
OVER = FINISHED, FAILED, CANCELLED


class TokenLogs(NamedTuple):
    """Logarithms of probabilities of one token: its own, and the likeliest tokens with theirs."""

    chosen: float
    tokens: np.ndarray
    likeliest: np.ndarray


class Piece(NamedTuple):
    """What came since a place.

    Attributes:
        tokens: the new ones.
        text: the new text.
        logs: of each token; empty where none are kept.
        status: of the request behind it.
    """

    tokens: list[int]
    text: str
    logs: list[TokenLogs]
    status: str


class Progress:
    """What a server tells of a request, from its thread; what comes behind the end is dropped."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._listeners: list[Callable[[], None]] = []
        self._tokens: list[int] = []
        self._logs: list[TokenLogs] = []
        self._text = ""
        self.status = WAITING
        self.finish_reason: str | None = None
        self.error: BaseException | None = None

    # ------------------------------------------------------------ told by the server

    def begin(self) -> None:
        """The request has a slot."""
        self._tell(RUNNING)

    def wait_again(self) -> None:
        """The request gave its slot to an older one."""
        self._tell(WAITING)

    def put(self, tokens: list[int], text: str = "", logs: tuple[TokenLogs, ...] = ()) -> None:
        """New tokens and text."""
        with self._changed:
            if self.status in OVER:
                return
            self._tokens.extend(tokens)
            self._logs.extend(logs)
            self._text += text
            self._changed.notify_all()
        self._call_listeners()

    def finish(self, reason: str) -> bool:
        """The text has ended; whether the request had not."""
        return self._tell(FINISHED, reason=reason)

    def fail(self, error: BaseException) -> bool:
        """There is no whole text; whether the request had not ended."""
        return self._tell(FAILED, error=error)

    def cancel(self, error: BaseException) -> bool:
        """Ends a request that has not ended; whether it had not."""
        return self._tell(CANCELLED, error=error)

    def _tell(
        self, status: str, reason: str | None = None, error: BaseException | None = None
    ) -> bool:
        with self._changed:
            if self.status in OVER:
                return False
            self.status, self.finish_reason, self.error = status, reason, error
            self._changed.notify_all()
        self._call_listeners()
        return True

    def _call_listeners(self) -> None:
        with self._changed:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    # ------------------------------------------------------------ asked by users

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self.status in OVER

    def since(self, token: int, letter: int) -> Piece:
        """What came behind so many tokens and letters."""
        with self._changed:
            new = self._tokens[token:], self._text[letter:], self._logs[token:]
            return Piece(*new, self.status)

    def wait(self, is_enough: Callable[[], bool], timeout: float | None) -> bool:
        """Waits until there is enough; False: the time is over."""
        with self._changed:
            return self._changed.wait_for(is_enough, timeout)

    def listen(self, listener: Callable[[], None]) -> None:
        """Calls a function at each change, from the thread that makes it."""
        with self._changed:
            self._listeners.append(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Ends that."""
        with self._changed:
            self._listeners.remove(listener)

    def count(self) -> int:
        """How many tokens there are."""
        return len(self._tokens)
