"""InceptionResNetV2: Inception's blocks of several branches, whose results are added to what the
block takes.
"""

from typing import TYPE_CHECKING, Any

from jkeras import layers
from jkeras.applications.building import FILES, Arguments, architecture, begin, channel_axis, end
from jkeras.applications.imagenet_utils import decode_predictions, expecting
from jkeras.applications.inception_v3 import (
    DOUBLE,
    HALVING,
    chain,
    convolution,
    joined,
    mixed,
    stem,
)
from jkeras.core.layer import Layer, layer

if TYPE_CHECKING:
    import jax
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.core.run.context import Context
    from jkeras.models.functional import Functional

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]

BRANCHES = {
    "block35": [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]],
    "block17": [[(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]],
    "block8": [[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]],
}

preprocess_input = expecting("tf", "inception_resnet_v2")


@architecture("inception_resnet_v2", "inception_resnet_v2")
def InceptionResNetV2(arguments: Arguments) -> "Functional":
    """Inception with residual blocks: https://arxiv.org/abs/1602.07261. Images of 299 by 299,
    `preprocess_input` "tf".

    >>> InceptionResNetV2(weights=None, include_top=False, input_shape=(75, 75, 3)).count_params()
    54336736
    """
    images = begin(arguments, 299, 75)
    x = mixed(stem(images), "mixed_5b", [[(96, 1)], [(48, 1), (64, 5)], DOUBLE], 64)
    for i in range(1, 11):
        x = _block(x, "block35", i, 0.17)
    x = mixed(x, "mixed_6a", [[(384, 3, *HALVING)], [(256, 1), (256, 3), (384, 3, *HALVING)]])
    for i in range(1, 21):
        x = _block(x, "block17", i, 0.1)
    x = mixed(
        x,
        "mixed_7a",
        [
            [(256, 1), (384, 3, *HALVING)],
            [(256, 1), (288, 3, *HALVING)],
            [(256, 1), (288, 3), (320, 3, *HALVING)],
        ],
    )
    for i in range(1, 10):
        x = _block(x, "block8", i, 0.2)
    x = _block(x, "block8", 10, 1.0, relu=False)
    x = convolution(x, 1536, 1, name="conv_7b")
    return end(
        arguments,
        images,
        x,
        pools=(None, None),
        files=[each.format("inception_resnet_v2") for each in FILES],
    )


def _block(x: "KerasTensor", kind: str, i: int, scale: float, relu: bool = True) -> "KerasTensor":
    """Branches side by side, made as many channels as the input has, scaled and added to it."""
    y = joined([chain(x, *branch) for branch in BRANCHES[kind]], f"{kind}_{i}_mixed")
    y = layers.Conv2D(x.shape[channel_axis()], 1, padding="same", name=f"{kind}_{i}_conv")(y)
    x = CustomScaleLayer(scale)([x, y])
    if not relu:
        return x
    return layers.Activation("relu", name=f"{kind}_{i}_ac")(x)


@layer("keras.src.applications.inception_resnet_v2")  # not public; files have this name
class CustomScaleLayer(Layer):
    """The sum of two inputs, the second times a number.

    Args:
        scale: the number.

    >>> import numpy as np
    >>> print(CustomScaleLayer(0.5)([np.ones(2), np.ones(2)]))
    [1.5 1.5]
    """

    scale: float

    def forward(self, w: dict[str, Any], inputs: "list[jax.Array]", ctx: "Context") -> "jax.Array":
        x, y = inputs
        return x + y * self.scale
