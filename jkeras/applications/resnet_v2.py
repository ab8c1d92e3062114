"""ResNetV2: in a block normalization and relu come before the convolutions, so that nothing follows
the addition.
"""

from typing import TYPE_CHECKING

from jkeras import layers
from jkeras.applications.building import FILES, Arguments, architecture, begin, end
from jkeras.applications.imagenet_utils import decode_predictions, expecting
from jkeras.applications.resnet import WIDTHS, halved, normalized, widened

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]

preprocess_input = expecting("tf", "resnet_v2")


@architecture("resnet50v2", "resnet_v2")
def ResNet50V2(arguments: Arguments) -> "Functional":
    """ResNetV2 with 50 layers: https://arxiv.org/abs/1603.05027. Images of 224 by 224,
    `preprocess_input` "tf".

    >>> ResNet50V2(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    23564800
    """
    return _resnet((3, 4, 6, 3), "resnet50v2", arguments)


@architecture("resnet101v2", "resnet_v2")
def ResNet101V2(arguments: Arguments) -> "Functional":
    """ResNetV2 with 101 layers: https://arxiv.org/abs/1603.05027. Images of 224 by 224,
    `preprocess_input` "tf".

    >>> ResNet101V2(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    42626560
    """
    return _resnet((3, 4, 23, 3), "resnet101v2", arguments)


@architecture("resnet152v2", "resnet_v2")
def ResNet152V2(arguments: Arguments) -> "Functional":
    """ResNetV2 with 152 layers: https://arxiv.org/abs/1603.05027. Images of 224 by 224,
    `preprocess_input` "tf".

    >>> ResNet152V2(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    58331648
    """
    return _resnet((3, 8, 36, 3), "resnet152v2", arguments)


def _resnet(depths: tuple[int, ...], file: str, arguments: Arguments) -> "Functional":
    """A ResNetV2 whose stages have these numbers of blocks; the last of a stage halves the size,
    but for stage 5.
    """
    images = begin(arguments, 224, 32)
    x = halved(widened(images, "conv1_pad", "conv1_conv"), "pool1_pad", "pool1_pool")
    for stage, (depth, width) in enumerate(zip(depths, WIDTHS), 2):
        for i in range(1, depth + 1):
            strides = 1
            if i == depth and stage < 5:
                strides = 2
            x = _block(x, width, strides, i == 1, f"conv{stage}_block{i}")
    return end(
        arguments, images, normalized(x, "post"), files=[each.format(file) for each in FILES]
    )


def _block(x: "KerasTensor", width: int, strides: int, projected: bool, name: str) -> "KerasTensor":
    """Convolutions of 1 by 1, 3 by 3 and 1 by 1 after normalization and relu, and the input
    added.
    """
    active = normalized(x, f"{name}_preact")
    shortcut = x
    if projected:
        shortcut = layers.Conv2D(4 * width, 1, name=f"{name}_0_conv")(active)
    elif strides > 1:
        shortcut = layers.MaxPooling2D(1, strides=strides)(x)
    x = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_1_conv")(active)
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(normalized(x, f"{name}_1"))
    x = layers.Conv2D(width, 3, strides=strides, use_bias=False, name=f"{name}_2_conv")(x)
    x = layers.Conv2D(4 * width, 1, name=f"{name}_3_conv")(normalized(x, f"{name}_2"))
    return layers.Add(name=f"{name}_out")([shortcut, x])
