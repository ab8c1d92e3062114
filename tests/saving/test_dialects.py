"""Configs as Keras 2.3 wrote them, word for word, and what a loader must not get wrong about
them.
"""

import json

import h5py
import numpy as np
import pytest

import jkeras
from jkeras.saving import dialects, legacy_h5

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3)).astype("float32")
POLICY = {"class_name": "Policy", "config": {"name": "float32"}}


def dense(name, units, **more):
    kernel = {
        "class_name": "VarianceScaling",
        "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "normal", "seed": None},
    }
    return {
        "class_name": "Dense",
        "config": {
            "name": name,
            "trainable": True,
            "dtype": POLICY,
            "units": units,
            "activation": "linear",
            "use_bias": True,
            "kernel_initializer": kernel,
            "bias_initializer": {"class_name": "Zeros", "config": {"dtype": "float32"}},
            "kernel_regularizer": None,
            "bias_regularizer": None,
            "activity_regularizer": None,
            "kernel_constraint": None,
            "bias_constraint": None,
            **more,
        },
    }


def graph(layers, inputs, outputs):
    """A `Model` of (described layer, its calls), as the JSON of Keras 2.3.1."""
    entries = [
        {**layer, "name": layer["config"]["name"], "inbound_nodes": calls}
        for layer, calls in layers
    ]
    return {
        "class_name": "Model",
        "keras_version": "2.3.1",
        "backend": "tensorflow",
        "config": {
            "name": "model_1",
            "layers": entries,
            "input_layers": inputs,
            "output_layers": outputs,
        },
    }


def start(name):
    return {
        "class_name": "InputLayer",
        "config": {
            "batch_input_shape": [None, 3],
            "dtype": "float32",
            "sparse": False,
            "name": name,
        },
    }, []


def test_a_sequence_that_is_a_bare_list():
    text = json.dumps(
        {
            "class_name": "Sequential",
            "keras_version": "2.1.6",
            "config": [
                dense("a", 4, batch_input_shape=[None, 3]),
                {
                    "class_name": "Dropout",
                    "config": {
                        "name": "drop",
                        "trainable": True,
                        "rate": 0.5,
                        "noise_shape": None,
                        "seed": None,
                    },
                },
                dense("b", 2),
            ],
        }
    )
    model = jkeras.models.model_from_json(text)
    w, b, v, c = model.get_weights()
    np.testing.assert_allclose(
        model.predict(X, verbose=0), (X @ w + b) @ v + c, rtol=1e-5, atol=1e-6
    )


def test_a_graph_with_shared_layers_and_several_ends():
    add = {"class_name": "Add", "config": {"name": "add", "trainable": True, "dtype": POLICY}}
    config = graph(
        [
            start("x"),
            start("y"),
            (dense("d", 3), [[["x", 0, 0, {}]], [["y", 0, 0, {}]]]),
            (add, [[["d", 0, 0, {}], ["d", 1, 0, {}]]]),
        ],
        [["x", 0, 0], ["y", 0, 0]],
        [["add", 0, 0], ["d", 1, 0]],
    )
    model = jkeras.models.model_from_json(json.dumps(config))
    w, b = model.get_weights()
    both, right = model.predict([X, 2 * X], verbose=0)
    np.testing.assert_allclose(both, 3 * X @ w + 2 * b, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(right, 2 * X @ w + b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("inner, shift", [("Model", 1), ("Sequential", 1)])
def test_calls_of_inner_models_begin_at_one(inner, shift):
    if inner == "Model":
        config = graph(
            [start("i"), (dense("d", 3), [[["i", 0, 0, {}]]])], [["i", 0, 0]], [["d", 0, 0]]
        )["config"]
    else:
        config = {"layers": [dense("d", 3, batch_input_shape=[None, 3])]}
    block = {"class_name": inner, "config": {**config, "name": "block"}}
    outer = graph(
        [start("x"), (block, [[["x", 0, 0, {}]], [["block", shift, 0, {}]]])],
        [["x", 0, 0]],
        [["block", shift + 1, 0]],
    )
    model = jkeras.models.model_from_json(json.dumps(outer))
    w, b = model.get_weights()
    np.testing.assert_allclose(
        model.predict(X, verbose=0), (X @ w + b) @ w + b, rtol=1e-5, atol=1e-5
    )


def test_arguments_of_calls_and_of_layers_that_are_calls_now():
    attention = {
        "class_name": "Attention",
        "config": {
            "name": "att",
            "trainable": True,
            "dtype": "float32",
            "causal": True,
            "dropout": 0.0,
            "use_scale": False,
        },
    }
    q = (
        {
            "class_name": "InputLayer",
            "config": {"batch_input_shape": [None, 2, 3], "dtype": "float32", "name": "q"},
        },
        [],
    )
    config = graph(
        [q, (attention, [[["q", 0, 0, {}], ["q", 0, 0, {}]]])], [["q", 0, 0]], [["att", 0, 0]]
    )
    found = jkeras.models.model_from_json(json.dumps(config)).predict(
        np.stack([X, X], axis=1), verbose=0
    )
    # the first query sees the first value alone
    np.testing.assert_allclose(found[:, 0], X, rtol=1e-6)


def conv_lstm(activation):
    model = jkeras.Sequential(
        [jkeras.Input((4, 3)), jkeras.layers.LSTM(2, recurrent_activation=activation)]
    )
    return model


def written_by(model, version, path):
    with h5py.File(path, "w") as file:
        legacy_h5.write(model, file, version)


def hard(x):
    return jkeras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


@pytest.mark.promise("What counts otherwise than")
@pytest.mark.promise("`hard_sigmoid` is `clip(x / 6 + 0.5, 0, 1)`")
def test_hard_sigmoid_is_another_function_now(tmp_path):
    path, model = tmp_path / "old.h5", conv_lstm("hard_sigmoid")
    x = RNG.normal(size=(2, 4, 3)).astype("float32")
    written_by(model, "2.3.1", path)
    with pytest.warns(
        UserWarning, match="layers \\['lstm.*'\\] use `hard_sigmoid`.*custom_objects"
    ):
        now = jkeras.saving.load_model(path)
    np.testing.assert_array_equal(now.predict(x, verbose=0), model.predict(x, verbose=0))
    old = jkeras.saving.load_model(path, custom_objects={"hard_sigmoid": hard})
    want = conv_lstm(hard)
    want.set_weights(model.get_weights())
    np.testing.assert_allclose(old.predict(x, verbose=0), want.predict(x, verbose=0), rtol=1e-6)
    assert not np.allclose(old.predict(x, verbose=0), now.predict(x, verbose=0), atol=1e-4)
    written_by(model, "3.5.0", path)
    jkeras.saving.load_model(path)  # says nothing


def test_a_rate_that_decays_is_a_schedule():
    described = {
        "class_name": "SGD",
        "config": {"lr": 0.5, "decay": 0.1, "momentum": 0.0, "nesterov": False},
    }
    optimizer = jkeras.optimizers.get(
        dialects.modern_training({"optimizer_config": described}, {})["optimizer"]
    )
    optimizer.iterations.assign(3)
    np.testing.assert_allclose(optimizer.learning_rate, 0.5 / (1 + 0.1 * 3), rtol=1e-6)


def test_an_object_of_ones_own_keeps_its_arguments():
    """Only configs of Keras's own classes are translated; what lies inside others is."""
    mine = {
        "module": "mine",
        "class_name": "LeakyReLU",
        "config": {
            "alpha": 0.1,
            "time_major": False,
            "inner": {"class_name": "LeakyReLU", "config": {"alpha": 0.3}},
        },
    }
    assert dialects.modern(mine)["config"] == {
        "alpha": 0.1,
        "time_major": False,
        "inner": {"class_name": "LeakyReLU", "config": {"negative_slope": 0.3}},
    }


def test_a_hidden_argument_with_an_effect_is_refused(tmp_path):
    """Arguments that are gone are dropped at values without an effect, and only there."""
    layer = dense("d", 3, batch_input_shape=[None, 3])
    norm = {
        "class_name": "BatchNormalization",
        "config": {"name": "bn", "axis": [1], "virtual_batch_size": 4},
    }
    with pytest.raises(ValueError, match="virtual_batch_size"):
        jkeras.models.model_from_json(
            json.dumps({"class_name": "Sequential", "config": [layer, norm]})
        )
    norm["config"]["virtual_batch_size"] = None
    model = jkeras.models.model_from_json(
        json.dumps({"class_name": "Sequential", "config": [layer, norm]})
    )
    assert model.layers[-1].axis == 1


def test_a_layer_of_an_initializers_name_is_a_layer(tmp_path):
    layer = {"class_name": "Identity", "config": {"name": "i", "trainable": True, "dtype": "int8"}}
    assert dialects.modern(layer) == {"module": "keras.layers"} | layer
    model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Identity(dtype="float16")])
    model.save(tmp_path / "m.h5")
    (again,) = jkeras.saving.load_model(tmp_path / "m.h5").layers
    assert again.compute_dtype == "float16"
    initializer = {"class_name": "Identity", "config": {"gain": 0.5, "dtype": "float32"}}
    assert dialects.modern(initializer)["config"] == {"gain": 0.5}
