"""Labels that cannot belong to the predictions, or name no class, raise before they train."""

import numpy as np

from jkeras import losses


def check_labels(y_true, y_pred, loss, name):
    """Raises ValueError where labels cannot belong to the predictions."""
    where = f"The labels{f' of output {name!r}' if name else ''}"
    if y_true is None:
        raise ValueError(
            f"{where} are missing (y is None), and the loss '{loss.name}' needs them. Pass `y`, "
            "or give no `loss` and use `add_loss`."
        )
    if y_true.ndim and y_pred.ndim and y_true.shape[0] != y_pred.shape[0]:
        raise ValueError(
            f"{where} have {y_true.shape[0]} rows and the predictions {y_pred.shape[0]}."
        )
    if (
        takes_classes(loss)
        and y_true.ndim == y_pred.ndim
        and y_true.shape[-1] != 1
        and (loss.fn_kwargs().get("axis", -1) in (-1, y_pred.ndim - 1))
    ):
        raise ValueError(
            f"{where} have shape {y_true.shape} and the predictions {y_pred.shape}: "
            "'sparse_categorical_crossentropy' takes whole numbers, of the predictions' shape "
            "without the axis of classes. Use 'categorical_crossentropy' for one-hot labels."
        )
    if "categorical_crossentropy" in str(loss.name) and not str(loss.name).startswith(
        ("sparse", "binary")
    ):
        if (
            y_true.ndim == y_pred.ndim
            and y_true.shape[-1] != y_pred.shape[-1]
            or y_true.ndim < y_pred.ndim
        ):
            raise ValueError(
                f"{where} have shape {y_true.shape} and the predictions {y_pred.shape}: "
                f"'{loss.name}' takes one-hot labels. Use 'sparse_categorical_crossentropy' for "
                "whole numbers, or `to_categorical` on the labels."
            )


def takes_classes(loss):
    """Whether a loss takes classes as whole numbers."""
    return getattr(loss, "fn", None) is losses.sparse_categorical_crossentropy


def check_range(y_true, sample_weight, loss, shape, name):
    """Raises ValueError where labels on the host lie outside [0, classes).

    Args:
        shape: of the predictions.
        name: of the output, or None.
    """
    arguments = loss.fn_kwargs()
    classes = shape[arguments.get("axis", -1)]
    outside = (y_true < 0) | (y_true >= classes)
    if not outside.any():
        return
    if arguments.get("ignore_class") is not None:
        outside &= y_true != arguments["ignore_class"]
    if sample_weight is not None:
        weight = np.asarray(sample_weight)
        outside &= weight.reshape(weight.shape + (1,) * (y_true.ndim - weight.ndim)) != 0
    if outside.any():
        raise ValueError(
            f"The labels{f' of output {name!r}' if name else ''} must be classes in [0, "
            f"{classes}), the size of the predictions' last axis, for the loss '{loss.name}'. "
            f"Received the label {y_true[outside][0]} ({outside.sum()} of {y_true.size} lie "
            "outside). Give the output more units, count the classes from 0, or set the loss's "
            "`ignore_class`."
        )
