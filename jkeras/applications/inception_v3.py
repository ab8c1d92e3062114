"""InceptionV3: blocks of several branches, whose results lie side by side."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jkeras import layers
from jkeras.applications.building import FILES, Arguments, architecture, begin, channel_axis, end
from jkeras.applications.imagenet_utils import decode_predictions, expecting

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

HALVING = (2, "valid")  # strides and padding of a convolution to half the size
ROW = (1, 7)
COLUMN = (7, 1)
DOUBLE = [(64, 1), (96, 3), (96, 3)]

preprocess_input = expecting("tf", "inception_v3")


@architecture("inception_v3", "inception_v3")
def InceptionV3(arguments: Arguments) -> "Functional":
    """Inception of the third version: https://arxiv.org/abs/1512.00567. Images of 299 by 299,
    `preprocess_input` "tf".

    >>> InceptionV3(weights=None, include_top=False, input_shape=(75, 75, 3)).count_params()
    21802784
    """
    images = begin(arguments, 299, 75)
    x = stem(images)
    for number, width in enumerate([32, 64, 64]):
        x = mixed(x, f"mixed{number}", [[(64, 1)], [(48, 1), (64, 5)], DOUBLE], width)
    x = mixed(x, "mixed3", [[(384, 3, *HALVING)], [*DOUBLE[:2], (96, 3, *HALVING)]])
    for number, width in enumerate([128, 160, 160, 192], 4):
        once = [(width, 1), (width, ROW), (192, COLUMN)]
        twice = [(width, 1), (width, COLUMN), (width, ROW), (width, COLUMN), (192, ROW)]
        x = mixed(x, f"mixed{number}", [[(192, 1)], once, twice], 192)
    x = mixed(
        x,
        "mixed8",
        [[(192, 1), (320, 3, *HALVING)], [(192, 1), (192, ROW), (192, COLUMN), (192, 3, *HALVING)]],
    )
    for i in (0, 1):
        x = _widest(x, i)
    return end(
        arguments,
        images,
        x,
        pools=(None, None),
        files=[each.format("inception_v3") for each in FILES],
    )


def _widest(x: "KerasTensor", i: int) -> "KerasTensor":
    """One of the two last blocks, in which branches fork."""

    def forked(trunk: "KerasTensor", name: str | None = None) -> "KerasTensor":
        return joined([chain(trunk, (384, (1, 3))), chain(trunk, (384, (3, 1)))], name)

    narrow = chain(x, (320, 1))
    shallow = forked(chain(x, (384, 1)), f"mixed9_{i}")
    deep = forked(chain(x, (448, 1), (384, 3)))
    return joined([narrow, shallow, deep, averaged(x, 192)], f"mixed{9 + i}")


# ---------------------------------------------------------------- what InceptionResNetV2 has too


def stem(images: "KerasTensor") -> "KerasTensor":
    """What comes before the blocks, to an eighth of the size."""
    x = chain(images, (32, 3, *HALVING), (32, 3, 1, "valid"), (64, 3))
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = chain(x, (80, 1, 1, "valid"), (192, 3, 1, "valid"))
    return layers.MaxPooling2D(3, strides=2)(x)


def mixed(
    x: "KerasTensor", name: str, branches: Iterable[Iterable[tuple]], average: int | None = None
) -> "KerasTensor":
    """A block.

    Args:
        name: of the layer that puts the branches side by side.
        branches: lists of convolutions, each `(channels, kernel, strides, padding)`.
        average: channels made of the means over windows; None: the maxima, at half the size, are a
            branch.
    """
    results = [chain(x, *branch) for branch in branches]
    if average is None:
        results.append(layers.MaxPooling2D(3, strides=2)(x))
    else:
        results.append(averaged(x, average))
    return joined(results, name)


def chain(x: "KerasTensor", *convolutions: tuple) -> "KerasTensor":
    """Convolutions one after the other, each `(channels, kernel, strides, padding)`."""
    for each in convolutions:
        x = convolution(x, *each)
    return x


def convolution(
    x: "KerasTensor",
    width: int,
    kernel: int | tuple[int, int],
    strides: int = 1,
    padding: str = "same",
    name: str | None = None,
) -> "KerasTensor":
    """A convolution, normalization and relu."""
    x = layers.Conv2D(width, kernel, strides=strides, padding=padding, use_bias=False, name=name)(x)
    x = layers.BatchNormalization(axis=channel_axis(), scale=False, name=name and f"{name}_bn")(x)
    return layers.Activation("relu", name=name and f"{name}_ac")(x)


def averaged(x: "KerasTensor", width: int) -> "KerasTensor":
    """Means over windows of 3 by 3, and a convolution."""
    return convolution(layers.AveragePooling2D(3, strides=1, padding="same")(x), width, 1)


def joined(parts: "list[KerasTensor]", name: str | None = None) -> "KerasTensor":
    """The channels of all parts."""
    return layers.Concatenate(axis=channel_axis(), name=name)(parts)
