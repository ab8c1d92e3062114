"""Whether a layer computes inside a graph of TensorFlow, such as `tf.data`'s, where its random
numbers are TensorFlow's, as they are in Keras.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from jkeras.kernel import in_force

INSIDE = "inside a graph of TensorFlow"
QUIET = 0.1  # seconds without a call, after which TensorFlow makes nothing ahead
LONGEST = 60.0  # seconds that somebody waits for that


class Calls:
    """The calls of layers inside graphs of TensorFlow, whose threads make batches ahead.

    Attributes:
        running: how many run now.
        begun: how many began so far.
    """

    def __init__(self) -> None:
        self.running = self.begun = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.running += 1
            self.begun += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self.running -= 1

    def wait_until_quiet(self) -> None:
        """Waits until TensorFlow has made what it makes ahead."""
        end, before = time.monotonic() + LONGEST, -1
        while self.running or self.begun != before:
            before = self.begun
            time.sleep(QUIET)
            if time.monotonic() > end:
                return


calls = Calls()


def inside(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, in which `is_inside()` holds.

    >>> is_inside(), inside(is_inside)()
    (False, True)
    """

    def entered(*args: Any, **kwargs: Any) -> Any:
        with calls, in_force.having(INSIDE, True):
            return function(*args, **kwargs)

    return entered


def is_inside() -> bool:
    """Whether the code that runs is a layer's inside a graph of TensorFlow."""
    return in_force.value_of(INSIDE) is not None
