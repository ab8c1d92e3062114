"""Filters: Gaussian blur, Sobel edges, and the structural similarity of two images."""

from __future__ import annotations

from typing import Any
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jkeras.core.errors import ShapeError
from jkeras.core.graph.keras_tensor import KerasTensor, is_symbolic
from jkeras.core.graph.op import op
from jkeras.core.names.dtypes import is_float
from jkeras.core.names.registry import public
from jkeras.core.session.settings import standardize_data_format
from jkeras.ops.image_common import axes_of, check_rank, image_op
from jkeras.ops.nn_conv import depthwise_conv
from jkeras.ops.promotion import result_type
from jkeras.core.weights.types import DType, DataFormat, Operand, Padding, PerAxis, TensorLike


def _per_channel(
    images: jax.Array, kernel: jax.Array, padding: Padding, data_format: DataFormat
) -> jax.Array:
    """Every channel of a batch filtered with one two-dimensional kernel."""
    channels = images.shape[axes_of(data_format).channels]
    kernel = jnp.broadcast_to(kernel[:, :, None, None], (*kernel.shape, channels, 1))
    return depthwise_conv(images, kernel.astype(images.dtype), 1, padding, data_format)


def _gaussian(size: int, sigma: float, dtype: DType) -> jax.Array:
    """A Gaussian of `size` points that sums to 1."""
    x = jnp.arange(size, dtype=dtype) - (size - 1) / 2
    weights = jnp.exp(-0.5 * (x / sigma) ** 2)
    return weights / jnp.sum(weights)


def blur(
    images: jax.Array,
    kernel_size: PerAxis,
    sigma: Sequence[float],
    data_format: DataFormat,
    padding: Padding = "same",
) -> jax.Array:
    """A batch of images, filtered with a Gaussian along the width, then along the height."""
    across, down = (_gaussian(n, s, images.dtype) for n, s in zip(kernel_size, sigma))
    images = _per_channel(images, across[None], padding, data_format)
    return _per_channel(images, down[:, None], padding, data_format)


def _as_batch(images: jax.Array) -> jax.Array:
    """One image becomes a batch of one."""
    if images.ndim == 4:
        return images
    return images[None]


@op("keras.src.ops.image", inputs=1, class_name="GaussianBlur")
def _gaussian_blur(
    images: TensorLike,
    kernel_size: PerAxis = (3, 3),
    sigma: float | Sequence[float] | jax.Array = (1.0, 1.0),
    data_format: DataFormat | None = None,
) -> jax.Array:
    images = jnp.asarray(images)
    check_rank(images)
    floats = images.astype(result_type(images.dtype, float))
    floats = blur(_as_batch(floats), kernel_size, sigma, data_format).reshape(images.shape)
    if not is_float(images.dtype):
        floats = jnp.round(floats)
    return floats.astype(images.dtype)


@public("keras.ops.image.gaussian_blur")
def gaussian_blur(
    images: TensorLike,
    kernel_size: PerAxis = (3, 3),
    sigma: float | Sequence[float] | jax.Array = (1.0, 1.0),
    data_format: DataFormat | None = None,
) -> jax.Array:
    """Images smoothed with a Gaussian; zeros lie outside.

    Args:
        images: one image or a batch of them.
        kernel_size: points of the kernel along the width and along the height.
        sigma: standard deviations along the width and along the height.
        data_format: give it. Without it arrays are read as "channels_first", as Keras on JAX does;
            symbolic tensors are read in the default format.
    Returns:
        Images of the same shape and dtype; integers are rounded.
    Raises:
        ValueError: not 3 or 4 axes.

    >>> x = jnp.array([0.0, 8.0, 0.0]).reshape(1, 3, 1)
    >>> gaussian_blur(x, (3, 1), data_format="channels_last").ravel().round().tolist()
    [2.0, 4.0, 2.0]
    """
    if is_symbolic(images) or data_format:
        data_format = standardize_data_format(data_format)
    else:
        data_format = "channels_first"
    return _gaussian_blur(images, kernel_size, sigma, data_format)


@image_op()
def sobel_edges(images: TensorLike, data_format: DataFormat | None = None) -> jax.Array:
    """The derivatives of images along the height and the width, on a new last axis (Sobel's
    kernels).

    Args:
        images: a batch of images.
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        Array of the images' shape and a last axis of size 2: downwards, to the right.
    Raises:
        ValueError: not 4 axes.

    >>> print(sobel_edges(jnp.arange(9.0).reshape(1, 3, 3, 1))[0, 1, 1, 0])
    [24.  8.]
    """
    images = jnp.asarray(images)
    data_format = standardize_data_format(data_format)
    if images.ndim != 4:
        raise ValueError(
            f"`images` must be a batch of images (4 axes). Received: images.shape={images.shape}"
        )
    down = jnp.outer(jnp.array([-1, 0, 1]), jnp.array([1, 2, 1]))
    return jnp.stack(
        [_per_channel(images, kernel, "same", data_format) for kernel in (down, down.T)], -1
    )


def _ssim_spec(image1: Operand, image2: Operand, **config: Any) -> KerasTensor:
    check_rank(image1, "image1")
    check_rank(image2, "image2")
    return KerasTensor(image1.shape[:-3], image1.dtype)


@image_op(inputs=2, class_name="SSIM", spec=_ssim_spec)
def ssim(
    image1: TensorLike,
    image2: TensorLike,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: DataFormat | None = None,
) -> jax.Array:
    """The structural similarity of images, 1 for equal ones: one number for each pair (Wang et al.
    2004, doi:10.1109/TIP.2003.819861).

    Args:
        image1, image2: one image or a batch of them, of one shape.
        max_val: the range of the values: 1, or 255.
        filter_size, filter_sigma: of the Gaussian window in which means and variances are taken.
        k1, k2: small numbers that keep denominators away from 0.
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        Array (batch,), for single images (), in the dtype of `image1`.
    Raises:
        ValueError: not 3 or 4 axes, two different shapes, or images smaller than the window.

    >>> x = jnp.ones((2, 12, 12, 3))
    >>> print(ssim(x, x), ssim(x, 0 * x).round(4))
    [1. 1.] [0.0001 0.0001]
    """
    image1 = jnp.asarray(image1)
    image2 = jnp.asarray(image2)
    data_format = standardize_data_format(data_format)
    check_rank(image1, "image1")
    check_rank(image2, "image2")
    axes = axes_of(data_format)
    if (
        image1.shape != image2.shape
        or min(image1.shape[a] for a in (axes.height, axes.width)) < filter_size
    ):
        raise ShapeError(
            "`image1` and `image2` must have the same shape, at least `filter_size` high and wide. "
            f"Received: image1.shape={image1.shape}, image2.shape={image2.shape}, "
            f"filter_size={filter_size}, data_format={data_format!r}"
        )
    dtype = result_type(image1.dtype, float)
    a, b = (_as_batch(x.astype(dtype)) for x in (image1, image2))

    def local_mean(x: jax.Array) -> jax.Array:
        return blur(x, (filter_size,) * 2, (filter_sigma,) * 2, data_format, "valid")

    c1 = (k1 * max_val) ** 2
    c2 = (k2 * max_val) ** 2
    mean_a = local_mean(a)
    mean_b = local_mean(b)
    variances = local_mean(a * a) - mean_a**2 + local_mean(b * b) - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    similarity = (
        (2 * mean_a * mean_b + c1)
        * (2 * covariance + c2)
        / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))
    )
    return jnp.mean(similarity, (1, 2, 3)).reshape(image1.shape[:-3]).astype(image1.dtype)
