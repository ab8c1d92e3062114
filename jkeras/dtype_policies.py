"""Dtype policies: in what type layers compute and keep their weights."""

from jkeras.core.policy import DTypePolicy, FloatDTypePolicy, get
from jkeras.core.quantized_policy import (
    AWQDTypePolicy,
    DTypePolicyMap,
    GPTQDTypePolicy,
    Int4DTypePolicy,
    QuantizedDTypePolicy,
    QuantizedFloat8DTypePolicy,
)
from jkeras.core.registry import deserialize, serialize

__all__ = ["AWQDTypePolicy", "DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy", "GPTQDTypePolicy", "Int4DTypePolicy",
           "QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy", "deserialize", "get", "serialize"]
