"""Mean and variance of a batch in one pass, as accelerators take them, beside float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras.layers.normalization import moments_in_one_pass
from jkeras.ops.kernels import traced_for

AXES = (0, 1, 2)


def numbers(kind, rows=32):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 5, 6, 3))
    changes = {
        "usual": lambda: x,
        "far": lambda: 1e4 + x,
        "tiny": lambda: 1e-4 * x,
        "huge": lambda: 1e15 * x,
        "far and narrow": lambda: 300.0 + 1e-2 * x,
        "a blank first example": lambda: np.where(np.arange(rows)[:, None, None, None], 1e4 + x, 0),
        "a far first example": lambda: np.where(np.arange(rows)[:, None, None, None], x, 1e4),
        "constant": lambda: np.full_like(x, 7.3),
    }
    return changes[kind]().astype("float32")


KINDS = (
    "usual",
    "far",
    "tiny",
    "huge",
    "far and narrow",
    "a blank first example",
    "a far first example",
)


@pytest.mark.promise("`BatchNormalization` reads a batch once too")
@pytest.mark.parametrize("kind", KINDS)
def test_moments_are_right(kind):
    x = numbers(kind)
    mean, variance = moments_in_one_pass(jnp.asarray(x), AXES)
    exact = x.astype("float64")
    by_two = jnp.var(x, AXES)
    one, two = (np.abs(v / exact.var(AXES) - 1).max() for v in (variance, by_two))
    assert one <= max(2e-6, two) if "first" not in kind else one < 1e-4
    np.testing.assert_allclose(mean, exact.mean(AXES), rtol=1e-5, atol=5e-6 * exact.std())


def test_the_variance_of_a_constant_is_zero():
    _, variance = moments_in_one_pass(jnp.asarray(numbers("constant")), AXES)
    assert variance.tolist() == [0.0] * 3


@pytest.mark.parametrize("kind", ["usual", "far", "a far first example"])
def test_training_is_that_of_two_passes(kind):
    layer = jkeras.layers.BatchNormalization()
    x = jnp.asarray(numbers(kind))
    params, state = layer.init(jax.random.key(0), x)
    weights = jnp.cos(jnp.arange(x.size).reshape(x.shape))

    def loss(params, x):
        y, changed = layer.apply(params, state, x, training=True)
        return jnp.sum(weights * y), changed

    def found(platform):
        with traced_for(platform):
            return jax.value_and_grad(loss, (0, 1), has_aux=True)(params, x)

    (_, state_of_one), of_one = found("tpu")
    (_, state_of_two), of_two = found("plain")
    for one, two in zip(
        jax.tree.leaves((state_of_one, of_one)), jax.tree.leaves((state_of_two, of_two))
    ):
        np.testing.assert_allclose(one, two, rtol=2e-3, atol=2e-3 * float(jnp.abs(two).max()))
