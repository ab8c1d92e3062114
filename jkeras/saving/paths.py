"""Paths of objects in files: names with "/" between them, and nothing for the model itself."""

from collections.abc import Iterable
from typing import Any


def below(path: str, name: str) -> str:
    """The path of a name right below another path.

    >>> below("layers/dense", "vars"), below("", "vars")
    ('layers/dense/vars', 'vars')
    """
    if not path:
        return name
    return f"{path}/{name}"


def values_of(container: Any) -> Iterable:
    """The values of a dict, or the items of a list or tuple.

    >>> list(values_of({"a": 1})), list(values_of([2]))
    ([1], [2])
    """
    if isinstance(container, dict):
        return container.values()
    return container
