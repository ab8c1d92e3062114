"""The decisions of every callback of Keras, by a `fit` with dictated results, beside Keras's
own.
"""

import numpy as np
import pytest

import jkeras
from tests.callbacks.beside import X, Y, same, script, still
from tests.thinning import every

DOWN_AND_UP = [5.0, 4.0, 4.5, 4.4, 3.9, 4.0, 4.1, 4.2]


def run_of(make, values=DOWN_AND_UP, name="val_loss", rate=1.0, **fit):
    """A `fit` of one callback: what each epoch had, what is left of it."""

    def run(k, folder):
        model, callback = still(k, rate), make(k)
        history = model.fit(
            X,
            Y,
            epochs=len(values),
            batch_size=4,
            verbose=0,
            callbacks=[script(k, values, name), callback],
            **fit,
        )
        left = {
            n: getattr(callback, n, None)
            for n in ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")
        }
        left = {n: v if v is None else float(v) for n, v in left.items()}
        return (
            history.epoch,
            [round(v, 6) for v in history.history.get("learning_rate", ())],
            model.get_weights()[0].item(),
            left,
        )

    return run


# ---------------------------------------------------------------- EarlyStopping

STOPPING = [
    dict(),
    dict(patience=1),
    dict(patience=2),
    dict(patience=2, min_delta=0.2),
    dict(patience=2, min_delta=-0.2),
    dict(patience=3, restore_best_weights=True, verbose=1),
    dict(patience=9, restore_best_weights=True, verbose=1),
    dict(patience=1, start_from_epoch=3),
    dict(patience=1, start_from_epoch=3, restore_best_weights=True),
    dict(patience=2, baseline=4.2, restore_best_weights=True),
    dict(patience=1, baseline=1.0, verbose=1),
    dict(patience=3, baseline=1.0, restore_best_weights=True),
    dict(patience=1, mode="max"),
    dict(patience=2, mode="max", baseline=4.45),
    dict(patience=1, mode="max", min_delta=0.2),
    dict(patience=1, mode="wrong"),
    dict(patience=1, mode="min", monitor="nope"),
    dict(monitor="nope"),
    dict(monitor="val_nope"),
    dict(monitor="val_mae", patience=1),
    dict(monitor="mae", patience=0),
    dict(patience=-1),
    dict(patience=2, start_from_epoch=99, restore_best_weights=True),
]


@pytest.mark.promise("`EarlyStopping` | stops when a result")
@pytest.mark.parametrize("arguments", every(3, STOPPING), ids=str)
def test_early_stopping(arguments, capsys):
    def run(k, folder):
        result = run_of(lambda k: k.callbacks.EarlyStopping(**arguments))(k, folder)
        return result, capsys.readouterr().out

    same(run, errors=ValueError)


@pytest.mark.parametrize(
    "values",
    [
        [3.0, float("nan"), 2.0, float("nan"), float("nan"), 1.0],
        [1.0] * 5,
        [None, 3.0, None, 2.0, 2.0, 2.0],
        [float("inf"), 3.0, 3.0, float("-inf"), 0.0, 0.0],
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["min", "max"])
def test_odd_results(values, mode):
    same(
        run_of(
            lambda k: k.callbacks.EarlyStopping(patience=2, mode=mode, restore_best_weights=True),
            values,
        )
    )
    same(run_of(lambda k: k.callbacks.ReduceLROnPlateau(patience=1, mode=mode, factor=0.5), values))


DIRECTIONS = [
    "loss",
    "val_loss",
    "mae",
    "val_accuracy",
    "AUC",
    "mean",
    "mine",
    "r2_score",
    "cosine_similarity",
    "val_precision",
    "val_top_k",
    "learning_rate",
]


@pytest.mark.parametrize("name", every(4, DIRECTIONS))
def test_direction(name):
    """What mode "auto" makes of names and metrics: of Keras, functions, means."""

    def run(k, folder):
        def mine(y_true, y_pred):
            return k.ops.mean(y_pred, axis=-1)

        model = k.Sequential(
            [k.Input((1,)), k.layers.Dense(1, activation="sigmoid", use_bias=False)]
        )
        own = [
            k.metrics.Precision(name="precision"),
            "accuracy",
            "AUC",
            "mae",
            mine,
            "r2_score",
            "cosine_similarity",
            k.metrics.MeanMetricWrapper(mine, name="mean"),
            k.metrics.TopKCategoricalAccuracy(name="top_k"),
        ]
        model.compile("sgd", "mse", metrics=own)
        stop = k.callbacks.EarlyStopping(monitor=name, patience=1)
        return model.fit(
            X, Y, epochs=4, verbose=0, callbacks=[script(k, [1.0, 2.0, 1.5, 1.0], name), stop]
        ).epoch

    same(run, errors=ValueError)


# ---------------------------------------------------------------- rates

PLATEAU = [
    dict(patience=1),
    dict(patience=1, factor=0.5, verbose=1),
    dict(patience=2, cooldown=2),
    dict(patience=0, factor=0.5),
    dict(patience=1, min_lr=0.3, factor=0.5, verbose=1),
    dict(patience=1, min_delta=0.5, factor=0.5),
    dict(patience=1, cooldown=1, factor=0.5),
    dict(patience=1, mode="max", factor=0.5),
    dict(factor=1.0),
    dict(patience=1, monitor="nope", mode="min"),
    dict(monitor="nope"),
    dict(patience=1, mode="wrong"),
    dict(patience=1, monitor="mae", factor=0.5),
]


@pytest.mark.promise("`ReduceLROnPlateau` | lowers the rate")
@pytest.mark.parametrize("arguments", every(3, PLATEAU), ids=str)
def test_reduce_on_plateau(arguments, capsys):
    def run(k, folder):
        result = run_of(lambda k: k.callbacks.ReduceLROnPlateau(**arguments))(k, folder)
        return result, capsys.readouterr().out

    same(run, errors=ValueError)


def test_unknown_arguments_of_reduce_on_plateau_are_told():
    with pytest.warns(UserWarning, match="epsilon"):
        jkeras.callbacks.ReduceLROnPlateau(epsilon=0.5)


SCHEDULES = {
    "both": lambda epoch, rate: rate * 0.5,
    "epoch alone": lambda epoch: 1.0 / (epoch + 1),
    "numpy": lambda epoch, rate: np.float32(0.25),
    "whole number": lambda epoch, rate: 1,
    "named otherwise": lambda epoch, lr=2.0: lr / 2,
    "text": lambda epoch, rate: "0.1",
    "none": lambda epoch, rate: None,
    "float64": lambda epoch, rate: np.float64(0.25) * rate,
}


@pytest.mark.promise("`LearningRateScheduler` | sets the rate")
@pytest.mark.parametrize("name", SCHEDULES)
def test_learning_rate_scheduler(name, capsys):
    def run(k, folder):
        history = still(k, 1.0).fit(
            X,
            Y,
            epochs=3,
            verbose=0,
            callbacks=[k.callbacks.LearningRateScheduler(SCHEDULES[name], verbose=1)],
        )
        return np.round(history.history["learning_rate"], 6).tolist(), capsys.readouterr().out

    same(run, errors=ValueError)


@pytest.mark.parametrize("kind", ["LearningRateScheduler", "ReduceLROnPlateau"])
def test_a_rate_that_is_a_schedule_cannot_be_set(kind):
    def run(k, folder):
        callback = (
            k.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
            if "Sched" in kind
            else k.callbacks.ReduceLROnPlateau(patience=0)
        )
        rate = k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
        return run_of(lambda k: callback, [1.0] * 3, rate=rate)(k, folder)

    assert same(run, errors=TypeError) is TypeError


@pytest.mark.parametrize("kind", ["LearningRateScheduler", "ReduceLROnPlateau"])
def test_rates_of_several_optimizers(kind, capsys):
    def run(k, folder):
        k.utils.clear_session(free_memory=False)
        callback = (
            k.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2, verbose=1)
            if "Sched" in kind
            else k.callbacks.ReduceLROnPlateau(patience=1, factor=0.5, verbose=1)
        )
        model = k.Sequential([k.Input((1,)), k.layers.Dense(1)])
        chosen = k.optimizers.OptimizerMap(
            k.optimizers.SGD(1.0, name="first"), {".*bias": k.optimizers.Adam(0.5, name="second")}
        )
        model.compile(k.optimizers.MultiOptimizer(chosen), "mse")
        history = model.fit(
            X, Y, epochs=3, verbose=0, callbacks=[dictated(k, [1.0] * 3), callback]
        ).history
        return {n: v for n, v in history.items() if "rate" in n}, capsys.readouterr().out

    same(run)


def dictated(k, values):
    """Results alone; the weights stay."""
    return k.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.__setitem__("val_loss", values[epoch])
    )


# ---------------------------------------------------------------- files

SAVING = [
    ("m.keras", dict()),
    ("m.keras", dict(verbose=1, save_best_only=True)),
    ("{epoch:02d}-{val_loss:.1f}.weights.h5", dict(save_weights_only=True)),
    ("{epoch}.weights.h5", dict(save_weights_only=True, save_best_only=True, verbose=1)),
    (
        "{epoch}.weights.h5",
        dict(save_weights_only=True, save_best_only=True, initial_value_threshold=4.2, verbose=1),
    ),
    (
        "{epoch}.weights.h5",
        dict(save_weights_only=True, save_best_only=True, mode="max", verbose=1),
    ),
    ("{epoch}-{batch:02d}.weights.h5", dict(save_weights_only=True, save_freq=2)),
    ("{epoch}-{batch:02d}.weights.h5", dict(save_weights_only=True, save_freq=5, verbose=1)),
    ("{epoch}-{batch}-{mae:.1f}.weights.h5", dict(save_weights_only=True, save_freq=1)),
    ("inner/{epoch}/m.weights.h5", dict(save_weights_only=True)),
    ("{nope}.keras", dict()),
    ("m.keras", dict(save_weights_only=True)),
    ("m.h5", dict(save_weights_only=True)),
    ("m", dict()),
    ("m.weights.h5", dict()),
    ("m.keras", dict(save_freq="batch")),
    ("m.keras", dict(save_freq=1.5)),
    ("m.keras", dict(save_best_only=True, monitor="nope", mode="min")),
    ("m.keras", dict(mode="wrong")),
    ("m.keras", dict(save_best_only=True, monitor="val_mae")),
]


@pytest.mark.promise("`ModelCheckpoint` | saves the model")
@pytest.mark.parametrize("name, arguments", every(2, SAVING), ids=str)
def test_model_checkpoint(name, arguments, capsys, tmp_path):
    def run(k, folder):
        folder.mkdir()
        result = run_of(
            lambda k: k.callbacks.ModelCheckpoint(folder / name, **arguments), DOWN_AND_UP[:5]
        )(k, folder)
        found = {}
        for path in sorted(folder.rglob("*.*")):
            model = still(k) if path.name.endswith(".weights.h5") else k.models.load_model(path)
            if path.name.endswith(".weights.h5"):
                model.load_weights(path)
            found[str(path.relative_to(folder))] = model.get_weights()[0].item()
        return result, found, capsys.readouterr().out.replace(str(folder), "")

    same(run, tmp_path / "mine", tmp_path / "theirs", errors=(ValueError, KeyError))


def test_a_folder_in_the_place_of_the_file(tmp_path):
    def run(k, folder):
        (folder / "m.weights.h5").mkdir(parents=True)
        still(k).fit(
            X,
            Y,
            verbose=0,
            callbacks=[
                k.callbacks.ModelCheckpoint(folder / "m.weights.h5", save_weights_only=True)
            ],
        )

    assert same(run, tmp_path / "mine", tmp_path / "theirs", errors=OSError) is OSError


@pytest.mark.promise("`CSVLogger` | a row of text")
@pytest.mark.parametrize("separator, append", [(",", False), (";", True)])
def test_csv_logger(tmp_path, separator, append):
    def run(k, folder):
        folder.mkdir()
        model = still(k)
        log = k.callbacks.CSVLogger(folder / "log.csv", separator=separator, append=append)
        for callback in (log, log, k.callbacks.CSVLogger(folder / "log.csv", separator, append)):
            odd = k.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: logs.update(
                    many=np.arange(3), text="a,b;c", number=np.float64(1.5), zero=np.array(2)
                )
            )
            model.fit(X, Y, epochs=2, verbose=0, callbacks=[odd, callback])
            model.fit(
                X,
                Y,
                epochs=3,
                verbose=0,
                validation_data=(X, Y),
                validation_freq=2,
                callbacks=[callback],
            )
            assert log.csv_file.closed
        return (folder / "log.csv").read_bytes()

    same(run, tmp_path / "mine", tmp_path / "theirs")


@pytest.mark.promise("`History` | the results of each epoch")
def test_history_goes_on_where_it_is_given_again():
    def run(k, folder):
        model, history = still(k), k.callbacks.History()
        found = []
        for epochs in (2, 1):
            found.append(model.fit(X, Y, epochs=epochs, verbose=0, callbacks=[history]) is history)
            found.append(
                (
                    list(history.epoch),
                    {n: len(v) for n, v in history.history.items()},
                    history.params,
                )
            )
        return found, model.history is history

    same(run)


# ---------------------------------------------------------------- the rest


@pytest.mark.promise("`TerminateOnNaN` | stops when the loss")
@pytest.mark.promise("`jkeras.callbacks.TerminateOnNaN` at its loss")
@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
@pytest.mark.parametrize("raise_error", [False, True])
def test_terminate_on_nan(raise_error, loss, capsys):
    def run(k, folder):
        model, x, ends = still(k), X.copy(), []
        x[5] = loss
        note = k.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: ends.append(batch),
            on_train_end=lambda logs: ends.append("end"),
        )
        try:
            history = model.fit(
                x,
                Y,
                epochs=3,
                batch_size=2,
                shuffle=False,
                verbose=0,
                callbacks=[k.callbacks.TerminateOnNaN(raise_error=raise_error), note],
            )
            return history.epoch, ends, capsys.readouterr().out
        except RuntimeError as error:
            return str(error).split(".")[0], ends

    same(run)


@pytest.mark.promise("`SwapEMAWeights` | moving averages in place")
@pytest.mark.parametrize("on_epoch", [False, True])
@pytest.mark.parametrize("stop", [None, 1])
@pytest.mark.parametrize("kind", ["plain", "scaled", "several"])
def test_swap_ema_weights(on_epoch, stop, kind):
    def run(k, folder):
        seen, x = [], np.linspace(-1, 1, 12, dtype="float32")[:, None]
        ema = dict(use_ema=True, ema_momentum=0.5)
        optimizer = {
            "plain": lambda: k.optimizers.SGD(0.5, **ema),
            "scaled": lambda: k.optimizers.LossScaleOptimizer(k.optimizers.SGD(0.5, **ema), 8),
            "several": lambda: k.optimizers.MultiOptimizer(
                k.optimizers.OptimizerMap(
                    k.optimizers.SGD(0.5, **ema), {".*bias": k.optimizers.SGD(0.25)}
                )
            ),
        }[kind]()
        model = k.Sequential([k.Input((1,)), k.layers.Dense(1, kernel_initializer="ones")])
        model.compile(optimizer, "mse")

        class Look(k.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                seen.append(("begin", [w.round(4).tolist() for w in self.model.get_weights()]))

            def on_epoch_end(self, epoch, logs=None):
                seen.append(("end", [w.round(4).tolist() for w in self.model.get_weights()]))
                self.model.stop_training = epoch == stop

            def on_test_begin(self, logs=None):
                seen.append(("test", [w.round(4).tolist() for w in self.model.get_weights()]))

        history = model.fit(
            x,
            x * 3,
            epochs=4,
            batch_size=4,
            shuffle=False,
            verbose=0,
            validation_data=(x, x * 3),
            callbacks=[k.callbacks.SwapEMAWeights(swap_on_epoch=on_epoch), Look()],
        ).history
        seen.append(("after", [w.round(4).tolist() for w in model.get_weights()]))
        return seen, {n: np.round(v, 4).tolist() for n, v in history.items()}

    same(run)


@pytest.mark.promise("`LambdaCallback` | functions as a callback")
def test_lambda_callback():
    def run(k, folder):
        told = []
        hooks = [n for n in dir(k.callbacks.Callback) if n.startswith("on_")]
        functions = {
            n: (
                lambda *a, n=n, logs=None: told.append(
                    (n, [v for v in a if not isinstance(v, dict)])
                )
            )
            for n in hooks
        }
        callback = k.callbacks.LambdaCallback(**functions)
        model = still(k)
        model.fit(X, Y, batch_size=6, verbose=0, callbacks=[callback], validation_data=(X, Y))
        model.evaluate(X, Y, verbose=0, callbacks=[callback])
        model.predict(X, verbose=0, callbacks=[callback])
        return told

    same(run)


def test_a_metric_of_several_values():
    """As Keras where it is one number; of more, Keras fails with an error of numpy's."""
    for columns in (1, 2):
        model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(columns)])
        model.compile("sgd", "mse", metrics=[jkeras.metrics.F1Score(name="f1")])
        watch = jkeras.callbacks.EarlyStopping(monitor="f1", mode="max")
        x, y = np.ones((4, 1)), np.eye(4)[:, :columns]
        if columns == 1:
            assert len(model.fit(x, y, epochs=4, callbacks=[watch], verbose=0).history["f1"]) == 2
        else:
            with pytest.raises(ValueError, match="one number as 'f1'.*give the metric an average"):
                model.fit(x, y, callbacks=[watch], verbose=0)
