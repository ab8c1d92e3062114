"""Shapes of outputs that a graph noted, beside those of a trace of the model."""

import jax
import pytest

import jkeras
from jkeras import layers


def _model(shape):
    inputs = jkeras.Input(shape)
    return jkeras.Model(inputs, {"a": layers.Dense(2)(inputs), "b": layers.Dense(3)(inputs)})


def test_they_are_those_of_a_trace():
    model, x = _model((4, 5)), jax.ShapeDtypeStruct((7, 4, 5), "float32")
    traced = jax.eval_shape(lambda x: model.run_abstract((x,), {}, training=False), x)
    known = model.recorded_shapes(x)
    assert jax.tree.map(lambda v: (v.shape, v.dtype), known) == jax.tree.map(
        lambda v: (v.shape, v.dtype), traced
    )


@pytest.mark.parametrize("shape, given", [((None, 5), (7, 4, 5)), ((4, 5), (7, 4, 6))])
def test_what_was_not_noted_is_traced(shape, given):
    assert _model(shape).recorded_shapes(jax.ShapeDtypeStruct(given, "float32")) is None


def test_a_graph_that_does_not_keep_the_samples_is_traced():
    inputs = jkeras.Input((3,))
    joined = layers.Dense(2)(jkeras.ops.concatenate([inputs, inputs], axis=0))
    model = jkeras.Model(inputs, joined)
    assert model.recorded_shapes(jax.ShapeDtypeStruct((8, 3), "float32")) is None
    assert jkeras.Model(joined, layers.ReLU()(joined)).recorded_shapes(
        jax.ShapeDtypeStruct((8, 2), "float32")
    ).shape == (8, 2)
