"""Sample weights: whether they fit the labels, and those that follow from classes."""

import typing

import jax
import numpy as np

from jkeras.core.settings import floatx


def check_weights(y: typing.Any, sample_weight: typing.Any) -> None:
    """Raises ValueError for sample weights that cannot belong to several outputs."""
    if sample_weight is None or not isinstance(y, (list, tuple, dict)):
        return
    if isinstance(sample_weight, (list, tuple, dict)):
        structures = [
            jax.tree_util.tree_structure(v, is_leaf=lambda leaf: leaf is None)
            for v in (y, sample_weight)
        ]
        if structures[0] != structures[1]:
            raise ValueError(
                "You should provide one `sample_weight` array per output in `y`, in the same "
                f"structure. Received: y of structure {structures[0]}, sample_weight of "
                f"{structures[1]}."
            )
    elif sample_weight.ndim != 1 and sample_weight.shape[1:] != (1,):
        raise ValueError(
            "For a model with multiple outputs a single `sample_weight` array needs one number "
            f"per sample, shape (samples,). Received the shape {sample_weight.shape}. Give one "
            "array per output for other weights."
        )


def class_weights(y: typing.Any, sample_weight: typing.Any, class_weight: dict) -> np.ndarray:
    """The weight of each sample's class; labels are whole numbers or one-hot.

    Raises:
        ValueError: with sample weights, or several outputs.
    """
    if sample_weight is not None:
        raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
    if y is None or isinstance(y, (dict, list, tuple)):
        raise ValueError("`class_weight` is only supported for models with a single output.")
    y = np.asarray(y)
    if y.ndim > 1 and y.shape[-1] == 1:
        y = y[..., 0]
    elif y.ndim > 1:
        y = y.argmax(-1)
    y = np.round(y).astype("int32")
    weights = np.ones(y.shape, floatx())
    for label, weight in class_weight.items():
        weights[y == label] = weight
    return weights
