"""The order of calls, what each hook is told and what it may read and write, beside Keras's own."""

import copy
import json
import pickle

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from jkeras.callbacks.logs import Logs
from tests.callbacks.beside import same
from tests.parity.both import LIBRARIES, clear

ROWS = np.random.default_rng(0)
X = ROWS.normal(size=(24, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def model_of(k, steps=1):
    """A model with the same weights in both libraries."""
    model = k.Sequential([k.Input((3,)), k.layers.Dense(2, activation="tanh"), k.layers.Dense(1)])
    model.compile(k.optimizers.Adam(0.05), "mse", metrics=["mae"], steps_per_execution=steps)
    model.set_weights(
        [np.linspace(-1, 1, w.size, dtype="float32").reshape(w.shape) for w in model.get_weights()]
    )
    return model


def kind_of(value):
    """A value of logs, as far as both must agree on it."""
    return [type(value).__name__, np.round(np.asarray(value, "float64"), 4).tolist()]


def recording(k, told, **extra):
    """A callback that notes every hook, its number, and its logs; `extra` has functions to run in
    hooks.
    """

    class Recording(k.callbacks.Callback):
        pass

    def hook(name):
        def note(self, *number, logs=None):
            if number and isinstance(number[-1], dict):
                *number, logs = number
            assert isinstance(logs, dict)
            told.append((name, *number, {key: kind_of(value) for key, value in logs.items()}))
            if name in extra:
                extra[name](self, *number, logs)

        return note

    for name in [
        n
        for n in dir(Recording)
        if n.startswith("on_") and n not in ("on_batch_begin", "on_batch_end")
    ]:
        setattr(Recording, name, hook(name))
    return Recording()


def fit(model, callbacks, **more):
    return model.fit(
        X,
        Y,
        batch_size=4,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
        **dict(epochs=2, validation_data=(X[:12], Y[:12]), **more),
    )


RUNS = {
    "fit": lambda model, callbacks: fit(model, callbacks),
    "validation now and then": lambda model, callbacks: fit(model, callbacks, validation_freq=2),
    "later epochs": lambda model, callbacks: fit(model, callbacks, initial_epoch=1),
    "no epoch": lambda model, callbacks: fit(model, callbacks, initial_epoch=2),
    "steps": lambda model, callbacks: fit(model, callbacks, steps_per_epoch=2, validation_steps=1),
    "evaluate": lambda model, callbacks: model.evaluate(
        X, Y, batch_size=8, verbose=0, callbacks=callbacks
    ),
    "predict": lambda model, callbacks: model.predict(
        X, batch_size=8, verbose=0, callbacks=callbacks
    ),
    "ragged predict": lambda model, callbacks: model.predict(
        X, batch_size=7, verbose=0, callbacks=callbacks
    ),
    "mixed": lambda model, callbacks: (
        fit(model, callbacks),
        model.train_on_batch(X, Y),
        model.evaluate(X, Y, verbose=0, callbacks=callbacks),
        model.test_on_batch(X, Y),
        model.predict(X, verbose=0, callbacks=callbacks),
        fit(model, callbacks),
    ),
}


@pytest.mark.promise("Without `every_batch = False`")
@pytest.mark.promise("`evaluate` calls the `on_test_…`")
@pytest.mark.promise("`self.params` has")
@pytest.mark.promise("`train_on_batch`, `test_on_batch` and")
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.filterwarnings("ignore")
def test_order_of_calls(name):
    def run(k, folder):
        told = []
        callback = recording(k, told)
        RUNS[name](model_of(k), [callback])
        return told, callback.params

    same(run)


@pytest.mark.promise("unless the callback sets `every_batch = False`")
@pytest.mark.parametrize("name", ["fit", "evaluate"])
def test_order_of_calls_with_several_steps_in_one(name):
    def run(k, folder):
        told = []
        RUNS[name](model_of(k, steps=3), [recording(k, told)])
        return [(hook, *rest[:-1], list(rest[-1])) for hook, *rest in told]

    same(run)


def rate(epoch):
    return 0.1 / (epoch + 1)


BESIDE = {  # what stands beside a callback that notes the logs
    "LearningRateScheduler": lambda k, folder: k.callbacks.LearningRateScheduler(rate),
    "ReduceLROnPlateau": lambda k, folder: k.callbacks.ReduceLROnPlateau(),
    "EarlyStopping": lambda k, folder: k.callbacks.EarlyStopping(
        patience=0, baseline=0.0, restore_best_weights=True
    ),
    "ModelCheckpoint": lambda k, folder: k.callbacks.ModelCheckpoint(
        f"{folder}/{{epoch}}.weights.h5", save_weights_only=True, save_freq=2
    ),
    "CSVLogger": lambda k, folder: k.callbacks.CSVLogger(f"{folder}/log.csv"),
    "TerminateOnNaN": lambda k, folder: k.callbacks.TerminateOnNaN(),
    "BackupAndRestore": lambda k, folder: k.callbacks.BackupAndRestore(f"{folder}/backup"),
    "LambdaCallback": lambda k, folder: k.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(mine=1.0)
    ),
}
IN_ALL_RUNS = ("LearningRateScheduler", "ReduceLROnPlateau", "LambdaCallback")


@pytest.mark.promise("Callbacks are called in the")
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n in IN_ALL_RUNS else pytest.mark.slow) for n in BESIDE],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_logs_beside_a_callback(name, is_first, tmp_path):
    """The keys that each hook sees, in front of a callback that adds some, and behind it."""

    def run(k, folder):
        told = []
        callbacks = [recording(k, told), BESIDE[name](k, tmp_path / k.__name__)]
        history = fit(model_of(k), callbacks if is_first else callbacks[::-1])
        keys = [(hook, *rest[:-1], list(rest[-1])) for hook, *rest in told]
        return keys, list(history.history)

    for k in LIBRARIES:
        (tmp_path / k.__name__).mkdir()
    same(run)


def stop(self, *_):
    self.model.stop_training = True


@pytest.mark.promise("`self.model.stop_training = True`")
@pytest.mark.parametrize(
    "moment",
    [
        "on_train_begin",
        "on_epoch_begin",
        "on_train_batch_begin",
        "on_train_batch_end",
        "on_test_begin",
        "on_test_batch_end",
        "on_test_end",
        "on_epoch_end",
    ],
)
def test_stop_in_the_middle(moment):
    def run(k, folder):
        told, model = [], model_of(k)
        history = fit(model, [recording(k, told, **{moment: stop}), recording(k, told)])
        return told, history.epoch, model.stop_training, int(model.optimizer.iterations)

    same(run)


def write_weights(self, batch, logs):
    self.model.set_weights([w * 0.9 for w in self.model.get_weights()])


def write_rate(self, batch, logs):
    self.model.optimizer.learning_rate = 0.5 / (batch + 1)


def halve_kernel(self, batch, logs):
    kernel = self.model.layers[0].kernel
    kernel.assign(kernel / 2)


def predict(self, batch, logs):
    self.model.predict(X[:2], verbose=0)


WRITES = dict(weights=write_weights, rate=write_rate, kernel=halve_kernel, predict=predict)


@pytest.mark.promise("`self.model` may be looked")
@pytest.mark.parametrize(
    "moment", ["on_train_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end"]
)
@pytest.mark.parametrize("write", WRITES)
def test_what_callbacks_write_counts(moment, write):
    """Weights and rates that callbacks set, and a prediction in between; afterwards all is as in
    Keras.
    """

    def run(k, folder):
        told, model = [], model_of(k)
        action = (
            (lambda self, logs: WRITES[write](self, 0, logs))
            if moment == "on_train_begin"
            else WRITES[write]
        )
        history = fit(model, [recording(k, told, **{moment: action})]).history
        return (
            {n: np.round(v, 4).tolist() for n, v in history.items()},
            int(model.optimizer.iterations),
            [w.round(4).tolist() for w in model.get_weights()],
            round(float(model.optimizer.learning_rate), 6),
        )

    same(run)


@pytest.mark.promise("Weights and optimizer may")
@pytest.mark.promise("`self.model` may be looked")
def test_what_callbacks_read():
    """In every hook the model holds the weights, the optimizer and the metrics of this moment."""

    def run(k, folder):
        told, seen = [], []

        def look(self, *rest):
            model = self.model
            seen.append(
                (
                    [w.round(4).tolist() for w in model.get_weights()],
                    int(model.optimizer.iterations),
                    [round(float(m.result()), 4) for m in model.metrics[:1]],
                    [np.asarray(v).round(4).tolist() for v in model.optimizer.variables],
                )
            )

        hooks = [
            n for n in dir(k.callbacks.Callback) if n.startswith("on_") and n != "on_test_begin"
        ]
        fit(model_of(k), [recording(k, told, **dict.fromkeys(hooks, look))])
        return seen

    mine, theirs = (clear() or run(k, None) for k in LIBRARIES)
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs):
        assert a[1] == b[1]
        for x, y in zip(a[0] + a[2] + a[3], b[0] + b[2] + b[3]):
            np.testing.assert_allclose(x, y, atol=2e-4)


def test_a_look_at_another_variable_keeps_what_was_assigned():
    model, seen = model_of(jkeras), []
    write = jkeras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: model.layers[0].kernel.assign(
            np.full((3, 2), 2.0, "float32")
        )
    )
    look = jkeras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(
            (int(model.optimizer.iterations), np.asarray(model.layers[0].kernel.value).max())
        )
    )
    fit(model, [write, look])
    assert [kernel for _, kernel in seen] == [2.0, 2.0]


def test_metrics_before_a_validation_are_those_of_the_training():
    def run(k, folder):
        model, seen = model_of(k), []
        look = k.callbacks.LambdaCallback(
            on_test_begin=lambda logs: seen.append(round(float(model.metrics[0].result()), 3))
        )
        fit(model, [look])
        return seen

    same(run)


@pytest.mark.parametrize("kind", ["evaluating", "predicting"])
def test_stop_of_evaluation_and_prediction(kind):
    def run(k, folder):
        hook, model, told = {"evaluating": "test", "predicting": "predict"}[kind], model_of(k), []

        def end(batch, logs):
            told.append(batch)
            setattr(model, f"stop_{kind}", batch == 1)

        callback = k.callbacks.LambdaCallback(**{f"on_{hook}_batch_end": end})
        RUNS["evaluate" if kind == "evaluating" else "predict"](model, [callback])
        return told

    same(run)


def test_order_of_calls_of_predict_with_several_steps_in_one():
    def run(k, folder):
        told = []
        RUNS["predict"](model_of(k, steps=3), [recording(k, told)])
        return told

    same(run)


@pytest.mark.promise("Callbacks are called in the")
def test_history_and_progress_come_last():
    names = [
        [
            type(c).__name__
            for c in k.callbacks.CallbackList(
                [k.callbacks.Callback()],
                add_history=True,
                add_progbar=True,
                verbose=0,
                epochs=1,
                steps=1,
            ).callbacks
        ]
        for k in LIBRARIES
    ]
    assert names[0] == names[1]


@pytest.mark.promise("`CallbackList` | several as one")
def test_a_list_is_a_callback():
    """As in a loop of one's own: a list tells those in it, one inside another too."""
    told = []
    note = jkeras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: told.append((batch, logs["loss"])),
        on_epoch_end=lambda epoch, logs: told.append(epoch),
    )
    outer = jkeras.callbacks.CallbackList(
        [jkeras.callbacks.CallbackList([note])], model=model_of(jkeras)
    )
    assert isinstance(outer, jkeras.callbacks.Callback) and note.model is outer.model
    assert outer.looks_at_batches("train") and not outer.looks_at_batches("predict")
    outer.on_train_batch_end(3, {"loss": jnp.float32(0.5)})
    outer.on_epoch_end(1)
    assert told == [(3, 0.5), 1]
    with pytest.raises(ValueError, match="instances of Callback"):
        jkeras.callbacks.CallbackList([print])


@pytest.mark.promise("Override the methods that you need")
def test_callbacks_that_were_made_for_keras():
    """A subclass of Keras's own base works here; what it does not override costs nothing."""

    class Epochs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.params["seen"] = sorted(logs)

    class Batches(keras.callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            told.append((batch, logs["loss"]))

    told = []
    epochs = Epochs()
    assert not jkeras.callbacks.CallbackList([epochs]).looks_at_batches("train")
    history = fit(model_of(jkeras), [epochs, Batches()]).history
    assert (
        epochs.params["seen"] == sorted(history) and [batch for batch, _ in told] == [*range(6)] * 2
    )
    assert told[-1][1] == history["loss"][-1]


READS = {
    "dict": dict,
    "unpacked": lambda logs: {**logs},
    "union": lambda logs: logs | {},
    "union of": lambda logs: {} | logs,
    "items": lambda logs: dict(logs.items()),
    "names and values": lambda logs: dict(zip(logs, logs.values())),
    "copy": copy.copy,
    "method": lambda logs: logs.copy(),
    "deep copy": copy.deepcopy,
    "pickle": lambda logs: pickle.loads(pickle.dumps(logs)),
    "json": lambda logs: json.loads(json.dumps(logs)),
    "repr": lambda logs: eval(repr(logs)),
    "text": lambda logs: eval(f"{logs}"),
    "arguments": lambda logs: dict(**logs),
    "one by one": lambda logs: {name: logs[name] for name in logs},
    "get": lambda logs: {n: logs.get(n) for n in logs},
    "pop": lambda logs: {name: logs.pop(name) for name in list(logs)},
}


@pytest.mark.promise("`logs` is a dict; in batch")
@pytest.mark.parametrize("read", READS)
def test_logs_of_a_batch_read_as_numbers(read):
    logs = Logs({"loss": jnp.float32(0.5), "grid": jnp.ones(2)})
    assert not logs.fetched and list(logs) == ["loss", "grid"] and not logs.fetched
    found = READS[read](Logs({"loss": jnp.float32(0.5)}))
    assert type(found["loss"]) is float and found["loss"] == 0.5 and list(found) == ["loss"]
    assert logs == {"loss": 0.5, "grid": logs["grid"]} and type(logs["grid"]) is np.ndarray


@pytest.mark.promise("unless the callback sets `every_batch = False`")
@pytest.mark.promise("`batch` is the first batch of a dispatch at the begin and the last one")
@pytest.mark.promise("Set it on the class, or on the instance in `__init__`")
def test_batches_of_a_callback_that_need_not_see_each():
    class OfTheClass(jkeras.callbacks.Callback):
        every_batch = False

        def on_train_batch_begin(self, batch, logs=None):
            told.append(batch)

        def on_train_batch_end(self, batch, logs=None):
            told.append(batch)

    class OfTheInstance(OfTheClass):
        every_batch = True

        def __init__(self):
            super().__init__()
            self.every_batch = False

    for cls in (OfTheClass, OfTheInstance):
        told, model = [], jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
        model.compile("sgd", "mse", steps_per_execution=4)
        model.fit(np.ones((20, 3)), np.ones((20, 1)), 2, callbacks=[cls()], verbose=0)
        assert told == [0, 3, 4, 7, 8, 11]  # as Keras counts: 10 batches


def test_a_method_that_a_class_gets_later_is_called():
    class Late(jkeras.callbacks.Callback):
        pass

    model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, seen = np.ones((4, 1)), []
    model.fit(x, x, verbose=0, callbacks=[Late()])
    Late.on_train_batch_end = lambda self, batch, logs=None: seen.append(batch)
    model.fit(x, x, batch_size=2, verbose=0, callbacks=[Late()])
    assert seen == [0, 1]
