"""Copies by `copy` and `pickle`: as in Keras each is a model of its own, with its graph."""

import copy
import functools
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest

import jkeras

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
Y = np.zeros((6, 1), "float32")
WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
}


def with_operators(library):
    x = library.Input((4,), name="x")
    h = library.layers.Dense(4, name="hidden")(x)
    h = library.ops.tanh(h + 2.0 * x)
    return library.Model(x, library.layers.Dense(1, name="out")(h), name="net")


def with_shared_layers(library):
    x = library.Input((4,), name="x")
    shared = library.layers.Dense(4, name="shared")
    other = shared(library.Input((4,)))  # a call that is not in the graph
    assert other is not None
    h = shared(shared(x))
    return library.Model(x, library.layers.Dense(1, name="out")(h), name="net")


def nested(library):
    x = library.Input((4,), name="x")
    inner = with_operators(library)
    return library.Model(x, inner(inner(x) * x), name="whole")


def sequential(library):
    layers = [library.Input((4,)), library.layers.Dense(3, "relu"), library.layers.Dense(1)]
    return library.Sequential(layers, name="net")


MODELS = {f.__name__: f for f in (with_operators, with_shared_layers, nested, sequential)}


def looked_at(library, model):
    """What a user asks a copy for, in numbers and names."""
    lines = []
    model.summary(print_fn=lambda text, **_: lines.append(text))
    last = next(layer for layer in reversed(model.layers) if not isinstance(layer, library.Model))
    part = library.Model(model.inputs, last.output)
    return [
        [layer.name for layer in model.layers],
        len(model.get_config()["layers"]),
        [tuple(w.shape) for w in model.weights],
        tuple(part(X).shape),
        len(lines) > 0,
        tuple(library.models.clone_model(model)(X).shape),
    ]


def trained(library, kind, weights=None):
    model = MODELS[kind](library)
    if weights is not None:
        model.set_weights(weights)
    model.compile("adam", "mse", metrics=["mae"])
    before = model.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    return model, before


@functools.cache
def of_both(kind):
    """(a model, what Keras's copy of the same one gives: see `looked_at`, the loss, its steps)."""
    model, first = trained(jkeras, kind)
    twin = copy.copy(trained(keras, kind, first)[0])
    loss = twin.fit(X, Y, verbose=0).history["loss"]
    return model, (looked_at(keras, twin), loss, int(twin.optimizer.iterations))


@pytest.mark.promise("`copy.copy`, `copy.deepcopy` and `pickle` give a model of its own")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", MODELS)
def test_a_copy_is_a_model_of_its_own(kind, way, tmp_path):
    model, (seen, loss, steps) = of_both(kind)
    before = model.get_weights()
    twin = WAYS[way](model)
    np.testing.assert_array_equal(twin(X), model(X))
    assert looked_at(jkeras, twin) == seen
    np.testing.assert_allclose(twin.fit(X, Y, verbose=0).history["loss"], loss, rtol=1e-5)
    assert int(twin.optimizer.iterations) == steps == 3
    assert int(model.optimizer.iterations) == 2
    for now, old in zip(model.get_weights(), before):
        np.testing.assert_array_equal(now, old)
    twin.save(tmp_path / "m.keras")
    read = jkeras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(read(X), twin(X), rtol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_of_a_layer(way):
    layer = jkeras.layers.Dense(2)
    layer(X)
    twin = WAYS[way](layer)
    assert twin.kernel is not layer.kernel and twin.name == layer.name
    twin.kernel.assign(0 * twin.kernel)
    assert np.abs(layer(X)).max() > 0


READS = """
import pickle, sys
import numpy as np
model = pickle.loads(sys.stdin.buffer.read())
x = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
print(float(np.asarray(model(x)).sum()), len(model.get_config()["layers"]))
"""


def test_another_process_reads_a_pickled_model():
    model = with_operators(jkeras)
    given = pickle.dumps(model)
    done = subprocess.run([sys.executable, "-c", READS], input=given, capture_output=True)
    found, count = done.stdout.split()
    assert float(found) == pytest.approx(float(np.asarray(model(X)).sum()), rel=1e-5)
    assert int(count) == len(model.get_config()["layers"])


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_of_a_language_model(way):
    config = {"model_type": "llama", "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1}
    config |= {"num_attention_heads": 2, "intermediate_size": 12}
    model = jkeras.models.LanguageTransformer(config)
    text = model.generate([1, 2, 3], max_new_tokens=5)
    twin = WAYS[way](model)
    np.testing.assert_array_equal(twin.generate([1, 2, 3], max_new_tokens=5), text)
    twin.set_weights([0 * w for w in twin.get_weights()])
    np.testing.assert_array_equal(model.generate([1, 2, 3], max_new_tokens=5), text)


def test_a_copy_of_a_deep_graph():
    x = inputs = jkeras.Input((2,))
    for _ in range(300):
        x = jkeras.layers.Dense(2)(x) + x
    model = jkeras.Model(inputs, x)
    for way in WAYS.values():
        assert len(way(model).get_config()["layers"]) == 601
