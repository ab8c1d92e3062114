"""Masks that travel beside tensors."""

import warnings

import keras
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.errors import LostMaskWarning


def test_a_symbolic_mask_that_ends_at_a_layer_without_masks():
    """As in Keras: the graph is made, and the layers behind see no mask."""
    tokens = jkeras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True)(tokens)
    x = layers.Reshape((20,))(x)
    model = jkeras.Model(tokens, layers.Dense(2)(x))
    assert getattr(x, "_keras_mask", None) is None
    assert model.predict(np.ones((3, 5), "int32"), verbose=0).shape == (3, 2)


def tokens_and_vectors():
    tokens = jkeras.Input((5,), dtype="int32")
    return tokens, layers.Embedding(7, 4, mask_zero=True, name="vectors")(tokens)


def attended(x):
    return layers.MultiHeadAttention(2, 2)(x, x)


CONVOLUTION = {"filters": 4, "kernel_size": 3, "padding": "same", "name": "convolution"}

LOST = {
    "residual": (lambda x: x + attended(x), r"ends at 'add\w*'.* and the loss takes"),
    "behind": (lambda x: layers.Dense(2)(x * 2.0), r"ends at 'multiply\w*'.* and the loss takes"),
    "convolution": (
        lambda x: layers.LSTM(3, name="reader")(layers.Conv1D(**CONVOLUTION)(x)),
        r"ends at 'convolution' \(Conv1D\).*'reader' \(LSTM\) takes",
    ),
    "fewer steps": (
        lambda x: layers.GlobalAveragePooling1D(name="mean")(
            layers.MaxPooling1D()(layers.Conv1D(4, 2, name="convolution")(x))
        ),
        r"ends at 'convolution' \(Conv1D\).*'mean' \(GlobalAveragePooling1D\)",
    ),
    "more steps": (
        lambda x: layers.Dense(1)(layers.UpSampling1D(name="wider")(x)),
        r"ends at 'wider' \(UpSampling1D\).* the loss",
    ),
    "added": (
        lambda x: layers.Bidirectional(layers.GRU(2), name="both")(
            layers.Dropout(0.1)(layers.Add(name="sum")([x, layers.Conv1D(**CONVOLUTION)(x)]))
        ),
        r"ends at 'sum' \(Add\).*'both' \(Bidirectional\)|'convolution'",
    ),
}

KEPT = {
    "residual": lambda x: layers.Add()([x, attended(x)]),
    "read": lambda x: layers.LSTM(3)(layers.Dropout(0.1)(layers.LayerNormalization()(x))),
    "mean": lambda x: jkeras.ops.mean(x, axis=1),
    "flat": lambda x: layers.Dense(2)(layers.Flatten()(x)),
    "largest": lambda x: layers.GlobalMaxPooling1D()(layers.Conv1D(**CONVOLUTION)(x)),
    "shorter": lambda x: layers.GlobalMaxPooling1D(keepdims=True)(layers.Conv1D(4, 3)(x)),
    "repeated": lambda x: layers.GRU(2)(layers.RepeatVector(5)(layers.GRU(5)(x))),
}


def fit_it(model, **options):
    model.compile("sgd", "mse")
    y = np.zeros((3, *model.output_shape[1:]))
    model.fit(np.ones((3, 5), "int32"), y, verbose=0, **options)


@pytest.mark.promise("If a later RNN, attention, `GlobalAveragePooling1D`")
@pytest.mark.promise("As in Keras, a mask is lost at an operator such as")
@pytest.mark.parametrize("name", LOST)
def test_a_mask_that_is_missed(name):
    """Said once, by `fit`; where a layer misses it, by `predict` too."""
    make, said = LOST[name]
    tokens, x = tokens_and_vectors()
    model = jkeras.Model(tokens, make(x))
    with pytest.warns(LostMaskWarning, match=said):
        fit_it(model)
    fit_it(model)
    model.predict(np.ones((3, 5), "int32"), verbose=0)


def _inner(end):
    """A model of vectors, as one that is called in another one."""
    x = jkeras.Input((5, 4))
    return jkeras.Model(x, end(x), name="inner")


def _whole(end):
    """A model of tokens, which has its own mask."""
    tokens, x = tokens_and_vectors()
    return jkeras.Model(tokens, end(x), name="whole")


class Calls(jkeras.Model):
    """A model with a `call` around another one."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


def _tokens(end):
    tokens = jkeras.Input((5,))
    return jkeras.Model(tokens, end(tokens))


def _vectors(end):
    tokens, x = tokens_and_vectors()
    return jkeras.Model(tokens, end(x))


NESTED = {
    "inside": (
        lambda: _tokens(_whole(lambda x: layers.LSTM(3, name="reader")(x * 2.0))),
        r"ends at 'multiply.* 'reader'",
    ),
    "behind it": (
        lambda: _tokens(lambda t: layers.LSTM(3, name="reader")(_whole(lambda x: x * 2.0)(t))),
        r"ends at 'multiply.* 'reader'",
    ),
    "the loss": (
        lambda: _tokens(lambda t: layers.Dense(1)(_whole(lambda x: x * 2.0)(t))),
        "ends at 'multiply.* the loss",
    ),
    "from without": (
        lambda: _vectors(_inner(lambda x: layers.LSTM(3, name="reader")(x + attended(x)))),
        r"ends at 'add.* 'reader'",
    ),
    "through it": (
        lambda: _vectors(
            lambda x: layers.LSTM(3, name="reader")(_inner(lambda x: x + attended(x))(x))
        ),
        r"ends at 'add.* 'reader'",
    ),
    "in a sequence": (
        lambda: jkeras.Sequential(
            [jkeras.Input((5,)), _whole(lambda x: x * 2.0), layers.GRU(3, name="reader")]
        ),
        r"ends at 'multiply.* 'reader'",
    ),
    "in a call": (
        lambda: Calls(_whole(lambda x: layers.LSTM(3, name="reader")(x * 2.0))),
        r"ends at 'multiply.* 'reader'",
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_mask_that_is_missed_in_a_model_inside(name):
    make, said = NESTED[name]
    model = make()
    model.compile("sgd", "mse")
    x = np.ones((3, 5), "int32")
    with pytest.warns(LostMaskWarning, match=said) as warned:
        y = model.predict(x, verbose=0)
        model.fit(x, y, verbose=0)
    assert len(warned) == 1


@pytest.mark.parametrize("name", KEPT)
def test_a_mask_that_nobody_misses_in_a_model_inside(name):
    model = _vectors(_inner(KEPT[name]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_it(model)


@pytest.mark.parametrize("name", KEPT)
def test_a_mask_that_nobody_misses(name):
    tokens, x = tokens_and_vectors()
    model = jkeras.Model(tokens, KEPT[name](x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_it(model)


def test_who_says_what_is_padding_is_not_told():
    tokens, x = tokens_and_vectors()
    y = layers.GlobalAveragePooling1D()(x * 2.0, mask=jkeras.ops.not_equal(tokens, 0))
    fit_it(jkeras.Model(tokens, y))
    tokens, x = tokens_and_vectors()
    fit_it(jkeras.Model(tokens, x * 2.0), sample_weight=np.ones((3, 5)))
    inner = _inner(layers.LSTM(3))
    fit_it(jkeras.Model(tokens, inner(x * 2.0, mask=jkeras.ops.not_equal(tokens, 0))))


@pytest.mark.promise("`y._keras_mask` is there on symbolic tensors alone")
def test_the_mask_of_an_array_lies_beside_it():
    embedding = layers.Embedding(7, 4, mask_zero=True)
    tokens = np.array([[1, 2, 0]])
    y = embedding(tokens)
    assert not hasattr(y, "_keras_mask")
    mean = layers.GlobalAveragePooling1D()(y)
    np.testing.assert_allclose(mean, np.asarray(y)[:, :2].mean(1), rtol=1e-6)
    assert embedding(jkeras.Input((3,), dtype="int32"))._keras_mask is not None


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("causal", [False, True])
def test_targets_that_see_nothing_beside_keras(name, dropout, causal):
    """With dropout Keras gives them zeros, out of training too; without, the mean of all."""
    sizes = {"MultiHeadAttention": (2, 3), "GroupQueryAttention": (2, 4, 2)}[name]

    def predicted(k):
        k.utils.set_random_seed(1)
        tokens = k.Input((4,), dtype="int32")
        x = k.layers.Embedding(9, 4, mask_zero=True)(tokens)
        y = getattr(k.layers, name)(*sizes, dropout=dropout)(x, x, use_causal_mask=causal)
        model = k.Model(tokens, y)
        return model.predict(np.array([[0, 3, 0, 2], [1, 0, 2, 0], [0, 0, 0, 0]]), verbose=0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_allclose(predicted(jkeras), predicted(keras), atol=1e-6)
