"""The learning-rate range test: against a loop by hand, and what it leaves as it was."""

import numpy as np
import optax
import pytest

import jkeras
from jkeras import layers
from jkeras.training import find_lr
from jkeras.training.shell.lr_finder import smooth, steepest

ROWS = np.random.default_rng(0)
X = ROWS.normal(size=(64, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def linear(optimizer=None):
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1, use_bias=False)])
    model.compile(optimizer or jkeras.optimizers.SGD(0.5), "mse", metrics=["mae"])
    return model


@pytest.mark.promise("it raises the rate from step to step on a copy of the training")
def test_losses_are_those_of_a_loop_by_hand():
    """One batch of all rows, so that their order does not matter."""
    model = linear()
    kernel = model.get_weights()[0].astype("float64")
    found = find_lr(model, X, Y, batch_size=64, start=1e-3, end=10, steps=40)
    rates = np.geomspace(1e-3, 10, 40)
    losses = []
    for rate in rates:
        error = X @ kernel - Y
        losses.append(np.mean(error**2))
        kernel -= rate * 2 / 64 * X.T @ error
    np.testing.assert_allclose(found.rates, rates[: len(found.losses)], rtol=1e-5)
    np.testing.assert_allclose(found.losses[:30], losses[:30], rtol=1e-3, atol=1e-6)
    for i in range(30):  # a weighted mean of the losses so far
        weights = 0.9 ** np.arange(i, -1, -1)
        np.testing.assert_allclose(
            found.smoothed[i], np.average(losses[: i + 1], weights=weights), rtol=1e-3
        )
    assert 0.05 < found.suggestion < 0.2  # they fall from 1.7 to 0.1 between 0.01 and 0.2


def test_it_ends_where_the_loss_explodes():
    found = find_lr(linear(), X, Y, batch_size=16, start=1e-2, end=1e6, steps=200)
    assert len(found.losses) == len(found.rates) == len(found.smoothed) < 200
    assert not found.losses[-1] < 4 * found.smoothed.min()


def deep():
    model = jkeras.Sequential(
        [
            jkeras.Input((3,)),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )
    model.compile(jkeras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


@pytest.mark.promise("The model stays as it is")
@pytest.mark.promise("`find_lr` trains a copy")
@pytest.mark.parametrize("trained", [False, True])
def test_the_model_is_left_as_it_was(trained):
    """Weights, statistics, slots, rate, metrics; and a training afterwards goes as without the
    test.
    """
    histories, seen = [], []
    for tested in (False, True):
        jkeras.utils.clear_session(free_memory=False)
        jkeras.utils.set_random_seed(3)
        model = deep()
        if trained:
            model.fit(X, Y, verbose=0)
        if tested:
            before = [np.array(v.value) for v in (*model.variables, *model.optimizer.variables)]
            find_lr(model, X, Y, steps=10)
            after = [np.array(v.value) for v in (*model.variables, *model.optimizer.variables)]
            if trained:  # before, there were no slots
                for a, b in zip(before, after, strict=True):
                    np.testing.assert_array_equal(a, b)
        seen.append(float(model.optimizer.learning_rate))
        histories.append(model.fit(X, Y, epochs=2, verbose=0).history)
    assert histories[0] == histories[1] and seen[0] == seen[1]


def test_sources_of_batches_and_ragged_ends():
    """Only batches like the first are trained on; data that ends ends the test."""

    class Batches:
        def __iter__(self):
            return iter([(X[:16], Y[:16]), (X[16:32], Y[16:32]), (X[32:40], Y[32:40])])

    batches = Batches()
    assert len(find_lr(linear(), batches, steps=7, end=0.01).losses) == 7
    assert len(find_lr(linear(), iter(batches), steps=7, end=0.01).losses) == 2
    assert len(find_lr(linear(), X[:20], Y[:20], batch_size=16, steps=3, end=0.01).losses) == 3


def test_optimizers():
    for optimizer in (
        jkeras.optimizers.Adam(),
        jkeras.optimizers.LossScaleOptimizer(jkeras.optimizers.SGD(), 8),
        optax.inject_hyperparams(optax.sgd)(learning_rate=0.1),
    ):
        found = find_lr(linear(optimizer), X, Y, batch_size=64, start=1e-3, end=1.0, steps=5)
        assert len(found.losses) == 5 and found.losses[-1] < found.losses[0]
    many = jkeras.optimizers.MultiOptimizer(
        jkeras.optimizers.OptimizerMap(jkeras.optimizers.SGD(), {})
    )
    schedule = jkeras.optimizers.SGD(jkeras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5))
    for optimizer in (many, schedule, optax.sgd(0.1)):
        with pytest.raises(ValueError, match="cannot set the learning rate"):
            find_lr(linear(optimizer), X, Y)


def test_wrong_arguments():
    for arguments in (dict(start=0), dict(start=1, end=0.5), dict(steps=1)):
        with pytest.raises(ValueError, match="0 < start < end"):
            find_lr(linear(), X, Y, **arguments)
    with pytest.raises(jkeras.core.errors.NotCompiledError):
        find_lr(jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1)]), X, Y)


def test_suggestions():
    rates = np.geomspace(1e-4, 1, 5)
    assert steepest(rates, np.array([1.0, 2, 3, 4, 5])) is None
    assert steepest(rates, np.full(5, np.nan)) is None
    assert steepest(rates, np.array([5.0, 4.9, 1, 0.9, np.nan])) == rates[1]
    assert steepest(rates, np.array([5.0, 9, 9, 9, 9])) is None
    np.testing.assert_allclose(smooth([1.0, 3.0]), [1.0, (0.9 + 3) / 1.9])


def test_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = find_lr(linear(), X, Y, steps=20)
    axes = found.plot()
    assert axes.get_xscale() == "log" and len(axes.lines) == 3
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), found.losses)
    mine = pyplot.figure().subplots()
    assert found._replace(suggestion=None).plot(mine) is mine and len(mine.lines) == 2
    pyplot.close("all")
