"""Graphs of layers and ops: the nodes that made symbolic tensors, sorted and run."""

import collections
import functools
import typing

from jkeras.core.graph.keras_tensor import KerasTensor, flatten, map_tensors


class Node:
    """One call of an operation in a graph: its arguments and its outputs."""

    def __init__(self, operation, args, kwargs, outputs):
        self.operation, self.args, self.kwargs, self.outputs = operation, args, kwargs, outputs
        self.input_tensors = [v for v in flatten((args, kwargs)) if isinstance(v, KerasTensor)]
        self.output_tensors = [v for v in flatten(outputs) if isinstance(v, KerasTensor)]
        nodes = vars(operation).setdefault("_inbound_nodes", [])
        for index, tensor in enumerate(self.output_tensors):
            tensor._keras_history = (operation, len(nodes), index)
        nodes.append(self)

    @property
    def is_input(self):
        """Whether this is the node of an `Input`."""
        return not self.input_tensors

    @property
    def parent_nodes(self):
        """The nodes that made the inputs."""
        return [
            node_of(tensor) for tensor in self.input_tensors if hasattr(tensor, "_keras_history")
        ]


def history_of(tensor: KerasTensor) -> tuple[typing.Any, int, int]:
    """(operation, number of its call, number of the output): where a tensor comes from."""
    return tensor._keras_history


def nodes_of(operation: typing.Any) -> list[Node]:
    """The nodes of the calls of an operation, in their order."""
    return operation._inbound_nodes


def operation_of(tensor: KerasTensor) -> typing.Any:
    """The layer or op that made a tensor."""
    return history_of(tensor)[0]


def node_of(tensor: KerasTensor) -> Node:
    """The node that made a tensor."""
    operation, index, _ = history_of(tensor)
    return nodes_of(operation)[index]


class Graph(typing.NamedTuple):
    """What a functional model runs: its nodes, sorted, and the structures of its ends."""

    nodes: list
    inputs: typing.Any
    outputs: typing.Any


def graph_of(model):
    """The graph of a functional model; None for any other model or layer."""
    if not hasattr(model, "_nodes"):
        return None
    return Graph(model._nodes, model._inputs_struct, model._outputs_struct)


def sort(inputs, outputs):
    """Nodes and operations between inputs and outputs, deepest first, in Keras's order.

    Returns:
        (nodes, operations): lists. An operation's depth is its longest way to an output.
    Raises:
        ValueError: for an output that does not follow from the inputs.
    """
    entry = set(inputs)
    order, index, finished, running = [], {}, set(), set()
    # (node, its parents still to come): a list of ours, since a graph may be deeper than Python's
    # stack
    path = []

    def enter(tensor):
        if not hasattr(tensor, "_keras_history"):
            raise ValueError(
                f"The tensor {tensor} was not made by a layer or op from an `Input`; graph "
                "disconnected."
            )
        node = node_of(tensor)
        if node in finished:
            return
        if node in running:
            raise ValueError(
                f"Tensor {tensor} from operation '{node.operation.name}' is part of a cycle."
            )
        index.setdefault(node.operation, len(index))
        running.add(node)
        if tensor not in entry and not node.input_tensors:
            raise ValueError(
                f"Output {[t.name for t in outputs]} is not connected to `inputs`: tensor "
                f"{tensor} of layer '{node.operation.name}' is needed but not among the inputs "
                f"{[t.name for t in inputs]}."
            )
        path.append((node, iter(() if tensor in entry else node.input_tensors)))

    for tensor in outputs:
        enter(tensor)
        while path:
            node, parents = path[-1]
            parent = next(parents, None)
            if parent is not None:
                enter(parent)
                continue
            path.pop()
            running.discard(node)
            finished.add(node)
            order.append(node)
    return _by_depth(inputs, order, index)


def _by_depth(inputs, order, index):
    cut = set(map(node_of, inputs))
    depths, operation_depths = collections.defaultdict(int), collections.defaultdict(int)
    for node in reversed(order):
        depth = max(depths[node], operation_depths[node.operation])
        depths[node] = operation_depths[node.operation] = depth
        for parent in () if node in cut else node.parent_nodes:
            depths[parent] = max(depth + 1, depths[parent])
    for tensor in inputs:
        node = node_of(tensor)
        if node.operation not in operation_depths:
            operation_depths[node.operation], index[node.operation] = 0, -1
            depths[node] = 0
    # within a depth as they were met on the way from the outputs, as Keras runs and clones them
    nodes = sorted(depths, key=lambda node: -depths[node])
    operations = sorted(operation_depths, key=lambda o: (-operation_depths[o], index[o]))
    return nodes, operations


def run(nodes, inputs, outputs, values, call):
    """One straight loop over the nodes.

    Args:
        inputs: the graph's input tensors; `values`: their values, in order.
        call: `(operation, args, kwargs) -> value`.
    """
    computed = dict(zip(inputs, values))
    filled = functools.partial(map_tensors, computed.__getitem__)
    for node in nodes:
        if all(t in computed for t in node.output_tensors):
            continue
        result = call(node.operation, filled(node.args), filled(node.kwargs))
        for tensor, value in zip(flatten(node.outputs), flatten(result)):
            if isinstance(tensor, KerasTensor) and tensor not in computed:
                computed[tensor] = value
    return filled(outputs)
