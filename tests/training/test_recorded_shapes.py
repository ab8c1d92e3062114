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
