"""What layers for data say of their dtypes, and which arguments of all layers they refuse."""

import pytest

import jkeras
from jkeras import layers

# (dtype, compute_dtype, variable_dtype, input_dtype) as Keras 3.15.1 has them, with TensorFlow
OF_KERAS = {
    "StringLookup": ("string",) * 4,
    "IntegerLookup": ("int64",) * 4,
    "TextVectorization": ("string",) * 4,
    "Rescaling": ("float32", "float16", "float32", "float16"),
    "Normalization": ("float32", "float16", "float32", "float16"),
}
ARGUMENTS = {"Rescaling": (2.0,), "Discretization": ([1.0],), "Pipeline": ([],)}


@pytest.mark.parametrize("name", OF_KERAS)
def test_dtypes(name):
    layer = getattr(layers, name)(*ARGUMENTS.get(name, ()), dtype="mixed_float16")
    said = (layer.dtype, layer.compute_dtype, layer.variable_dtype, layer.input_dtype)
    assert said == OF_KERAS[name]


def test_discretization_takes_floatx():
    assert layers.Discretization([1.0], dtype="int64").input_dtype == "float32"


@pytest.mark.parametrize(
    "name", ["StringLookup", "IntegerLookup", "Discretization", "Pipeline", "SpatialDropout1D"]
)
@pytest.mark.parametrize("argument", [{"autocast": True}, {"input_dim": 3}, {"foo": 1}])
def test_arguments_that_keras_refuses(name, argument):
    arguments = {**ARGUMENTS, "SpatialDropout1D": (0.5,)}.get(name, ())
    with pytest.raises(ValueError, match=f"passed to {name}: .*{next(iter(argument))}"):
        getattr(layers, name)(*arguments, **argument)


def test_old_configs_with_such_arguments_are_read():
    from jkeras.saving import dialects

    config = {"rate": 0.5, "noise_shape": None, "trainable": True, "name": "d", "dtype": "float32"}
    old = {"class_name": "SpatialDropout1D", "config": config}
    assert jkeras.layers.deserialize(dialects.modern(old)).rate == 0.5
