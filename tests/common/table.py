"""One row for each layer class; `test_layers.py` runs the shared checks on every row."""

import inspect
import typing

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from tests.parity.case import Part

LEFT_OUT = {
    "EquinoxLayer": "has no config: tested by itself",
    "Layer": "the base class",
    "Wrapper": "the base class of wrappers",
    "InputLayer": "is never called",
    **dict.fromkeys(
        ("TFSMLayer", "TorchModuleWrapper"), "of another framework: only says what to use instead"
    ),
}


class Row(typing.NamedTuple):
    """One layer with small inputs."""

    layer: str
    kwargs: dict
    # shapes with a batch of 2; lists and dicts of shapes for an argument that is one of arrays
    inputs: list
    ints: int | None = None  # integer inputs in [0, ints)
    changes: bool = False  # its state changes in training
    expected: dict = {}  # check -> reason why it fails
    pixels: bool = False  # inputs in [0, 255)
    texts: tuple = ()  # inputs are texts among these; they stay on the host, so no jit and vmap
    other: list | None = None  # a second input; None: `inputs` with another size on every axis


def is_shape(value):
    """Whether a value in `Row.inputs` is a shape, rather than a list or dict of shapes."""
    return isinstance(value, tuple) and all(isinstance(d, int) for d in value)


def second_shapes(row):
    """Shapes that the row's layer takes as well: sizes that are equal stay equal."""
    if row.other is not None:
        return row.other

    def grown(shape):
        channels = shape[-1:] if row.pixels else ()  # images have three or one
        sizes = shape[1 : len(shape) - len(channels)]
        return (shape[0] + 1, *(size + 2 for size in sizes), *channels)

    return jax.tree_util.tree_map(grown, row.inputs, is_leaf=is_shape)


def arrays(row, shapes):
    """Inputs of these shapes, as the row's layer takes them."""
    rng = np.random.default_rng(0)

    def array(shape):
        if row.texts:
            return rng.choice(row.texts, shape)
        if row.ints:
            return rng.integers(0, row.ints, shape, "int32")
        values = rng.random(shape) * 255 if row.pixels else rng.normal(size=shape)
        return values.astype("float32")

    return jax.tree_util.tree_map(array, list(shapes), is_leaf=is_shape)


def double(x):
    """The function of the Lambda layer."""
    return 2.0 * x + jnp.sin(x)


def affine(params, inputs):
    """The function of JaxLayer."""
    return inputs @ params["w"]


def affine_params(rng, inputs):
    """The parameters of `affine`."""
    return {"w": jax.random.normal(rng, (inputs.shape[-1], 3))}


class Affine(flax.linen.Module):
    """The module of FlaxLayer, with what configs ask for."""

    size: int = 3

    @flax.linen.compact
    def __call__(self, x):
        return flax.linen.Dense(self.size)(x)

    def get_config(self):
        return {"size": self.size}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _dimensions(names, kwargs, sizes=(5, 4, 3), channels=2):
    """A row for each of three dimensions; `names` has "{d}" for the number."""
    return [
        Row(names.format(d=d), kwargs, [(2, *sizes[:d], channels)])
        for d in (1, 2, 3)
        if hasattr(jkeras.layers, names.format(d=d))
    ]


VECTOR, SEQUENCE, IMAGE = [(2, 4)], [(2, 4, 3)], [(2, 5, 4, 3)]
TWO = [[(2, 4, 3), (2, 4, 3)]]
KEY_BIAS = (
    "adding a constant to all scores of a query changes no softmax, "
    "so the key's bias has no gradient"
)

ROWS = [
    Row("Dense", dict(units=3, activation="tanh"), VECTOR),
    Row("TernaryDense", dict(units=3, activation="tanh"), VECTOR),
    Row(
        "EinsumDense",
        dict(equation="abc,cd->abd", output_shape=(4, 5), bias_axes="d"),
        SEQUENCE,
        other=[(3, 4, 6)],
    ),
    Row("Embedding", dict(input_dim=7, output_dim=3), VECTOR, ints=7),
    Row("ReversibleEmbedding", dict(input_dim=7, output_dim=3, tie_weights=True), VECTOR, ints=7),
    Row("Identity", {}, VECTOR),
    Row("Lambda", dict(function=double), VECTOR),
    Row("JaxLayer", dict(call_fn=affine, init_fn=affine_params), VECTOR),
    Row("FlaxLayer", dict(module=Affine()), VECTOR),
    Row("Masking", {}, SEQUENCE),
    Row(
        "Normalization",
        dict(mean=(0.0, 1.0, 2.0), variance=(1.0, 2.0, 0.5)),
        SEQUENCE,
        other=[(3, 6, 3)],
    ),
    Row("Rescaling", dict(scale=0.5, offset=1.0), VECTOR),
    Row("Activation", dict(activation="gelu"), VECTOR),
    *(Row(name, {}, SEQUENCE) for name in ("ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax")),
    Row("ActivityRegularization", dict(l1=0.1), VECTOR),
    *(
        Row(name, dict(rate=0.4), SEQUENCE)
        for name in ("AlphaDropout", "Dropout", "GaussianDropout")
    ),
    Row("GaussianNoise", dict(stddev=0.3), SEQUENCE),
    *_dimensions("SpatialDropout{d}D", dict(rate=0.4)),
    *(
        Row(name, {}, TWO)
        for name in ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
    ),
    Row("Dot", dict(axes=2), TWO),
    Row("BatchNormalization", {}, SEQUENCE, changes=True),
    Row("GroupNormalization", dict(groups=3), SEQUENCE, other=[(3, 6, 9)]),
    Row("LayerNormalization", {}, SEQUENCE),
    Row("RMSNormalization", {}, SEQUENCE),
    Row("UnitNormalization", {}, SEQUENCE),
    Row("SpectralNormalization", dict(layer=Part("Dense", dict(units=3))), VECTOR, changes=True),
    Row("AdditiveAttention", {}, TWO),
    Row("Attention", dict(use_scale=True), TWO),
    Row(
        "GroupQueryAttention",
        dict(head_dim=3, num_query_heads=4, num_key_value_heads=2),
        [(2, 4, 3), (2, 5, 3)],
        expected={"gradients": KEY_BIAS},
    ),
    Row(
        "MultiHeadAttention",
        dict(num_heads=2, key_dim=3),
        [(2, 4, 3), (2, 5, 3)],
        expected={"gradients": KEY_BIAS},
    ),
    *_dimensions("Conv{d}D", dict(filters=3, kernel_size=2, padding="same")),
    *_dimensions("Conv{d}DTranspose", dict(filters=3, kernel_size=2, strides=2)),
    *_dimensions("DepthwiseConv{d}D", dict(kernel_size=2, depth_multiplier=2)),
    *_dimensions("SeparableConv{d}D", dict(filters=3, kernel_size=2)),
    *_dimensions("MaxPooling{d}D", {}),
    *_dimensions("AveragePooling{d}D", dict(pool_size=2, padding="same")),
    *_dimensions("GlobalMaxPooling{d}D", {}),
    *_dimensions("GlobalAveragePooling{d}D", dict(keepdims=True)),
    *_dimensions("AdaptiveMaxPooling{d}D", dict(output_size=2)),
    *_dimensions("AdaptiveAveragePooling{d}D", dict(output_size=2)),
    *_dimensions("Cropping{d}D", dict(cropping=1)),
    *_dimensions("ZeroPadding{d}D", dict(padding=1)),
    *_dimensions("UpSampling{d}D", dict(size=2)),
    Row("Flatten", {}, IMAGE),
    Row("Permute", dict(dims=(2, 1)), SEQUENCE),
    Row("RepeatVector", dict(n=3), VECTOR),
    Row("Reshape", dict(target_shape=(-1, 2)), SEQUENCE),
    *(Row(name, dict(units=3), SEQUENCE) for name in ("GRU", "LSTM", "SimpleRNN")),
    Row("GRUCell", dict(units=3), [(2, 4), (2, 3)], other=[(3, 6), (3, 3)]),
    Row("SimpleRNNCell", dict(units=3), [(2, 4), (2, 3)], other=[(3, 6), (3, 3)]),
    Row(
        "LSTMCell",
        dict(units=3),
        [(2, 4), [(2, 3), (2, 3)]],
        other=[(3, 6), [(3, 3), (3, 3)]],
    ),
    Row(
        "StackedRNNCells",
        dict(cells=[Part("LSTMCell", dict(units=3)), Part("GRUCell", dict(units=2))]),
        [(2, 4), [[(2, 3), (2, 3)], [(2, 2)]]],
        other=[(3, 6), [[(3, 3), (3, 3)], [(3, 2)]]],
    ),
    Row(
        "RNN",
        dict(cell=Part("LSTMCell", dict(units=3)), return_sequences=True, return_state=True),
        SEQUENCE,
    ),
    *(
        Row(f"ConvLSTM{d}D", dict(filters=2, kernel_size=2), [(2, 2, *(3, 3, 3)[:d], 2)])
        for d in (1, 2, 3)
    ),
    Row("CategoryEncoding", dict(num_tokens=7), VECTOR, ints=7),
    Row("Discretization", dict(bin_boundaries=[-0.5, 0.5]), VECTOR),
    Row("Hashing", dict(num_bins=5), VECTOR, ints=50),
    Row("HashedCrossing", dict(num_bins=5), [[(2, 1), (2, 1)]], ints=50, other=[[(3, 1), (3, 1)]]),
    Row("IntegerLookup", dict(vocabulary=[3, 1, 4]), VECTOR, ints=6),
    Row("StringLookup", dict(vocabulary=["a", "b"]), VECTOR, texts=("a", "b", "c")),
    Row(
        "TextVectorization",
        dict(vocabulary=["a", "b"], output_sequence_length=3),
        [(2,)],
        texts=("a b", "B. c"),
    ),
    Row(
        "STFTSpectrogram",
        dict(frame_length=8, frame_step=4, mode="magnitude"),
        [(2, 20, 2)],
        expected={
            "init": "the kernels are windows, not random",
            "bfloat16": "as in Keras, no bfloat16 signals",
        },
    ),
    Row("MelSpectrogram", dict(fft_length=16, sequence_stride=8, num_mel_bins=4), [(2, 40)]),
    Row(
        "Pipeline", dict(layers=[Part("Rescaling", dict(scale=0.5)), Part("RandomFlip", {})]), IMAGE
    ),
    *(
        Row(name, dict(height=3, width=2), IMAGE, pixels=True)
        for name in ("CenterCrop", "Resizing")
    ),
    Row(
        "RandomCrop",
        dict(height=3, width=2),
        IMAGE,
        pixels=True,
        expected={
            "symbolic_shape": "as in Keras, the symbolic shape is that of training",
            "bfloat16": "as in Keras, images that are not cropped stay as they are",
        },
    ),
    *(
        Row(name, {}, IMAGE, pixels=True)
        for name in (
            "AugMix",
            "AutoContrast",
            "ContrastLimitedAdaptiveHistogramEqualization",
            "Equalization",
            "RandAugment",
            "RandomColorJitter",
            "RandomElasticTransform",
            "RandomErasing",
            "RandomFlip",
            "RandomGaussianBlur",
            "RandomGrayscale",
            "RandomInvert",
            "RandomPerspective",
            "RandomShear",
        )
    ),
    *(
        Row(name, dict(factor=0.3), IMAGE, pixels=True)
        for name in (
            "RandomBrightness",
            "RandomColorDegeneration",
            "RandomContrast",
            "RandomHue",
            "RandomRotation",
            "RandomSaturation",
            "RandomSharpness",
        )
    ),
    *(
        Row(
            name,
            {},
            [dict(images=(2, 5, 4, 3), labels=(2, 3))],
            pixels=True,
            expected={"bfloat16": "as in Keras, labels keep their type"},
        )
        for name in ("CutMix", "MixUp")
    ),
    Row(
        "MaxNumBoundingBoxes",
        dict(max_number=2, bounding_box_format="xyxy"),
        [dict(images=(2, 5, 4, 3), bounding_boxes=dict(boxes=(2, 3, 4), labels=(2, 3)))],
        other=[dict(images=(3, 7, 6, 3), bounding_boxes=dict(boxes=(3, 5, 4), labels=(3, 5)))],
        pixels=True,
        expected={"bfloat16": "as in Keras, boxes and labels keep their type"},
    ),
    Row("RandomPosterization", dict(factor=4), IMAGE, pixels=True),
    Row("RandomTranslation", dict(height_factor=0.2, width_factor=0.2), IMAGE, pixels=True),
    Row("RandomZoom", dict(height_factor=0.2), IMAGE, pixels=True),
    Row("Solarization", dict(threshold_factor=0.5), IMAGE, pixels=True),
    Row("Bidirectional", dict(layer=Part("GRU", dict(units=2, return_sequences=True))), SEQUENCE),
    Row(
        "Stack",
        dict(layer=Part("Dense", dict(units=3, activation="tanh")), count=4),
        SEQUENCE,
        other=[(3, 6, 3)],
    ),
    Row("MixtureOfExperts", dict(num_experts=3, hidden_dim=4), SEQUENCE, other=[(3, 6, 3)]),
    Row("PositionEmbedding", dict(sequence_length=9), SEQUENCE, other=[(3, 6, 3)]),
    Row("RotaryEmbedding", dict(max_wavelength=100), [(2, 5, 4)], other=[(3, 6, 3, 4)]),
    Row("TimeDistributed", dict(layer=Part("Dense", dict(units=3))), SEQUENCE),
]


def layer_classes():
    """The classes in `jkeras.layers` that are layers to be called."""
    values = [
        getattr(jkeras.layers, name) for name in jkeras.layers.__all__ if name not in LEFT_OUT
    ]
    return {v for v in values if inspect.isclass(v) and issubclass(v, jkeras.Layer)}
