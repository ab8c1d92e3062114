"""Losses given as lists, tuples, dicts and named tuples of what the outputs are, beside Keras."""

import collections

import keras
import numpy as np
import pytest

import jkeras

Pair = collections.namedtuple("Pair", "left right")
x = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
y1 = np.linspace(0, 1, 8, dtype="float32")[:, None]
y2 = y1[::-1].copy()


def net(k, outputs):
    """A model of two outputs in the structure that `outputs` makes of them."""
    inputs = k.Input((3,))
    layer = dict(kernel_initializer="ones", activation="sigmoid")
    ends = [k.layers.Dense(1, name=name, **layer)(inputs) for name in ("a", "b")]
    return k.Model(inputs, outputs(*ends))


def together(y_true, y_pred):
    """One loss of a structure of outputs."""
    leaves = [jkeras.tree.flatten(value) for value in (y_true, y_pred)]
    return sum(abs(t - p).mean() for t, p in zip(*leaves))


as_dict = lambda a, b: {"p": a, "q": b}  # noqa: E731
deep = lambda a, b: {"p": (a, b), "q": {"r": a}}  # noqa: E731
CASES = {  # outputs, loss, loss_weights
    "a list for a tuple": (lambda *e: e, [together, ("mse", "mae")], None),
    "a tuple for a list": (lambda *e: list(e), (together, ["mse", "mae"]), None),
    "weighted": (lambda *e: e, [together, ("mse", "mae")], [2.0, (0.5, 3.0)]),
    "a list for a dict": (as_dict, [together, {"p": "mse", "q": "mae"}], None),
    "one of two": (as_dict, {"p": "mse", "q": None}, None),
    "named tuple": (Pair, [together, Pair("mse", "mae")], None),
    "deep": (deep, {"p": [together, (None, "mae")], "q": {"r": "mse"}}, None),
    "two losses of each": (as_dict, {"p": ["mse", "mae"], "q": "mse"}, None),
}


@pytest.mark.parametrize("outputs, loss, weights", CASES.values(), ids=CASES)
def test_as_keras(outputs, loss, weights):
    logs = []
    for k in (keras, jkeras):
        model = net(k, outputs)
        model.compile("sgd", loss=loss, loss_weights=weights)
        logs.append(model.fit(x, outputs(y1, y2), batch_size=4, shuffle=False, verbose=0).history)
    expected, got = logs
    assert list(got) == list(expected)
    for name in expected:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("loss", ["mse", ["mse"], {"a": ["mse"]}])
@pytest.mark.parametrize("outputs", [lambda a, b: a, lambda a, b: [a], lambda a, b: {"a": a}])
def test_one_output(outputs, loss):
    logs = []
    for k in (keras, jkeras):
        model = net(k, outputs)
        model.compile("sgd", loss=loss)
        logs.append(model.fit(x, y1, batch_size=4, shuffle=False, verbose=0).history)
    expected, got = logs
    assert list(got) == list(expected)
    np.testing.assert_allclose(got["loss"], expected["loss"], rtol=1e-5)


def test_two_losses_of_one_output_are_added():
    """Keras leaves the second out."""
    model = net(jkeras, lambda a, b: a)
    model.compile("sgd", loss=["mse", "mae"])
    predicted = model.predict(x, verbose=0)
    expected = np.mean((predicted - y1) ** 2) + np.mean(abs(predicted - y1))
    with pytest.warns(UserWarning, match="`loss` is a list of 2 and the model has one output"):
        found = model.evaluate(x, y1, verbose=0)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_compute_loss_that_makes_two_outputs_of_one():
    logs = []
    for k in (keras, jkeras):

        class Twice(k.Model):
            def compute_loss(self, x, y, y_pred, sample_weight=None, **kwargs):
                y_pred = [y_pred, y_pred]
                return super().compute_loss(
                    x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **kwargs
                )

        inputs = k.Input((3,))
        model = Twice(inputs, k.layers.Dense(1, name="a", kernel_initializer="ones")(inputs))
        model.compile("sgd", loss=["mse", "mae"])
        logs.append(model.fit(x, (y1, y2), batch_size=4, shuffle=False, verbose=0).history)
    expected, got = logs
    assert sorted(got) == sorted(expected)
    np.testing.assert_allclose(got["loss"], expected["loss"], rtol=1e-5)


def test_an_optional_input_that_is_none_in_a_dict():
    class Sum(jkeras.layers.Layer):
        def call(self, x, other=None):
            return x if other is None else x + other

    inputs = {"x": jkeras.Input((3,), name="x")}
    inputs["o"] = jkeras.Input((3,), name="o", optional=True)
    model = jkeras.Model(inputs, jkeras.layers.Dense(1)(Sum()(inputs["x"], inputs["o"])))
    model.compile("sgd", "mse")
    given = {"x": x, "o": None}
    assert len(model.fit(given, y1, verbose=0).history["loss"]) == 1
    np.testing.assert_allclose(model.predict(given, verbose=0), model(given), rtol=1e-6)
