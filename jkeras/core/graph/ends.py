"""The end of a functional model: the operations behind the last tensor that several follow from,
which may be run for some positions of a text alone.
"""

import dataclasses
import typing
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.core.graph import graph, keras_tensor
from jkeras.core.graph.graph import Node


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ForPositions:
    """Inputs of a model of whose texts one position each is asked for.

    Attributes:
        inputs: what the model is called with.
        positions: (batch,).
        count: so many operations at the end run for these positions alone.
    """

    inputs: typing.Any
    positions: jax.Array
    count: int = dataclasses.field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ForEnd:
    """What the operations at the end of a model begin with.

    Attributes:
        value: (batch, time, ...).
        count: so many operations they are.
    """

    value: jax.Array
    count: int = dataclasses.field(metadata={"static": True})


def end_of(model: typing.Any) -> list[Node]:
    """The nodes at the end of a model, each with the output of the one before as its only input;
    none where it has no graph, or several outputs.

    >>> import jkeras
    >>> x = jkeras.Input((None, 4))
    >>> y = jkeras.layers.Dense(4, name="head")(jkeras.layers.ReLU(name="relu")(x + x))
    >>> [node.operation.name for node in end_of(jkeras.Model(x, y))][-2:]
    ['relu', 'head']
    """
    found = graph.graph_of(model)
    outputs = [] if found is None else keras_tensor.flatten(found.outputs)
    nodes: list[Node] = []
    while len(outputs) == 1:
        node = graph.node_of(outputs[0])
        if node.is_input or len(node.input_tensors) != 1:
            break
        nodes.insert(0, node)
        outputs = node.input_tensors
        if len(graph.node_of(outputs[0]).output_tensors) != 1:
            break
    return nodes


def run_end(
    model: typing.Any,
    x: ForPositions | ForEnd,
    as_inputs: Callable[[typing.Any], list],
    call: Callable[..., typing.Any],
) -> typing.Any:
    """What a model gives for one position of each text, (batch, 1, ...), or its end for all.

    Args:
        as_inputs: gives the values of the graph's inputs.
        call: runs an operation, as of `graph.run`.
    """
    found, nodes = graph.graph_of(model), end_of(model)
    last = nodes[len(nodes) - x.count :]
    begin = last[0].input_tensors[0]
    if isinstance(x, ForEnd):
        value = x.value
    else:
        before = [node for node in found.nodes if node not in last]
        inputs = keras_tensor.flatten(found.inputs)
        whole = graph.run(before, inputs, begin, as_inputs(x.inputs), call)
        positions = x.positions.reshape(-1, *[1] * (whole.ndim - 1))
        value = jnp.take_along_axis(whole, positions, axis=1)
    outputs = graph.run(last, [begin], found.outputs, [value], call)
    if isinstance(outputs, (list, tuple)) and len(outputs) == 1:
        return outputs[0]
    return outputs
