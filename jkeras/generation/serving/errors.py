"""What a request or a server can end with."""

from jkeras.core.names.registry import public


class ServingError(RuntimeError):
    """Why there is no text.

    Args:
        message: for users.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


@public("jkeras.generation.ServerFullError")
class ServerFullError(ServingError):
    """So many requests wait as a server takes.

    Args:
        message: what happened, in words.

    >>> raise ServerFullError("Ask again later.")
    Traceback (most recent call last):
        ...
    jkeras.generation.serving.errors.ServerFullError: Ask again later.
    """


@public("jkeras.generation.ServerClosedError")
class ServerClosedError(ServingError):
    """A server takes no requests any more.

    Args:
        message: what happened, in words.

    >>> raise ServerClosedError("It is closed.")
    Traceback (most recent call last):
        ...
    jkeras.generation.serving.errors.ServerClosedError: It is closed.
    """


@public("jkeras.generation.RequestCancelledError")
class RequestCancelledError(ServingError):
    """A request was cancelled: its text is not whole.

    Args:
        message: what happened, in words.

    >>> raise RequestCancelledError("It was cancelled.")
    Traceback (most recent call last):
        ...
    jkeras.generation.serving.errors.RequestCancelledError: It was cancelled.
    """


@public("jkeras.generation.DeviceFailedError")
class DeviceFailedError(ServingError):
    """The device failed while a text was written; the cause is chained.

    Args:
        message: what happened, in words.

    >>> raise DeviceFailedError("Out of memory.")
    Traceback (most recent call last):
        ...
    jkeras.generation.serving.errors.DeviceFailedError: Out of memory.
    """
