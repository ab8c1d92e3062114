"""`clone_model` where a file could not be read: functions and classes that nobody registered."""

import numpy as np
import pytest

import jkeras
from jkeras import layers

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


class Shift(layers.Layer):
    def call(self, x):
        return x + 1.0


def squared(y_true, y_pred):
    return (y_true - y_pred) ** 2


def nested():
    x = jkeras.Input((3,))
    y = layers.Lambda(lambda t: 2.0 * t)(layers.Dense(2, activation=lambda v: v - 1.0)(x))
    inner = jkeras.Model(x, Shift()(y), name="inner")
    z = jkeras.Input((3,))
    model = jkeras.Model(z, inner(z))
    model.compile("sgd", squared, metrics=[squared])
    return model


def test_functions_and_classes_of_this_process_are_cloned():
    model = nested()
    clone = jkeras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    w, b = model.get_weights()
    np.testing.assert_allclose(
        clone.predict(X, verbose=0), 2.0 * (X @ w + b - 1.0) + 1.0, rtol=1e-5
    )
    wanted = np.mean((model.predict(X, verbose=0) - 1.0) ** 2)
    loss, metric = clone.evaluate(X, np.ones((4, 2), "float32"), verbose=0)
    np.testing.assert_allclose([loss, metric], [wanted, wanted], rtol=1e-5)


@pytest.mark.promise("`load_model(path, safe_mode=False)` runs")
def test_a_file_of_lambdas_is_code_and_needs_trust(tmp_path):
    model, path = nested(), tmp_path / "model.keras"
    with pytest.warns(UserWarning, match="includes a `lambda`"):
        model.save(path)
    with pytest.raises(ValueError, match="lambda.*safe_mode=False"):
        jkeras.saving.load_model(path, {"Shift": Shift, "squared": squared})
    read = jkeras.saving.load_model(path, {"Shift": Shift, "squared": squared}, safe_mode=False)
    np.testing.assert_array_equal(read.predict(X, verbose=0), model.predict(X, verbose=0))


def test_call_function_inside_nested_models():
    """As in Keras, with `recursive=True`."""
    x = jkeras.Input((4,))
    inner = jkeras.Model(x, layers.Dense(2)(layers.Dense(3)(x)))
    x = jkeras.Input((4,))
    outer = jkeras.Model(x, layers.Dense(2)(inner(x)))

    def call(layer, *args, **kwargs):
        outputs = layer(*args, **kwargs)
        if isinstance(layer, layers.Dense):
            outputs = layers.Dropout(0.5)(outputs)
        return outputs

    copy = jkeras.models.clone_model(outer, call_function=call, recursive=True)
    kinds = [type(layer).__name__ for layer in copy.layers[1].layers]
    assert kinds == ["InputLayer", "Dense", "Dropout", "Dense", "Dropout"]


def test_input_tensors_of_another_structure():
    x, y = jkeras.Input((3,)), jkeras.Input((3,))
    model = jkeras.Model({"x": x, "y": y}, layers.Dense(2)(x + y))
    with pytest.raises(ValueError, match="must have the same structure as model.input"):
        jkeras.models.clone_model(model, input_tensors=(x, y))
    copy = jkeras.models.clone_model(model, input_tensors={"x": x, "y": y})
    assert set(copy.input) == {"x", "y"}


@pytest.mark.parametrize("name", ["MeanSquaredError", "CategoricalCrossentropy", "Hinge"])
def test_a_loss_and_a_metric_of_one_name(name):
    """Each of them has its own arguments."""
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2, activation="softmax")])
    metric = getattr(jkeras.metrics, name)(name="measured")
    model.compile("sgd", getattr(jkeras.losses, name)(reduction="sum"), metrics=[metric])
    clone = jkeras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert type(clone.loss) is getattr(jkeras.losses, name) and clone.loss is not model.loss
    x, y = np.ones((4, 3), "float32"), np.eye(2, dtype="float32")[[0, 1, 1, 0]]
    expected = model.evaluate(x, y, verbose=0, return_dict=True)
    assert clone.evaluate(x, y, verbose=0, return_dict=True) == expected
    assert set(expected) == {"loss", "measured"}


def scaling(factor):
    """A class of its own for each factor, all of one name."""

    class Same(layers.Layer):
        def call(self, x):
            return factor * x

    return Same


class Pair(layers.Layer):
    """Holds two layers, as its config says."""

    def __init__(self, first, second, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = first, second

    def call(self, x):
        return self.first(x) + 10 * self.second(x)

    def get_config(self):
        parts = {"first": self.first, "second": self.second}
        written = {k: jkeras.saving.serialize_keras_object(v) for k, v in parts.items()}
        return {**super().get_config(), **written}

    @classmethod
    def from_config(cls, config):
        read = {k: jkeras.layers.deserialize(config.pop(k)) for k in ("first", "second")}
        return cls(**read, **config)


def test_classes_of_one_name_in_one_config():
    """Each is found again, and not the one that was met last."""
    pair = Pair(scaling(2.0)(), scaling(3.0)())
    model = jkeras.Sequential([jkeras.Input((3,)), pair])
    clone = jkeras.models.clone_model(model)
    x = np.ones((1, 3), "float32")
    np.testing.assert_array_equal(model(x), np.full((1, 3), 32.0))
    np.testing.assert_array_equal(clone(x), model(x))
