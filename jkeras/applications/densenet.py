"""DenseNet: each block adds 32 channels to all those that were made before it."""

from typing import TYPE_CHECKING

from jkeras import layers
from jkeras.applications.building import (
    FILES,
    Arguments,
    architecture,
    begin,
    end,
    only_channels_last,
)
from jkeras.applications.imagenet_utils import decode_predictions, expecting
from jkeras.applications.resnet import halved, normalized, widened

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

GROWTH = 32  # channels that a block adds

preprocess_input = expecting("torch", "densenet")


@architecture("densenet121", "densenet")
def DenseNet121(arguments: Arguments) -> "Functional":
    """DenseNet with 121 layers: https://arxiv.org/abs/1608.06993. Images of 224 by 224,
    `preprocess_input` "torch".

    >>> DenseNet121(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    7037504
    """
    return _densenet((6, 12, 24, 16), "densenet121", arguments)


@architecture("densenet169", "densenet")
def DenseNet169(arguments: Arguments) -> "Functional":
    """DenseNet with 169 layers: https://arxiv.org/abs/1608.06993. Images of 224 by 224,
    `preprocess_input` "torch".

    >>> DenseNet169(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    12642880
    """
    return _densenet((6, 12, 32, 32), "densenet169", arguments)


@architecture("densenet201", "densenet")
def DenseNet201(arguments: Arguments) -> "Functional":
    """DenseNet with 201 layers: https://arxiv.org/abs/1608.06993. Images of 224 by 224,
    `preprocess_input` "torch".

    >>> DenseNet201(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    18321984
    """
    return _densenet((6, 12, 48, 32), "densenet201", arguments)


def _densenet(depths: tuple[int, ...], file: str, arguments: Arguments) -> "Functional":
    """A DenseNet whose stages have these numbers of blocks; half the channels go from one to the
    next.
    """
    only_channels_last("DenseNet")
    images = begin(arguments, 224, 32)
    x = widened(images, None, "conv1_conv", use_bias=False)
    x = halved(normalized(x, "conv1"), None, "pool1")
    for stage, depth in enumerate(depths, 2):
        for i in range(1, depth + 1):
            x = _block(x, f"conv{stage}_block{i}")
        if stage < 5:
            x = normalized(x, f"pool{stage}")
            x = layers.Conv2D(x.shape[-1] // 2, 1, use_bias=False, name=f"pool{stage}_conv")(x)
            x = layers.AveragePooling2D(2, strides=2, name=f"pool{stage}_pool")(x)
    return end(arguments, images, normalized(x), files=[each.format(file) for each in FILES])


def _block(x: "KerasTensor", name: str) -> "KerasTensor":
    """Convolutions of 1 by 1 and 3 by 3, and what they make beside the input."""
    more = normalized(x, f"{name}_0")
    more = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(more)
    more = normalized(more, f"{name}_1")
    more = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(more)
    return layers.Concatenate(axis=3, name=f"{name}_concat")([x, more])
