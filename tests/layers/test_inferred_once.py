"""Outputs of layers that are inferred from one run, or from none: Keras's shapes."""

import keras
import pytest

import jkeras
from jkeras import layers
from jkeras.core.run import symbolic

LAYERS = [
    (lambda k: k.layers.Dense(3), (4, 5)),
    (lambda k: k.layers.Conv2D(3, 2, 2), (8, 8, 2)),
    (lambda k: k.layers.SeparableConv1D(3, 2), (8, 2)),
    (lambda k: k.layers.MaxPooling2D(3, padding="same"), (8, 8, 2)),
    (lambda k: k.layers.GlobalAveragePooling1D(keepdims=True), (8, 2)),
    (lambda k: k.layers.BatchNormalization(), (8, 2)),
    (lambda k: k.layers.LayerNormalization(), (8, 2)),
    (lambda k: k.layers.GroupNormalization(2), (8, 2)),
    (lambda k: k.layers.Dropout(0.5), (8, 2)),
    (lambda k: k.layers.Softmax(), (8, 2)),
    (lambda k: k.layers.ReLU(max_value=3), (8, 2)),
    (lambda k: k.layers.PReLU(), (8, 2)),
    (lambda k: k.layers.Embedding(3, 4), (8,)),
    (lambda k: k.layers.Flatten(), (8, 2)),
    (lambda k: k.layers.Reshape((-1, 4)), (8, 2)),
    (lambda k: k.layers.Permute((2, 1)), (8, 2)),
    (lambda k: k.layers.RepeatVector(3), (8,)),
    (lambda k: k.layers.ZeroPadding1D(2), (8, 2)),
    (lambda k: k.layers.UpSampling1D(2), (8, 2)),
    (lambda k: k.layers.LSTM(3, return_sequences=True, return_state=True), (8, 2)),
    (lambda k: k.layers.GRU(3), (8, 2)),
    (lambda k: k.layers.MultiHeadAttention(2, 4), (8, 2)),
]


def _shapes(library, make, shape):
    """The shapes of what a layer gives for a symbolic input of a shape."""
    layer, x = make(library), library.KerasTensor((None, *shape))
    outputs = layer(x, x) if isinstance(layer, library.layers.MultiHeadAttention) else layer(x)
    if not isinstance(outputs, (list, tuple)):
        outputs = [outputs]
    return layer, [tensor.shape for tensor in outputs]


@pytest.mark.promise("You need not write `compute_output_shape`")
@pytest.mark.parametrize("make, shape", LAYERS)
def test_the_shapes_of_keras(make, shape):
    layer, shapes = _shapes(jkeras, make, shape)
    assert symbolic.is_batchwise(layer)
    assert shapes == _shapes(keras, make, shape)[1]


@pytest.mark.parametrize("axis, expected", [(0, (None, 3)), (1, (None, 6)), (-1, (None, 6))])
def test_samples_that_come_together(axis, expected):
    inputs = [jkeras.Input((3,)), jkeras.Input((3,))]
    assert layers.Concatenate(axis=axis)(inputs).shape == expected


@pytest.mark.promise("the forward pass is traced with shapes instead of numbers")
def test_a_class_of_the_users_is_run_twice():
    class Doubled(layers.Dense):
        def call(self, x):
            return jkeras.ops.concatenate([super().call(x)] * 2, axis=0)

    layer = Doubled(3)
    assert not symbolic.is_batchwise(layer)
    assert layer(jkeras.Input((2,))).shape == (None, 3)
    assert layer(jkeras.Input((2,), batch_size=4)).shape == (8, 3)


def test_sizes_that_are_unknown_beside_the_samples():
    x = jkeras.Input((None, 3))
    assert layers.Conv1D(4, 3)(x).shape == (None, None, 4)
    assert layers.BatchNormalization()(x).shape == (None, None, 3)
    assert layers.Flatten()(x).shape == (None, None)
