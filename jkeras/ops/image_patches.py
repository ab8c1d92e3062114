"""Images put together again from their patches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import ShapeError, check_choice
from jkeras.core.session.settings import standardize_data_format
from jkeras.ops.image_common import image_op
from jkeras.ops.nn_conv import per_axis
from jkeras.core.weights.types import DataFormat, Padding, PerAxis, TensorLike


@image_op()
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

    Raises:
        TypeError: `size` or `output_size` is no tuple.
        ValueError: the sizes do not fit each other.
        NotImplementedError: patches that overlap.

    >>> patches = jnp.arange(24.0).reshape(1, 2, 3, 4)
    >>> reconstruct_patches(patches, 2).shape
    (1, 4, 6, 1)
    """
    size = _as_size(size)
    check_choice("padding", padding, ("same", "valid"))
    if strides is not None and per_axis(strides, len(size)) != size:
        raise NotImplementedError(
            "`reconstruct_patches` needs strides that are the size: patches that overlap say "
            f"different things of a pixel. Received: strides={strides}, size={size}"
        )
    patches = jnp.asarray(patches)
    is_last = standardize_data_format(data_format) == "channels_last"
    count = len(size)
    if patches.ndim == count + 1:
        whole = reconstruct_patches(patches[None], size, output_size, None, padding, data_format)
        return whole[0]
    if patches.ndim != count + 2:
        raise ShapeError(
            f"`patches` of the size {size} must have {count + 1} axes, for a batch of images "
            f"{count + 2}. Received: patches.shape={patches.shape}"
        )
    if not is_last:
        patches = jnp.moveaxis(patches, 1, -1)
    grid = patches.shape[1:-1]
    begin, output_size = _cut(grid, size, output_size, padding)
    images = _tiled(patches, size)
    window = [slice(None)]
    window += [slice(start, start + length) for start, length in zip(begin, output_size)]
    images = images[tuple(window)]
    if not is_last:
        images = jnp.moveaxis(images, -1, 1)
    return images


def _as_size(size: PerAxis) -> tuple[int, ...]:
    """The size of a patch as a tuple."""
    if isinstance(size, int):
        return (size, size)
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"Invalid `size` argument. Expected an int or a tuple. Received: size={size} of type "
            f"{type(size).__name__}"
        )
    if len(size) not in (2, 3):
        raise ValueError(
            f"Invalid `size` argument. Expected a tuple of length 2 or 3. Received: size={size} "
            f"with length {len(size)}"
        )
    return tuple(size)


def _tiled(patches: jax.Array, size: Sequence[int]) -> jax.Array:
    """Patches beside each other: (batch, *grid, values) -> (batch, *space, channels)."""
    count, volume = len(size), math.prod(size)
    batch, *grid, values = patches.shape
    if values % volume:
        raise ValueError(
            f"The last dim of `patches` ({values}) is not divisible by prod(size) ({volume})."
        )
    x = patches.reshape(batch, *grid, *size, values // volume)
    pairs = [axis for i in range(count) for axis in (1 + i, 1 + count + i)]
    x = jnp.transpose(x, (0, *pairs, 1 + 2 * count))  # (batch, down, height, across, width, …)
    space = [tiles * length for tiles, length in zip(grid, size)]
    return x.reshape(batch, *space, values // volume)


def _cut(
    grid: tuple[int, ...], size: Sequence[int], output_size: Sequence[int] | None, padding: Padding
) -> tuple[Any, ...] | None:
    """(where the images begin, their size) in what the patches make together.

    Raises:
        ValueError: patches of this size and count do not come from images of `output_size`.
    """
    whole = tuple(tiles * length for tiles, length in zip(grid, size))
    if output_size is None:
        if padding == "same":
            raise ValueError(
                "`output_size=None` works with padding='valid' only: how much padding "
                "padding='same' added is not seen in patches. Pass `output_size`."
            )
        return (0,) * len(size), whole
    if not isinstance(output_size, (tuple, list)):
        raise TypeError(
            "Invalid `output_size` argument. Expected a tuple or list. Received: "
            f"output_size={output_size} of type {type(output_size).__name__}"
        )
    added = [most - cut for most, cut in zip(whole, output_size)]
    most_added = [0] * len(size)
    if padding == "same":
        most_added = [length - 1 for length in size]
    fits = all(0 <= extra <= most for extra, most in zip(added, most_added))
    if len(output_size) != len(size) or not fits:
        raise ValueError(
            f"padding={padding!r} and `size` do not fit `output_size`: {grid} patches of {size} "
            f"make {whole}. Received: output_size={tuple(output_size)}"
        )
    return [extra // 2 for extra in added], output_size
