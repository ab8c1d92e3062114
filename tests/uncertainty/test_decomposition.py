"""Parts of an uncertainty add up, and are those of scipy and of a mixture's samples."""

import jax
import numpy as np
import pytest
import scipy.special
import scipy.stats

from jkeras import uncertainty

RNG = np.random.default_rng(0)
MEMBERS = scipy.special.softmax(3 * RNG.normal(size=(7, 50, 4)), axis=-1).astype("float32")


@pytest.mark.promise("`decomposition` takes members")
def test_parts_add_up_and_are_scipys():
    total, aleatoric, disagreement = uncertainty.decomposition(MEMBERS)
    np.testing.assert_allclose(total, aleatoric + disagreement, atol=1e-6)
    np.testing.assert_allclose(total, scipy.stats.entropy(MEMBERS.mean(0), axis=-1), atol=1e-6)
    of_each = scipy.stats.entropy(MEMBERS, axis=-1)
    np.testing.assert_allclose(aleatoric, of_each.mean(0), atol=1e-6)
    assert (disagreement > 0).all()


@pytest.mark.promise("which is large where there were no data")
def test_extremes():
    alike = uncertainty.decomposition(np.repeat(MEMBERS[:1], 5, axis=0))
    np.testing.assert_allclose(alike.mutual_information, 0, atol=1e-6)
    certain = uncertainty.decomposition(np.eye(4)[RNG.integers(0, 4, (6, 20))])
    np.testing.assert_array_equal(certain.aleatoric, 0)
    np.testing.assert_allclose(certain.total, certain.mutual_information, atol=1e-6)


def test_under_jit_and_vmap():
    found = jax.jit(jax.vmap(uncertainty.decomposition, in_axes=1))(MEMBERS)
    for value, wanted in zip(found, uncertainty.decomposition(MEMBERS)):
        np.testing.assert_allclose(value, wanted, atol=1e-6)


@pytest.mark.promise("Of regressors the law of")
def test_a_mixture_has_the_moments_of_its_samples():
    means, variances = np.array([[0.0], [3.0], [-1.0]]), np.array([[1.0], [0.5], [4.0]])
    found = uncertainty.mixture(means, variances)
    member = RNG.integers(0, 3, 400_000)
    drawn = means[member, 0] + np.sqrt(variances[member, 0]) * RNG.normal(size=member.shape)
    np.testing.assert_allclose(found.mean, drawn.mean(), atol=0.02)
    np.testing.assert_allclose(found.variance, drawn.var(), rtol=0.01)
    np.testing.assert_allclose(found.variance, found.aleatoric + found.epistemic)


def test_outputs_as_gaussian():
    outputs = RNG.normal(size=(5, 4)).astype("float32")
    mean, variance = uncertainty.as_gaussian(outputs)
    np.testing.assert_array_equal(mean, outputs[:, :2])
    np.testing.assert_allclose(variance, np.log1p(np.exp(outputs[:, 2:])) + 1e-6, rtol=1e-5)
    outputs = np.abs(outputs)
    np.testing.assert_array_equal(uncertainty.as_gaussian(outputs, "linear")[1], outputs[:, 2:])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: uncertainty.decomposition([0.5, 0.5]), r"\(members, rows, classes\), .* \(2,\)"),
        (lambda: uncertainty.mixture([[1.0]], [1.0]), r"received \(1, 1\) and \(1,\)"),
        (lambda: uncertainty.as_gaussian([[1.0]]), r"received shape \(1, 1\).*`Dense\(2\)`"),
        (lambda: uncertainty.as_gaussian([[1.0, 1.0]], "log"), "Expected one of.*'log'"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_no_distribution_is_refused():
    logits = 3 * np.log(MEMBERS)
    found = uncertainty.decomposition(logits, from_logits=True)
    wanted = uncertainty.decomposition(scipy.special.softmax(logits, -1))
    np.testing.assert_allclose(found.total, wanted.total, atol=1e-6)
    for given, message in (
        (logits, "`member_probabilities` between 0 and 1.*`from_logits=True`"),
        (MEMBERS / 2, "sums from 0.5 to 0.5"),
        (np.full_like(MEMBERS, np.nan), "NaN among them"),
        (MEMBERS[:0], "1 row or more"),
    ):
        with pytest.raises(ValueError, match=message):
            uncertainty.decomposition(given)
    with pytest.raises(ValueError, match="`means` of numbers, received NaN"):
        uncertainty.mixture([[np.nan]], [[1.0]])


def test_one_class_is_label_1():
    positive = MEMBERS[..., :1]
    found = uncertainty.decomposition(positive)
    wanted = uncertainty.decomposition(np.concatenate([1 - positive, positive], -1))
    np.testing.assert_array_equal(found, wanted)
    odds = np.log(positive / (1 - positive))
    np.testing.assert_allclose(uncertainty.decomposition(odds, from_logits=True), wanted, atol=1e-5)
