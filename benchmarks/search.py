"""A sweep of 64 trials on digits against as many calls of `fit`: `python benchmarks/search.py`.

Every tenth row of the space is trained by a `fit` of a new model, compiling included, as a loop
over models would; their mean time is taken for all. The same fits with a program that is compiled
already are timed too. Sweep and fits take turns; seconds are of processor time, since others may
use the machine.
"""

import argparse
import statistics
import time

import numpy as np

import jkeras
from jkeras import layers, search

SPACE = {
    "learning_rate": search.log(1e-4, 1e-1),
    "weight_decay": [0.0, 1e-4],
    "dropout": search.uniform(0, 0.5),
    "seed": list(range(8)),
}


def build(rate=0.1, learning_rate=1e-3, weight_decay=0.0):
    """A classifier of digits."""
    model = jkeras.Sequential(
        [
            jkeras.Input((64,)),
            layers.Dense(64, activation="relu"),
            layers.Dropout(rate),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    optimizer = jkeras.optimizers.Adam(learning_rate, weight_decay=weight_decay)
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def fitted(row, data, epochs):
    """(seconds of a `fit` of a new model, of a second one, its losses)."""
    model = build(row["dropout"], row["learning_rate"], row["weight_decay"])
    model.load_train_state(jkeras.training.init_train_state(model, row["seed"]))
    seconds = []
    for _ in range(2):
        begin = time.process_time()
        history = model.fit(**data, epochs=epochs, seed=row["seed"], verbose=0)
        seconds.append(time.process_time() - begin)
        if len(seconds) == 1:
            losses = history.history["val_loss"]
    return *seconds, losses


def main(trials=64, epochs=20, rounds=2, every=10):
    """Prints the times and their ratios; returns the ratio to fits with compiling."""
    (x, y), test = jkeras.datasets.digits.load_data()
    x, x_test = (np.float32(v.reshape(-1, 64) / 16) for v in (x, test[0]))
    data = {"x": x, "y": y, "validation_data": (x_test, test[1])}
    ratios = []
    for number in range(rounds):
        begin = time.process_time()
        result = search.sweep(lambda: build(), **data, space=SPACE, trials=trials, epochs=epochs)
        together = time.process_time() - begin
        found = [fitted(row, data, epochs) for row in result.table[::every]]
        alone, warm = (trials * statistics.mean(one[i] for one in found) for i in (0, 1))
        theirs = np.array([one[2] for one in found])
        errors = np.abs(result.history["val_loss"][::every] - theirs)
        ratios.append(together / alone)
        print(
            f"round {number}: sweep {together:.1f} s ({result.compiles} compile), {trials} fits "
            f"{alone:.1f} s, without compiling {warm:.1f} s: {ratios[-1]:.3f} and "
            f"{together / warm:.3f}; difference of validation losses: largest in the first epoch "
            f"{errors[:, 0].max():.1e}, in the last {errors[:, -1].max():.1e} (median "
            f"{np.median(errors[:, -1]):.1e}); best accuracy {result.best['val_accuracy']:.3f}"
        )
    return statistics.median(ratios)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("trials", 64), ("epochs", 20), ("rounds", 2), ("every", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    main(**vars(parser.parse_args()))
