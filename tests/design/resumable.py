"""The program that `test_resume.py` runs and kills: a training with a checkpoint folder.

    python -m tests.design.resumable FOLDER|- OUTPUT [EPOCH BATCH]

Trains on, writes the final weights and history to OUTPUT; with EPOCH and BATCH it kills itself
after that batch.
"""

import os
import signal
import sys
import time

import numpy as np

import jkeras
from jkeras import Input, Sequential, layers


def main(folder, output, epoch=None, batch=None):
    """Trains a model with everything that has state: dropout, shuffling, BatchNormalization, Adam,
    EarlyStopping.
    """
    jkeras.utils.set_random_seed(5)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(96, 6)).astype("float32")
    y = (x[:, :1] * x[:, 1:2] > 0).astype("float32")
    model = Sequential(
        [
            Input((6,)),
            layers.Dense(16, activation="relu", name="a"),
            layers.BatchNormalization(name="n"),
            layers.Dropout(0.3, name="d"),
            layers.Dense(1, activation="sigmoid", name="b"),
        ]
    )
    model.compile(jkeras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])

    class Kill(jkeras.callbacks.Callback):
        def on_epoch_begin(self, number, logs=None):
            self.epoch = number

        def on_train_batch_end(self, number, logs=None):
            time.sleep(0.002)  # so that a moment from outside falls into the training too
            if (self.epoch, number) == (epoch, batch):
                os.kill(os.getpid(), signal.SIGKILL)

    callbacks = [
        jkeras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True),
        jkeras.callbacks.ReduceLROnPlateau("loss", patience=1, factor=0.5),
        Kill(),
    ]
    history = model.fit(
        x[:64],
        y[:64],
        batch_size=16,
        epochs=12,
        verbose=0,
        callbacks=callbacks,
        validation_data=(x[64:], y[64:]),
        checkpoint=None if folder == "-" else folder,
    )
    np.savez(
        output,
        *model.get_weights(),
        *[v.value for v in model.optimizer.variables],
        loss=history.history["loss"],
    )


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
