"""Arguments of the functions of this package, checked: labels and scores of classes.

Values that are traced cannot be looked at: there what is no distribution becomes nan, which is seen
in the result, and labels are taken as they are.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names.dtypes import wide
from jkeras.core.errors import explain

OF_SUM = (
    1e-2  # by how much a row's sum may miss 1: probabilities that were rounded, to bfloat16 too
)
OF_ONE = 1e-3  # and a single probability its range


def as_floats(values: Any) -> jax.Array:
    """Numbers as an array of floats; half precision as float32, since sums over rows need it."""
    return wide(jnp.asarray(values))


def is_concrete(*arrays: Any) -> bool:
    """Whether values can be looked at: none of them is traced."""
    return not any(isinstance(array, jax.core.Tracer) for array in arrays)


def check_some(array: jax.Array, where: str, name: str) -> None:
    """Raises ValueError where there is nothing in an array."""
    if not array.size:
        raise ValueError(explain(where, f"`{name}` of 1 row or more", f"shape {array.shape}"))


def check_numbers(array: jax.Array, where: str, name: str, smallest: float = -np.inf) -> None:
    """Raises ValueError where concrete numbers are NaN, or below a smallest one."""
    if not is_concrete(array) or not array.size:
        return
    values = np.asarray(array)
    if np.isnan(values).any():
        raise ValueError(explain(where, f"`{name}` of numbers", "NaN among them"))
    if values.min() < smallest:
        wanted = f"`{name}` of {smallest:g} or more"
        raise ValueError(explain(where, wanted, f"{values.min():g} among them"))


def as_probabilities(
    scores: Any,
    where: str,
    name: str = "probabilities",
    *,
    from_logits: bool = False,
    classes: bool = True,
    fix: str = "give probabilities, or logits with `from_logits=True`",
) -> jax.Array:
    """Distributions over classes along the last axis, which has size 1 where it is the probability
    of label 1 alone.

    Args:
        from_logits: whether the scores are logits, of a softmax or of one sigmoid.
        classes: False: there is no axis of classes, each number is the probability of label 1.
        fix: what to do where they are neither.

    Raises:
        ValueError: numbers that are no probabilities: NaN, outside of 0 to 1, rows that do not add
            up to 1.
    """
    scores = as_floats(scores)
    is_single = not classes or not scores.ndim or scores.shape[-1] == 1
    if from_logits:
        check_numbers(scores, where, name)
        return jax.nn.sigmoid(scores) if is_single else jax.nn.softmax(scores, axis=-1)
    if is_concrete(scores):
        _check_probabilities(np.asarray(scores), is_single, where, name, fix)
        return scores
    valid = _are_probabilities(jnp, scores, is_single)
    return jnp.where(valid if is_single else valid[..., None], scores, jnp.nan)


def _are_probabilities(library: Any, scores: Any, is_single: bool) -> Any:
    """Of each row, or of each number where each stands alone."""
    within = (scores >= -OF_ONE) & (scores <= 1 + (OF_ONE if is_single else OF_SUM))
    if is_single:
        return within
    return within.all(-1) & (library.abs(scores.sum(-1) - 1) <= OF_SUM)


def _check_probabilities(
    scores: np.ndarray, is_single: bool, where: str, name: str, fix: str
) -> None:
    if not scores.size or _are_probabilities(np, scores, is_single).all():
        return
    wanted = f"`{name}` between 0 and 1" + ("" if is_single else " that add up to 1 in each row")
    if np.isnan(scores).any():
        raise ValueError(explain(where, wanted, "NaN among them"))
    if not is_single and scores.min() >= -OF_ONE and scores.max() <= 1 + OF_SUM:
        sums = scores.sum(-1)
        received = f"sums from {sums.min():.4g} to {sums.max():.4g}"
    else:
        received = f"numbers from {scores.min():.4g} to {scores.max():.4g}"
    raise ValueError(explain(where, wanted, received, fix))


def labels_and_scores(
    labels: Any, scores: jax.Array, where: str, name: str = "probabilities"
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
    check_some(scores, where, name)
    rows, classes = scores.shape
    if classes == 1:
        fix = "give both classes: `np.concatenate([1 - p, p], axis=1)`"
        received = f"shape {scores.shape}"
        raise ValueError(explain(where, f"`{name}` of 2 classes or more", received, fix))
    labels = jnp.asarray(labels)
    if labels.shape == scores.shape:
        check_one_hot(labels, where)
        return jnp.argmax(labels, axis=-1), scores
    if labels.shape not in ((rows,), (rows, 1)):
        wanted = f"`labels` of shape {(rows,)}, or one-hot {(rows, classes)}"
        raise ValueError(explain(where, wanted, f"shape {labels.shape}"))
    labels = labels.reshape(rows)
    check_labels(labels, classes, where)
    return labels.astype("int32"), scores


def check_labels(labels: jax.Array, classes: int, where: str) -> None:
    """Raises ValueError where concrete labels are no integers below the number of classes."""
    if not is_concrete(labels) or not labels.size:
        return
    values = np.asarray(labels)
    if values.min() < 0 or values.max() >= classes or (values % 1).any():
        wanted = f"labels that are integers from 0 to {classes - 1}"
        received = f"labels from {values.min()} to {values.max()}"
        raise ValueError(explain(where, wanted, received))


def check_one_hot(labels: jax.Array, where: str) -> None:
    """Raises ValueError where concrete rows have anything but one 1 among zeros."""
    if not is_concrete(labels) or not labels.size:
        return
    values = np.asarray(labels)
    if not (((values == 0) | (values == 1)).all() and (values.sum(-1) == 1).all()):
        received = f"rows of numbers from {values.min():.4g} to {values.max():.4g}"
        fix = "give integer labels, and first the labels, then what was predicted"
        raise ValueError(explain(where, "one-hot rows as `labels`", received, fix))


def of_labels(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """The score of each row's label: (rows,)."""
    return jnp.take_along_axis(scores, labels[:, None], axis=-1)[:, 0]
