"""The entry of a graph: Input and InputLayer."""

import warnings
from typing import Any, Self
from collections.abc import Mapping

import jax

from jkeras.core.graph import keras_tensor
from jkeras.core.graph.graph import Node
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.layer import Layer
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.names.registry import public
from jkeras.core.weights.types import DType, PartialShape, Sizes, Structure
from jkeras.core.run.context import Context


@public("keras.layers.InputLayer")
class InputLayer(Layer):
    """The entry point of a model: holds the symbolic input and passes values through unchanged.

    Args:
        sparse: whether values are sparse arrays.
        ragged: only False; JAX has no ragged arrays.
        shape: tuple without the batch axis; None for unknown sizes.
        batch_size: size of the batch axis, if fixed.
        batch_shape: the whole shape, instead of the two above.
        dtype: floatx by default.
        input_tensor: a KerasTensor to use instead of a new one.
        optional: whether None may be passed for this input.
    Raises:
        ValueError: `ragged`, or an `input_tensor` that does not agree with the other arguments.

    >>> InputLayer(shape=(3,), name="x").output.shape
    (None, 3)
    """

    def __init__(
        self,
        shape: PartialShape | None = None,
        batch_size: int | None = None,
        dtype: DType | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: PartialShape | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if "input_shape" in kwargs:
            warnings.warn(
                "Argument `input_shape` is deprecated. Use `shape` instead.", stacklevel=2
            )
            shape = kwargs.pop("input_shape")
        if "batch_input_shape" in kwargs:
            batch_shape = kwargs.pop("batch_input_shape")
        super().__init__(name=name, **kwargs)
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ValueError(
                    f"Argument `input_tensor` must be a KerasTensor. Received: {input_tensor}"
                )
            _check_agrees(input_tensor, shape, batch_size, batch_shape, dtype, sparse)
            dtype, sparse = input_tensor.dtype, input_tensor.sparse
            self.batch_shape = input_tensor.shape
        else:
            self.batch_shape = _batch_shape(shape, batch_size, batch_shape)
        if ragged:
            raise ValueError("`ragged=True` is not supported: JAX has no ragged arrays.")
        self._input_dtype = standardize_dtype(dtype)
        self.sparse, self.ragged, self.optional = bool(sparse), False, bool(optional)
        self.built = True
        if input_tensor is None:
            input_tensor = KerasTensor(
                self.batch_shape, self._input_dtype, sparse=self.sparse, name=name
            )
        Node(self, (), {}, input_tensor)

    dtype = property(lambda self: self._input_dtype, doc="The dtype of the input.")

    def forward(
        self, w: Mapping[str, Any], x: jax.Array | None = None, *, ctx: Context
    ) -> Structure:
        return x

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The layer of a config."""
        config = dict(config)
        config.pop("trainable", None)
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = config["dtype"]["config"]["name"]
        return cls(**config)

    def get_build_config(self) -> dict[str, Any] | None:
        """None: nothing to build."""
        return None


def _check_agrees(
    tensor: KerasTensor,
    shape: PartialShape | None,
    batch_size: int | None,
    batch_shape: PartialShape | None,
    dtype: DType | None,
    sparse: bool | None,
) -> None:
    """Raises ValueError where an argument says something else of an input's tensor than it does."""
    said = {
        "batch_size": (batch_size, tensor.shape[0] if tensor.ndim else None),
        "shape": (_as_tuple(shape), tensor.shape[1:]),
        "batch_shape": (_as_tuple(batch_shape), tensor.shape),
        "dtype": (dtype, tensor.dtype),
        "sparse": (sparse, tensor.sparse),
    }
    for name, (passed, of_tensor) in said.items():
        if passed is not None and passed != of_tensor:
            raise ValueError(
                "An `input_tensor` has one of its own: you cannot provide an incompatible "
                f"`{name}`. Expected {of_tensor}, received {name}={passed}. Leave it out."
            )


def _as_tuple(shape: Sizes) -> Any:
    return None if shape is None else keras_tensor.standardize_shape(shape)


def _batch_shape(
    shape: PartialShape | None, batch_size: int | None, batch_shape: PartialShape | None
) -> tuple[int | None, ...]:
    """The shape with the batch axis, from one without or with it."""
    if shape is not None and batch_shape is not None:
        raise ValueError(
            "You cannot pass both `shape` and `batch_shape`: the second is the first behind "
            f"the size of the batch. Received: shape={shape}, batch_shape={batch_shape}"
        )
    if batch_size is not None and batch_shape is not None:
        raise ValueError(
            "You cannot pass both `batch_size` and `batch_shape`, whose first number is that size."
        )
    if shape is None and batch_shape is None:
        raise ValueError("You must pass a `shape` argument.")
    if shape is not None:
        batch_shape = (batch_size, *keras_tensor.standardize_shape(shape))
    return keras_tensor.standardize_shape(batch_shape)


@public("keras.layers.Input", "keras.Input")
def Input(
    shape: PartialShape | None = None,
    batch_size: int | None = None,
    dtype: DType | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: PartialShape | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor that stands for one input of a model.

    Args:
        shape: tuple without the batch axis; None for unknown sizes.
        batch_size: size of the batch axis, if fixed.
        dtype: floatx by default.
        batch_shape: the whole shape, instead of `shape` and `batch_size`.
        name: name of the input, the key under which data may be passed.
        tensor: a KerasTensor to make an input of.
        optional: whether None may be passed.

    >>> Input((28, 28, 1)).shape
    (None, 28, 28, 1)
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        name=name,
        input_tensor=tensor,
        optional=optional,
    )
    return layer.output
