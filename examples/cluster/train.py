"""One of several processes that train a classifier of digits, with checkpoints in a folder that all
of them see: `python train.py FOLDER`, started by a launcher.

Started again with the same folder it goes on from the last checkpoint, also with another number of
processes.
"""

import argparse
import pathlib

import jax
import numpy as np

import jkeras
from jkeras import distribution, layers
from jkeras.datasets import digits


def make_model():
    """The classifier, compiled."""
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8)),
            layers.Rescaling(1 / 16),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10),
        ]
    )
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def train(folder, epochs=10, every=20, callbacks=()):
    """Trains over the devices of all processes, which have met before; the results of the test.

    The first process writes the weights into the folder.

    Args:
        every: steps from one checkpoint to the next.
    """
    folder = pathlib.Path(folder)
    jkeras.utils.set_random_seed(0)
    (x, y), test = digits.load_data()
    with distribution.DataParallel().scope():
        model = make_model()
        checkpoints = jkeras.saving.Checkpointer(folder / "checkpoints", every=every)
        model.fit(
            x,
            y,
            batch_size=64,
            epochs=epochs,
            verbose=0,
            checkpoint=checkpoints,
            callbacks=list(callbacks),
        )
        results = model.evaluate(*test, verbose=0, return_dict=True)
    if jax.process_index() == 0:
        np.savez(folder / "end.npz", *model.get_weights())
    return results


def main():
    """Joins the other processes, trains, and prints the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="for checkpoints and weights")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    distribution.initialize()
    results = train(options.folder, options.epochs)
    print(f"process {jax.process_index()} of {jax.process_count()}: {results}")


if __name__ == "__main__":
    main()
