"""Noise that is correlated over steps: its covariance, what it costs beside jax_privacy and the
definition, its account.
"""

import numpy as np
import pytest
import scipy.linalg

import jkeras
from jkeras import callbacks, layers, privacy
from jkeras.privacy.account import Account, Current, joined
from jkeras.privacy.correlated import FINER, equal_steps, squared_sensitivity, weights
from jkeras.privacy.sampling import sampled
from jkeras.training.data import ArraySource

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4)).astype("float32")
Y = RANDOM.integers(0, 3, 60)
LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
# jax_privacy 2.0.0: (bands, steps, turn): `toeplitz.minsep_sensitivity_squared` of the inverse, and
# the root mean squared error of sums over steps at equal privacy, ours, of independent noise, and
# of the best banded matrix of `optimize_banded_toeplitz`
OF_JAX_PRIVACY = {
    (1, 100, 20): (5.0, 15.890248582070704, 15.890248582070704, 15.890248582070704),
    (2, 40, 10): (5.341149648026956, 5.6017188596142855, 9.055385138137417, 6.776492470899935),
    (4, 100, 20): (8.166253135255925, 7.01550467598794, 15.890248582070704, 8.756762578349097),
    (16, 100, 20): (14.774802426338425, 6.249760305987992, 15.890248582070704, 5.954583146901294),
    (64, 500, 50): (46.09058347676442, 12.348367691122935, 50.049975024968795, 10.882395314522991),
}


def matrix(bands, steps):
    """What the noise of all steps is multiplied by."""
    column = np.zeros(max(steps, bands))
    column[:bands] = weights(bands)
    return scipy.linalg.toeplitz(column[:steps], np.zeros(steps))


def model_of(bands=4, noise=1.0, **options):
    jkeras.utils.clear_session()
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(3)])
    budget = {} if "epsilon" in options else {"noise_multiplier": noise}
    given = {"delta": 1e-3, "sampling": "turns", "bands": bands, **budget, **options}
    dp = privacy.DPSGD(0.5, **given)
    model.compile(jkeras.optimizers.SGD(0.1), LOSS, privacy=dp)
    return model


# ---------------------------------------------------------------- sensitivity


@pytest.mark.promise("the same sensitivity as jax_privacy")
@pytest.mark.parametrize("case", OF_JAX_PRIVACY, ids=str)
def test_sensitivities_of_jax_privacy(case):
    assert squared_sensitivity(*case) == pytest.approx(OF_JAX_PRIVACY[case][0], rel=1e-12)


@pytest.mark.parametrize("bands, steps, turn", [(1, 7, 3), (4, 20, 5), (8, 30, 3), (3, 9, 20)])
def test_sensitivities_by_definition(bands, steps, turn):
    """Over all steps in which a row may be first, and gradients that point anywhere."""
    inverse = np.linalg.inv(matrix(bands, steps))
    assert inverse.min() > -1e-12
    most = 0.0
    for first in range(min(turn, steps)):
        columns = inverse[:, first::turn]
        most = max(most, (columns.sum(1) ** 2).sum())
        for _ in range(20):
            directions = RANDOM.normal(size=(columns.shape[1], 3))
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            moved = (columns @ directions) ** 2
            assert moved.sum() <= squared_sensitivity(bands, steps, turn) * (1 + 1e-12)
    assert squared_sensitivity(bands, steps, turn) == pytest.approx(most, rel=1e-12)


@pytest.mark.promise("2.5 times less noise at equal epsilon")
@pytest.mark.parametrize("case", OF_JAX_PRIVACY, ids=str)
def test_sums_over_steps_have_less_noise_for_the_same_epsilon(case):
    bands, steps, turn = case
    _, ours, independent, best = OF_JAX_PRIVACY[case]
    sums = np.tril(np.ones((steps, steps))) @ matrix(bands, steps)
    error = np.sqrt((sums**2).sum(1).mean() * squared_sensitivity(bands, steps, turn))
    assert error == pytest.approx(ours, rel=1e-6)
    assert error < 1.2 * best
    if bands >= 4:
        assert error < independent / 2.2


# ---------------------------------------------------------------- noise


class Weights(callbacks.Callback):
    """Keeps the weights after each step."""

    def on_train_begin(self, logs=None):
        self.kept = [self._now()]

    def on_train_batch_end(self, batch, logs=None):
        self.kept.append(self._now())

    def _now(self):
        return np.concatenate([np.ravel(v) for v in self.model.get_weights()])


def noise_of(model, epochs=2, seed=0, size=60):
    """What each step of a training adds, where no gradient does."""
    kept = Weights()
    x = np.zeros((60, model.input_shape[1]), "float32")
    model.fit(x, Y[:size], batch_size=12, epochs=epochs, seed=seed, verbose=0, callbacks=[kept])
    return np.diff(np.array(kept.kept, "float64"), axis=0)


def silent_model(bands, noise=2.0, **options):
    jkeras.utils.clear_session()
    model = jkeras.Sequential([jkeras.Input((500,)), layers.Dense(40)])
    dp = privacy.DPSGD(
        0.5, noise, delta=1e-3, sampling="turns", bands=bands, batch_size=1, **options
    )
    silent = lambda y, p: 0 * jkeras.ops.sum(p, -1)  # noqa: E731
    model.compile(jkeras.optimizers.SGD(1.0), silent, privacy=dp)
    return model


@pytest.mark.promise("what a step adds later ones take off again")
@pytest.mark.parametrize("microbatches", [1, 2])
def test_the_covariance_of_the_noise(microbatches):
    model = silent_model(4)
    model.compile(model.optimizer, model.loss, privacy=model.privacy, microbatches=microbatches)
    first = noise_of(model)
    wanted = (2.0 * 0.5) ** 2 * matrix(4, 10) @ matrix(4, 10).T
    found = first @ first.T / first.shape[1]
    np.testing.assert_allclose(found, wanted, atol=6 / np.sqrt(first.shape[1]))


@pytest.mark.promise("Each `fit` begins noise of its own")
def test_another_fit_has_noise_of_its_own():
    model = silent_model(4)
    first, second = noise_of(model), noise_of(model, epochs=1, seed=1)
    count = first.shape[1]
    across = first @ second.T / count
    np.testing.assert_allclose(across, 0, atol=6 / np.sqrt(count))
    wanted = matrix(4, 5) @ matrix(4, 5).T
    np.testing.assert_allclose(second @ second.T / count, wanted, atol=6 / np.sqrt(count))
    runs = model.privacy_spent().runs
    assert sum(run.steps for run in runs) == equal_steps(4, 10, 5) + equal_steps(4, 5, 5)


def test_one_band_is_independent_noise():
    plain = silent_model(1)
    noise = noise_of(plain)
    np.testing.assert_allclose(noise @ noise.T / noise.shape[1], np.eye(10), atol=0.05)


# ---------------------------------------------------------------- rows


@pytest.mark.promise("each row is in the same step of every epoch")
def test_rows_come_in_the_same_step_of_each_epoch():
    source = sampled(ArraySource(X, Y, batch_size=13, shuffle=True), "cyclic", 10, 1)
    first, *others = ([rows.tolist() for rows in source.rows(7, epoch)] for epoch in range(3))
    assert all(other == first for other in others)
    assert sorted(sum(first, [])) == list(range(60))
    assert first != [rows.tolist() for rows in source.rows(8, 0)]
    assert [len(rows) for rows in first] == [13, 13, 13, 13, 8]


# ---------------------------------------------------------------- account


@pytest.mark.promise("the account is that of one Gaussian mechanism")
def test_the_account_of_a_training():
    model = model_of(bands=4, noise=3.0)
    history = model.fit(X, Y, batch_size=12, epochs=3, verbose=0).history
    for epoch, told in enumerate(history["epsilon"], 1):
        square = squared_sensitivity(4, 5 * epoch, 5)
        exact = privacy.epsilon(3.0 / np.sqrt(square), 1.0, 1, 1e-3)
        assert exact <= told <= exact * 1.001
    spent = model.privacy_spent()
    assert spent.epsilon == history["epsilon"][-1]
    assert "with one in its place that adds nothing" in spent.assumptions


def test_the_account_is_that_of_turns_without_a_correlation():
    plain = privacy.epsilon(3.0, 1.0, 4, 1e-3)
    again = privacy.epsilon(3.0 * FINER, 1.0, equal_steps(1, 17, 5), 1e-3)
    assert plain == pytest.approx(again, rel=1e-3)
    assert again >= plain * (1 - 1e-12)


@pytest.mark.parametrize("bands", [1, 2, 7, 40])
def test_more_steps_never_reveal_less(bands):
    """Also of prefixes: the longest of several memories of a run is the one that counts."""
    steps = [equal_steps(bands, t, 6) for t in range(40)]
    assert steps == sorted(steps)
    assert steps[0] == 0
    current = Current(1.0, 1.0, 12, 6, 0.0, (1, 2), 3, "a" * 32, 1e-3, bands)
    runs = [Account(current=current).at(3 + t) for t in (5, 30, 12)]
    whole = joined(joined(runs[0], runs[1]), runs[2])
    assert whole == runs[1]


def test_a_budget():
    model = model_of(epsilon=3.0)
    history = model.fit(X, Y, batch_size=12, epochs=3, verbose=0).history
    assert 2.99 < history["epsilon"][-1] <= 3.0
    with pytest.raises(ValueError, match="of which"):
        model.fit(X, Y, batch_size=12, epochs=1, verbose=0)


def test_the_other_accountant():
    pytest.importorskip("dp_accounting")
    rdp, pld = (
        privacy.epsilon(3.0 * FINER, 1.0, equal_steps(4, 15, 5), 1e-3, accountant)
        for accountant in ("rdp", "pld")
    )
    assert 0.8 * rdp < pld < rdp


def test_a_checkpoint_goes_on_with_the_same_noise(tmp_path):
    whole = model_of()
    whole.fit(X, Y, batch_size=12, epochs=4, seed=3, verbose=0)
    model_of().fit(X, Y, batch_size=12, epochs=2, seed=3, verbose=0, checkpoint=tmp_path)
    model = model_of()
    history = model.fit(X, Y, batch_size=12, epochs=4, seed=3, verbose=0, checkpoint=tmp_path)
    for mine, wanted in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, wanted)
    assert history.history["epsilon"][-1] == whole.privacy_spent().epsilon
    model = model_of(bands=8)  # another mechanism, which begins here
    model.fit(X, Y, batch_size=12, epochs=5, seed=3, verbose=0, checkpoint=tmp_path)
    assert sum(run.steps for run in model.privacy_spent().runs) == sum(
        [equal_steps(4, 20, 5), equal_steps(8, 5, 5)]
    )


@pytest.mark.parametrize(
    "options",
    [{"sampling": "poisson"}, {"bands": 0}, {"bands": 2.5}, {"bands": -3}],
)
def test_what_is_refused(options):
    with pytest.raises(ValueError, match="bands"):
        model_of(**options)
