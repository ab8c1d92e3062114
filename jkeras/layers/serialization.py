"""Layers to configs and back."""

from collections.abc import Mapping
from typing import Any

from jkeras.core.names import registry
from jkeras.core.layer import Layer


@registry.public("keras.layers.serialize")
def serialize(layer: Layer) -> dict[str, Any]:
    """The config of a layer, with its class.

    Args:
        layer: a layer.
    Returns:
        a dict of "class_name", "config" and what else `deserialize` needs.

    >>> from jkeras.layers import Dense
    >>> serialize(Dense(3))["class_name"]
    'Dense'
    """
    return registry.serialize(layer)


@registry.public("keras.layers.deserialize")
def deserialize(config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The layer of a config.

    Args:
        config: a dict that `serialize` gives.
        custom_objects: classes by the names that the config has for them.
    Returns:
        a new layer, with new weights.
    Raises:
        ValueError: the config is that of something else, or of an unknown class.

    >>> deserialize({"class_name": "Dense", "config": {"units": 3}}).units
    3
    """
    made = registry.deserialize(config, custom_objects)
    if not isinstance(made, Layer):
        raise ValueError(
            f"`jkeras.layers.deserialize` was given a config that is no layer's: {config}. "
            f"It made a {type(made).__name__}."
        )
    return made
