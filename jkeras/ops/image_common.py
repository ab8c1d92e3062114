"""What the ops of images share: their names in files, ranks, axes."""

from __future__ import annotations

from collections.abc import Callable

import typing

from jkeras.core.graph.op import op
from jkeras.core.session.settings import standardize_data_format
from jkeras.core.names.registry import Thing
from jkeras.core.weights.types import DataFormat, Function, Operand, PerAxis


class Axes(typing.NamedTuple):
    """The axes of images, counted from the end, so that they hold for one image and for a batch."""

    height: int
    width: int
    channels: int


def axes_of(data_format: DataFormat | None) -> Axes:
    """The axes for a data format; None: the default one.

    >>> axes_of("channels_last")
    Axes(height=-3, width=-2, channels=-1)
    """
    if standardize_data_format(data_format) == "channels_last":
        return Axes(height=-3, width=-2, channels=-1)
    return Axes(height=-2, width=-1, channels=-3)


def check_rank(images: Operand, name: str = "images") -> None:
    """Raises ValueError unless `images` is one image or a batch of them."""
    if len(images.shape) not in (3, 4):
        raise ValueError(
            f"Invalid {name} rank: expected rank 3 (single image) or rank 4 (batch of images). "
            "Received input with shape: "
            f"{name}.shape={tuple(images.shape)}"
        )


def patch_size(size: PerAxis) -> tuple[int, ...]:
    """The size of a patch as a tuple: (height, width), or (depth, height, width) of volumes.

    >>> patch_size(3)
    (3, 3)
    """
    if isinstance(size, int):
        return (size, size)
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            "`size`. Expected an int or a tuple, the same for both sides or one for each. "
            f"Received: {size} of type {type(size).__name__}"
        )
    if len(size) not in (2, 3):
        raise ValueError(
            "`size`. Expected a tuple of length 2 or 3, as the images have axes. Received: "
            f"{size} with length {len(size)}"
        )
    return tuple(size)


def image_op(
    inputs: int = 1, class_name: str | None = None, spec: Function | None = None
) -> Callable[[Thing], Thing]:
    """The decorator of an op `keras.ops.image.NAME`; arguments as those of `core.graph.op.op`."""

    def decorate(function: Thing) -> Thing:
        return op(
            "keras.src.ops.image",
            f"keras.ops.image.{function.__name__}",
            inputs=inputs,
            class_name=class_name,
            spec=spec,
        )(function)

    return decorate
