"""Gradients of each sample: as found in a loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.training import init_train_state, per_example_grad

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(5, 2)).astype("float32")
WEIGHT = np.arange(5, dtype="float32")


def model(*more):
    jkeras.utils.set_random_seed(0)
    regularizer = jkeras.regularizers.L2(0.1)
    made = jkeras.Sequential(
        [jkeras.Input((3,)), layers.Dense(4, "tanh", kernel_regularizer=regularizer), *more]
    )
    made.add(layers.Dense(2))
    made.compile("adam", "mse")
    return made


def loss_of(params, x, y):
    """The closed form: mean squares, and the penalty."""
    hidden = jnp.tanh(x @ params["dense"]["kernel"] + params["dense"]["bias"])
    outputs = hidden @ params["dense_1"]["kernel"] + params["dense_1"]["bias"]
    errors = jnp.mean((outputs - y) ** 2, -1)
    return jnp.mean(errors) + 0.1 * jnp.sum(params["dense"]["kernel"] ** 2)


@pytest.mark.promise("Per-example gradients, for clipping each")
def test_as_in_a_loop():
    made = model()
    state = init_train_state(made)
    grads = jax.jit(per_example_grad(made))(state, (X, Y))
    for i in range(5):
        alone = jax.grad(loss_of)(_renamed(state.params), X[i : i + 1], Y[i : i + 1])
        for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(a[i], b, rtol=1e-4, atol=1e-6)


def _renamed(params):
    return dict(zip(("dense", "dense_1"), (params[name] for name in sorted(params))))


@pytest.mark.promise("Per-example gradients, for clipping each")
def test_the_mean_is_that_of_the_batch():
    made = model()
    state = init_train_state(made)
    grads = per_example_grad(made)(state, (X, Y))
    whole = jax.grad(loss_of)(_renamed(state.params), X, Y)
    for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(a.mean(0), b, rtol=1e-4, atol=1e-6)


def test_weights_of_samples_count():
    made = model()
    state = init_train_state(made)
    made.layers[0].kernel_regularizer = None
    grads = per_example_grad(made)(state, (X, Y, WEIGHT))
    assert all(np.all(np.asarray(g)[0] == 0) for g in jax.tree.leaves(grads["dense_1"]))


def test_each_sample_has_its_own_dropout():
    made = model(layers.Dropout(0.5))
    state = init_train_state(made)
    same = np.repeat(X[:1], 5, 0), np.repeat(Y[:1], 5, 0)
    trained = jax.tree.leaves(per_example_grad(made)(state, same))[0]
    still = jax.tree.leaves(per_example_grad(made)(state, same, training=False))[0]
    assert np.ptp(np.asarray(trained), axis=0).max() > 0
    np.testing.assert_allclose(np.ptp(np.asarray(still), axis=0), 0, atol=1e-6)


def test_of_a_function():
    def loss(params, x, y):
        return jnp.sum((x @ params - y) ** 2)

    params = jnp.ones((3, 2))
    found = per_example_grad(loss)(params, X, Y)
    expected = [jax.grad(loss)(params, x, y) for x, y in zip(X, Y)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_model_that_is_not_compiled():
    with pytest.raises(ValueError, match="compile"):
        per_example_grad(jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1)]))
