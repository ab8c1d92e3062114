"""Graphs with operators, bare ops and masks: the same configs as Keras's, and files in all formats,
read and written by both.
"""

import json

import keras
import numpy as np
import pytest

import jkeras
from tests.parity.both import LIBRARIES, agree, plain

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def operators(k, x):
    """What each operator, and some ops, give for a tensor of shape (None, 3)."""
    ops, more = k.ops, abs(x) + 1.0
    flags = [x > 0, x >= 0.5, x < 0, x <= 0.5, x != 0, ~(x > 0)]
    flags += [(x > 0) & (x < 1), (x > 0) | (x < -1), (x > 0) ^ (x < 1)]
    numbers = [x + 1.0, 1.0 + x, x - 1.0, 1.0 - x, x * 2.0, 2.0 * x, x / 2.0, 2.0 / more]
    numbers += [x // 0.5, 7.0 // more, x % 0.5, 7.0 % more, more**2.0, 2.0**x, -x, abs(x)]
    numbers += [x + more, x - more, x * more, x / more, x // more, x % more, more**x]
    numbers += [x @ np.ones((3, 2), "float32"), x[:, 0:2], x[..., None], x[:, 1], x[:, ::2]]
    numbers += [ops.add(x, 1.0), ops.divide(x, 2.0), ops.relu(x), ops.softmax(x), ops.exp(x)]
    numbers += [ops.sum(x, axis=-1, keepdims=True), ops.mean(x, axis=1), ops.clip(x, -1.0, 1.0)]
    numbers += [ops.concatenate([x, more], axis=-1), ops.stack([x, more], axis=1)]
    numbers += [ops.where(x > 0, x, 0.0), ops.reshape(x, (-1, 1, 3)), ops.maximum(x, 0.1)]
    numbers += [ops.one_hot(ops.argmax(x, -1), 3), ops.split(x, 3, axis=1)[1]]
    numbers += [ops.expand_dims(x, 1), ops.normalize(x), ops.top_k(x, 2)[0], ops.gelu(x)]
    images = ops.reshape(x, (-1, 3, 1))
    numbers += [ops.max_pool(images, 2, strides=1), ops.average_pool(images, 2, strides=1)]
    return numbers + [ops.cast(flag, "float32") for flag in flags]


def model_of_operators(k):
    x = k.Input((3,), name="x")
    hidden = k.layers.Dense(3, name="hidden")(x)
    return filled(k.Model(x, [*operators(k, hidden), k.layers.Dense(2)(hidden + 1.0)]))


def model_with_mask(k):
    tokens = k.Input((4,), name="tokens")
    embedded = k.layers.Embedding(5, 3, mask_zero=True)(tokens)
    masked = k.layers.Masking(0.5)(embedded * 2.0)
    summed = k.layers.LSTM(2)(embedded) + k.layers.LSTM(2)(masked)
    return filled(k.Model(tokens, k.layers.Dense(1)(summed / 2.0)))


def filled(model):
    model.set_weights([np.linspace(-1, 1, w.size).reshape(w.shape) for w in model.get_weights()])
    return model


REST = ("keras", "json")
MODELS = {
    "operators": (model_of_operators, X),
    "mask": (model_with_mask, np.array([[1, 2, 0, 0], [3, 0, 4, 1]], "int32")),
}


@pytest.mark.parametrize("name", MODELS)
def test_configs_are_those_of_keras(name):
    mine, theirs = (json.loads(plain(MODELS[name][0](k).get_config())) for k in LIBRARIES)
    assert len(mine["layers"]) == len(theirs["layers"])
    for entry, wanted in zip(mine["layers"], theirs["layers"]):
        assert entry == wanted


# Keras cannot read an .h5 file with bare ops, not even its own; jkeras reads both
@pytest.mark.parametrize("ending", ["h5", *(pytest.param(e, marks=pytest.mark.slow) for e in REST)])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore")
def test_files_of_both(name, ending, tmp_path):
    make, x = MODELS[name]
    wanted = jkeras.tree.flatten(make(keras)(x))
    for writer in LIBRARIES:
        model, path = make(writer), str(tmp_path / f"{writer.__name__}.{ending}")
        if ending != "json":
            model.save(path)
        for reader in LIBRARIES:
            if ending == "json":
                read = filled(reader.models.model_from_json(model.to_json()))
            elif (ending, reader) == ("h5", keras):
                continue
            else:
                read = reader.models.load_model(path)
            agree(reader.tree.flatten(read(x)), wanted, f"{writer.__name__}, {reader.__name__}")


def test_a_graph_keeps_the_settings_it_was_made_with():
    x = jkeras.Input((4, 2))
    model = jkeras.Model(x, jkeras.ops.max_pool(x, 2))
    jkeras.config.set_image_data_format("channels_first")
    try:
        read = jkeras.models.model_from_json(model.to_json())
    finally:
        jkeras.config.set_image_data_format("channels_last")
    assert read(np.ones((1, 4, 2), "float32")).shape == (1, 2, 2)
