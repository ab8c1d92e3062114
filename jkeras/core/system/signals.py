"""Ctrl-C and SIGTERM during a training: held back until a step is finished. A second one is
immediate.
"""

import functools
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class Terminated(SystemExit):
    """SIGTERM came: the process ends with the status 143 that a shell gives for it."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


class Signals:
    """Holds Ctrl-C back inside a `with` block, in the main thread; `check`, and the end of the
    block, raise it.

    Blocks in blocks leave it to the outermost.

    Args:
        terminate: hold SIGTERM back too.

    Attributes:
        busy: a function that says whether even a second Ctrl-C must wait now, for something short;
            a third does not.
    """

    busy = staticmethod(lambda: False)

    def __init__(self, terminate=False):
        self.kinds = (signal.SIGINT, signal.SIGTERM) if terminate else (signal.SIGINT,)
        self.pending, self._before, self._waits = set(), {}, False

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for kind in self.kinds:
                before = signal.getsignal(kind)
                # SIGTERM is held back also where Python does not handle it
                would_terminate = kind == signal.SIGTERM and before == signal.SIG_DFL
                if callable(before) or would_terminate:
                    self._before[kind] = before
                    signal.signal(kind, self._note)
        return self

    def _note(self, number, frame):
        if not self.is_pending(number):
            self.pending.add(number)
        elif number == signal.SIGTERM:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        elif self.busy() and not self._waits:
            self._waits = True
        else:
            self.pending.discard(number)
            raise KeyboardInterrupt

    def _outer(self, number):
        """The block around this one that holds a signal too."""
        outer = getattr(self._before.get(number), "__self__", None)
        return outer if isinstance(outer, Signals) else None

    def is_pending(self, number):
        if number in self.pending:
            return True
        outer = self._outer(number)
        return outer is not None and outer.is_pending(number)

    def check(self):
        """Raises what was held back: `Terminated`, or KeyboardInterrupt."""
        if signal.SIGTERM in self.pending:
            self.pending.clear()
            raise Terminated
        if self.pending:
            self.pending.clear()
            raise KeyboardInterrupt

    def __exit__(self, *exc):
        # SIGINT last: from there on it is raised anywhere
        for number, before in reversed(self._before.items()):
            outer = self._outer(number)
            signal.signal(number, before)
            if outer is not None and number in self.pending:
                self.pending.discard(number)
                outer.pending.add(number)
        self.check()


def whole(function: Function) -> Function:
    """Decorator: Ctrl-C waits until the function has returned, so that nothing is left half
    built.
    """

    @functools.wraps(function)
    def held(*args: Any, **kwargs: Any) -> Any:
        with Signals():
            return function(*args, **kwargs)

    return held
