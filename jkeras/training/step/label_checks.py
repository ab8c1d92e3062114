"""Labels that cannot belong to the predictions, or name no class, raise before they train."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jkeras import losses
from jkeras.core.errors import ShapeError, explain
from jkeras.core.graph.keras_tensor import flatten
from jkeras.core.names.registry import public_name
from jkeras.core.say.warning import warn
from jkeras.kernel import labels_seen
from jkeras.losses import Loss
from jkeras.losses.reduction import squeeze_or_expand_to_same_rank
from jkeras.training.types import Structure
from jkeras.programs.primitives import facts_of
from jkeras.programs.walk import walk

# how far predictions are from labels that are any numbers
DISTANCES = (
    losses.mean_squared_error,
    losses.mean_absolute_error,
    losses.mean_absolute_percentage_error,
    losses.mean_squared_logarithmic_error,
    losses.huber,
    losses.log_cosh,
)
ELEMENTWISE = frozenset(
    (
        *DISTANCES,
        losses.cosine_similarity,
        losses.hinge,
        losses.squared_hinge,
        losses.kl_divergence,
        losses.poisson,
        losses.binary_crossentropy,
        losses.binary_focal_crossentropy,
    )
)


def check_labels(y_true: jax.Array | None, y_pred: jax.Array, loss: Loss, name: str | None) -> None:
    """Raises ValueError where labels cannot belong to the predictions, and warns where they are
    broadcast.

    Args:
        name: of the output, or None.
    """
    where = described(name)
    if y_true is None:
        raise ValueError(
            f"{where} are missing (y is None), and the loss '{loss.name}' needs them. Pass `y` "
            "beside `x`, or give no `loss` and use `add_loss`."
        )
    if y_true.ndim and y_pred.ndim and y_true.shape[0] != y_pred.shape[0]:
        raise ShapeError(
            f"{where} have {y_true.shape[0]} rows and the predictions {y_pred.shape[0]}."
        )
    if takes_classes(loss) and _are_one_hot(y_true, y_pred, loss):
        raise ValueError(
            f"{where} have shape {y_true.shape} and the predictions {y_pred.shape}: "
            "'sparse_categorical_crossentropy' takes whole numbers, of the predictions' shape "
            "without the axis of classes. Use 'categorical_crossentropy' for one-hot labels."
        )
    if _takes_one_hot(loss) and _are_classes(y_true, y_pred):
        raise ValueError(
            f"{where} have shape {y_true.shape} and the predictions {y_pred.shape}: "
            f"'{loss.name}' takes one-hot labels. Use 'sparse_categorical_crossentropy' for "
            "whole numbers, or `to_categorical` on the labels."
        )

    if getattr(loss, "fn", None) in ELEMENTWISE:
        _check_same_shape(y_true, y_pred, loss, where)


def _check_same_shape(y_true: jax.Array, y_pred: jax.Array, loss: Loss, where: str) -> None:
    """Warns of labels that a loss of single numbers broadcasts, as Keras's do; raises ValueError
    for those that it cannot compare. A last axis of size 1 may come or go.
    """
    matched = jax.eval_shape(squeeze_or_expand_to_same_rank, y_true, y_pred)
    shapes = [one.shape for one in matched]
    if shapes[0] == shapes[1]:
        return
    can_broadcast = len(shapes[0]) == len(shapes[1]) and all(
        a == b or 1 in (a, b) for a, b in zip(*shapes)
    )
    how = "is broadcast, so that a label meets several predictions, or the other way round"
    predicted, given = tuple(y_pred.shape), tuple(y_true.shape)
    if can_broadcast:  # the same words for each number of rows: they are traced one by one
        predicted, given = (None, *predicted[1:]), (None, *given[1:])
    text = explain(
        where,
        f"one number for each of the predictions, shape {predicted}, as the loss '{loss.name}' "
        "compares them one by one",
        f"shape {given}, which {how if can_broadcast else 'cannot be compared'}",
        "give labels of the predictions' shape, or the model an output of the labels' shape",
    )
    if not can_broadcast:
        raise ShapeError(text)
    warn(text)


def described(name: str | None) -> str:
    """What messages call the labels of an output."""
    return f"The labels of output {name!r}" if name else "The labels"


def takes_classes(loss: Any) -> bool:
    """Whether a loss, an object or a function, takes classes as whole numbers."""
    return getattr(loss, "fn", loss) is losses.sparse_categorical_crossentropy


class Classes(NamedTuple):
    """What labels of whole numbers may be.

    Attributes:
        count: they are below it.
        ignored: another label that may stand there, or None.
    """

    count: int
    ignored: int | None


def classes_of(loss: Loss, y_true: Any, y_pred: Any) -> Classes | None:
    """What a loss takes its labels for, where that is whole numbers; None: it is something else, or
    nobody knows.

    A loss of the user's own is run on shapes: it may hand its labels on to one of ours.

    Args:
        y_true, y_pred: arrays or shapes; None: there are no labels.
    """
    if takes_classes(loss):
        arguments = loss.fn_kwargs()
        return Classes(y_pred.shape[arguments.get("axis", -1)], arguments.get("ignore_class"))
    if y_true is None or _is_built_in(loss):
        return None
    specs = (jax.ShapeDtypeStruct(v.shape, loss.dtype) for v in (y_true, y_pred))
    found = []

    def run(y_true: jax.Array, y_pred: jax.Array) -> list[jax.Array]:
        with labels_seen.watched() as seen:
            loss.call(y_true, y_pred)
        found.extend(Classes(one.classes, one.ignored) for one in seen)
        return [one.labels for one in seen]

    try:
        jaxpr = jax.make_jaxpr(run)(*specs).jaxpr
    except Exception:  # whatever a user's loss raises here, the step raises and explains
        return None
    are_labels = walk(jaxpr, [True, False], _pass_on)
    return next((classes for classes, are in zip(found, are_labels) if are), None)


def _pass_on(eqn: Any, are_labels: list, _: int) -> list[bool]:
    """Whether what an operation gives are the labels, up to dtype and shape."""
    passes = are_labels == [True] and facts_of(eqn.primitive.name).passes_on
    return [passes] * len(eqn.outvars)


def _is_built_in(loss: Loss) -> bool:
    """Whether it is a loss of Keras's catalogue, or the wrapper of a function of it."""
    function = getattr(loss, "fn", None)
    return public_name(type(loss) if function is None else function) is not None


def _takes_one_hot(loss: Loss) -> bool:
    name = str(loss.name)
    return "categorical_crossentropy" in name and not name.startswith(("sparse", "binary"))


def _are_one_hot(y_true: jax.Array, y_pred: jax.Array, loss: Loss) -> bool:
    """Whether labels have an axis of classes where the loss expects none."""
    if y_true.ndim != y_pred.ndim or y_true.shape[-1] == 1:
        return False
    return loss.fn_kwargs().get("axis", -1) in (-1, y_pred.ndim - 1)


def _are_classes(y_true: jax.Array, y_pred: jax.Array) -> bool:
    """Whether labels lack the axis of classes, or it has another size."""
    if y_true.ndim == y_pred.ndim:
        return y_true.shape[-1] != y_pred.shape[-1]
    return y_true.ndim < y_pred.ndim


def check_range(
    y_true: np.ndarray,
    sample_weight: np.ndarray | None,
    loss: Loss,
    classes: Classes,
    name: str | None,
) -> None:
    """Raises ValueError where labels on the host are no whole numbers in [0, classes).

    Args:
        name: of the output, or None.
    """
    inside = (y_true >= 0) & (y_true < classes.count)  # NaN is not
    if y_true.dtype.kind == "f":
        inside &= y_true == np.floor(y_true)
    if inside.all():
        return
    outside = ~inside
    if classes.ignored is not None:
        outside &= y_true != classes.ignored
    if sample_weight is not None:
        weight = np.asarray(sample_weight)
        outside &= weight.reshape(weight.shape + (1,) * (y_true.ndim - weight.ndim)) != 0
    if outside.any():
        raise ValueError(
            f"{described(name)} must be classes in [0, {classes.count}), the size of the "
            f"predictions' last axis, for the loss '{loss.name}'. "
            f"Received the label {y_true[outside][0]} "
            f"({outside.sum()} of {y_true.size} are no such class). Give the output more units, "
            "count the classes from 0, or set the loss's `ignore_class`."
        )


def guess_labels(model: Any, y_pred: Structure) -> Structure:
    """Shapes of labels that suit the losses: whole numbers for sparse ones, the outputs' shapes for
    the others.
    """
    loss = getattr(model.compilation.losses, "loss", None)  # None: compiled without one
    leaves, treedef = jax.tree_util.tree_flatten(y_pred)
    shapes = list(leaves)
    for i, one in enumerate(_loss_of_each(model, loss, y_pred, len(leaves))):
        if takes_classes(losses.get(one)):
            shapes[i] = jax.ShapeDtypeStruct(leaves[i].shape[:-1], "int32")
    return jax.tree_util.tree_unflatten(treedef, shapes)


def _loss_of_each(model: Any, loss: Structure, y_pred: Structure, count: int) -> list:
    """The loss of each output as `compile` was given it; None where it was given none."""
    if isinstance(loss, dict):
        names = sorted(y_pred) if isinstance(y_pred, dict) else model.output_names
        return [loss.get(name) for name in names]
    if isinstance(loss, (list, tuple)):
        return flatten(loss)[:count]
    return [loss] * count
