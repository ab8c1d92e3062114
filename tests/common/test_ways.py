"""The short way of the plainest calls and the long way of all others compute the same: each layer,
in each precision, of floats and of whole numbers, with a penalty on what it gives.
"""

import gc
import weakref

import jax
import jax.numpy as jnp
import pytest

import jkeras
from jkeras.core.run import running
from tests.common.table import ROWS, arrays, is_shape
from tests.parity.both import make
from tests.thinning import every

KEY = jax.random.key(3)
LEFT_OUT = {"Pipeline"}  # takes none of the arguments below: the layers inside of it do
PLAIN = [
    row
    for row in ROWS
    if len(row.inputs) == 1
    and is_shape(row.inputs[0])
    and not row.texts
    and row.layer not in LEFT_OUT
]


def variants(row):
    """(arguments of the layer, dtype of its input)."""
    floats = not row.ints
    yield {"dtype": "mixed_bfloat16"}, "float32" if floats else "int32"
    yield {"dtype": "float16"}, "int32"
    yield {"activity_regularizer": "l2"}, "bfloat16" if floats else "int32"
    yield {"dtype": "bfloat16", "activity_regularizer": "l1"}, "float32" if floats else "int32"


def traced(layer, x):
    """The programs of inference and training, as text, and the shapes of what comes out."""
    params, state = layer.init(jax.random.key(1), x)

    def run(params, state, x):
        quiet = layer.apply(params, state, x, training=False)
        return quiet, layer.apply(params, state, x, training=True, rng=KEY)

    return str(jax.make_jaxpr(run)(params, state, x))


@pytest.mark.parametrize("row", every(10, PLAIN), ids=[row.layer for row in PLAIN])
def test_both_ways_are_one(row, monkeypatch):
    (x,) = arrays(row, row.inputs)
    kwargs = {k: make(jkeras, v) for k, v in row.kwargs.items()}
    compared = 0
    for arguments, dtype in variants(row):
        try:
            layer = getattr(jkeras.layers, row.layer)(**{**kwargs, **arguments})
            value = jnp.asarray(x, dtype)
            monkeypatch.setattr(running, "plain_form", lambda *args: None)
            long = traced(layer, value)
        except (TypeError, ValueError, RuntimeWarning):
            continue  # not for this layer
        finally:
            monkeypatch.undo()
        assert traced(layer, value) == long, (arguments, dtype)
        compared += 1
    assert compared


def test_what_is_cached_of_a_layer_follows_its_attributes():
    """Weights and children of a layer that is not built are those of its arguments now."""
    x = jnp.ones((2, 3))
    dense = jkeras.layers.Dense(4)
    params, state = dense.init(KEY, x)
    dense.apply(params, state, x)
    dense.units = 5
    with pytest.raises(ValueError, match=r"shape \(3, 5\) at 'kernel'"):
        dense.apply(params, state, x)
    assert dense.apply(*dense.init(KEY, x), x)[0].shape == (2, 5)
    normed = jkeras.layers.LayerNormalization(axis=[1])
    x = jnp.ones((2, 3, 4))
    params, state = normed.init(KEY, x)
    normed.apply(params, state, x)
    normed.axis[0] = 2  # in place
    with pytest.raises(ValueError, match=r"shape \(4,\) at"):
        normed.apply(params, state, x)
    attention = jkeras.layers.MultiHeadAttention(2, 3)
    params, state = attention.init(KEY, x, x)
    attention.apply(params, state, x, x)
    attention.use_bias = False
    assert "bias" not in attention.init(KEY, x, x)[0]["query_dense"]
    without = {name: {"kernel": own["kernel"]} for name, own in params.items()}
    assert attention.apply(without, state, x, x)[0].shape == x.shape


def test_weights_that_follow_from_a_child_follow_its_attributes():
    layers = jkeras.layers
    x = jnp.ones((2, 5, 5, 3))
    for layer, name, value in (
        (layers.Stack(layers.Dense(3), 2), "use_bias", False),
        (layers.SpectralNormalization(layers.Conv2D(3, 2)), "filters", 4),
        (layers.TimeDistributed(layers.Dense(3)), "units", 4),
    ):
        layer.apply(*layer.init(KEY, x), x)
        setattr(layer.layer, name, value)
        layer.apply(*layer.init(KEY, x), x)


def test_what_is_cached_of_a_layer_is_no_part_of_it():
    """Neither of its value, its copies, nor its files."""
    layer, other = jkeras.layers.Dense(4, name="a"), jkeras.layers.Dense(4, name="a")
    config = layer.get_config()
    layer.apply(*layer.init(KEY, jnp.ones((2, 3))), jnp.ones((2, 3)))
    assert layer.pair() == other.pair() and layer.get_config() == config
    assert layer.apply(*layer.init(KEY, jnp.ones((2, 7))), jnp.ones((2, 7)))[0].shape == (2, 4)


def test_what_is_cached_of_a_layer_goes_with_it():
    x = jnp.ones((2, 3, 4))
    for make_one in (
        lambda: jkeras.layers.LSTM(3),
        lambda: jkeras.layers.Dense(3, kernel_constraint="max_norm"),
        lambda: jkeras.layers.MultiHeadAttention(2, 3, dropout=0.1),
        lambda: jkeras.layers.BatchNormalization(),
    ):
        layer = make_one()
        inputs = (x, x) if isinstance(layer, jkeras.layers.MultiHeadAttention) else (x,)
        layer.apply(*layer.init(KEY, *inputs), *inputs)
        gone = weakref.ref(layer)
        del layer
        gc.collect()
        assert gone() is None, make_one
