"""Convolutions in the form that is fast where they run; everywhere the numbers of the plain form.

XLA:CPU runs three things slowly: convolutions with one group for each channel; the weight gradient
of a convolution of many images at once (up to five times), and of any convolution inside a loop
(ten times and more). On CPU these are sums over parts of the input, or over a few images at a time,
which also take less memory.
All forms can be differentiated in both modes, any number of times.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from jkeras.ops.kernels import computed_again, is_static, may_loop, on_cpu, transposes_loops
from jkeras.ops.kernels_dot import contract_last
from jkeras.core.weights.types import Function, Padding, PerAxis

# elements of a kernel; for larger ones, where the plain forms catch up, these would compile slowly
MOST_TAPS = 49
IMAGES = 8  # that are convolved at once, where that pays
MOST_PIECES = 16  # of a batch, each of which is compiled
# bytes of all windows of a batch from which on even the forward pass pays in pieces
LARGE = 8 * 2**20
# bytes of the windows of one image from which on images go one by one, in less memory
LARGE_IMAGE = 2**19


# ---------------------------------------------------------------- convolution


def convolve(
    x: jax.Array,
    kernel: jax.Array,
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
    groups: int,
) -> jax.Array:
    """`lax.conv_general_dilated`, with a weight gradient that is fast on CPU.

    Args:
        kernel: (*size, channels / groups, filters).
        strides, dilation: one for each spatial axis.
        padding: "VALID" or "SAME".
        dims: `lax.ConvDimensionNumbers`.
    """
    # sums of pieces would round half precision again and again
    full = x.dtype in (jnp.float32, jnp.float64)
    if (
        on_cpu()
        and groups == 1
        and math.prod(kernel.shape[:-2]) <= MOST_TAPS
        and 0 not in x.shape
        and full
    ):
        if math.prod(kernel.shape[:-2]) == 1:
            return pointwise(x, kernel, strides, dims)
        if is_static(x.shape):
            return _convolve(x, kernel, strides, padding, dilation, dims, may_loop())
    return convolve_plain(x, kernel, strides, padding, dilation, dims, groups)


def convolve_plain(
    x: jax.Array,
    kernel: jax.Array,
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
    groups: int = 1,
) -> jax.Array:
    """`lax.conv_general_dilated` and nothing else."""
    return lax.conv_general_dilated(
        x,
        kernel,
        strides,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=dims,
        feature_group_count=groups,
    )


def pointwise(x: jax.Array, kernel: jax.Array, strides: PerAxis, dims: Any) -> jax.Array:
    """A convolution with a kernel of one element, as a product of matrices: a quarter of the time
    on CPU.
    """
    x = jnp.moveaxis(x, dims.lhs_spec[1], -1)
    x = x[(slice(None), *(slice(None, None, step) for step in strides))]
    return jnp.moveaxis(contract_last(x, kernel.reshape(kernel.shape[-2:])), -1, dims.out_spec[1])


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4, 5, 6))
def _convolve(
    x: jax.Array,
    kernel: jax.Array,
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
    in_loop: bool,
) -> jax.Array:
    pieces = _number_of_pieces(x.shape[0])
    if padding == "VALID" and _bytes_of_windows(x, kernel, strides) >= LARGE:
        return _in_pieces(x, kernel, strides, padding, dilation, dims, pieces)
    return convolve_plain(x, kernel, strides, padding, dilation, dims)


def _convolve_jvp(
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
    in_loop: bool,
    primals: tuple[jax.Array, ...],
    tangents: tuple[jax.Array, ...],
) -> tuple[jax.Array, ...]:
    """The tangent by the kernel is taken of a few images at a time, and so is its transpose, the
    weight gradient.
    """
    x, kernel = primals
    dx, dkernel = tangents
    y = _convolve(x, kernel, strides, padding, dilation, dims, in_loop)
    dy = jnp.zeros_like(y)
    if not isinstance(dx, SymbolicZero):
        dy = convolve_plain(dx, kernel, strides, padding, dilation, dims)
    if not isinstance(dkernel, SymbolicZero) and y.size:
        if in_loop or _bytes_of_windows(x, kernel, strides) >= LARGE_IMAGE * x.shape[0]:
            dy = dy + _image_by_image(x, dkernel, strides, padding, dilation, dims)
        else:
            pieces = _number_of_pieces(x.shape[0])
            dy = dy + _in_pieces(x, dkernel, strides, padding, dilation, dims, pieces)
    return y, dy


_convolve.defjvp(_convolve_jvp, symbolic_zeros=True)


def _number_of_pieces(images: int) -> int:
    return min(MOST_PIECES, -(-images // IMAGES))


def _bytes_of_windows(x: jax.Array, kernel: jax.Array, strides: PerAxis) -> int:
    """About the size of the matrix whose rows are the parts of the input that the kernel meets."""
    return x.size * x.dtype.itemsize * math.prod(kernel.shape[:-2]) // math.prod(strides)


def _in_pieces(
    x: jax.Array,
    kernel: jax.Array,
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
    pieces: int,
) -> jax.Array:
    """The plain form, of one piece of the batch after the other."""
    return jnp.concatenate(
        [
            convolve_plain(piece, kernel, strides, padding, dilation, dims)
            for piece in _cut(x, pieces)
        ]
    )


def _cut(x: jax.Array, pieces: int) -> list[jax.Array]:
    """A batch in so many pieces of about the same size."""
    bounds = [round(i * x.shape[0] / pieces) for i in range(pieces + 1)]
    return [x[low:high] for low, high in zip(bounds, bounds[1:])]


def _image_by_image(
    x: jax.Array,
    kernel: jax.Array,
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
) -> jax.Array:
    """A matmul for each image, of the parts that the kernel meets with the kernel; fast inside
    loops too.
    """
    x = jnp.moveaxis(x, dims.lhs_spec[1], -1)
    size = kernel.shape[:-2]
    # (filters, taps): the gradient of its transpose is a product that XLA:CPU takes longer for
    matrix = kernel.reshape(-1, kernel.shape[-1]).T

    # keeps the image, not a copy for each element of the kernel
    @computed_again
    def one(matrix: jax.Array, image: jax.Array) -> jax.Array:
        taps = _taps(image[None], size, strides, padding, dilation)
        windows = jnp.concatenate([values[0] for _, values in taps], -1)
        return lax.dot_general(windows, matrix, (((windows.ndim - 1,), (1,)), ((), ())))

    y = _map_images(lambda image: one(matrix, image), x)
    return jnp.moveaxis(y, -1, dims.out_spec[1])


def _map_images(function: Function, images: jax.Array) -> jax.Array:
    """A function of an image and a tangent, of one image after the other; of a few at once, which
    takes more memory, where JAX cannot transpose the loop.
    """
    if transposes_loops():
        return lax.map(function, images)
    pieces = _cut(images, _number_of_pieces(images.shape[0]))
    return jnp.concatenate([jax.vmap(function)(piece) for piece in pieces])


def _taps(
    x: jax.Array, size: Sequence[int], strides: PerAxis, padding: Padding, dilation: PerAxis
) -> Iterator[Any]:
    """(index into the kernel, what it meets of x), for x of shape (batch, *space, channels)."""
    extents = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    pads = lax.padtype_to_pads(x.shape[1:-1], extents, strides, padding)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    spans = [(n - k) // s * s + 1 for n, k, s in zip(x.shape[1:-1], extents, strides)]
    for offset in np.ndindex(*size):
        starts = [i * d for i, d in zip(offset, dilation)]
        ends = [start + span for start, span in zip(starts, spans)]
        end = (x.shape[0], *ends, x.shape[-1])
        yield offset, lax.slice(x, (0, *starts, 0), end, (1, *strides, 1))


# ---------------------------------------------------------------- depthwise convolution


def depthwise(
    x: jax.Array,
    kernel: jax.Array,
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
) -> jax.Array:
    """A convolution of each channel on its own.

    Args:
        kernel: (*size, channels, multiplier).
        strides, padding, dilation, dims: as of `convolve`.
    """
    space = [x.shape[axis] for axis in dims.lhs_spec[2:]]
    fits = _fits(space, kernel.shape, padding, dilation)
    floats = jnp.issubdtype(x.dtype, jnp.inexact)  # sums of integers wrap around and are exact
    if (
        on_cpu()
        and floats
        and fits
        and 0 not in x.shape
        and math.prod(kernel.shape[:-2]) <= MOST_TAPS
    ):
        return depthwise_taps(x, kernel, strides, padding, dilation, dims)
    return depthwise_plain(x, kernel, strides, padding, dilation, dims)


def _fits(space: Sequence[int], size: Sequence[int], padding: Padding, dilation: PerAxis) -> bool:
    """Whether a kernel meets the space somewhere, as far as sizes are static."""
    if not is_static(space):
        return False
    extents = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    return padding == "SAME" or all(n >= k for n, k in zip(space, extents))


def depthwise_plain(
    x: jax.Array,
    kernel: jax.Array,
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
) -> jax.Array:
    """`depthwise` by a grouped convolution."""
    merged = kernel.reshape(*kernel.shape[:-2], 1, -1)  # (*size, 1, channels * multiplier)
    return convolve_plain(x, merged, strides, padding, dilation, dims, x.shape[dims.lhs_spec[1]])


def depthwise_taps(
    x: jax.Array,
    kernel: jax.Array,
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
) -> jax.Array:
    """`depthwise` as a sum of products, one for each element of the kernel, added up in at least
    float32.

    The kernel's gradient is taken image by image: over all at once XLA computes anew what is
        before, for each element.
    """
    wide = jnp.promote_types(x.dtype, jnp.float32)
    y = _depthwise(x.astype(wide), kernel.astype(wide), strides, padding, dilation, dims)
    return y.astype(x.dtype)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4, 5))
def _depthwise(
    x: jax.Array,
    kernel: jax.Array,
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
) -> jax.Array:
    return _sum_of_taps(x, kernel, strides, padding, dilation, dims)


def _depthwise_jvp(
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
    primals: tuple[jax.Array, ...],
    tangents: tuple[jax.Array, ...],
) -> tuple[jax.Array, ...]:
    x, kernel = primals
    dx, dkernel = tangents
    y = _depthwise(x, kernel, strides, padding, dilation, dims)
    dy = jnp.zeros_like(y)
    if not isinstance(dx, SymbolicZero):
        dy = _depthwise(dx, kernel, strides, padding, dilation, dims)
    if not isinstance(dkernel, SymbolicZero):

        @computed_again
        def one(kernel: jax.Array, image: jax.Array) -> jax.Array:
            return _sum_of_taps(image[None], kernel, strides, padding, dilation, dims)[0]

        dy = dy + _map_images(lambda image: one(dkernel, image), x)
    return y, dy


_depthwise.defjvp(_depthwise_jvp, symbolic_zeros=True)


def _sum_of_taps(
    x: jax.Array,
    kernel: jax.Array,
    strides: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    dims: Any,
) -> jax.Array:
    x = jnp.moveaxis(x, dims.lhs_spec[1], -1)
    taps = _taps(x, kernel.shape[:-2], strides, padding, dilation)
    if kernel.shape[-1] == 1:
        y = sum(values * kernel[offset][:, 0] for offset, values in taps)
    else:
        # (batch, *space, channels, multiplier)
        y = sum(values[..., None] * kernel[offset] for offset, values in taps)
        y = y.reshape(*y.shape[:-2], -1)
    return jnp.moveaxis(y, -1, dims.out_spec[1])
