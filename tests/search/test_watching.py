"""Sweeps with several metrics, constraints, callbacks, and data that comes in batches."""

import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import callbacks, optimizers, search
from jkeras.search.strategies import Limit, Objective
from tests.search.models import assert_same, classes, classifier, lonely

X, Y = classes(70)
VALIDATION = classes(21, seed=1)
DATA = {"batch_size": 16, "epochs": 3, "validation_data": VALIDATION}
RATES = {"learning_rate": [1e-3, 0.5, 0.03, 0.1]}


def make():
    return classifier("sgd", metrics=["accuracy"])


def trained(rate, *data, **options):
    return lonely(classifier(optimizers.SGD(rate), metrics=["accuracy"]), *data, 7, **options)


def swept(*data, **options):
    space = {"seed": [7], **RATES}
    return search.sweep(make, *(data or (X, Y)), space=space, **{**DATA, **options})


# ---------------------------------------------------------------- several metrics, constraints


@pytest.fixture(scope="module")
def two():
    return swept(objective=["val_loss", "val_accuracy"], seed=7)


@pytest.mark.promise("`result.front` has the trials")
@pytest.mark.promise("The first decides which trial is the best")
def test_the_front_is_what_no_other_is_better_than(two):
    rows = two.table
    front = [row["trial"] for row in two.front]

    def beats(a, b):
        pairs = (a["val_loss"], -a["val_accuracy"]), (b["val_loss"], -b["val_accuracy"])
        return pairs[0] != pairs[1] and all(x <= y for x, y in zip(*pairs))

    wanted = {b["trial"] for b in rows if not any(beats(a, b) for a in rows)}
    assert set(front) == wanted and front[0] == two.best["trial"]
    assert two.best["val_loss"] == min(row["val_loss"] for row in rows)
    assert [objective.mode for objective in two.objectives] == ["min", "max"]


@pytest.mark.promise("trials that keep them come before")
def test_the_best_keeps_the_constraints(two):
    losses = sorted(row["loss"] for row in two.table)
    bound = (losses[0] + losses[1]) / 2
    best_of_all = max(two.table, key=lambda row: row["val_loss"])
    found = swept(objective="val_loss", mode="max", constraints={"loss": search.at_most(bound)})
    assert [row["feasible"] for row in found.table].count(True) == 1
    assert found.best["loss"] <= bound and found.best["trial"] != best_of_all["trial"]
    nothing = swept(constraints={"val_accuracy": search.at_least(1.5)})
    with pytest.raises(ValueError, match="No trial keeps the constraints val_accuracy"):
        _ = nothing.best
    halving = {"strategy": search.Halving(factor=4, first=1), "epochs": 4}
    limits = {"val_accuracy": search.at_most(0.0)}  # kept by none: who misses it least goes on
    halved = swept(objective="loss", constraints=limits, **halving)
    goes_on = next(row["trial"] for row in halved.table if row["status"] == "done")
    accuracies = halved.history["val_accuracy"][:, 0]
    assert accuracies[goes_on] == accuracies.min() < accuracies.max()


@pytest.mark.parametrize("numpy", [np, jnp])
def test_scores_with_limits_are_ranks(numpy):
    limits = (("recall", Limit(low=0.5)), ("size", Limit(high=10.0)))
    logs = {
        "loss": numpy.array([0.1, 0.3, 0.2, 0.0, numpy.nan, 0.15]),
        "recall": numpy.array([0.4, 0.6, 0.5, 0.0, 0.9, numpy.nan]),
        "size": numpy.array([10.0, 1.0, 2.0, 99.0, 1.0, 1.0]),
    }
    scores = np.asarray(Objective("loss", "min", limits).scores(logs))
    assert np.argsort(-scores[[0, 1, 2, 3, 5]]).tolist() == [2, 1, 0, 3, 4]
    assert scores[4] == -np.inf


@pytest.mark.parametrize(
    "options, message",
    [
        ({"objective": ["val_loss", "val_loss"]}, "different names"),
        ({"objective": []}, "different names"),
        ({"objective": ["val_loss", "loss"], "mode": ["min"]}, "a `mode` for each"),
        ({"constraints": {"loss": 0.5}}, "search.at_least"),
        ({"constraints": {"val_recall": search.at_least(0.5)}}, "'val_recall', which the logs"),
    ],
)
def test_wrong_objectives(options, message):
    with pytest.raises(ValueError, match=message):
        swept(**options)


def test_wrong_limits():
    with pytest.raises(ValueError, match="at_least: expected a number"):
        search.at_least("high")


# ---------------------------------------------------------------- callbacks


@pytest.mark.promise("Each trial has copies of the callbacks")
@pytest.mark.promise("They see its results after each epoch, and may end it")
@pytest.mark.parametrize("strategy", ["random", "halving"])
def test_a_trial_stops_where_its_lonely_fit_does(strategy):
    stop = callbacks.EarlyStopping("val_loss", patience=0, min_delta=0.02)
    options = {"epochs": 9, "callbacks": [stop]}
    if strategy == "halving":
        strategy = search.Halving(factor=2, first=5)
    found = swept(strategy=strategy, **options)
    assert stop.stopped_epoch == 0 and stop.best is None  # copies were called
    ended = {row["epochs"] for row in found.table}
    assert len(ended) > 1 and found.compiles == 1
    for row in found.table:
        if row["status"] != "done":
            continue
        data = {**DATA, "epochs": 9}
        mine = callbacks.EarlyStopping("val_loss", patience=0, min_delta=0.02)
        history = trained(row["learning_rate"], X, Y, callbacks=[mine], **data)
        assert row["epochs"] == len(history["loss"])
        np.testing.assert_allclose(row["val_loss"], history["val_loss"][-1], atol=1e-5)
        assert found.callbacks[row["trial"]][0].stopped_epoch == mine.stopped_epoch
        scores = found.model(row["trial"]).evaluate(*VALIDATION, verbose=0)
        np.testing.assert_allclose(scores[0], row["val_loss"], atol=1e-5)
    assert found.best_model is not None


class Weights(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.get_weights()


class Batches(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


def halved_each_epoch(epoch, rate):
    return rate * 0.5


RATE_CALLBACKS = {
    "scheduler": lambda: callbacks.LearningRateScheduler(halved_each_epoch),
    "by the epoch": lambda: callbacks.LearningRateScheduler(lambda epoch: 0.2 / (1 + epoch)),
    "plateau": lambda: callbacks.ReduceLROnPlateau(
        "val_loss", factor=0.3, patience=0, min_delta=0.03
    ),
}


@pytest.mark.promise("they may read and set its learning rate, `model.optimizer.learning_rate`")
@pytest.mark.parametrize("kind", RATE_CALLBACKS)
@pytest.mark.parametrize("options", [{}, {"strategy": search.Halving(factor=2, first=3)}])
def test_a_rate_that_a_callback_sets_is_that_of_its_lonely_fit(kind, options):
    both = [RATE_CALLBACKS[kind](), callbacks.EarlyStopping("val_loss", patience=0, min_delta=0.01)]
    found = swept(callbacks=both, **{**options, "epochs": 7})
    assert found.compiles == 1
    assert (np.nanmin(found.numbers["learning_rate"], 1) < RATES["learning_rate"]).any()
    for row in found.table:
        if row["status"] != "done":
            continue
        began = RATES["learning_rate"][row["trial"]]
        mine = [RATE_CALLBACKS[kind]()]
        mine.append(callbacks.EarlyStopping("val_loss", patience=0, min_delta=0.01))
        history = trained(began, X, Y, callbacks=mine, **{**DATA, "epochs": 7})
        assert row["epochs"] == len(history["loss"])
        np.testing.assert_allclose(row["val_loss"], history["val_loss"][-1], atol=1e-5)
        used = found.numbers["learning_rate"][row["trial"]]
        np.testing.assert_allclose(used[: row["epochs"]], history["learning_rate"], rtol=1e-6)


def test_a_rate_is_set_that_is_not_searched():
    space = {"seed": [7, 8], "momentum": [0.0, 0.9]}
    options = {**DATA, "callbacks": [RATE_CALLBACKS["scheduler"]()]}
    found = search.sweep(make, X, Y, space=space, chunk=3, **options)
    for row in found.table:
        optimizer = optimizers.SGD(momentum=row["momentum"])
        model, seed = classifier(optimizer, metrics=["accuracy"]), row["seed"]
        mine = {**DATA, "callbacks": [RATE_CALLBACKS["scheduler"]()]}
        history = lonely(model, X, Y, seed, **mine)
        np.testing.assert_allclose(row["val_loss"], history["val_loss"][-1], atol=1e-5)
        rate = found.model(row["trial"]).optimizer.learning_rate
        np.testing.assert_allclose(rate, 0.01 * 0.5**3, rtol=1e-6)


class Writes(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs["mine"] = -logs["val_loss"]


@pytest.mark.promise("What they write into the logs is for the next callback alone")
def test_what_callbacks_write_into_logs():
    found = swept(callbacks=[Writes(), callbacks.EarlyStopping("mine", patience=9, mode="min")])
    for row in found.table:
        stopping = found.callbacks[row["trial"]][1]
        assert stopping.best == -found.history["val_loss"][row["trial"]].max()
    assert "mine" not in found.history


class AtTheEnd(callbacks.Callback):
    def on_train_end(self, logs=None):
        self.model.optimizer.learning_rate = 1.0


class Iterations(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        return self.model.optimizer.iterations


def test_rates_that_cannot_be_set():
    with pytest.raises(AttributeError, match="where no epoch begins or ends"):
        swept(callbacks=[AtTheEnd()])
    with pytest.raises(AttributeError, match="asks for `model.optimizer.iterations`"):
        swept(callbacks=[Iterations()])
    decay = optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    with pytest.raises(TypeError, match="follows a schedule"):
        search.sweep(
            lambda: classifier(optimizers.SGD(decay, momentum=0.5)),
            *(X, Y),
            space={"momentum": [0.1, 0.2]},
            callbacks=[RATE_CALLBACKS["scheduler"]()],
        )


@pytest.mark.promise("A callback that asks for weights")
@pytest.mark.promise("Callbacks see results, and")
@pytest.mark.parametrize(
    "one, options, message",
    [
        (Weights(), {}, "asks for `model.get_weights`"),
        (callbacks.EarlyStopping(restore_best_weights=True), {}, "one that asks for `model"),
        (Batches(), {}, "on_train_batch_end"),
        (print, {}, "objects of `jkeras.callbacks.Callback`"),
        (callbacks.EarlyStopping(), {"strategy": "pbt"}, "'pbt'"),
        (callbacks.EarlyStopping(), {"checkpoint": "somewhere"}, "`checkpoint`"),
    ],
)
def test_callbacks_that_are_refused(one, options, message):
    with pytest.raises((ValueError, AttributeError), match=message):
        swept(callbacks=[one], **options)


# ---------------------------------------------------------------- data in batches


class Augmented(jkeras.utils.PyDataset):
    """Another noise in each epoch; the last batch is smaller."""

    def __init__(self):
        super().__init__()
        self.epoch = 0

    def __len__(self):
        return 5

    def __getitem__(self, number):
        rows = slice(16 * number, 16 * number + 16)
        noise = np.random.default_rng((self.epoch, number)).normal(size=X[rows].shape)
        return X[rows] + 0.1 * noise.astype("float32"), Y[rows]

    def on_epoch_end(self):
        self.epoch += 1


def generated():
    for number in range(100):
        rows = np.random.default_rng(number).integers(0, len(X), 16)
        yield X[rows], Y[rows]


STREAMS = {
    "PyDataset": (Augmented, {}),
    "generator": (generated, {"steps_per_epoch": 4}),
}


@pytest.mark.promise("Of a source of batches each epoch is read once")
@pytest.mark.parametrize("kind", STREAMS)
def test_batches_are_those_of_a_lonely_fit(kind):
    stream, options = STREAMS[kind]
    data = {"epochs": 3, "validation_data": VALIDATION, "shuffle": False}
    space = {"seed": [7], "learning_rate": [0.5, 0.03]}
    found = search.sweep(make, stream(), space=space, seed=7, **data, **options)
    assert found.compiles == 1
    for row in found.table:
        assert_same(
            found, row["trial"], trained(row["learning_rate"], stream(), None, **data, **options)
        )


@pytest.mark.promise("It cannot be saved in a `checkpoint`")
@pytest.mark.parametrize(
    "stream, options, message",
    [
        (generated, {}, "give `steps_per_epoch`"),
        (generated, {"steps_per_epoch": 99}, "99 batches in epoch 2"),
        (Augmented, {"checkpoint": "somewhere"}, "with `checkpoint`"),
    ],
)
def test_batches_that_are_refused(stream, options, message):
    with pytest.raises(ValueError, match=message):
        search.sweep(make, stream(), space=RATES, epochs=2, **options)


@pytest.mark.filterwarnings("ignore:.*compiled once more")
def test_smaller_batches_may_be_anywhere_where_they_can_be_padded():
    def uneven():
        for begin, end in ((0, 8), (8, 24), (24, 30)):
            yield X[begin:end], Y[begin:end]

    options = {"steps_per_epoch": 3}
    space = {"seed": [7], "learning_rate": [0.5]}
    found = search.sweep(make, uneven(), space=space, **options)
    assert_same(found, 0, trained(0.5, uneven(), None, **options))

    def normalized(rate=0.5):
        return classifier(optimizers.SGD(rate), [jkeras.layers.BatchNormalization()])

    found = search.sweep(normalized, uneven(), space=space, **options)
    assert_same(found, 0, lonely(normalized(), uneven(), None, 7, **options))

    class Own(jkeras.Sequential):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return super().compute_metrics(x, y, y_pred, sample_weight)

    def own():
        model = Own(classifier().layers)
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    with pytest.raises(ValueError, match="of what cannot be padded"):
        search.sweep(own, uneven(), space=space, **options)


@pytest.mark.promise("a generator cannot begin anew")
def test_a_generator_is_read_once_alone():
    def sized(units):
        return classifier("sgd", [jkeras.layers.Dense(units)])

    with pytest.raises(ValueError, match="begins anew for each shape"):
        search.sweep(sized, generated(), space={"units": [2, 3]}, steps_per_epoch=2)
    found = search.sweep(sized, Augmented(), space={"units": [2, 3]})
    assert found.compiles == 2
    with pytest.raises(ValueError, match="`steps_per_epoch` of arrays"):
        search.sweep(make, X, Y, space=RATES, steps_per_epoch=2)
