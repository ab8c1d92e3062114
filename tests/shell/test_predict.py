"""`predict` of one batch goes straight to a function that was found before: it must notice whatever
changes.
"""

import copy

import numpy as np
import pytest

import jkeras
from jkeras import layers

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


class Chain(jkeras.Model):
    def __init__(self):
        super().__init__()
        self.steps = [layers.Dense(4, "tanh"), layers.Dense(4, "tanh")]

    def call(self, x):
        for step in self.steps:
            x = step(x)
        return x


def sequential():
    return jkeras.Sequential([jkeras.Input((4,)), layers.Dense(4, "tanh"), layers.Dense(4)])


def append(model):
    model.steps.append(layers.Dense(2))
    model(X)


def replace(model):
    model.layers[0].kernel = jkeras.Variable(np.eye(4, dtype="float32"))


def eager(model):
    model.compile("sgd", "mse", run_eagerly=True)


def trained(model):
    model.compile("sgd", "mse")
    model.fit(X, X, verbose=0)


CHANGES = {
    "weights": (sequential, lambda model: model.set_weights([w + 1 for w in model.get_weights()])),
    "add": (sequential, lambda model: model.add(layers.Dense(3))),
    "pop": (sequential, lambda model: model.pop()),
    "variable": (sequential, replace),
    "appended": (Chain, append),
    "lora": (sequential, lambda model: model.layers[0].enable_lora(2)),
    "int8": (sequential, lambda model: model.quantize("int8", filters="dense")),
    "eager": (sequential, eager),
    "trained": (sequential, trained),
}


@pytest.mark.parametrize("rows", [3, 4])  # filled up to 4, and run as they are
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model_predicts_as_it_is(change, rows):
    build, alter = CHANGES[change]
    model, x = build(), np.resize(X, (rows, 4))
    for _ in range(3):
        np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-5, atol=1e-6)
    alter(model)
    for _ in range(3):
        np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-5, atol=1e-6)


class Counting(layers.Layer):
    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.calls.assign_add(1.0)
        return x * 0.0 + self.calls


def test_state_that_a_prediction_changes_is_carried_on():
    model = jkeras.Sequential([jkeras.Input((4,)), Counting()])
    x = np.resize(X, (4, 4))
    assert [model.predict(x, verbose=0)[0, 0] for _ in range(4)] == [1.0, 2.0, 3.0, 4.0]


def test_a_copy_predicts_with_its_own_weights():
    model = sequential()
    model.predict(X, verbose=0), model.predict(X, verbose=0)
    twin = copy.deepcopy(model)
    twin.set_weights([0 * w for w in twin.get_weights()])
    assert not twin.predict(X, verbose=0).any() and model.predict(X, verbose=0).any()


@pytest.mark.parametrize(
    "x", [X.astype("float64"), X.tolist(), X > 0, (X * 3).astype("int8")], ids=str
)
def test_other_arrays_come_out_as_by_the_longer_way(x):
    model = sequential()
    model.predict(X, verbose=0), model.predict(X, verbose=0)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), model.predict(x, verbose=0, callbacks=[]), rtol=1e-6
    )


def test_more_rows_than_a_batch_are_cut():
    model = sequential()
    x = np.tile(X, (30, 1))
    for _ in range(2):
        assert model.predict(x, verbose=0, batch_size=8).shape == (90, 4)
    with pytest.raises(ValueError, match="empty"):
        model.predict(X[:0], verbose=0)


def test_a_layer_called_losses_keeps_its_state():
    """The name stands in the pure state of a model for what layers add to the loss."""
    model = jkeras.Sequential([jkeras.Input((4,)), layers.BatchNormalization(name="losses")])
    mean, variance = np.arange(4, dtype="float32"), np.full(4, 4.0, "float32")
    model.set_weights([np.ones(4), np.zeros(4), mean, variance])
    for _ in range(2):
        y = model.predict(X, verbose=0)
        np.testing.assert_allclose(y, (X - mean) / np.sqrt(variance + 1e-3), rtol=1e-5)
    np.testing.assert_array_equal(model.get_weights()[2], mean)


CALLS = {
    "predict": lambda model, x: model.predict(x, verbose=0),
    "again": lambda model, x: (model.predict(x, verbose=0), model.predict(x, verbose=0))[1],
    "several batches": lambda model, x: model.predict(x, batch_size=2, verbose=0),
    "on_batch": lambda model, x: model.predict_on_batch(x),
}


@pytest.mark.parametrize("call", CALLS)
def test_outputs_may_be_written_into(call):
    """As the targets of Q-learning are."""
    model = sequential()
    target = CALLS[call](model, X)
    expected = target.copy()
    target[0][1] = 7.0
    expected[0, 1] = 7.0
    np.testing.assert_array_equal(target, expected)
    assert CALLS[call](model, X)[0, 1] != 7.0


def test_outputs_are_not_the_data():
    x = X.copy()
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Identity()])
    for y in (model.predict(x, verbose=0), model.predict_on_batch(x)):
        y[...] = 0
    np.testing.assert_array_equal(x, X)


def test_random_numbers_of_the_session():
    """A Lambda has no generator of its own: each batch gets other numbers of the session's, which
    `set_random_seed` begins anew.
    """
    noisy = layers.Lambda(lambda x: x + jkeras.random.normal((4,)))
    model = jkeras.Sequential([jkeras.Input((4,)), noisy])
    runs = []
    for _ in range(2):
        jkeras.utils.set_random_seed(3)
        runs.append([model.predict(X, verbose=0), model.predict_on_batch(X)])
    (first, second), again = runs
    assert np.abs(first - X).min() > 0 and np.abs(first - second).min() > 0
    np.testing.assert_array_equal(first, again[0])
    np.testing.assert_array_equal(second, again[1])
    assert np.allclose((first - X)[0], (first - X)[1], atol=1e-6)
