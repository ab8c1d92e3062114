"""Layers inside a graph of TensorFlow, such as `tf.data`'s: what they compute is a node of that
graph.

TensorFlow is never imported here. Where a program has one of its symbolic tensors, it is loaded.
"""

import functools
import sys

import jax
import numpy as np

from jkeras.core.graph import keras_tensor
from jkeras.core.graph.inference import infer
from jkeras.core.run import symbolic
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.names.registry import Thing
from jkeras.core.system.loaded import loaded_tensorflow
from jkeras.core.weights import in_tensorflow
from jkeras.core.weights.paths import walk
from jkeras.core.weights.rng import SeedGenerator


def holds_tensors_of_graph(*structures):
    """Whether a symbolic tensor of TensorFlow stands in the structures.

    >>> holds_tensors_of_graph([1, {"a": jax.numpy.ones(2)}])
    False
    """
    tensorflow = loaded_tensorflow()
    if tensorflow is None:
        return False
    is_of_graph = tensorflow.is_symbolic_tensor
    return any(is_of_graph(_values_of(leaf)) for leaf in keras_tensor.flatten(structures))


def _values_of(leaf):
    """The values in a ragged or sparse tensor of TensorFlow; everything else as it is."""
    for name in ("flat_values", "values"):
        leaf = getattr(leaf, name, leaf)
    return leaf


def call_in_graph(function, spec, args, kwargs):
    """The outputs of a function as tensors of TensorFlow's graph, which calls it for each element.

    Args:
        function: takes arrays of numpy in the places of the tensors.
        spec: takes KerasTensors there and says what comes out; sizes that are not known are None.
    """
    tensorflow = sys.modules["tensorflow"]
    leaves, structure = jax.tree_util.tree_flatten((args, kwargs), is_leaf=lambda v: v is None)
    leaves = [_dense(leaf) for leaf in leaves]
    places = [i for i, leaf in enumerate(leaves) if holds_tensors_of_graph(leaf)]

    def filled(values):
        complete = list(leaves)
        for place, value in zip(places, values):
            complete[place] = value
        return jax.tree_util.tree_unflatten(structure, complete)

    args, kwargs = filled([_symbol(leaves[i]) for i in places])
    announced, outputs = jax.tree_util.tree_flatten(spec(*args, **kwargs))

    def on_elements(*values):
        args, kwargs = filled(values)
        with jax.default_device(jax.devices("cpu")[0]):  # beside the training, as in `tf.data`
            found = jax.tree_util.tree_leaves(function(*args, **kwargs))
        return [_as_announced(value, symbol) for value, symbol in zip(found, announced)]

    tensors = tensorflow.numpy_function(
        on_elements, [leaves[i] for i in places], [symbol.dtype for symbol in announced]
    )
    for tensor, symbol in zip(tensors, announced):
        tensor.set_shape(symbol.shape)
    return jax.tree_util.tree_unflatten(outputs, tensors)


def also_in_graph(method: Thing) -> Thing:
    """Decorator of a layer's method on arrays: of tensors of a graph it is a node of that graph."""

    @functools.wraps(method)
    def called(layer, *args, **kwargs):
        if not holds_tensors_of_graph(args, kwargs):
            return method(layer, *args, **kwargs)
        function = functools.partial(method, layer)

        def spec(*args, **kwargs):
            return infer(lambda given: function(*given[0], **given[1]), (args, kwargs))

        return call_in_graph(in_tensorflow.inside(function), spec, args, kwargs)

    return called


def call_layer(layer, args, kwargs):
    """The outputs of a layer in the graph that its inputs are of."""

    def spec(*args, **kwargs):
        if not layer.built:
            layer.build_for(layer.bind_call(args, kwargs))
        return symbolic.spec_of(layer, args, kwargs)

    for _, module in walk(layer):
        if isinstance(module, SeedGenerator):
            module.begin_in_tensorflow()
    return call_in_graph(in_tensorflow.inside(layer), spec, args, kwargs)


def _dense(leaf):
    """A ragged or sparse tensor of TensorFlow as a dense one; everything else as it is."""
    tensorflow = sys.modules["tensorflow"]
    if isinstance(leaf, tensorflow.RaggedTensor):
        return leaf.to_tensor()
    if isinstance(leaf, tensorflow.SparseTensor):
        return tensorflow.sparse.to_dense(leaf)
    return leaf


def _symbol(tensor):
    """The shape and dtype of a tensor of TensorFlow's graph."""
    if tensor.shape.rank is None:
        raise ValueError(
            "A layer was given a tensor of unknown rank inside a TensorFlow graph. Say its shape "
            f"with `tensor.set_shape(...)` before the layer is called. Received: {tensor}"
        )
    return KerasTensor(tensor.shape.as_list(), tensor.dtype.name)


def _as_announced(value, symbol):
    """A value as the array of numpy that TensorFlow was told of."""
    value = np.asarray(value)
    if symbol.dtype == "string":
        return value.astype(object)
    return value.astype(jax.numpy.dtype(symbol.dtype))
