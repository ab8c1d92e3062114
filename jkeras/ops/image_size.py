"""Other sizes: resizing, cropping, padding, and cutting into patches."""

from __future__ import annotations

import math
from typing import Any, Literal
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.core.errors import ShapeError, check_choice
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.names.dtypes import is_float
from jkeras.core.session.settings import standardize_data_format
from jkeras.ops.core import saturate_cast
from jkeras.ops.image_common import Axes, axes_of, check_rank, image_op, patch_size
from jkeras.ops.nn_conv import channel_axis, dimension_numbers, padding_type, per_axis
from jkeras.core.weights.types import (
    DataFormat,
    FillMode,
    Function,
    Interpolation,
    Operand,
    Padding,
    PerAxis,
    Shape,
    TensorLike,
)

INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")
SCALINGS = (
    "linear",
    "bilinear",
    "trilinear",
    "cubic",
    "bicubic",
    "tricubic",
    "lanczos3",
    "lanczos5",
)


def aspect_window(
    height: int, width: int, target_height: int, target_width: int
) -> tuple[int, ...]:
    """(top, left, height, width) of the largest centered window with the aspect ratio of the
    target.

    >>> aspect_window(6, 4, 1, 1)
    (1, 0, 4, 4)
    """
    window_height = max(min(height, int(width * target_height / target_width)), 1)
    window_width = max(min(width, int(height * target_width / target_height)), 1)
    top = (height - window_height) // 2
    left = (width - window_width) // 2
    return top, left, window_height, window_width


def take_window(
    images: jax.Array, top: int, left: int, height: int, width: int, axes: Axes
) -> jax.Array:
    """The pixels from (top, left) on, at most `height` times `width` of them."""
    for axis, start, size in ((axes.height, top, height), (axes.width, left, width)):
        axis %= images.ndim
        end = min(start + size, images.shape[axis])
        images = lax.slice_in_dim(images, start, end, axis=axis)
    return images


def _pad_to_aspect(
    images: jax.Array, target_height: int, target_width: int, fill_value: float, axes: Axes
) -> jax.Array:
    """Images with a border on two sides, so that they have the aspect ratio of the target."""
    height = images.shape[axes.height]
    width = images.shape[axes.width]
    margins = [(0, 0)] * images.ndim
    for axis, size, target in (
        (axes.height, height, int(width * target_height / target_width)),
        (axes.width, width, int(height * target_width / target_height)),
    ):
        margins[axis] = (max(target - size, 0) // 2,) * 2
    images = images.astype(jnp.result_type(images.dtype, fill_value))
    return jnp.pad(images, margins, constant_values=fill_value)


@image_op()
def resize(
    images: TensorLike,
    size: PerAxis,
    interpolation: Interpolation = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: FillMode = "constant",
    fill_value: float = 0.0,
    data_format: DataFormat | None = None,
) -> jax.Array:
    """Images of another size, in the same dtype; integers are rounded and clipped to their range.

    Args:
        images: one image or a batch of them.
        size: (height, width).
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: whether to blur before making images smaller.
        crop_to_aspect_ratio, pad_to_aspect_ratio: whether to crop, or pad, instead of distorting.
        fill_mode: "constant".
        fill_value: what the border of `pad_to_aspect_ratio` is filled with.
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        Images of the new size.
    Raises:
        ValueError: not 3 or 4 axes, a size that is not two positive integers, an unknown
            interpolation or fill mode, or both ways to keep the aspect.

    >>> print(resize(jnp.arange(4.0).reshape(2, 2, 1), (2, 4))[:, :, 0])
    [[0.   0.25 0.75 1.  ]
     [2.   2.25 2.75 3.  ]]
    """
    images = jnp.asarray(images)
    axes = axes_of(data_format)
    check_rank(images)
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    check_choice("fill_mode", fill_mode, ("constant",))
    if len(size) != 2 or min(size) <= 0:
        raise ValueError(
            f"`size` must have positive height and width, and nothing else. Received: size={size}"
        )
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ValueError(
            "Only one of `pad_to_aspect_ratio` and `crop_to_aspect_ratio` can be True."
        )
    source = images
    if crop_to_aspect_ratio:
        window = aspect_window(images.shape[axes.height], images.shape[axes.width], *size)
        source = take_window(images, *window, axes)
    elif pad_to_aspect_ratio:
        source = _pad_to_aspect(images, *size, fill_value, axes)
    shape = list(images.shape)
    shape[axes.height], shape[axes.width] = size
    resized = jax.image.resize(source, shape, interpolation, antialias=antialias)
    if resized.dtype == images.dtype:
        return resized
    if not is_float(images.dtype):
        resized = jnp.round(resized)
    return saturate_cast(resized, images.dtype)


@image_op(
    inputs=4,
    spec=lambda images, output_shape, *args, **kwargs: KerasTensor(output_shape, images.dtype),
)
def scale_and_translate(
    images: TensorLike,
    output_shape: Shape,
    scale: TensorLike,
    translation: TensorLike,
    spatial_dims: Sequence[int],
    method: Literal["linear", "cubic", "lanczos3", "lanczos5"],
    antialias: bool = True,
) -> jax.Array:
    """Images scaled, then shifted, on the axes `spatial_dims`; what comes from outside is 0.

    Args:
        images: array of any axes.
        output_shape: the whole shape of the result.
        scale, translation: one number for each of the axes `spatial_dims`.
        spatial_dims: the axes that are scaled.
        method: "linear", "cubic", "lanczos3" or "lanczos5".
        antialias: whether to blur before making images smaller.
    Returns:
        Array of `output_shape`.
    Raises:
        ValueError: another method.

    >>> x = jnp.arange(4.0)[None]
    >>> scale_and_translate(x, (1, 4), jnp.ones(1), jnp.ones(1), (1,), "linear")
    Array([[0., 0., 1., 2.]], dtype=float32)
    """
    check_choice("method", method, SCALINGS)
    return jax.image.scale_and_translate(
        jnp.asarray(images),
        output_shape,
        spatial_dims,
        jnp.asarray(scale),
        jnp.asarray(translation),
        method,
        antialias,
    )


# ---------------------------------------------------------------- cropping and padding


def _edges(
    verb: str,
    sides: tuple[str, ...],
    size: int | None,
    before: int | None,
    after: int | None,
    target: int | None,
) -> tuple[int, int]:
    """(before, after, size of the result) from two of `before`, `after` and `target`.

    Args:
        verb: "padding" or "cropping".
        sides: names of the three arguments, for messages.
        size: the size of the images; None where it is unknown.
    """
    arguments = zip(sides, (before, after, target))
    received = ", ".join(f"{name}={value}" for name, value in arguments)
    if (before, after, target).count(None) != 1:
        raise ValueError(f"Must specify exactly two of {', '.join(sides)}. Received: {received}")
    sign = 1 if verb == "padding" else -1
    _check_not_negative(sides, (before, after, target), received)
    if size is None:
        if sign < 0 and target is None:
            raise ValueError(
                f"When the {sides[2].removeprefix('target_')} of the images is unknown, "
                f"`{sides[2]}` must be given. Received: {received}"
            )
    elif target is None:
        target = size + sign * (before + after)
    elif before is None:
        before = sign * (target - size) - after
    else:
        after = sign * (target - size) - before
    _check_not_negative(sides, (before, after, target), f"{received} for images of size {size}")
    return before, after, target


def _check_not_negative(
    sides: tuple[str, str, str], values: tuple[int | None, ...], received: str
) -> None:
    """Raises ShapeError for the first size below 0."""
    for name, value in zip(sides, values):
        if value is not None and value < 0:
            raise ShapeError(f"{name}={value}: {name} must be >= 0. Received: {received}")


def _frame(
    verb: str,
    images: jax.Array,
    borders: tuple[int | None, ...],
    target: tuple[int | None, int | None],
    data_format: DataFormat | None,
) -> tuple[Any, ...]:
    """((before, after, size of the result) of the height, of the width, axes).

    Args:
        borders: top, left, bottom, right.
        target: height, width.
    """
    check_rank(images)
    (top, left, bottom, right), (target_height, target_width) = borders, target
    axes = axes_of(data_format)
    sides = (f"top_{verb}", f"bottom_{verb}", "target_height")
    vertical = _edges(verb, sides, images.shape[axes.height], top, bottom, target_height)
    sides = (f"left_{verb}", f"right_{verb}", "target_width")
    horizontal = _edges(verb, sides, images.shape[axes.width], left, right, target_width)
    return vertical, horizontal, axes


def _framed_spec(verb: str) -> Function:
    """The shape of padded or cropped images; sizes may be unknown, which tracing cannot do."""

    def spec(
        images: Operand,
        target_height: int | None = None,
        target_width: int | None = None,
        data_format: DataFormat | None = None,
        **borders: Any,
    ) -> KerasTensor:
        sides = tuple(borders.get(f"{side}_{verb}") for side in ("top", "left", "bottom", "right"))
        target = target_height, target_width
        vertical, horizontal, axes = _frame(verb, images, sides, target, data_format)
        shape = list(images.shape)
        shape[axes.height] = vertical[2]
        shape[axes.width] = horizontal[2]
        return KerasTensor(shape, images.dtype)

    return spec


@image_op(spec=_framed_spec("padding"))
def pad_images(
    images: TensorLike,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: DataFormat | None = None,
) -> jax.Array:
    """Images with a border of zeros. For each axis two of the two borders and the new size are
    given.

    Args:
        images: one image or a batch of them.
        top_padding, left_padding, bottom_padding, right_padding: rows or columns that are added.
        target_height, target_width: the new size.
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        Images of the new size.
    Raises:
        ValueError: not exactly two of them, or a negative one; not 3 or 4 axes.

    >>> print(pad_images(jnp.ones((1, 1, 1)), 1, 0, bottom_padding=0, target_width=3)[:, :, 0])
    [[0. 0. 0.]
     [1. 0. 0.]]
    """
    images = jnp.asarray(images)
    vertical, horizontal, axes = _frame(
        "padding",
        images,
        (top_padding, left_padding, bottom_padding, right_padding),
        (target_height, target_width),
        data_format,
    )
    margins = [(0, 0)] * images.ndim
    margins[axes.height] = vertical[:2]
    margins[axes.width] = horizontal[:2]
    return jnp.pad(images, margins)


@image_op(spec=_framed_spec("cropping"))
def crop_images(
    images: TensorLike,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: DataFormat | None = None,
) -> jax.Array:
    """Images without their border. For each axis two of the two borders and the new size are given.

    Args:
        images: one image or a batch of them.
        top_cropping, left_cropping, bottom_cropping, right_cropping: rows or columns that go.
        target_height, target_width: the new size.
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        Images of the new size.
    Raises:
        ValueError: not exactly two of them, or a negative one; not 3 or 4 axes.

    >>> x = jnp.arange(6.0).reshape(2, 3, 1)
    >>> print(crop_images(x, 0, 1, target_height=1, target_width=2)[:, :, 0])
    [[1. 2.]]
    """
    images = jnp.asarray(images)
    (top, _, height), (left, _, width), axes = _frame(
        "cropping",
        images,
        (top_cropping, left_cropping, bottom_cropping, right_cropping),
        (target_height, target_width),
        data_format,
    )
    return take_window(images, top, left, height, width, axes)


# ---------------------------------------------------------------- patches


@image_op()
def extract_patches(
    images: TensorLike,
    size: PerAxis,
    strides: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
    padding: Padding = "valid",
    data_format: DataFormat | None = None,
) -> jax.Array:
    """Windows of images as vectors: (batch, rows, columns, channels) -> (batch, down, across,
    window * channels).

    Args:
        images: a batch of images or one; of volumes for a `size` of three.
        size: int, (height, width), or (depth, height, width) for volumes.
        strides: steps between windows, by default `size`: they do not overlap.
        dilation_rate: how far apart the pixels of a window lie, int or one for each spatial axis.
        padding: "valid" (whole windows only) or "same" (zeros around the images).
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        (batch, down, across, height * width * channels), of one image without the batch; for
        "channels_first" the values of a window come second.
    Raises:
        TypeError: `size` is no int and no tuple.
        ValueError: `size` has not 2 or 3 entries, the images are smaller or have other axes, or an
            unknown `padding`.

    >>> print(extract_patches(jnp.arange(8.0).reshape(1, 2, 4, 1), 2))
    [[[[0. 1. 4. 5.]
       [2. 3. 6. 7.]]]]
    """
    size = patch_size(size)
    count = len(size)
    images = jnp.asarray(images)
    data_format = standardize_data_format(data_format)
    if images.ndim == count + 1:
        return extract_patches(images[None], size, strides, dilation_rate, padding, data_format)[0]
    if images.ndim != count + 2:
        raise ShapeError(
            f"Images for patches of the size {size} must have {count + 1} axes, a batch of them "
            f"{count + 2}. Received: images.shape={images.shape}"
        )
    axis = channel_axis(data_format)
    patches = lax.conv_general_dilated_patches(
        images,
        size,
        per_axis(strides or size, count),
        padding_type(padding),
        rhs_dilation=per_axis(dilation_rate, count),
        dimension_numbers=dimension_numbers(count + 2, data_format),
        precision=lax.Precision.HIGHEST,
    )
    patches = jnp.moveaxis(patches, axis, -1)  # (batch, *space, channels * window)
    if images.size and not patches.size:
        raise ShapeError(
            f"The images are smaller than the patches. Received: images.shape={images.shape}, "
            f"size={size}, dilation_rate={dilation_rate}, data_format={data_format!r}"
        )
    space = patches.shape[:-1]
    patches = patches.reshape(*space, images.shape[axis], math.prod(size))
    patches = jnp.swapaxes(patches, -1, -2)
    patches = patches.reshape(*space, math.prod(patches.shape[-2:]))
    return jnp.moveaxis(patches, -1, axis)


def extract_patches_3d(
    volumes: TensorLike,
    size: PerAxis,
    strides: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
    padding: Padding = "valid",
    data_format: DataFormat | None = None,
) -> jax.Array:
    """Windows of volumes as vectors; see `extract_patches`.

    Args:
        volumes: a batch of volumes (batch, depth, height, width, channels), or one.
        size: int, or (depth, height, width).
        strides, dilation_rate, padding, data_format: as for `extract_patches`.
    Returns:
        (batch, *windows, depth * height * width * channels).
    Raises:
        ValueError: as for `extract_patches`.

    >>> extract_patches_3d(jnp.ones((2, 4, 8, 6, 3)), 2).shape
    (2, 2, 4, 3, 24)
    """
    return extract_patches(volumes, per_axis(size, 3), strides, dilation_rate, padding, data_format)
