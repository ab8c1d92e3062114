"""Color spaces: RGB to gray, RGB to HSV and back."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.names.dtypes import is_float
from jkeras.ops.image_common import axes_of, check_rank, image_op
from jkeras.ops.promotion import result_type
from jkeras.core.weights.types import DataFormat, Operand, TensorLike

LUMINANCE = (0.2989, 0.5870, 0.1140)  # of red, green and blue, as in ITU-R BT.601


def _channel_axis(images: jax.Array, data_format: DataFormat | None, counts: Sequence[int]) -> int:
    """The axis of channels, of which there are as many as one of `counts`, or a number not yet
    known.
    """
    check_rank(images)
    axis = axes_of(data_format).channels
    if images.shape[axis] not in (None, *counts):
        received = f"Received: images.shape={tuple(images.shape)}"
        if counts == (3,):
            raise ValueError(
                f"Input images must have 3 channels, but received images with {images.shape[axis]} "
                f"channels. {received}"
            )
        raise ValueError(f"Invalid channel size: expected 3 (RGB) or 1 (Grayscale). {received}")
    return axis


def _gray_spec(images: Operand, data_format: DataFormat | None = None) -> KerasTensor:
    shape = list(images.shape)
    shape[_channel_axis(images, data_format, (3, 1))] = 1
    return KerasTensor(shape, images.dtype)


@image_op(class_name="RGBToGrayscale", spec=_gray_spec)
def rgb_to_grayscale(images: TensorLike, data_format: DataFormat | None = None) -> jax.Array:
    """The luminance `0.2989 R + 0.587 G + 0.114 B` as the only channel; gray images as they are.

    Args:
        images: one image (height, width, channels) or a batch of them, of 1 or 3 channels.
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        Images of one channel, in the same dtype.
    Raises:
        ValueError: not 3 or 4 axes, or neither 1 nor 3 channels.

    >>> print(rgb_to_grayscale(jnp.array([[[1.0, 0.0, 0.0]]])))
    [[[0.2989]]]
    """
    images = jnp.asarray(images)
    axis = _channel_axis(images, data_format, (3, 1))
    if images.shape[axis] == 1:
        return images
    floats = images.astype(result_type(images.dtype, float))
    gray = jnp.tensordot(floats, jnp.asarray(LUMINANCE, floats.dtype), (axis, 0))
    return jnp.expand_dims(gray, axis).astype(images.dtype)


def _color_axis(images: jax.Array, data_format: DataFormat | None) -> int:
    """The axis of the three channels of float images."""
    if not is_float(images.dtype):
        raise ValueError(
            "Invalid images dtype: expected float dtype. Divide integers by 255 first. Received: "
            f"images.dtype={images.dtype}"
        )
    return _channel_axis(images, data_format, (3,))


def _color_spec(images: Operand, data_format: DataFormat | None = None) -> KerasTensor:
    _color_axis(images, data_format)
    return KerasTensor(images.shape, images.dtype)


def _planes(images: jax.Array, data_format: DataFormat | None) -> tuple[list[jax.Array], int]:
    """(the three channels, the channel axis) of float images."""
    images = jnp.asarray(images)
    axis = _color_axis(images, data_format)
    return [jnp.take(images, i, axis=axis) for i in range(3)], axis


@image_op(class_name="RGBToHSV", spec=_color_spec)
def rgb_to_hsv(images: TensorLike, data_format: DataFormat | None = None) -> jax.Array:
    """Hue in [0, 1), saturation in [0, 1] and value (the largest of R, G and B), for each pixel.

    Args:
        images: one image or a batch of them, floats in [0, 1].
        data_format: as for `rgb_to_grayscale`.
    Returns:
        Images of the same shape and dtype.
    Raises:
        ValueError: not 3 or 4 axes, not 3 channels, or an integer dtype.

    >>> print(rgb_to_hsv(jnp.array([[[0.0, 0.5, 0.0]]])))
    [[[0.33333334 1.         0.5       ]]]
    """
    planes, axis = _planes(images, data_format)
    tiny = jnp.finfo(planes[0].dtype).eps
    r, g, b = (jnp.where(abs(p) < tiny, 0.0, p) for p in planes)
    value = jnp.maximum(jnp.maximum(r, g), b)
    spread = value - jnp.minimum(jnp.minimum(r, g), b)
    unit = 1 / (6 * jnp.where(spread > 0, spread, 1.0))
    hue = jnp.where(
        value == r,
        unit * (g - b),
        jnp.where(value == g, unit * (b - r) + 2 / 6, unit * (r - g) + 4 / 6),
    )
    hue = jnp.where(spread > 0, hue, 0.0) + (hue < 0)
    saturation = jnp.where(value > 0, spread / jnp.where(value > 0, value, 1.0), 0.0)
    return jnp.stack([hue, saturation, value], axis)


@image_op(class_name="HSVToRGB", spec=_color_spec)
def hsv_to_rgb(images: TensorLike, data_format: DataFormat | None = None) -> jax.Array:
    """The inverse of `rgb_to_hsv`; hues that differ by a whole number are the same.

    Args:
        images: one image or a batch of them, floats.
        data_format: as for `rgb_to_grayscale`.
    Returns:
        Images of the same shape and dtype.
    Raises:
        ValueError: not 3 or 4 axes, not 3 channels, or an integer dtype.

    >>> print(hsv_to_rgb(jnp.array([[[0.0, 1.0, 0.5]]])))
    [[[0.5 0.  0. ]]]
    """
    (hue, saturation, value), axis = _planes(images, data_format)
    sector = hue % 1.0 * 6
    shares = (abs(sector - 3) - 1, 2 - abs(sector - 2), 2 - abs(sector - 4))
    return jnp.stack(
        [value * (1 - saturation + saturation * jnp.clip(s, 0, 1)) for s in shares], axis
    )
