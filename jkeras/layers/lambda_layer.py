"""A function as a layer."""

import inspect
from collections.abc import Mapping
from typing import Any, Self

import jax

from jkeras.core.graph import keras_tensor
from jkeras.core.names import registry
from jkeras.core.graph.keras_tensor import KerasTensor, is_symbolic
from jkeras.core.errors import explain
from jkeras.core.layer import Layer, layer
from jkeras.core.record import Hidden
from jkeras.core.names.registry import function_to_code, is_in_process, is_lambda, serialize
from jkeras.layers.base import Value
from jkeras.core.run.context import Context
from jkeras.core.weights.types import Function, Structure


class _Function(Value):
    """A function, written to configs by name, or as code where it has none."""

    def write(self, value: Any) -> Any:
        if is_lambda(value) and not is_in_process():
            return {"class_name": "__lambda__", "config": function_to_code(value)}
        return serialize(value)


class _HiddenFunction(_Function, Hidden):
    """A function, array or shape that is written only when it is set."""


# nobody knows what the function does with whole numbers, so it takes no floats for them
@layer("keras.layers")
class Lambda(Layer, takes_floats=False):
    """A function of the input as a layer.

    Args:
        function: takes the input, and `mask` and `training` if it has parameters of these names.
        output_shape: shape of the output without the batch axis, or a function of the input's
            shape; only needed where the shape does not follow from running `function` on shapes.
        mask: the output's mask, or a function `(inputs, mask) -> mask`.
        arguments: dict of further keyword arguments for `function`.
    Raises:
        TypeError: `function` is none.

    A file holds a function by the name it was registered under; a Python lambda has none and is
    written as code, which only `load_model(..., safe_mode=False)` reads.

    >>> import numpy as np
    >>> print(Lambda(lambda x: x ** 2)(np.array([2.0, 3.0])))
    [4. 9.]
    """

    function: _Function()
    output_shape: _HiddenFunction() = None
    mask: _HiddenFunction() = None
    arguments: dict | None = None
    call_context = {"mask": None, "training": None}

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(explain(self._where, "a function", f"{self.function!r}"))
        self.arguments = self.arguments or {}
        if (
            isinstance(self.output_shape, list)
            and keras_tensor.flatten(self.output_shape) == self.output_shape
        ):
            self.output_shape = tuple(self.output_shape)
        self.supports_masking = self.mask is not None

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        custom_objects: Mapping[str, Any] | None = None,
        safe_mode: bool | None = None,
    ) -> Self:
        """A new layer from its config.

        Args:
            custom_objects: dict from names to functions of yours.
            safe_mode: False lets the config bring code, that of a Python lambda; None: as the
                loading says that is going on.

        Raises:
            ValueError: the config brings code, and it is not said to be trusted.
        """
        is_safe = safe_mode is not False
        with registry.loading(is_safe), registry.CustomObjectScope(custom_objects):
            return super().from_config(config)

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        context = {"mask": ctx.mask, "training": ctx.training}
        accepted = {k: v for k, v in context.items() if k in _parameters(self.function)}
        return self.function(inputs, **self.arguments, **accepted)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Structure:
        if callable(self.mask):
            return self.mask(inputs, mask)
        return self.mask

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Structure:
        if self.output_shape is None:
            return super().compute_output_spec(inputs, **kwargs)
        shapes = jax.tree_util.tree_map(lambda t: t.shape, inputs, is_leaf=is_symbolic)
        if callable(self.output_shape):
            return KerasTensor(self.output_shape(shapes), self.compute_dtype)
        batch = keras_tensor.flatten(inputs)[0].shape[0]
        return KerasTensor((batch, *self.output_shape), self.compute_dtype)


def _parameters(function: Function) -> Any:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # a built-in without a readable signature
        return ()
