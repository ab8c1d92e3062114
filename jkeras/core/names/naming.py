"""Which layers and name scopes are around: new variables and layers take their path."""

import contextvars

_around = contextvars.ContextVar("jkeras_names_around", default=())


class inside:  # noqa: N801 - used as a function
    """Inside this block a layer, or whatever has a `path`, is being built or called: new variables
    and layers take its path.
    """

    def __init__(self, layer):
        self.layer = layer

    def __enter__(self):
        self._token = enter(self.layer)

    def __exit__(self, *exc):
        leave(self._token)


def enter(layer):
    """Begins what `inside` does; returns what `leave` takes."""
    return _around.set((*_around.get(), layer))


leave = _around.reset


def innermost():
    """The innermost layer or name scope that is around, or None."""
    around = _around.get()
    return around[-1] if around else None


def path_around() -> str:
    """The path of the innermost layer that is being built or called: "net/hidden"."""
    around = _around.get()
    return around[-1].path if around and around[-1] else ""
