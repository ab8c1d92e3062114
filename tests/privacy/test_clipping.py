"""Clipped gradients beside the definition, row by row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy

RANDOM = np.random.default_rng(0)


def parts():
    model = jkeras.Sequential(
        [jkeras.Input((4,)), layers.Dense(5, activation="tanh"), layers.Dense(3)]
    )
    x = RANDOM.normal(size=(6, 4)).astype("float32")
    y = RANDOM.integers(0, 3, 6)

    def loss(params, x, y):
        logits = model.apply(params, {}, x[None])[0][0]
        return -jax.nn.log_softmax(logits)[y]

    return loss, model.params, x, y


def by_definition(loss, params, x, y, clip, mask):
    total = jax.tree_util.tree_map(np.zeros_like, params)
    norms = []
    for row in range(len(x)):
        gradient = jax.grad(loss)(params, x[row], y[row])
        squares = [np.sum(np.square(leaf)) for leaf in jax.tree_util.tree_leaves(gradient)]
        norm = np.sqrt(sum(squares))
        factor = min(1.0, clip / norm) * mask[row]
        total = jax.tree_util.tree_map(lambda t, g, f=factor: t + f * g, total, gradient)
        norms.append(norm * mask[row])
    return total, norms


@pytest.mark.promise("`clipped_grad` takes any")
@pytest.mark.promise("nothing: each row is clipped by itself")
@pytest.mark.promise("There a mean of rows was clipped, here never")
@pytest.mark.parametrize("norms", ["ghost", "vmap"])
@pytest.mark.parametrize("clip", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("mask", [None, [1, 0, 1, 1, 0, 0]])
def test_by_definition(clip, mask, norms):
    loss, params, x, y = parts()
    given = None if mask is None else np.array(mask, bool)
    total, norms = jax.jit(privacy.clipped_grad(loss, clip=clip, norms=norms))(params, x, y, given)
    wanted, wanted_norms = by_definition(loss, params, x, y, clip, mask or [1] * 6)
    np.testing.assert_allclose(norms, wanted_norms, rtol=1e-6)
    for ours, theirs in zip(*map(jax.tree_util.tree_leaves, (total, wanted))):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.promise("With differential privacy")
@pytest.mark.promise("`compile(privacy=jkeras.privacy.DPSGD(…))` bounds what")
@pytest.mark.promise("scaled down to a length of at most `clip` over all params")
def test_a_row_adds_no_more_than_the_bound():
    loss, params, x, y = parts()
    summed = jax.jit(privacy.clipped_grad(loss, clip=0.3))
    whole, _ = summed(params, x, y)
    without, _ = summed(params, x[1:], y[1:])
    change = jax.tree_util.tree_map(jnp.subtract, whole, without)
    squares = [np.sum(np.square(leaf)) for leaf in jax.tree_util.tree_leaves(change)]
    assert np.sqrt(sum(squares)) <= 0.3 + 1e-6


@pytest.mark.promise("or the square of its length, is not finite adds nothing")
@pytest.mark.promise("A row that is not finite adds nothing anyway")
@pytest.mark.parametrize("norms", ["ghost", "vmap"])
@pytest.mark.parametrize("masked", [True, False])
def test_what_is_no_number_in_a_row_is_nothing(masked, norms):
    loss, params, x, y = parts()
    x[2] = np.nan
    mask = np.arange(6) != 2 if masked else None
    total, norms = jax.jit(privacy.clipped_grad(loss, norms=norms))(params, x, y, mask)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree_util.tree_leaves(total))
    assert norms[2] == 0


def test_a_gradient_of_zero():
    total, norms = privacy.clipped_grad(lambda w, x, y: 0.0 * w * x)(1.0, np.ones(3), np.ones(3))
    assert float(total) == 0.0 and norms.tolist() == [0.0] * 3


def test_errors():
    with pytest.raises(ValueError, match="a bound above 0"):
        privacy.clipped_grad(lambda w, x, y: w, clip=0)


@pytest.mark.promise("that of each layer, scaled")
@pytest.mark.parametrize("norms", ["ghost", "vmap"])
def test_each_layer_by_itself(norms):
    loss, params, x, y = parts()
    summed = privacy.clipped_grad(loss, clip=0.3, clipping="per_layer", norms=norms)
    wanted = jax.tree_util.tree_map(np.zeros_like, params)
    for row in range(6):
        gradient = jax.grad(loss)(params, x[row], y[row])
        for layer, leaves in gradient.items():
            length = np.sqrt(sum(np.sum(np.square(leaf)) for leaf in leaves.values()))
            factor = min(1, 0.3 / np.sqrt(2) / length)
            for name, leaf in leaves.items():
                wanted[layer][name] += factor * leaf
    total, _ = jax.jit(summed)(params, x, y)
    for ours, theirs in zip(*map(jax.tree_util.tree_leaves, (total, wanted))):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.promise("its gradient, brought to")
@pytest.mark.parametrize("norms", ["ghost", "vmap"])
def test_automatic(norms):
    """All rows come to nearly the bound, and none above it."""
    loss, params, x, y = parts()
    summed = jax.jit(privacy.clipped_grad(loss, clip=5.0, clipping="automatic", norms=norms))
    for row in range(6):
        total, norms_of = summed(params, x[row : row + 1], y[row : row + 1])
        squares = [np.sum(np.square(leaf)) for leaf in jax.tree_util.tree_leaves(total)]
        length = float(norms_of[0])
        expected = 5.0 * length / (length + 0.01)
        assert np.sqrt(sum(squares)) == pytest.approx(expected, rel=1e-5)


def test_what_else_a_loss_gives():
    summed = privacy.clipped_grad(lambda w, x, y: (w * x, x + y), has_aux=True)
    _, _, other = summed(1.0, jnp.arange(3.0), jnp.ones(3))
    assert other.tolist() == [1.0, 2.0, 3.0]
