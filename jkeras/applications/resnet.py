"""ResNet: blocks of three convolutions that are added to the block's input."""

from typing import TYPE_CHECKING

from jkeras import layers
from jkeras.applications.building import FILES, Arguments, architecture, begin, channel_axis, end
from jkeras.applications.imagenet_utils import decode_predictions, expecting

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

# channels inside the blocks of the stages; there are four times as many between them
WIDTHS = (64, 128, 256, 512)

preprocess_input = expecting("caffe", "resnet", "resnet50")


@architecture("resnet50", "resnet", "resnet50")
def ResNet50(arguments: Arguments) -> "Functional":
    """ResNet with 50 layers: https://arxiv.org/abs/1512.03385. Images of 224 by 224,
    `preprocess_input` "caffe".

    >>> ResNet50(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    23587712
    """
    return _resnet((3, 4, 6, 3), "resnet50", arguments)


@architecture("resnet101", "resnet")
def ResNet101(arguments: Arguments) -> "Functional":
    """ResNet with 101 layers: https://arxiv.org/abs/1512.03385. Images of 224 by 224,
    `preprocess_input` "caffe".

    >>> ResNet101(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    42658176
    """
    return _resnet((3, 4, 23, 3), "resnet101", arguments)


@architecture("resnet152", "resnet")
def ResNet152(arguments: Arguments) -> "Functional":
    """ResNet with 152 layers: https://arxiv.org/abs/1512.03385. Images of 224 by 224,
    `preprocess_input` "caffe".

    >>> ResNet152(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    58370944
    """
    return _resnet((3, 8, 36, 3), "resnet152", arguments)


def _resnet(depths: tuple[int, ...], file: str, arguments: Arguments) -> "Functional":
    """A ResNet whose stages have these numbers of blocks."""
    images = begin(arguments, 224, 32)
    x = widened(images, "conv1_pad", "conv1_conv")
    x = halved(normalized(x, "conv1"), "pool1_pad", "pool1_pool")
    for stage, (depth, width) in enumerate(zip(depths, WIDTHS), 2):
        for i in range(1, depth + 1):
            strides = 1
            if i == 1 and stage > 2:
                strides = 2
            x = _block(x, width, strides, i == 1, f"conv{stage}_block{i}")
    return end(arguments, images, x, files=[each.format(file) for each in FILES])


def _block(x: "KerasTensor", width: int, strides: int, projected: bool, name: str) -> "KerasTensor":
    """Convolutions of 1 by 1, 3 by 3 and 1 by 1, and the input added, or a projection of it; then
    relu.
    """
    shortcut = x
    if projected:
        shortcut = layers.Conv2D(4 * width, 1, strides=strides, name=f"{name}_0_conv")(x)
        shortcut = normalized(shortcut, f"{name}_0", relu=False)
    x = layers.Conv2D(width, 1, strides=strides, name=f"{name}_1_conv")(x)
    x = layers.Conv2D(width, 3, padding="same", name=f"{name}_2_conv")(normalized(x, f"{name}_1"))
    x = layers.Conv2D(4 * width, 1, name=f"{name}_3_conv")(normalized(x, f"{name}_2"))
    x = layers.Add(name=f"{name}_add")([shortcut, normalized(x, f"{name}_3", relu=False)])
    return layers.Activation("relu", name=f"{name}_out")(x)


# ---------------------------------------------------------------- what ResNetV2 and DenseNet have
# too


def widened(
    images: "KerasTensor", pad: str | None, conv: str, use_bias: bool = True
) -> "KerasTensor":
    """The first convolution, to 64 channels at half the size, and the padding before it; `pad`,
    `conv`: their names.
    """
    x = layers.ZeroPadding2D(3, name=pad)(images)
    return layers.Conv2D(64, 7, strides=2, use_bias=use_bias, name=conv)(x)


def halved(x: "KerasTensor", pad: str | None, pool: str) -> "KerasTensor":
    """The maximum over windows of 3 by 3, at half the size, and the padding before it; `pad`,
    `pool`: their names.
    """
    return layers.MaxPooling2D(3, strides=2, name=pool)(layers.ZeroPadding2D(1, name=pad)(x))


def normalized(x: "KerasTensor", name: str | None = None, relu: bool = True) -> "KerasTensor":
    """`BatchNormalization` and, on request, relu; their names begin with `name`."""
    prefix = ""
    if name:
        prefix = f"{name}_"
    x = layers.BatchNormalization(axis=channel_axis(), epsilon=1.001e-5, name=f"{prefix}bn")(x)
    if not relu:
        return x
    return layers.Activation("relu", name=f"{prefix}relu")(x)
