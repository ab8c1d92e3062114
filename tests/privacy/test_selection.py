"""The best of several private trainings: what the choice costs, and its account."""

import json
import math

import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy
from jkeras.privacy import Run

LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4)).astype("float32")
Y = RANDOM.integers(0, 3, 60)
# (noise, q, steps, trials, delta): epsilon by dp-accounting 0.6.0, `RepeatAndSelectDpEvent` with
# shape 1, on our orders
OF_DP_ACCOUNTING = {
    (4.0, 0.1, 10, 2, 1e-3): 0.41757393106806,
    (1.1, 0.004, 3000, 10, 1e-5): 2.3758370824738595,
    (2.0, 1.0, 20, 100, 1e-6): 23.84560249655012,
    (8, 0.01, 100, 1.5, 1e-5): 0.0648139218727497,
}


def model_of(noise=1.0, part=None, **options):
    model = jkeras.Sequential([jkeras.Input((4,)), part or layers.Dense(4), layers.Dense(3)])
    model.compile("sgd", LOSS, privacy=privacy.DPSGD(0.5, noise, delta=1e-3, **options))
    return model


def fitted(model, batch_size=12, **options):
    model.fit(X, Y, batch_size=batch_size, epochs=1, verbose=0, **options)
    return model


MOST = Run(1.0, 12 / 60, 5)
SEVERAL = next(s for s in range(99) if np.random.default_rng(s).geometric(1 / 4) > 2)


@pytest.mark.promise("to the number of dp-accounting")
@pytest.mark.parametrize("case", OF_DP_ACCOUNTING, ids=str)
def test_the_choice_of_dp_accounting(case):
    *run, delta = case
    found = privacy.epsilon(runs=[Run(*run)], delta=delta)
    assert found == pytest.approx(OF_DP_ACCOUNTING[case], rel=1e-9)
    assert found > privacy.epsilon(*run[:3], delta)


def test_one_trial_costs_no_choice():
    one = privacy.epsilon(runs=[Run(1.1, 0.004, 3000, 1.0)], delta=1e-5)
    assert one == privacy.epsilon(1.1, 0.004, 3000, 1e-5)
    nearly = privacy.epsilon(runs=[Run(1.1, 0.004, 3000, 1 + 1e-9)], delta=1e-5)
    assert one < nearly < 3 * one


def test_choices_add_up_with_other_trainings():
    """In divergences, each choice for itself."""
    once, more = Run(2.0, 0.1, 10, 5.0), Run(3.0, 0.1, 20)
    alone = privacy.epsilon(runs=[once], delta=1e-5)
    assert alone < privacy.epsilon(runs=[once, more], delta=1e-5)
    twice = privacy.epsilon(runs=[once, once], delta=1e-5)
    assert twice > privacy.epsilon(runs=[once._replace(steps=20)], delta=1e-5)
    left = privacy.noise_for(3.0, 1e-5, 0.1, 20, after=[once])
    assert 2.99 < privacy.epsilon(runs=[once, Run(left, 0.1, 20)], delta=1e-5) <= 3.0


@pytest.mark.parametrize("trials", [0.5, 0, -1, math.nan, math.inf])
def test_numbers_of_trials_that_cannot_be(trials):
    with pytest.raises(ValueError, match="1 trial or more"):
        privacy.epsilon(runs=[Run(1.0, 0.1, 5, trials)], delta=1e-5)
    with pytest.raises(ValueError, match="1 trial or more"):
        privacy.best_of(lambda number: None, trials, MOST)


# ---------------------------------------------------------------- best_of


def scores_of(seed, trials=3.0):
    """(the scores of the trials that were run, the best)."""
    told = []

    def trial(number):
        told.append(math.sin(7 * number))
        return fitted(model_of()), told[-1]

    return told, privacy.best_of(trial, trials, MOST, seed=seed)


@pytest.mark.promise("The guarantee is of the best model")
@pytest.mark.promise("`best_of` trains a number of models that it draws")
def test_the_best_has_the_account_of_the_choice():
    scores, best = scores_of(seed=4)
    assert len(scores) > 1
    assert best.score == max(scores)
    assert best.number == int(np.argmax(scores))
    spent = best.model.privacy_spent()
    assert spent.runs == (MOST._replace(trials=3.0),)
    assert spent.epsilon == privacy.epsilon(runs=[MOST._replace(trials=3.0)], delta=1e-3)
    fitted(best.model, seed=11)  # which counts beside it
    after = best.model.privacy_spent()
    assert after.runs == (MOST._replace(trials=3.0), MOST)
    assert after.epsilon > spent.epsilon


def test_the_number_of_trials_is_geometric():
    runs = [np.random.default_rng(s).geometric(1 / 3) for s in range(2000)]
    assert np.mean(runs) == pytest.approx(3, abs=0.2)
    for seed in range(3):
        told, _ = scores_of(seed, 2.0)
        assert len(told) == np.random.default_rng(seed).geometric(1 / 2)


@pytest.mark.promise("Files and layers have it")
@pytest.mark.parametrize("name", ["best.keras", "best.h5"])
def test_files_and_layers_have_the_choice(name, tmp_path):
    _, best = scores_of(seed=0)
    best.model.save(tmp_path / name)
    again = jkeras.models.load_model(tmp_path / name)
    assert again.privacy_spent().epsilon == best.model.privacy_spent().epsilon
    other = jkeras.Sequential([jkeras.Input((4,)), *best.model.layers])
    assert other.privacy_spent().epsilon == best.model.privacy_spent().epsilon
    record = json.loads(json.dumps(best.model.private_record()))
    record[0]["trials"] = 0.5
    with pytest.raises(ValueError, match="'trials'"):
        other.take_private_record(record)


def test_a_checkpoint_has_the_choice(tmp_path):
    _, best = scores_of(seed=0)
    fitted(best.model, seed=1, checkpoint=tmp_path)
    fresh = model_of()
    fresh.fit(X, Y, batch_size=12, epochs=2, seed=1, verbose=0, checkpoint=tmp_path)
    assert fresh.privacy_spent().runs == (MOST._replace(trials=3.0), MOST._replace(steps=10))


BASE = layers.Dense(4, name="base")


@pytest.mark.promise("A trial that does more than was said is refused")
@pytest.mark.parametrize(
    "trial, match",
    [
        (lambda _: (fitted(model_of(0.9)), 1.0), "at most Run"),
        (lambda _: (fitted(model_of(), 13), 1.0), "at most Run"),
        (lambda _: (fitted(model_of(), 6), 1.0), "at most Run"),
        (
            lambda _: (fitted(fitted(model_of(), seed=1), seed=2), 1.0),
            "trained with privacy in one",
        ),
        (lambda _: (model_of(), 1.0), "trained with privacy in one"),
        (lambda _: (fitted(model_of()), math.nan), "a score of trial 0, received NaN"),
        (lambda n: (fitted(model_of(part=BASE), seed=n), 1.0), "trained with privacy in one"),
    ],
    ids=["noise", "q", "steps", "two fits", "none", "NaN", "shared layers"],
)
def test_a_trial_that_does_more_is_refused(trial, match):
    with pytest.raises(ValueError, match=match):
        privacy.best_of(trial, 4, MOST, seed=SEVERAL)


def test_a_model_that_comes_again_is_refused():
    model = fitted(model_of())
    with pytest.raises(ValueError, match="a model of its own"):
        privacy.best_of(lambda number: (model, 1.0), 4, MOST, seed=SEVERAL)
