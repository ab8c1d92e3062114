"""Quantizers and their configurations from names and configs, and back."""

import inspect
from typing import Any

from jkeras.core.names.family import Family
from jkeras.core.names.registry import public
from jkeras.quantizers.configs import QuantizationConfig

_family = Family("quantizers", "quantizer")


@public("keras.quantizers.get")
def get(identifier: Any, **kwargs: Any) -> Any:
    """The quantizer or configuration that a name, config, class or object stands for; None for
    None.

    Args:
        identifier: name, config, class, quantizer, configuration, callable, or None.
        kwargs: the constructor's arguments, for a name or class.
    Returns:
        A `Quantizer`, `QuantizationConfig` or callable, or None.
    Raises:
        ValueError: nothing of that name, or none of these.

    >>> get("abs_max_quantizer", axis=0).axis
    (0,)
    """
    if isinstance(identifier, str) and identifier in _family.aliases:
        identifier = _family.aliases[identifier]
    if inspect.isclass(identifier):
        return identifier(**kwargs)
    if identifier is None or callable(identifier) or isinstance(identifier, QuantizationConfig):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return _family.get(identifier)


@public("keras.quantizers.serialize")
def serialize(initializer: Any) -> dict[str, Any]:
    """The config of a quantizer.

    Args:
        initializer: the quantizer or configuration; the name is that of Keras.
    Returns:
        A dict of plain data, which `deserialize` takes.

    >>> from jkeras.quantizers import AbsMaxQuantizer
    >>> serialize(AbsMaxQuantizer())["class_name"]
    'AbsMaxQuantizer'
    """
    return _family.serialize(initializer)


@public("keras.quantizers.deserialize")
def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The quantizer of a config.

    Args:
        config: from `serialize`, or a name.
        custom_objects: dict from names to quantizers of yours.
    Returns:
        A `Quantizer` or `QuantizationConfig`.
    Raises:
        ValueError: nothing of that name, or a config without a class name.

    >>> from jkeras.quantizers import AbsMaxQuantizer
    >>> deserialize(serialize(AbsMaxQuantizer(axis=1))).axis
    (1,)
    """
    return _family.deserialize(config, custom_objects)
