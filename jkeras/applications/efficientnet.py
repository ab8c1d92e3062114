"""EfficientNet: one network of mobile blocks, widened and deepened in step with the size of the
images.
"""

import dataclasses
import math
import string
import typing
from collections.abc import Callable, Iterable, Iterator

from jkeras import layers
from jkeras.applications.building import (
    Arguments,
    architecture,
    begin,
    channel_axis,
    divisible,
    end,
    ready_for,
)
from jkeras.applications.imagenet_utils import DEVIATIONS, decode_predictions, expecting
from jkeras.initializers import VarianceScaling

if typing.TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.core.layer.contract import Layer
    from jkeras.models.functional import Functional

__all__ = [*(f"EfficientNetB{i}" for i in range(8)), "decode_predictions", "preprocess_input"]


@dataclasses.dataclass(frozen=True)
class Stage:
    """Blocks of one kind: how many, kernel, channels, how many times they are wider inside, stride
    of the first.
    """

    blocks: int
    kernel: int
    width: int
    factor: int
    stride: int
    fused: bool = False  # one whole convolution instead of one that widens and one of each channel


STAGES = (
    Stage(1, 3, 16, 1, 1),
    Stage(2, 3, 24, 6, 2),
    Stage(2, 5, 40, 6, 2),
    Stage(3, 3, 80, 6, 2),
    Stage(3, 5, 112, 6, 1),
    Stage(4, 5, 192, 6, 2),
    Stage(1, 3, 320, 6, 1),
)
DROP = 0.2  # how often the last block is left out in training; those before it are in proportion

preprocess_input = expecting(None, "efficientnet")


def _variant(
    number: int, wider: float, deeper: float, size: int, dropout: float, count: int
) -> "Callable[..., Functional]":
    """A function of the public API.

    Args:
        wider, deeper: factors of the numbers of channels and of blocks.
        size: height and width of the images that the weights were trained with.
        dropout: rate before the classifier.
    """
    file = f"efficientnetb{number}"

    def build(arguments: Arguments) -> "Functional":
        return _efficientnet(wider, deeper, size, dropout, file, arguments)

    name = build.__name__ = f"EfficientNetB{number}"
    build.__doc__ = f"""EfficientNet, the size {number} of 0 to 7:
    https://arxiv.org/abs/1905.11946.

    Images of {size} by {size} with values from 0 to 255: the model does the rest.

    >>> {name}(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    {count}
    """
    return architecture(file, "efficientnet")(build)


EfficientNetB0 = _variant(0, 1.0, 1.0, 224, 0.2, 4049571)
EfficientNetB1 = _variant(1, 1.0, 1.1, 240, 0.2, 6575239)
EfficientNetB2 = _variant(2, 1.1, 1.2, 260, 0.3, 7768569)
EfficientNetB3 = _variant(3, 1.2, 1.4, 300, 0.3, 10783535)
EfficientNetB4 = _variant(4, 1.4, 1.8, 380, 0.4, 17673823)
EfficientNetB5 = _variant(5, 1.6, 2.2, 456, 0.4, 28513527)
EfficientNetB6 = _variant(6, 1.8, 2.6, 528, 0.5, 40960143)
EfficientNetB7 = _variant(7, 2.0, 3.1, 600, 0.5, 64097687)


def _efficientnet(
    wider: float, deeper: float, size: int, dropout: float, file: str, arguments: Arguments
) -> "Functional":
    def widened(width: int) -> int:
        return divisible(width * wider)

    images = begin(arguments, size, 32)
    x = layers.Rescaling(1.0 / 255.0)(images)
    x = layers.Normalization(axis=channel_axis())(x)
    # its mean and variance are in the file: they lack a root of the deviations
    if arguments.weights == "imagenet":
        x = layers.Rescaling([1.0 / math.sqrt(deviation) for deviation in DEVIATIONS])(x)
    x = stem(x, widened(32), FIRST)
    stages = [
        dataclasses.replace(
            stage, blocks=math.ceil(deeper * stage.blocks), width=widened(stage.width)
        )
        for stage in STAGES
    ]
    for block in blocks(stages, widened(32), sum(stage.blocks for stage in stages)):
        x = mobile(x, block, FIRST)
    x = convolved(x, widened(1280), 1, "top_", FIRST)
    return end(
        arguments,
        images,
        x,
        classifier(arguments, dropout),
        files=[f"{file}.h5", f"{file}_notop.h5"],
    )


# ---------------------------------------------------------------- what both versions are made of


class Version(typing.NamedTuple):
    """In what the blocks of the two versions differ."""

    momentum: float  # of the batch normalization
    pads: bool  # whether a layer of its own pads what a convolution with strides gets
    by_channel: str  # name of the convolution of each channel


FIRST = Version(0.99, True, "dwconv")


class Block(typing.NamedTuple):
    """One block."""

    prefix: str  # of the names of its layers
    stage: Stage  # whose width and stride are those of the block
    width_before: int
    rate: float  # of dropout of the whole block


def blocks(stages: Iterable[Stage], width: int, total: int) -> Iterator[Block]:
    """The blocks of stages after an input of this width; `total` blocks are counted for the rates
    of dropout.
    """
    number = 0
    for i, stage in enumerate(stages, 1):
        for j in range(stage.blocks):
            prefix = f"block{i}{string.ascii_lowercase[j]}_"
            yield Block(prefix, stage, width, DROP * number / total)
            stage = dataclasses.replace(stage, stride=1)
            width = stage.width
            number += 1


def stem(x: "KerasTensor", width: int, version: Version) -> "KerasTensor":
    """The first convolution, which halves the images."""
    return convolved(x, width, 3, "stem_", version, stride=2)


def convolved(
    x: "KerasTensor",
    width: int,
    kernel: int,
    prefix: str,
    version: Version,
    stride: int = 1,
    activation: str | None = "activation",
) -> "KerasTensor":
    """A convolution, batch normalization, and swish unless its name is None."""
    name = f"{prefix}conv"
    x, padding = _ready_for(x, kernel, stride, name, version)
    x = layers.Conv2D(
        width, kernel, stride, padding, use_bias=False, kernel_initializer=_by_outputs(), name=name
    )(x)
    return _normalized(x, prefix, version, activation)


def _ready_for(
    x: "KerasTensor", kernel: int, stride: int, name: str, version: Version
) -> "tuple[KerasTensor, str]":
    """`(x, padding)` for the convolution of a name."""
    if not version.pads:
        return x, "same"
    return ready_for(x, kernel, stride, f"{name}_pad")


def mobile(x: "KerasTensor", block: Block, version: Version) -> "KerasTensor":
    """A block that widens its input, convolves each channel, weighs the channels and narrows
    them.
    """
    before = x
    prefix = block.prefix
    stage = block.stage
    wide = block.width_before * stage.factor
    if stage.factor != 1:
        x = convolved(x, wide, 1, f"{prefix}expand_", version)
    name = f"{prefix}{version.by_channel}"
    x, padding = _ready_for(x, stage.kernel, stage.stride, name, version)
    x = layers.DepthwiseConv2D(
        stage.kernel,
        stage.stride,
        padding,
        use_bias=False,
        depthwise_initializer=_by_outputs(),
        name=name,
    )(x)
    x = _normalized(x, prefix, version)
    x = _weighed(x, wide, max(1, block.width_before // 4), f"{prefix}se_")
    x = convolved(x, stage.width, 1, f"{prefix}project_", version, activation=None)
    return added(before, x, block)


def added(before: "KerasTensor", x: "KerasTensor", block: Block) -> "KerasTensor":
    """A block's result, and its input where they are of one shape: in training sometimes the input
    alone.
    """
    if block.stage.stride != 1 or block.width_before != block.stage.width:
        return x
    if block.rate:
        x = layers.Dropout(block.rate, noise_shape=(None, 1, 1, 1), name=f"{block.prefix}drop")(x)
    return layers.Add(name=f"{block.prefix}add")([x, before])


def _weighed(x: "KerasTensor", width: int, narrow: int, prefix: str) -> "KerasTensor":
    """Squeeze and excitation: each channel times a weight between 0 and 1 that all channels' means
    give it.
    """

    def dense(width: int, activation: str, name: str) -> "Layer":
        return layers.Conv2D(
            width,
            1,
            padding="same",
            activation=activation,
            kernel_initializer=_by_outputs(),
            name=f"{prefix}{name}",
        )

    weights = layers.GlobalAveragePooling2D(name=f"{prefix}squeeze")(x)
    shape = (width, 1, 1) if channel_axis() == 1 else (1, 1, width)
    weights = layers.Reshape(shape, name=f"{prefix}reshape")(weights)
    weights = dense(narrow, "swish", "reduce")(weights)
    weights = dense(width, "sigmoid", "expand")(weights)
    return layers.Multiply(name=f"{prefix}excite")([x, weights])


def _normalized(
    x: "KerasTensor", prefix: str, version: Version, activation: str | None = "activation"
) -> "KerasTensor":
    x = layers.BatchNormalization(channel_axis(), version.momentum, name=f"{prefix}bn")(x)
    if activation is None:
        return x
    return layers.Activation("swish", name=f"{prefix}{activation}")(x)


def classifier(
    arguments: Arguments, dropout: float | None, bias: typing.Any = "zeros"
) -> "Callable[[KerasTensor], KerasTensor]":
    """The function from features to predictions; `bias`: the initializer of its bias."""

    def top(x: "KerasTensor") -> "KerasTensor":
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dropout(dropout, name="top_dropout")(x)
        return layers.Dense(
            arguments.classes,
            arguments.classifier_activation,
            name="predictions",
            kernel_initializer=VarianceScaling(1 / 3, "fan_out", "uniform"),
            bias_initializer=bias,
        )(x)

    return top


def _by_outputs() -> VarianceScaling:
    return VarianceScaling(2.0, "fan_out", "truncated_normal")
