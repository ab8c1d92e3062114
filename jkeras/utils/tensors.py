"""What symbolic tensors depend on."""

from jkeras.core.graph import node_of
from jkeras.core.registry import public


@public("keras.utils.get_source_inputs")
def get_source_inputs(tensor):
    """The `Input` tensors that a tensor of a graph depends on.

    >>> import jkeras
    >>> x = jkeras.Input((3,))
    >>> get_source_inputs(x + 1.0) == [x]
    True
    """
    if not hasattr(tensor, "_keras_history"):
        return tensor
    node = node_of(tensor)
    if node.is_input:
        return list(node.output_tensors)
    sources = {
        id(source): source for parent in node.input_tensors for source in get_source_inputs(parent)
    }
    return list(sources.values())
