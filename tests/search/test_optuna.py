"""Studies of optuna over one program."""

import os
import subprocess
import sys

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


# ---------------------------------------------------------------- several processes

PROCESS = """
import sys
import optuna
from jkeras import search
from tests.search.models import classes, classifier

optuna.logging.set_verbosity(optuna.logging.WARNING)
backend = optuna.storages.journal.JournalFileBackend(sys.argv[1])
storage = optuna.storages.JournalStorage(backend)
study = optuna.load_study(study_name="shared", storage=storage)
x, y = classes(70)
data = {"batch_size": 16, "validation_data": classes(21, seed=1), "epochs": 2}
space = {"learning_rate": search.log(1e-3, 1.0), "seed": [3]}
search.optuna(study, classifier, x, y, space=space, trials=6, batch=2, **data)
"""


def storage_at(path):
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    return optuna.storages.JournalStorage(backend)


@pytest.mark.slow
@pytest.mark.promise("Several processes may share a study")
def test_two_processes_share_a_study(tmp_path):
    path = tmp_path / "journal.log"
    study = optuna.create_study(study_name="shared", storage=storage_at(path))
    command = [sys.executable, "-c", PROCESS, str(path)]
    both = [subprocess.Popen(command, env={**os.environ, "JAX_PLATFORMS": "cpu"}) for _ in range(2)]
    assert [one.wait(timeout=300) for one in both] == [0, 0]
    study = optuna.load_study(study_name="shared", storage=storage_at(path))
    assert states(study) == ["COMPLETE"] * 12
    assert sorted(trial.number for trial in study.trials) == list(range(12))
    rates = [trial.params["learning_rate"] for trial in study.trials]
    assert len(set(rates)) == 12
    for trial in study.trials[:2]:
        options = {**DATA, "epochs": 2}
        alone = lonely(
            classifier(optimizers.SGD(trial.params["learning_rate"])), X, Y, 3, **options
        )
        assert trial.value == pytest.approx(alone["val_loss"][-1], abs=1e-5)


@pytest.mark.promise("A process that ends by an error reports")
def test_an_error_leaves_no_trial_under_way(tmp_path):
    study = optuna.create_study(storage=storage_at(tmp_path / "journal.log"))
    space = {"learning_rat": [0.1], "seed": [0, 1]}
    with pytest.raises(ValueError, match="no number of the model"):
        search.optuna(study, classifier, X, Y, space=space, trials=4, batch=2, **DATA)
    assert states(study) == ["FAIL"] * 2

    def stop(study, trial):
        raise KeyboardInterrupt

    pruner = optuna.pruners.NopPruner()
    pruner.prune = stop
    study = optuna.create_study(storage=storage_at(tmp_path / "other.log"), pruner=pruner)
    with pytest.raises(KeyboardInterrupt):
        search.optuna(study, classifier, X, Y, space=SPACE, trials=4, batch=3, rungs=2, **DATA)
    assert states(study) == ["FAIL"] * 3


def test_several_directions_are_refused():
    study = optuna.create_study(directions=["minimize", "maximize"])
    with pytest.raises(ValueError, match="one direction"):
        search.optuna(study, classifier, X, Y, space=SPACE, trials=1, **DATA)
