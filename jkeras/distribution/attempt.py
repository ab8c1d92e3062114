"""One attempt at a job: its processes run until all end; one that fails stops the others."""

import signal
import sys
import time
import typing
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue

from jkeras.distribution.child import Child, Ended


class Signalled(typing.NamedTuple):
    """A signal came, which is passed on to the processes."""

    kind: int


class Outcome(typing.NamedTuple):
    """How an attempt ended.

    Attributes:
        code: 0, or the exit status of the process that failed first.
        was_signalled: whether a signal came, so that there is to be no other attempt.
    """

    code: int
    was_signalled: bool


class Attempt:
    """The processes of an attempt.

    Args:
        command: what each of them runs.
        environments: {number of a process: all its variables}.
        grace: seconds from the first signal that they are sent until they are killed.
        events: where signals are put.
    """

    def __init__(
        self,
        command: Sequence[str],
        environments: Mapping[int, Mapping[str, str]],
        grace: float,
        events: SimpleQueue[Ended | Signalled],
    ) -> None:
        self._grace = grace
        self._events = events
        self._deadline: float | None = None
        self._code = 0
        self._was_signalled = False
        self._running = {
            number: Child(number, command, environment, events.put)
            for number, environment in environments.items()
        }

    def run(self) -> Outcome:
        """Waits until all processes have ended."""
        while self._running:
            event = self._next_event()
            if event is None:
                self._kill()
            elif isinstance(event, Signalled):
                self._was_signalled = True
                self._stop(event.kind)
            else:
                self._note(event)
        return Outcome(self._code, self._was_signalled)

    def _next_event(self) -> Ended | Signalled | None:
        """What happens next; None where nothing does within the grace period."""
        if self._deadline is None:
            return self._events.get()
        try:
            return self._events.get(timeout=max(self._deadline - time.monotonic(), 0))
        except Empty:
            return None

    def _note(self, ended: Ended) -> None:
        del self._running[ended.number]
        if ended.code == 0 or self._code != 0:
            return
        self._code = ended.code
        tell(f"process {ended.number} ended with {in_words(ended.code)}")
        if self._deadline is None:
            self._stop(signal.SIGTERM)

    def _stop(self, kind: int) -> None:
        for child in self._running.values():
            child.send(kind)
        if self._deadline is None:
            self._deadline = time.monotonic() + self._grace

    def _kill(self) -> None:
        numbers = ", ".join(map(str, self._running))
        tell(f"killing what has not stopped within {self._grace:g} s: {numbers}")
        self._deadline = None
        for child in self._running.values():
            child.send(signal.SIGKILL)


def tell(text: str) -> None:
    """Says what happens to the job."""
    print(f"jkeras launch: {text}", file=sys.stderr, flush=True)


def in_words(code: int) -> str:
    """An exit status, and the name of the signal that it stands for.

    >>> in_words(3), in_words(137)
    ('exit status 3', 'exit status 137 (SIGKILL)')
    """
    try:
        return f"exit status {code} ({signal.Signals(code - 128).name})"
    except ValueError:
        return f"exit status {code}"
