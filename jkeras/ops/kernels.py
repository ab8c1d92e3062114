"""Convolution and max pooling in the form that is fast where they run; everywhere the numbers of the plain form.

XLA:CPU runs three things slowly: the gradient of `reduce_window` with a maximum, convolutions with one group for each
channel, and the weight gradient of any convolution inside a loop. On CPU these are written as operations on shifted
parts of the input. All forms can be differentiated in both modes and any number of times.
"""

import contextlib
import contextvars
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

LARGEST_WINDOW = 16  # along one axis; larger windows, where the plain form catches up, would compile slowly
MOST_TAPS = 9  # elements of a kernel whose weight gradient is one matmul for each; beyond, that costs outside loops
MOST_DEPTHWISE_TAPS = 49


_platform = contextvars.ContextVar("platform", default=None)


@contextlib.contextmanager
def traced_for(platform):
    """A `with` block in which functions are traced for another platform than the one at hand: "cpu", "cuda", "tpu".

    >>> with traced_for("tpu"):
    ...     on_cpu()
    False
    """
    token = _platform.set(platform)
    try:
        yield
    finally:
        _platform.reset(token)


def on_cpu():
    """Whether what is traced now will run on CPU."""
    return (_platform.get() or jax.default_backend()) == "cpu"


# ---------------------------------------------------------------- max pooling

def max_pool(x, window, strides, padding):
    """The maximum of windows; the gradient goes to the first maximum of each.

    Args:
        window, strides: one for each axis of x, batch and channels too.
        padding: "VALID" or "SAME".

    >>> max_pool(jnp.arange(6.0).reshape(1, 6, 1), (1, 2, 1), (1, 2, 1), "VALID")[0, :, 0]
    Array([1., 3., 5.], dtype=float32)
    """
    fits = all(size >= w for size, w in zip(x.shape, window)) and x.size
    if on_cpu() and fits and max(window) <= LARGEST_WINDOW and jnp.issubdtype(x.dtype, jnp.floating):
        return max_pool_slices(x, window, strides, padding)
    return max_pool_plain(x, window, strides, padding)


def max_pool_plain(x, window, strides, padding):
    """`max_pool` by `lax.reduce_window`."""
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding)


def max_pool_slices(x, window, strides, padding):
    """`max_pool` along one axis after the other, the last first, so that the first maximum in reading order wins."""
    pads = lax.padtype_to_pads(x.shape, window, strides, padding)
    if any(sum(pad) for pad in pads):
        x = lax.pad(x, jnp.array(-jnp.inf, x.dtype), [(low, high, 0) for low, high in pads])
    for axis in reversed(range(x.ndim)):
        if window[axis] > 1 or strides[axis] > 1:
            x = _max_along(x, axis, window[axis], strides[axis])
    return x


def _slices(x, axis, window, stride):
    """The first elements of all windows along an axis, then the second ones, and so on."""
    span = (x.shape[axis] - window) // stride * stride + 1
    return [lax.slice_in_dim(x, i, i + span, stride, axis) for i in range(window)]


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def _max_along(x, axis, window, stride):
    return functools.reduce(jnp.maximum, _slices(x, axis, window, stride))


@_max_along.defjvp
def _max_along_jvp(axis, window, stride, primals, tangents):
    (x,), (dx,) = primals, tangents
    best, *others = _slices(x, axis, window, stride)
    winner = jnp.zeros(best.shape, jnp.int8)  # a small residual: the place of the first maximum in its window
    for place, part in enumerate(others, 1):
        winner = jnp.where(part > best, jnp.int8(place), winner)
        best = jnp.maximum(best, part)
    moved = [jnp.where(winner == place, part, 0) for place, part in enumerate(_slices(dx, axis, window, stride))]
    return best, functools.reduce(jnp.add, moved)


# ---------------------------------------------------------------- convolution

def convolve(x, kernel, strides, padding, dilation, dims, groups):
    """`lax.conv_general_dilated`, with a weight gradient that stays fast inside loops on CPU.

    Args:
        kernel: (*size, channels / groups, filters).
        strides, dilation: one for each spatial axis.
        padding: "VALID" or "SAME".
        dims: `lax.ConvDimensionNumbers`.
    """
    if on_cpu() and groups == 1 and math.prod(kernel.shape[:-2]) <= MOST_TAPS and x.size:
        return _convolve(x, kernel, strides, padding, dilation, dims)
    return convolve_plain(x, kernel, strides, padding, dilation, dims, groups)


def convolve_plain(x, kernel, strides, padding, dilation, dims, groups=1):
    """`lax.conv_general_dilated` and nothing else."""
    return lax.conv_general_dilated(x, kernel, strides, padding, rhs_dilation=dilation, dimension_numbers=dims,
                                    feature_group_count=groups)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4, 5))
def _convolve(x, kernel, strides, padding, dilation, dims):
    return convolve_plain(x, kernel, strides, padding, dilation, dims)


def _convolve_jvp(strides, padding, dilation, dims, primals, tangents):
    """The tangent by the kernel is a sum of matmuls, and so is its transpose, the weight gradient."""
    (x, kernel), (dx, dkernel) = primals, tangents
    y = convolve_plain(x, kernel, strides, padding, dilation, dims)
    dy = jnp.zeros_like(y)
    if not isinstance(dx, SymbolicZero):
        dy = convolve_plain(dx, kernel, strides, padding, dilation, dims)
    if not isinstance(dkernel, SymbolicZero) and y.size:
        by_taps = functools.partial(_matmuls_of_taps, strides=strides, padding=padding, dilation=dilation, dims=dims)
        dy = dy + jax.checkpoint(by_taps, prevent_cse=False)(x, dkernel)  # keeps x, not a slice of it for each tap
    return y, dy


_convolve.defjvp(_convolve_jvp, symbolic_zeros=True)


def _taps(x, size, strides, padding, dilation):
    """(place in the kernel, what it meets of x), for x of shape (batch, *space, channels)."""
    whole = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    pads = lax.padtype_to_pads(x.shape[1:-1], whole, strides, padding)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    spans = [(n - k) // s * s + 1 for n, k, s in zip(x.shape[1:-1], whole, strides)]
    for place in np.ndindex(*size):
        starts = [i * d for i, d in zip(place, dilation)]
        ends = [start + span for start, span in zip(starts, spans)]
        yield place, lax.slice(x, (0, *starts, 0), (x.shape[0], *ends, x.shape[-1]), (1, *strides, 1))


def _matmuls_of_taps(x, kernel, strides, padding, dilation, dims):
    x = jnp.moveaxis(x, dims.lhs_spec[1], -1)
    y = sum(part @ kernel[place] for place, part in _taps(x, kernel.shape[:-2], strides, padding, dilation))
    return jnp.moveaxis(y, -1, dims.out_spec[1])


# ---------------------------------------------------------------- depthwise convolution

def depthwise(x, kernel, strides, padding, dilation, dims):
    """A convolution of each channel on its own.

    Args:
        kernel: (*size, channels, multiplier).
        strides, padding, dilation, dims: as of `convolve`.
    """
    whole = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation)]
    fits = padding == "SAME" or all(x.shape[axis] >= k for axis, k in zip(dims.lhs_spec[2:], whole))
    floats = jnp.issubdtype(x.dtype, jnp.inexact)  # sums of integers wrap around and are exact
    if on_cpu() and floats and fits and x.size and math.prod(kernel.shape[:-2]) <= MOST_DEPTHWISE_TAPS:
        return depthwise_taps(x, kernel, strides, padding, dilation, dims)
    return depthwise_plain(x, kernel, strides, padding, dilation, dims)


def depthwise_plain(x, kernel, strides, padding, dilation, dims):
    """`depthwise` by a grouped convolution."""
    merged = kernel.reshape(*kernel.shape[:-2], 1, -1)  # (*size, 1, channels * multiplier)
    return convolve_plain(x, merged, strides, padding, dilation, dims, x.shape[dims.lhs_spec[1]])


def depthwise_taps(x, kernel, strides, padding, dilation, dims):
    """`depthwise` as a sum of products, one for each element of the kernel, added up in at least float32."""
    dtype, wide = x.dtype, jnp.promote_types(x.dtype, jnp.float32)
    x, kernel = jnp.moveaxis(x, dims.lhs_spec[1], -1).astype(wide), kernel.astype(wide)
    taps = _taps(x, kernel.shape[:-2], strides, padding, dilation)
    if kernel.shape[-1] == 1:
        y = sum(part * kernel[place][:, 0] for place, part in taps)
    else:
        y = sum(part[..., None] * kernel[place] for place, part in taps)  # (batch, *space, channels, multiplier)
        y = y.reshape(*y.shape[:-2], -1)
    return jnp.moveaxis(y.astype(dtype), -1, dims.out_spec[1])
