"""A sweep that is killed goes on from its folder to the same bits."""

import json
import shutil

import numpy as np
import pytest

from jkeras import layers, search
from jkeras.saving import Checkpointer
from jkeras.search import reading
from jkeras.search.population import Population
from tests.search.models import classes, classifier

X, Y = classes(70)
DATA = {"batch_size": 16, "validation_data": classes(21, seed=1), "epochs": 4}
SPACE = {"learning_rate": search.log(1e-3, 1e-1), "momentum": [0.5, 0.9], "seed": [0, 1]}
STRATEGIES = {
    "random": "random",
    "halving": search.Halving(factor=2),
    "pbt": search.PBT(share=0.5),
}


class Killed(Exception):
    pass


@pytest.fixture
def killing(monkeypatch):
    """Lets the dispatches that train fail from a number on."""

    def kill_at(number):
        train, count = Population.train_until, iter(range(100))

        def train_until(population, *arguments):
            if next(count) >= number:
                raise Killed
            return train(population, *arguments)

        monkeypatch.setattr(Population, "train_until", train_until)

    yield kill_at
    monkeypatch.undo()


def swept(folder, **changes):
    options = {"space": SPACE, "trials": 4, "checkpoint": folder} | DATA | changes
    return search.sweep(classifier, X, Y, **options)


@pytest.mark.promise("the same call resumes from there, bitwise identical")
@pytest.mark.parametrize(
    "name, at",
    [
        pytest.param("random", 2, marks=pytest.mark.slow),
        pytest.param("halving", 1, marks=pytest.mark.slow),
        ("halving", 3),
        ("pbt", 3),
    ],
)
def test_a_killed_sweep_goes_on_to_the_same_bits(name, at, killing, monkeypatch, tmp_path):
    strategy = STRATEGIES[name]
    whole = swept(tmp_path / "whole", strategy=strategy)
    with monkeypatch.context():
        killing(at)
        with pytest.raises(Killed):
            swept(tmp_path / "killed", strategy=strategy)
    monkeypatch.undo()
    again = swept(tmp_path / "killed", strategy=strategy)
    assert again.table == whole.table
    for name, values in whole.history.items():
        np.testing.assert_array_equal(again.history[name], values)
    for ours, theirs in zip(again.best_model.get_weights(), whole.best_model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_a_finished_sweep_is_read(killing, tmp_path):
    first = swept(tmp_path)
    killing(0)
    assert swept(tmp_path).table == first.table


def test_groups_have_folders_of_their_own(killing, tmp_path):
    def make(units):
        return classifier(inner=[layers.Dense(units)])

    options = {"space": {"units": [2, 3], "seed": [0, 1]}, "epochs": 2, "checkpoint": tmp_path}
    first = search.sweep(make, X, Y, **options)
    killing(0)
    assert search.sweep(make, X, Y, **options).table == first.table


@pytest.mark.parametrize("changes", [{"epochs": 5}, {"seed": 1}, {"strategy": "pbt"}])
def test_another_sweep_is_refused(changes, tmp_path):
    swept(tmp_path, epochs=1)
    with pytest.raises(ValueError, match="checkpoint of another sweep"):
        swept(tmp_path, **({"epochs": 1} | changes))


# ---------------------------------------------------------------- folders whose words were changed


def changed_ledger(change):
    """A change of the ledger alone."""

    def in_extra(extra):
        change(extra["ledger"])
        return extra

    return in_extra


def without(key):
    return lambda extra: {name: value for name, value in extra.items() if name != key}


def put(kind, name, value):
    return changed_ledger(lambda ledger: ledger[kind].update({name: value}))


def column(ledger, change):
    change(ledger["logs"]["val_loss"])


NAN = float("nan")
LIES = {
    "empty": lambda extra: {},
    "a list": lambda extra: [1, 2],
    "a name more": lambda extra: {**extra, "best": {"trial": 1, "loss": 0.0}},
    "no alive": without("alive"),
    "no ledger": without("ledger"),
    "a ledger of text": lambda extra: {**extra, "ledger": "best"},
    "alive of text": lambda extra: {**extra, "alive": "01"},
    "alive twice": lambda extra: {**extra, "alive": [0, 0, 1, 2]},
    "alive too far": lambda extra: {**extra, "alive": [0, 1, 2, 4]},
    "alive below": lambda extra: {**extra, "alive": [-1, 1, 2, 3]},
    "fewer alive": lambda extra: {**extra, "alive": [0]},
    "alive as truth": lambda extra: {**extra, "alive": [False, True, 2, 3]},
    "trained too far": changed_ledger(lambda ledger: ledger.update(trained=[999999999, 4, 4, 4])),
    "trained less": changed_ledger(lambda ledger: ledger.update(trained=[1, 4, 4, 4])),
    "trained of text": changed_ledger(lambda ledger: ledger.update(trained="4444")),
    "logs of text": changed_ledger(lambda ledger: ledger.update(logs="loss")),
    "another shape": put("logs", "loss", [[1.0]]),
    "one for all": put("logs", "loss", 1.0),
    "ragged": put("logs", "loss", [[1.0], [1.0, 2.0], [1.0], [1.0]]),
    "text": put("logs", "loss", [["a"] * 4] * 4),
    "a name": put("logs", "accuracy", [[1.0] * 4] * 4),
    "no loss": changed_ledger(lambda ledger: ledger["logs"].pop("val_loss")),
    "a better loss": changed_ledger(
        lambda ledger: column(ledger, lambda losses: losses[1].__setitem__(3, 0.0))
    ),
    "a worse loss": changed_ledger(
        lambda ledger: column(ledger, lambda losses: losses[2].__setitem__(3, NAN))
    ),
    "another rate": put("numbers", "learning_rate", [[0.5] * 4] * 4),
    "no rate": changed_ledger(lambda ledger: ledger["numbers"].pop("learning_rate")),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(folder, result, what is expected of its checkpoint, what it says)."""
    folder = tmp_path_factory.mktemp("finished") / "sweep"
    result, seen = swept(folder), []
    restore, checked = Checkpointer.restore, reading.Expected.checked

    def restore_and_note(*arguments, **options):
        seen.append(restore(*arguments, **options)[1])
        return restore(*arguments, **options)

    def check_and_note(expected, *given):
        seen.append(expected)
        return checked(expected, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpointer, "restore", restore_and_note)
        patch.setattr(reading.Expected, "checked", check_and_note)
        assert swept(folder).best == result.best
    extra, expected = seen
    return folder, result, expected, json.dumps(extra)


@pytest.mark.promise("What a folder says is looked")
@pytest.mark.parametrize("lie", LIES)
def test_words_that_cannot_be_true_are_refused(lie, finished):
    _, _, expected, text = finished
    extra = LIES[lie](json.loads(text))
    with pytest.raises(ValueError, match="^The sweep in .*: expected .*another folder"):
        extra = reading.sweep_data(expected.folder, extra)
        expected.checked(extra["alive"], extra["ledger"])


@pytest.mark.promise("What a folder says is looked")
@pytest.mark.promise("`best` follows from these")
def test_a_result_is_not_what_a_folder_says(finished, monkeypatch):
    folder, first, _, _ = finished
    restore = Checkpointer.restore

    def lying(*arguments, **options):
        state, extra = restore(*arguments, **options)
        return state, LIES["a better loss"](extra)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "restore", lying)
        with pytest.raises(ValueError, match="'val_loss' of the last epoch as it was"):
            swept(folder)
    assert swept(folder).best == first.best


def test_words_nested_too_deeply_are_refused(finished, monkeypatch):
    def deep(*_, **__):
        raise RecursionError

    monkeypatch.setattr(Checkpointer, "restore", deep)
    with pytest.raises(ValueError, match="nested too deeply"):
        swept(finished[0])


def test_a_checkpoint_of_more_epochs_is_refused(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "sweep")
    with pytest.raises(ValueError, match="another sweep"):
        swept(tmp_path / "sweep", epochs=3)
