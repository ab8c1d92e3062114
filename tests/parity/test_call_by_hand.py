"""`layer.call(…)` by hand, from another layer and by `super()`, beside real Keras."""

import inspect

import jax
import keras
import numpy as np
import pytest

import jkeras
from tests.parity.both import LIBRARIES

X = np.arange(24, dtype="float32").reshape(2, 4, 3) / 10
MASK = np.array([[1, 1, 0, 0], [1, 1, 1, 1]], bool)
ONES = dict(kernel_initializer="ones")


def plus_one(base):
    class PlusOne(base):
        def call(self, inputs, **kwargs):
            return super().call(inputs, **kwargs) + 1

    return PlusOne


def outer(K, inner):
    class Outer(K.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def call(self, inputs):
            return self.inner.call(inputs)

    return Outer()


def dense(K):
    layer = plus_one(K.layers.Dense)(2, **ONES)
    layer.build((2, 4, 3))
    return layer


def statistics(K):
    layer = K.layers.BatchNormalization()
    layer.build((2, 4, 3))
    layer.call(X, True)
    return layer.moving_mean


def lstm(K):
    layer = K.layers.LSTM(2, recurrent_initializer="ones", **ONES)
    layer.build((2, 4, 3))
    return layer


def bidirectional(K):
    rnn = K.layers.SimpleRNN(2, recurrent_initializer="ones", **ONES)
    layer = K.layers.Bidirectional(rnn)
    layer.build((2, 4, 3))
    return layer


def sequential(K, cls=None):
    layers = [K.Input((4, 3)), K.layers.Dense(2, **ONES), K.layers.Dropout(0.5, seed=1)]
    return (cls or K.Sequential)(layers)


PROGRAMS = {
    "a subclass's call, by hand": lambda K: dense(K).call(X),
    "by name": lambda K: dense(K).call(inputs=X),
    "the layer": lambda K: dense(K)(X),
    "from another layer": lambda K: outer(K, dense(K))(X),
    "a subclass of Sequential": lambda K: sequential(K, plus_one(K.Sequential)).call(X),
    "a Sequential, trained": lambda K: sequential(K).call(X, True),
    "a Sequential": lambda K: sequential(K).call(X, training=None, mask=None),
    "training by its place": lambda K: K.layers.Dropout(0.5, seed=1).call(X, True),
    "training by name": lambda K: K.layers.Dropout(0.5, seed=1).call(X, training=True),
    "statistics move": statistics,
    "a mask by name": lambda K: K.layers.GlobalAveragePooling1D().call(X, mask=MASK),
    "a mask by its place": lambda K: K.layers.GlobalAveragePooling1D().call(X, MASK),
    "a mask of a LSTM by name": lambda K: lstm(K).call(X, mask=MASK),
    "a mask of a LSTM by its place": lambda K: lstm(K).call(X, None, MASK),
    "a mask of Bidirectional": lambda K: bidirectional(K).call(X, mask=MASK),
    "a mask of a Softmax": lambda K: K.layers.Softmax(axis=1).call(X[..., 0], MASK),
    "what is random by default": lambda K: plus_one(K.layers.RandomFlip)(seed=1).call(X[..., None]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_call_gives_what_keras_gives(name):
    expected = np.asarray(PROGRAMS[name](keras))
    np.testing.assert_allclose(PROGRAMS[name](jkeras), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["Dense", "Dropout", "LSTM", "BatchNormalization", "Softmax", "TimeDistributed", "Add"]
)
def test_call_shows_the_arguments_of_keras(name):
    """Those that Keras names; Dense's `training` there does nothing."""
    ours, theirs = (inspect.signature(getattr(K.layers, name).call).parameters for K in LIBRARIES)
    assert list(ours) == [p for p in theirs if (name, p) != ("Dense", "training")]
    assert [p.default for p in ours.values()] == [theirs[p].default for p in ours]


@pytest.mark.parametrize("make", [sequential, lambda K: K.Model(*[K.Input((3,))] * 2)])
def test_models_show_what_keras_3_16_shows(make):
    names = list(inspect.signature(make(jkeras).call).parameters)
    assert names == ["inputs", "training", "mask"]


def test_call_of_what_is_not_built_says_so():
    layer = plus_one(jkeras.layers.Dense)(2)
    with pytest.raises(ValueError, match=r"Layer 'plus_one.*' \(PlusOne\).*not built.*build\("):
        layer.call(X)


def test_call_is_pure_under_jit():
    layer = dense(jkeras)
    np.testing.assert_allclose(jax.jit(layer.call)(X), layer(X), rtol=1e-6)


def stateless_inside(K, inner, **said):
    """A layer that calls another by its pure contract, in training."""

    class Outer(K.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = inner(K)

        def call(self, inputs, training=None):
            values = self.inner.trainable_variables, self.inner.non_trainable_variables
            return self.inner.stateless_call(*values, inputs, **said)[0]

    return Outer()(X, training=True)


def dropout(K):
    layer = K.layers.Dropout(0.5, seed=1)
    layer.build(X.shape)
    return layer


def dropout_inside(K):
    """What holds a Dropout and has no argument `training`."""

    class Holder(K.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = dropout(K)

        def call(self, inputs):
            return self.inner(inputs)

    layer = Holder()
    layer.build(X.shape)
    return layer


@pytest.mark.parametrize("inner", [dropout, dropout_inside, sequential])
def test_training_of_a_stateless_call_in_a_layer(inner):
    expected = np.asarray(stateless_inside(keras, inner))
    np.testing.assert_allclose(stateless_inside(jkeras, inner), expected, rtol=1e-5)


def test_training_said_in_a_stateless_call():
    expected = np.asarray(stateless_inside(keras, dropout, training=True))
    np.testing.assert_allclose(stateless_inside(jkeras, dropout, training=True), expected)
    assert (expected == 0).sum() > 2
