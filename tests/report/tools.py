"""A small training that has a report."""

import json

import jax
import numpy as np

import jkeras
from jkeras import layers

ROWS, BATCH = 60, 8  # eight steps, the last of them smaller
STEPS = -(-ROWS // BATCH)


def data():
    """(x, y)"""
    x = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")
    return x, x.sum(axis=1, keepdims=True)


def model(**options):
    """A model with all that makes random numbers and keeps state."""
    jkeras.utils.clear_session(free_memory=False)  # so that layers have the same names
    jkeras.utils.set_random_seed(0)
    parts = [layers.Dense(8, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.2)]
    model = jkeras.Sequential([jkeras.Input((4,)), *parts, layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], **options)
    return model


def fit(path, given=None, trained=None, **options):
    """Trains on data, by default on `data()`; returns the model."""
    trained = model() if trained is None else trained
    options = {"batch_size": BATCH, "epochs": 3, "verbose": 0, "seed": 1} | options
    trained.fit(*(data() if given is None else given), report=path, **options)
    return trained


def load(path):
    """What is in a report."""
    return json.loads(path.read_text())


def weights(trained):
    """The weights as a list of arrays."""
    return jax.tree_util.tree_map(np.asarray, trained.get_weights())
