"""What symbolic tensors depend on."""

from collections.abc import Iterator
from typing import Any

from jkeras.core.graph.graph import node_of
from jkeras.core.names.registry import public


@public("keras.utils.get_source_inputs")
def get_source_inputs(tensor: Any) -> Any:
    """The `Input` tensors, and other symbolic tensors that no operation made, that a tensor of a
    graph depends on.

    Args:
        tensor: a symbolic tensor, or a structure of them.
    Returns:
        a list of symbolic tensors.

    >>> import jkeras
    >>> x = jkeras.Input((3,))
    >>> get_source_inputs(x + 1.0) == [x]
    True
    """
    if not hasattr(tensor, "_keras_history"):
        return tensor
    return list(dict.fromkeys(_sources(tensor)))


def _sources(tensor: Any) -> Iterator:
    if not hasattr(tensor, "_keras_history"):
        yield tensor
        return
    node = node_of(tensor)
    if node.is_input:
        yield from node.output_tensors
    for parent in node.input_tensors:
        yield from _sources(parent)
