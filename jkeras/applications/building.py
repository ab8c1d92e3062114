"""What every architecture has around its body: the images, the classifier, the weights."""

import dataclasses
import functools
import inspect
import importlib.resources
import json
import os
import sys
import typing
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from jkeras import activations, layers
from jkeras.core.session import settings
from jkeras.core.names.registry import public
from jkeras.models import Functional
from jkeras.utils.files import get_file
from jkeras.utils.tensors import get_source_inputs

if typing.TYPE_CHECKING:
    from jkeras.core.graph.keras_tensor import KerasTensor

# names of the files of weights of most architectures: of the whole, of the body alone
FILES = (
    "{}_weights_tf_dim_ordering_tf_kernels.h5",
    "{}_weights_tf_dim_ordering_tf_kernels_notop.h5",
)
ARGUMENTS = """

    Args:
        include_top: with the classifier.
        weights: "imagenet": download those that were trained on ImageNet; the path of a file of
            weights; None: random.
        input_tensor: a tensor of images to begin with, the output of another layer say.
        input_shape: of an image, where it is not the usual one; with `include_top` it must be
            known.
        pooling: without the classifier, what is made of the last features, which are images: "avg"
            or "max" over them, or None.
        classes: how many; 1000 for the weights of ImageNet.
        classifier_activation: of the classifier; None for logits.
        name: of the model.

    Raises:
        ValueError: arguments that do not go together, or a file that is not there.
        OSError: the weights cannot be downloaded.
    """


@dataclasses.dataclass(frozen=True)
class Arguments:
    """The arguments that all architectures have."""

    include_top: bool = True
    weights: str | os.PathLike | None = "imagenet"
    input_tensor: Any = None
    input_shape: tuple | None = None
    pooling: str | None = None
    classes: int = 1000
    classifier_activation: Any = "softmax"
    name: str | None = None


SHARED = inspect.signature(Arguments).parameters

# ...: weights="imagenet" would read as str alone
Public = Callable[..., Functional]


def architecture(
    name_of_model: str | None, *modules: str, order: str = " ".join(SHARED)
) -> Callable[[Callable[..., Functional]], Public]:
    """Decorator: a function of the public API, from one of `Arguments` and of arguments that no
    other architecture has, by name.

    Args:
        name_of_model: the default of `name`.
        modules: of `keras.applications`, which have the function too.
        order: the arguments in their order.
    """

    def decorate(build: Callable[..., Functional]) -> Public:
        signature = _signature(build, name_of_model, order)

        def make(*args: Any, **kwargs: Any) -> Functional:
            try:
                given = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{build.__name__}() {error}") from None
            given.apply_defaults()
            own = given.arguments
            arguments = Arguments(**{name: own.pop(name) for name in SHARED})
            return build(arguments, **own)

        make.__module__, make.__name__, make.__doc__, make.__signature__ = (
            build.__module__,
            build.__name__,
            build.__doc__,
            signature,
        )
        return published(*modules)(make)

    return decorate


def _signature(
    build: Callable[..., Functional], name_of_model: str | None, order: str
) -> inspect.Signature:
    """The arguments of an architecture."""
    parameters = {**inspect.signature(build).parameters, **SHARED}
    if name_of_model is not None:
        named = parameters["name"].replace(default=name_of_model, annotation=str)
        parameters["name"] = named
    chosen = [parameters[name] for name in order.split()]
    return inspect.Signature(chosen, return_annotation="Functional")


def published(*modules: str) -> Callable[[Public], Public]:
    """Decorator: a function of the public API, whose docstring is completed by what all
    architectures have; its last section may be "Args:".

    Args:
        modules: of `keras.applications`, which have the function too.
    """

    def decorate(function: Public) -> Public:
        name, doc = function.__name__, function.__doc__.rstrip()
        more = ARGUMENTS
        if "    Args:" in doc:
            more = more.removeprefix("\n\n    Args:")
        function.__qualname__, function.__doc__ = name, doc + more
        names = (f"keras.applications.{module}.{name}" for module in modules)
        return public(f"keras.applications.{name}", *names)(function)

    return decorate


# ---------------------------------------------------------------- before the body


def channel_axis(last: int = 3) -> int:
    """The axis of the channels in images of the session's data format; `last`: how it is written if
    it is the last.
    """
    if settings.image_data_format() == "channels_first":
        return 1
    return last


def only_channels_last(family: str) -> None:
    """Raises ValueError if the session's data format is one that a family does not have."""
    if settings.image_data_format() == "channels_first":
        raise ValueError(
            f"{family} does not support the `channels_first` image data format: it is made for "
            "channels that are last. Before it, call "
            "`jkeras.config.set_image_data_format('channels_last')`."
        )


def sides_of(shape: tuple) -> tuple:
    """Height and width from the shape of an image."""
    if settings.image_data_format() == "channels_first":
        return tuple(shape[1:])
    return tuple(shape[:2])


def begin(arguments: Arguments, size: int, least: int, fixed: bool | None = None) -> "KerasTensor":
    """The tensor of images that the body begins with.

    Args:
        size: usual height and width of images.
        least: the smallest.
        fixed: whether height and width must be static; by default with the classifier.

    Raises:
        ValueError: arguments that do not go together.
    """
    return images_of(arguments, asked_shape(arguments, size, least, fixed))


def asked_shape(arguments: Arguments, size: int, least: int, fixed: bool | None = None) -> tuple:
    """The shape of an image, after the arguments are checked to go together; the arguments as of
    `begin`.
    """
    if arguments.weights not in ("imagenet", None) and not os.path.exists(arguments.weights):
        raise ValueError(
            "`weights` takes None, for weights that are drawn, the name 'imagenet', for "
            "trained ones, or the path to the weights file of yours. There is no such file: "
            f"{arguments.weights}"
        )
    if arguments.weights == "imagenet" and arguments.include_top and arguments.classes != 1000:
        raise ValueError(
            "The weights of 'imagenet' are for 1000 classes where the top is included, so that "
            f"`classes` should be 1000. Received: {arguments.classes}"
        )
    if fixed is None:
        fixed = arguments.include_top
    return image_shape(arguments.input_shape, size, least, fixed, arguments.weights)


def images_of(arguments: Arguments, shape: tuple) -> "KerasTensor":
    """The tensor of images: `input_tensor`, else an `Input` of this shape."""
    if arguments.input_tensor is None:
        return layers.Input(shape)
    if not hasattr(arguments.input_tensor, "shape"):
        raise ValueError(
            f"`input_tensor` should be a tensor, such as the output of a layer. Received: "
            f"{arguments.input_tensor!r}"
        )
    return arguments.input_tensor


def image_shape(
    shape: tuple | None,
    size: int,
    least: int,
    fixed: bool | None,
    weights: str | os.PathLike | None,
) -> tuple:
    """The shape of an image in the session's data format, from what was asked for; the arguments as
    of `begin`.
    """
    usual = _with_channels((size, size), _channels(shape, weights))
    if weights == "imagenet" and fixed:
        if shape is not None and tuple(shape) != usual:
            raise ValueError(
                f"The top that was trained on 'imagenet' takes images of shape {usual} alone: "
                f"leave out `input_shape`, or the top. Received: input_shape={shape}"
            )
        return usual
    if shape:
        _check_shape(shape, least, fixed, weights)
        return tuple(shape)
    if fixed:
        return usual
    return _with_channels((None, None), 3)


def _channels(shape: tuple | None, weights: str | os.PathLike | None) -> int:
    """How many channels usual images have, where this shape was asked for."""
    if weights == "imagenet" or not shape or len(shape) != 3:
        return 3
    channels = _channels_in(shape)
    if channels not in (1, 3):
        warnings.warn(
            f"Images have 1 or 3 input channels, as a rule. This model is made for {channels} "
            "of them.",
            stacklevel=_level_of_caller(),
        )
    return channels


def _level_of_caller() -> int:
    """The `stacklevel` of a warning in the function that asks, for the line that asks for an
    architecture.
    """
    level = 1
    while sys._getframe(level).f_globals["__name__"].startswith("jkeras.applications."):
        level += 1
    return level


def _with_channels(sides: tuple, channels: int) -> tuple:
    """The shape of an image in the session's data format."""
    if settings.image_data_format() == "channels_first":
        return (channels, *sides)
    return (*sides, channels)


def _channels_in(shape: tuple) -> int:
    """The channels of an image of a shape in the session's data format."""
    if settings.image_data_format() == "channels_first":
        return shape[0]
    return shape[-1]


def _check_shape(
    shape: tuple, least: int, fixed: bool | None, weights: str | os.PathLike | None
) -> None:
    """Raises ValueError for a shape that images of a model cannot have."""
    if len(shape) != 3:
        raise ValueError(
            f"`input_shape`: expected three whole numbers, those of one image. Received: {shape}"
        )
    if weights == "imagenet" and _channels_in(shape) != 3:
        raise ValueError(
            "The trained weights are for images in color: `input_shape` must have "
            f"3 channels. Received: {shape}"
        )
    if any(side is not None and side < least for side in sides_of(shape)):
        raise ValueError(
            f"Input size must be at least {least}x{least}; Received: input_shape={shape}"
        )
    if fixed and None in shape:
        raise ValueError(
            "The top of this model has a kernel whose size follows from that of the images. "
            f"With `include_top=True` give an `input_shape` without None. Received: {shape}"
        )


def padding_for(x: "KerasTensor", kernel: int) -> tuple[tuple[int, int], ...]:
    """`ZeroPadding2D`'s argument for a strided convolution without padding, so that its windows lie
    as with "same".
    """
    sides = sides_of(x.shape[1:])
    if sides[0] is None:
        sides = (0, 0)
    return tuple((kernel // 2 - 1 + side % 2, kernel // 2) for side in sides)


def ready_for(x: "KerasTensor", kernel: int, stride: int, name: str) -> "tuple[KerasTensor, str]":
    """`(x, padding)` for a convolution: one with strides gets its input padded, by a layer of this
    name.
    """
    if stride == 1:
        return x, "same"
    return layers.ZeroPadding2D(padding_for(x, kernel), name=name)(x), "valid"


def divisible(width: float, least: int = 0.9) -> int:
    """A number of channels as the nearest multiple of 8, but no less than the share `least` of it.

    >>> divisible(30), divisible(10), divisible(10, least=0)
    (32, 16, 8)
    """
    rounded = max(8, int(width + 4) // 8 * 8)
    if rounded < least * width:
        rounded += 8
    return rounded


# ---------------------------------------------------------------- after the body


def end(
    arguments: Arguments,
    images: "KerasTensor",
    x: "KerasTensor",
    top: "Callable[[KerasTensor], KerasTensor] | None" = None,
    pools: tuple[str | None, str | None] = ("avg_pool", "max_pool"),
    files: Sequence[str] | None = None,
) -> Functional:
    """The model.

    Args:
        images: what `begin` gave.
        x: the features.
        top, pools: as of `outputs_of`.
        files: as of `model_of`.
    """
    inputs = images
    if arguments.input_tensor is not None:
        inputs = get_source_inputs(images)
    return model_of(arguments, inputs, outputs_of(arguments, x, top, pools), files)


def outputs_of(
    arguments: Arguments,
    x: "KerasTensor",
    top: "Callable[[KerasTensor], KerasTensor] | None" = None,
    pools: tuple[str | None, str | None] = ("avg_pool", "max_pool"),
) -> "KerasTensor":
    """The predictions, or the features of a model without classifier.

    Args:
        x: the features.
        top: function from the features to the predictions; by default their mean and a `Dense`
            layer.
        pools: names of the layers that `pooling` makes; None: automatic ones.
    """
    if not arguments.include_top:
        return _pooled(x, arguments.pooling, pools)
    check_activation(arguments)
    top = top or classifier(arguments)
    return top(x)


def model_of(
    arguments: Arguments, inputs: Any, outputs: "KerasTensor", files: Sequence[str]
) -> Functional:
    """The model with its weights.

    Args:
        inputs: of the model: the images, or the list of what `input_tensor` comes from.
        files: names of the files of weights of ImageNet: of the whole, of the body alone.
    """
    file = files[0 if arguments.include_top else 1]
    model = Functional(inputs, outputs, name=arguments.name)
    if arguments.weights == "imagenet":
        model.load_weights(downloaded(file))
    elif arguments.weights is not None:
        model.load_weights(arguments.weights)
    return model


def _pooled(
    x: "KerasTensor", pooling: str | None, names: tuple[str | None, str | None]
) -> "KerasTensor":
    """The features of a model without classifier."""
    name_of_average, name_of_maximum = names
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name=name_of_average)(x)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name=name_of_maximum)(x)
    return x


def classifier(
    arguments: Arguments, pool: str = "avg_pool"
) -> "Callable[[KerasTensor], KerasTensor]":
    """The function that most architectures end with: features -> predictions."""

    def top(x: "KerasTensor") -> "KerasTensor":
        x = layers.GlobalAveragePooling2D(name=pool)(x)
        return layers.Dense(arguments.classes, arguments.classifier_activation, name="predictions")(
            x
        )

    return top


def check_activation(arguments: Arguments) -> None:
    """Raises ValueError for an activation that trained weights do not go with."""
    if arguments.weights is not None and activations.get(arguments.classifier_activation) not in (
        activations.get("softmax"),
        activations.get(None),
    ):
        raise ValueError(
            "The top of trained weights gives probabilities or logits: `classifier_activation` "
            "takes only `None` and `softmax` activations there. Received: "
            f"{arguments.classifier_activation}"
        )


def downloaded(name: str) -> str:
    """The path of a file of weights, which is downloaded into the cache unless it is there."""
    address, file_hash = weight_files()[name]
    return get_file(name, address, cache_subdir="models", file_hash=file_hash)


@functools.cache
def weight_files() -> dict[str, tuple[str, str | None]]:
    """{file of weights: (address, hash or None)}: what Keras has published."""
    file = importlib.resources.files("jkeras.applications").joinpath("weights.json")
    return json.loads(file.read_text())
