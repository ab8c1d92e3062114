"""Moments and the normalizations built on them."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.core.errors import AxisError, ShapeError, explain
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.graph.op import op
from jkeras.core.names.registry import public
from jkeras.core.session.settings import settings
from jkeras.ops import linalg
from jkeras.ops.naming import nn_op, public_names
from jkeras.ops.promotion import as_axes, in_float32
from jkeras.core.weights.types import Axis, Operand, TensorLike


@nn_op(inputs=1)
def moments(
    x: TensorLike, axes: Axis, keepdims: bool = False, synchronized: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Mean and variance over some axes; half precision is summed in float32 and clipped to
    float16's range.

    Args:
        x: array.
        axes: int, or a sequence of ints.
        keepdims: whether reduced axes stay, with size 1.
        synchronized: must be false.
    Returns:
        (mean, variance), two arrays of x's shape without the reduced axes; variance divided by n.
    Raises:
        NotImplementedError: `synchronized`; under JAX a sharded array has its moments over all
            devices anyway.

    >>> [float(v) for v in moments([1.0, 3.0], axes=[0])]
    [2.0, 1.0]
    """
    if synchronized:
        raise NotImplementedError(
            "moments(synchronized=True): under JAX a sharded array has "
            "its moments over all devices anyway. Leave it out; it is "
            "not supported."
        )
    x = jnp.asarray(x)
    axes = as_axes(axes)
    if x.dtype not in ("float16", "bfloat16"):
        return _moments(x, axes, keepdims)
    limit = float(jnp.finfo("float16").max)
    results = _moments(x.astype("float32"), axes, keepdims)
    return tuple(jnp.clip(v, -limit, limit).astype(x.dtype) for v in results)


def _moments(x: jax.Array, axes: Axis, keepdims: bool) -> tuple[jax.Array, jax.Array]:
    return jnp.mean(x, axes, keepdims=keepdims), jnp.var(x, axes, keepdims=keepdims)


def _or_default(epsilon: float | None) -> float:
    """The epsilon, for None that of the settings."""
    if epsilon is None:
        return settings.epsilon
    return epsilon


def _as_x(x: Operand, *args: Any, **kwargs: Any) -> KerasTensor:
    """The result's spec: shape and dtype of x, whatever is unknown of the other
    arguments.
    """
    return KerasTensor(x.shape, x.dtype)


@op("keras.src.ops.nn", inputs=5, class_name="BatchNorm")
def _batch_normalization(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    offset: TensorLike | None = None,
    scale: TensorLike | None = None,
    axis: int = -1,
    epsilon: float = 1e-3,
) -> jax.Array:
    x = jnp.asarray(x)
    size = x.shape[axis]
    for name, v in {"mean": mean, "variance": variance, "offset": offset, "scale": scale}.items():
        if v is not None and v.shape not in ((size,), (1,)):
            raise ShapeError(
                f"`{name}` must be a vector of length x.shape[{axis}] = {size}. Received: "
                f"{name}.shape={v.shape}, x.shape={x.shape}"
            )
    shape = [1] * x.ndim
    shape[axis] = -1
    factor = lax.rsqrt(variance + epsilon)
    if scale is not None:
        factor = factor * scale
    shift = -mean * factor
    if offset is not None:
        shift = shift + offset
    return x * factor.reshape(shape) + shift.reshape(shape)


@public(*public_names("nn", "batch_normalization"))
def batch_normalization(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    axis: int,
    offset: TensorLike | None = None,
    scale: TensorLike | None = None,
    epsilon: float = 1e-3,
) -> jax.Array:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, each a vector along one axis (Ioffe
    and Szegedy 2015, arXiv:1502.03167).

    Args:
        x: array of floats.
        mean, variance: vectors of the size of the axis.
        axis: int.
        offset, scale: vectors of the size of the axis, or None for 0 and 1.
        epsilon: number that keeps the root away from 0.
    Returns:
        Array of x's shape.
    Raises:
        ValueError: a vector of another size.

    >>> batch_normalization(jnp.ones((2, 1)), jnp.ones(1), jnp.ones(1), axis=-1)
    Array([[0.],
           [0.]], dtype=float32)
    """
    return _batch_normalization(x, mean, variance, offset, scale, axis=axis, epsilon=epsilon)


def _axis_of(x: Operand, axis: Axis) -> int:
    """The number, from 0 on, of an axis that x has."""
    if not -x.ndim <= axis < x.ndim:
        raise AxisError(explain("ops.layer_normalization", f"an axis of {x.ndim}", f"axis={axis}"))
    return axis % x.ndim


@op("keras.src.ops.nn", inputs=3, class_name="LayerNorm", spec=_as_x)
def _layer_normalization(
    x: TensorLike,
    gamma: TensorLike | None = None,
    beta: TensorLike | None = None,
    axis: Axis = -1,
    epsilon: float | None = None,
    rms_scaling: bool = False,
) -> jax.Array:
    x = jnp.asarray(x)
    if not x.ndim:
        raise ShapeError(
            "`layer_normalization` takes inputs with at least one axis. Received: x.shape=()"
        )
    dtype = x.dtype
    wide = jnp.promote_types(dtype, "float32")
    x = x.astype(wide)
    if isinstance(axis, int):
        axis = (axis,)
    axes = tuple(sorted([_axis_of(x, a) for a in axis]))

    def weight(v: jax.Array) -> jax.Array:
        v = jnp.asarray(v, wide)
        if v.ndim == x.ndim or axes == (x.ndim - 1,):
            return v  # broadcasts as it is
        return v.reshape([n if i in axes else 1 for i, n in enumerate(x.shape)])

    mean, variance = _moments(x, axes, keepdims=True)
    factor = lax.rsqrt(variance + _or_default(epsilon))
    if gamma is not None:
        factor = factor * weight(gamma)
    if rms_scaling:
        return (x * factor).astype(dtype)
    shift = -mean * factor
    if beta is not None:
        shift = shift + weight(beta)
    return (x * factor + shift).astype(dtype)


@public(*public_names("nn", "layer_normalization"))
def layer_normalization(
    x: TensorLike,
    gamma: TensorLike | None = None,
    beta: TensorLike | None = None,
    axis: Axis = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> jax.Array:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta over some axes (Ba et al. 2016,
    arXiv:1607.06450).

    Computed in float32 at least, returned in x's dtype.

    Args:
        x: array.
        gamma, beta: arrays, or None for 1 and 0.
        axis: int or a sequence; gamma and beta have their sizes.
        epsilon: number that keeps the root away from 0; None: that of the settings, 1e-7.
        rms_scaling: the deprecated x / sqrt(variance + epsilon) * gamma.
    Returns:
        Array of x's shape and dtype.
    Raises:
        ValueError: x is a scalar, or does not have the axis.

    >>> layer_normalization([[1.0, 3.0]], epsilon=0.0)
    Array([[-1.,  1.]], dtype=float32)
    """
    rms_scaling = kwargs.pop("rms_scaling", False)
    if rms_scaling:
        warnings.warn(
            "You passed `rms_scaling=True`, which is deprecated: it divides by the standard "
            "deviation, not the root mean square. Use `ops.rms_normalization`.",
            stacklevel=2,
        )
    return _layer_normalization(x, gamma, beta, axis=axis, epsilon=epsilon, rms_scaling=rms_scaling)


@nn_op(inputs=2, class_name="RMSNorm", spec=_as_x)
def rms_normalization(
    x: TensorLike, scale: TensorLike | None = None, axis: Axis = -1, epsilon: float | None = None
) -> jax.Array:
    """x / sqrt(mean(x**2) + epsilon) * scale (Zhang and Sennrich 2019, arXiv:1910.07467).

    Computed in float32 at least, returned in x's dtype.

    Args:
        x: array.
        scale: array that broadcasts to x, or None for 1.
        axis: int or a sequence, over which squares have their mean.
        epsilon: number that keeps the root away from 0; None: that of the settings, 1e-7.
    Returns:
        Array of x's shape and dtype.

    >>> [round(float(y), 3) for y in rms_normalization([1.0, 7.0], epsilon=0.0)]
    [0.2, 1.4]
    """
    x = jnp.asarray(x)
    dtype = x.dtype
    wide = jnp.promote_types(dtype, "float32")
    x = jnp.atleast_1d(x).astype(wide)
    square = jnp.mean(jnp.square(x), axis=as_axes(axis), keepdims=True)
    x = x * lax.rsqrt(square + _or_default(epsilon))
    if scale is not None:
        x = x * jnp.asarray(scale, wide)
    return x.astype(dtype)


def inverse_norm(square: jax.Array, epsilon: float) -> jax.Array:
    """1 / sqrt(square), at most 1 / epsilon, with a gradient that is a number at 0 too.

    >>> print(inverse_norm(jnp.array([4.0, 0.0]), 0.5))
    [0.5 2. ]
    """
    is_large = square > epsilon**2
    inverse = lax.rsqrt(jnp.where(is_large, square, jnp.ones_like(square)))
    return jnp.where(is_large, jnp.minimum(inverse, 1.0 / epsilon), 1.0 / epsilon)


@nn_op(inputs=1)
def normalize(
    x: TensorLike, axis: Axis = -1, order: float = 2, epsilon: float | None = None
) -> jax.Array:
    """x divided by its norm along an axis; a norm below epsilon counts as epsilon.

    Args:
        x: array of floats.
        axis: int, or a pair of ints for the norm of matrices.
        order: of the norm: 1 is the sum of absolute values, 2 the Euclidean length.
        epsilon: None: that of the settings, 1e-7.
    Returns:
        Array of x's shape.
    Raises:
        ValueError: `order` is not an int from 1 on.

    >>> normalize([3.0, 4.0])
    Array([0.6, 0.8], dtype=float32)
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"Argument `order` must be an int >= 1. Received: order={order}")
    x = jnp.atleast_1d(jnp.asarray(x))
    epsilon = _or_default(epsilon)

    def normalized(x: jax.Array) -> jax.Array:
        if order == 2:
            square = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
            return x * inverse_norm(square, epsilon)
        is_zero = jnp.all(x == 0, axis=axis, keepdims=True)  # where a norm has no gradient
        norm = linalg.norm(jnp.where(is_zero, 1, x), ord=order, axis=axis, keepdims=True)
        return x / jnp.maximum(jnp.where(is_zero, 0, norm), epsilon)

    return in_float32(normalized, x)
