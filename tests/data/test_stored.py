"""Arrays larger than memory: they are read batch by batch, in increasing rows, and never more of
them.
"""

import numpy as np
import pytest

import jkeras
from jkeras.training.data import ArraySource, make_source, split_validation
from jkeras.training.data.stored import Stored
from tests.data.kinds import BATCH, STORED, RESUMABLE, X, Y


class Huge:
    """An array of a terabyte in float64, whose rows tell their number; it refuses to give many of
    them.
    """

    dtype = np.dtype("float64")
    most = BATCH  # rows of one read

    def __init__(self, rows, columns=4):
        self.shape, self.reads = (rows, columns), []

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        numbers = np.arange(self.shape[0])[rows] if isinstance(rows, slice) else rows
        assert len(numbers) <= self.most, "more was read at once than has to be"
        assert (np.diff(numbers) > 0).all(), (
            "rows were not asked for in increasing order, as h5py wants them"
        )
        self.reads += numbers.tolist()
        return np.repeat(numbers[:, None] / 100, self.shape[1], 1)


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch):
    monkeypatch.setattr("jkeras.training.data.array_source.ON_DEVICE_LIMIT", 0)
    monkeypatch.setattr("jkeras.training.data.chunk_feed.BYTES", 0)  # batch by batch


@pytest.mark.promise("is never read or converted as a whole")
def test_a_terabyte_is_one_shape():
    rows = Stored(Huge(10**6, 2**18), "x")
    assert (
        rows.shape == (10**6, 2**18)
        and rows.nbytes == 2**18 * 10**6 * 4
        and rows.dtype == "float32"
    )


@pytest.mark.promise("Anything with `shape`, `dtype`")
@pytest.mark.promise("The rows of as many batches")
@pytest.mark.promise("the data | memory maps")
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("shuffle", [False, True, "batch"])
def test_fit_reads_each_row_once_each_epoch(monkeypatch, model, shuffle, steps):
    """Batch by batch, or the rows of two steps at once."""
    rows = Huge(11)
    rows.most = steps * BATCH
    row = 4 * (4 + 1)  # bytes, with its label
    monkeypatch.setattr("jkeras.training.data.chunk_feed.BYTES", steps * BATCH * row)
    y = np.arange(11, dtype="float32")[:, None]
    source = ArraySource(rows, y, batch_size=BATCH, shuffle=shuffle)
    assert not source.fits_on_device
    for x, label, _ in source.batches(3, 1):
        assert x.dtype == np.float32
        np.testing.assert_allclose(x[:, 0] * 100, label[:, 0], 1e-5)
    rows.reads.clear()
    model.fit(rows, y, batch_size=BATCH, epochs=3, shuffle=shuffle, verbose=0)
    counts = np.bincount(rows.reads)
    # the first batch is looked at for its shape, too; the last row stands for those of padding
    assert set(counts[BATCH:-1]) == {3} and counts[-1] <= 6


@pytest.mark.promise("`validation_split` takes its")
def test_the_rest_of_the_api_reads_batches(model):
    """Evaluation, prediction, a validation split, labels and weights that are stored too."""
    rows, labels, weights = Huge(12), Huge(12, 1), Huge(12, 1)
    in_memory = np.repeat(np.arange(12)[:, None] / 100, 4, 1)
    for data, other in (
        ((rows, labels), in_memory[:, :1]),
        ((rows, labels, weights), in_memory[:, :1]),
    ):
        w = (
            {} if len(data) == 2 else {"sample_weight": weights},
            {} if len(data) == 2 else {"sample_weight": other},
        )
        np.testing.assert_allclose(
            model.evaluate(*data[:2], batch_size=BATCH, verbose=0, **w[0]),
            model.evaluate(in_memory, other, batch_size=BATCH, verbose=0, **w[1]),
            1e-5,
        )
    np.testing.assert_allclose(
        model.predict(rows, batch_size=BATCH, verbose=0), model.predict(in_memory, verbose=0), 1e-5
    )
    start, histories = model.get_weights(), []
    for x, y in ((rows, labels), (in_memory, in_memory[:, :1])):
        model.set_weights(start)
        histories.append(
            model.fit(
                x, y, batch_size=BATCH, validation_split=0.4, shuffle=False, verbose=0
            ).history
        )
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], 1e-5)


@pytest.mark.promise("`validation_split` takes its")
def test_labels_in_a_file_are_checked_and_weighed(tmp_path):
    """Labels that name no class are found batch by batch; class weights count."""
    labels = np.memmap(tmp_path / "labels", "int64", "w+", shape=(11,))
    labels[:] = Y[:, 0]
    model = jkeras.Sequential(
        [jkeras.Input((4,)), jkeras.layers.Dense(2, "softmax", kernel_initializer="ones")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    losses = []
    for y in (labels, np.array(labels)):
        model.set_weights([np.eye(4, 2), np.zeros(2)])
        history = model.fit(
            X, y, class_weight={0: 3.0, 1: 1.0}, shuffle=False, batch_size=BATCH, verbose=0
        ).history
        losses.append(history["loss"])
    np.testing.assert_allclose(*losses, 1e-5)
    labels[9] = 7
    with pytest.raises(ValueError, match="7"):
        model.fit(X, labels, batch_size=BATCH, shuffle=False, verbose=0)


@pytest.mark.parametrize("kind", STORED)
def test_parts_of_parts(kind, tmp_path):
    """A split of what is stored gives the rows of a split of arrays, in any order."""
    data = RESUMABLE[kind]((X, Y), tmp_path)
    train, validation = split_validation((data["x"], data.get("y"), None), 0.4)
    for (x, y, _), rows in ((train, slice(0, 6)), (validation, slice(6, None))):
        x, y = x["x"] if isinstance(x, dict) else x, y
        order = np.random.default_rng(0).permutation(x.shape[0])
        np.testing.assert_allclose(x[order], X[rows][order])
        np.testing.assert_allclose(y[order], Y[rows][order])
        np.testing.assert_allclose(x[2:4], X[rows][2:4])
        assert x.shape == X[rows].shape


@pytest.mark.promise("What is smaller is read")
def test_small_files_are_read_once(monkeypatch, model, tmp_path):
    """What fits on the device is put there like any array."""
    monkeypatch.setattr("jkeras.training.data.array_source.ON_DEVICE_LIMIT", 2**20)
    stored = np.memmap(tmp_path / "x", "float32", "w+", shape=X.shape)
    stored[:] = X
    source = make_source(stored, Y)
    assert source.fits_on_device and all(not isinstance(v, Stored) for v in source.data)
    np.testing.assert_array_equal(source.on_device()[0], X)


@pytest.mark.promise("The matrix stays sparse on the host")
def test_sparse_rows_become_dense_in_batches():
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.random_array(
        (11, 2**20), density=1e-5, rng=np.random.default_rng(0), format="coo"
    )
    shapes = []

    class Watched(sparse.csr_array):
        def toarray(self, *args, **kwargs):
            shapes.append(self.shape)
            return super().toarray(*args, **kwargs)

    source = make_source(Watched(matrix), Y, batch_size=BATCH)
    for (x, _, _), start in zip(source.batches(), (0, 4, 8)):
        np.testing.assert_allclose(x, matrix.tocsr()[start : start + 4].toarray(), 1e-6)
    assert max(rows for rows, _ in shapes) == BATCH


def test_one_batch_is_read_at_once(model):
    """`train_on_batch` takes stored rows."""
    y = np.arange(4)[:, None] / 100
    np.testing.assert_allclose(
        model.test_on_batch(Huge(4), Huge(4, 1)), model.test_on_batch(y * np.ones(4), y), 1e-5
    )
