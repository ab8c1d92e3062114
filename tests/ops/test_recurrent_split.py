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


def _layer(name):
    """(weights, x) -> outputs, of a layer, and both."""
    cls, options, mask = CASES[name]
    layer = cls(3, **options)
    x = jax.random.normal(jax.random.key(0), (2, 4, 5))
    layer(x)
    weights = [jnp.asarray(v) + 0.1 for v in layer.trainable_variables]
    state = [jnp.asarray(v) for v in layer.non_trainable_variables]

    def function(x, *weights):
        return layer.stateless_call(list(weights), state, x, mask=mask)[0]

    return function, x, weights


def _plain(function):
    def run(*arguments):
        with kernels.traced_for("plain"):
            return function(*arguments)

    return run


@pytest.mark.promise("These are chosen inside")
@needs_transposed_loops
@pytest.mark.parametrize("name", CASES)
def test_numbers_of_the_plain_loop(name):
    function, x, weights = _layer(name)
    text = str(jax.make_jaxpr(lambda *a: function(*a))(x, *weights))
    assert "custom_jvp" in text or "CustomJVPTraced" in text
    assert_same(function, _plain(function), x, *weights)


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
def test_no_kernel_is_in_the_backward_loop():
    function, x, weights = _layer("lstm")
    gradient = jax.make_jaxpr(jax.grad(lambda *w: jnp.sum(function(x, *w)), (0, 1)))(*weights)
    loops = [e for e in gradient.jaxpr.eqns if e.primitive.name == "scan"]
    shapes = {w.shape for w in weights[:2]}
    assert len(loops) == 2
    assert not shapes & {v.aval.shape for v in loops[-1].outvars}


@pytest.mark.parametrize("rows, steps, taken", [(2, 4, True), (3, 4, False), (1, 200_000, False)])
def test_where_it_pays(rows, steps, taken):
    split = recurrent_split.Split(jnp.ones((5, 12)), 12, lambda w, x, h: x @ w, None)
    x = jax.ShapeDtypeStruct((steps, rows, 5), "float32")
    states = [jax.ShapeDtypeStruct((rows, 3), "float32")]
    expected = taken and kernels.transposes_loops()
    assert recurrent_split.pays_split(split, x, states) == expected
    with kernels.traced_for("tpu"):
        assert not recurrent_split.pays_split(split, x, states)
