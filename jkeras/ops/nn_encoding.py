"""Integers as rows of zeros and ones, polar coordinates as complex numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.core.graph.inference import infer
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.graph.op import op
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.names.registry import public
from jkeras.ops.naming import nn_op, public_names
from jkeras.core.weights.types import DType, Function, Operand, TensorLike

if TYPE_CHECKING:
    from jax.experimental.sparse import BCOO  # takes long to import


def _sparse_multi_hot(x: jax.Array, num_classes: int, axis: int, dtype: DType) -> BCOO:
    """`sparse_values.one_hot` summed over the integers of a row, then 1 for what is not 0."""
    from jkeras.ops import sparse_values  # takes long to import

    hot = sparse_values.one_hot(x, num_classes, axis, "int32")
    total = sparse_values.without_duplicates(hot.sum(axis=1 if x.ndim > 1 else 0))
    return sparse_values.with_values(total, (total.data > 0).astype(dtype))


def _encoded(function: Function) -> Function:
    """The spec of what `function()`, an op made later, gives: tracing does not know
    sparse arrays.
    """

    def spec(x: Operand, *args: Operand, sparse: bool = False, **options: Any) -> KerasTensor:
        dense = infer(lambda x: function()(x, *args, **options), x)
        return KerasTensor(dense.shape, dense.dtype, sparse=sparse)

    return spec


@nn_op(inputs=1, spec=_encoded(lambda: one_hot), resolve={"dtype": standardize_dtype})
def one_hot(
    x: TensorLike,
    num_classes: int,
    axis: int = -1,
    dtype: DType | None = None,
    sparse: bool = False,
) -> jax.Array:
    """1 at the index that each integer names, 0 elsewhere; nothing but 0 for an integer out of
    range.

    Args:
        x: integers, of any shape.
        num_classes: int.
        axis: where the new axis of size `num_classes` goes.
        dtype: floatx by default.
        sparse: return a JAX BCOO array.
    Returns:
        Array of x's shape with a new axis of size `num_classes`.

    >>> one_hot([2, 0], 3)
    Array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    x = jnp.asarray(x, "int32" if sparse else None)
    dtype = standardize_dtype(dtype)
    if sparse:
        from jkeras.ops import sparse_values  # takes long to import

        return sparse_values.one_hot(x, num_classes, axis, dtype)
    return jax.nn.one_hot(x, num_classes, axis=axis, dtype=dtype)


@op("keras.src.ops.nn", inputs=1, class_name="MultiHot", spec=_encoded(lambda: _multi_hot))
def _multi_hot(
    inputs: TensorLike,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DType | None = None,
    sparse: bool = False,
) -> jax.Array:
    inputs = jnp.asarray(inputs).astype("int32")
    if sparse:
        return _sparse_multi_hot(inputs, num_classes, axis, standardize_dtype(dtype))
    result = one_hot(inputs, num_classes, axis=axis, dtype=dtype)
    return jnp.max(result, axis=1 if inputs.ndim > 1 else 0)


@public(*public_names("nn", "multi_hot"))
def multi_hot(
    inputs: TensorLike,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DType | None = None,
    sparse: bool = False,
    **kwargs: Any,
) -> jax.Array:
    """1 at all indices that the integers of a row name, 0 elsewhere: (batch, n) -> (batch,
    num_classes).

    Args:
        inputs: integers, (batch, n) or (n,).
        num_classes: int.
        axis: -1; another, as in Keras, puts the axis of the classes elsewhere before the second
            axis is reduced.
        dtype: floatx by default.
        sparse: return a JAX BCOO array.
        num_tokens: older name of `num_classes`.
    Returns:
        Array (batch, num_classes), or (num_classes,) for a vector.
    Raises:
        ValueError: no `num_classes`.

    >>> multi_hot([[2, 0]], 4)
    Array([[1., 0., 1., 0.]], dtype=float32)
    """
    if num_classes is None:
        num_classes = kwargs.pop("num_tokens", None)
    if num_classes is None:
        raise ValueError("Argument `num_classes` must be specified.")
    return _multi_hot(inputs, num_classes=num_classes, axis=axis, dtype=dtype, sparse=sparse)


def _polar_spec(abs_: Operand, angle: Operand) -> KerasTensor:
    wide = "complex128" if "float64" in (abs_.dtype, angle.dtype) else "complex64"
    return KerasTensor(abs_.shape, wide)


@nn_op(spec=_polar_spec)
def polar(abs_: TensorLike, angle: TensorLike) -> jax.Array:
    """The complex numbers of absolute values and angles (in radians).

    Args:
        abs_: absolute values, floats.
        angle: angles in radians, floats of the same shape.
    Returns:
        Complex array of that shape.

    >>> polar([2.0, 2.0], [0.0, jnp.pi / 2]).round(3)
    Array([ 2.+0.j, -0.+2.j], dtype=complex64)
    """
    abs_ = jnp.asarray(abs_)
    angle = jnp.asarray(angle)
    return lax.complex(abs_ * jnp.cos(angle), abs_ * jnp.sin(angle))
