"""What the functions of this package are given: labels and scores of classes, checked."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain


def as_floats(values: Any) -> jax.Array:
    """Numbers as an array of floats; half precision as float32, since sums over rows need it."""
    array = jnp.asarray(values)
    return array.astype(jnp.promote_types(array.dtype, "float32"))


def labels_and_scores(
    labels: Any, scores: Any, where: str, name: str = "probabilities"
) -> tuple[jax.Array, jax.Array]:
    """(class of each row, its scores (rows, classes)).

    Args:
        labels: integers (rows,) or (rows, 1), or one-hot rows.
        name: what the scores are called in messages.

    Raises:
        ValueError: shapes that do not go together; a label that is none of the classes.
    """
    scores = as_floats(scores)
    if scores.ndim != 2:
        wanted = f"`{name}` of shape (rows, classes)"
        raise ValueError(explain(where, wanted, f"shape {scores.shape}"))
    labels = jnp.asarray(labels)
    rows, classes = scores.shape
    if labels.shape == scores.shape and classes > 1:
        return jnp.argmax(labels, axis=-1), scores
    if labels.shape not in ((rows,), (rows, 1)):
        wanted = f"`labels` of shape {(rows,)}, or one-hot {(rows, classes)}"
        raise ValueError(explain(where, wanted, f"shape {labels.shape}"))
    labels = labels.reshape(rows)
    _check_range(labels, classes, where)
    return labels.astype("int32"), scores


def _check_range(labels, classes, where):
    """Labels that are traced are not looked at."""
    if isinstance(labels, jax.core.Tracer) or not labels.size:
        return
    values = np.asarray(labels)
    if values.min() < 0 or values.max() >= classes or (values % 1).any():
        wanted = f"labels that are integers from 0 to {classes - 1}"
        received = f"labels from {values.min()} to {values.max()}"
        raise ValueError(explain(where, wanted, received))


def of_labels(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """The score of each row's label: (rows,)."""
    return jnp.take_along_axis(scores, labels[:, None], axis=-1)[:, 0]
