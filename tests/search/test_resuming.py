"""A sweep that is killed goes on from its folder to the same bits."""

import numpy as np
import pytest

from jkeras import layers, search
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


@pytest.mark.promise("the same call goes on from there to the same bits")
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
