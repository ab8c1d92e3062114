"""A training on rows of Grain that can be killed, and tells which rows it has seen: `python -m
tests.data.rows_of_grain KIND FOLDER OUTPUT [STEP]`.

With STEP it kills itself after so many steps; else it writes the weights and the rows to OUTPUT.
"""

import os
import signal
import sys

import absl.flags
import grain
import jax
import numpy as np

import jkeras
from jkeras.saving import Checkpointer

SIZE, BATCH, STEPS, EPOCHS = 24, 2, 5, 4  # rows; steps of an epoch, which is no whole pass
X = np.random.default_rng(0).normal(size=(SIZE, 4)).astype("float32")


class Rows:
    """Rows by number, the number as the label; notes which were read."""

    def __init__(self):
        self.read = []

    def __len__(self):
        return SIZE

    def __getitem__(self, i):
        self.read.append(int(i))
        return X[i], np.array([i], "float32")


READ_LITTLE = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)


def _map(rows):
    return grain.MapDataset.source(rows).shuffle(seed=3).repeat(2).batch(BATCH)


def _loader(rows, workers=0, seed=3, batch=BATCH):
    if workers:
        absl.flags.FLAGS.mark_as_parsed()  # as grain's processes demand
    return grain.DataLoader(
        data_source=rows,
        sampler=grain.samplers.IndexSampler(
            SIZE, grain.sharding.NoSharding(), shuffle=True, num_epochs=None, seed=seed
        ),
        worker_count=workers,
        operations=[grain.transforms.Batch(batch)],
        read_options=READ_LITTLE,
    )


class Numbers:
    """An iterator of one's own, whose state is where it is."""

    def __init__(self, rows):
        self.rows, self.number = rows, 0

    def __iter__(self):
        return self

    def __next__(self):
        chosen = [self.rows[i % SIZE] for i in range(self.number, self.number + BATCH)]
        self.number += BATCH
        return tuple(np.stack(part) for part in zip(*chosen))

    def get_state(self):
        return {"number": self.number}

    def set_state(self, state):
        self.number = state["number"]


KINDS = {
    "MapDataset": lambda rows: _map(rows),
    "IterDataset": lambda rows: _map(rows).to_iter_dataset(READ_LITTLE),
    "batched IterDataset": lambda rows: (
        grain.MapDataset.source(rows)
        .repeat()
        .to_iter_dataset(READ_LITTLE)
        .pipe(grain.experimental.WindowShuffleIterDataset, window_size=7, seed=1)
        .batch(BATCH)
    ),
    "DataLoader": _loader,
    "DataLoader, 1 worker": lambda rows: _loader(rows, 1),
    "DataLoader, 2 workers": lambda rows: _loader(rows, 2),
    "iterator of an IterDataset": lambda rows: iter(_map(rows).to_iter_dataset(READ_LITTLE)),
    "iterator": Numbers,
}


class Seen(jkeras.callbacks.Callback):
    """Kills the process after so many steps; `act` for another end."""

    def __init__(self, at, act=lambda: os.kill(os.getpid(), signal.SIGKILL)):
        super().__init__()
        self.left, self.act = at, act

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            self.act()


def train(kind, folder=None, callbacks=(), every=2, make=None, **options):
    """(weights, rows in the order of the steps, rows that were read) of a training."""
    jkeras.utils.set_random_seed(5)
    rows, seen = Rows(), []

    def loss(y, p):
        jax.debug.callback(lambda ids: seen.append(ids.ravel().tolist()), y, ordered=True)
        return (y / SIZE - p) ** 2

    model = jkeras.Sequential(
        [jkeras.Input((4,)), jkeras.layers.Dense(3, "tanh"), jkeras.layers.Dense(1)]
    )
    model.compile("adam", loss)
    data = (make or KINDS[kind])(rows)
    try:
        model.fit(
            data,
            steps_per_epoch=STEPS,
            epochs=EPOCHS,
            verbose=0,
            checkpoint=None if folder is None else Checkpointer(folder, every=every),
            callbacks=list(callbacks),
            **options,
        )
    finally:
        if isinstance(data, grain.DatasetIterator):  # which is whose it is
            data.close()
    jax.effects_barrier()
    return model.get_weights(), seen, rows.read


def main(kind, folder, output, step=0):
    """One training in a process of its own."""
    weights, seen, _ = train(kind, folder, [Seen(int(step))])
    np.savez(output, *weights, seen=np.array(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
