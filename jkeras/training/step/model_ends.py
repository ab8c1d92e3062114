"""Whether the end of a model and its loss agree on what the outputs are: logits or probabilities.
What neither the graph of a model nor a pass shows is not guessed at.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from jkeras import activations, losses
from jkeras.core.graph.graph import history_of, node_of
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.names.registry import public_name
from jkeras.core.say.warning import warn
from jkeras.losses import Loss

if TYPE_CHECKING:
    from jkeras.training.step.compile_loss import CompileLoss

CROSSENTROPIES = {
    losses.binary_crossentropy: ("BinaryCrossentropy", "sigmoid"),
    losses.binary_focal_crossentropy: ("BinaryFocalCrossentropy", "sigmoid"),
    losses.categorical_crossentropy: ("CategoricalCrossentropy", "softmax"),
    losses.categorical_focal_crossentropy: ("CategoricalFocalCrossentropy", "softmax"),
    losses.sparse_categorical_crossentropy: ("SparseCategoricalCrossentropy", "softmax"),
}
PROBABILITIES = (activations.softmax, activations.sigmoid, activations.hard_sigmoid)
# whose outputs are a weighted sum of any size, before the activation
AFFINE = tuple(
    f"keras.layers.{name}"
    for name in (
        "Dense EinsumDense Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose "
        "DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D"
    ).split()
)
SAME_VALUES = tuple(f"keras.layers.{name}" for name in "Reshape Flatten Permute Identity".split())


class End(NamedTuple):
    """What makes an output of a model.

    Attributes:
        by: it, in words.
        are_logits: whether the output has logits; else probabilities.
    """

    by: str
    are_logits: bool


def warn_of_logits(model: Any, compiled: "CompileLoss") -> None:
    """Warns of a loss of probabilities on the logits of a layer without an activation, and of one
    of logits on the probabilities of a softmax or sigmoid.

    Args:
        model: a built one; where it is no graph, nothing is known.
    """
    if getattr(model, "outputs", None) is None or not _runs_its_graph(model):
        return
    compiled.ends_are_known = True
    tensors = compiled.outputs.pick(model.output, "y_pred")
    for entry in compiled.entries:
        named = CROSSENTROPIES.get(getattr(entry.loss, "fn", None))
        if named is None or not isinstance(entry.outputs, int):
            continue
        takes_logits = _takes_logits(entry.loss)
        end = end_of(tensors[entry.outputs])
        if end is not None and end.are_logits != takes_logits:
            warn(_said(f"Model '{model.name}'", entry.loss.name, end, *named))


def warn_of_end(end: End | None, loss: Loss) -> None:
    """Warns of an end that a pass showed and that the loss takes for something else; the graph of
    the model, if there is one, did not show it.
    """
    named = CROSSENTROPIES.get(getattr(loss, "fn", None))
    if named is not None and end is not None and end.are_logits != _takes_logits(loss):
        warn(_said("The model", loss.name, end, *named))


def _takes_logits(loss: Any) -> bool:
    return bool(loss.fn_kwargs().get("from_logits", False))


def _said(where: str, loss: str, end: End, name: str, activation: str) -> str:
    """What is wrong with the end of a model, and what to do."""
    if end.are_logits:
        return (
            f"{where}: {end.by} gives logits, which may be any numbers, and the loss '{loss}' "
            "takes them for probabilities. It trains badly or not at all. To fix it: "
            f"`loss=losses.{name}(from_logits=True)`, or `activation='{activation}'` in the layer."
        )
    return (
        f"{where}: {end.by} gives probabilities, and the loss '{loss}' has `from_logits=True`: it "
        "takes them for logits, so that it trains slowly and the loss stays high. To fix it: leave "
        "out `from_logits=True`, or the activation."
    )


def end_of(tensor: KerasTensor) -> End | None:
    """What makes the values of an output; None: something of which it is not known whether they
    are logits or probabilities.
    """
    while hasattr(tensor, "_keras_history"):
        operation, _, index = history_of(tensor)
        if public_name(type(operation)) in SAME_VALUES or _is_linear_activation(operation):
            tensor = node_of(tensor).input_tensors[0]
        elif getattr(operation, "outputs", None) and _runs_its_graph(operation):
            tensor = operation.outputs[index]
        else:
            return end_by(operation)
    return None


def _runs_its_graph(model: Any) -> bool:
    """Whether a graph of layers is what a model runs, rather than a `call` of the user's."""
    return type(model).call.__module__.startswith("jkeras.")


def _is_linear_activation(operation: Any) -> bool:
    is_activation = public_name(type(operation)) == "keras.layers.Activation"
    return is_activation and operation.activation is activations.linear


def end_by(operation: Any) -> End | None:
    """The end that a layer or op is; None: nobody knows."""
    kind = public_name(type(operation))
    if kind == "keras.layers.TimeDistributed":
        return end_by(operation.layer)
    function = _function_of(operation, kind)
    if function in PROBABILITIES:
        return End(f"'{operation.name}' ({function.__name__})", are_logits=False)
    if kind in AFFINE and function is activations.linear and not _may_keep_probabilities(operation):
        by = f"'{operation.name}' ({type(operation).__name__} without an activation)"
        return End(by, are_logits=True)
    return None


def _may_keep_probabilities(layer: Any) -> bool:
    """Whether a weighted sum may be made to give probabilities of probabilities: its kernel is
    held in bounds, or was set and frozen, as one that adds up classes.
    """
    return getattr(layer, "kernel_constraint", None) is not None or not layer.trainable


def _function_of(operation: Any, kind: str | None) -> Any:
    """The function that an operation ends with; None: another than an activation."""
    if kind == "keras.layers.Softmax":
        return activations.softmax
    if kind is None and hasattr(operation, "op"):
        known = {function.__name__: function for function in PROBABILITIES}
        return known.get(operation.op.function.__name__)
    if kind in (*AFFINE, "keras.layers.Activation"):
        return operation.activation
    return None
