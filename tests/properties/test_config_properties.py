"""Graphs made at random, in both libraries: configs, paths of variables and counts are the same."""

import json
import random

import keras
import pytest

import jkeras
from tests.parity.both import clear, plain, table


def vectors(k, rng, x):
    """A step from (None, n) to (None, m)."""
    layers, ops, units = k.layers, k.ops, rng.randint(1, 5)
    norm = rng.choice([layers.BatchNormalization, layers.LayerNormalization])
    return rng.choice(
        [
            lambda: layers.Dense(units, activation=rng.choice(["relu", "gelu", None]))(x),
            lambda: layers.Dense(units, kernel_regularizer=k.regularizers.L2(0.1))(x),
            lambda: layers.Dense(units, use_bias=False, kernel_initializer="he_normal")(x),
            lambda: norm()(x),
            lambda: layers.Dropout(0.5, seed=units)(x),
            lambda: layers.Activation(rng.choice(["tanh", "silu"]))(x),
            lambda: layers.LeakyReLU(0.2)(x),
            lambda: layers.Concatenate()([x, layers.Dense(units)(x)]),
            lambda: layers.Add()([x, layers.Dense(x.shape[-1])(x)]),
            lambda: layers.LSTM(units)(layers.RepeatVector(2)(x)),
            lambda: layers.Bidirectional(layers.GRU(units))(layers.Reshape((-1, 1))(x)),
            lambda: layers.Flatten()(layers.Conv1D(units, 1)(layers.Reshape((-1, 1))(x))),
            lambda: k.Sequential([layers.Dense(units), layers.ReLU(max_value=2.0)])(x),
            lambda: x * 2.0 - 1.0 / (abs(x) + 1.0),
            lambda: ops.relu(x) + ops.softmax(x, axis=-1),
            lambda: x[:, :1],
        ]
    )()


def model_of(k, seed):
    rng = random.Random(seed)
    inputs = [k.Input((rng.randint(1, 4),), name=f"x{i}") for i in range(rng.randint(1, 2))]
    tensors = list(inputs)
    for _ in range(rng.randint(3, 7)):
        tensors.append(vectors(k, rng, rng.choice(tensors)))
    ends = [k.layers.Dense(2)(x) for x in [*inputs, *tensors[-2:]]]
    shared = k.layers.Dense(3, name="shared")
    # a list of one input is read again as the input alone, in jkeras and not in Keras
    inputs = inputs if len(inputs) > 1 else inputs[0]
    return k.Model(inputs, [shared(end) for end in ends], name=f"model_{seed}")


def described(k, seed):
    """The config, weights and text of a model, and its config when read again."""
    clear()
    model, lines = model_of(k, seed), []
    model.summary(print_fn=lines.append)
    config = json.loads(plain(model.get_config()))
    again = json.loads(plain(k.Model.from_config(model.get_config()).get_config()))
    paths = [variable.path for variable in model.variables]
    counts = [line for text in lines for line in text.splitlines() if "params" in line]
    return config, again, paths, table(model), counts


@pytest.mark.filterwarnings("ignore:You are using a softmax")  # of one element
@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(i, marks=pytest.mark.slow) for i in range(4, 40))]
)
def test_random_graphs_are_those_of_keras(seed):
    mine, theirs = described(jkeras, seed), described(keras, seed)
    assert len(mine[0]["layers"]) == len(theirs[0]["layers"])
    for entry, wanted in zip(mine[0]["layers"], theirs[0]["layers"]):
        assert entry == wanted
    assert mine == theirs
