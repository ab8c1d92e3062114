"""Masks that travel beside tensors."""

import numpy as np

import jkeras
from jkeras import layers


def test_a_symbolic_mask_that_ends_at_a_layer_without_masks():
    """As in Keras: the graph is made, and the layers behind see no mask."""
    tokens = jkeras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True)(tokens)
    x = layers.Reshape((20,))(x)
    model = jkeras.Model(tokens, layers.Dense(2)(x))
    assert getattr(x, "_keras_mask", None) is None
    assert model.predict(np.ones((3, 5), "int32"), verbose=0).shape == (3, 2)
