"""Callbacks that save, average and report: what is on the disk or the wire afterwards."""

import http.server
import json
import os
import threading
import urllib.parse

import numpy as np
import pytest

import jkeras
from jkeras import callbacks, layers

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def model(**options):
    made = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(3, activation="tanh"), layers.Dense(1)])
    made.compile(jkeras.optimizers.SGD(0.1, momentum=0.9, **options), "mse", metrics=["mae"])
    return made


def same(a, b):
    return all(np.array_equal(v, w) for v, w in zip(a.get_weights(), b.get_weights()))


# ---------------------------------------------------------------- averages

def test_averages_are_in_place_for_evaluation():
    seen = {}

    class Look(callbacks.Callback):
        every_batch = False

        def on_test_begin(self, logs=None):
            seen["test"] = self.model.get_weights()

        def on_epoch_end(self, epoch, logs=None):
            seen["epoch"] = self.model.get_weights()

    trained = model(use_ema=True, ema_momentum=0.5)
    trained.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[callbacks.SwapEMAWeights(), Look()])
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


@pytest.mark.parametrize("double", [False, True])
def test_a_backup_restores_weights_optimizer_and_epoch(tmp_path, double):
    folder, first = tmp_path / "backup", model()
    options = dict(double_checkpoint=double, delete_checkpoint=False)
    with pytest.raises(RuntimeError):
        first.fit(X, Y, epochs=4, verbose=0, shuffle=False,
                  callbacks=[callbacks.BackupAndRestore(folder, **options), Broken()])
    assert len([f for f in os.listdir(folder) if f.endswith(".h5")]) == 1 + double
    second, backup = model(), callbacks.BackupAndRestore(folder, **options)
    backup.set_model(second)
    backup.on_train_begin()
    assert same(first, second) and second._initial_epoch == 2 and int(second.optimizer.iterations) == 2
    if double:  # the newest is damaged: the one before it counts
        newest = json.loads((folder / "training_metadata.json").read_text())["backups"][0]["weights"]
        (folder / newest).write_bytes(b"no file")
        backup.on_train_begin()
        assert second._initial_epoch == 1
    callbacks.BackupAndRestore(folder).on_train_end()
    assert not folder.exists()


def test_backups_of_batches_and_wrong_arguments(tmp_path):
    backup = callbacks.BackupAndRestore(tmp_path / "b", save_freq=3, delete_checkpoint=False)
    model().fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[backup])
    assert json.loads((tmp_path / "b" / "training_metadata.json").read_text())["backups"][0] == {
        "epoch": 1, "batch": 2, "weights": "epoch_1_batch_2.weights.h5"}
    for arguments in (("",), ("x", "batch")):
        with pytest.raises(ValueError):
            callbacks.BackupAndRestore(*arguments)
    unbuilt = jkeras.Sequential([layers.Dense(1)])
    backup.set_model(unbuilt)
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
    best = callbacks.OrbaxCheckpoint(tmp_path / "best", monitor="loss", save_best_only=True, save_freq=2,
                                     save_on_background=False)
    model().fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[best])
    assert {int(name) for name in os.listdir(tmp_path / "best") if name.isdigit()} <= {2, 4, 6, 8}


# ---------------------------------------------------------------- reports

def test_remote_monitor():
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        root = f"http://127.0.0.1:{server.server_address[1]}"
        model().fit(X, Y, verbose=0, callbacks=[callbacks.RemoteMonitor(root, headers={"X-Key": "1"}),
                                                callbacks.RemoteMonitor(root, path="/p", send_as_json=True)])
        server.shutdown()
        thread.join()
    form = json.loads(urllib.parse.parse_qs(got[0][2])["data"][0])
    assert form == json.loads(got[1][2]) and form["epoch"] == 0 and set(form) == {"epoch", "loss", "mae"}
    assert got[0][0] == "/publish/epoch/end/" and got[1][0] == "/p" and got[0][1]["X-Key"] == "1"
    with pytest.warns(UserWarning, match="could not reach"):
        callbacks.RemoteMonitor("http://127.0.0.1:9").on_epoch_end(0, {"loss": np.float32(1.0)})
