"""Links around the gradient of a step, each alone: against an attack, in microbatches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.training import init_train_state
from jkeras.training.step.attack import attacked
from jkeras.training.step.batch_loss import BatchLoss
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.links import gradient_links
from jkeras.training.step.microbatches import InMicrobatches

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 3)), RNG.normal(size=(8, 1))
WEIGHTS = RNG.uniform(1, 2, size=8)


class Shift:
    """An attack that moves the inputs by 1 against the sign of the loss's gradient."""

    def __init__(self):
        self.seen = []

    def perturb(self, loss_of, x, key):
        self.seen.append(x.shape)
        return x + jnp.sign(jax.grad(loss_of)(x))


def parts(**options):
    """(the loss of a linear model, its gradient, a state)"""
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse", **options)
    state = init_train_state(model, 0)
    loss = BatchLoss(StateLayout(model))
    return model, loss, jax.grad(loss, has_aux=True), state


def by_hand(x, y, kernel, weights=1.0):
    """The gradient of the mean square of a linear model."""
    error = (x @ kernel - y) * np.reshape(weights, (-1, 1))
    return 2 * x.T @ error / len(x)


def kernel_of(tree):
    return np.asarray(tree["dense"]["kernel"], "float64")


def test_an_attack():
    """The gradient of a linear model at inputs that are known."""
    _, loss, gradient, state = parts()
    kernel = kernel_of(state.params)
    x = X + np.sign((X @ kernel - Y) @ kernel.T)
    grads, forward = attacked(gradient, loss, Shift())(state.params, state, (X, Y, None), state.rng)
    np.testing.assert_allclose(kernel_of(grads), by_hand(x, Y, kernel), rtol=1e-4)
    np.testing.assert_allclose(forward.batch[0], x, rtol=1e-5)
    np.testing.assert_allclose(float(forward.loss), np.mean((x @ kernel - Y) ** 2), rtol=1e-5)


@pytest.mark.parametrize("count", [2, 4, 3])
def test_microbatches(count):
    """Of the whole batch, with its weights; one that cannot be cut is taken whole."""
    _, loss, gradient, state = parts()
    batch = X.astype("float32"), Y.astype("float32"), WEIGHTS.astype("float32")
    link = InMicrobatches(gradient, loss, count)
    grads, forward = link(state.params, state, batch, state.rng)
    kernel = kernel_of(state.params)
    np.testing.assert_allclose(kernel_of(grads), by_hand(X, Y, kernel, WEIGHTS), rtol=1e-4)
    expected = np.mean(WEIGHTS * ((X @ kernel - Y) ** 2)[:, 0])
    np.testing.assert_allclose(float(forward.loss), expected, rtol=1e-5)
    assert (forward.logs is None) == (count == 3)


def test_rows_that_are_padding_count_for_nothing():
    _, loss, gradient, state = parts()
    valid = np.arange(8) < 6
    batch = X.astype("float32"), Y.astype("float32"), None
    grads, _ = InMicrobatches(gradient, loss, 4)(
        state.params, state, batch, state.rng, valid_rows=valid
    )
    np.testing.assert_allclose(
        kernel_of(grads), by_hand(X[:6], Y[:6], kernel_of(state.params)), rtol=1e-4
    )


def test_each_microbatch_is_attacked():
    """The attack is the inner link: it sees microbatches, and the sum is that of the whole."""
    shift = Shift()
    model, loss, gradient, state = parts(microbatches=2, adversarial=shift)
    for link in gradient_links(model):
        gradient = link(gradient, loss)
    batch = X.astype("float32"), Y.astype("float32"), None
    grads, _ = gradient(state.params, state, batch, state.rng)
    kernel = kernel_of(state.params)
    x = X + np.sign((X @ kernel - Y) @ kernel.T)
    np.testing.assert_allclose(kernel_of(grads), by_hand(x, Y, kernel), rtol=1e-4)
    assert set(shift.seen) == {(4, 3)}


def test_without_any_there_is_no_link():
    assert gradient_links(parts()[0]) == []
