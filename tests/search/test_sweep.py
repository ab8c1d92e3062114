"""Sweeps: each trial beside a real `fit`, how much is compiled, what is chosen."""

import numpy as np
import pytest

import jkeras
from jkeras import layers, optimizers, search
from jkeras.search import population
from jkeras.training import init_train_state
from jkeras.training.loop import memory
from tests.search.models import assert_same, classes, classifier, dropping, lonely

X, Y = classes(70)
VALIDATION = classes(21, seed=1)
DATA = {"batch_size": 16, "epochs": 3, "validation_data": VALIDATION}


def make():
    return dropping()


@pytest.fixture(scope="module")
def result():
    space = {
        "learning_rate": search.log(1e-3, 1e-1),
        "dropout": search.uniform(0, 0.5),
        "seed": [0, 1, 2],
    }
    return search.sweep(make, X, Y, space=space, trials=5, **DATA)


@pytest.mark.promise("Each trial equals a stand-alone `fit`")
@pytest.mark.promise("`jkeras.search.sweep` trains them")
@pytest.mark.promise("does that with the order")
@pytest.mark.promise("and you have that training once more")
def test_each_trial_is_its_own_fit(result):
    for row in result.table[:3]:
        model = dropping(row["dropout"], row["learning_rate"])
        assert_same(result, row["trial"], lonely(model, X, Y, seed=row["seed"], **DATA))


@pytest.mark.promise("`result.start(3)` is the")
def test_a_start_is_fitted_to_the_same_end(result):
    model = result.start(4)
    row = result.table[4]
    history = model.fit(X, Y, seed=row["seed"], verbose=0, **DATA).history
    assert_same(result, 4, history)
    np.testing.assert_allclose(
        model.predict(X, verbose=0), result.model(4).predict(X, verbose=0), atol=1e-5
    )


def test_the_best_model_has_the_weights_and_numbers_of_the_best_trial(result):
    best, model = result.best, result.best_model
    assert best["val_loss"] == min(row["val_loss"] for row in result.table)
    found = model.evaluate(*VALIDATION, return_dict=True, verbose=0)
    assert found["loss"] == pytest.approx(best["val_loss"], abs=1e-5)
    assert model.layers[1].rate == best["dropout"]
    assert float(model.optimizer.learning_rate) == pytest.approx(best["learning_rate"])
    assert int(model.optimizer.iterations) == 15
    model.fit(X, Y, verbose=0)  # it can go on


@pytest.mark.promise("all begin with the weights that `make` gives and see the same batches")
def test_without_seeds_all_begin_with_the_same_weights_and_order():
    jkeras.utils.set_random_seed(5)
    model = classifier(inner=[layers.BatchNormalization()])  # whose last batch is not padded
    before = model.get_weights()
    space = {"learning_rate": [0.1, 0.01]}
    found = search.sweep(lambda: model, X, Y, space=space, seed=7, **DATA)
    assert all(map(np.array_equal, model.get_weights(), before))
    for trial, rate in enumerate(space["learning_rate"]):
        alone = classifier(optimizers.SGD(rate), [layers.BatchNormalization()])
        alone.set_weights(before)
        history = alone.fit(X, Y, seed=7, verbose=0, **DATA).history
        assert_same(found, trial, history)


@pytest.mark.promise("`result.start(3)` is the")
def test_without_seeds_a_start_is_fitted_to_the_same_end():
    space = {"learning_rate": [0.1, 0.01]}
    found = search.sweep(classifier, X, Y, space=space, seed=7, **DATA)
    assert_same(found, 1, found.start(1).fit(X, Y, seed=7, verbose=0, **DATA).history)


@pytest.mark.promise("Most of what calls of `fit` with models of their own take")
@pytest.mark.promise("`jkeras.search.sweep` trains them")
@pytest.mark.promise("is one program too, by")
def test_many_trials_are_compiled_once():
    space = {"learning_rate": search.log(1e-4, 1e-1), "seed": list(range(64))}
    result = search.sweep(classifier, X, Y, space=space, trials=64, epochs=2)
    assert len(result.table) == 64 and result.compiles == 1


@pytest.mark.promise("Arguments of `make` change")
@pytest.mark.promise("an argument of `make` | anything")
def test_arguments_of_the_maker_make_groups():
    def sized(units):
        return classifier(inner=[layers.Dense(units)])

    space = {"units": [2, 3], "learning_rate": [0.1, 0.01], "seed": [1]}
    result = search.sweep(sized, X, Y, space=space, epochs=1)
    assert result.compiles == 2
    rows = [(row["units"], row["learning_rate"]) for row in result.table]
    assert rows == [(2, 0.1), (2, 0.01), (3, 0.1), (3, 0.01)]
    assert [result.model(i).layers[1].units for i in range(4)] == [2, 2, 3, 3]
    alone = classifier(optimizers.SGD(0.01), [layers.Dense(3)])
    assert_same(result, 3, lonely(alone, X, Y, seed=1))


def test_chunks_change_nothing():
    space = {"learning_rate": search.log(1e-3, 1e-1), "seed": list(range(5))}
    options = {"space": space, "trials": 5, "epochs": 2}
    whole = search.sweep(make, X, Y, **options)
    parts = search.sweep(make, X, Y, chunk=2, **options)
    assert parts.compiles == 1
    np.testing.assert_allclose(whole.history["loss"], parts.history["loss"], rtol=1e-5)


@pytest.mark.promise("halves by itself where there is no memory for all")
def test_where_there_is_no_memory_for_all_fewer_are_trained_at_once(monkeypatch):
    tried = []

    def check(needs, arguments, what):
        tried.append(what.split()[1])
        if tried[-1] != "1":
            raise MemoryError(what)

    monkeypatch.setattr(memory, "LITTLE", 0)
    monkeypatch.setattr(memory, "check", check)
    space = {"learning_rate": [0.1, 0.01, 0.001]}
    result = search.sweep(classifier, X, Y, space=space)
    assert tried[:3] == ["3", "2", "1"]
    assert np.isfinite(result.history["loss"]).all()


def test_a_trial_without_a_finite_loss_disturbs_no_other():
    space = {"learning_rate": [0.1, 1e38]}

    def slipping():
        return classifier(optimizers.SGD(0.1, momentum=0.9))

    result = search.sweep(slipping, X, Y, space=space, **DATA)
    assert [row["status"] for row in result.table] == ["done", "failed"]
    assert result.best["trial"] == 0
    alone = search.sweep(slipping, X, Y, space={"learning_rate": [0.1]}, **DATA)
    assert alone.compiles == 1 and np.isfinite(alone.best["val_loss"])


@pytest.mark.promise("asks for another value")
def test_the_objective_may_be_a_metric():
    space = {"learning_rate": [0.1, 1e-5]}
    result = search.sweep(make, X, Y, space=space, objective="val_accuracy", **DATA)
    assert result.objective[:2] == ("val_accuracy", "max")
    assert result.best["val_accuracy"] == max(row["val_accuracy"] for row in result.table)


def test_momentum_of_zero_has_an_optimizer_without_slots():
    space = {"momentum": [0.0, 0.9]}
    result = search.sweep(classifier, X, Y, space=space)
    assert [len(result.model(i).optimizer.variables) for i in (0, 1)] == [2, 6]


def test_averages_of_weights_are_taken_at_the_end():
    def averaging():
        return classifier(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9))

    result = search.sweep(averaging, X, Y, space={"learning_rate": [0.1], "seed": [2]}, epochs=2)
    alone = averaging()
    lonely(alone, X, Y, seed=2, epochs=2)
    for ours, theirs in zip(result.best_model.get_weights(), alone.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_best_model_can_be_saved(result, tmp_path):
    model = result.best_model
    model.save(tmp_path / "best.keras")
    loaded = jkeras.saving.load_model(tmp_path / "best.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)


@pytest.mark.promise("new weights, order and")
def test_new_weights_come_from_the_seed():
    result = search.sweep(classifier, X, Y, space={"learning_rate": [0.0], "seed": [4]})
    fresh = classifier()
    fresh.load_train_state(init_train_state(fresh, 4))
    for ours, theirs in zip(result.best_model.get_weights(), fresh.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.promise("`result.table` is a list")
def test_pictures(result):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    assert len(result.plot().lines) == 5
    assert result.plot("dropout").get_xlabel() == "dropout"
    pyplot.close("all")


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"space": {}}, "`space` with a name"),
        ({"space": {"learning_rate": 0.1}}, "list of values"),
        ({"space": {"learning_rate": search.log(1, 2)}}, "`trials`"),
        ({"trials": 3}, "at most 2 trials"),
        ({"trials": 0}, "positive number of `trials`"),
        ({"epochs": 0}, "positive `epochs`"),
        ({"chunk": 0}, "positive `chunk`"),
        ({"strategy": "hyperband"}, "strategy"),
        ({"objective": "val_accuracy", "mode": "best"}, "mode"),
        ({"objective": "acuracy", "mode": "max"}, "which the logs do not have"),
        ({"x": iter([(X, Y)]), "y": None}, "`steps_per_epoch`"),
        ({"make": lambda: jkeras.Sequential([layers.Dense(1)])}, "compiled model"),
    ],
)
def test_wrong_arguments(changed, message):
    arguments = {"make": classifier, "x": X, "y": Y, "space": {"learning_rate": [0.1, 0.2]}}
    with pytest.raises(ValueError, match=message):
        search.sweep(**(arguments | changed))


def test_a_range_for_an_argument_of_the_maker_is_refused():
    with pytest.raises(ValueError, match="a list for 'rate'.*program of its own"):
        search.sweep(dropping, X, Y, space={"rate": search.uniform(0, 1)}, trials=2)


def test_a_maker_that_makes_one_model_alone_has_no_second_for_the_best():
    model = classifier()
    result = search.sweep(lambda: model, X, Y, space={"learning_rate": [0.1]})
    with pytest.raises(ValueError, match="new model each time"):
        result.best_model  # noqa: B018


def test_many_epochs_may_be_several_dispatches(monkeypatch):
    space = {"learning_rate": [0.1, 0.01], "seed": [0, 1]}
    whole = search.sweep(classifier, X, Y, space=space, epochs=6)
    monkeypatch.setattr(population, "MOST_ROWS", 4 * 70 * 4)  # of four epochs, and six are to do
    parts = search.sweep(classifier, X, Y, space=space, epochs=6)
    assert parts.compiles == 1
    np.testing.assert_allclose(parts.history["loss"], whole.history["loss"], rtol=1e-6)
