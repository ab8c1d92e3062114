"""Where the mask of padding is lost on the way through a graph, as at the `+` of a residual branch,
and who then takes padding for data.
"""

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple
from collections.abc import Iterable

from jkeras.core.graph.by_identity import ByIdentity
from jkeras.core.graph import graph, keras_tensor
from jkeras.core.run.call import VISIBILITY
from jkeras.core.errors import LostMaskWarning
from jkeras.core.layer import Layer
from jkeras.core.layer.view import layers_of
from jkeras.layers.merge import Merge

if TYPE_CHECKING:
    from jkeras.core.graph.graph import Graph, Node
    from jkeras.core.graph.keras_tensor import KerasTensor


class LostMask(NamedTuple):
    """A mask that does not travel on.

    Attributes:
        at: the operation behind which it is lost.
        taker: the first that would have heeded it; None: the loss.
    """

    at: Any
    taker: Any


def warn_of_lost_masks(model: Any, has_weights: bool, warned: set[str]) -> set[str]:
    """Warns of the masks that are lost in a model, where it is a graph and a layer needs them.

    Args:
        has_weights: whether the loss has weights of its own, or there is none.
        warned: names of operations that need no warning.

    Returns:
        The names of the others that lose masks.
    """
    lost = [one for one in lost_masks(model) if one.at.name not in warned]
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
    """The masks that are lost in the graph of a model, or of one inside of it, and are missed; one
    for each operation that loses one.

    What a `call` of the user's does in between is not seen, but for the graphs it calls.
    """
    losses = ByIdentity()
    parts = _graph(model)
    if parts is not None:
        walk = _Walk(losses)
        walk.through(parts)
        for tensor in keras_tensor.flatten(parts.outputs):
            if walk.lost.has(tensor):
                _note(losses, walk.lost.find(tensor), None)
    for layer in layers_of(model, include_self=False):
        if (parts := _graph(layer)) is not None:
            _Walk(losses).through(parts)
    return [loss for _, loss in losses]


def _note(losses: ByIdentity, operation: Any, used_by: Any) -> None:
    """Notes the loss of an operation, the first one."""
    if not losses.has(operation):
        losses.set(operation, LostMask(operation, used_by))


def _graph(layer: Any) -> "Graph | None":
    """The graph of a layer that has one."""
    return graph.graph_of(getattr(layer, "_functional", None) or layer)


class _Walk:
    """One way through a graph, with the masks and the losses by tensor; a `SymbolicRun` of its own,
    since a graph is called with masks that its own tensors know nothing of.

    Args:
        losses: {operation that loses a mask: the loss} of all graphs, filled in.
    """

    is_eager = False

    def __init__(self, losses: ByIdentity) -> None:
        self.losses = losses
        self.masks = ByIdentity()  # {tensor: mask}
        self.lost = ByIdentity()  # {tensor that had a mask: operation that lost it}

    def mask_of(self, tensor: "KerasTensor") -> Any:
        """The mask of a tensor, or None."""
        return self.masks.find(tensor)

    def set_mask(self, tensor: "KerasTensor", mask: Any) -> None:
        """Notes the mask of a tensor."""
        self.masks.set(tensor, mask)

    def through(self, parts: "Graph") -> None:
        """Goes through the nodes of a graph, whose inputs may have masks and losses."""
        for node in parts.nodes:
            if node.is_input:
                continue
            inner = _graph(node.operation)
            if inner is not None and self._enter(node, inner):
                continue
            self._pass_masks(node)
            missed = [self.lost.find(t) for t in node.input_tensors if self.lost.has(t)]
            if missed and _uses_mask(node.operation):
                if not _has_explicit_mask(node):
                    _note(self.losses, missed[0], node.operation)
            else:
                self._lose(node, missed)

    def _enter(self, node: "Node", inner: "Graph") -> bool:
        """Goes through the graph of a model that a node calls; whether its inputs match."""
        call = node.operation.bind_call(node.args, node.kwargs)
        outer = keras_tensor.flatten(call.first)
        inputs = keras_tensor.flatten(inner.inputs)
        outputs = keras_tensor.flatten(inner.outputs)
        if len(inputs) != len(outer) or len(outputs) != len(node.output_tensors):
            return False
        walk = _Walk(self.losses)
        walk.take(self, zip(outer, inputs, strict=True))
        mask = call.arguments.get("mask")
        walk.set_masks(inputs, mask if isinstance(mask, (list, tuple)) else [mask])
        walk.through(inner)
        self.take(walk, zip(outputs, node.output_tensors, strict=True))
        return True

    def take(self, other: "_Walk", pairs: "Iterable[tuple[KerasTensor, KerasTensor]]") -> None:
        """Takes over what another walk knows of tensors; pairs of its own and of this one's."""
        for theirs, ours in pairs:
            self.masks.set(ours, other.masks.find(theirs))
            if other.lost.has(theirs):
                self.lost.set(ours, other.lost.find(theirs))

    def set_masks(self, tensors: "list[KerasTensor]", masks: Iterable[Any]) -> None:
        """Notes the masks that a call says; None where it says none."""
        for tensor, mask in zip(tensors, masks):
            if mask is not None:
                self.masks.set(tensor, mask)
                self.lost.drop(tensor)

    def _pass_masks(self, node: "Node") -> None:
        """Sets the masks of a node's outputs; operators have none."""
        operation = node.operation
        if isinstance(operation, Layer):
            call = operation.bind_call(node.args, node.kwargs)
            call.populate(self, None)
            operation.pass_masks(self, call, node.outputs)

    def _lose(self, node: "Node", missed: list) -> None:
        """Notes the outputs whose mask is lost.

        Args:
            missed: the operations that lost masks of the inputs.
        """
        is_masked = any(self.mask_of(t) is not None for t in node.input_tensors)
        if missed and _hands_on(node.operation):
            at = missed[0]
        elif is_masked and _loses(node.operation):
            at = node.operation
        else:
            return
        for t in node.output_tensors:
            if _has_steps(t, node) and self.mask_of(t) is None:
                self.lost.set(t, at)


def _loses(operation: Any) -> bool:
    """Whether no mask comes out behind an operation, though there are steps still."""
    is_merge = isinstance(operation, Merge)  # of masked inputs with others
    return not isinstance(operation, Layer) or is_merge or not operation.supports_masking


def _has_steps(tensor: "KerasTensor", node: "Node") -> bool:
    """Whether an output has the steps of an input, or fewer or more, as behind a convolution."""
    if len(tensor.shape) < 3 or tensor.dtype == "bool":
        return False
    if any(tensor.shape[:2] == t.shape[:2] for t in node.input_tensors):
        return True
    resizes = isinstance(node.operation, Layer) and not node.operation.supports_masking
    ranks = {len(t.shape) for t in node.input_tensors}
    return resizes and ranks == {len(tensor.shape)} and tensor.shape[1] != 1


def _hands_on(operation: Any) -> bool:
    """Whether outputs have the masks that inputs have."""
    return _loses(operation) or type(operation).compute_mask is Layer.compute_mask


def _has_explicit_mask(node: "Node") -> bool:
    """Whether a call says by itself what is padding."""
    return any(
        name.endswith(VISIBILITY) or name == "mask"
        for name, value in node.kwargs.items()
        if any(v is not None for v in keras_tensor.flatten(value))
    )


def _uses_mask(operation):
    """Whether a layer or op computes something else where there is a mask."""
    return isinstance(operation, Layer) and operation.traits.uses_mask
