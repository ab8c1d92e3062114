"""Attributions of numbers that are far from 1, nearly equal to those of the baseline, or in 16
bits: what rounding hides is no part of them.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e4])
def test_deep_lift_of_kinks_at_any_scale(scale):
    """A step across zero has the ratio of both sides, however small it is."""
    x, before = np.float32([[1, 2], [3, -1]]) * scale, np.float32([[-1, -1]]) * scale
    ours = explain.deep_lift(lambda x: jax.nn.relu(x).sum(1, keepdims=True), x, 0, baseline=before)
    wanted = np.maximum(x, 0) - np.maximum(before, 0)
    np.testing.assert_allclose(ours, wanted, rtol=1e-6, atol=1e-6 * scale)


def test_deep_lift_of_steps_that_rounding_hides():
    """Two large inputs that cancel but for the last digits: the ratio of differences would be that
    of their roundings, and each attribution a part of a large number.
    """
    x = np.float32(1e3 * RANDOM.normal(size=(500, 2)))
    x[:, 1] = x[:, 0] + np.float32(1e-4 * RANDOM.normal(size=500))
    ours = explain.deep_lift(lambda x: jnp.tanh(x @ jnp.array([[1.0], [-1.0]]) + 0.5), x, 0)
    step = np.float64(x[:, 0]) - x[:, 1]
    slope = np.where(step == 0, 1, np.tanh(0.5 + step) - np.tanh(0.5))
    slope = np.where(step == 0, 1 - np.tanh(0.5) ** 2, slope / np.where(step == 0, 1, step))
    np.testing.assert_allclose(ours[:, 0], slope * x[:, 0], rtol=1e-3)


def lengths(x):
    return jnp.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["deep_lift", "integrated_gradients"])
def test_rows_equal_to_the_baseline_have_no_part(name):
    """Also where the function has no slope, as a length has none at 0."""
    ours = getattr(explain, name)(lengths, np.float32([[0, 0], [3, 4]]), 0)
    np.testing.assert_allclose(ours[0], 0, atol=0)
    np.testing.assert_allclose(ours[1].sum(), 5, rtol=1e-5)


@pytest.mark.parametrize("slope", [0.0, 1e2, 1e4])
def test_variance_of_large_gradients(slope):
    """The gradient of `slope x + x² / 2` varies as x does, whatever its mean."""
    noise = 0.1 * RANDOM.normal(size=(50, 1, 1)).astype("float32")
    function = lambda x: slope * x + 0.5 * x**2  # noqa: E731
    x = np.float32([[0.25]])
    ours = explain.smooth_grad(function, x, 0, noise=noise, statistic="variance")
    np.testing.assert_allclose(ours[0, 0], noise.var(), rtol=1e-2 if slope > 1e3 else 1e-3)


@pytest.mark.parametrize("policy", ["bfloat16", "mixed_float16"])
def test_scores_of_16_bits_are_added_in_32(policy):
    """The model's scores are what they are; sums of them are not rounded again."""
    jkeras.utils.set_random_seed(0)
    parts = [layers.Dense(8, "relu", dtype=policy), layers.Dense(3, dtype=policy)]
    model = jkeras.Sequential([jkeras.Input((6,)), *parts])
    x, zeros = RANDOM.normal(size=(4, 6)).astype("float32"), np.zeros((1, 6), "float32")
    scores = np.float64(model.predict(np.concatenate([x, zeros]), verbose=0))[:, 1]
    for name in ("shapley_values", "kernel_shap"):
        ours = getattr(explain, name)(model, x, 1, baseline=zeros)
        np.testing.assert_allclose(np.float64(ours).sum(1), scores[:4] - scores[4], atol=1e-5)
    one = explain.occlusion(model, x, 1, window=(6,))
    np.testing.assert_allclose(one[:, 0], scores[:4] - scores[4], atol=1e-6)


def test_no_rows():
    with pytest.raises(ValueError, match="one row or more"):
        explain.saliency(lambda x: x, np.zeros((0, 3), "float32"), 0)


@pytest.mark.promise("a warning says by how much")
def test_deep_lift_says_where_it_does_not_add_up(recwarn):
    jkeras.utils.set_random_seed(0)
    x = jkeras.Input((5, 8))
    h = layers.MultiHeadAttention(2, 4)(x, x)
    model = jkeras.Model(x, layers.Dense(1)(layers.Flatten()(h)))
    rows = RANDOM.normal(size=(4, 5, 8)).astype("float32")
    for scale, misses in ((1e-4, False), (1.0, False), (100.0, False), (1e4, True)):
        given = scale * rows, 0 * rows
        found = explain.deep_lift(model, given[0], 0, baseline=given[1])
        jax.effects_barrier()
        difference = np.asarray(model(given[0]) - model(given[1]))[:, 0]
        error = np.abs(found.reshape(4, -1).sum(1) - difference) / np.abs(difference)
        assert (error.max() > 0.01) == misses
        said = [w for w in recwarn if "miss the difference" in str(w.message)]
        assert bool(said) == misses
    jkeras.explain.deep_lift(model, rows, 0, background=rows[:2])
    jax.jit(lambda x: explain.deep_lift(model, x, 0, baseline=0 * x))(rows)
    jax.effects_barrier()
    assert len([w for w in recwarn if "miss the difference" in str(w.message)]) == len(said)


def test_rows_that_differ_in_nothing_are_not_warned_of(recwarn):
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(8), layers.Dense(1)])
    explain.deep_lift(model, np.zeros((4, 3)), 0)
    x = np.float32([[1e6, -1e6, 0]])
    explain.deep_lift(lambda x: x.sum(1, keepdims=True), x, 0)
    jax.effects_barrier()
    assert not recwarn.list
