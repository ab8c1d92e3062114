"""What a request or a server can end with."""

from jkeras.core.names.registry import public


@public("jkeras.generation.ServerFullError")
class ServerFullError(RuntimeError):
    """So many requests wait as a server takes.

    >>> issubclass(ServerFullError, RuntimeError)
    True
    """


@public("jkeras.generation.ServerClosedError")
class ServerClosedError(RuntimeError):
    """A server takes no requests any more.

    >>> issubclass(ServerClosedError, RuntimeError)
    True
    """


@public("jkeras.generation.RequestCancelledError")
class RequestCancelledError(RuntimeError):
    """A request was cancelled: its text is not whole.

    >>> issubclass(RequestCancelledError, RuntimeError)
    True
    """


@public("jkeras.generation.DeviceFailedError")
class DeviceFailedError(RuntimeError):
    """The device failed while a text was written; the cause is chained.

    >>> issubclass(DeviceFailedError, RuntimeError)
    True
    """
