"""How data is given, cut and padded, and whether a training was saved on the way, changes nothing:
small models and data that are drawn. `JKERAS_EXAMPLES=100` draws many more; a failure shows the
arguments, the seed among them.
"""

import numpy as np
from hypothesis import strategies as st

import jkeras
from jkeras import layers
from tests.properties.tools import SEEDS, start_afresh, normal, property_of

WIDTH, CLASSES = 3, 4
CLOSE = dict(rtol=1e-4, atol=1e-5)  # sums in another order

PARTS = {
    "dense": lambda: layers.Dense(3, "tanh"),
    "batch norm": lambda: layers.BatchNormalization(),
    "layer norm": lambda: layers.LayerNormalization(),
    "dropout": lambda: layers.Dropout(0.3, seed=1),
    "noise": lambda: layers.GaussianNoise(0.1, seed=2),
    "two ways": lambda: layers.Dense(2, kernel_regularizer="l2"),
}
# what gives a row what it gives alone, and draws nothing
BY_ROW = ("dense", "layer norm", "two ways")
LOSSES = ("mse", "sparse_categorical_crossentropy", "mae")
OPTIMIZERS = ("sgd", "adam", "rmsprop")


def drawn(parts=PARTS):
    return dict(
        seed=SEEDS,
        parts=st.lists(st.sampled_from(list(parts)), min_size=1, max_size=3),
        loss=st.sampled_from(LOSSES),
        rows=st.integers(3, 13),
        batch=st.integers(2, 5),
    )


def model_of(seed, parts, loss, optimizer="sgd"):
    start_afresh(seed)
    units = CLASSES if loss.startswith("sparse") else 1
    head = layers.Dense(units, "softmax" if units > 1 else None)
    made = [PARTS[part]() for part in parts]
    model = jkeras.Sequential([jkeras.Input((WIDTH,), name="x"), *made, head])
    model.compile(optimizer, loss)
    return model


def data_of(seed, loss, rows, dtype="float32"):
    """(x, y, weights)"""
    rng = np.random.default_rng(seed)
    x = (10 * normal(seed, rows, WIDTH)).astype(dtype)
    y = rng.integers(0, CLASSES, rows) if loss.startswith("sparse") else normal(seed, rows)
    return x, y, rng.uniform(0.1, 2, rows).astype("float32")


class Batches(jkeras.utils.PyDataset):
    def __init__(self, items):
        super().__init__()
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, number):
        return self.items[number]


def again(items):
    while True:
        yield from items


GIVEN = {
    "lists": lambda x, y, w, _: dict(x=x.tolist(), y=y.tolist(), sample_weight=w.tolist()),
    "dict": lambda x, y, w, _: dict(x={"x": x}, y=y, sample_weight=w),
    "float64": lambda x, y, w, _: dict(x=x.astype("float64"), y=y, sample_weight=w),
    "swapped": lambda x, y, w, _: dict(x=x.astype(">f4"), y=y, sample_weight=w.astype(">f8")),
    "strided": lambda x, y, w, _: dict(x=np.asfortranarray(x), y=y, sample_weight=w),
    "PyDataset": lambda *_, items: dict(x=Batches(items)),
    "iterable": lambda *_, items: dict(x=items_of(items)),
    "generator": lambda *_, items: dict(x=again(items), steps_per_epoch=len(items)),
}


def items_of(items):
    """An iterable that is no list."""
    return dict(enumerate(items)).values()


def given(kind, x, y, w, batch):
    items = [tuple(v[i : i + batch] for v in (x, y, w)) for i in range(0, len(x), batch)]
    make = GIVEN[kind]
    if kind in ("PyDataset", "iterable", "generator"):
        return make(items=items)
    return make(x, y, w, batch) | {"batch_size": batch}


@property_of(
    2, kinds=st.permutations(list(GIVEN)), optimizer=st.sampled_from(OPTIMIZERS), **drawn()
)
def test_how_data_is_given(kinds, optimizer, seed, parts, loss, rows, batch):
    results = []
    x, y, w = data_of(seed, loss, rows)
    arrays = dict(x=x, y=y, sample_weight=w, batch_size=batch)
    for kwargs in (arrays, *(given(kind, x, y, w, batch) for kind in kinds[:3])):
        model = model_of(seed, parts, loss, optimizer)
        history = model.fit(**kwargs, epochs=2, shuffle=False, seed=seed, verbose=0).history
        results.append((history["loss"], *model.get_weights()))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, **CLOSE)


@property_of(2, other=st.integers(1, 16), **drawn(BY_ROW))
def test_how_rows_are_cut(other, seed, parts, loss, rows, batch):
    """The loss of an evaluation is the weighted mean over the rows, whatever padding there was."""
    model = model_of(seed, [part for part in parts if part != "two ways"] or ["dense"], loss)
    x, y, w = data_of(seed, loss, rows)
    outputs = model.predict(x, batch_size=batch, verbose=0)
    np.testing.assert_allclose(model.predict(x, batch_size=other, verbose=0), outputs, **CLOSE)
    one_by_one = np.concatenate([model.predict_on_batch(x[i : i + 1]) for i in range(rows)])
    np.testing.assert_allclose(one_by_one, outputs, **CLOSE)
    p = outputs.astype("float64")
    values = {
        "mse": lambda: np.square(p[:, 0] - y),
        "mae": lambda: np.abs(p[:, 0] - y),
        "sparse_categorical_crossentropy": lambda: -np.log(p[np.arange(rows), y.astype(int)]),
    }[loss]()
    for size in (batch, other):
        found = model.evaluate(x, y, sample_weight=w, batch_size=size, verbose=0)
        np.testing.assert_allclose(found, np.mean(w * values), **CLOSE)


@property_of(
    4,
    value=st.integers(-(2**40), 2**40),
    dtype=st.sampled_from("iuf"),
    **drawn(),
)
def test_numbers_of_64_bits(value, dtype, seed, parts, loss, rows, batch):
    """They are those of float32, rounded on the host, or refused."""
    x, y, _ = data_of(seed, loss, rows)
    wide = np.full(x.shape, abs(value) if dtype == "u" else value, f"{dtype}8")
    wide[0] = [1, 2, 3]
    model = jkeras.Sequential([jkeras.Input((WIDTH,)), layers.Activation("linear")])
    for run in (model, lambda x: model.predict(x, batch_size=batch, verbose=0)):
        np.testing.assert_array_equal(np.asarray(run(wide)), wide.astype("float32"))
    if dtype == "f":
        return
    ids = jkeras.Sequential([jkeras.Input((WIDTH,), dtype="int32"), layers.Activation("linear")])
    for run in (ids, lambda x: ids.predict(x, batch_size=batch, verbose=0)):
        try:
            np.testing.assert_array_equal(np.asarray(run(wide)), wide)
        except ValueError as error:
            assert not -(2**31) <= wide.flat[-1] < 2**31
            assert f"holds {wide.flat[-1]} at row 1, column 0" in str(error)


@property_of(2, optimizer=st.sampled_from(OPTIMIZERS), **drawn())
def test_saved_loaded_and_gone_on(tmp_path_factory, optimizer, seed, parts, loss, rows, batch):
    x, y, w = data_of(seed, loss, rows)
    data = dict(x=x, y=y, sample_weight=w, batch_size=batch, verbose=0, seed=seed)
    model = model_of(seed, parts, loss, optimizer)
    model.fit(**data)
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    loaded = jkeras.models.load_model(path)
    histories = [m.fit(**data, initial_epoch=1, epochs=3).history for m in (model, loaded)]
    np.testing.assert_array_equal(*(history["loss"] for history in histories))
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
