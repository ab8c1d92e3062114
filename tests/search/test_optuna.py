"""Studies of optuna over one program."""

import numpy as np
import pytest

import jkeras
from jkeras import layers, optimizers, search
from tests.search.models import classes, classifier, lonely

optuna = pytest.importorskip("optuna")

X, Y = classes(70)
DATA = {"batch_size": 16, "validation_data": classes(21, seed=1), "epochs": 4}
SPACE = {"learning_rate": search.log(1e-3, 1.0), "seed": [3]}


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def study_of(pruner=None):
    sampler = optuna.samplers.RandomSampler(seed=0)
    return optuna.create_study(sampler=sampler, pruner=pruner or optuna.pruners.NopPruner())


def states(study):
    return [trial.state.name for trial in study.trials]


@pytest.mark.promise("`search.optuna` lets a")
def test_what_is_told_is_what_a_training_alone_gives():
    study = search.optuna(study_of(), classifier, X, Y, space=SPACE, trials=5, batch=2, **DATA)
    assert states(study) == ["COMPLETE"] * 5
    best = study.best_trial
    alone = lonely(classifier(optimizers.SGD(best.params["learning_rate"])), X, Y, 3, **DATA)
    assert best.value == pytest.approx(alone["val_loss"][-1], abs=1e-5)


@pytest.mark.promise("`search.optuna` lets a")
def test_the_pruner_is_asked_at_each_rung():
    study = study_of(optuna.pruners.MedianPruner(n_startup_trials=2))
    search.optuna(study, classifier, X, Y, space=SPACE, trials=12, batch=4, rungs=4, **DATA)
    pruned = [trial for trial in study.trials if trial.state.name == "PRUNED"]
    assert pruned and len(pruned) < 12
    assert all(0 < len(trial.intermediate_values) < 4 for trial in pruned)


def test_a_trial_that_gives_no_number_is_told_as_failed():
    def make():
        model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    space = {"learning_rate": [0.01, 1e38], "seed": [0, 1]}
    study = search.optuna(study_of(), make, X, Y, space=space, trials=8, batch=4, **DATA)
    for trial in study.trials:
        failed = trial.params["learning_rate"] > 1
        assert trial.state.name == ("FAIL" if failed else "COMPLETE")
    assert len(set(states(study))) == 2


def test_widths_and_a_direction():
    def make(units):
        return classifier(inner=[layers.Dense(units)], metrics=["accuracy"])

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
    space = {"units": [2, 3], **SPACE}
    search.optuna(
        study, make, X, Y, space=space, trials=4, batch=4, objective="val_accuracy", **DATA
    )
    assert study.best_value == max(trial.value for trial in study.trials)
    assert np.isin([trial.params["units"] for trial in study.trials], [2, 3]).all()
