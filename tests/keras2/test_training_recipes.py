"""What most programs for Keras 2 do around `fit`: beside closed forms."""

import numpy as np
import pytest

import jkeras
from jkeras.keras2 import layer_attributes, namespace
from jkeras.keras2.notes import Notes

X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
RATE, DECAY, MOMENTUM = 0.05, 0.5, 0.5


@pytest.fixture(scope="module")
def keras():
    return namespace.modules(Notes())


def compiled(keras, **options):
    layer = keras["keras.layers"].Dense(1, input_shape=(3,), kernel_initializer="zeros")
    model = keras["keras.models"].Sequential([layer])
    model.compile(keras["keras.optimizers"].SGD(**options), "mse")
    return model


def by_hand(epochs, rate_of=lambda epoch: RATE, begin=0):
    """The kernel after epochs of two steps, as Keras 2 has them."""
    w = v = b = u = 0.0
    for step in range(begin, begin + 2 * epochs):
        rate = rate_of((step - begin) // 2) / (1 + DECAY * step)
        gradient = 2 * (3 * w + b - 1)
        v, u = MOMENTUM * v - rate * gradient, MOMENTUM * u - rate * gradient
        w, b = w + v, b + u
    return w


OPTIONS = {"lr": RATE, "decay": DECAY, "momentum": MOMENTUM}
FIT = {"batch_size": 4, "verbose": 0}


def kernel(model):
    return np.asarray(model.layers[0].kernel)[0, 0]


def test_decay_is_that_of_keras_2(keras):
    model = compiled(keras, **OPTIONS)
    model.fit(X, Y, epochs=3, **FIT)
    assert kernel(model) == pytest.approx(by_hand(3), rel=1e-5)
    K = keras["keras.backend"]
    assert K.get_value(model.optimizer.lr) == pytest.approx(RATE)


def test_a_scheduler_sets_the_rate_that_decays(keras):
    model = compiled(keras, **OPTIONS)
    half = lambda epoch: RATE * 0.5**epoch  # noqa: E731
    scheduler = keras["keras.callbacks"].LearningRateScheduler(half)
    history = model.fit(X, Y, epochs=3, callbacks=[scheduler], **FIT)
    assert kernel(model) == pytest.approx(by_hand(3, half), rel=1e-5)
    assert history.history["lr"] == pytest.approx([RATE, RATE / 2, RATE / 4])


def test_a_plateau_sets_the_rate_that_decays(keras):
    model = compiled(keras, **OPTIONS)
    plateau = keras["keras.callbacks"].ReduceLROnPlateau(
        monitor="loss", factor=0.1, patience=0, min_delta=10
    )
    history = model.fit(X, Y, epochs=3, callbacks=[plateau], **FIT)
    rates = [RATE, RATE, RATE / 10]  # the second epoch is the first without improvement
    assert kernel(model) == pytest.approx(by_hand(3, rates.__getitem__), rel=1e-5)
    assert history.history["lr"][-1] == pytest.approx(RATE / 10)


def test_set_value_of_the_rate(keras):
    K, model = keras["keras.backend"], compiled(keras, **OPTIONS)
    K.set_value(model.optimizer.lr, 0.01)
    model.fit(X, Y, epochs=2, **FIT)
    assert kernel(model) == pytest.approx(by_hand(2, lambda epoch: 0.01), rel=1e-5)
    with pytest.raises(TypeError, match="K.set_value.*LearningRateSchedule"):
        K.set_value(np.ones(()), 1.0)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_file_keeps_the_decay(keras, tmp_path, name):
    model = compiled(keras, **OPTIONS)
    model.fit(X, Y, epochs=1, **FIT)
    model.save(tmp_path / name)
    again = keras["keras.models"].load_model(tmp_path / name)
    today = jkeras.saving.load_model(tmp_path / name)
    assert type(today.optimizer.get_config()["learning_rate"]) is dict
    for one in (model, again, today):
        one.fit(X, Y, epochs=2, **FIT)
    assert kernel(model) == pytest.approx(by_hand(3), rel=1e-5)
    assert kernel(again) == pytest.approx(kernel(model), rel=1e-6)
    assert kernel(today) == pytest.approx(kernel(model), rel=1e-6)
    again.optimizer.lr = 0.5
    assert again.optimizer.decay == DECAY


WAYS = {
    "from_config of the class": lambda k, one: k.SGD.from_config(one.get_config()),
    "from_config of its own class": lambda k, one: type(one).from_config(one.get_config()),
    "the constructor": lambda k, one: k.SGD(**one.get_config()),
    "deserialize": lambda k, one: k.deserialize(k.serialize(one)),
    "get": lambda k, one: k.get(k.serialize(one)),
}


@pytest.mark.promise("optimizers | `lr=`, `decay=`")
@pytest.mark.parametrize("way", WAYS)
def test_a_config_keeps_the_decay(keras, way):
    optimizers = keras["keras.optimizers"]
    config = optimizers.SGD(**OPTIONS).get_config()
    assert config["decay"] == DECAY and config["learning_rate"] == pytest.approx(RATE)
    assert optimizers.Adam(lr=0.1).get_config()["decay"] == 0.0
    again = WAYS[way](optimizers, optimizers.SGD(**OPTIONS))
    assert again.get_config() == config | {"name": again.name}
    model = compiled(keras, **OPTIONS)
    model.compile(again, "mse")
    model.fit(X, Y, epochs=3, **FIT)
    assert kernel(model) == pytest.approx(by_hand(3), rel=1e-5)


def test_a_config_of_keras_3_keeps_the_decay(keras):
    model = compiled(keras, **OPTIONS)
    config = model.get_compile_config()["optimizer"]
    today = jkeras.optimizers.deserialize(config)
    today.iterations.assign(3)
    assert float(today.learning_rate) == pytest.approx(RATE / (1 + DECAY * 3))
    assert keras["keras.optimizers"].deserialize(config).decay == DECAY


def test_what_a_callback_logs_is_in_the_history(keras):
    class Mine(keras["keras.callbacks"].Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = logs["loss"] * 2

    history = compiled(keras, lr=0.1).fit(X, Y, callbacks=[Mine()], **FIT).history
    assert history["mine"] == [history["loss"][0] * 2]


# ---------------------------------------------------------------- graphs


@pytest.fixture
def graph(keras, monkeypatch):
    """A model of two outputs, where layers have the attributes of Keras 2."""
    names = ("get_input_at", "get_output_at", "get_input_shape_at", "get_output_shape_at")
    for name in ("input_shape", "output_shape", "uses_learning_phase", *names):
        monkeypatch.setattr(jkeras.layers.Layer, name, None, raising=False)  # put back afterwards
    monkeypatch.setattr(jkeras.layers.InputLayer, "input", None, raising=False)
    monkeypatch.setattr(jkeras.metrics.Metric, "reset_states", None, raising=False)
    monkeypatch.setattr(type(jkeras.ops.zeros(())), "numpy", None, raising=False)
    layer_attributes.install()
    layers = keras["keras.layers"]
    x = layers.Input((4, 4, 1))
    hidden = layers.Conv2D(2, (3, 3), name="c")(x)
    flat = layers.Flatten(name="f")(hidden)
    outputs = [layers.Dense(2, name="a")(flat), layers.Dense(1, name="b")(flat)]
    return keras["keras.models"].Model(x, outputs)


def test_layers_say_their_shapes(graph, keras):
    shapes = {layer.name: (layer.input_shape, layer.output_shape) for layer in graph.layers[1:]}
    assert shapes["c"] == ((None, 4, 4, 1), (None, 2, 2, 2))
    assert shapes["f"] == ((None, 2, 2, 2), (None, 8))
    assert graph.layers[0].output_shape == [(None, 4, 4, 1)]
    both = keras["keras.layers"].Concatenate()
    both([graph.layers[3].output, graph.layers[4].output])
    assert (both.input_shape, both.output_shape) == ([(None, 2), (None, 1)], (None, 3))
    shared = jkeras.layers.Dense(2)
    with pytest.raises(AttributeError, match="has no output_shape yet"):
        shared.output_shape  # noqa: B018
    shared(jkeras.Input((3,)))
    shared(jkeras.Input((5, 3)))
    with pytest.raises(AttributeError, match="several shapes"):
        shared.output_shape  # noqa: B018
    assert graph.output_shape == [(None, 2), (None, 1)]
    assert graph.layers[1].get_output_at(0) is graph.layers[1].output
    assert graph.layers[1].get_output_shape_at(0) == (None, 2, 2, 2)
    assert both.get_input_shape_at(0) == [(None, 2), (None, 1)]
    with pytest.raises(ValueError, match="one of its 2 calls"):
        shared.get_input_at(2)


def test_what_uses_the_learning_phase(graph, keras):
    layers, Sequential = keras["keras.layers"], keras["keras.models"].Sequential

    class Mine(layers.Layer):
        def __init__(self):
            super().__init__()
            self.uses_learning_phase = True

        def call(self, x):
            return keras["keras.backend"].in_train_phase(x, 2 * x)

    assert not graph.uses_learning_phase
    for used in (layers.Dropout(0.5), layers.BatchNormalization(), layers.LSTM(2, dropout=0.1)):
        model = Sequential([layers.Input((4, 3)), layers.Dense(3), used])
        assert model.uses_learning_phase and used.uses_learning_phase
        assert not model.layers[0].uses_learning_phase
    assert not Sequential([layers.Input((4, 3)), layers.LSTM(2)]).uses_learning_phase
    assert Sequential([layers.Input((3,)), Mine()]).uses_learning_phase


def test_a_function_from_a_first_layer(graph, keras):
    K = keras["keras.backend"]
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 1)).astype("float32")
    expected = graph.layers[1](images)
    function = K.function([graph.layers[0].input, K.learning_phase()], [graph.layers[1].output])
    np.testing.assert_allclose(function([images, 0])[0], expected, rtol=1e-5)
    alone = K.function(graph.input, graph.layers[1].output)
    np.testing.assert_allclose(alone(images), expected, rtol=1e-5)
    part = keras["keras.models"].Model(graph.layers[0].input, graph.layers[1].output)
    np.testing.assert_allclose(part.predict(images), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "metrics", "names"),
    [
        ("mse", None, "loss a_loss b_loss"),
        (["mse", "mae"], ["acc", "mae"], "loss a_loss b_loss a_acc a_mae b_acc b_mae"),
        ({"a": "mse", "b": "mae"}, {"a": "acc"}, "loss a_loss b_loss a_acc"),
        (["mse", "mae"], [["acc"], ["mae", "mse"]], "loss a_loss b_loss a_acc b_mae b_mse"),
    ],
)
def test_names_of_what_evaluate_gives(graph, loss, metrics, names):
    graph.compile("sgd", loss=loss, metrics=metrics)
    x, y = np.ones((2, 4, 4, 1)), [np.ones((2, 2)), np.ones((2, 1))]
    found = graph.evaluate(x, y, verbose=0)
    assert graph.metrics_names == names.split() and len(found) == len(names.split())
    by_name = graph.evaluate(x, y, verbose=0, return_dict=True)
    named = dict(zip(graph.metrics_names, found))
    assert named == {name: by_name[name] for name in named}


def test_a_graph_without_inputs_is_refused(keras):
    x = jkeras.Input((3,))
    y = jkeras.layers.Dense(1)(x)

    class Mine(jkeras.Model):
        pass

    for cls in (jkeras.Model, Mine, keras["keras.models"].Model):
        with pytest.raises(ValueError, match="`inputs` argument cannot be empty"):
            cls([], y)
