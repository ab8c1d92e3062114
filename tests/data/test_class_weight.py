"""`class_weight` for each of several outputs: as sample weights of each."""

import numpy as np
import pytest

import jkeras
from jkeras import layers

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
A = np.arange(12) % 3
B = (np.arange(12) % 2).astype("float32")[:, None]
CLASSES = {0: 1.0, 1: 3.0, 2: 0.5}
WEIGHTS = np.array([CLASSES[c] for c in A], "float32")


def trained(y, **weights):
    jkeras.utils.set_random_seed(0)
    x = jkeras.Input((3,))
    model = jkeras.Model(x, [layers.Dense(3, name="a")(x), layers.Dense(1, name="b")(x)])
    loss = [jkeras.losses.SparseCategoricalCrossentropy(from_logits=True), "mse"]
    model.compile("sgd", loss)
    return model.fit(X, y, epochs=2, verbose=0, seed=1, batch_size=5, **weights).history["loss"]


@pytest.mark.promise("For several outputs it")
@pytest.mark.parametrize(
    "class_weight",
    [{"a": CLASSES}, {"a": CLASSES, "b": None}, [CLASSES, None], (CLASSES, {})],
    ids=["by name", "None", "list", "tuple"],
)
def test_for_each_output(class_weight):
    y = [A, B]
    expected = trained(y, sample_weight=[WEIGHTS, np.ones(12, "float32")])
    np.testing.assert_allclose(trained(y, class_weight=class_weight), expected, rtol=1e-6)


def test_labels_by_name():
    y = {"a": A, "b": B}
    expected = trained([A, B], sample_weight=[WEIGHTS, np.ones(12, "float32")])
    np.testing.assert_allclose(trained(y, class_weight={"a": CLASSES}), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "class_weight, words",
    [
        (CLASSES, "single output"),
        ({"c": CLASSES}, r"Unknown: \['c'\]"),
        ([CLASSES], "list of 1"),
    ],
)
def test_what_fits_no_output(class_weight, words):
    with pytest.raises(ValueError, match=words):
        trained([A, B], class_weight=class_weight)
