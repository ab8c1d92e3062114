"""The program that `test_determinism.py` runs in other processes: trains, prints a hash of all
weights and results.

    python -m tests.training.hashed SEED [host]
"""

import hashlib
import sys

import jax
import numpy as np

import jkeras
from jkeras import layers
from jkeras.training.data import array_source


def network():
    """Augmentation, dropout, noise and statistics."""
    model = jkeras.Sequential(
        [
            jkeras.Input((6, 6, 2)),
            layers.RandomFlip(seed=1),
            layers.RandomTranslation(0.2, 0.2, seed=2),
            layers.GaussianNoise(0.1, seed=3),
            layers.Flatten(),
            layers.Dense(
                8, activation="relu", kernel_initializer=(jkeras.initializers.GlorotUniform(seed=4))
            ),
            layers.BatchNormalization(),
            layers.Dropout(0.3, seed=5),
            layers.Dense(
                3,
                activation="softmax",
                kernel_initializer=jkeras.initializers.GlorotUniform(seed=6),
            ),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained(seed, **arguments):
    """(model, history) of a training with a ragged end, shuffled, and validated."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 6, 6, 2)).astype("float32"), rng.integers(0, 3, 50)
    model = network()
    return model, model.fit(
        x, y, batch_size=8, epochs=2, validation_split=0.2, verbose=0, seed=seed, **arguments
    )


def bits(model, history):
    """A hash of every weight, of the optimizer's variables and of the history."""
    found = hashlib.sha256()
    for leaf in jax.tree_util.tree_leaves(
        [
            [v.value for v in (*model.variables, *model.optimizer.variables)],
            sorted(history.history.items()),
        ]
    ):
        found.update(leaf.encode() if isinstance(leaf, str) else np.asarray(leaf).tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    if sys.argv[2:] == ["host"]:
        array_source.ON_DEVICE_LIMIT = 0
    print(bits(*trained(int(sys.argv[1]))))
