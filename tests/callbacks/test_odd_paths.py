"""Callbacks whose path is a pipe, a folder or a file: nothing is waited for, and what is wrong is
said before the first step.
"""

import os
import stat
import threading

import numpy as np
import pytest

import jkeras
from jkeras import callbacks, layers

X, Y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")


def fit(callback):
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    steps = []
    told = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
    try:
        model.fit(X, Y, verbose=0, callbacks=[callback, told])
    except Exception:
        assert steps == []
        raise
    assert steps


@pytest.mark.parametrize("append", [False, True])
def test_a_log_into_a_pipe(tmp_path, append):
    path = tmp_path / "log.csv"
    os.mkfifo(path)
    with pytest.raises(OSError, match="nobody reads.*log.csv"):
        fit(callbacks.CSVLogger(path, append=append))
    assert stat.S_ISFIFO(os.stat(path).st_mode)
    rows = []

    def read():
        with open(path) as file:
            rows.extend(file)

    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # somebody reads: as in Keras
    thread = threading.Thread(target=read)
    thread.start()
    fit(callbacks.CSVLogger(path, append=append))
    thread.join(20)
    os.close(reader)
    assert rows[0].startswith("epoch,loss") and len(rows) == 2


def test_a_log_where_a_folder_lies(tmp_path):
    with pytest.raises(IsADirectoryError):
        fit(callbacks.CSVLogger(tmp_path))
    fit(callbacks.CSVLogger(os.devnull))


@pytest.mark.parametrize("kind", ["a pipe", "a file", "a loop"])
def test_a_folder_that_is_none(tmp_path, kind):
    path = tmp_path / "logs"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a file":
        path.write_text("mine")
    else:
        path.symlink_to(path)
    with pytest.raises(OSError, match="logs"):
        fit(callbacks.TensorBoard(path))
    with pytest.warns(UserWarning, match="no profile in .*logs"):
        fit(callbacks.ProfilerTrace(path, start_step=1, steps=1))
    assert kind != "a file" or path.read_text() == "mine"


def test_the_projectors_files(tmp_path):
    for name in ("projector_config.pbtxt", "e.tsv"):
        folder = tmp_path / name
        folder.mkdir()
        os.mkfifo(folder / name)
        model = jkeras.Sequential([jkeras.Input((1,)), layers.Embedding(3, 2, name="e")])
        model.compile("sgd", "mse")
        told = callbacks.TensorBoard(folder, embeddings_freq=1)
        with pytest.raises(OSError, match="pipe"):
            model.fit(np.ones((2, 1)), np.ones((2, 1, 2)), verbose=0, callbacks=[told])
