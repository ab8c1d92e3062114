"""VGG: blocks of 3 by 3 convolutions, and three dense layers."""

from typing import TYPE_CHECKING

from jkeras import layers
from jkeras.applications.building import FILES, Arguments, architecture, begin, end
from jkeras.applications.imagenet_utils import expecting

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

WIDTHS = (64, 128, 256, 512, 512)  # channels of the blocks

preprocess_input = expecting("caffe", "vgg16", "vgg19")


@architecture("vgg16", "vgg16")
def VGG16(arguments: Arguments) -> "Functional":
    """VGG with 13 convolutions: https://arxiv.org/abs/1409.1556. Images of 224 by 224,
    `preprocess_input` "caffe".

    >>> VGG16(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    14714688
    """
    return _vgg((2, 2, 3, 3, 3), "vgg16", arguments)


@architecture("vgg19", "vgg19")
def VGG19(arguments: Arguments) -> "Functional":
    """VGG with 16 convolutions: https://arxiv.org/abs/1409.1556. Images of 224 by 224,
    `preprocess_input` "caffe".

    >>> VGG19(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    20024384
    """
    return _vgg((2, 2, 4, 4, 4), "vgg19", arguments)


def _vgg(depths: tuple[int, ...], file: str, arguments: Arguments) -> "Functional":
    """A VGG whose blocks have these numbers of convolutions."""
    x = images = begin(arguments, 224, 32)
    for block, (depth, width) in enumerate(zip(depths, WIDTHS), 1):
        for i in range(1, depth + 1):
            x = layers.Conv2D(
                width, (3, 3), activation="relu", padding="same", name=f"block{block}_conv{i}"
            )(x)
        x = layers.MaxPooling2D((2, 2), strides=(2, 2), name=f"block{block}_pool")(x)

    def top(x: "KerasTensor") -> "KerasTensor":
        x = layers.Flatten(name="flatten")(x)
        for i in (1, 2):
            x = layers.Dense(4096, activation="relu", name=f"fc{i}")(x)
        return layers.Dense(arguments.classes, arguments.classifier_activation, name="predictions")(
            x
        )

    files = [each.format(file) for each in FILES]
    return end(arguments, images, x, top, (None, None), files)
