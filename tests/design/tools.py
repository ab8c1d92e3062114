"""Oracles and small data for the design tests. A test compares with Keras, numpy or JAX written out
by hand.
"""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras


def rng(seed=0):
    """A numpy generator."""
    return np.random.default_rng(seed)


def normal(*shape, seed=0):
    """Normal numbers in float32."""
    return rng(seed).normal(size=shape).astype("float32")


def real_keras():
    """The real Keras, or a skip where it is not installed."""
    pytest.importorskip("keras")
    return importlib.import_module("keras")


def both(make, *arguments):
    """(jkeras model, Keras model) of `make(module, ...)`, the second with the weights of the
    first.
    """
    keras = real_keras()
    mine, theirs = make(jkeras, *arguments), make(keras, *arguments)
    theirs.set_weights(mine.get_weights())
    return mine, theirs


def weights_of(model):
    """The arrays of a model's weights, in order (Keras's own `get_weights` warns under numpy 2)."""
    return [np.asarray(v.value) for v in model.weights]


def assert_same_weights(mine, theirs, rtol=2e-5, atol=2e-6):
    """Two models have equal weights, in order."""
    mine, theirs = weights_of(mine), weights_of(theirs)
    assert [w.shape for w in mine] == [w.shape for w in theirs]
    for a, b in zip(mine, theirs):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def assert_same_history(mine, theirs, rtol=2e-5, atol=1e-6):
    """Two `History.history` have the same names and numbers."""
    assert set(mine.history) == set(theirs.history)
    for name in mine.history:
        np.testing.assert_allclose(
            mine.history[name], theirs.history[name], rtol=rtol, atol=atol, err_msg=name
        )


def mse(y, p):
    """The mean of squares, as the loss of that name computes it."""
    return jnp.mean((p - y) ** 2)


def dense(p, x, activation=lambda v: v):
    """A dense layer by hand."""
    return activation(x @ p["kernel"] + p["bias"])


def sgd_by_hand(loss, params, batches, rate):
    """Plain gradient descent, written out."""

    @jax.jit  # one program in place of one for each operation
    def step(params, batch):
        grads = jax.grad(loss)(params, *batch)
        return jax.tree_util.tree_map(lambda p, g: p - rate * g, params, grads)

    for batch in batches:
        params = step(params, batch)
    return params


def adam_by_hand(loss, params, batches, rate):
    """Adam as Keras writes it: epsilon beside the uncorrected root."""

    def zeros():
        return jax.tree_util.tree_map(jnp.zeros_like, params)

    @jax.jit
    def step(params, m, v, now, batch):
        grads = jax.grad(loss)(params, *batch)
        m = jax.tree_util.tree_map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = jax.tree_util.tree_map(lambda v, g: 0.999 * v + 0.001 * g**2, v, grads)
        params = jax.tree_util.tree_map(
            lambda p, m, v: p - now * m / (jnp.sqrt(v) + 1e-7), params, m, v
        )
        return params, m, v

    m, v = zeros(), zeros()
    for t, batch in enumerate(batches, start=1):
        now = rate * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t)
        params, m, v = step(params, m, v, now, batch)
    return params


def assert_trees_close(a, b, rtol=2e-5, atol=2e-6):
    """Two trees have one structure and equal numbers."""
    assert jax.tree_util.tree_structure(a) == jax.tree_util.tree_structure(b)
    jax.tree_util.tree_map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=atol), a, b
    )


def assert_trees_equal(a, b):
    """Two trees are equal bit for bit."""
    assert jax.tree_util.tree_structure(a) == jax.tree_util.tree_structure(b)
    jax.tree_util.tree_map(np.testing.assert_array_equal, a, b)


def slices(n, size, *arrays):
    """Batches of arrays, in order."""
    return [tuple(a[i : i + size] for a in arrays) for i in range(0, n, size)]
