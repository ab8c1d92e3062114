"""LSTM and GRU as kernels: of Pallas, in the interpreter of TPU kernels, and of cuDNN, in JAX's
reference of it, against XLA's loop.
"""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from jax.experimental import rnn

import jkeras
from jkeras import layers
from jkeras.ops import recurrent_kernels
from jkeras.ops.kernels import traced_for
from tests.thinning import every

rng = np.random.default_rng(0)
X = rng.normal(size=(4, 7, 5)).astype("float32")
MASK = np.arange(7) < np.array([7, 3, 0, 5])[:, None]
SEQUENCES = {"return_sequences": True, "return_state": True}
TAKEN = {  # whatever the mask
    "lstm": lambda: layers.LSTM(6),
    "gru": lambda: layers.GRU(6),
    "lstm, sequences": lambda: layers.LSTM(6, **SEQUENCES),
    "gru, sequences": lambda: layers.GRU(6, **SEQUENCES),
    "lstm, backwards": lambda: layers.LSTM(6, go_backwards=True, **SEQUENCES),
    "gru, backwards": lambda: layers.GRU(6, go_backwards=True, **SEQUENCES),
    "lstm, no bias": lambda: layers.LSTM(6, use_bias=False, zero_output_for_mask=True, **SEQUENCES),
    "gru, no bias": lambda: layers.GRU(6, use_bias=False, zero_output_for_mask=True, **SEQUENCES),
    "lstm, two lanes": lambda: layers.LSTM(130),
    "gru, a lane": lambda: layers.GRU(128),
    "lstm, dropout": lambda: layers.LSTM(6, dropout=0.4),
    "gru, dropout by gate": lambda: layers.GRU(6, dropout=0.4, implementation=1),
    "both": lambda: layers.Bidirectional(layers.LSTM(6, return_sequences=True)),
    "cell": lambda: layers.RNN(layers.LSTMCell(6)),
}
LEFT = {  # to XLA's loop
    "relu": lambda: layers.LSTM(6, activation="relu"),
    "hard": lambda: layers.GRU(6, recurrent_activation="hard_sigmoid"),
    "reset before": lambda: layers.GRU(6, reset_after=False),
    "dropout of states": lambda: layers.LSTM(6, recurrent_dropout=0.4),
    "float16": lambda: layers.LSTM(6, dtype="mixed_float16"),
    "stacked": lambda: layers.RNN([layers.LSTMCell(6), layers.GRUCell(4)]),
    "unrolled": lambda: layers.GRU(6, unroll=True),
    "too large": lambda: layers.LSTM(2048, recurrent_initializer="zeros"),
    "not wanted": lambda: layers.GRU(6, use_cudnn=False),
    "own": lambda: layers.RNN(Doubled(6)),
}


class Doubled(layers.LSTMCell):
    """A cell that is not the library's."""

    def advance(self, w, z, states, masks):
        return super().advance(w, 2 * z, states, masks)


def runner(make, mask=None):
    """(function of weights and inputs, weights): the outputs weighed with cosines, and the outputs;
    the same numbers are drawn each time.
    """
    jkeras.utils.set_random_seed(1)
    layer = make()
    layer(X)
    frozen = [v.value for v in layer.non_trainable_variables]
    given = None if mask is None else jnp.asarray(mask)

    def run(weights, x):
        y, _ = layer.stateless_call(weights, frozen, x, mask=given, training=True)
        wide = [jnp.asarray(each, "float32") for each in jax.tree.leaves(y)]
        return sum(jnp.vdot(each, jnp.cos(jnp.arange(each.size))) for each in wide), y

    return run, [v.value for v in layer.trainable_variables]


def results(platform, make, mask=None):
    """(outputs and gradients, how many kernels were called)."""
    run, weights = runner(make, mask)
    with traced_for(platform):
        found = jax.jit(jax.value_and_grad(run, (0, 1), has_aux=True))(weights, X)
        kernels = str(jax.make_jaxpr(run)(weights, X)).count("pallas_call")
    return found, kernels


def assert_close(mine, other, tolerance):
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(other), strict=True):
        a, b = np.asarray(a, "float32"), np.asarray(b, "float32")
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * (np.abs(b).max() + 1e-3))


@pytest.mark.promise("take one kernel for the whole loop")
@pytest.mark.promise("of Pallas: the recurrent kernel")
@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("name", every(3, TAKEN))
def test_the_numbers_of_the_plain_loop(name, mask):
    mine, kernels = results("interpreter", TAKEN[name], mask)
    assert kernels == (2 if name == "both" else 1)
    assert_close(mine, results("cpu", TAKEN[name], mask)[0], 2e-6)


@pytest.mark.parametrize("make", [layers.LSTM, layers.GRU])
def test_bfloat16(make):
    """As far from the loop in float32 as XLA's in bfloat16, or nearer."""
    half = functools.partial(make, 6, dtype="mixed_bfloat16", return_sequences=True)
    exact = results("cpu", functools.partial(make, 6, return_sequences=True))[0]
    mine, kernels = results("interpreter", half)
    assert kernels == 1
    assert [a.dtype for a in jax.tree.leaves(mine)] == [
        a.dtype for a in jax.tree.leaves(results("cpu", half)[0])
    ]
    assert_close(mine, exact, 0.03)


@pytest.mark.parametrize("name", LEFT)
def test_what_no_kernel_takes(name):
    run, weights = runner(LEFT[name])
    with traced_for("interpreter"):
        assert "pallas_call" not in str(jax.make_jaxpr(run)(weights, X))


@pytest.mark.parametrize("cell", [recurrent_kernels.LSTM, recurrent_kernels.GRU])
def test_second_derivatives_and_vmap(cell):
    width = cell.gates * 128
    shapes = (3, 5, 4, width), (3, 128, width), (3, width), *[(3, 4, 128)] * cell.states
    arrays = [jnp.asarray(rng.normal(size=shape) / 8, "float32") for shape in shapes]
    valid = jnp.asarray(rng.random((5, 4)) > 0.3)
    loop = recurrent_kernels.loop_for(cell, shapes[0][1:], "float32", True)

    def fast(z, kernel, bias, *firsts):
        return jnp.sum(recurrent_kernels.run(loop, z, kernel, bias, firsts, valid)[0] ** 2)

    def slow(*arrays):
        return jnp.sum(recurrent_kernels.by_xla(cell, *arrays, valid=valid)[0] ** 2)

    def slope(function, *arrays):
        return sum(jnp.sum(each**2) for each in jax.grad(function, (0, 1, 2))(*arrays))

    def twice(function):
        first = jax.vmap(jax.grad(function, (0, 1, 2, 3)))(*arrays)
        return first, jax.vmap(jax.grad(functools.partial(slope, function), (1, 2)))(*arrays)

    assert_close(twice(fast), twice(slow), 1e-5)


@pytest.mark.parametrize("time, batch", [(1, 1), (13, 3), (16, 1), (8, 300)])
def test_blocks(time, batch):
    """Several blocks of steps and of rows, and none that fit evenly."""
    x = rng.normal(size=(batch, time, 2)).astype("float32")
    layer = layers.LSTM(3, return_sequences=True)
    plain = layer(x)
    with traced_for("interpreter"):
        np.testing.assert_allclose(layer(x), plain, rtol=1e-5, atol=1e-6)


def test_states_go_on():
    """A stateful layer, and states that are given."""
    layer = layers.LSTM(3, stateful=True, return_state=True)
    other = layers.LSTM(3, return_state=True)
    whole = jkeras.Sequential([jkeras.Input(batch_shape=X.shape), layer])
    del whole
    other(X)
    other.set_weights(layer.get_weights())
    with traced_for("interpreter"):
        layer(X[:, :4])
        found = layer(X[:, 4:])
    expected = other(X[:, 4:], initial_state=other(X[:, :4])[1:])
    assert_close(found, expected, 1e-5)
    assert_close(layer.states, expected[1:], 1e-5)


# ---------------------------------------------------------------- cuDNN


CUDNN = [name for name in TAKEN if "gru" not in name and name != "lstm, no bias"]


@pytest.fixture
def cudnn(monkeypatch):
    """The calls of it, which are those of JAX's own reference."""
    calls = []

    def lstm(x, h, c, weights, lengths, **sizes):
        assert x.dtype == h.dtype == jnp.float32
        calls.append(sizes)
        of_weights = list(sizes.values())[:3]
        parts = rnn.unpack_lstm_weights(weights, *of_weights, sizes["bidirectional"])
        return rnn.lstm_ref(x, h, c, *parts, lengths, *sizes.values())

    jax.clear_caches()  # JAX remembers whether the call could be traced
    monkeypatch.setattr(rnn, "lstm", lstm)
    yield calls
    jax.clear_caches()


@pytest.mark.parametrize("name", CUDNN)
def test_cudnn(name, cudnn):
    mine, _ = results("cuda", TAKEN[name])
    assert cudnn
    assert_close(mine, results("cpu", TAKEN[name])[0], 2e-6)


def test_what_cudnn_does_not_take(cudnn):
    others = {name: make for name, make in LEFT.items() if name != "too large"}
    others |= {name: make for name, make in TAKEN.items() if name not in CUDNN}
    others["not wanted"] = lambda: layers.LSTM(6, use_cudnn=False)
    for make in others.values():
        run, weights = runner(make)
        with traced_for("cuda"):
            jax.make_jaxpr(run)(weights, X)
    results("cuda", TAKEN["lstm"], MASK)
    assert not cudnn


def test_without_cudnn_xla_runs_the_loop():
    """JAX asks cuDNN for a size, and there is none here."""
    assert_close(results("cuda", TAKEN["lstm"])[0], results("cpu", TAKEN["lstm"])[0], 1e-6)


@pytest.mark.promise("An LSTM with `use_cudnn=True`")
@pytest.mark.parametrize("library", [jkeras, keras], ids=["jkeras", "keras"])
@pytest.mark.parametrize("options", [{}, {"unroll": True}, {"recurrent_dropout": 0.1}])
def test_cudnn_that_has_to_run(library, options):
    """As in Keras, which has no cuDNN here either; a GRU has none in JAX, and runs all the same."""
    layer = library.layers.LSTM(2, use_cudnn=True, **options)
    with pytest.raises(ValueError, match="use_cudnn=True"):
        layer(X)
    assert library.layers.GRU(2, use_cudnn=True)(X).shape == (4, 2)


@pytest.mark.parametrize("cell", [layers.LSTM, layers.GRU])
def test_what_is_computed_again_for_the_gradient(cell):
    run, weights = runner(lambda: cell(6, return_sequences=True), MASK)

    def of_checkpoint(platform):
        with traced_for(platform):
            again = jax.checkpoint(lambda weights, x: run(weights, x)[0])
            return jax.jit(jax.value_and_grad(again, (0, 1)))(weights, X)

    assert_close(of_checkpoint("interpreter"), of_checkpoint("cpu"), 2e-6)
