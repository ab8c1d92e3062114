"""Constraints from names and configs, and back."""

from collections.abc import Mapping
from typing import Any

from jkeras.core.names.family import Family
from jkeras.core.names.registry import public
from jkeras.core.weights.types import Config

_family = Family("constraints", "constraint")


@public("keras.constraints.get")
def get(identifier: Any) -> Any:
    """The constraint that a name, config, class or callable stands for; None for None.

    Args:
        identifier: name, config, class, callable of one array, or None.
    Returns:
        A callable from an array to one of its shape, or None.
    Raises:
        ValueError: nothing of that name, or none of these.

    >>> get("non_neg")
    NonNeg()
    """
    return _family.get(identifier)


@public("keras.constraints.serialize")
def serialize(constraint: Any) -> str | dict[str, Any]:
    """The config of a constraint, with its class.

    Args:
        constraint: a constraint or a function.
    Returns:
        A dict of plain data, which `deserialize` takes.

    >>> from jkeras.constraints import UnitNorm
    >>> serialize(UnitNorm(1))["config"]
    {'axis': 1}
    """
    return _family.serialize(constraint)


@public("keras.constraints.deserialize")
def deserialize(config: str | Config, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The constraint of a config.

    Args:
        config: from `serialize`, or a name.
        custom_objects: dict from names to constraints of yours.
    Returns:
        A constraint.
    Raises:
        ValueError: nothing of that name, or a config without a class name.

    >>> deserialize({"class_name": "UnitNorm", "config": {"axis": 1}})
    UnitNorm(axis=1)
    """
    return _family.deserialize(config, custom_objects)
