"""Pooling: the maximum or mean of windows, of a set size or of a set number."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jkeras.core.errors import ShapeError, check_choice
from jkeras.core.names.trust import LARGEST_TABLE, check_count
from jkeras.core.session.settings import standardize_data_format
from jkeras.ops import kernels
from jkeras.ops.naming import nn_op
from jkeras.ops.nn_conv import per_axis
from jkeras.core.weights.types import Axis, DataFormat, Function, Padding, PerAxis, TensorLike


def _window(value: PerAxis, ndim: int, data_format: DataFormat) -> tuple[int, ...]:
    """A window or stride over all axes: 1 for batch and channels."""
    spatial = per_axis(value, ndim - 2)
    if data_format == "channels_last":
        return (1, *spatial, 1)
    return (1, 1, *spatial)


def _pool_arguments(
    inputs: jax.Array,
    pool_size: PerAxis,
    strides: PerAxis | None,
    padding: Padding,
    data_format: DataFormat | None,
) -> tuple[Any, ...]:
    """(window, strides, padding) as `lax.reduce_window` takes them."""
    data_format = standardize_data_format(data_format)
    padding = padding.lower()
    if inputs.ndim < 3:
        raise ShapeError(
            "Pooling takes inputs with batch, channels and at least one spatial axis. Received: "
            f"inputs.shape={inputs.shape}"
        )
    check_choice("padding", padding, ("valid", "same"))
    if strides is None:
        strides = pool_size
    window = _window(pool_size, inputs.ndim, data_format)
    if padding == "valid" and any(
        isinstance(size, int) and size < width for size, width in zip(inputs.shape, window)
    ):
        raise ShapeError(
            f"Pooling needs an input that a window of size {pool_size} fits into. Received: "
            f"inputs.shape={inputs.shape}. Use a smaller window or padding='same'."
        )
    return window, _window(strides, inputs.ndim, data_format), padding.upper()


@nn_op(inputs=1)
def max_pool(
    inputs: TensorLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
    data_format: DataFormat | None = None,
) -> jax.Array:
    """The maximum of each window.

    Args:
        inputs: (batch, *space, channels), or (batch, channels, *space) for "channels_first".
        pool_size: size of the windows, int or one for each spatial axis.
        strides: from one window to the next, int or one for each spatial axis; `pool_size` by
            default.
        padding: "valid" (whole windows only) or "same" (windows at the edge are cut).
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        (batch, *new space, channels), or (batch, channels, *new space) for "channels_first".
    Raises:
        ValueError: fewer than three axes, an unknown padding, or inputs that no whole window fits
            into.

    >>> max_pool(jnp.arange(6.0).reshape(1, 6, 1), 2)[0, :, 0]
    Array([1., 3., 5.], dtype=float32)
    """
    inputs = jnp.asarray(inputs)
    window, strides, padding = _pool_arguments(inputs, pool_size, strides, padding, data_format)
    return kernels.max_pool(inputs, window, strides, padding)


@nn_op(inputs=1)
def average_pool(
    inputs: TensorLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
    data_format: DataFormat | None = None,
) -> jax.Array:
    """The mean of each window; with "same" padding, of the elements that are really there.

    Args:
        inputs, pool_size, strides, padding, data_format: as for `max_pool`.
    Returns:
        As of `max_pool`.
    Raises:
        ValueError: as for `max_pool`.

    >>> average_pool(jnp.arange(5.0).reshape(1, 5, 1), 2, padding="same")[0, :, 0]
    Array([0.5, 2.5, 4. ], dtype=float32)
    """
    inputs = jnp.asarray(inputs)
    window, strides, padding = _pool_arguments(inputs, pool_size, strides, padding, data_format)
    sums = lax.reduce_window(inputs, 0.0, lax.add, window, strides, padding)
    if padding == "VALID":
        return sums / math.prod(window)
    shape = [1 if size == 1 else n for n, size in zip(inputs.shape, window)]
    ones = jnp.ones(shape, inputs.dtype)
    return sums / lax.reduce_window(ones, 0.0, lax.add, window, strides, padding)


def _adaptive_pool(
    name: str,
    inputs: jax.Array,
    output_size: PerAxis,
    data_format: DataFormat | None,
    reduce_windows: Function,
) -> jax.Array:
    """Reduces one spatial axis after the other to `output_size` windows from floor(i n / k) to
    ceil((i + 1) n / k).
    """
    inputs = jnp.asarray(inputs)
    data_format = standardize_data_format(data_format)
    if inputs.ndim not in (3, 4, 5):
        raise ValueError(
            f"`{name}` takes inputs with 1, 2 or 3 spatial axes. Received: "
            f"inputs.shape={inputs.shape}"
        )
    first_axis = 1 if data_format == "channels_last" else 2
    for axis, count in enumerate(per_axis(output_size, inputs.ndim - 2), first_axis):
        size = inputs.shape[axis]
        check_count(name, "places in its windows", size + 2 * count, LARGEST_TABLE)
        starts = np.arange(count) * size // count
        ends = -(-np.arange(1, count + 1) * size // count)
        positions = starts[:, None] + np.arange((ends - starts).max())  # (count, window)
        shape = [*positions.shape, *[1] * (inputs.ndim - axis - 1)]
        inside = (positions < ends[:, None]).reshape(shape)
        # shorter ones repeat their end
        windows = jnp.take(inputs, np.minimum(positions, ends[:, None] - 1), axis=axis)
        inputs = reduce_windows(windows, axis + 1, inside)
    return inputs


@nn_op(inputs=1)
def adaptive_average_pool(
    inputs: TensorLike, output_size: PerAxis, data_format: DataFormat | None = None
) -> jax.Array:
    """The means of `output_size` windows that cover each spatial axis evenly.

    Args:
        inputs, data_format: as for `max_pool`, with 1, 2 or 3 spatial axes.
        output_size: the number of windows, int or one for each spatial axis.
    Returns:
        (batch, *output_size, channels), or (batch, channels, *output_size) for "channels_first".
    Raises:
        ValueError: another number of axes.

    >>> adaptive_average_pool(jnp.arange(5.0).reshape(1, 5, 1), 2)[0, :, 0]
    Array([1., 3.], dtype=float32)
    """

    def means(x: jax.Array, axis: Axis, inside: np.ndarray) -> jax.Array:
        return jnp.sum(x, axis, where=inside) / inside.sum(1).astype(x.dtype)

    return _adaptive_pool("adaptive_average_pool", inputs, output_size, data_format, means)


@nn_op(inputs=1)
def adaptive_max_pool(
    inputs: TensorLike, output_size: PerAxis, data_format: DataFormat | None = None
) -> jax.Array:
    """The maxima of `output_size` windows that cover each spatial axis evenly.

    Args:
        inputs, output_size, data_format: as for `adaptive_average_pool`.
    Returns:
        As of `adaptive_average_pool`.
    Raises:
        ValueError: another number of axes.

    >>> adaptive_max_pool(jnp.arange(5.0).reshape(1, 5, 1), 2)[0, :, 0]
    Array([2., 4.], dtype=float32)
    """

    # by index: the gradient goes to the first of equal elements, as in `max_pool`
    def maxima(x: jax.Array, axis: Axis, inside: np.ndarray) -> jax.Array:
        indices = jnp.argmax(x, axis, keepdims=True)
        return jnp.take_along_axis(x, indices, axis).squeeze(axis)

    return _adaptive_pool("adaptive_max_pool", inputs, output_size, data_format, maxima)
