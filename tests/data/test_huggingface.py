"""Data sets of Hugging Face: columns are the parts of a batch; jkeras cuts and shuffles them."""

import numpy as np
import pytest

import jkeras
from jkeras.training.data import ArraySource, make_source
from tests.data.kinds import BATCH, W, X, Y, batches, table

datasets = pytest.importorskip("datasets")


def named_model():
    inputs = {name: jkeras.Input((), name=name) for name in ("a", "b")}
    x = jkeras.ops.stack([inputs["a"], inputs["b"]], axis=-1)
    model = jkeras.Model(inputs, jkeras.layers.Dense(1, kernel_initializer="ones")(x))
    model.compile("sgd", "mse")
    return model


@pytest.mark.promise("`batch_size` counts for both")
@pytest.mark.promise("An `IterableDataset` works")
@pytest.mark.promise("the inputs; without a column")
def test_columns_by_the_names_of_inputs():
    """Without a column "x" the inputs are a dict of all columns but "y" and "sample_weight"."""
    columns = {"a": X[:, 0], "b": X[:, 1]}
    rows = datasets.Dataset.from_dict({**columns, "y": Y[:, 0], "sample_weight": W})
    losses = [
        named_model().fit(*arguments, batch_size=BATCH, shuffle=False, verbose=0).history["loss"]
        for arguments in ((rows,), (rows.to_iterable_dataset(),))
    ]
    expected = named_model().fit(
        columns, Y[:, 0], sample_weight=W, batch_size=BATCH, shuffle=False, verbose=0
    )
    for loss in losses:
        np.testing.assert_allclose(loss, expected.history["loss"], 1e-5)
    without = rows.remove_columns(["y", "sample_weight"])
    mine, expected = (named_model().predict(data, verbose=0) for data in (without, columns))
    np.testing.assert_allclose(mine, expected, 1e-5)


@pytest.mark.promise("A `DatasetDict` is refused")
def test_what_has_no_names_for_it():
    rows = table((X, Y)).rename_column("y", "label")
    for data in (rows, rows.to_iterable_dataset()):
        with pytest.raises(ValueError, match=r"rename_column\('label', 'y'\)"):
            next(iter(make_source(data).batches()))
    with pytest.raises(ValueError, match=r"remove_columns\(\['more'\]\)"):
        make_source(table((X, Y)).add_column("more", [0] * 11))
    with pytest.raises(ValueError, match=r"splits \['train'\]"):
        make_source(datasets.DatasetDict({"train": rows}))
    with pytest.raises(ValueError, match="`y` should not be passed"):
        make_source(rows, Y)


def test_texts_and_ragged_columns():
    """What is no array of numbers is refused, with the name of the column."""
    for column, text in (
        (["a"] * 11, "expected numbers"),
        ([[0.0] * (i + 1) for i in range(11)], "one shape"),
    ):
        with pytest.raises(ValueError, match=text):
            list(make_source(datasets.Dataset.from_dict({"x": column, "y": Y[:, 0]})).batches())


def test_a_column_is_read_by_batches(monkeypatch):
    """Of a large one only rows of a batch are asked for; validation takes the last rows."""
    monkeypatch.setattr("jkeras.training.data.array_source.ON_DEVICE_LIMIT", 0)
    asked = []

    def transform(rows):
        asked.append(len(rows["x"]))
        return {"x": np.asarray(rows["x"], "float32")} | {
            k: np.asarray(v) for k, v in rows.items() if k != "x"
        }

    rows = table((X, Y)).with_transform(transform)
    source = make_source(rows["x"], rows["y"], batch_size=BATCH, shuffle=True)
    assert isinstance(source, ArraySource)
    x = np.concatenate([batch[0] for batch in source.batches()])
    np.testing.assert_array_equal(np.sort(x[:, 0]), np.sort(X[:, 0]))
    assert asked and max(asked) <= BATCH


def test_validation_split(model):
    start, histories = model.get_weights(), []
    for data in ({"x": table((X, Y))}, {"x": X, "y": Y}):
        model.set_weights(start)
        histories.append(model.fit(**data, validation_split=0.3, shuffle=False, verbose=0).history)
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], 1e-5)


def test_a_stream_that_shuffles():
    """Another order each epoch, which follows from the epoch's number."""
    stream = table((X, Y)).to_iterable_dataset().shuffle(seed=1, buffer_size=11)
    source = make_source(stream, batch_size=BATCH)
    orders = [
        np.concatenate([x[:, 0] for x, *_ in source.batches(0, epoch)]) for epoch in (0, 1, 0)
    ]
    np.testing.assert_array_equal(orders[0], orders[2])
    assert (orders[0] != orders[1]).any() and all(
        (np.sort(o) == np.sort(X[:, 0])).all() for o in orders
    )
    np.testing.assert_array_equal(
        np.concatenate([x[:, 0] for x, *_ in source.batches(0, 1, skip=2)]), orders[1][8:]
    )


def test_rows_as_a_generator_of_tuples(model):
    """`iter(batch_size)` gives dicts of columns; a generator makes tuples of them."""
    rows = table((X, Y)).with_format("numpy")
    tuples = ((batch["x"], batch["y"]) for batch in rows.iter(BATCH))
    for mine, (x, y) in zip(make_source(tuples).batches(), batches((X, Y)), strict=True):
        np.testing.assert_array_equal(mine[0], x)
        np.testing.assert_array_equal(mine[1], y)
