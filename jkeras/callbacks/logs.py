"""Logs that wait for the device only when they are read."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import jax
import numpy as np


class Logs(dict):
    """Logs whose values are on the device until one is read; then all become Python
    numbers.

    >>> logs = Logs({"loss": jax.numpy.float32(0.5)})
    >>> logs.fetched, dict(logs), logs.fetched
    (False, {'loss': 0.5}, True)
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.fetched = False

    def fetch(self) -> Self:
        """The values on the host: scalars as Python numbers, arrays as numpy arrays."""
        if self.fetched:
            return self
        self.fetched = True
        for key, value in dict.items(self):
            if not hasattr(value, "dtype"):
                super().__setitem__(key, jax.tree_util.tree_map(_on_host, value))
            else:
                super().__setitem__(key, _on_host(value))
        return self

    # without a method of its own, `dict(logs)` and `{**logs}` would copy past `__getitem__`
    def __iter__(self) -> Iterator[str]:
        return super().__iter__()

    def copy(self) -> dict[str, Any]:
        """A plain dict of the fetched values."""
        return dict(self)


def _on_host(value: Any) -> Any:
    """An array as a number or numpy array, unless parts of it lie with other processes."""
    if not hasattr(value, "dtype") or not getattr(value, "is_fully_addressable", True):
        return value
    value = np.asarray(value)
    if value.ndim == 0:
        return value.item()
    return value


def _reading(name: str) -> Callable[..., Any]:
    method = getattr(dict, name)

    def read(self, *args: Any) -> Any:
        return method(self.fetch(), *args)

    read.__name__ = name
    read.__doc__ = method.__doc__
    return read


for _name in (
    "__getitem__",
    "get",
    "items",
    "values",
    "pop",
    "popitem",
    "setdefault",
    "__eq__",
    "__ne__",
    "__or__",
    "__ror__",
    "__repr__",
):
    setattr(Logs, _name, _reading(_name))
