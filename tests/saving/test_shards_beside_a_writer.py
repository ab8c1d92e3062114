"""Weights in shards, read while another one writes them anew: all of one save, never damaged."""

import os
import threading

import numpy as np

import jkeras
from jkeras import layers
from jkeras.saving import shards

SIZE = 3e-7  # gigabytes: each array in a file of its own


def made(value=0.0):
    model = jkeras.Sequential([jkeras.Input((4,))] + [layers.Dense(4) for _ in range(6)])
    model.set_weights([np.full(w.shape, value, "float32") for w in model.get_weights()])
    return model


def test_a_reader_beside_a_writer(tmp_path):
    path = tmp_path / "m.weights.json"
    writer, reader, over = made(), made(), threading.Event()
    writer.save_weights(path, max_shard_size=SIZE)

    def write():
        number = 0
        while not over.is_set():
            number += 1
            writer.set_weights([np.full(w.shape, number, "float32") for w in writer.get_weights()])
            writer.save_weights(path, max_shard_size=SIZE)

    thread = threading.Thread(target=write)
    thread.start()
    found = []
    try:
        for _ in range(30):
            reader.load_weights(path)
            found.append({float(v) for w in reader.get_weights() for v in w.ravel()})
    finally:
        over.set()
        thread.join()
    assert all(len(values) == 1 for values in found), found


def test_a_list_that_is_replaced_while_its_files_are_opened(tmp_path, monkeypatch):
    """The files of the first list get new content under the same names."""
    path = tmp_path / "m.weights.json"
    made(1.0).save_weights(path, max_shard_size=SIZE)
    open_one, opened = shards._open, []

    def slow(file, stack):
        opened.append(os.path.basename(file))
        if len(opened) == 2:
            for value in (2.0, 3.0):
                made(value).save_weights(path, max_shard_size=SIZE)
        return open_one(file, stack)

    monkeypatch.setattr(shards, "_open", slow)
    reader = made()
    reader.load_weights(path)
    assert {float(v) for w in reader.get_weights() for v in w.ravel()} == {3.0}
