"""Numbers given by hand, to `adapt`, metrics, losses and variables: what they cannot take is
refused, and never another number in silence.
"""

import datetime

import numpy as np
import pytest

import jkeras
from jkeras import layers

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
