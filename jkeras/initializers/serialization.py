"""Initializers from names, configs and arrays, and back."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names.family import Family
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.names.registry import public
from jkeras.initializers.fixed import Ones, Zeros
from jkeras.initializers.random import RandomNormal, RandomUniform
from jkeras.core.weights.types import Config, DType, Shape


class InitializerFamily(Family):
    """Also takes an array: the value itself."""

    def get(self, identifier: Any) -> Any:
        if not isinstance(identifier, (jax.Array, np.ndarray, np.generic)):
            return super().get(identifier)

        def initialize_fn(shape: Shape, dtype: DType | None = None) -> jax.Array:
            if tuple(shape) != tuple(identifier.shape):
                raise ValueError(
                    f"Expected `shape` to be {tuple(identifier.shape)}, that of the array given as "
                    f"the initial value. Received: shape={tuple(shape)}"
                )
            return jnp.asarray(identifier).astype(standardize_dtype(dtype))

        return initialize_fn


_family = InitializerFamily(
    "initializers",
    "initializer",
    {"normal": RandomNormal, "uniform": RandomUniform, "one": Ones, "zero": Zeros},
)


@public("keras.initializers.get")
def get(identifier: Any) -> Any:
    """The initializer that a name, config, class, array or callable `(shape, dtype)` stands for;
    None for None.

    Args:
        identifier: name, config, class, array, callable `(shape, dtype)`, or None.
    Returns:
        A callable `(shape, dtype)`, or None.
    Raises:
        ValueError: nothing of that name, or none of these. An array makes a callable that raises
            one for another shape.

    >>> get("zeros")
    Zeros()
    """
    return _family.get(identifier)


@public("keras.initializers.serialize")
def serialize(initializer: Any) -> str | dict[str, Any]:
    """The config of an initializer, with its class.

    Args:
        initializer: an initializer or a function.
    Returns:
        A dict of plain data, which `deserialize` takes.

    >>> from jkeras.initializers import Zeros
    >>> serialize(Zeros())["class_name"]
    'Zeros'
    """
    return _family.serialize(initializer)


@public("keras.initializers.deserialize")
def deserialize(config: str | Config, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The initializer of a config.

    Args:
        config: from `serialize`, or a name.
        custom_objects: dict from names to initializers of yours.
    Returns:
        An initializer.
    Raises:
        ValueError: nothing of that name, or a config without a class name.

    >>> deserialize({"class_name": "Constant", "config": {"value": 2.0}})
    Constant(value=2.0)
    """
    return _family.deserialize(config, custom_objects)
