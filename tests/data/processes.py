"""What `test_processes.py` runs in processes of their own: `python -m … INDEX ADDRESS`, or without
arguments alone.

Prints one JSON object.
"""

import json
import sys
import tempfile

import jax
import numpy as np

import jkeras
from jkeras import distribution as dist
from jkeras.training.data import array_source

X = np.random.default_rng(0).normal(size=(44, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
BATCH = 8


class Batches(jkeras.utils.PyDataset):
    """Batches of the first `size` rows; of each the part number `index` of `parts`."""

    def __init__(self, size, parts=1, index=0):
        super().__init__()
        self.size, self.rows, self.index = size, BATCH // parts, index

    def __len__(self):
        return -(-self.size // BATCH)

    def __getitem__(self, i):
        rows = slice(
            i * BATCH + self.index * self.rows,
            min(i * BATCH + (self.index + 1) * self.rows, self.size),
        )
        return X[rows], Y[rows]


def in_maps(rows):
    """The same with the arrays in files, which are read batch by batch."""
    found = dict(rows)
    for name in ("x", "y"):
        with tempfile.NamedTemporaryFile(suffix=".npy") as file:
            np.save(file, rows[name])
            file.flush()
            found[name] = np.load(file.name, mmap_mode="r")
    return found


class Noted:
    """Rows in a file that notes which of them are read."""

    shape, dtype = X[:40].shape, X.dtype

    def __init__(self):
        self.read = set()

    def __len__(self):
        return 40

    def __getitem__(self, rows):
        self.read.update(np.arange(40)[rows].tolist())
        return X[:40][rows]


def rows_read():
    """How many rows behind the first batch, which is looked at for its shapes, are read."""
    rows = Noted()
    trained(x=rows, y=Y[:40], batch_size=BATCH, shuffle=False)
    return len([row for row in rows.read if row >= BATCH])


def trained(data=None, steps=None, **options):
    jkeras.utils.clear_session()
    jkeras.utils.set_random_seed(3)
    model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(1)])
    model.compile(jkeras.optimizers.SGD(0.1), "mse")
    options = {"x": data, "epochs": 2, "steps_per_epoch": steps, "verbose": 0} | options
    losses = model.fit(**options).history["loss"]
    return losses + np.concatenate([w.ravel() for w in model.get_weights()]).tolist()


def endless():
    batches = Batches(40)
    while True:
        for i in range(len(batches)):
            yield batches[i]


def run(index=None, address=None):
    """The results of all kinds; process `index` of two has two of four devices."""
    out, processes = {}, 1
    array_source.ON_DEVICE_LIMIT = 0
    if index is not None:
        dist.initialize(address, 2, int(index))
        processes = jax.process_count()
        assert processes == 2 and jax.device_count() == 4
        dist.set_distribution(dist.DataParallel())
    for size in (40, 44):  # at the end four rows, one for each device
        out[f"batches {size}"] = trained(Batches(size))
    out["generator"] = trained(endless(), steps=5)
    out["iterable"] = trained(Again())
    for shuffle in (False, "batch", True):
        for size in (40, 44, 43):  # 43: rows that no two processes can share evenly
            rows = {"x": X[:size], "y": Y[:size], "batch_size": BATCH}
            out[f"arrays {size} {shuffle}"] = trained(shuffle=shuffle, seed=1, **rows)
            out[f"map {size} {shuffle}"] = trained(shuffle=shuffle, seed=1, **in_maps(rows))
    if index is not None:
        out["rows read"] = rows_read()
        dist.set_distribution(dist.DataParallel(auto_shard_dataset=False))
    out["own"] = trained(Batches(40, processes, int(index or 0)))
    parts = np.split(X[:12], processes)  # six rows for each process, in batches of four and of two
    order = slice(None) if processes == 2 else [0, 1, 2, 3, 6, 7, 8, 9, 4, 5, 10, 11]
    out["prediction"] = predicted(parts[int(index or 0)][order], 4 if processes == 2 else 12)
    return out


class Again:
    """An iterable that starts again."""

    def __iter__(self):
        batches = Batches(40)
        return (batches[i] for i in range(len(batches)))


def predicted(data, batch_size):
    model = jkeras.Sequential(
        [jkeras.Input((4,)), jkeras.layers.Dense(1, kernel_initializer="ones")]
    )
    return model.predict(data, batch_size, verbose=0).ravel().tolist()


if __name__ == "__main__":
    print(json.dumps(run(*sys.argv[1:])))
