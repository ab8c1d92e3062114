"""Structures of inputs and outputs of a graph: what is unpacked and what is warned of, beside
Keras.
"""

import warnings

import keras
import numpy as np
import pytest

import jkeras

x = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)

STRUCTURES = {
    "list of one": lambda a: [a],
    "tuple of one": lambda a: (a,),
    "list in a list": lambda a: [[a]],
    "dict in a list": lambda a: [{"b": a}],
    "dict": lambda a: {"b": a},
    "two": lambda a: [a, a],
}


@pytest.mark.parametrize("outputs", STRUCTURES.values(), ids=STRUCTURES)
def test_one_output_in_a_list_is_unpacked(outputs):
    found = []
    for k in (keras, jkeras):
        inputs = k.Input((3,))
        model = k.Model(inputs, outputs(k.layers.Dense(2, kernel_initializer="ones")(inputs)))
        nested = k.Model(inputs, model(inputs))
        results = (model(x), model.predict(x, verbose=0), nested(x), model.output, model(inputs))
        found.append([k.tree.map_structure(lambda leaf: leaf.shape, r) for r in results])
    assert found[0] == found[1]


@pytest.mark.parametrize("k", [keras, jkeras], ids=["keras", "jkeras"])
def test_a_wrong_count_or_kind_says_which_was_expected(k):
    inputs = k.Input((3,))
    outputs = tuple(k.layers.Dense(1, name=name)(inputs) for name in "ab")
    with pytest.raises(ValueError, match="expects 1 .*input"):
        k.Model(inputs, outputs[0])([x, x])
    with pytest.raises(ValueError, match="[Ee]xpected.*tuple"):
        k.tree.map_structure(lambda *leaves: 0, (x, x), [x, x])


def test_values_without_names_and_with_more_names_warn():
    for k in (keras, jkeras):
        named = {name: k.Input((3,), name=name) for name in ("a", "b")}
        model = k.Model(named, k.layers.Add()(list(named.values())))
        for given in ([x, x], {"a": x, "b": x, "c": x}):
            with pytest.warns(UserWarning, match="structure of `inputs` doesn't match"):
                model(given)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model({"b": x, "a": x})


def test_a_tuple_of_outputs_comes_back_from_a_config():
    for k in (keras, jkeras):
        inputs = k.Input((3,))
        model = k.Model(inputs, (k.layers.Dense(1)(inputs), k.layers.Dense(2)(inputs)))
        assert isinstance(k.Model.from_config(model.get_config())(x), tuple)


@pytest.mark.parametrize("given", [{"a": x, "b": x}, [x, x]], ids=["dict", "list"])
def test_sequential_on_a_structure(given):
    for k in (keras, jkeras):

        class Same(k.layers.Layer):
            def call(self, inputs):
                return inputs

        assert type(k.Sequential([Same()])(given)) is type(given)


def test_sequential_without_shapes_and_with_a_layer_of_two_arguments():
    for k in (keras, jkeras):

        class Unknown(k.layers.Layer):
            def call(self, inputs):
                return inputs + 1.0

            def compute_output_spec(self, *args, **kwargs):
                raise NotImplementedError

        class Two(k.layers.Layer):
            def call(self, inputs, other):
                return inputs + other

        np.testing.assert_allclose(k.Sequential([Unknown()])(x), x + 1)
        with pytest.raises(ValueError, match="can only have a single required positional"):
            k.Sequential([Two()]).build((None, 3))
        with pytest.raises(ValueError, match="no layers"):
            k.Sequential()(x)


def test_the_order_of_all_layers():
    """keras-hub numbers the layers of a model in its files, by a private list of Keras."""

    def names(k):
        class Block(k.layers.Layer):
            def __init__(self, **options):
                super().__init__(**options)
                self.first = k.layers.Dense(2, name="first")
                self.listed = [k.layers.Dense(2, name="in list"), k.layers.Dense(2, name="second")]
                self.attention = k.layers.MultiHeadAttention(1, 2, name="attention")

            def call(self, y):
                return self.listed[1](self.listed[0](self.first(y))) + self.attention(y, y)

        inputs = k.Input((4, 2))
        blocks = [Block(name="block"), k.layers.Dense(2, name="head"), Block(name="last")]
        model = k.Model(inputs, k.Sequential(blocks[1:])(blocks[0](inputs)))
        layers = model._flatten_layers(include_self=False)
        return [layer.name for layer in layers if layer.weights]

    assert names(jkeras) == names(keras)
