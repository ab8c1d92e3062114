"""`keras.quantizers`: numbers in few bits, and how a model is told to use them."""

import inspect

from jkeras.core import registry
from jkeras.core.settings import snake_case
from jkeras.quantizers.configs import (
    AWQConfig,
    Float8QuantizationConfig,
    GPTQConfig,
    Int4QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
)
from jkeras.quantizers.quantizers import (
    AbsMaxQuantizer,
    Quantizer,
    abs_max_quantize,
    abs_max_quantize_grouped_with_zero_point,
    compute_float8_amax_history,
    compute_float8_scale,
    fake_quant_with_min_max_vars,
    pack_int4,
    quantize_and_dequantize,
    unpack_int4,
)

_classes = (Quantizer, AbsMaxQuantizer, QuantizationConfig, Int8QuantizationConfig, Int4QuantizationConfig,
            Float8QuantizationConfig, AWQConfig)
_family = registry.Family("quantizers", "quantizer", {
    name: cls for cls in _classes for name in (cls.__name__, snake_case(cls.__name__))})


@registry.public("keras.quantizers.get")
def get(identifier, **kwargs):
    """The quantizer or configuration that a name, config, class or object stands for; None for None.

    Args:
        **kwargs: the constructor's arguments, for a name or class.

    >>> get("abs_max_quantizer", axis=0).axis
    (0,)
    """
    if isinstance(identifier, str) and identifier in _family.aliases:
        identifier = _family.aliases[identifier]
    if inspect.isclass(identifier):
        return identifier(**kwargs)
    if identifier is None or callable(identifier) or isinstance(identifier, QuantizationConfig):
        return identifier
    return deserialize(identifier) if isinstance(identifier, dict) else _family.get(identifier)


@registry.public("keras.quantizers.serialize")
def serialize(initializer):
    """The config of a quantizer.

    >>> serialize(AbsMaxQuantizer())["class_name"]
    'AbsMaxQuantizer'
    """
    return _family.serialize(initializer)


@registry.public("keras.quantizers.deserialize")
def deserialize(config, custom_objects=None):
    """The quantizer of a config.

    >>> deserialize(serialize(AbsMaxQuantizer(axis=1))).axis
    (1,)
    """
    return _family.deserialize(config, custom_objects)


__all__ = ["AWQConfig", "AbsMaxQuantizer", "Float8QuantizationConfig", "GPTQConfig", "Int4QuantizationConfig",
           "Int8QuantizationConfig", "QuantizationConfig", "Quantizer", "abs_max_quantize",
           "abs_max_quantize_grouped_with_zero_point", "compute_float8_amax_history", "compute_float8_scale",
           "deserialize", "fake_quant_with_min_max_vars", "get", "pack_int4", "quantize_and_dequantize", "serialize",
           "unpack_int4"]
