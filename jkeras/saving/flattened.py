"""What a `Flatten` before a layer made flat: where other libraries count channels first, its
numbers come in another order.
"""

import math
from typing import Any

from jkeras.core.errors import ArgumentError, explain
from jkeras.core.graph.graph import Node, node_of, nodes_of
from jkeras.core.graph.keras_tensor import KerasTensor

FIX = (
    "build the model as a graph, with an `Input`, or take the module out of the `state_dict` and "
    "set the weights by `layer.set_weights`"
)


def channels_before(layer: Any) -> tuple[int, ...] | None:
    """The sizes (…, channels) of what was made flat right before a layer; None: nothing was, or
    its last axis are features in every library. An input of sequences is taken as it is.

    Raises:
        ValueError: the layer is in no graph, or behind what moves axes in another way.
    """
    found = {_of_call(layer, node) for node in nodes_of(layer)}
    if len(found) != 1:
        called = "one that is called in `call`"
        raise _unknown(layer, "calls that differ in it" if found else called)
    return found.pop()


def _of_call(layer: Any, node: Node) -> tuple[int, ...] | None:
    x = _flat_before(node)
    if x is None:
        return None
    has_axes = sum(size != 1 for size in x.shape[1:]) > 1
    return tuple(x.shape[1:]) if has_axes and _has_channels(layer, x) else None


def _flat_before(node: Node) -> KerasTensor | None:
    """The tensor that is made flat, all its numbers, before they reach a call through what has no
    weights.
    """
    x = _input_of(node)
    while x is not None and len(x.shape) == 2:
        node = node_of(x)
        given = _input_of(node)
        if given is not None and len(given.shape) > 2:
            return given if math.prod(given.shape[1:]) == x.shape[1] else None
        if getattr(node.operation, "weights", None):
            return None
        x = given
    return None


def _input_of(node: Node) -> KerasTensor | None:
    """The tensor that a call takes, of several the first; None: it is that of an `Input`."""
    return node.input_tensors[0] if node.input_tensors else None


def _has_channels(layer: Any, x: KerasTensor) -> bool:
    """Whether the last axis are channels of an image or signal: it comes from a convolution or a
    pooling, or is that of an input of images.

    Raises:
        ValueError: it comes from what moves axes.
    """
    from jkeras import layers
    from jkeras.layers.convolution import BaseConvolution
    from jkeras.layers.pooling import Pooling

    of_features = (layers.Dense, layers.Embedding, layers.RNN, layers.MultiHeadAttention)
    while True:
        node = node_of(x)
        if isinstance(node.operation, (BaseConvolution, Pooling)):
            return True
        if isinstance(node.operation, (*of_features, layers.Bidirectional)):
            return False
        given = _input_of(node)
        if given is None:
            return len(x.shape) > 3
        if given.shape != x.shape:
            raise _unknown(layer, f"one behind '{node.operation.name}', which changes axes")
        x = given


def _unknown(layer: Any, received: str) -> ArgumentError:
    wanted = "a layer of a graph, before which it shows what is made flat"
    return ArgumentError(explain(f"Layer '{layer.path}'", wanted, received, FIX))
