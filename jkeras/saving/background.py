"""Writing beside a training: one thing at a time, whose failure is raised by the next call."""

import concurrent.futures.thread  # noqa: F401  which has its executors shut down from here on
import contextlib
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any


class Background:
    """Runs one function after the other in a thread.

    Args:
        what: says in messages what is written, and where.

    >>> background, done = Background("a checkpoint"), []
    >>> background.start(done.append, "written")
    >>> background.wait()
    >>> done
    ['written']
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._thread = None
        self._error = None
        _end_before_executors(self)

    def start(self, function: Callable[..., Any], *args: Any) -> None:
        """Starts a function, once the one before it has ended.

        Raises:
            RuntimeError: the one before it failed.
        """
        self.wait()

        def work() -> None:
            try:
                function(*args)
            except BaseException as error:  # raised by `check`
                self._error = error

        self._thread = threading.Thread(target=work, name="jkeras-saving")
        self._thread.start()

    def wait(self) -> None:
        """Waits for the end.

        Raises:
            RuntimeError: it failed; the cause is with it.
        """
        self.join()
        self._thread = None
        self.check()

    def join(self) -> None:
        """Waits for the end, however it comes."""
        if self._thread is not None:
            self._thread.join()

    def check(self) -> None:
        """Raises RuntimeError if the last function has failed by now."""
        error, self._error = self._error, None
        if error is not None:
            raise RuntimeError(
                f"{self.what} could not be written: {type(error).__name__}: {error}. What was "
                "written before is there as it was."
            ) from error


def _end_before_executors(background: Background) -> None:
    """Lets a process that ends wait for what is being written while executors, which orbax writes
    with, still take work.

    Python shuts executors down before it waits for threads. A save that meets that fails, and parts
    of orbax wait minutes for what will not come. Python has no public hook that is early enough.
    """
    register = getattr(threading, "_register_atexit", None)
    if register is None:
        return
    reference = weakref.ref(background)

    def join() -> None:
        alive = reference()
        if alive is None:
            return
        alive.join()
        try:
            alive.check()
        except RuntimeError as error:  # no call comes that could raise it
            print(f"jkeras: {error}", file=sys.stderr)

    with contextlib.suppress(RuntimeError):  # the process is ending already
        register(join)
