"""Xception: convolutions that look at each channel for itself, then at each pixel for itself."""

from typing import TYPE_CHECKING

from jkeras import layers
from jkeras.applications.building import FILES, Arguments, architecture, begin, channel_axis, end
from jkeras.applications.imagenet_utils import decode_predictions, expecting

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

__all__ = ["Xception", "decode_predictions", "preprocess_input"]

# of the blocks from the second on
WIDTHS = ((128, 128), (256, 256), (728, 728), *[(728, 728, 728)] * 8, (728, 1024))

preprocess_input = expecting("tf", "xception")


@architecture("xception", "xception")
def Xception(arguments: Arguments) -> "Functional":
    """Xception: https://arxiv.org/abs/1610.02357. Images of 299 by 299, `preprocess_input` "tf".

    >>> Xception(weights=None, include_top=False, input_shape=(71, 71, 3)).count_params()
    20861480
    """
    x = images = begin(arguments, 299, 71)
    for i, (width, strides) in enumerate([(32, 2), (64, 1)], 1):
        x = layers.Conv2D(width, 3, strides=strides, use_bias=False, name=f"block1_conv{i}")(x)
        x = _active(_normalized(x, f"block1_conv{i}_bn"), f"block1_conv{i}")
    for number, widths in enumerate(WIDTHS, 2):
        x = _block(x, widths, number)
    for i, width in enumerate([1536, 2048], 1):
        x = _active(_separable(x, width, f"block14_sepconv{i}"), f"block14_sepconv{i}")
    return end(
        arguments, images, x, pools=(None, None), files=[each.format("xception") for each in FILES]
    )


def _block(x: "KerasTensor", widths: tuple[int, ...], number: int) -> "KerasTensor":
    """Separable convolutions, and the input added; with two of them, both at half the size."""
    shortcut = x
    halves = len(widths) == 2
    if halves:
        shortcut = layers.Conv2D(widths[-1], 1, strides=2, padding="same", use_bias=False)(x)
        shortcut = _normalized(shortcut)
    for i, width in enumerate(widths, 1):
        name = f"block{number}_sepconv{i}"
        if (number, i) != (2, 1):  # there relu has just been
            x = _active(x, name)
        x = _separable(x, width, name)
    if halves:
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"block{number}_pool")(x)
    return layers.Add()([x, shortcut])


def _separable(x: "KerasTensor", width: int, name: str) -> "KerasTensor":
    x = layers.SeparableConv2D(width, 3, padding="same", use_bias=False, name=name)(x)
    return _normalized(x, f"{name}_bn")


def _normalized(x: "KerasTensor", name: str | None = None) -> "KerasTensor":
    return layers.BatchNormalization(axis=channel_axis(-1), name=name)(x)


def _active(x: "KerasTensor", name: str) -> "KerasTensor":
    return layers.Activation("relu", name=f"{name}_act")(x)
