"""NASNet: two kinds of cell, found by a search; each looks at the two cells before it."""

import dataclasses
from typing import TYPE_CHECKING

from jkeras import layers
from jkeras.applications.building import (
    Arguments,
    architecture,
    begin,
    classifier,
    end,
    only_channels_last,
    padding_for,
)
from jkeras.applications.imagenet_utils import decode_predictions, expecting
from jkeras.core.run.scopes import name_scope

if TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.models.functional import Functional

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

ORDER = "input_shape include_top weights input_tensor pooling classes classifier_activation name"

preprocess_input = expecting("tf", "nasnet")


@architecture("nasnet_large", "nasnet", order=ORDER)
def NASNetLarge(arguments: Arguments) -> "Functional":
    """NASNet-A (6 @ 4032): https://arxiv.org/abs/1707.07012. Images of 331 by 331,
    `preprocess_input` "tf".

    >>> NASNetLarge(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    84916818
    """
    return _nasnet(arguments, 331, "nasnet_large", stem=96, width=168, depth=6, skips=True)


@architecture("nasnet_mobile", "nasnet", order=ORDER)
def NASNetMobile(arguments: Arguments) -> "Functional":
    """NASNet-A (4 @ 1056): https://arxiv.org/abs/1707.07012. Images of 224 by 224,
    `preprocess_input` "tf".

    >>> NASNetMobile(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    4269716
    """
    if not arguments.include_top and arguments.input_shape is None:
        arguments = dataclasses.replace(arguments, input_shape=(224, 224, 3))
    return _nasnet(arguments, 224, "nasnet_mobile", stem=32, width=44, depth=4, skips=False)


def _nasnet(
    arguments: Arguments, size: int, file: str, stem: int, width: int, depth: int, skips: bool
) -> "Functional":
    """A NASNet.

    Args:
        stem: channels of the first convolution.
        width: channels in the cells of the first stage; each stage has twice as many.
        depth: cells of a stage.
        skips: whether the first cell of a stage looks past the cell that halves the size.
    """
    only_channels_last("NASNet")
    if (
        arguments.weights == "imagenet"
        and arguments.input_shape is not None
        and None in arguments.input_shape
    ):
        raise ValueError(
            "With the weights of ImageNet the `input_shape` of a NASNet must be static, without "
            f"None. Received: input_shape={arguments.input_shape}"
        )
    images = begin(arguments, size, 32)
    x = layers.Conv2D(
        stem, 3, strides=2, use_bias=False, name="stem_conv1", kernel_initializer="he_normal"
    )(images)
    x = _normalized(x, "stem_bn1")
    before = None
    for i, stem_width in enumerate([width // 4, width // 2], 1):
        x, before = _reduction_cell(x, before, stem_width, f"stem_{i}"), x
    for stage in range(3):
        wide = width * 2**stage
        if stage:
            halved = _reduction_cell(x, before, wide, f"reduce_{stage * depth}")
            if not skips:
                before = x
            x = halved
        for i in range(depth):
            x, before = _normal_cell(x, before, wide, stage * depth + i + (stage > 0)), x
    x = layers.Activation("relu")(x)
    files = [f"{file}.h5", f"{file}_no_top.h5"]
    return end(arguments, images, x, classifier(arguments, None), (None, None), files)


# ---------------------------------------------------------------- cells


def _normal_cell(
    x: "KerasTensor", before: "KerasTensor | None", width: int, block: int
) -> "KerasTensor":
    """Five sums of two things each, and what was before, side by side."""
    with name_scope(f"normal_A_block_{block}"):
        p = _adjusted(before, x, width, block)
        h = _projected(x, width, f"normal_conv_1_{block}", f"normal_bn_1_{block}")

        def add(i: int, *terms: "KerasTensor") -> "KerasTensor":
            return layers.Add(name=f"normal_add_{i}_{block}")(terms)

        def separable(x: "KerasTensor", kernel: int, name: str) -> "KerasTensor":
            return _separable(x, width, kernel, f"normal_{name}_{block}")

        def average(x: "KerasTensor", name: str) -> "KerasTensor":
            return layers.AveragePooling2D(
                3, strides=1, padding="same", name=f"normal_{name}_{block}"
            )(x)

        sums = [p]
        with name_scope("block_1"):
            sums.append(add(1, separable(h, 5, "left1"), separable(p, 3, "right1")))
        with name_scope("block_2"):
            sums.append(add(2, separable(p, 5, "left2"), separable(p, 3, "right2")))
        sums.append(add(3, average(h, "left3"), p))
        sums.append(add(4, average(p, "left4"), average(p, "right4")))
        with name_scope("block_5"):
            sums.append(add(5, separable(h, 3, "left5"), h))
        return layers.Concatenate(axis=-1, name=f"normal_concat_{block}")(sums)


def _reduction_cell(
    x: "KerasTensor", before: "KerasTensor | None", width: int, block: str
) -> "KerasTensor":
    """Four sums of two things each, of half the size, side by side."""
    with name_scope(f"reduction_A_block_{block}"):
        p = _adjusted(before, x, width, block)
        h = _projected(x, width, f"reduction_conv_1_{block}", f"reduction_bn_1_{block}")
        padded = layers.ZeroPadding2D(padding_for(h, 3), name=f"reduction_pad_1_{block}")(h)

        def add(name: str, *terms: "KerasTensor") -> "KerasTensor":
            return layers.Add(name=f"reduction_{name}_{block}")(terms)

        def separable(x: "KerasTensor", kernel: int, name: str, strides: int = 2) -> "KerasTensor":
            return _separable(x, width, kernel, f"reduction_{name}_{block}", strides)

        def pool(kind: type, name: str) -> "KerasTensor":
            return kind(3, strides=2, name=f"reduction_{name}_{block}")(padded)

        with name_scope("block_1"):
            one = add("add_1", separable(h, 5, "left1"), separable(p, 7, "right1"))
        with name_scope("block_2"):
            two = add("add_2", pool(layers.MaxPooling2D, "left2"), separable(p, 7, "right2"))
        with name_scope("block_3"):
            three = add("add3", pool(layers.AveragePooling2D, "left3"), separable(p, 5, "right3"))
        four = layers.AveragePooling2D(
            3, strides=1, padding="same", name=f"reduction_left4_{block}"
        )(one)
        four = layers.Add()([two, four])
        with name_scope("block_5"):
            five = add("add4", separable(one, 3, "left4", 1), pool(layers.MaxPooling2D, "right5"))
        return layers.Concatenate(axis=-1, name=f"reduction_concat_{block}")(
            [two, three, four, five]
        )


def _adjusted(
    before: "KerasTensor | None", x: "KerasTensor", width: int, block: int | str
) -> "KerasTensor":
    """The cell before last with the size and the channels of the last; that itself, where there is
    none.
    """
    with name_scope("adjust_block"):
        if before is None:
            return x
        if before.shape[-2] != x.shape[-2]:
            with name_scope(f"adjust_reduction_block_{block}"):
                return _halved(before, width, block)
        if before.shape[-1] != width:
            with name_scope(f"adjust_projection_block_{block}"):
                return _projected(
                    before, width, f"adjust_conv_projection_{block}", f"adjust_bn_{block}"
                )
        return before


def _halved(x: "KerasTensor", width: int, block: int | str) -> "KerasTensor":
    """Every second pixel, beginning with the first, and every second from one further down and to
    the right.
    """
    x = layers.Activation("relu", name=f"adjust_relu_1_{block}")(x)
    shifted = layers.Cropping2D(((1, 0), (1, 0)))(layers.ZeroPadding2D(((0, 1), (0, 1)))(x))
    halves = []
    for i, pixels in enumerate([x, shifted], 1):
        half = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_{i}_{block}")(pixels)
        halves.append(_convolved(half, width // 2, f"adjust_conv_{i}_{block}"))
    return _normalized(layers.Concatenate(axis=-1)(halves), f"adjust_bn_{block}")


# ---------------------------------------------------------------- pieces of cells


def _separable(
    x: "KerasTensor", width: int, kernel: int, name: str, strides: int = 1
) -> "KerasTensor":
    """Twice relu, a separable convolution and normalization; the first convolution has the
    strides.
    """
    with name_scope(f"separable_conv_block_{name}"):
        for i, step in enumerate([strides, 1], 1):
            x = layers.Activation("relu")(x)
            if step > 1:
                x = layers.ZeroPadding2D(
                    padding_for(x, kernel), name=f"separable_conv_{i}_pad_{name}"
                )(x)
            x = layers.SeparableConv2D(
                width,
                kernel,
                strides=step,
                padding="valid" if step > 1 else "same",
                use_bias=False,
                name=f"separable_conv_{i}_{name}",
            )(x)
            x = _normalized(x, f"separable_conv_{i}_bn_{name}")
        return x


def _projected(x: "KerasTensor", width: int, conv: str, norm: str) -> "KerasTensor":
    """Relu, a convolution of 1 by 1, and normalization; `conv`, `norm`: their names."""
    return _normalized(_convolved(layers.Activation("relu")(x), width, conv), norm)


def _convolved(x: "KerasTensor", width: int, name: str) -> "KerasTensor":
    return layers.Conv2D(
        width, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)


def _normalized(x: "KerasTensor", name: str) -> "KerasTensor":
    return layers.BatchNormalization(axis=-1, momentum=0.9997, name=name)(x)
