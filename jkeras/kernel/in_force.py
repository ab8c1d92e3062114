"""What is in force around the code that runs, by name: one value of one context variable for all
that is not the forward pass itself (`scope`).

>>> with having("color", "red"):
...     value_of("color")
'red'
>>> value_of("color") is None
True
"""

import contextlib
import contextvars
import types
from collections.abc import Iterator, Mapping
from typing import Any

_values: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar(
    "jkeras_in_force", default=types.MappingProxyType({})
)


def value_of(name: str) -> Any:
    """What is in force under a name; None: nothing is."""
    return _values.get().get(name)


def begin(name: str, value: Any) -> contextvars.Token:
    """Puts a value in force, until `end` takes what this returns."""
    return _values.set({**_values.get(), name: value})


end = _values.reset


@contextlib.contextmanager
def having(name: str, value: Any) -> Iterator[None]:
    """A block in which a value is in force."""
    token = begin(name, value)
    try:
        yield
    finally:
        end(token)
