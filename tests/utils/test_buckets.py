"""Sequences in buckets: the same results as one by one, and few compilations."""

import numpy as np
import pytest

import jkeras
from jkeras import layers

RANDOM = np.random.default_rng(0)
COUNTS = RANDOM.integers(1, 25, 30)
X = [RANDOM.integers(1, 9, count) for count in COUNTS]
Y = RANDOM.normal(size=(30, 1)).astype("float32")


def traced(shapes):
    """A layer that notes the shapes it is traced for."""

    def note(x):
        shapes.append(x.shape)
        return x

    return layers.Lambda(note)


def masked_model(shapes):
    model = jkeras.Sequential(
        [
            jkeras.Input((None,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.GRU(3),
            traced(shapes),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def one_by_one(model):
    return np.concatenate([model(row[None]) for row in X[:10]])


@pytest.mark.promise("Results are those of the sequences alone where the model leaves padding out")
def test_results_are_those_of_the_sequences_alone():
    model = masked_model([])
    data = jkeras.utils.bucket_by_length(X[:10], Y[:10], batch_size=4)
    expected = one_by_one(model)
    found = np.empty_like(expected)
    found[data.order] = model.predict(data, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    loss, mae = model.evaluate(data, verbose=0)
    np.testing.assert_allclose(loss, np.mean((expected - Y[:10]) ** 2), rtol=1e-5)
    np.testing.assert_allclose(mae, np.mean(np.abs(expected - Y[:10])), rtol=1e-5)


@pytest.mark.promise("`bucket_by_length` pads to")
def test_few_compilations_and_no_warning():
    shapes = []
    model = masked_model(shapes)
    shapes.clear()
    data = jkeras.utils.bucket_by_length(X, Y, batch_size=4, shuffle=True, seed=0)
    model.fit(data, epochs=3, verbose=0)
    assert len(set(COUNTS)) > 12
    assert len(data.lengths) <= 4
    # once to see which rows are independent, and once to compile, for few sizes each
    assert len(shapes) <= 24


@pytest.mark.promise("`lengths=` chooses.")
def test_a_mask_beside():
    x, mask = jkeras.Input((None,), dtype="int32"), jkeras.Input((None,), dtype="bool")
    embedded = layers.Embedding(9, 4)(x)
    model = jkeras.Model([x, mask], layers.GlobalAveragePooling1D()(embedded, mask=mask))
    data = jkeras.utils.bucket_by_length(X, batch_size=4, lengths=[8, 25], mask=True)
    found = model.predict(data, verbose=0)
    for place, row in enumerate(data.order[:8]):
        expected = model([X[row][None], np.ones((1, COUNTS[row]), bool)])
        np.testing.assert_allclose(found[place], expected[0], rtol=1e-5, atol=1e-6)
    named = jkeras.utils.bucket_by_length({"x": X}, lengths=[25], mask=True)
    assert sorted(named[0][0]) == ["mask", "x"]


@pytest.mark.promise("`per_step=True` is for")
def test_labels_of_steps():
    labels = [row % 3 for row in X[:6]]
    data = jkeras.utils.bucket_by_length(X[:6], labels, batch_size=4, per_step=True)
    assert sum((w > 0).sum() for _, _, w in data) == COUNTS[:6].sum()
    model = jkeras.Sequential(
        [
            jkeras.Input((None,), dtype="int32"),
            layers.Embedding(9, 4),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        weighted_metrics=["sparse_categorical_accuracy"],
    )
    results = model.evaluate(data, verbose=0, return_dict=True)
    each = [model.evaluate(row[None], label[None], verbose=0) for row, label in zip(X, labels)]
    found = [results["loss"], results["sparse_categorical_accuracy"]]
    np.testing.assert_allclose(found, np.mean(each, 0), rtol=1e-5)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (dict(x=[]), "no sequence"),
        (dict(x=X, y=Y[:3]), "3 entries"),
        (dict(x=X, lengths=[3]), "longest of `lengths` is 3"),
        (dict(x={"a": X, "b": X[::-1]}), "as in the other parts"),
        (dict(x=X, y=X[::-1], per_step=True), "as in the other parts"),
    ],
)
def test_what_does_not_fit(arguments, words):
    with pytest.raises(ValueError, match=words):
        jkeras.utils.bucket_by_length(**arguments)
