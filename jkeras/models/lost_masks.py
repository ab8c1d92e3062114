"""Where the mask of padding is lost on the way through a graph, as at the `+` of a residual branch,
and who then takes padding for data.
"""

import warnings
from typing import Any, NamedTuple

from jkeras.core import graph, keras_tensor
from jkeras.core.call import VISIBILITY
from jkeras.core.errors import LostMaskWarning
from jkeras.core.layer import Layer
from jkeras.layers.merge import Merge


class LostMask(NamedTuple):
    """A mask that does not travel on.

    Attributes:
        at: the operation behind which it is not known.
        taker: the first that would have heeded it; None: the loss.
    """

    at: Any
    taker: Any


def warn_of_lost_masks(model: Any, has_weights: bool, known: set[str]) -> set[str]:
    """Warns of the masks that are lost in a model, where it is a graph and somebody misses them.

    Args:
        has_weights: whether the loss has weights of its own, or there is none.
        known: names of operations that need no warning.

    Returns:
        The names of the others that lose masks.
    """
    lost = [one for one in lost_masks(model) if one.at.name not in known]
    lost = [one for one in lost if one.taker is not None or not has_weights]
    for at, taker in lost:
        who = "the loss" if taker is None else f"'{taker.name}' ({type(taker).__name__})"
        warnings.warn(
            f"Model '{model.name}': the mask of padding ends at '{at.name}' "
            f"({type(at).__name__}), as in Keras, and {who} takes padding for data. To fix it: "
            "use layers that pass masks on (of masked inputs alone, `Add` does, `+` does not), "
            "pass `mask=` to the layer, or `sample_weight` to the loss.",
            LostMaskWarning,
            stacklevel=5,
        )
    return {one.at.name for one in lost}


def lost_masks(model: Any) -> list[LostMask]:
    """The masks that are lost in a graph and are missed, one for each operation that loses one."""
    parts = graph.graph_of(getattr(model, "_functional", None) or model)
    if parts is None:
        return []
    nodes, _, outputs = parts
    lost = {}  # by the tensor that had a mask: the operation that lost it
    found = {}
    for node in nodes:
        missed = [lost[id(t)] for t in node.input_tensors if id(t) in lost]
        if missed and getattr(node.operation, "heeds_masks", False):
            if not _is_told(node):
                found.setdefault(id(missed[0]), LostMask(missed[0], node.operation))
        else:
            lost |= _lost_by(node, missed)
    for tensor in keras_tensor.flatten(outputs):
        if id(tensor) in lost:
            at = lost[id(tensor)]
            found.setdefault(id(at), LostMask(at, None))
    return list(found.values())


def _lost_by(node, missed):
    """{id(output): operation that lost its mask} of a node.

    Args:
        missed: the operations that lost masks of its inputs.
    """
    is_masked = any(t._keras_mask is not None for t in node.input_tensors)
    if missed and _hands_on(node.operation):
        at = missed[0]
    elif is_masked and _loses(node.operation):
        at = node.operation
    else:
        return {}
    steps = {t.shape[:2] for t in node.input_tensors if len(t.shape) > 1}
    return {
        id(t): at
        for t in node.output_tensors
        if t._keras_mask is None and t.dtype != "bool" and len(t.shape) > 2 and t.shape[:2] in steps
    }


def _loses(operation):
    """Whether no mask comes out behind an operation, though there are steps still."""
    is_merge = isinstance(operation, Merge)  # of masked inputs with others
    return not isinstance(operation, Layer) or is_merge or not operation.supports_masking


def _hands_on(operation):
    """Whether outputs have the masks that inputs have."""
    return _loses(operation) or type(operation).compute_mask is Layer.compute_mask


def _is_told(node):
    """Whether a call says by itself what is padding."""
    return any(
        name.endswith(VISIBILITY) or name == "mask"
        for name, value in node.kwargs.items()
        if any(v is not None for v in keras_tensor.flatten(value))
    )
