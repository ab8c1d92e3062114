"""Proper scores of probabilistic predictions, for each row: no prediction has a better mean than
the true distribution.
"""

from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.stats
import numpy as np

from jkeras.core.errors import explain
from jkeras.uncertainty.decomposition import as_gaussian
from jkeras.uncertainty.checks import as_floats, as_probabilities, check_labels


def negative_log_likelihood(y_true: Any, y_pred: Any, from_logits: bool = False) -> jax.Array:
    """`-log p` of the label, in nats: (batch, …, classes) -> (batch, …). No probability counts as
    less than the spacing of its floats at 1.

    Args:
        y_true: integers, with or without a last axis of size 1, one-hot, or probabilities.
        y_pred: probabilities; of one class, that of label 1.
        from_logits: whether they are logits.

    Returns:
        (batch, …), 0 or more; 0 is best.

    Raises:
        ValueError: shapes that do not go together, labels that are no classes, numbers that are no
            probabilities. Where they are traced, the score of such a row is nan.

    >>> print(negative_log_likelihood([1, 0], [[0.5, 0.5], [0.9, 0.1]]).round(3))
    [0.693 0.105]
    """
    y_pred = as_floats(y_pred)
    targets = _as_one_hot(y_true, y_pred, "negative_log_likelihood")
    if from_logits:
        log_p = jax.nn.log_softmax(y_pred, axis=-1)
        of_one, of_other = jax.nn.log_sigmoid(y_pred), jax.nn.log_sigmoid(-y_pred)
    else:
        y_pred = as_probabilities(y_pred, "negative_log_likelihood", "y_pred")
        log_p = of_one = _log(y_pred)
        of_other = _log(1 - y_pred)
    if y_pred.shape[-1] == 1:
        return -(targets * of_one + (1 - targets) * of_other)[..., 0]
    return -jnp.sum(targets * log_p, axis=-1)


def brier_score(y_true: Any, y_pred: Any, from_logits: bool = False) -> jax.Array:
    """Sum over classes of `(p - y)^2`, of one class that alone (Brier 1950): (batch, …, classes) ->
    (batch, …).

    Args:
        y_true, y_pred, from_logits: as for `negative_log_likelihood`.

    Returns:
        (batch, …), from 0 to 2, of one class to 1; 0 is best.

    Raises:
        ValueError: as for `negative_log_likelihood`.

    >>> print(brier_score([1, 0], [[0.5, 0.5], [1.0, 0.0]]))
    [0.5 0. ]
    """
    y_pred = as_floats(y_pred)
    targets = _as_one_hot(y_true, y_pred, "brier_score")
    if from_logits:
        to_probabilities = jax.nn.sigmoid if y_pred.shape[-1] == 1 else jax.nn.softmax
        y_pred = to_probabilities(y_pred)
    else:
        y_pred = as_probabilities(y_pred, "brier_score", "y_pred")
    return jnp.sum(jnp.square(y_pred - targets), axis=-1)


def gaussian_negative_log_likelihood(
    y_true: Any, y_pred: Any, variance: str = "softplus"
) -> jax.Array:
    """`-log N(y; mean, variance)` in nats, the mean over the last axis: (batch, …, 2 n) -> (batch,
    …).

    Args:
        y_true: (batch, …, n); without the last axis where n is 1.
        y_pred, variance: as of `as_gaussian`.

    Returns:
        (batch, …); less is better.

    Raises:
        ValueError: shapes that do not go together, an unknown `variance`.

    >>> print(gaussian_negative_log_likelihood([1.0], [[1.0, 1.0]], "linear").round(3))
    [0.919]
    """
    mean, variances = as_gaussian(y_pred, variance)
    error = _targets_like(y_true, mean, "gaussian_negative_log_likelihood") - mean
    values = jnp.log(2 * np.pi * variances) + jnp.square(error) / variances
    return jnp.mean(values, axis=-1) / 2


def gaussian_crps(y_true: Any, y_pred: Any, variance: str = "softplus") -> jax.Array:
    """Continuous ranked probability score of normal distributions, in the unit of the targets: the
    area between the distribution function and the step at the target, squared (Gneiting et al.
    2005), the mean over the last axis: (batch, …, 2 n) -> (batch, …).

    Args:
        y_true, y_pred, variance: as for `gaussian_negative_log_likelihood`.

    Returns:
        (batch, …), 0 or more; less is better.

    Raises:
        ValueError: as for `gaussian_negative_log_likelihood`.

    >>> print(f"{gaussian_crps([1.0], [[1.0, 1.0]], 'linear')[0]:.4f}")
    0.2337
    """
    mean, variances = as_gaussian(y_pred, variance)
    stddev = jnp.sqrt(variances)
    z = (_targets_like(y_true, mean, "gaussian_crps") - mean) / stddev
    below, density = jax.scipy.stats.norm.cdf(z), jax.scipy.stats.norm.pdf(z)
    values = stddev * (z * (2 * below - 1) + 2 * density - 1 / np.sqrt(np.pi))
    return jnp.mean(values, axis=-1)


def sample_crps(y_true: Any, y_pred: Any) -> jax.Array:
    """Continuous ranked probability score of samples as a distribution: mean distance from the
    target less half the mean distance of two of them: (batch, …, samples) -> (batch, …).

    Args:
        y_true: (batch, …), with or without a last axis of size 1.
        y_pred: (batch, …, samples).

    Returns:
        (batch, …), 0 or more, in the unit of the targets; less is better.

    Raises:
        ValueError: shapes that do not go together.

    >>> print(sample_crps([1.0], [[0.0, 2.0]]))
    [0.5]
    """
    y_pred = as_floats(y_pred)
    if not y_pred.ndim or not y_pred.shape[-1]:
        raise ValueError(explain("sample_crps", "`y_pred` of samples", f"shape {y_pred.shape}"))
    targets = _targets_like(y_true, y_pred[..., :1], "sample_crps")
    samples = y_pred.shape[-1]
    # a sorted sample is above as many others as its place says, and below the rest
    factors = (2 * np.arange(samples) - samples + 1) / samples**2
    half_distance = jnp.sum(jnp.sort(y_pred, axis=-1) * factors.astype(y_pred.dtype), axis=-1)
    return jnp.mean(jnp.abs(y_pred - targets), axis=-1) - half_distance


def _log(probabilities: jax.Array) -> jax.Array:
    return jnp.log(jnp.maximum(probabilities, jnp.finfo(probabilities.dtype).eps))


def _as_one_hot(y_true: Any, y_pred: jax.Array, where: str) -> jax.Array:
    """Labels in the shape of the probabilities; of one class as they are."""
    labels, shape = jnp.asarray(y_true), y_pred.shape
    if labels.shape == shape:
        advice = "give integers or one-hot rows"
        return as_probabilities(labels.astype(y_pred.dtype), where, "y_true", fix=advice)
    if labels.shape == (*shape[:-1], 1):
        labels = labels[..., 0]
    if not shape or labels.shape != shape[:-1]:
        wanted = f"`y_true` of shape {shape[:-1]}, or one-hot {shape}"
        raise ValueError(explain(where, wanted, f"shape {labels.shape}"))
    check_labels(labels, max(shape[-1], 2), where)
    if shape[-1] == 1:
        return labels[..., None].astype(y_pred.dtype)
    return jax.nn.one_hot(labels.astype("int32"), shape[-1], dtype=y_pred.dtype)


def _targets_like(y_true: Any, mean: jax.Array, where: str) -> jax.Array:
    """Targets in the shape of the means; a last axis of size 1 may be missing."""
    targets = as_floats(y_true)
    if targets.shape == mean.shape[:-1] and mean.shape[-1] == 1:
        return targets[..., None]
    if targets.shape != mean.shape:
        raise ValueError(explain(where, f"`y_true` of shape {mean.shape}", f"{targets.shape}"))
    return targets


__all__ = [
    "brier_score",
    "gaussian_crps",
    "gaussian_negative_log_likelihood",
    "negative_log_likelihood",
    "sample_crps",
]
