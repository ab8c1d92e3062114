"""MobileNetV3: MobileNetV2's blocks with a weight for each channel, put together by a search."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

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
from jkeras.applications.mobilenet import check_alpha, check_tensor, side_in_name

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

__all__ = ["decode_predictions", "preprocess_input"]


@dataclasses.dataclass(frozen=True)
class Block:
    """One block: how many times its input is widened, the channels it ends with, and how it
    convolves.
    """

    factor: float
    width: int
    kernel: int
    stride: int
    weighs: bool
    swish: bool


SMALL = (
    Block(1, 16, 3, 2, True, False),
    Block(72 / 16, 24, 3, 2, False, False),
    Block(88 / 24, 24, 3, 1, False, False),
    Block(4, 40, 5, 2, True, True),
    *2 * [Block(6, 40, 5, 1, True, True)],
    *2 * [Block(3, 48, 5, 1, True, True)],
    Block(6, 96, 5, 2, True, True),
    *2 * [Block(6, 96, 5, 1, True, True)],
)
LARGE = (
    Block(1, 16, 3, 1, False, False),
    Block(4, 24, 3, 2, False, False),
    Block(3, 24, 3, 1, False, False),
    Block(3, 40, 5, 2, True, False),
    *2 * [Block(3, 40, 5, 1, True, False)],
    Block(6, 80, 3, 2, False, True),
    Block(2.5, 80, 3, 1, False, True),
    *2 * [Block(2.3, 80, 3, 1, False, True)],
    *2 * [Block(6, 112, 3, 1, True, True)],
    Block(6, 160, 5, 2, True, True),
    *2 * [Block(6, 160, 5, 1, True, True)],
)

preprocess_input = expecting(None, "mobilenet_v3")


DOCUMENTED = """MobileNetV3 for {budgets} budgets: https://arxiv.org/abs/1905.02244.

    Images of any size, 224 by 224 for the weights of ImageNet, with values from 0 to 255.

    >>> {name}(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    {count}

    Args:
        alpha: factor of the numbers of channels; for the weights of ImageNet 1, or, unless
            `minimalistic`, 0.75.
        minimalistic: without weights of channels, swish and convolutions of 5 by 5.
        dropout_rate: before the classifier.
        include_preprocessing: whether the model brings images from values of 0 to 255 to -1 to 1.
    """


ORDER = (
    "input_shape alpha minimalistic include_top weights input_tensor classes pooling dropout_rate "
    "classifier_activation include_preprocessing name"
)


class Size(NamedTuple):
    """A size of the network: its name, its blocks, and the channels before the classifier."""

    name: str
    blocks: tuple[Block, ...]
    last: int


def _variant(size: Size, count: int) -> "Callable[..., Functional]":
    """A function of the public API."""
    name_of_model = f"MobileNetV3{size.name}"

    def build(
        arguments: Arguments,
        alpha: float = 1.0,
        minimalistic: bool = False,
        dropout_rate: float = 0.2,
        include_preprocessing: bool = True,
    ) -> "Functional":
        return _mobilenet(size, alpha, minimalistic, dropout_rate, include_preprocessing, arguments)

    build.__name__ = name_of_model
    budgets = size.name.lower()
    build.__doc__ = DOCUMENTED.format(budgets=budgets, name=name_of_model, count=count)
    return architecture(name_of_model, order=ORDER)(build)


MobileNetV3Small = _variant(Size("Small", SMALL, 1024), 939120)
MobileNetV3Large = _variant(Size("Large", LARGE, 1280), 2996352)


def _mobilenet(
    size: Size,
    alpha: float,
    minimalistic: bool,
    dropout_rate: float,
    include_preprocessing: bool,
    arguments: Arguments,
) -> "Functional":
    x = images = _begin(arguments, alpha, minimalistic)
    if include_preprocessing:
        x = layers.Rescaling(1.0 / 127.5, -1.0)(images)
    x = layers.Conv2D(16, 3, strides=(2, 2), padding="same", use_bias=False, name="conv")(x)
    x = _normalized(x, "conv_bn", not minimalistic)
    for number, block in enumerate(size.blocks):
        if minimalistic:
            block = dataclasses.replace(block, kernel=3, weighs=False, swish=False)
        prefix = "expanded_conv_"
        if number:
            prefix += f"{number}_"
        x = _block(
            x, dataclasses.replace(block, width=divisible(block.width * alpha)), prefix, number > 0
        )
    x = layers.Conv2D(
        divisible(x.shape[channel_axis()] * 6), 1, padding="same", use_bias=False, name="conv_1"
    )(x)
    x = _normalized(x, "conv_1_bn", not minimalistic)

    def top(x: "KerasTensor") -> "KerasTensor":
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = layers.Conv2D(divisible(size.last * max(alpha, 1)), 1, padding="same", name="conv_2")(x)
        x = _activated(x, not minimalistic)
        if dropout_rate > 0:
            x = layers.Dropout(dropout_rate)(x)
        x = layers.Conv2D(arguments.classes, 1, padding="same", name="logits")(x)
        x = layers.Flatten()(x)
        return layers.Activation(arguments.classifier_activation, name="predictions")(x)

    kind = size.name.lower()
    if minimalistic:
        kind += "_minimalistic"
    file = f"weights_mobilenet_v3_{kind}_224_{float(alpha)}_float"
    files = [f"{file}.h5", f"{file}_no_top_v2.h5"]
    return end(arguments, images, x, top, files=files)


def _begin(arguments: Arguments, alpha: float, minimalistic: bool) -> "KerasTensor":
    """The images, which may be of any size: the classifier is one more convolution."""
    check_tensor(arguments)
    if arguments.input_shape is None and arguments.input_tensor is not None:
        arguments = dataclasses.replace(
            arguments, input_shape=tuple(getattr(arguments.input_tensor, "shape", ())[1:])
        )
    shape = asked_shape(arguments, 224, 32, fixed=False)
    check_alpha(arguments, alpha, (1.0,) if minimalistic else (0.75, 1.0))
    side_in_name(arguments, shape, (224,))
    return images_of(arguments, shape)


def _block(x: "KerasTensor", block: Block, prefix: str, widens: bool) -> "KerasTensor":
    before = x
    width_before = x.shape[channel_axis()]
    wide = divisible(width_before * block.factor)
    if widens:
        x = layers.Conv2D(wide, 1, padding="same", use_bias=False, name=f"{prefix}expand")(x)
        x = _normalized(x, f"{prefix}expand_bn", block.swish)
    x, padding = ready_for(x, block.kernel, block.stride, f"{prefix}depthwise_pad")
    x = layers.DepthwiseConv2D(
        block.kernel, block.stride, padding, use_bias=False, name=f"{prefix}depthwise"
    )(x)
    x = _normalized(x, f"{prefix}depthwise_bn", block.swish)
    if block.weighs:
        x = _weighed(x, wide, f"{prefix}squeeze_excite_")
    x = layers.Conv2D(block.width, 1, padding="same", use_bias=False, name=f"{prefix}project")(x)
    x = _normalized(x, f"{prefix}project_bn")
    if block.stride != 1 or block.width != width_before:
        return x
    return layers.Add(name=f"{prefix}add")([before, x])


def _weighed(x: "KerasTensor", width: int, prefix: str) -> "KerasTensor":
    """Squeeze and excitation: each channel times a weight between 0 and 1 that all channels' means
    give it.
    """
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{prefix}avg_pool")(x)
    weights = layers.Conv2D(divisible(width * 0.25), 1, padding="same", name=f"{prefix}conv")(
        weights
    )
    weights = layers.ReLU(name=f"{prefix}relu")(weights)
    weights = layers.Conv2D(width, 1, padding="same", name=f"{prefix}conv_1")(weights)
    weights = layers.ReLU(6.0)(weights + 3.0) * (1.0 / 6.0)
    return layers.Multiply(name=f"{prefix}mul")([x, weights])


def _normalized(x: "KerasTensor", name: str, swish: bool | None = None) -> "KerasTensor":
    """Batch normalization, then one of the activations unless `swish` is None."""
    x = layers.BatchNormalization(channel_axis(-1), momentum=0.999, name=name)(x)
    if swish is None:
        return x
    return _activated(x, swish)


def _activated(x: "KerasTensor", swish: bool) -> "KerasTensor":
    if swish:
        return layers.Activation("hard_swish")(x)
    return layers.ReLU()(x)
