"""A JAX that is written in another way than those known here: slower, and the same numbers.

Where jkeras reads JAX's inside (programs, the trace that is going on, how bits are made, what can
be transposed), what it asks for is taken away; everything goes on.
"""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core import frame, traces
from jkeras.ops import kernels_conv
from jkeras.training import batch_independence

X = np.random.default_rng(0).normal(size=(11, 6)).astype("float32")


def recurrent():
    return [layers.Reshape((3, 2)), layers.GRU(4)]


def convolutional():
    return [
        layers.Reshape((6, 1)),
        layers.Conv1D(4, 3),
        layers.DepthwiseConv1D(2),
        layers.Flatten(),
    ]


def trained(parts):
    """What a ragged training and a prediction give."""
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential([jkeras.Input((6,)), *parts(), layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(X, X[:, :1], batch_size=4, epochs=2, verbose=0).history
    return history["loss"], model.predict(X, batch_size=4, verbose=0)


def assert_same(one, other):
    for a, b in zip(one, other):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def no_parameters(eqn, axes):
    raise KeyError("num_consts")


def no_attributes(jaxpr):
    raise AttributeError("eqns")


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setitem(batch_independence.NESTED, "scan", no_parameters),
        lambda patch: patch.setattr(batch_independence, "_outline", no_attributes),
        lambda patch: patch.setattr(batch_independence, "ELEMENTWISE", frozenset()),
    ],
    ids=["parameters", "jaxprs", "operations"],
)
def test_programs_that_cannot_be_read(change, monkeypatch):
    wanted = trained(recurrent)
    change(monkeypatch)
    assert_same(trained(recurrent), wanted)
    assert not batch_independence.are_independent(
        lambda x: jax.lax.scan(lambda c, v: (c + v, c), x[:, 0], x.T)[0], batch=X
    )


def test_a_trace_that_is_not_told(monkeypatch):
    wanted = trained(recurrent)
    for module in (traces, frame):
        monkeypatch.setattr(module, "marker", lambda: lambda: None)
    assert traces.trace_state() is None
    assert_same(trained(recurrent), wanted)


def test_a_trace_that_is_asked_for_in_another_way(monkeypatch):
    import jax.extend.core

    monkeypatch.setattr(jax.extend.core, "get_opaque_trace_state", lambda: "a trace", raising=False)
    traces.marker.cache_clear()
    try:
        assert traces.trace_state() is None
    finally:
        traces.marker.cache_clear()


def test_a_trace_is_told_here():
    """With every JAX that is supported."""
    outside, inside = traces.trace_state(), []

    @jax.jit
    def function(x):
        inside.append(frame.trace_state())
        return x

    function(1.0)
    assert outside is not None and inside[0] != outside == traces.trace_state()


def test_loops_that_are_not_transposed(monkeypatch):
    wanted = trained(convolutional)
    monkeypatch.setattr(kernels_conv, "transposes_loops", lambda: False)
    assert_same(trained(convolutional), wanted)
