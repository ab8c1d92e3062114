"""Data in trouble: ragged, empty, short, raising, of the wrong kind; labels out of range. The model
stays whole.

What each wrong argument says stands in `tests/test_errors.py`, and workers that die in
`tests/data/test_faults.py`.
"""

import threading
import warnings

import numpy as np
import pytest

import jkeras
from jkeras import layers
from tests.faults.tools import assert_usable, everything, assert_same, plain
from jkeras.training.step.layout import state_layout

RNG = np.random.default_rng(0)
BATCH = 4


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rest", [0, 1, BATCH - 1])
def test_a_ragged_last_batch_counts_by_its_rows(rest, weighted):
    """Loss and metric of an epoch are the weighted means over all rows, in fit (with a rate of 0)
    and in evaluate.
    """
    size = 3 * BATCH + rest
    x = RNG.normal(size=(size, 4)).astype("float32")
    y = RNG.normal(size=(size, 1)).astype("float32")
    w = RNG.uniform(0.5, 2, size=size).astype("float32") if weighted else None
    model = plain(jkeras.optimizers.SGD(0.0), weighted_metrics=["mae"])
    error = model.predict(x, verbose=0) - y
    means = {
        "loss": np.mean(error[:, 0] ** 2 * (1 if w is None else w)),
        "mae": np.average(np.abs(error[:, 0]), weights=w),
    }
    fitted = model.fit(x, y, sample_weight=w, batch_size=BATCH, verbose=0).history
    found = model.evaluate(x, y, sample_weight=w, batch_size=BATCH, verbose=0, return_dict=True)
    for name, wanted in means.items():
        np.testing.assert_allclose([fitted[name][0], found[name]], [wanted, wanted], rtol=2e-5)


def batches(count, fails=None):
    """A generator of so many batches, which raises before one of them."""
    for number in range(count):
        if number == fails:
            raise OverflowError("spoiled")
        yield np.full((BATCH, 4), number, "float32"), np.ones((BATCH, 1), "float32")


class Again:
    """The same, from the beginning each epoch."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __iter__(self):
        return batches(*self.arguments)


@pytest.mark.parametrize("make", [batches, Again], ids=["generator", "iterable"])
@pytest.mark.parametrize("fails", [0, 2, 4])
def test_data_that_raises(make, fails):
    """The same error comes out, the model is what the steps before made of it, no thread is
    left.
    """
    model, other, threads = plain(), plain(), set(threading.enumerate())
    with pytest.raises(OverflowError, match="spoiled"):
        model.fit(make(5, fails), verbose=0)
    assert set(threading.enumerate()) <= threads
    if fails:
        other.fit(Again(fails), verbose=0)
    else:
        state_layout(other)
    for name in ("a", "b"):
        for mine, wanted in zip(
            model.get_layer(name).get_weights(), other.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, wanted)
    assert_usable(model)


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_data_that_raises_where_nothing_is_trained(method):
    model = plain()
    model.fit(Again(2), verbose=0)
    before = everything(model)
    with pytest.raises(OverflowError, match="spoiled"):
        getattr(model, method)(Again(5, 3), verbose=0)
    weights = {name: value for name, value in everything(model).items() if "/" in name}
    assert_same(weights, {name: before[name] for name in weights})
    assert_usable(model)


EMPTY = {
    "array": np.zeros((0, 4), "float32"),
    "generator": iter(()),
    "iterable": Again(0),
    "list": [],
}


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("kind", EMPTY)
def test_no_data(kind, method):
    data = iter(()) if kind == "generator" else EMPTY[kind]
    y = [np.zeros((0, 1))] if kind == "array" and method != "predict" else []
    with pytest.raises(ValueError, match="empty|no batch|Unrecognized data"):
        getattr(plain(), method)(data, *y, verbose=0)


@pytest.mark.promise("a generator that has ended gives its first two batches in each further epoch")
def test_less_data_than_promised():
    model = plain()
    with pytest.warns(UserWarning, match="ran out of data; interrupting after 3 of 5 steps"):
        history = model.fit(batches(3), steps_per_epoch=5, verbose=0)
    assert len(history.history["loss"]) == 1 and int(model.optimizer.iterations) == 3
    with pytest.raises(ValueError, match="can be used once"):
        model.fit(batches(2), epochs=2, verbose=0)
    assert_usable(model)


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_fewer_batches_than_steps(method):
    """As in Keras, which warns of each; all that came count."""
    with pytest.warns(UserWarning, match="Your input ran out of data; .* 3 of 5 steps"):
        results = getattr(plain(), method)(batches(3), steps=5, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = getattr(plain(), method)(batches(3), verbose=0)
    np.testing.assert_allclose(results, expected, rtol=1e-6)


def classifier(loss, units=3):
    end = {"binary_crossentropy": "sigmoid"}.get(loss) if units == 1 else "softmax"
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(units, end)])
    model.compile("sgd", loss, metrics=["accuracy"] if units > 1 else None)
    return model


X = RNG.normal(size=(8, 4)).astype("float32")


@pytest.mark.parametrize("label", [-1, 3, 3.0, 100])
def test_labels_out_of_range(label):
    y = np.array([0, 1, 2, label, 0, 1, 2, 0], type(label))
    for method in ("fit", "evaluate"):
        with pytest.raises(ValueError, match=r"\[0, 3\)"):
            getattr(classifier("sparse_categorical_crossentropy"), method)(X, y, verbose=0)


def test_one_hot_labels_for_a_sparse_loss():
    with pytest.raises(ValueError, match=r"\(8, 3\)|sparse|shape"):
        classifier("sparse_categorical_crossentropy").fit(
            X, np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]], verbose=0
        )


def test_whole_labels_for_a_dense_loss():
    with pytest.raises(ValueError, match=r"\(8,\)|\(8, 1\)|shape|one-hot"):
        classifier("categorical_crossentropy").fit(X, np.arange(8) % 3, verbose=0)


@pytest.mark.parametrize("loss", ["mse", "mae", "binary_crossentropy", "huber"])
def test_labels_with_and_without_a_last_axis_are_the_same(loss):
    """Never a silent matrix of all pairs."""
    y = RNG.uniform(size=8).astype("float32")
    model = classifier(loss, 1)
    found = [model.evaluate(X, labels, verbose=0) for labels in (y, y[:, None])]
    assert found[0] == pytest.approx(found[1], rel=1e-6)
