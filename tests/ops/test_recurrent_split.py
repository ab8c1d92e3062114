"""Loops whose weight gradients come after them: the numbers of the plain loop, in both modes of
differentiation, twice, with vmap; where they are not taken.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import layers
from jkeras.ops import kernels, recurrent_split
from tests.ops.test_kernels import assert_same

MASK = jnp.array([[True, True, False, True], [False, True, True, False]])
needs_transposed_loops = pytest.mark.skipif(
    not kernels.transposes_loops(), reason="the plain loop runs with this JAX"
)
CASES = {
    "lstm": (layers.LSTM, dict(return_sequences=True), None),
    "lstm backwards": (layers.LSTM, dict(go_backwards=True, return_sequences=True), MASK),
    "lstm zeros": (layers.LSTM, dict(zero_output_for_mask=True, return_sequences=True), MASK),
    "gru": (layers.GRU, dict(return_sequences=True), MASK),
    "gru, reset before": (layers.GRU, dict(reset_after=False), MASK),
    "simple": (layers.SimpleRNN, dict(use_bias=False, activation="sigmoid"), MASK),
}


def _layer(name, **others):
    """(weights, x) -> outputs, of a layer, and both."""
    cls, options, mask = CASES[name]
    layer = cls(3, **options, **others)
    x = jax.random.normal(jax.random.key(0), (2, 4, 5))
    layer(x)
    weights = [jnp.asarray(v) + 0.1 for v in layer.trainable_variables]
    state = [jnp.asarray(v) for v in layer.non_trainable_variables]

    def function(x, *weights):
        return layer.stateless_call(list(weights), state, x, mask=mask)[0]

    return function, x, weights


def _traced_for(platform, function):
    def run(*arguments):
        with kernels.traced_for(platform):
            return function(*arguments)

    return run


def _plain(function):
    return _traced_for("plain", function)


@pytest.mark.promise("These are chosen inside")
@needs_transposed_loops
@pytest.mark.parametrize("name", CASES)
def test_numbers_of_the_plain_loop(name):
    function, x, weights = _layer(name)
    text = str(jax.make_jaxpr(lambda *a: function(*a))(x, *weights))
    assert "custom_jvp" in text or "CustomJVPTraced" in text
    assert_same(function, _plain(function), x, *weights)


@needs_transposed_loops
@pytest.mark.parametrize("name", ["lstm zeros", "gru"])
def test_numbers_on_accelerators(name):
    function, x, weights = _layer(name)
    assert_same(_traced_for("cuda", function), _plain(function), x, *weights)


@pytest.mark.promise("derivatives in forward mode take")
@pytest.mark.promise("`jax.hessian`, `jax.lax.scan`, `jax.checkpoint`")
def test_a_gradient_by_one_weight_alone_and_a_hessian():
    function, x, weights = _layer("lstm")
    for place in range(3):

        def loss(w, f, place=place):
            return jnp.sum(f(x, *weights[:place], w, *weights[place + 1 :]) ** 2)

        received = jax.hessian(loss)(weights[place], function)
        expected = jax.hessian(loss)(weights[place], _plain(function))
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)


@needs_transposed_loops
@pytest.mark.parametrize("platform", ["cpu", "tpu", "cuda"])
def test_no_weight_is_in_the_backward_loop(platform):
    function, x, weights = _layer("lstm", use_cudnn=False)  # else one kernel on a TPU
    function = _traced_for(platform, function)
    gradient = jax.make_jaxpr(jax.grad(lambda *w: jnp.sum(function(x, *w)), (0, 1, 2)))(*weights)
    loops = [e for e in gradient.jaxpr.eqns if e.primitive.name == "scan"]
    shapes = {w.shape for w in weights}
    assert len(loops) == 2
    assert not shapes & {v.aval.shape for v in loops[-1].outvars}


@pytest.mark.parametrize("rows, steps, taken", [(2, 4, True), (3, 4, False), (1, 200_000, False)])
def test_where_it_pays(rows, steps, taken):
    split = recurrent_split.Split(jnp.ones((5, 12)), 12, lambda w, x, h: x @ w, None)
    x = jax.ShapeDtypeStruct((steps, rows, 5), "float32")
    states = [jax.ShapeDtypeStruct((rows, 3), "float32")]
    expected = taken and kernels.transposes_loops()
    assert recurrent_split.pays_split(split, x, states) == expected
    for platform in ("tpu", "cuda"):
        with kernels.traced_for(platform):
            assert recurrent_split.pays_split(split, x, states) == kernels.transposes_loops()
    with kernels.traced_for("onnx"):
        assert not recurrent_split.pays_split(split, x, states)


@pytest.mark.promise("added up in float32")
def test_gradients_of_steps_are_added_up_in_float32():
    """Whatever XLA makes of it: a sum of ones in bfloat16 stays at 256."""
    half = dict(dtype="mixed_bfloat16")
    stacked = [layers.LSTMCell(3, **half)]  # of which there is no form in two parts
    layer = layers.RNN(stacked, **half)
    x = jnp.ones((1, 512, 5))
    layer(x)
    state = [jnp.asarray(v) for v in layer.non_trainable_variables]
    weights = [jnp.asarray(v) for v in layer.trainable_variables]

    def loss(weights):
        return layer.stateless_call(weights, state, x)[0].sum()

    loops = [e for e in jax.make_jaxpr(jax.grad(loss))(weights).eqns if e.primitive.name == "scan"]
    sums = [v.aval for v in loops[-1].outvars if v.aval.shape in {w.shape for w in weights}]
    assert len(sums) == 3
    assert {v.dtype.name for v in sums} == {"float32"}
