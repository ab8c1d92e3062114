"""Whether a layer computes inside a graph of TensorFlow, such as `tf.data`'s, where its random
numbers are TensorFlow's, as they are in Keras.
"""

from collections.abc import Callable
from typing import Any

from jkeras.kernel import in_force

INSIDE = "inside a graph of TensorFlow"


def inside(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, in which `is_inside()` holds.

    >>> is_inside(), inside(is_inside)()
    (False, True)
    """

    def entered(*args: Any, **kwargs: Any) -> Any:
        with in_force.having(INSIDE, True):
            return function(*args, **kwargs)

    return entered


def is_inside() -> bool:
    """Whether the code that runs is a layer's inside a graph of TensorFlow."""
    return in_force.value_of(INSIDE) is not None
