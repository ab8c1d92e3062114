"""Numbers that a device has no type for: 64 bits, another order of bytes, another range. They are
rounded to floats where a float is wanted, or refused with their place; they never wrap.
"""

import warnings

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from tests.data.kinds import Batches

WIDE = np.array([[2**31 + 1000, -5], [1_700_000_000_123_456_789, 7], [2**40, 2**33]])
ROUNDED = WIDE.astype("float32")
IDS = np.array([[1, 2], [3, 2**32 + 3]])


def same(shape=(2,), **options):
    """A model whose outputs are its inputs."""
    return jkeras.Sequential([jkeras.Input(shape, **options), jkeras.layers.Activation("linear")])


def generator(parts):
    yield parts


def tf_data(parts):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensors(parts)


def torch_tensor(x):
    return pytest.importorskip("torch").as_tensor(x)


def stored(x, tmp_path):
    x.tofile(tmp_path / "rows")
    return np.memmap(tmp_path / "rows", x.dtype, "r", shape=x.shape)


SOURCES = {
    "array": lambda x: x,
    "uint64": lambda x: np.abs(x).astype("uint64"),
    "fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "list": lambda x: x.tolist(),
    "swapped": lambda x: x.astype(">i8"),
    "PyDataset": lambda x: Batches((x,)),
    "workers": lambda x: Batches((x,), workers=2),
    "generator": lambda x: generator((x,)),
    "dict": lambda x: {"x": x},
    "torch": torch_tensor,
    "frame": lambda x: pytest.importorskip("pandas").DataFrame(x),
    "tf.data": lambda x: tf_data((x,)),
}


@pytest.mark.promise("Whole numbers beyond them")
@pytest.mark.promise("whole numbers above 2\\*\\*31 wrap to others")
@pytest.mark.parametrize("kind", SOURCES)
def test_whole_numbers_of_64_bits_go_as_floats(kind):
    x = jkeras.Input((2,), name="x")
    model = jkeras.Model(x, jkeras.layers.Activation("linear")(x))
    outputs = model.predict(SOURCES[kind](WIDE), verbose=0)
    expected = np.abs(ROUNDED) if kind == "uint64" else ROUNDED
    np.testing.assert_array_equal(outputs, expected)


def test_rows_in_a_file(tmp_path, monkeypatch):
    """Some chunks have small numbers alone: all have one dtype."""
    monkeypatch.setattr("jkeras.training.data.array_source.ON_DEVICE_LIMIT", 0)
    rows = np.concatenate([np.arange(64).reshape(32, 2), np.tile(WIDE, (8, 1))])
    outputs = same().predict(stored(rows, tmp_path), verbose=0, batch_size=8)
    np.testing.assert_array_equal(outputs, rows.astype("float32"))
    model = same(dtype="int32")
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="`x` holds 2147484648 at row"):
        model.evaluate(stored(rows, tmp_path), np.zeros((56, 2)), batch_size=8, verbose=0)


@pytest.mark.parametrize("method", ["predict_on_batch", "__call__"])
def test_one_batch(method):
    np.testing.assert_array_equal(np.asarray(getattr(same(), method)(WIDE)), ROUNDED)


def sgd_step(x, y, w):
    """The weight of a Dense(1) from 0 after a step of gradient descent on mse."""
    return 1e-30 * np.mean(2 * w * y * x)


@pytest.mark.parametrize("method", ["fit", "train_on_batch", "generator", "validation_split"])
def test_steps_on_large_numbers(method):
    """Inputs, labels and weights."""
    x = np.full((4, 1), 2**32)
    y, w = np.full(4, 2**40), np.full(4, 2**33)
    layer = jkeras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = jkeras.Sequential([jkeras.Input((1,)), layer])
    model.compile(jkeras.optimizers.SGD(1e-30), "mse")
    if method == "train_on_batch":
        model.train_on_batch(x, y, w)
    elif method == "generator":
        model.fit(generator((x, y, w)), steps_per_epoch=1, verbose=0)
    else:
        split = {"validation_split": 0.5} if method == "validation_split" else {}
        model.fit(x, y, sample_weight=w, batch_size=4, verbose=0, **split)
    expected = sgd_step(float(x[0, 0]), float(y[0]), float(w[0]))
    np.testing.assert_allclose(layer.kernel.numpy(), [[expected]], rtol=1e-5)


def test_the_mean_of_large_labels():
    model = same((1,))
    model.compile("sgd", jkeras.losses.MeanAbsoluteError())
    y = np.array([1_700_000_000_000_000_000, 2**40])
    loss = model.evaluate(np.zeros((2, 1)), y, verbose=0)
    np.testing.assert_allclose(loss, y.mean(), rtol=1e-6)


LAYERS = {
    "Identity": lambda layers: layers.Identity(),
    "Rescaling": lambda layers: layers.Rescaling(1.0),
    "Normalization": lambda layers: layers.Normalization(mean=0.0, variance=1.0),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_called_by_hand(name):
    outputs = LAYERS[name](jkeras.layers)(WIDE)
    np.testing.assert_allclose(np.asarray(outputs), ROUNDED, rtol=1e-7)


def test_normalization_of_nanoseconds():
    start = 1_700_000_000_000_000_000
    x = start + np.arange(100)[:, None] * 3_600_000_000_000 * 24
    layer = jkeras.layers.Normalization()
    layer.adapt(x)
    expected = (x - x.mean()) / x.std()
    np.testing.assert_allclose(np.asarray(layer(x)), expected, atol=1e-3)


def test_bins_and_lookups():
    x = np.array([5, 2**32, 2**40])
    bins = jkeras.layers.Discretization(bin_boundaries=[10.0, 1e10])
    assert np.asarray(bins(x)).tolist() == [0, 1, 2]
    of_whole, of_floats = (jkeras.layers.Discretization(num_bins=3) for _ in range(2))
    many = np.arange(100) * 2**33
    of_whole.adapt(many)
    of_floats.adapt(many.astype("float32"))
    assert of_whole.bin_boundaries == of_floats.bin_boundaries
    np.testing.assert_array_equal(of_whole(many), of_floats(many.astype("float32")))
    lookup = jkeras.layers.IntegerLookup(vocabulary=[2**40, 7])
    assert np.asarray(lookup(np.array([2**40, 7, 2**41]))).tolist() == [1, 2, 0]
    of_text = jkeras.layers.Hashing(1000)
    hashes = np.asarray(of_text(x)), np.asarray(of_text(x.astype(str)))
    np.testing.assert_array_equal(*hashes)


def embed(first=None):
    first = [] if first is None else [first]
    return jkeras.Sequential([*first, jkeras.layers.Embedding(10, 4)])


@pytest.mark.promise("they are refused with their row and column")
@pytest.mark.promise("are refused with their position")
@pytest.mark.parametrize(
    "make",
    [
        lambda: jkeras.layers.Embedding(10, 4),
        lambda: embed(),
        lambda: embed(jkeras.Input((2,))),
        lambda: embed(jkeras.Input((2,), dtype="int64")),
        lambda: embed().predict,
        lambda: embed(jkeras.Input((2,))).predict,
        lambda: jkeras.Sequential([jkeras.Input((2,)), embed(jkeras.Input((2,)))]),
    ],
)
def test_ids_are_refused(make):
    with pytest.raises(ValueError, match=r"holds 4294967299 at row 1, column 1: expected whole"):
        make()(IDS)


# what `jnp.take`, and so Keras, makes another row of, or NaN
NO_ROWS = {
    "negative": np.array([[1, 2], [3, -1]], "int8"),
    "negative of 32 bits": np.array([[1, 2], [3, -1]], "int32"),
    "beyond the table": np.array([[1, 2], [3, 10]], "int16"),
    "a fraction": np.array([[1, 2], [3, 2.5]], "float32"),
}
NO_IDS = {
    "NaN": np.array([[1, 2], [3, np.nan]]),
    "of uint32": np.array([[1, 2], [3, 2**32 - 1]], "uint32"),
}


def embeddings(dtype=None):
    """A model with an input of ids and one of numbers, which are inside of another model."""
    ids, numbers = jkeras.Input((2,), dtype=dtype), jkeras.Input((2,))
    rows = jkeras.layers.Flatten()(jkeras.layers.Embedding(10, 4)(ids))
    inner = jkeras.Model([ids, numbers], jkeras.layers.Concatenate()([rows, numbers]))
    ends = [jkeras.Input((2,)), jkeras.Input((2,), dtype=dtype)]
    return jkeras.Model(ends, inner(ends[::-1]))


@pytest.mark.promise("ids that are no row of the table of an `Embedding`")
@pytest.mark.parametrize("name", NO_ROWS)
def test_ids_that_are_no_rows(name):
    ids = NO_ROWS[name]
    first = jkeras.Sequential([jkeras.Input((2,), dtype="int32"), jkeras.layers.Embedding(10, 4)])
    first.predict(IDS[:1].astype(ids.dtype), verbose=0)
    tied = jkeras.layers.ReversibleEmbedding(10, 4)
    x = jkeras.Input((2,))
    both_ways = jkeras.Model(x, tied(tied(x), reverse=True))
    numbers = np.full((2, 2), -1.5)
    runs = (
        lambda: jkeras.layers.Embedding(10, 4)(ids),
        lambda: embed()(ids),
        lambda: embed().predict(ids.tolist()),
        lambda: first.predict(ids, verbose=0),
        lambda: both_ways.predict(ids),
        lambda: embeddings().predict([numbers, ids]),
        lambda: embeddings("int32").predict(generator(([numbers, ids],))),
    )
    for run in runs:
        with pytest.warns(UserWarning, match="no row of an `Embedding` with `input_dim=10`"):
            run()
    with pytest.warns(UserWarning, match="no row"):
        rows = first.predict(ids, verbose=0)
    theirs = keras.layers.Embedding(10, 4)
    theirs.build()
    theirs.set_weights(first.layers[0].get_weights())
    np.testing.assert_array_equal(rows, np.asarray(theirs(ids)))


@pytest.mark.promise("What no 32 bits hold is refused")
@pytest.mark.parametrize("name", NO_IDS)
def test_ids_that_no_whole_number_of_32_bits_holds(name):
    for model in (embed(jkeras.Input((2,))), embed(jkeras.Input((2,), dtype="int32"))):
        for run in (model, model.predict, model.predict_on_batch):
            with pytest.raises(ValueError, match="at row 1, column 1: expected whole numbers of"):
                run(NO_IDS[name])


def test_ids_that_their_input_does_not_hold():
    model = jkeras.Sequential([jkeras.Input((2,), dtype="uint8"), jkeras.layers.Embedding(1000, 4)])
    with pytest.raises(ValueError, match="holds 300 .*expected whole numbers of uint8"):
        model.predict(np.array([[1, 300]]))


def test_ids_are_said_once(recwarn):
    model = embed(jkeras.Input((2,)))
    warnings.simplefilter("default")
    for first in range(3):
        model.predict(np.array([[first, -1 - first]]), verbose=0)
    assert len([one for one in recwarn if "no row of" in str(one.message)]) == 1


class Inside(jkeras.Model):
    def __init__(self):
        super().__init__()
        self.table = jkeras.layers.Embedding(10, 4)

    def call(self, ids):
        return self.table(ids)


@pytest.mark.promise("Ids in JAX arrays are not checked")
def test_ids_that_are_not_looked_at():
    layer, model, ids = jkeras.layers.Embedding(10, 4), Inside(), np.array([[0, -1, 10]])
    for rows, table in (
        (layer(jnp.array(ids)), layer.embeddings),
        (model.predict(ids, verbose=0), model.table.embeddings),
    ):
        expected = np.append(np.asarray(table.value)[[0, 9]], np.full((1, 4), np.nan), axis=0)
        np.testing.assert_array_equal(np.asarray(rows)[0], expected)


class Called(jkeras.layers.Embedding):
    def call(self, ids):
        return super().call(ids % 10)


class Pure(jkeras.layers.Embedding):
    def forward(self, w, ids, ctx):
        return super().forward(w, ids % 10, ctx)


@pytest.mark.parametrize("kind", [Called, Pure])
def test_a_table_that_makes_ids_of_numbers(kind):
    layer = kind(10, 4)
    model = jkeras.Sequential([jkeras.Input((3,)), layer])
    ids = np.array([[1, 11, -9]])
    expected = np.asarray(layer.embeddings.value)[[[1, 1, 1]]]
    np.testing.assert_array_equal(model.predict(ids, verbose=0), expected)
    np.testing.assert_array_equal(layer(ids), expected)


def test_ids_that_are_rows_in_any_dtype():
    rows = np.array([[0, 9], [3, 1]])
    model = embed(jkeras.Input((2,)))
    expected = np.asarray(model.layers[0].embeddings.value)[rows]
    for dtype in ("int8", "uint32", "int64", "float32", "float64", ">i8"):
        np.testing.assert_array_equal(model.predict(rows.astype(dtype), verbose=0), expected)
    numbers = np.full((2, 2), -1.5, "float32")
    np.testing.assert_array_equal(embeddings().predict([numbers, rows])[:, -2:], numbers)


class Remainder(jkeras.Model):
    def call(self, x):
        return x % 10


def test_where_it_is_not_known_what_becomes_of_them():
    for call in (Remainder(), Remainder().predict, jkeras.layers.Lambda(lambda x: x % 10)):
        with pytest.raises(ValueError, match="pass them as floats"):
            call(WIDE)
    np.testing.assert_array_equal(Remainder().predict(WIDE % 100, verbose=0), WIDE % 10)


@pytest.mark.promise("So are 300 for an `Input` of int8")
@pytest.mark.parametrize("method", ["predict", "predict_on_batch", "__call__"])
@pytest.mark.parametrize(
    "dtype, value, ok", [("int8", 300, -128), ("uint8", -1, 255), ("int32", np.nan, 7.0)]
)
def test_an_input_of_few_bits(method, dtype, value, ok):
    model = same(dtype=dtype)
    run = getattr(model, method)
    np.testing.assert_array_equal(np.asarray(run(np.array([[ok, 1]]))), [[ok, 1]])
    for array in (np.array([[1, value]]), np.array([[1, value]], "float32")):
        with pytest.raises(ValueError, match=r"holds .* at row 0, column 1: .* of u?int"):
            run(array)
    small = np.array([[1, value]]).astype("int16" if value == value else "float32")
    with pytest.raises(ValueError, match=r"holds .* at row 0, column 1: .* of u?int"):
        run(small)


def test_inputs_by_name():
    a, b = jkeras.Input((1,), name="a"), jkeras.Input((1,), name="b", dtype="uint8")
    model = jkeras.Model([a, b], jkeras.layers.Concatenate()([a, jkeras.ops.cast(b, "float32")]))
    good = {"b": np.array([[3]]), "a": np.array([[2**40]])}
    for data in (good, [good["a"], good["b"]]):
        for run in (model, lambda x: model.predict(x, verbose=0)):
            np.testing.assert_array_equal(np.asarray(run(data)), [[2.0**40, 3]])
    for run in (model, model.predict):
        with pytest.raises(ValueError, match="256"):
            run({**good, "b": np.array([[256]])})
    with pytest.raises(ValueError, match=r"`x\['b'\]` holds 256"):
        model.predict({**good, "b": np.array([[256]])})


@pytest.mark.promise("a float64 that would become infinity in float32")
@pytest.mark.parametrize("part", ["x", "y", "sample_weight"])
def test_floats_that_would_become_infinity(part):
    data = {name: np.ones((4, 2)) for name in ("x", "y")} | {"sample_weight": np.ones(4)}
    model = same()
    model.compile("sgd", "mse")
    data[part].flat[2] = 1e300
    with pytest.raises(ValueError, match=rf"`{part}` holds 1e\+300 at row .*of float32"):
        model.fit(**data, verbose=0)
    data[part].flat[2] = np.inf  # what is infinite already stays so
    model.evaluate(**data, verbose=0)


def test_floats_by_hand():
    with pytest.raises(ValueError, match=r"holds 1e\+300 at row 0, column 1"):
        same()(np.array([[0.0, 1e300]]))
    with pytest.raises(ValueError, match=r"holds 70000 at row 0, column 0"):
        same(dtype="float16").predict(np.array([[70000, 1]]))


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", ">i8", ">u2"])
def test_bytes_in_another_order(dtype):
    native = np.arange(8).reshape(4, 2).astype(dtype[1:])
    labels = np.array([0, 1, 1, 0])
    results = []
    for x, y in ((native, labels), (native.astype(dtype), labels.astype(dtype))):
        layer = jkeras.layers.Dense(2, activation="softmax", kernel_initializer="ones")
        model = jkeras.Sequential([jkeras.Input((2,)), layer])
        model.compile("sgd", "sparse_categorical_crossentropy")
        options = {"shuffle": False, "verbose": 0, "class_weight": {0: 1.0, 1: 3.0}}
        history = model.fit(x, y, validation_split=0.5, batch_size=1, **options)
        outputs = model.predict(x, verbose=0), np.asarray(model(x))
        results.append([history.history, model.evaluate(x, y, verbose=0), *outputs])
    for a, b in zip(*results):
        np.testing.assert_equal(a, b)


@pytest.mark.promise("and masked arrays with masked entries")
def test_masked_arrays():
    x = np.ma.masked_greater(np.arange(8.0).reshape(4, 2), 6)
    for run in (same().predict, same(), jkeras.layers.Dense(1)):
        with pytest.raises(ValueError, match="masked array with 1 of 8 entries masked"):
            run(x)
    np.testing.assert_array_equal(same().predict(np.ma.array(np.ones((2, 2)))), np.ones((2, 2)))


@pytest.mark.parametrize("dtype", ["datetime64[D]", "timedelta64[D]"])
def test_times(dtype):
    with pytest.raises(ValueError, match="expected numbers. Turn times into numbers before"):
        same().predict(np.array([[1, 2]]).astype(dtype))


@pytest.mark.promise("a table with a column of")
def test_a_column_of_texts():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [1, 2], "zip": ["8001", "3000"]})
    with pytest.raises(ValueError, match=r"`x` has texts in its columns \['zip'\]"):
        same().predict(frame)
    with pytest.raises(ValueError, match="`x` has dtype object.*'8001'"):
        same((1,)).predict(np.array([["8001"], [7]], object))


@pytest.mark.promise("With `jax_enable_x64` they")
def test_64_bits_stay_where_they_are_on():
    import jax

    with jax.enable_x64(True):
        outputs = jkeras.layers.Lambda(lambda x: x)(WIDE)
        assert outputs.dtype == "int64"
        np.testing.assert_array_equal(np.asarray(outputs), WIDE)
