"""Right programs that look like mistakes: nothing is said of them."""

import warnings

import numpy as np
import pytest

import jkeras
from jkeras import layers, losses, ops

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = np.arange(8) % 3
ONE_HOT = np.eye(3, dtype="float32")[Y]
IDS = np.array([[1, 2, 3, 0, 0]] * 8)


def fit(parts, loss, y, x=X, metrics=(), **options):
    model = jkeras.Sequential([jkeras.Input(x.shape[1:]), *parts])
    model.compile("sgd", loss, metrics=list(metrics))
    model.fit(x, y, verbose=0, **options)


def frozen_sum_of_classes():
    """Four classes are added up to two: probabilities of probabilities."""
    end = layers.Dense(2, use_bias=False)
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(4, "softmax"), end])
    end.set_weights([np.repeat(np.eye(2, dtype="float32"), 2, axis=0)])
    end.trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, Y % 2, verbose=0)


def steps(y, *end, loss, **options):
    """A label for each word; the last two are padding."""
    parts = [layers.Embedding(9, 2, mask_zero=True), layers.LSTM(2, return_sequences=True), *end]
    fit(parts, loss, y, x=IDS, **options)


class OwnCall(jkeras.Model):
    """Gives what a function makes of the output of its last layer."""

    def __init__(self, *parts, then=lambda y: y):
        super().__init__()
        self.parts, self.then = list(parts), then

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return self.then(x)


def own_call(model, loss, y=Y):
    model.compile("sgd", loss)
    model.fit(X, y, verbose=0)


LOGITS = losses.SparseCategoricalCrossentropy(from_logits=True)
RIGHT = {
    "a frozen sum of classes": frozen_sum_of_classes,
    "data scaled to a little more than 1": lambda: fit(
        [layers.Dense(4, "sigmoid")], "binary_crossentropy", np.full((8, 4), 1 + 1e-6)
    ),
    "images that were resized smoothly": lambda: fit(
        [layers.Dense(4, "sigmoid")],
        "binary_crossentropy",
        np.linspace(-0.05, 1.05, 32).reshape(8, 4),
    ),
    "rows of zeros, which count nothing": lambda: fit(
        [layers.Dense(3, "softmax")], "categorical_crossentropy", ONE_HOT * (Y > 0)[:, None]
    ),
    "padding labelled -1 behind a mask": lambda: steps(
        np.where(IDS > 0, IDS % 2, -1)[..., None],
        layers.Dense(1, "sigmoid"),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    ),
    "one class against the others": lambda: fit(
        [layers.Dense(3, "softmax")], "sparse_categorical_crossentropy", Y, class_weight={1: 5.0}
    ),
    "frozen normalization in a call that says no `training`": lambda: own_call(
        OwnCall(layers.BatchNormalization(trainable=False), layers.Dense(3)), LOGITS
    ),
    "logits of a call": lambda: own_call(OwnCall(layers.Dense(3)), LOGITS),
    "a softmax in a call, behind a layer without": lambda: own_call(
        OwnCall(layers.Dense(3), then=ops.softmax), "sparse_categorical_crossentropy"
    ),
    "logs of probabilities in a call": lambda: own_call(
        OwnCall(layers.Dense(3, "softmax"), then=lambda p: ops.log(p + 1e-7)), LOGITS
    ),
    "a sigmoid inside of a call": lambda: own_call(
        OwnCall(layers.Dense(4, "sigmoid"), layers.Dense(3)), LOGITS
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_is_said(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RIGHT[name]()


def test_what_a_mask_cannot_leave_out_is_looked_at():
    """One label a text: the mask ends before it."""
    parts = [layers.Embedding(9, 2, mask_zero=True), layers.LSTM(2), layers.Dense(1, "sigmoid")]
    with pytest.warns(UserWarning, match="takes numbers from 0 to 1, and is given labels from 0"):
        fit(parts, "binary_crossentropy", np.array([0, 5] * 4), x=IDS)
