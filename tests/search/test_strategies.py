"""Halving and population-based training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import optimizers, search
from jkeras.search.population import SweepData, Population
from jkeras.search.space import Range
from jkeras.search.strategies import Objective, Random, exploited
from jkeras.training.data import ArraySource
from tests.search.models import assert_same, classes, classifier, dropping, lonely, surrogate

X, Y = classes(70)
VALIDATION = classes(21, seed=1)
DATA = {"batch_size": 16, "validation_data": VALIDATION}
SPACE = {"dropout": search.uniform(0, 0.5), "learning_rate": search.log(1e-4, 1e-1), "seed": [0, 1]}
LOSS = Objective("val_loss", "min")


def make():
    return dropping()


# ---------------------------------------------------------------- halving


@pytest.fixture(scope="module")
def halved():
    strategy = search.Halving(factor=2)
    return search.sweep(make, X, Y, space=SPACE, trials=8, strategy=strategy, epochs=4, **DATA)


@pytest.mark.promise("Successive halving keeps one of")
def test_the_better_half_goes_on(halved):
    losses = halved.history["val_loss"]
    assert [row["epochs"] for row in halved.table].count(4) == 2
    alive = np.arange(8)
    for epoch, count in ((1, 4), (2, 2)):
        order = np.argsort(losses[alive, epoch - 1])
        stopped, alive = alive[order[count:]], alive[order[:count]]
        assert np.isnan(losses[stopped, epoch:]).all()
        assert np.isfinite(losses[alive, epoch]).all()
        assert {halved.table[trial]["status"] for trial in stopped} == {"stopped"}
    assert halved.best["trial"] in alive


@pytest.mark.promise("Successive halving keeps one of")
def test_who_goes_on_is_trained_as_alone(halved):
    best = halved.best
    alone = dropping(best["dropout"], best["learning_rate"])
    assert_same(halved, best["trial"], lonely(alone, X, Y, seed=best["seed"], epochs=4, **DATA))
    np.testing.assert_allclose(
        halved.best_model.predict(X, verbose=0), alone.predict(X, verbose=0), atol=1e-5
    )


@pytest.mark.promise("all sizes of the population, as many trials")
@pytest.mark.parametrize("shared", [True, False])
def test_halving_is_compiled_once(shared):
    space = {"learning_rate": search.log(1e-3, 1e-1)}
    if not shared:
        space["seed"] = [0, 1, 2]
    strategy = search.Halving(factor=3)
    result = search.sweep(
        lambda: classifier("sgd"), X, Y, space=space, trials=10, strategy=strategy, epochs=9, **DATA
    )
    trained = [row["epochs"] for row in result.table]
    assert [trained.count(n) for n in (1, 3, 9)] == [6, 2, 2]
    assert result.compiles == 1
    best = result.best
    alone = classifier(optimizers.SGD(best["learning_rate"]))
    if shared:
        alone.set_weights(result.start(0).get_weights())
        history = alone.fit(X, Y, seed=0, epochs=9, verbose=0, **DATA).history
    else:
        history = lonely(alone, X, Y, seed=best["seed"], epochs=9, **DATA)
    assert_same(result, best["trial"], history)


def test_the_weights_of_who_was_stopped_are_gone(halved):
    stopped = next(row["trial"] for row in halved.table if row["status"] == "stopped")
    with pytest.raises(ValueError, match="which was stopped"):
        halved.model(stopped)


def test_who_has_no_finite_loss_is_stopped_first():
    space = {"learning_rate": [1e38, 0.1, 1e37, 0.01]}
    strategy = search.Halving(factor=2)
    result = search.sweep(lambda: classifier("sgd"), X, Y, space=space, strategy=strategy, epochs=2)
    assert [row["epochs"] for row in result.table] == [1, 2, 1, 2]


@pytest.mark.parametrize("wrong", [{"factor": 1}, {"first": 0}])
def test_wrong_halving(wrong):
    with pytest.raises(ValueError, match="Halving: expected a `factor`"):
        search.Halving(**wrong)


@pytest.mark.parametrize(
    "trials, epochs, expected", [(1, 9, [(9, 1)]), (9, 1, [(1, 9)]), (2, 9, [(9, 2)])]
)
def test_without_trials_or_epochs_enough_nothing_is_halved(trials, epochs, expected):
    assert search.Halving().rungs(trials, epochs) == expected


# ---------------------------------------------------------------- population-based training


def trained(strategy, epochs=60):
    """The highest value of the toy problem that two trials reach, which see one weight each."""
    x = np.zeros((4, 1), "float32")
    given = SweepData(ArraySource(x, x, batch_size=1), ArraySource(x, x))
    rows = [{"toy.first": 1.0, "toy.second": 0.0}, {"toy.first": 0.0, "toy.second": 1.0}]
    space = dict.fromkeys(rows[0], search.uniform(0, 1))
    population = Population(surrogate(), given, rows, strategy.turn(space, LOSS))
    told = population.train_until(epochs, strategy.turns(epochs))
    assert population.compiles == 1
    return -told["logs"]["val_loss"][-1].min()


def test_a_population_reaches_what_a_grid_does_not():
    assert trained(search.PBT(every=1, share=0.5)) >= 1.19
    assert trained(Random()) < 0.5


@pytest.mark.promise("In population-based training")
def test_worse_trials_continue_what_better_ones_did():
    strategy = search.PBT(every=1, share=0.5)
    space = {"learning_rate": [1e-6, 0.03, 0.1]}
    result = search.sweep(make, X, Y, space=space, strategy=strategy, epochs=3, **DATA)
    losses, rates = result.history["val_loss"], result.numbers["learning_rate"]
    worst = losses[:, 0].argmax()
    assert losses[worst, 1] < losses[worst, 0] - 0.01  # at the lowest rate it would stay
    known = np.asarray(space["learning_rate"], "float32")
    assert np.isin(rates, known).all() and rates[worst, 1] != rates[worst, 0]
    assert result.compiles == 1
    row = result.table[worst]
    assert row["learning_rate"] == rates[worst, -1]
    assert float(result.model(worst).optimizer.learning_rate) == rates[worst, -1]
    found = result.best_model.evaluate(*VALIDATION, return_dict=True, verbose=0)
    assert found["loss"] == pytest.approx(result.best["val_loss"], abs=1e-5)


@pytest.mark.parametrize("among", [Range(0.1, 1.0), Range(0.1, 1.0, True), [0.1, 0.25, 1.0]])
def test_changed_numbers_stay_in_the_space(among):
    values = jnp.full(500, 0.25)
    near = search.PBT(resample=0.0).changed(values, among, jax.random.key(0))
    new = search.PBT(resample=1.0).changed(values, among, jax.random.key(0))
    for numbers in (near, new):
        assert numbers.min() >= 0.1 - 1e-6 and numbers.max() <= 1.0
    if isinstance(among, Range):
        assert np.unique(near.round(4)).tolist() == pytest.approx([0.2, 0.3])
        middle = np.sqrt(0.1) if among.is_log else 0.55
        assert np.mean(new < middle) == pytest.approx(0.5, abs=0.08)
    else:
        assert np.unique(near).tolist() == pytest.approx([0.1, 1.0])
        assert np.unique(new).tolist() == pytest.approx(among)


@pytest.mark.promise("In population-based training")
def test_the_worst_become_copies_of_the_best():
    scores = jnp.array([5.0, -jnp.inf, 1.0, 4.0, 3.0, 2.0])
    source, is_new = exploited(scores, 0.34, jax.random.key(0))
    assert is_new.tolist() == [False, True, True, False, False, False]
    assert set(source[jnp.array([1, 2])].tolist()) <= {0, 3}
    assert exploited(jnp.array([1.0]), 0.5, jax.random.key(0))[0].tolist() == [0]


@pytest.mark.parametrize("wrong", [{"every": 0}, {"share": 0.6}, {"resample": 2}])
def test_wrong_population_based_training(wrong):
    with pytest.raises(ValueError, match="PBT: expected a positive `every`"):
        search.PBT(**wrong)
