"""Lines in a graph: each operation takes what the one before gives, and no other does."""

from collections import Counter
from typing import Any

from jkeras.core.graph.graph import Graph
from jkeras.core.graph.keras_tensor import KerasTensor, flatten


def lines_of(graph: Graph) -> list[list[Any]]:
    """The operations of a graph in lines.

    >>> import jkeras
    >>> x = jkeras.Input((2,), name="x")
    >>> y = jkeras.layers.Dense(2, name="first")(x)
    >>> z = jkeras.layers.Dense(2, name="second")(y)
    >>> from jkeras.core.graph.graph import graph_of
    >>> lines = lines_of(graph_of(jkeras.Model(x, z)))
    >>> [[operation.name for operation in line] for line in lines]
    [['x', 'first', 'second']]
    """
    tensors = [tensor for node in graph.nodes for tensor in node.input_tensors]
    taken = Counter(tensors + flatten(graph.outputs))
    lines, ends = [], {}  # the line that ends with a tensor
    for node in graph.nodes:
        line = None
        taken_once = [x for x in node.args if isinstance(x, KerasTensor) and taken[x] == 1]
        if len(taken_once) == len(node.args) == 1 and not node.kwargs:
            line = ends.pop(taken_once[0], None)
        if line is None:
            line = []
            lines.append(line)
        line.append(node.operation)
        if isinstance(node.outputs, KerasTensor):
            ends[node.outputs] = line
    return lines
