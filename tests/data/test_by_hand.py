"""Numbers given by hand, to `adapt`, metrics, losses and variables: what they cannot take is
refused, and never another number in silence.
"""

import datetime
import tempfile

import jax
import keras
import numpy as np
import pytest
import scipy.sparse

import jkeras
from jkeras import layers
from tests.data.kinds import Batches

MASKED = np.ma.masked_array([[1.0], [2.0]], mask=[[False], [True]])


def adapted(name, data, **options):
    layer = getattr(layers, name)(**options)
    layer.adapt(data)
    return layer


def normalization(data):
    return adapted("Normalization", data)


MISSING = np.array([[1.0, 2.0], [np.nan, 3.0]])
REFUSED_BY_ADAPT = {
    "masked": (lambda: normalization(MASKED), "masked array with 1 of 2"),
    "masked batches": (lambda: normalization(iter([MASKED])), "masked array with 1 of 2"),
    "NaN": (lambda: normalization(MISSING), r"mean is NaN or infinity at 1 of 2 places.*\[0\]"),
    "too spread": (lambda: normalization(np.array([[1e30], [3e30]])), "variance is NaN or inf"),
    "no rows": (lambda: normalization(np.zeros((0, 2))), "needs at least one row"),
    "times": (lambda: normalization(np.array([["2020"]], "M8[D]")), "expected numbers, received"),
    "bins": (lambda: adapted("Discretization", MASKED, num_bins=2), "masked array"),
    "tokens": (lambda: adapted("StringLookup", np.ma.array(["a"], mask=[True])), "masked array"),
    "a text": (lambda: adapted("StringLookup", "abc"), "an array or list of tokens.*'abc'"),
    "a dict": (lambda: adapted("TextVectorization", {"a": 1}), "an array or list.*of type dict"),
    "nothing": (lambda: adapted("IntegerLookup", None), "an array or list.*of type NoneType"),
    "unsorted": (lambda: layers.Discretization(bin_boundaries=[1.0, 0.0]), "that are sorted"),
}


@pytest.mark.parametrize("name", REFUSED_BY_ADAPT)
def test_what_adapt_refuses(name):
    run, message = REFUSED_BY_ADAPT[name]
    with pytest.raises((TypeError, ValueError), match=message):
        run()


def test_batches_without_rows_count_nothing():
    layer = normalization(iter([np.zeros((0, 1)), np.array([[1.0], [3.0]]), np.zeros((0, 1))]))
    assert float(layer.mean.ravel()[0]) == 2.0
    assert float(layer.variance.ravel()[0]) == 1.0


def measured(name, *values, **options):
    metric = getattr(jkeras.metrics, name)()
    metric.update_state(*values, **options)
    return float(metric.result())


def test_metrics_of_64_bits():
    assert measured("Mean", np.array([2**33])) == 2.0**33
    assert measured("Mean", np.array([1.0, 2.0]), sample_weight=np.array([2**33, 0])) == 1.0
    assert measured("MeanSquaredError", np.array([[2**33]]), np.array([[0.0]])) == 2.0**66
    assert measured("Accuracy", np.array([2**33]), np.array([0])) == 0.0
    assert measured("Mean", np.array([1.5, 2.5], ">f4")) == 2.0
    with pytest.raises(ValueError, match="expected numbers of float32"):
        measured("Mean", np.array([1e300]))


@pytest.mark.parametrize(
    "value", [np.array(["a"]), np.array([datetime.date(2020, 1, 1)]), np.array(["2020"], "M8[D]")]
)
def test_metrics_of_no_numbers(value):
    with pytest.raises(jkeras.core.errors.ArgumentError, match="must be a number or an array"):
        measured("Mean", value)


def test_masked_arrays():
    zero = np.zeros((2, 1))
    for run in (
        lambda: measured("Mean", MASKED),
        lambda: jkeras.losses.MeanSquaredError()(MASKED, zero),
        lambda: jkeras.losses.MeanSquaredError()(zero, {"a": MASKED}["a"]),
        lambda: jkeras.Variable(MASKED),
        lambda: jkeras.Variable(zero).assign(MASKED),
    ):
        with pytest.raises(ValueError, match="is a masked array with 1 of 2 entries masked"):
            run()


def test_variables():
    number = jkeras.Variable(np.zeros(1, "float32"), name="number")
    with pytest.raises(ValueError, match=r"`number` holds 1e\+300 at row 0: expected numbers of"):
        number.assign(np.array([1e300]))
    with pytest.raises(ValueError, match="expected whole numbers of int32"):
        jkeras.Variable(np.array([2**33 + 5]), dtype="int32")
    count = jkeras.Variable(np.zeros(1, "int32"))
    with pytest.raises(ValueError, match="expected whole numbers of int32"):
        count.assign(np.array([2**33 + 5]))
    layer = layers.Dense(1)
    layer.build((None, 1))
    with pytest.raises(ValueError, match="`dense.*/kernel` holds"):
        layer.set_weights([np.array([[1e300]]), np.zeros(1)])


X, Y = np.ones((4, 2)), np.zeros((4, 1))


KEYS = jax.random.split(jax.random.key(0), 4)


class Half(Batches):
    num_batches = 1.5


def damaged():
    """A matrix whose places lie outside of it, which scipy does not look at."""
    matrix = scipy.sparse.csr_matrix(X)
    matrix.indices = matrix.indices + 100
    return matrix


def no_rows():
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(iter([(X[:0], Y[:0])]), verbose=0)


def ids_in_a_file():
    """Rows that are read from a memory map straight into a batch."""
    with tempfile.TemporaryDirectory() as folder:
        rows = np.memmap(f"{folder}/rows", "int32", "w+", shape=(64, 2))
        rows[40, 1] = -1
        model = jkeras.Sequential([layers.Embedding(10, 1), layers.Flatten(), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(rows, np.zeros((64, 1)), verbose=0)


LINEAR = jkeras.Sequential([jkeras.Input((2,)), layers.Activation("linear")])


def fit(verbose=0, **options):
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=verbose, **options)


def padded(rows, **options):
    return jkeras.utils.pad_sequences(rows, **options)


TEXTS = layers.TextVectorization(vocabulary=["a", "b"], ngrams=10**9)
LOSS = jkeras.losses.MeanSquaredError(name="error")
WRONG = {
    "weights of columns": (lambda: fit(sample_weight=np.ones((4, 3))), r"shape \(4,\).*\(4, 3\)"),
    "balanced": (lambda: fit(class_weight="balanced"), "mapping {class: weight}.*'balanced'"),
    "no rows": (lambda: no_rows(), "first batch has no rows"),
    "no arrays": (lambda: LINEAR.predict(iter([([],)])), "A batch has no arrays"),
    "random keys": (lambda: LINEAR.predict(KEYS), "has dtype key<fry>: expected numbers"),
    "a damaged matrix": (lambda: LINEAR.predict(damaged()), "indices must be < 2"),
    "half a batch": (lambda: LINEAR.predict(Half((X,))), "num_batches` must be a whole number"),
    "an epoch of text": (lambda: fit(initial_epoch="a"), "`initial_epoch` must be a whole number"),
    "validation of no epoch": (
        lambda: fit(validation_data=(X, Y), validation_freq=0),
        "`validation_freq`: expected a number of epochs above 0",
    ),
    "how much is told": (lambda: fit(epochs=1, verbose="x"), "`verbose` must be 0, 1, 2 or 'auto'"),
    "a seed below 0": (lambda: fit(seed=-1), "`seed` must be a whole number of at least 0"),
    "a seed of half": (lambda: fit(seed=1.5), "`seed` must be a whole number"),
    "steps below 0": (lambda: fit(steps_per_epoch=-1), "`steps_per_epoch` must be a whole number"),
    "steps of text": (lambda: LINEAR.predict(X, steps="a"), "`steps` must be a whole number"),
    "half a step": (lambda: LINEAR.predict(X, steps=1.5), "`steps` must be a whole number"),
    "a clip of text": (lambda: jkeras.optimizers.SGD(clipnorm="a"), "must be a number.*'a'"),
    "a clip of NaN": (lambda: jkeras.optimizers.SGD(clipvalue=np.nan), "must be a number.*nan"),
    "gradients of no step": (
        lambda: jkeras.optimizers.SGD(gradient_accumulation_steps=np.nan),
        "`gradient_accumulation_steps` must be an integer",
    ),
    "an address of bytes": (
        lambda: jkeras.utils.get_file("f", b"https://a.example/f"),
        "`origin` must be an address",
    ),
    "an epsilon of text": (lambda: jkeras.config.set_epsilon("a"), "`value` must be a number"),
    "an epsilon of NaN": (lambda: jkeras.config.set_epsilon(np.nan), "`value` must be a number"),
    "an epsilon below 0": (lambda: jkeras.config.set_epsilon(-1), "`value` must be 0 or more"),
    "epochs of text": (lambda: jkeras.config.set_max_epochs("a"), "must be a whole number"),
    "steps below none": (lambda: jkeras.config.set_max_steps_per_epoch(-1), "of at least 0"),
    "a rate of text": (lambda: layers.Dropout("a"), "`rate` must be a number. Received: rate='a'"),
    "a list of types": (lambda: layers.Dense(1, dtype=[1]), "[Ii]nvalid dtype|dtype"),
    "decay of text": (
        lambda: jkeras.optimizers.schedules.CosineDecay(0.1, "a"),
        "`decay_steps` must be a number",
    ),
    "thresholds of text": (lambda: jkeras.metrics.AUC(num_thresholds="a"), "must be an integer"),
    "half a class of IoU": (lambda: jkeras.metrics.MeanIoU(1.5), "`num_classes` must be a whole"),
    "the best of text": (
        lambda: jkeras.metrics.top_k_categorical_accuracy(X, X, k="a"),
        "`k` must be a number",
    ),
    "labels smoothed by text": (
        lambda: jkeras.losses.CategoricalCrossentropy(label_smoothing="a")(X, X),
        "`label_smoothing` must be a number",
    ),
    "no labels": (lambda: LOSS([[None]], [[0.0]]), "Loss 'error': the values compared must be"),
    "labels of texts": (lambda: LOSS(np.array(["a"]), np.zeros(1)), "Loss 'error': the values"),
    "bins of nothing": (
        lambda: adapted("Discretization", None, num_bins=2),
        "an array or an iterable of batches, received None",
    ),
    "rows of none": (lambda: padded([[None]]), "the sequence at position 0 must be numbers"),
    "rows of texts": (lambda: padded([[1], ["a"]]), "the sequence at position 1 must be numbers"),
    "rows too large": (lambda: padded([[2**40]]), "numbers of dtype int32"),
    "padding too large": (lambda: padded([[1]], value=2**40), "value must be numbers of dtype"),
    "a length below 0": (lambda: padded([[1]], maxlen=-1), "`maxlen` must be a whole number"),
    "masked classes": (
        lambda: jkeras.utils.to_categorical(np.ma.array([1, 2], mask=[0, 1])),
        "masked array",
    ),
    "no class": (lambda: jkeras.utils.to_categorical([1.0, np.nan]), "whole numbers.*nan"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values(name):
    run, message = WRONG[name]
    with pytest.raises((TypeError, ValueError), match=message):
        run()


def test_fractions_among_classes():
    with pytest.warns(UserWarning, match="whole numbers. Received: 1.5 .* cut off, as in Keras"):
        found = jkeras.utils.to_categorical([0.0, 1.5])
    np.testing.assert_array_equal(found, keras.utils.to_categorical([0.0, 1.5]))


def test_ids_in_a_file():
    with pytest.warns(UserWarning, match="`x` holds numbers that are no row of an `Embedding`"):
        ids_in_a_file()


def test_fractions_in_rows_of_whole_numbers():
    with pytest.warns(UserWarning, match="fractions, which are cut off. Pass `dtype='float32'`"):
        assert padded([[1.7]]).tolist() == [[1]]
    assert padded([[1.0], [2.0, 3.0]]).tolist() == [[0, 1], [2, 3]]


def test_more_words_together_than_there_are():
    assert TEXTS(["a b"]).tolist() == [[2, 3, 1]]


def test_an_infinite_loss_is_said():
    with pytest.warns(UserWarning, match="the loss of epoch 1 is infinite"):
        fit(class_weight={0: np.inf}, epochs=1)


def of_itself(kind):
    around = [1] if kind is list else {"a": 1}
    if kind is list:
        around.append(around)
    else:
        around["b"] = around
    return around


@pytest.mark.parametrize("kind", [list, dict])
def test_containers_of_themselves(kind):
    """JAX leaves Python without its levels of recursion then."""
    around = of_itself(kind)
    loss = jkeras.losses.MeanSquaredError()
    for run in (
        lambda: LINEAR.predict(around),
        lambda: LINEAR(around),
        lambda: LINEAR.compile("sgd", around),
        lambda: loss(around, X),
        lambda: jkeras.Model(around, around),
        lambda: measured("Mean", [around]),
    ):
        with pytest.raises(ValueError, match="contains itself, or is nested deeper"):
            run()
