"""Regularizers from names and configs, and back."""

from collections.abc import Mapping
from typing import Any

from jkeras.core.names.family import Family
from jkeras.core.names.registry import public
from jkeras.core.weights.types import Config

_family = Family("regularizers", "regularizer")


@public("keras.regularizers.get")
def get(identifier: Any) -> Any:
    """The regularizer that a name, config, class or callable stands for; None for None.

    Args:
        identifier: name, config, class, callable of one array, or None.
    Returns:
        A callable from an array to a number, or None.
    Raises:
        ValueError: nothing of that name, or none of these.

    >>> get("l2")
    L2()
    """
    return _family.get(identifier)


@public("keras.regularizers.serialize")
def serialize(regularizer: Any) -> str | dict[str, Any]:
    """The config of a regularizer, with its class.

    Args:
        regularizer: a regularizer or a function.
    Returns:
        A dict of plain data, which `deserialize` takes.

    >>> from jkeras.regularizers import L2
    >>> serialize(L2(0.1))["config"]
    {'l2': 0.1}
    """
    return _family.serialize(regularizer)


@public("keras.regularizers.deserialize")
def deserialize(config: str | Config, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The regularizer of a config.

    Args:
        config: from `serialize`, or a name.
        custom_objects: dict from names to regularizers of yours.
    Returns:
        A regularizer.
    Raises:
        ValueError: nothing of that name, or a config without a class name.

    >>> deserialize({"class_name": "L2", "config": {"l2": 0.1}})
    L2(l2=0.1)
    """
    return _family.deserialize(config, custom_objects)
