"""MobileNet: convolutions of each channel by itself, followed by ones that mix the channels."""

import dataclasses
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jkeras import layers
from jkeras.applications.building import (
    Arguments,
    architecture,
    asked_shape,
    channel_axis,
    end,
    images_of,
    sides_of,
)
from jkeras.applications.imagenet_utils import decode_predictions, expecting

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

# channels of the blocks
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
HALVING = (2, 4, 6, 12)  # numbers of the blocks that halve the images
SIDES = (128, 160, 192, 224)  # of the images that there are trained weights for
# that there are trained weights for, in names of files
ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}

preprocess_input = expecting("tf", "mobilenet")


@architecture(
    None,
    "mobilenet",
    order="input_shape alpha depth_multiplier dropout include_top weights input_tensor pooling "
    "classes classifier_activation name",
)
def MobileNet(
    arguments: Arguments, alpha: float = 1.0, depth_multiplier: int = 1, dropout: float = 1e-3
) -> "Functional":
    """MobileNet: https://arxiv.org/abs/1704.04861. Images of 224 by 224, `preprocess_input` "tf".

    >>> MobileNet((32, 32, 3), alpha=0.25, weights=None, include_top=False).count_params()
    218544

    Args:
        alpha: factor of all numbers of channels; 0.25, 0.5, 0.75 or 1 for the weights of ImageNet.
        depth_multiplier: how many channels a convolution of one channel makes of it; 1 for the
            weights of ImageNet.
        dropout: rate before the classifier.
    """
    shape = asked_shape(arguments, usual_side(arguments.input_shape, SIDES), 32)
    if arguments.weights == "imagenet" and depth_multiplier != 1:
        raise ValueError(
            "There are trained weights for one kernel of each channel alone: the depth "
            f"multiplier must be 1. Received: {depth_multiplier}"
        )
    check_alpha(arguments, alpha, ALPHAS)
    side = side_in_name(arguments, shape, SIDES)
    images = images_of(arguments, shape)
    x = layers.Conv2D(
        int(32 * alpha), (3, 3), strides=(2, 2), padding="same", use_bias=False, name="conv1"
    )(images)
    x = _normalized(x, "conv1")
    for number, width in enumerate(WIDTHS, 1):
        x = _block(x, number, int(width * alpha), depth_multiplier)

    def top(x: "KerasTensor") -> "KerasTensor":
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Conv2D(arguments.classes, (1, 1), padding="same", name="conv_preds")(x)
        x = layers.Reshape((arguments.classes,), name="reshape_2")(x)
        return layers.Activation(arguments.classifier_activation, name="predictions")(x)

    file = f"mobilenet_{ALPHAS.get(alpha)}_{side}_tf"
    files = [f"{file}.h5", f"{file}_no_top.h5"]
    arguments = dataclasses.replace(
        arguments, name=arguments.name or f"mobilenet_{alpha:0.2f}_{side}"
    )
    return end(arguments, images, x, top, (None, None), files)


def _block(x: "KerasTensor", number: int, width: int, depth_multiplier: int) -> "KerasTensor":
    stride = 1
    padding = "same"
    if number in HALVING:
        stride = 2
        padding = "valid"
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
    x = layers.DepthwiseConv2D(
        (3, 3), stride, padding, depth_multiplier, use_bias=False, name=f"conv_dw_{number}"
    )(x)
    x = _normalized(x, f"conv_dw_{number}")
    x = layers.Conv2D(width, (1, 1), padding="same", use_bias=False, name=f"conv_pw_{number}")(x)
    return _normalized(x, f"conv_pw_{number}")


def _normalized(x: "KerasTensor", name: str) -> "KerasTensor":
    x = layers.BatchNormalization(channel_axis(-1), name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


# ---------------------------------------------------------------- what the later MobileNets share


def usual_side(shape: tuple | None, sides: tuple[int, ...]) -> int:
    """Height and width of usual images, by the shape of one or None: that shape's, if trained
    weights are for it.
    """
    if not shape:
        return 224
    height, *others = sides_of(shape)
    if height in sides and others == [height]:
        return height
    return 224


def check_alpha(arguments: Arguments, alpha: float, alphas: Iterable[float]) -> None:
    """Raises ValueError where there are no trained weights for a factor of the numbers of
    channels.
    """
    if arguments.weights == "imagenet" and alpha not in alphas:
        raise ValueError(
            "There are trained weights for some widths alone: alpha is one of "
            f"{', '.join(f'`{a}`' for a in alphas)}. Received: {alpha}"
        )


def side_in_name(arguments: Arguments, shape: tuple, sides: tuple[int, ...]) -> int:
    """The height of images, which names a model; with trained weights the side of those that they
    were trained with.
    """
    height, width = sides_of(shape)
    has_weights = height == width and height in sides
    if arguments.weights == "imagenet" and not has_weights:
        warnings.warn(
            f"There are trained weights for square images of {list(sides)} rows alone, and "
            "`input_shape` names none of them. Those of 224 rows are loaded as the default.",
            stacklevel=4,
        )
        return 224
    return height


def check_tensor(arguments: Arguments) -> None:
    """Raises ValueError where `input_shape` is not that of the images of `input_tensor`."""
    if arguments.input_shape is None or arguments.input_tensor is None:
        return
    shape = getattr(arguments.input_tensor, "shape", (None,))[1:]
    if sides_of(shape) != sides_of(arguments.input_shape):
        raise ValueError(
            "`input_shape` must equal the shape of the images of `input_tensor`. Received: "
            f"input_tensor of shape {(None, *shape)}, input_shape={arguments.input_shape}"
        )
