"""Callbacks that save, average and report: what is on the disk or the wire afterwards."""

import contextlib
import json
import http.server
import os
import threading
import urllib.parse

import keras
import numpy as np
import pytest

import jkeras
from jkeras import callbacks, layers
from tests.callbacks import beside

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def model(**options):
    made = jkeras.Sequential(
        [jkeras.Input((4,)), layers.Dense(3, activation="tanh"), layers.Dense(1)]
    )
    made.compile(jkeras.optimizers.SGD(0.1, momentum=0.9, **options), "mse", metrics=["mae"])
    return made


def same(a, b):
    return all(np.array_equal(v, w) for v, w in zip(a.get_weights(), b.get_weights()))


# ---------------------------------------------------------------- averages


@pytest.mark.promise("`SwapEMAWeights` | moving averages in place")
def test_averages_are_in_place_for_evaluation():
    seen = {}

    class Look(callbacks.Callback):
        every_batch = False

        def on_test_begin(self, logs=None):
            seen["test"] = self.model.get_weights()

        def on_epoch_end(self, epoch, logs=None):
            seen["epoch"] = self.model.get_weights()

    trained = model(use_ema=True, ema_momentum=0.5)
    trained.fit(
        X,
        Y,
        epochs=2,
        verbose=0,
        validation_data=(X, Y),
        callbacks=[callbacks.SwapEMAWeights(), Look()],
    )
    assert not all(np.allclose(a, b) for a, b in zip(seen["test"], seen["epoch"]))
    for a, b in zip(seen["test"], trained.get_weights()):  # training ends with the averages
        np.testing.assert_allclose(a, b, rtol=1e-6)
    with pytest.raises(ValueError, match="use_ema"):
        model().fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=[callbacks.SwapEMAWeights()])


# ---------------------------------------------------------------- backups


class Broken(callbacks.Callback):
    every_batch = False

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise RuntimeError("broken")


@pytest.mark.promise("`callbacks.BackupAndRestore(folder)` is the")
@pytest.mark.parametrize("double", [False, True])
def test_a_backup_restores_weights_optimizer_and_epoch(tmp_path, double):
    folder, first = tmp_path / "backup", model()
    options = dict(double_checkpoint=double, delete_checkpoint=False)
    with pytest.raises(RuntimeError):
        first.fit(
            X,
            Y,
            epochs=4,
            verbose=0,
            shuffle=False,
            callbacks=[callbacks.BackupAndRestore(folder, **options), Broken()],
        )
    assert sorted(name for name in os.listdir(folder) if name.isdigit()) == (
        ["1", "2"] if double else ["2"]
    )
    second = model()
    restoring = dict(
        epochs=2,
        verbose=0,
        shuffle=False,
        callbacks=[callbacks.BackupAndRestore(folder, **options)],
    )
    assert second.fit(X, Y, **restoring).epoch == []
    assert same(first, second) and int(second.optimizer.iterations) == 2
    if double:  # the newest is damaged: the one before it counts
        (folder / "2" / "files.json").write_bytes(b"no file")
        with pytest.warns(UserWarning, match="step 1 was restored.*step 2"):
            assert model().fit(X, Y, **restoring).epoch == [1]
    callbacks.BackupAndRestore(folder).on_train_end()
    assert not folder.exists()


def interrupted(k, folder, error, **options):
    """The epochs and weights of a training that breaks off in its third epoch and is started
    again.
    """
    found = []
    for attempt in range(2):
        k.utils.clear_session(free_memory=False)
        trained = k.Sequential([k.Input((4,)), k.layers.Dense(1)])
        trained.compile(k.optimizers.Adam(0.1), "mse")
        trained.set_weights([np.ones((4, 1)), np.zeros(1)])

        seen = []

        def stop(batch, logs, attempt=attempt, seen=seen):
            seen.append(batch)
            if not attempt and len(seen) == 11:
                raise error

        hooks = [
            k.callbacks.BackupAndRestore(folder, **options),
            k.callbacks.LambdaCallback(on_train_batch_end=stop),
        ]
        with contextlib.suppress(type(error)):
            found.append(
                trained.fit(
                    X, Y, batch_size=4, epochs=5, shuffle=False, verbose=0, callbacks=hooks
                ).epoch
            )
        found += [
            folder.exists(),
            int(trained.optimizer.iterations),
            trained.get_weights()[0].round(4).tolist(),
        ]
    return found


@pytest.mark.promise("As in Keras, other exceptions leave it out")
@pytest.mark.parametrize(
    "options", [dict(), dict(double_checkpoint=True, delete_checkpoint=False)], ids=str
)
def test_an_interrupted_training_goes_on_as_in_keras(options, tmp_path):
    found = beside.same(
        lambda k, folder: interrupted(k, folder, RuntimeError("broken"), **options),
        tmp_path / "mine",
        tmp_path / "theirs",
    )
    # the backup outlived the error; the second attempt began there
    assert found[0] is True and found[3][0] == 2


@pytest.mark.promise("resumes an interrupted training, bitwise identical")
@pytest.mark.promise("`BackupAndRestore` begins the epoch again")
def test_a_backup_in_the_middle_of_an_epoch_repeats_nothing(tmp_path):
    """Keras begins the epoch again, with the weights that it has by then."""
    found = interrupted(jkeras, tmp_path / "backup", RuntimeError("broken"), save_freq=3)
    whole = interrupted(jkeras, tmp_path / "other", KeyError(), save_freq=False)
    assert found[0] is True and found[3] == [2, 3, 4] and found[5] == whole[-2] == 20
    np.testing.assert_array_equal(found[-1], whole[-1])


@pytest.mark.promise("Ctrl-C leaves the backup")
def test_ctrl_c_leaves_the_backup(tmp_path):
    found = interrupted(jkeras, tmp_path / "backup", KeyboardInterrupt())
    assert found[0] is True and found[3:5] == [[2, 3, 4], False]


def test_wrong_arguments_of_backups(tmp_path):
    for arguments in (("",), (None,), ("x", "batch"), ("x", 1.5)):
        beside.same(
            lambda k, folder, arguments=arguments: k.callbacks.BackupAndRestore(*arguments),
            errors=ValueError,
        )
        with pytest.raises(ValueError):
            callbacks.BackupAndRestore(*arguments)
    backup = callbacks.BackupAndRestore(tmp_path / "b")
    backup.set_model(jkeras.Sequential([layers.Dense(1)]))
    with pytest.raises(ValueError, match="built"):
        backup.on_train_begin()


@pytest.mark.parametrize("weights_only", [False, True])
def test_orbax(tmp_path, weights_only):
    trained = model()
    saver = callbacks.OrbaxCheckpoint(tmp_path / "o", max_to_keep=2, save_weights_only=weights_only)
    trained.fit(X, Y, epochs=3, verbose=0, callbacks=[saver])
    fresh = model()
    again = callbacks.OrbaxCheckpoint(tmp_path / "o", save_weights_only=weights_only)
    again.set_model(fresh)
    assert sorted(again.checkpointer.all_steps()) == [1, 2]
    again.restore()
    assert same(trained, fresh)
    again.on_train_end()


ORBAX = [
    dict(max_to_keep=None),
    dict(save_freq=2, max_to_keep=None),
    dict(save_freq=3, max_to_keep=2),
    dict(save_best_only=True, monitor="loss", max_to_keep=None, save_on_background=False),
    dict(save_best_only=True, monitor="nope", mode="min"),
    dict(
        save_best_only=True,
        monitor="loss",
        mode="max",
        max_to_keep=None,
        initial_value_threshold=1e9,
    ),
]


@pytest.mark.parametrize("options", ORBAX, ids=str)
def test_which_checkpoints_orbax_writes(options, tmp_path):
    """As Keras, in a model that has been trained before."""

    def run(k, folder):
        trained = k.Sequential([k.Input((4,)), k.layers.Dense(1)])
        trained.compile("sgd", "mse")
        trained.fit(X, Y, batch_size=4, verbose=0)
        trained.fit(
            X,
            Y,
            batch_size=4,
            epochs=2,
            verbose=0,
            callbacks=[k.callbacks.OrbaxCheckpoint(folder, **options)],
        )
        return (
            sorted(int(name) for name in os.listdir(folder) if name.isdigit())
            if folder.exists()
            else []
        )

    beside.same(run, tmp_path / "mine", tmp_path / "theirs")


@pytest.mark.promise("`OrbaxCheckpoint` | saves the variables")
@pytest.mark.promise("folder of `OrbaxCheckpoint`")
@pytest.mark.filterwarnings("ignore:Sharding info not provided")
def test_orbax_checkpoints_are_read_by_both(tmp_path):
    models = []
    for k in (jkeras, keras):
        made = k.Sequential(
            [k.Input((4,)), k.layers.Dense(3), k.layers.BatchNormalization(), k.layers.Dense(1)]
        )
        made.compile(k.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae"])
        made.fit(
            X, Y, verbose=0, callbacks=[k.callbacks.OrbaxCheckpoint(str(tmp_path / k.__name__))]
        )
        models.append(made)
    mine, theirs = models
    weights = [model.get_weights() for model in models]
    theirs.load_weights(str(tmp_path / "jkeras"))
    restoring = callbacks.OrbaxCheckpoint(tmp_path / "keras")
    restoring.set_model(mine)
    restoring.restore()
    for model, wanted in zip(models, reversed(weights)):
        for a, b in zip(model.get_weights(), wanted, strict=True):
            np.testing.assert_array_equal(a, b)
    restoring.set_model(
        model_of_another_size := jkeras.Sequential([jkeras.Input((4,)), layers.Dense(2)])
    )
    with pytest.raises(ValueError, match="another model"):
        restoring.restore()
    restoring.on_train_end()
    nothing = callbacks.OrbaxCheckpoint(tmp_path / "nothing")
    nothing.set_model(model_of_another_size)
    with pytest.raises(FileNotFoundError):
        nothing.restore()
    nothing.on_train_end()


# ---------------------------------------------------------------- reports


@pytest.fixture
def server():
    """(address, what was posted) of a server that answers."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got.append((self.path, self.headers["Content-Type"], self.headers["X-Key"], text))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", got
        running.shutdown()
        thread.join()


REMOTE = [dict(headers={"X-Key": "1"}), dict(path="/p", send_as_json=True), dict(field="f")]


def send(k, root, options):
    """One epoch of results of several types, sent."""
    k.callbacks.RemoteMonitor(root, **options).on_epoch_end(
        3, {"loss": 0.5, "mae": np.float32(0.25), "count": np.array(2), "name": "a b&c"}
    )


@pytest.mark.promise("`RemoteMonitor` | sends the results")
@pytest.mark.parametrize("options", REMOTE, ids=str)
def test_remote_monitor(options, server):
    root, got = server
    send(jkeras, root, options)
    path, kind, key, text = got[0]
    body = (
        text
        if kind == "application/json"
        else urllib.parse.parse_qs(text)[options.get("field", "data")][0]
    )
    assert json.loads(body) == {"epoch": 3, "loss": 0.5, "mae": 0.25, "count": 2, "name": "a b&c"}
    assert path == options.get("path", "/publish/epoch/end/") and key == options.get(
        "headers", {}
    ).get("X-Key")
    model().fit(X, Y, verbose=0, callbacks=[callbacks.RemoteMonitor(root, send_as_json=True)])
    assert set(json.loads(got[1][-1])) == {"epoch", "loss", "mae"}


@pytest.mark.parametrize("options", REMOTE, ids=str)
def test_what_is_sent_is_keras_s(options, server):
    pytest.importorskip("requests", reason="Keras sends with it")
    root, got = server
    for k in (jkeras, keras):
        send(k, root, options)
    assert got[0] == got[1]


@pytest.mark.parametrize(
    "root", ["http://127.0.0.1:9", "127.0.0.1:9", "file:///tmp", "http://[", "http://127.0.0.1:x"]
)
def test_an_address_that_does_not_answer(root):
    with pytest.warns(UserWarning, match="Could not reach RemoteMonitor root server"):
        send(jkeras, root, {})


@pytest.mark.promise("`callbacks.BackupAndRestore(folder)` is the")
def test_a_backup_removes_what_it_made_and_nothing_else(tmp_path):
    """In a folder with somebody's data, of which one has a number for its name."""
    (tmp_path / "2023").mkdir()
    (tmp_path / "2023" / "data.csv").write_text("1,2")
    (tmp_path / "notes.txt").write_text("mine")
    backup = callbacks.BackupAndRestore(tmp_path, save_freq=1)
    model().fit(X, Y, batch_size=4, epochs=3, verbose=0, callbacks=[backup])
    assert sorted(os.listdir(tmp_path)) == ["2023", "notes.txt"]
    assert (tmp_path / "2023" / "data.csv").read_text() == "1,2"
    own = tmp_path / "own"
    model().fit(X, Y, epochs=1, verbose=0, callbacks=[callbacks.BackupAndRestore(own)])
    assert not own.exists()


def test_a_checkpointer_keeps_folders_that_are_no_checkpoints(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "data.csv").write_text("1,2")
    checkpoints = jkeras.saving.Checkpointer(tmp_path, max_to_keep=1, every="epoch")
    model().fit(X, Y, epochs=3, verbose=0, checkpoint=checkpoints, resume=False)
    assert (tmp_path / "7" / "data.csv").read_text() == "1,2"
