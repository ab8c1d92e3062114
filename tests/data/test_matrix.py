"""Every kind of data gives what the same rows as arrays give: batch by batch, weights, epochs,
position.
"""

import numpy as np
import pytest

from jkeras.training.data import make_source
from tests.data.kinds import (
    ARRAYS,
    BATCH,
    CLASSES,
    ITERABLES,
    NUMBERED,
    RESUMABLE,
    STORED,
    Batches,
    W,
    X,
    Y,
    batches,
)


@pytest.fixture(autouse=True)
def all_is_large(request, monkeypatch):
    """What does not lie in memory is here too large for it."""
    if "kind" in request.fixturenames and request.getfixturevalue("kind") in STORED:
        monkeypatch.setattr("jkeras.training.data.array_source.ON_DEVICE_LIMIT", 0)


def generator(parts, folder):
    """Batches without an end, which the tests take as many of as there are."""

    def endless():
        while True:
            yield from batches(parts)

    return {"x": endless(), "steps_per_epoch": 3}


ALL = RESUMABLE | {"generator": generator}


def trained(model, data, **kwargs):
    """Weights and results after two epochs."""
    if "steps_per_epoch" not in data:
        kwargs["batch_size"] = BATCH
    history = model.fit(**data, epochs=2, shuffle=False, verbose=0, **kwargs).history
    return [history["loss"], history["mae"], *model.get_weights()]


def assert_close(mine, expected):
    for one, other in zip(mine, expected, strict=True):
        np.testing.assert_allclose(one, other, 2e-5, 1e-6)


def of_arrays(model, parts, **kwargs):
    """What numpy arrays give, from the same weights."""
    start = model.get_weights()
    expected = trained(model, dict(zip(("x", "y", "sample_weight"), parts)), **kwargs)
    model.set_weights(start)
    return expected


@pytest.mark.promise("shuffled by | smaller batch at the end | length known")
@pytest.mark.promise("Each epoch begins the data anew")
@pytest.mark.promise("`DataLoader` | as it is")
@pytest.mark.promise("`tf.data`, torch's `DataLoader`")
@pytest.mark.promise("The matrix of this page is tested in `tests/data/`")
@pytest.mark.parametrize("kind", ALL)
def test_fit_evaluate_predict(kind, model, tmp_path):
    """Two epochs, so it starts again; eleven rows in batches of four, so it ends in a smaller
    one.
    """
    expected = of_arrays(model, (X, Y))
    assert_close(trained(model, ALL[kind]((X, Y), tmp_path)), expected)
    data = ALL[kind]((X, Y), tmp_path)
    steps = {"steps": data.pop("steps_per_epoch", None)}
    assert_close(
        model.evaluate(**data, batch_size=BATCH, verbose=0, **steps),
        model.evaluate(X, Y, verbose=0),
    )
    data = ALL[kind]((X,), tmp_path) if kind not in ITERABLES else ALL[kind]((X, Y), tmp_path)
    data.pop("steps_per_epoch", None)
    np.testing.assert_allclose(
        model.predict(**data, batch_size=BATCH, verbose=0, **steps),
        model.predict(X, verbose=0),
        1e-5,
    )


@pytest.mark.promise("Weights of samples are")
@pytest.mark.promise("`class_weight` works with")
@pytest.mark.promise("with all kinds of data")
@pytest.mark.parametrize("kind", ALL)
def test_weights(kind, model, tmp_path):
    """Weights of samples that come with the data, and of classes."""
    expected = of_arrays(model, (X, Y, W))
    assert_close(trained(model, ALL[kind]((X, Y, W), tmp_path)), expected)
    model.set_weights([np.ones((4, 1)), np.zeros(1)])
    expected = of_arrays(model, (X, Y, np.where(Y == 1, CLASSES[1], CLASSES[0])[:, 0]))
    assert_close(trained(model, ALL[kind]((X, Y), tmp_path), class_weight=CLASSES), expected)


@pytest.mark.promise("the next epoch continues where the last one stopped")
@pytest.mark.parametrize("kind", RESUMABLE)
def test_steps_per_epoch(kind, model, tmp_path):
    """Two of three batches an epoch: the next one goes on, and ends early, with a warning, where
    the data ends.
    """
    start, items = model.get_weights(), batches((X, Y))
    for i in (0, 1, 2, 0, 1):
        model.train_on_batch(*items[i])
    expected = model.get_weights()
    model.set_weights(start)
    with pytest.warns(UserWarning, match="ran out of data; interrupting after 1 of 2"):
        model.fit(
            **RESUMABLE[kind]((X, Y), tmp_path),
            batch_size=BATCH,
            steps_per_epoch=2,
            epochs=3,
            shuffle=False,
            verbose=0,
        )
    assert_close(model.get_weights(), expected)


def source_of(kind, folder, shuffle=False):
    return make_source(**RESUMABLE[kind]((X, Y), folder), batch_size=BATCH, shuffle=shuffle)


def as_lists(batches):
    return [[np.asarray(part).tolist() for part in batch if part is not None] for batch in batches]


@pytest.mark.promise("shuffled by | smaller batch at the end | length known")
@pytest.mark.parametrize("kind", RESUMABLE)
def test_position(kind, tmp_path):
    """An epoch that begins at a batch gives the batches that it would give from there on."""
    source = source_of(kind, tmp_path, shuffle=kind not in ITERABLES)
    assert source.resumable
    if kind not in ITERABLES or source.num_batches is not None:
        assert source.num_batches == 3
    whole = [as_lists(source.batches(5, epoch)) for epoch in (0, 1)]
    for epoch, skip in ((0, 0), (0, 1), (1, 2), (1, 3)):
        assert as_lists(source.batches(5, epoch, skip=skip)) == whole[epoch][skip:]
    source.close()


@pytest.mark.promise("An iterator cannot: it")
def test_an_iterator_cannot_begin_in_the_middle():
    source = make_source(iter(batches((X, Y))))
    assert not source.resumable
    with pytest.raises(ValueError, match="cannot begin at its batch 2"):
        source.batches(skip=2)


@pytest.mark.parametrize("kind", NUMBERED)
def test_position_without_the_batches_before(kind):
    made = []
    source = make_source(Batches((X, Y), mistake=made.append))
    list(source.batches(skip=2))
    assert made == [2]


@pytest.mark.promise("follows from its seed and the epoch's number alone")
@pytest.mark.promise("`shuffle=True`, the default")
@pytest.mark.promise("mixes the rows of each batch")
@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("shuffle", [True, "batch"])
def test_shuffled_arrays(kind, shuffle, tmp_path):
    """Every row once, its label with it; another order each epoch; the same from the same seed."""
    source = source_of(kind, tmp_path, shuffle)

    def epoch(seed, number):
        parts = list(zip(*source.batches(seed, number)))[:2]
        return np.concatenate([np.concatenate(part) for part in parts], 1)

    orders = [epoch(*which) for which in ((0, 0), (0, 1), (1, 0))]
    rows = np.concatenate([X, Y], 1)
    for order in orders:
        np.testing.assert_allclose(
            order[np.argsort(order[:, 0])], rows[np.argsort(rows[:, 0])], 1e-6
        )
        if shuffle == "batch":  # the rows of a batch stay in it
            for start in range(0, len(rows), 4):
                mine, its = order[start : start + 4], rows[start : start + 4]
                np.testing.assert_allclose(
                    mine[np.argsort(mine[:, 0])], its[np.argsort(its[:, 0])], 1e-6
                )
    assert len({order.tobytes() for order in orders}) == 3
    np.testing.assert_array_equal(epoch(0, 1), orders[1])
    source.close()


@pytest.mark.promise("`shuffle=True`, the default")
@pytest.mark.parametrize("kind", NUMBERED)
def test_shuffled_batches(kind, tmp_path):
    """Every batch once, in an order that follows from seed and epoch."""
    source, items = source_of(kind, tmp_path, True), as_lists(batches((X, Y)))
    orders = [
        [items.index(batch) for batch in as_lists(source.batches(0, epoch))] for epoch in range(8)
    ]
    assert all(sorted(order) == [0, 1, 2] for order in orders) and len(set(map(tuple, orders))) > 1
    assert as_lists(source.batches(0, 3)) == [items[i] for i in orders[3]]


@pytest.mark.promise("nothing is said about `shuffle=True`")
def test_shuffled_in_fit(model):
    """Each epoch of `fit` sees every batch once, in another order."""
    seen = []
    dataset = Batches((X, Y), mistake=seen.append)
    model.fit(dataset, epochs=6, shuffle=True, verbose=0)
    epochs = [tuple(seen[-3 * i :][:3]) for i in range(6, 0, -1)]
    assert all(sorted(epoch) == [0, 1, 2] for epoch in epochs) and len(set(epochs)) > 1
    assert len(seen) in (18, 19)  # the first batch twice: for the shapes
