"""Dtype policies: in what type layers compute and keep their weights."""

from jkeras.core.names import registry
from jkeras.core.weights.policy import DTypePolicy, FloatDTypePolicy, get
from jkeras.core.weights.quantized_policy import (
    AWQDTypePolicy,
    DTypePolicyMap,
    GPTQDTypePolicy,
    Int4DTypePolicy,
    QuantizedDTypePolicy,
    QuantizedFloat8DTypePolicy,
    TernaryDTypePolicy,
)


@registry.public("keras.dtype_policies.serialize")
def serialize(dtype_policy):
    """The config of a policy.

    Args:
        dtype_policy: a `DTypePolicy`.
    Returns:
        A dict of plain data, which `deserialize` takes.

    >>> serialize(DTypePolicy("mixed_bfloat16"))["config"]
    {'name': 'mixed_bfloat16'}
    """
    return registry.serialize(dtype_policy)


@registry.public("keras.dtype_policies.deserialize")
def deserialize(config, custom_objects=None):
    """The policy of a config.

    Args:
        config: from `serialize`.
        custom_objects: dict from names to policies of yours.
    Returns:
        A `DTypePolicy`.
    Raises:
        ValueError: an unknown class.

    >>> deserialize(serialize(DTypePolicy("mixed_bfloat16"))).compute_dtype
    'bfloat16'
    """
    return registry.deserialize(config, custom_objects)


__all__ = [
    "AWQDTypePolicy",
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "GPTQDTypePolicy",
    "Int4DTypePolicy",
    "QuantizedDTypePolicy",
    "QuantizedFloat8DTypePolicy",
    "TernaryDTypePolicy",
    "deserialize",
    "get",
    "serialize",
]
