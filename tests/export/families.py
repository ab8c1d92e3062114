"""Small models of every kind, with data for them: what the tests of exports share."""

import jax
import numpy as np

import jkeras
from jkeras import layers


def mlp():
    return jkeras.Sequential(
        [
            jkeras.Input((5,)),
            layers.Dense(8, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(3, "softmax"),
        ]
    )


def cnn():
    return jkeras.Sequential(
        [
            jkeras.Input((12, 12, 3)),
            layers.Rescaling(0.5),
            layers.RandomFlip(),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.DepthwiseConv2D(3),
            layers.Conv2D(4, 1),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


def lstm():
    return jkeras.Sequential(
        [
            jkeras.Input((6,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.GRU(4),
        ]
    )


def transformer():
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(9, 8, mask_zero=True)(tokens)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x, use_causal_mask=True)])
    x = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.Dense(8)(layers.Dense(16, "gelu")(x))])
    return jkeras.Model(tokens, layers.GlobalAveragePooling1D()(x))


def two_inputs():
    a, b = jkeras.Input((4,)), jkeras.Input((3,))
    return jkeras.Model([a, b], layers.Dense(2)(layers.Concatenate()([a, b])))


def nested():
    image = jkeras.Input((6, 6, 1), name="image")
    word = jkeras.Input((), dtype="int32", name="word")
    seen, read = layers.Flatten()(layers.Conv2D(2, 3)(image)), layers.Embedding(9, 4)(word)
    return jkeras.Model(
        {"word": word, "image": image},
        {"score": layers.Dense(1)(layers.Concatenate()([seen, read])), "parts": [seen, (read,)]},
    )


class Subclass(jkeras.Model):
    """A model written with `call`."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(4)
        self.noise = layers.GaussianNoise(1.0)
        self.head = layers.Dense(2)

    def call(self, x):
        return self.head(self.noise(self.hidden(x)))


def subclass():
    model = Subclass()
    model(np.ones((2, 3), "float32"))
    return model


FAMILIES = {f.__name__: f for f in (mlp, cnn, lstm, transformer, two_inputs, nested, subclass)}


def trained(name):
    """The model of a family, with weights that are nowhere zeros or ones."""
    model, rng = FAMILIES[name](), np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(variable.value + 0.1 * rng.random(variable.shape))
    return model


def data_for(model, size):
    """Inputs of a model, in its structure; five steps where the number is not known."""
    rng = np.random.default_rng(size)

    def array(tensor):
        shape = (size, *(5 if d is None else d for d in tensor.shape[1:]))
        whole = "int" in str(tensor.dtype)
        return (
            rng.integers(0, 9, shape).astype("int32")
            if whole
            else rng.normal(size=shape).astype("float32")
        )

    if isinstance(model, Subclass):
        return array(jkeras.KerasTensor((None, 3)))
    return jax.tree_util.tree_map(array, model.input)


def assert_same(y, expected, atol=1e-6):
    """Two structures of equal numbers."""
    assert jax.tree_util.tree_structure(y) == jax.tree_util.tree_structure(expected)
    for a, b in zip(jax.tree_util.tree_leaves(y), jax.tree_util.tree_leaves(expected)):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=atol)
