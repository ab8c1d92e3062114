"""EfficientNetV2: EfficientNet with whole convolutions in the early blocks, which are faster where
images are large.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from jkeras import layers
from jkeras.applications.building import (
    Arguments,
    architecture,
    begin,
    channel_axis,
    divisible,
    end,
)
from jkeras.applications.efficientnet import (
    Block,
    Stage,
    Version,
    added,
    blocks,
    classifier,
    convolved,
    mobile,
    stem,
)
from jkeras.applications.imagenet_utils import DEVIATIONS, MEANS, decode_predictions, expecting
from jkeras.initializers import Constant

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

__all__ = [
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    "decode_predictions",
    "preprocess_input",
]

SECOND = Version(0.9, False, "dwconv2")
SMALL = (
    32,
    Stage(1, 3, 16, 1, 1, True),
    Stage(2, 3, 32, 4, 2, True),
    Stage(2, 3, 48, 4, 2, True),
    # channels of the stem, stages
    Stage(3, 3, 96, 4, 2),
    Stage(5, 3, 112, 6, 1),
    Stage(8, 3, 192, 6, 2),
)
S = (
    24,
    Stage(2, 3, 24, 1, 1, True),
    Stage(4, 3, 48, 4, 2, True),
    Stage(4, 3, 64, 4, 2, True),
    Stage(6, 3, 128, 4, 2),
    Stage(9, 3, 160, 6, 1),
    Stage(15, 3, 256, 6, 2),
)
M = (
    24,
    Stage(3, 3, 24, 1, 1, True),
    Stage(5, 3, 48, 4, 2, True),
    Stage(5, 3, 80, 4, 2, True),
    Stage(7, 3, 160, 4, 2),
    Stage(14, 3, 176, 6, 1),
    Stage(18, 3, 304, 6, 2),
    Stage(5, 3, 512, 6, 1),
)
L = (
    32,
    Stage(4, 3, 32, 1, 1, True),
    Stage(7, 3, 64, 4, 2, True),
    Stage(7, 3, 96, 4, 2, True),
    Stage(10, 3, 192, 4, 2),
    Stage(19, 3, 224, 6, 1),
    Stage(25, 3, 384, 6, 2),
    Stage(7, 3, 640, 6, 1),
)

ORDER = (
    "include_top weights input_tensor input_shape pooling classes classifier_activation "
    "include_preprocessing name"
)

preprocess_input = expecting(None, "efficientnet_v2")


def _variant(
    kind: str, table: tuple, wider: float, deeper: float, size: int, count: int
) -> "Callable[..., Functional]":
    """A function of the public API, as in `efficientnet`."""
    name_of_file = f"efficientnetv2-{kind.lower()}"

    def build(arguments: Arguments, include_preprocessing: bool = True) -> "Functional":
        return _efficientnet(
            table, wider, deeper, size, include_preprocessing, name_of_file, arguments
        )

    name = build.__name__ = f"EfficientNetV2{kind}"
    build.__doc__ = f"""EfficientNetV2, the size {kind} of B0 to B3, S, M and L:
    https://arxiv.org/abs/2104.00298.

    Images of {size} by {size} with values from 0 to 255.

    >>> {name}(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    {count}

    Args:
        include_preprocessing: whether the model brings images from values of 0 to 255 to those it
            was trained with.
    """
    return architecture(name_of_file, "efficientnet_v2", order=ORDER)(build)


EfficientNetV2B0 = _variant("B0", SMALL, 1.0, 1.0, 224, 5919312)
EfficientNetV2B1 = _variant("B1", SMALL, 1.0, 1.1, 240, 6931124)
EfficientNetV2B2 = _variant("B2", SMALL, 1.1, 1.2, 260, 8769374)
EfficientNetV2B3 = _variant("B3", SMALL, 1.2, 1.4, 300, 12930622)
EfficientNetV2S = _variant("S", S, 1.0, 1.0, 384, 20331360)
EfficientNetV2M = _variant("M", M, 1.0, 1.0, 480, 53150388)
EfficientNetV2L = _variant("L", L, 1.0, 1.0, 480, 117746848)


def _efficientnet(
    table: tuple,
    wider: float,
    deeper: float,
    size: int,
    include_preprocessing: bool,
    file: str,
    arguments: Arguments,
) -> "Functional":
    def widened(width: int) -> int:
        return divisible(width * wider, least=0)

    width, *stages = table
    x = images = begin(arguments, size, 32)
    if include_preprocessing:
        x = _preprocessed(images, table is SMALL)
    x = stem(x, widened(width), SECOND)
    total = sum(stage.blocks for stage in stages)  # before they are deepened
    stages = [
        dataclasses.replace(
            stage, blocks=math.ceil(deeper * stage.blocks), width=widened(stage.width)
        )
        for stage in stages
    ]
    for block in blocks(stages, widened(width), total):
        apply = _fused if block.stage.fused else mobile
        x = apply(x, block, SECOND)
    x = convolved(x, widened(1280), 1, "top_", SECOND)
    return end(
        arguments,
        images,
        x,
        classifier(arguments, 0.2, Constant(0.0)),
        files=[f"{file}.h5", f"{file}_notop.h5"],
    )


def _preprocessed(images: "KerasTensor", as_torch: bool) -> "KerasTensor":
    """Images from -1 to 1, or as the mode "torch" of `imagenet_utils.preprocess_input` has them."""
    axis = channel_axis()
    if not as_torch or images.shape[axis] != 3:
        return layers.Rescaling(1.0 / 128.0, -1)(images)
    x = layers.Rescaling(1.0 / 255)(images)
    return layers.Normalization(
        axis, list(MEANS["torch"]), [deviation**2 for deviation in DEVIATIONS]
    )(x)


def _fused(x: "KerasTensor", block: Block, version: Version) -> "KerasTensor":
    """A block that widens its input and narrows it; one that does not widen is a single
    convolution.
    """
    before = x
    stage = block.stage
    expand = f"{block.prefix}expand_"
    project = f"{block.prefix}project_"
    kernel = stage.kernel
    stride = stage.stride
    if stage.factor == 1:
        x = convolved(x, stage.width, kernel, project, version, stride)
    else:
        wide = block.width_before * stage.factor
        x = convolved(x, wide, kernel, expand, version, stride)
        x = convolved(x, stage.width, 1, project, version, activation=None)
    return added(before, x, block)
