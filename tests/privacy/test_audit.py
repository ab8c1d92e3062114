"""Audits of trainings that reveal what is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

import jkeras
from jkeras import layers, privacy
from jkeras.privacy import audit

LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
ROWS = 120


def noisy(strength):
    """A training that shows members by a normal number around `strength`, and others around 0."""

    def train(key, x, y, mask):
        shown = strength * mask + jax.random.normal(key, mask.shape)
        return jnp.stack([jnp.zeros(len(mask)), shown], 1)

    return train


def found(strength, models=40, **options):
    y = np.ones(ROWS, int)
    return audit.lira(noisy(strength), np.zeros((ROWS, 1)), y, models=models, **options)


def test_curve_as_scikit_learn():
    result = found(1.0)
    labels, scores = result.included.ravel(), result.scores.ravel()
    assert result.auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert result.true_positives == pytest.approx(np.interp(0.01, false, true), abs=0.02)


@pytest.mark.parametrize("strength, wanted", [(0.0, 0.5), (1.0, 0.760), (2.0, 0.921)])
def test_known_curves(strength, wanted):
    """Of two normal distributions: the probability that one is above the other."""
    assert found(strength).auc == pytest.approx(wanted, abs=0.03)


@pytest.mark.promise("`epsilon` is a lower bound")
def test_bound_is_below_what_is_revealed():
    """A training that tells each member truly with probability e^2 / (1 + e^2) reveals 2."""

    def train(key, x, y, mask):
        told = jax.random.bernoulli(key, jax.nn.sigmoid(2.0), mask.shape) == mask
        return jnp.stack([jnp.zeros(len(mask)), 2.0 * told], 1)

    y = np.ones(ROWS, int)
    result = audit.lira(train, np.zeros((ROWS, 1)), y, models=64, delta=1e-9)
    assert 1.2 < result.epsilon < 2.0


@pytest.mark.promise("0.5 where the attack knows nothing")
def test_nothing_is_found_where_nothing_is_shown():
    assert found(0.0, rng=5).epsilon < 0.3


def test_probabilities():
    def train(key, x, y, mask):
        return jax.nn.softmax(noisy(1.0)(key, x, y, mask))

    y = np.ones(ROWS, int)
    other = audit.lira(train, np.zeros((ROWS, 1)), y, models=40, from_logits=False)
    assert other.auc == pytest.approx(found(1.0).auc, abs=1e-3)


def test_errors():
    with pytest.raises(ValueError, match="4 models or more, received models=3"):
        found(1.0, models=3)


CANARIES = 80


def shown(noise):
    """An audit of full-batch training on rows that have a weight each, so that what is added for a
    row is seen as well as it can be.
    """
    only = layers.Dense(2, use_bias=False, kernel_initializer="zeros")
    model = jkeras.Sequential([jkeras.Input((CANARIES,)), only])
    private = privacy.DPSGD(clip=1.0, noise_multiplier=noise, delta=1e-4)
    model.compile(jkeras.optimizers.SGD(1.0), LOSS, privacy=private)
    train = audit.trainer(model, steps=10, batch_size=CANARIES)
    x, y = np.eye(CANARIES, dtype="float32") * 20, np.arange(CANARIES) % 2
    return audit.lira(train, x, y, models=16, delta=1e-4)


@pytest.mark.promise("`epsilon` is a lower bound")
def test_noise_that_is_too_small_is_caught():
    claimed = privacy.epsilon(noise_multiplier=8.0, q=1.0, steps=10, delta=1e-4)
    assert shown(8.0).epsilon <= claimed < shown(2.0).epsilon


@pytest.fixture(scope="module")
def mislabeled():
    (x, y), _ = jkeras.datasets.digits.load_data()
    random = np.random.default_rng(0)
    wrong = random.random(len(y)) < 0.25
    y = np.where(wrong, (y + random.integers(1, 10, len(y))) % 10, y)
    return np.float32(x.reshape(-1, 64) / 16), y


@pytest.mark.promise("`audit.lira` trains models")
@pytest.mark.slow
@pytest.mark.parametrize("noise", [None, 2.0])
def test_digits(mislabeled, noise):
    """A quarter of the labels is wrong: a network that learns them by heart shows whom it saw."""
    jkeras.utils.set_random_seed(1)
    hidden = [layers.Dense(64, activation="relu") for _ in range(2)]
    model = jkeras.Sequential([jkeras.Input((64,)), *hidden, layers.Dense(10)])
    private = noise and privacy.DPSGD(clip=1.0, noise_multiplier=noise, delta=1e-4)
    model.compile(jkeras.optimizers.Adam(0.01), LOSS, privacy=private)
    steps = 150 if noise else 400
    train = audit.trainer(model, steps=steps, batch_size=256)
    result = audit.lira(train, *mislabeled, models=24, delta=1e-4)
    if noise is None:
        assert result.auc >= 0.65 and result.true_positives > 0.05
        return
    q = 256 / len(mislabeled[1])
    epsilon = privacy.epsilon(noise_multiplier=noise, q=q, steps=steps, delta=1e-4)
    assert result.auc <= 0.60 and result.epsilon <= epsilon <= 5.5
