"""MobileNetV2: blocks that widen their input, and are narrow where they are added to it."""

import dataclasses
from typing import TYPE_CHECKING
from jkeras import layers
from jkeras.applications.building import (
    Arguments,
    architecture,
    asked_shape,
    channel_axis,
    divisible,
    end,
    images_of,
    ready_for,
)
from jkeras.applications.imagenet_utils import decode_predictions, expecting
from jkeras.applications.mobilenet import check_alpha, check_tensor, side_in_name, usual_side

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
# of each: channels, blocks, stride of the first block
SIDES = (96, 128, 160, 192, 224)  # of the images that there are trained weights for
ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)

preprocess_input = expecting("tf", "mobilenet_v2")


@architecture(
    None,
    "mobilenet_v2",
    order="input_shape alpha include_top weights input_tensor pooling classes "
    "classifier_activation name",
)
def MobileNetV2(arguments: Arguments, alpha: float = 1.0) -> "Functional":
    """MobileNetV2: https://arxiv.org/abs/1801.04381. Images of 224 by 224, `preprocess_input` "tf".

    >>> MobileNetV2((32, 32, 3), alpha=0.35, weights=None, include_top=False).count_params()
    410208

    Args:
        alpha: factor of the numbers of channels; 0.35, 0.5, 0.75, 1, 1.3 or 1.4 for the weights of
            ImageNet.
    """
    check_tensor(arguments)
    shape_of_input = arguments.input_shape or getattr(arguments.input_tensor, "shape", (None,))[1:]
    shape = asked_shape(arguments, usual_side(shape_of_input, SIDES), 32)
    check_alpha(arguments, alpha, ALPHAS)
    side = side_in_name(arguments, shape, SIDES)
    images = images_of(arguments, shape)
    x = layers.Conv2D(
        divisible(32 * alpha), 3, strides=(2, 2), padding="same", use_bias=False, name="Conv1"
    )(images)
    x = _normalized(x, "bn_Conv1", "Conv1_relu")
    number = 0
    for width, blocks, stride in STAGES:
        for _ in range(blocks):
            x = _block(x, number, divisible(int(width * alpha)), stride)
            stride = 1
            number += 1
    x = layers.Conv2D(divisible(1280 * max(alpha, 1)), 1, use_bias=False, name="Conv_1")(x)
    x = _normalized(x, "Conv_1_bn", "out_relu")

    def top(x: "KerasTensor") -> "KerasTensor":
        x = layers.GlobalAveragePooling2D()(x)
        return layers.Dense(arguments.classes, arguments.classifier_activation, name="predictions")(
            x
        )

    file = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{side}"
    files = [f"{file}.h5", f"{file}_no_top.h5"]
    arguments = dataclasses.replace(
        arguments, name=arguments.name or f"mobilenetv2_{alpha:0.2f}_{side}"
    )
    return end(arguments, images, x, top, (None, None), files)


def _block(x: "KerasTensor", number: int, width: int, stride: int) -> "KerasTensor":
    """Widens the input six times, but for the first block; convolves each channel; narrows it."""
    prefix = "expanded_conv_"
    if number:
        prefix = f"block_{number}_"
    before = x
    width_before = x.shape[channel_axis()]
    if number:
        x = layers.Conv2D(
            6 * width_before, 1, padding="same", use_bias=False, name=f"{prefix}expand"
        )(x)
        x = _normalized(x, f"{prefix}expand_BN", f"{prefix}expand_relu")
    x, padding = ready_for(x, 3, stride, f"{prefix}pad")
    x = layers.DepthwiseConv2D(3, stride, padding, use_bias=False, name=f"{prefix}depthwise")(x)
    x = _normalized(x, f"{prefix}depthwise_BN", f"{prefix}depthwise_relu")
    x = layers.Conv2D(width, 1, padding="same", use_bias=False, name=f"{prefix}project")(x)
    x = _normalized(x, f"{prefix}project_BN")
    if width != width_before or stride != 1:
        return x
    return layers.Add(name=f"{prefix}add")([before, x])


def _normalized(x: "KerasTensor", name: str, relu: str | None = None) -> "KerasTensor":
    x = layers.BatchNormalization(channel_axis(-1), momentum=0.999, name=name)(x)
    if relu is None:
        return x
    return layers.ReLU(6.0, name=relu)(x)
