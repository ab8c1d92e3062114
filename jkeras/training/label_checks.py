"""Labels that cannot belong to the predictions, or name no class, raise before they train."""

import jax
import numpy as np

from jkeras.core.errors import ShapeError
from jkeras import losses
from jkeras.losses import Loss


def check_labels(y_true: jax.Array | None, y_pred: jax.Array, loss: Loss, name: str | None) -> None:
    """Raises ValueError where labels cannot belong to the predictions.

    Args:
        name: of the output, or None.
    """
    where = _describe(name)
    if y_true is None:
        raise ValueError(
            f"{where} are missing (y is None), and the loss '{loss.name}' needs them. Pass `y`, "
            "or give no `loss` and use `add_loss`."
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


def _describe(name: str | None) -> str:
    return f"The labels of output {name!r}" if name else "The labels"


def takes_classes(loss: Loss) -> bool:
    """Whether a loss takes classes as whole numbers."""
    return getattr(loss, "fn", None) is losses.sparse_categorical_crossentropy


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
    shape: tuple[int, ...],
    name: str | None,
) -> None:
    """Raises ValueError where labels on the host are no whole numbers in [0, classes).

    Args:
        shape: of the predictions.
        name: of the output, or None.
    """
    arguments = loss.fn_kwargs()
    classes = shape[arguments.get("axis", -1)]
    inside = (y_true >= 0) & (y_true < classes)  # NaN is not
    if y_true.dtype.kind == "f":
        inside &= y_true == np.floor(y_true)
    if inside.all():
        return
    outside = ~inside
    if arguments.get("ignore_class") is not None:
        outside &= y_true != arguments["ignore_class"]
    if sample_weight is not None:
        weight = np.asarray(sample_weight)
        outside &= weight.reshape(weight.shape + (1,) * (y_true.ndim - weight.ndim)) != 0
    if outside.any():
        raise ValueError(
            f"{_describe(name)} must be classes in [0, "
            f"{classes}), the size of the predictions' last axis, for the loss '{loss.name}'. "
            f"Received the label {y_true[outside][0]} ({outside.sum()} of {y_true.size} are no "
            "such class). Give the output more units, count the classes from 0, or set the loss's "
            "`ignore_class`."
        )
