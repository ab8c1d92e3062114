"""Dtype policies: in what type layers compute and keep their weights."""

from jkeras.core.policy import DTypePolicy, FloatDTypePolicy, get
from jkeras.core.registry import deserialize, serialize

__all__ = ["DTypePolicy", "FloatDTypePolicy", "deserialize", "get", "serialize"]
