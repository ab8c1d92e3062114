"""Small models and data for the tests of searches."""

import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import layers
from jkeras.training import init_train_state


def classes(rows, seed=0):
    """(x, y) of three classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    x = rng.normal(size=(rows, 4)) + np.eye(3, 4)[y]
    return x.astype("float32"), y


def classifier(optimizer="sgd", inner=(), **options):
    """A compiled model of three classes with layers in it."""
    model = jkeras.Sequential(
        [jkeras.Input((4,)), layers.Dense(6, "tanh"), *inner, layers.Dense(3, "softmax")]
    )
    model.compile(optimizer, **{"loss": "sparse_categorical_crossentropy"} | options)
    return model


def dropping(rate=0.3, learning_rate=0.01):
    """A compiled model with dropout, a metric, and Adam."""
    optimizer = jkeras.optimizers.Adam(learning_rate)
    return classifier(optimizer, [layers.Dropout(rate)], metrics=["accuracy"])


def lonely(model, x, y, seed=0, **options):
    """The history of a model that is trained alone, from the weights of a seed."""
    model.load_train_state(init_train_state(model, seed))
    return model.fit(x, y, seed=seed, verbose=0, **options).history


def assert_same(result, trial, history):
    """A trial of a sweep gave what a training alone gives."""
    assert result.history.keys() == history.keys()
    for name, values in history.items():
        np.testing.assert_allclose(result.history[name][trial], values, rtol=1e-5, atol=1e-5)


class Surrogate(layers.Layer):
    """The toy problem of population-based training (arXiv:1711.09846, section 4): two weights, and
    what training maximizes is 1.2 - h1 * w1² - h2 * w2² instead of 1.2 - w1² - w2².
    """

    def __init__(self, first=1.0, second=1.0, **options):
        super().__init__(**options)
        self.first = first
        self.second = second

    def build(self, shape):
        """Two weights."""
        self.w = self.add_weight(shape=(2,), initializer=jkeras.initializers.Constant(0.9))

    def call(self, x, training=False):
        """The value, for each row."""
        squares = jnp.square(self.w.value)
        if training:
            squares = squares * jnp.stack([self.first, self.second])
        return 0 * x + 1.2 - jnp.sum(squares)


def surrogate():
    """The compiled model of the toy problem."""
    model = jkeras.Sequential([jkeras.Input((1,)), Surrogate(name="toy")])
    model.compile(jkeras.optimizers.SGD(0.02), loss=lambda y, value: -value)
    return model
