"""ConvNeXt: a convolutional network with the habits of transformers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jkeras import layers, random
from jkeras.applications.building import (
    Arguments,
    architecture,
    begin,
    channel_axis,
    model_of,
    outputs_of,
)
from jkeras.applications.imagenet_utils import DEVIATIONS, MEANS, decode_predictions, expecting
from jkeras.core.layer import Layer, layer
from jkeras.core.session.settings import auto_name
from jkeras.kernel.spec import Spec, Weight
from jkeras.initializers import Constant
from jkeras.models import Sequential
from jkeras.utils.tensors import get_source_inputs

if TYPE_CHECKING:
    import jax
    from jkeras.core.graph.keras_tensor import KerasTensor
    from jkeras.core.run.context import Context
    from jkeras.models.functional import Functional

__all__ = [
    *(f"ConvNeXt{size}" for size in ("Base", "Large", "Small", "Tiny", "XLarge")),
    "decode_predictions",
    "preprocess_input",
]

ORDER = (
    "include_top include_preprocessing weights input_tensor input_shape pooling classes "
    "classifier_activation name"
)
EPSILON = 1e-6  # of the layer normalizations

preprocess_input = expecting(None, "convnext")


def _variant(size: str, depth: int, width: int, count: int) -> "Callable[..., Functional]":
    """A function of the public API, from the number of blocks in the third stage and the channels
    in the first.
    """
    name_of_file = f"convnext_{size.lower()}"

    def build(arguments: Arguments, include_preprocessing: bool = True) -> "Functional":
        return _convnext(depth, width, include_preprocessing, name_of_file, arguments)

    name = build.__name__ = f"ConvNeXt{size}"
    build.__doc__ = f"""ConvNeXt of {3 + 3 + depth + 3} blocks of {width} channels or more:
    https://arxiv.org/abs/2201.03545.

    Images of 224 by 224 with values from 0 to 255. It wants images with the channels last.

    >>> {name}(weights=None, include_top=False, input_shape=(32, 32, 3)).count_params()
    {count}

    Args:
        include_preprocessing: whether the model takes the mean from images and divides by the
            deviation.
    """
    return architecture(name_of_file, "convnext", order=ORDER)(build)


ConvNeXtTiny = _variant("Tiny", 9, 96, 27820128)
ConvNeXtSmall = _variant("Small", 27, 96, 49454688)
ConvNeXtBase = _variant("Base", 27, 128, 87566464)
ConvNeXtLarge = _variant("Large", 27, 192, 196230336)
ConvNeXtXLarge = _variant("XLarge", 27, 256, 348147968)


def _convnext(
    depth: int, width: int, include_preprocessing: bool, file: str, arguments: Arguments
) -> "Functional":
    if channel_axis() == 1:
        raise ValueError(
            "ConvNeXt does not support the `channels_first` image data format: its kernels "
            "have channels last. Set it with `jkeras.config.set_image_data_format`."
        )
    name = arguments.name
    if arguments.weights == "imagenet" and file not in name:
        raise ValueError(
            f"The trained weights of '{file}' are for the model of that name alone. Received: "
            f"the name '{name}'"
        )
    x = images = begin(arguments, 224, 32)
    if include_preprocessing and images.shape[3] == 3:
        x = layers.Normalization(
            -1,
            [255 * mean for mean in MEANS["torch"]],
            [(255 * deviation) ** 2 for deviation in DEVIATIONS],
            name=f"{name}_prestem_normalization",
        )(x)
    for stage, blocks in enumerate((3, 3, depth, 3)):
        x = _smaller(stage, width * 2**stage, name)(x)
        for block in range(blocks):
            x = _block(x, width * 2**stage, f"{name}_stage_{stage}_block_{block}_")

    def top(x: "KerasTensor") -> "KerasTensor":
        x = layers.GlobalAveragePooling2D(name=f"{name}_head_gap")(x)
        x = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_head_layernorm")(x)
        return layers.Dense(
            arguments.classes, arguments.classifier_activation, name=f"{name}_head_dense"
        )(x)

    last = layers.LayerNormalization(epsilon=EPSILON)
    outputs = outputs_of(arguments, x, top, (None, None))
    if not arguments.include_top:
        outputs = last(outputs)
    files = [f"{file}.h5", f"{file}_notop.h5"]
    return model_of(arguments, get_source_inputs(images)[0], outputs, files)


def _smaller(stage: int, width: int, name: str) -> Sequential:
    """What a stage begins with: it makes the images smaller, the first four times, the others
    twice.
    """
    if stage == 0:
        convolution = layers.Conv2D(width, 4, 4, name=f"{name}_stem_conv")
        norm = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_stem_layernorm")
        return Sequential([convolution, norm], name=f"{name}_stem")
    i = stage - 1
    convolution = layers.Conv2D(width, 2, 2, name=f"{name}_downsampling_conv_{i}")
    norm = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_downsampling_layernorm_{i}")
    return Sequential([norm, convolution], name=f"{name}_downsampling_block_{i}")


def _block(x: "KerasTensor", width: int, prefix: str) -> "KerasTensor":
    before = x
    x = layers.Conv2D(width, 7, padding="same", groups=width, name=f"{prefix}depthwise_conv")(x)
    x = layers.LayerNormalization(epsilon=EPSILON, name=f"{prefix}layernorm")(x)
    x = layers.Dense(4 * width, name=f"{prefix}pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{prefix}gelu")(x)
    x = layers.Dense(width, name=f"{prefix}pointwise_conv_2")(x)
    x = LayerScale(1e-6, width, name=f"{prefix}layer_scale")(x)
    return before + layers.Activation("linear", name=f"{prefix}identity")(x)


# ---------------------------------------------------------------- layers, which are not of the
# public API


@layer("keras.src.applications.convnext")
class LayerScale(Layer):
    """Its input times a weight for each channel, which begins small:
    https://arxiv.org/abs/2103.17239.

    >>> import numpy as np
    >>> print(LayerScale(0.5, 2)(np.array([1.0, 2.0])))
    [0.5 1. ]
    """

    init_values: float
    projection_dim: int

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        return {"gamma": Weight((self.projection_dim,), Constant(self.init_values))}

    def _make_weights(self, specs: list[Spec]) -> None:
        super()._make_weights(specs)
        self.gamma.name = auto_name("variable")  # the name in Keras, which gives it none

    def forward(self, w: dict[str, Any], x: "jax.Array", ctx: "Context") -> "jax.Array":
        return x * w["gamma"]


@layer("keras.src.applications.convnext")
class StochasticDepth(Layer):
    """In training drops an example's features, all of them, at a rate, and scales the others.

    Models with trained weights have none; files of Keras may: https://arxiv.org/abs/1603.09382.

    >>> import numpy as np
    >>> print(StochasticDepth(0.5)(np.ones((1, 2))))
    [[1. 1.]]
    """

    drop_path_rate: float
    call_context = {"training": None}

    def forward(self, w: dict[str, Any], x: "jax.Array", ctx: "Context") -> "jax.Array":
        if not ctx.training:
            return x
        # No generator of its own, since files of Keras have none: the key is one of those of the
        # session.
        return random.dropout(x, self.drop_path_rate, noise_shape=(None, *(1,) * (x.ndim - 1)))
