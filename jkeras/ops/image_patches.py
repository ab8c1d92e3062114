"""Images put together again from their patches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jkeras.core.errors import ShapeError
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.session.settings import standardize_data_format
from jkeras.ops.image_common import image_op, patch_size
from jkeras.ops.nn_conv import per_axis
from jkeras.core.weights.types import DataFormat, Padding, PerAxis, TensorLike

AXES = ("depth", "height", "width")


def _images_spec(
    patches: KerasTensor,
    size: PerAxis,
    output_size: PerAxis | None = None,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
    data_format: DataFormat | None = None,
) -> KerasTensor:
    """What `reconstruct_patches` gives; it may not be known how many patches there are."""
    size = _checked_size(size, strides, padding)
    _check_rank(patches.shape, size)
    is_last = standardize_data_format(data_format) == "channels_last"
    batch = tuple(patches.shape[: -len(size) - 1])
    shape = tuple(patches.shape[len(batch) :])
    if not is_last:
        shape = (*shape[1:], shape[0])
    *grid, channels = shape
    if channels is not None:
        channels = _channels(channels, size)
    space = _cut(grid, size, output_size, padding)[1]
    shape = (*batch, *space, channels)
    if not is_last:
        shape = (*batch, channels, *space)
    return KerasTensor(shape, dtype=patches.dtype)


@image_op(spec=_images_spec)
def reconstruct_patches(
    patches: TensorLike,
    size: PerAxis,
    output_size: PerAxis | None = None,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
    data_format: DataFormat | None = None,
) -> jax.Array:
    """The images of which `extract_patches` made patches that do not overlap.

    Args:
        patches: (batch, down, across, height * width * channels), or one image's; for volumes with
            one more axis. The values of a patch lie on the channel axis.
        size: int, (height, width), or (depth, height, width) for volumes.
        output_size: sizes of the images. "valid" does not need it; "same" does, since it says how
            much padding goes.
        strides: `size`, or None for it.
        padding: "valid" or "same", as the patches were made.
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        (batch, height, width, channels), of one image and of volumes likewise.
    Raises:
        TypeError: `size` or `output_size` is no tuple.
        ValueError: the sizes do not fit each other.
        NotImplementedError: patches that overlap.

    >>> patches = jnp.arange(8.0).reshape(1, 1, 2, 4)
    >>> print(reconstruct_patches(patches, 2)[0, :, :, 0])
    [[0. 1. 4. 5.]
     [2. 3. 6. 7.]]
    """
    size = _checked_size(size, strides, padding)
    patches = jnp.asarray(patches)
    is_last = standardize_data_format(data_format) == "channels_last"
    _check_rank(patches.shape, size)
    if len(patches.shape) == len(size) + 1:
        whole = reconstruct_patches(patches[None], size, output_size, None, padding, data_format)
        return whole[0]
    if not is_last:
        patches = jnp.moveaxis(patches, 1, -1)
    begin, output_size = _cut(patches.shape[1:-1], size, output_size, padding)
    images = _tiled(patches, size)
    window = [slice(None)]
    window += [slice(start, start + length) for start, length in zip(begin, output_size)]
    images = images[tuple(window)]
    if not is_last:
        images = jnp.moveaxis(images, -1, 1)
    return images


def _checked_size(size: PerAxis, strides: PerAxis | None, padding: Padding) -> tuple[int, ...]:
    """The size of a patch as a tuple, beside strides and a padding that patches may have.

    Raises:
        NotImplementedError: patches that overlap.
    """
    size = patch_size(size)
    if padding not in ("same", "valid"):
        raise ValueError(f"`padding` must be 'same' or 'valid'. Received: padding={padding!r}")
    if strides is not None and per_axis(strides, len(size)) != size:
        raise NotImplementedError(
            "`reconstruct_patches` needs non-overlapping patches, strides that are the size: those "
            "that overlap say different things of a pixel. Received: "
            f"strides={strides}, size={size}"
        )
    return size


def _check_rank(shape: tuple[int | None, ...], size: tuple[int, ...]) -> None:
    """Raises where patches of a shape are neither of one image nor of a batch."""
    count = len(size)
    if len(shape) not in (count + 1, count + 2):
        raise ShapeError(
            f"`patches` has an unexpected rank. Expected {count + 1} axes for the size {size}, for "
            f"a batch of images {count + 2}. Received: patches.shape={tuple(shape)}"
        )


def _channels(values: int, size: Sequence[int]) -> int:
    """How many channels patches of so many values have."""
    volume = math.prod(size)
    if values % volume:
        raise ValueError(
            f"The last dim of `patches` ({values}) is not divisible by prod(size) ({volume})."
        )
    return values // volume


def _tiled(patches: jax.Array, size: Sequence[int]) -> jax.Array:
    """Patches beside each other: (batch, *grid, values) -> (batch, *space, channels)."""
    count = len(size)
    batch, *grid, values = patches.shape
    channels = _channels(values, size)
    x = patches.reshape(batch, *grid, *size, channels)
    pairs = [axis for i in range(count) for axis in (1 + i, 1 + count + i)]
    x = jnp.transpose(x, (0, *pairs, 1 + 2 * count))  # (batch, down, height, across, width, …)
    space = [tiles * length for tiles, length in zip(grid, size)]
    return x.reshape(batch, *space, channels)


def _cut(
    grid: tuple[int | None, ...],
    size: Sequence[int],
    output_size: Sequence[int] | None,
    padding: Padding,
) -> tuple[Sequence[int | None], Sequence[int | None]]:
    """(where the images begin, their size) in what the patches make together; None: not known.

    Raises:
        ValueError: patches of this size and count do not come from images of `output_size`.
    """
    whole = [None if tiles is None else tiles * length for tiles, length in zip(grid, size)]
    if output_size is None:
        if padding == "same":
            raise ValueError(
                "`output_size=None` works with padding='valid' only: how much padding "
                "padding='same' added is not seen in patches. Pass `output_size`."
            )
        return [0] * len(size), whole
    if not isinstance(output_size, (tuple, list)):
        raise TypeError(
            "Invalid `output_size` argument. Expected a tuple or list. Received: "
            f"output_size={output_size} of type {type(output_size).__name__}"
        )
    if len(output_size) != len(size):
        raise ValueError(
            f"Invalid `output_size` argument. Expected a tuple of length {len(size)}, as `size` "
            f"has. Received: output_size={tuple(output_size)}, size={tuple(size)}"
        )
    parts = zip(AXES[-len(size) :], whole, size, output_size)
    return [_begin(*part, padding=padding) for part in parts], output_size


def _begin(axis: str, whole: int | None, length: int, wanted: int, padding: Padding) -> int | None:
    """Where an image begins along an axis of what its patches make together."""
    if whole is None:
        return None
    least = whole
    if padding == "same":
        least -= length - 1
    if not least <= wanted <= whole:
        raise ValueError(
            f"With padding={padding!r} the {axis} of `output_size` must be from {least} to "
            f"{whole}, which is size * grid: {length} * {whole // length}. Received: {wanted}"
        )
    return (whole - wanted) // 2
