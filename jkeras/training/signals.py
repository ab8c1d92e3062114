"""Ctrl-C and SIGTERM during a training: held back until a step is finished. A second one is immediate."""

import functools
import os
import signal
import threading

_held = None  # the `Signals` that hold them now, in the main thread


class Terminated(SystemExit):
    """SIGTERM came: the process ends with the status 143 that a shell gives for it."""

    def __init__(self):
        super().__init__(128 + signal.SIGTERM)


class Signals:
    """Holds Ctrl-C back inside a `with` block, in the main thread; `check` raises it.

    Blocks in blocks leave it to the outermost.

    Args:
        terminate: hold SIGTERM back too.
    """

    def __init__(self, terminate=False):
        self.kinds = (signal.SIGINT, signal.SIGTERM) if terminate else (signal.SIGINT,)
        self.pending, self._before = set(), {}

    def __enter__(self):
        global _held
        if threading.current_thread() is not threading.main_thread():
            return self
        self._outer, self._is_held = _held, True
        _held = self
        for kind in self.kinds:
            before = signal.getsignal(kind)
            if callable(before) or kind == signal.SIGTERM and before == signal.SIG_DFL:
                self._before[kind] = before
                signal.signal(kind, self._note)
        return self

    def _note(self, number, frame):
        if number in self.pending:
            if number == signal.SIGTERM:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGTERM)
            self.pending.discard(number)
            raise KeyboardInterrupt
        self.pending.add(number)

    def check(self):
        """Raises what was held back: `Terminated`, or KeyboardInterrupt."""
        if signal.SIGTERM in self.pending:
            self.pending.clear()
            raise Terminated
        if self.pending:
            self.pending.clear()
            raise KeyboardInterrupt

    def __exit__(self, kind, *exc):
        global _held
        if not getattr(self, "_is_held", False):
            return
        for number, before in self._before.items():
            signal.signal(number, before)
        _held = self._outer
        if kind is None and self._outer is None:
            self.check()
        elif self._outer is not None:
            self._outer.pending |= self.pending


def whole(function):
    """Decorator: Ctrl-C waits until the function has returned, lest what it builds be left half built."""
    @functools.wraps(function)
    def held(*args, **kwargs):
        with Signals():
            return function(*args, **kwargs)
    return held
