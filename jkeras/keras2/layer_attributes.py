"""`layer.input_shape`, `layer.uses_learning_phase` and the like, which layers of Keras 2 have."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.graph.keras_tensor import one_or_list
from jkeras.core.layer import Layer
from jkeras.core.layer.view import layers_of
from jkeras.layers import InputLayer
from jkeras.metrics import Metric
from jkeras.training.step.training_unsaid import differs_in_training


class ShapeOfCalls:
    """An attribute of layers: the shape of their input or output in the graphs that they are in.
    What a layer has under that name itself comes first.

    Args:
        side: "input" or "output".
    """

    def __init__(self, side: str) -> None:
        self.side = side

    def __get__(self, layer: Any, cls: Any = None) -> Any:
        if layer is None:
            return self
        nodes = getattr(layer, "_inbound_nodes", ())
        shapes = {self.of_node(node) for node in nodes}
        if not shapes:
            raise AttributeError(
                f"Layer {layer.name!r} has no {self.side}_shape yet: it has not been called on a "
                "symbolic tensor. Give the first layer an `input_shape`, or build the model."
            )
        if len(shapes) > 1:
            raise AttributeError(
                f"Layer {layer.name!r} has been called on inputs of several shapes, so that it has "
                f"no one {self.side}_shape: {sorted(map(str, shapes))}."
            )
        shape = next(iter(shapes))
        return [shape] if isinstance(layer, InputLayer) else as_given(shape)

    def of_node(self, node: Any) -> tuple:
        """The shape of one call: of an only tensor its own, of several a tuple of shapes."""
        tensors = node.output_tensors
        if self.side == "input":  # that of an `InputLayer` is its output
            tensors = node.input_tensors or tensors
        shapes = tuple(tuple(tensor.shape) for tensor in tensors)
        return shapes[0] if len(shapes) == 1 else shapes


def as_given(shape: tuple) -> Any:
    """A shape, or a list of several."""
    is_several = bool(shape) and isinstance(shape[0], tuple)
    return list(shape) if is_several else shape


class InputOfGraph:
    """The `input` of an `InputLayer`, which is its output in Keras 2."""

    def __get__(self, layer: Any, cls: Any = None) -> Any:
        return self if layer is None else layer.output


class LearningPhaseUse:
    """`uses_learning_phase`: whether a layer or model does otherwise in training. What a layer sets
    under that name itself comes first, and counts in a model of it.
    """

    def __get__(self, layer: Any, cls: Any = None) -> Any:
        if layer is None:
            return self
        said = [vars(part).get("uses_learning_phase", False) for part in layers_of(layer)]
        return any(said) or differs_in_training(layer)


def _tensors_at(side: str) -> Callable:
    """`get_output_at`: the symbolic output, or input, of one of a layer's calls."""

    def get_at(layer: Any, node_index: int) -> Any:
        nodes = getattr(layer, "_inbound_nodes", ())
        if not -len(nodes) <= node_index < len(nodes):
            raise ValueError(
                explain(
                    f"Layer {layer.name!r}: get_{side}_at",
                    f"the number of one of its {len(nodes)} calls on symbolic tensors",
                    node_index,
                )
            )
        return one_or_list(getattr(nodes[node_index], f"{side}_tensors"))

    return get_at


def _shape_at(side: str) -> Callable:
    """`get_output_shape_at`: the shape of what `get_output_at` gives."""
    tensors_at = _tensors_at(side)

    def get_at(layer: Any, node_index: int) -> Any:
        tensors = tensors_at(layer, node_index)
        if isinstance(tensors, (list, tuple)):
            return [tuple(tensor.shape) for tensor in tensors]
        return tuple(tensors.shape)

    return get_at


def numpy(array: Any) -> np.ndarray:
    """The array as one of numpy's: `loss.numpy()`."""
    return np.asarray(array)


def install() -> None:
    """Gives the layers and arrays of this process the attributes that programs ask for."""
    array = type(jnp.zeros(()))
    if not hasattr(array, "numpy"):
        array.numpy = numpy
    Layer.input_shape, Layer.output_shape = ShapeOfCalls("input"), ShapeOfCalls("output")
    Layer.get_input_at, Layer.get_output_at = _tensors_at("input"), _tensors_at("output")
    Layer.get_input_shape_at, Layer.get_output_shape_at = _shape_at("input"), _shape_at("output")
    InputLayer.input = InputOfGraph()
    Layer.uses_learning_phase = LearningPhaseUse()
    Metric.reset_states = Metric.reset_state
