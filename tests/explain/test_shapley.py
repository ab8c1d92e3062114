"""Shapley values beside their definition, over all orders of the features, and beside shap."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(4, 5)).astype("float32")
ROWS = RANDOM.normal(size=(3, 5)).astype("float32")


@pytest.fixture(scope="module")
def model():
    jkeras.utils.set_random_seed(1)
    model = jkeras.Sequential(
        [jkeras.Input((5,)), layers.Dense(8, activation="tanh"), layers.Dense(3)]
    )
    return model


def by_definition(score, x, rows, groups):
    """Mean over all orders of what a feature adds."""
    features = groups.max() + 1
    values = {}
    for chosen in itertools.product([False, True], repeat=features):
        mixed = np.where(np.array(chosen)[groups], x[:, None], rows[None])
        values[chosen] = np.array([score(m).mean() for m in mixed])
    total = np.zeros((len(x), features))
    for order in itertools.permutations(range(features)):
        chosen = [False] * features
        for feature in order:
            before = values[tuple(chosen)]
            chosen[feature] = True
            total[:, feature] += values[tuple(chosen)] - before
    return total / math.factorial(features)


def score_of(model, target):
    return lambda x: model.predict(np.float32(x), verbose=0)[:, target]


@pytest.mark.promise("`deep_lift`, `conductance`, `tracin`")
@pytest.mark.parametrize("batch_size", [1, 7, 256])
@pytest.mark.parametrize("method", ["shapley_values", "kernel_shap"])
def test_by_definition(model, method, batch_size):
    wanted = by_definition(score_of(model, 2), X, ROWS, np.arange(5))
    ours = getattr(explain, method)(model, X, 2, baseline=ROWS, batch_size=batch_size)
    tolerance = 1e-6 if method == "shapley_values" else 1e-5
    np.testing.assert_allclose(ours, wanted, atol=tolerance)
    difference = score_of(model, 2)(X) - score_of(model, 2)(ROWS).mean()
    np.testing.assert_allclose(ours.sum(1), difference, atol=1e-5)


def test_groups(model):
    groups = np.array([0, 1, 0, 2, 1])
    wanted = by_definition(score_of(model, 1), X, ROWS, groups)
    ours = explain.shapley_values(model, X, 1, baseline=ROWS, groups=groups)
    np.testing.assert_allclose(ours, wanted, atol=1e-6)
    image = X[:, :4].reshape(4, 2, 2)
    sums = lambda x: (x * jnp.arange(4.0).reshape(2, 2)).sum((1, 2))[:, None]  # noqa: E731
    halves = explain.shapley_values(
        sums, image, baseline=np.zeros((1, 2, 2)), groups=[[0, 0], [1, 1]]
    )
    np.testing.assert_allclose(halves, (image * np.arange(4.0).reshape(2, 2)).sum(2), atol=1e-6)


@pytest.mark.promise("`jkeras.explain` says why")
def test_a_sample_of_coalitions(model):
    """Within three standard errors, as estimated from many samples."""
    exact = explain.shapley_values(model, X, 0, baseline=ROWS)
    estimates = np.stack(
        [
            explain.kernel_shap(model, X, 0, baseline=ROWS, samples=20, rng=seed)
            for seed in range(40)
        ]
    )
    assert estimates.std(0).max() > 1e-4  # they are no exact ones
    errors = estimates.std(0) / np.sqrt(len(estimates))
    assert np.all(np.abs(estimates.mean(0) - exact) <= 3.5 * errors + 1e-5)
    sums = score_of(model, 0)(X) - score_of(model, 0)(ROWS).mean()
    np.testing.assert_allclose(estimates.sum(2), np.tile(sums, (40, 1)), atol=1e-4)
    again = explain.kernel_shap(model, X, 0, baseline=ROWS, samples=20, rng=3)
    np.testing.assert_array_equal(again, estimates[3])


def test_as_shap(model):
    shap = pytest.importorskip("shap")
    explainer = shap.KernelExplainer(lambda x: model.predict(np.float32(x), verbose=0), ROWS)
    wanted = explainer.shap_values(X, silent=True)
    ours = explain.kernel_shap(model, X, 1, baseline=ROWS)
    np.testing.assert_allclose(ours, wanted[..., 1], atol=1e-5)


def test_is_pure(model):
    def total(x):
        given = {"params": model.params, "state": model.state, "rng": 0, "samples": 16}
        return explain.kernel_shap(model, x, 1, baseline=ROWS, **given).sum()

    gradient = jax.jit(jax.grad(total))(X)
    wanted = jax.grad(lambda x: model.apply(model.params, model.state, x)[0][:, 1].sum())(X)
    np.testing.assert_allclose(gradient, wanted, atol=1e-4)  # the sum is the difference of scores


@pytest.mark.promise("what does each column of")
def test_errors(model):
    with pytest.raises(ValueError, match="16 features at most.*received 17.*kernel_shap"):
        explain.shapley_values(lambda x: x, np.ones((1, 17)), baseline=np.ones((1, 17)))
    with pytest.raises(ValueError, match="which inputs count as one feature"):
        explain.shapley_values(model, np.ones((1, 2, 2)), baseline=np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match=r"a baseline of rows of shape \(5,\)"):
        explain.shapley_values(model, X, baseline=np.ones((1, 4)))


def test_one_feature_makes_the_whole_difference():
    score = lambda x: x[:, :1] ** 2 + x[:, 1:]  # noqa: E731
    x, baseline = np.array([[3.0, 1.0]], "float32"), np.array([[1.0, 0.0]], "float32")
    for method in (explain.shapley_values, explain.kernel_shap):
        np.testing.assert_allclose(method(score, x, baseline=baseline, groups=[0, 0]), [[9.0]])
        alone = method(lambda x: x**2, x[:, :1], baseline=baseline[:, :1])
        np.testing.assert_allclose(alone, [[8.0]])
