"""One class for each explained error. A message says where, what came, what was expected, what to do."""


class NotBuiltError(ValueError):
    """Weights were asked for before the input shape was known."""


class NotCompiledError(ValueError):
    """Training was asked for before `compile`."""


class StateWriteError(RuntimeError):
    """A variable was written where the write would be lost or would leak a tracer."""


class RandomKeyError(ValueError):
    """A random layer ran in training mode without a key."""


class SerializationError(ValueError):
    """A config names something unknown, or holds what is not allowed."""


class GraphCallError(ValueError, TypeError):
    """An op was called on symbolic tensors whose shapes or dtypes it does not take."""


class AxisError(ValueError, IndexError):
    """An axis lies outside of the input's."""


def explain(where, expected, received, fix=None):
    """The common form of a message.

    >>> explain("Dense 'head'", "2 or more axes", "shape (3,)", "add a batch axis")
    "Dense 'head': expected 2 or more axes, received shape (3,). To fix it: add a batch axis."
    """
    text = f"{where}: expected {expected}, received {received}."
    return f"{text} To fix it: {fix}." if fix else text
