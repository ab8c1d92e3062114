"""Shapes of outputs that a graph noted when it was made, for a batch of a static size."""

from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.graph import keras_tensor
from jkeras.core.graph.keras_tensor import KerasTensor, map_tensors

if TYPE_CHECKING:
    from jkeras.training.types import Structure


def shapes_of_outputs(inputs: "Structure", outputs: "Structure", x: "Structure") -> "Structure":
    """The shapes of a graph's outputs for shapes `x` of its inputs; None where what was noted does
    not tell them: inputs of another structure or shape, sizes unknown behind the first axis.

    >>> import jkeras
    >>> inputs = jkeras.Input((3,))
    >>> x = jax.ShapeDtypeStruct((8, 3), "float32")
    >>> shapes_of_outputs(inputs, jkeras.layers.Dense(2)(inputs), x).shape
    (8, 2)
    """
    tensors, passed = keras_tensor.flatten(inputs), keras_tensor.flatten(x)
    if not _is_same_structure(inputs, x) or not all(map(_fits, passed, tensors)):
        return None
    sizes = {value.shape[0] for value in passed}
    if len(sizes) != 1 or not all(map(_is_static_but_for_the_batch, keras_tensor.flatten(outputs))):
        return None
    rows = sizes.pop()

    def shape_of(tensor: KerasTensor) -> jax.ShapeDtypeStruct:
        first, *others = tensor.shape
        return jax.ShapeDtypeStruct((first or rows, *others), tensor.dtype)

    if isinstance(outputs, (list, tuple)) and len(outputs) == 1:
        outputs = outputs[0]  # as a model returns them
    return map_tensors(shape_of, outputs)


def _is_same_structure(inputs: "Structure", x: "Structure") -> bool:
    leaves_of = jax.tree_util.tree_structure
    return leaves_of(map_tensors(lambda tensor: 0, inputs)) == leaves_of(x)


def _fits(value: Any, tensor: KerasTensor) -> bool:
    """Whether a graph made for a tensor may take a value."""
    if tensor.sparse or not value.shape or len(value.shape) != len(tensor.shape):
        return False
    return all(b is None or a == b for a, b in zip(value.shape, tensor.shape))


def _is_static_but_for_the_batch(tensor: KerasTensor) -> bool:
    return isinstance(tensor, KerasTensor) and bool(tensor.shape) and None not in tensor.shape[1:]
