"""Outputs of layers that are inferred from one run, or from none, are those of two runs."""

import jax
import pytest

import jkeras
from jkeras import layers
from jkeras.core import graph, symbolic

LAYERS = [
    (layers.Dense(3), (4, 5)),
    (layers.Conv2D(3, 2, 2), (8, 8, 2)),
    (layers.SeparableConv1D(3, 2), (8, 2)),
    (layers.MaxPooling2D(3, padding="same"), (8, 8, 2)),
    (layers.GlobalAveragePooling1D(keepdims=True), (8, 2)),
    (layers.BatchNormalization(), (8, 2)),
    (layers.LayerNormalization(), (8, 2)),
    (layers.GroupNormalization(2), (8, 2)),
    (layers.Dropout(0.5), (8, 2)),
    (layers.Softmax(), (8, 2)),
    (layers.ReLU(max_value=3), (8, 2)),
    (layers.PReLU(), (8, 2)),
    (layers.Embedding(3, 4), (8,)),
    (layers.Flatten(), (8, 2)),
    (layers.Reshape((-1, 4)), (8, 2)),
    (layers.Permute((2, 1)), (8, 2)),
    (layers.RepeatVector(3), (8,)),
    (layers.ZeroPadding1D(2), (8, 2)),
    (layers.UpSampling1D(2), (8, 2)),
    (layers.LSTM(3, return_sequences=True, return_state=True), (8, 2)),
    (layers.GRU(3), (8, 2)),
    (layers.MultiHeadAttention(2, 4), (8, 2)),
]


@pytest.mark.parametrize("layer, shape", LAYERS, ids=lambda v: getattr(v, "name", None))
def test_once_is_twice(layer, shape):
    assert symbolic.keeps_samples(layer)
    x = jkeras.KerasTensor((None, *shape))
    args = (x, x) if isinstance(layer, layers.MultiHeadAttention) else (x,)
    known = layer(*args)
    twice = graph.infer(lambda args: layer.run_abstract(args, {}), args)
    shapes = jax.tree.map(lambda t: t.shape, known, is_leaf=graph.is_symbolic)
    assert shapes == jax.tree.map(lambda t: t.shape, twice, is_leaf=graph.is_symbolic)


@pytest.mark.parametrize("axis, expected", [(0, (None, 3)), (1, (None, 6)), (-1, (None, 6))])
def test_samples_that_come_together(axis, expected):
    inputs = [jkeras.Input((3,)), jkeras.Input((3,))]
    assert layers.Concatenate(axis=axis)(inputs).shape == expected


def test_a_class_of_the_users_is_run_twice():
    class Doubled(layers.Dense):
        def call(self, x):
            return jkeras.ops.concatenate([super().call(x)] * 2, axis=0)

    layer = Doubled(3)
    assert not symbolic.keeps_samples(layer)
    assert layer(jkeras.Input((2,))).shape == (None, 3)
    assert layer(jkeras.Input((2,), batch_size=4)).shape == (8, 3)


def test_sizes_that_are_unknown_beside_the_samples():
    x = jkeras.Input((None, 3))
    assert layers.Conv1D(4, 3)(x).shape == (None, None, 4)
    assert layers.BatchNormalization()(x).shape == (None, None, 3)
    assert layers.Flatten()(x).shape == (None, None)
