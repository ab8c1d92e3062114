"""Certificates beside scipy's quantiles and exhaustive tries."""

import numpy as np
import pytest
from scipy import stats

import jkeras
from jkeras import layers, robust
from jkeras.robust.smoothing import certified_radius


@pytest.mark.promise("`randomized_smoothing` gives the")
def test_radius_is_clopper_and_pearsons():
    successes = np.array([1000, 990, 700, 501, 499, 0])
    lowest = stats.beta.ppf(0.001, np.maximum(successes, 1), 1000 - successes + 1)
    wanted = 0.5 * np.maximum(stats.norm.ppf(lowest), 0)
    np.testing.assert_allclose(certified_radius(successes, 1000, 0.5, 0.001), wanted, atol=1e-9)


class TestLine:
    """A linear classifier: the smoothed class is its own, and its radius the distance."""

    def model(self):
        model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2, use_bias=False)])
        model.layers[0].kernel.assign(np.array([[1.0, -1.0], [0.0, 0.0], [0.0, 0.0]]))
        return model

    X = np.array([[0.3, 5.0, 1.0], [-0.1, 2.0, 0.0], [2.0, 0.0, 0.0]], "float32")

    @pytest.mark.promise("certifies that within a distance there are none")
    @pytest.mark.promise("A certificate is of the")
    @pytest.mark.parametrize("batch_size", [2, 64])
    def test_never_more_than_the_distance(self, batch_size):
        found = robust.randomized_smoothing(
            self.model(), self.X, stddev=0.5, samples=2000, rng=0, batch_size=batch_size
        )
        assert found.classes.tolist() == [0, 1, 0]
        assert np.all(found.radii <= np.abs(self.X[:, 0]) + 1e-6)
        assert found.radii[0] > 0.2 and found.counts.sum(1).tolist() == [2000] * 3
        share = stats.norm.cdf(self.X[0, 0] / 0.5)
        assert abs(found.counts[0, 0] / 2000 - share) < 0.04

    def test_a_row_on_the_border_gets_no_class(self):
        x = np.zeros((1, 3), "float32")
        found = robust.randomized_smoothing(self.model(), x, rng=1, samples=200)
        assert found.classes.tolist() == [-1] and found.radii.tolist() == [0.0]

    def test_noise_does_not_depend_on_the_batch(self):
        given = {"stddev": 0.5, "samples": 100, "rng": 5}
        one, other = (
            robust.randomized_smoothing(self.model(), self.X, batch_size=size, **given).counts
            for size in (1, 50)
        )
        np.testing.assert_array_equal(one, other)

    def test_no_violation(self):
        """1,000 changes within the radius: none is certified to have another class."""
        model = self.model()
        found = robust.randomized_smoothing(model, self.X[:1], stddev=0.5, samples=2000, rng=0)
        random = np.random.default_rng(0)
        changes = random.normal(size=(1000, 3))
        changes *= found.radii[0] / np.linalg.norm(changes, axis=1, keepdims=True)
        moved = np.float32(self.X[:1] + changes)
        others = robust.randomized_smoothing(
            model, moved, stddev=0.5, samples=200, rng=7, batch_size=4096
        )
        assert set(others.classes) <= {found.classes[0], -1}
        assert np.mean(others.classes == found.classes[0]) > 0.5


def test_errors():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="a score for each class"):
        robust.randomized_smoothing(model, np.ones((1, 3), "float32"))


@pytest.mark.parametrize(
    "given", [{"stddev": 0.0}, {"stddev": -1.0}, {"samples": 0}, {"alpha": 0.0}, {"alpha": 1.0}]
)
def test_numbers_that_certify_nothing(given):
    model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(2)])
    with pytest.raises(ValueError, match=next(iter(given))):
        robust.randomized_smoothing(model, np.ones((1, 2)), rng=0, **given)
