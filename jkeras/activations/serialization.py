"""Activation functions from names and configs, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jkeras.activations.activations import linear
from jkeras.core.names.family import Family
from jkeras.core.names.registry import public
from jkeras.core.names.typed import Named as Identifier
from jkeras.core.weights.types import Config, Function


class Activations(Family):
    """The family of activation functions: a built-in one is written as its bare name."""

    def serialize(self, obj: Any) -> str | dict[str, Any]:
        """The name of a built-in function, the config of anything else."""
        name = getattr(obj, "__name__", None)
        if self.aliases.get(name) is obj:
            return name
        return super().serialize(obj)


_family = Activations(
    "activations", "activation function", spellings=lambda name, thing: (name,), none=linear
)


@public("keras.activations.get")
def get(identifier: Identifier) -> Function:
    """The activation function that a name, config, function or None (linear) stands for.

    Args:
        identifier: name, such as "relu"; config; function, which is returned as it is; None.
    Returns:
        A function of one array.
    Raises:
        ValueError: nothing of that name, or not callable.

    >>> get("relu")([-1.0, 1.0])
    Array([0., 1.], dtype=float32)
    """
    return _family.get(identifier)


@public("keras.activations.serialize")
def serialize(activation: Function) -> str | dict[str, Any]:
    """The name of a built-in activation function, or the config of another.

    Args:
        activation: a function, or an object such as a layer.
    Returns:
        A name or a dict of plain data, which `deserialize` takes.

    >>> from jkeras.activations import relu
    >>> serialize(relu)
    'relu'
    """
    return _family.serialize(activation)


@public("keras.activations.deserialize")
def deserialize(config: str | Config, custom_objects: Mapping[str, Any] | None = None) -> Function:
    """The activation function of a name or config.

    Args:
        config: from `serialize`.
        custom_objects: dict from names to functions of yours.
    Returns:
        A function of one array.
    Raises:
        ValueError: nothing of that name, or a config without a class name.

    >>> deserialize("double", {"double": lambda x: 2 * x})(3.0)
    6.0
    """
    return _family.deserialize(config, custom_objects)
