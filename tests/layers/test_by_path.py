"""Layers around other layers, recurrent ones, and those in another form run on values by path."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.run import adapting, running

X = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32")
KEY = jax.random.key(0)


class LearnedStart(layers.Layer):
    """A cell written as in Keras: with a layer inside, and initial states that are a weight."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.dense = layers.Dense(units)

    def build(self, shape):
        self.start = self.add_weight((self.units,), "ones", name="start")

    def get_initial_state(self, batch_size=None):
        return [jnp.tile(self.start[None], (batch_size, 1))]

    def call(self, x, states):
        h = jnp.tanh(self.dense(x) + states[0])
        return h, [h]


NATIVE = {
    "stateful": lambda: layers.LSTM(4, stateful=True, dropout=0.2),
    "stacked": lambda: layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)]),
    "sequences": lambda: layers.RNN(layers.SimpleRNNCell(2), return_sequences=True),
    "bidirectional": lambda: layers.Bidirectional(layers.GRU(3)),
    "distributed": lambda: layers.TimeDistributed(layers.Dense(2)),
    "spectral": lambda: layers.SpectralNormalization(layers.Dense(2)),
    "lora": lambda: layers.Dense(4, lora_rank=2),
    "int8": lambda: layers.Dense(4, dtype="int8_from_float32"),
    "int4": lambda: layers.EinsumDense("abc,cd->abd", (None, 4), dtype="int4/2_from_float32"),
    "float8": lambda: layers.Dense(4, dtype="float8_from_float32"),
}


@pytest.fixture
def adapted(monkeypatch):
    """The layers that are run on their variables while values by path are given."""
    classes = []

    def run_adapted(layer, *args):
        classes.append(type(layer))
        return adapting.run_adapted(layer, *args)

    monkeypatch.setattr(running, "run_adapted", run_adapted)
    return classes


@pytest.mark.parametrize("name", NATIVE)
def test_nothing_is_adapted(name, adapted):
    layer = NATIVE[name]()
    params, state = layer.init(KEY, X)
    layer.apply(params, state, X, training=True, rng=KEY)
    assert adapted == []


def test_a_written_cell_alone_makes_its_layer_adapted(adapted):
    layers.Bidirectional(layers.RNN(LearnedStart(4))).init(KEY, X)
    assert set(adapted) == {layers.RNN}


@pytest.mark.parametrize("below", [0, 1])
def test_a_cell_with_a_layer_inside(below):
    cell = LearnedStart(4)
    layer = layers.RNN([layers.LSTMCell(3) for _ in range(below)] + [cell])
    y = layer(X)
    assert any(weight is cell.dense.kernel for weight in layer.trainable_weights)
    params, state = layer.init(KEY, X)
    assert layer.apply(params, state, X)[0].shape == y.shape == (4, 4)


def test_state_starts_at_zero_also_of_a_layer_that_was_called():
    layer = layers.GRU(2, stateful=True)
    layer(X)
    _, state = layer.init(KEY, X)
    assert not np.any(state["memory"]["rnn_state_0"])
    assert np.any(layer.states[0])


def test_state_of_another_batch_size():
    layer = layers.LSTM(2, stateful=True)
    params, state = layer.init(KEY, X)
    with pytest.raises(ValueError, match="memory/rnn_state_0"):
        layer.apply(params, state, X[:2])


def test_a_shared_kernel_has_one_place():
    """The kernel that is normalized belongs to the layer around, before and after building."""
    layer = layers.SpectralNormalization(layers.Dense(2))
    fresh = layer.init(KEY, X)
    layer(X)
    built = layer.init(KEY, X)
    jax.tree.map(np.testing.assert_array_equal, fresh, built)
    assert set(fresh[0]) == {"kernel", "layer"} and set(fresh[0]["layer"]) == {"bias"}


def test_steps_with_a_model_inside():
    inner = jkeras.Sequential([jkeras.Input((5,)), layers.Dense(3)])
    layer = layers.TimeDistributed(inner)
    params, state = layer.init(KEY, X)
    y, _ = layer.apply(params, state, X)
    dense = params["layer"]["dense"]
    np.testing.assert_allclose(y, X @ dense["kernel"] + dense["bias"], rtol=1e-5, atol=1e-6)
