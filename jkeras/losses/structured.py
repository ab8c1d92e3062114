"""Losses for whole images, embeddings and sequences: Dice, Tversky, circle, CTC."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.record import record
from jkeras.core.session.keras_version import is_316
from jkeras.core.session.settings import epsilon
from jkeras.losses.base import BuiltInLoss, LossFunctionWrapper
from jkeras.losses.margin import arrays
from jkeras.losses.reduction import comparison
from jkeras.losses.typing import Axes, Tensor
from jkeras.ops.promotion import as_axes
from jkeras.core.weights.types import Reduction


@comparison("keras.losses.dice")
def dice(y_true: Tensor, y_pred: Tensor, axis: Axes = None) -> jax.Array:
    """1 - 2 |true and predicted| / (|true| + |predicted|), with |.| a sum over `axis` (all axes by
    default).

    Args:
        y_true: targets in [0, 1], of any shape.
        y_pred: probabilities of the same shape.
        axis: that is summed; all by default.
    Returns:
        A number, or losses in the shape of the inputs without `axis`; 0 where both agree.

    >>> print(dice([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]], [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]], axis=1))
    [0.5 0. ]
    """
    y_true, y_pred = arrays(y_true, y_pred)
    axis = as_axes(axis)
    both = jnp.sum(y_true * y_pred, axis=axis)
    sizes = jnp.sum(y_true, axis=axis) + jnp.sum(y_pred, axis=axis)
    return 1 - 2 * both / (sizes + epsilon())


@comparison("keras.losses.tversky")
def tversky(
    y_true: Tensor, y_pred: Tensor, alpha: float = 0.5, beta: float = 0.5, axis: Axes = None
) -> jax.Array:
    """1 - B / (B + alpha T + beta P): B in both, T only in the targets, P only in the predictions.

    Keras 3.16 has T and P the other way round, see `jkeras.config.set_keras_version`.

    Args:
        y_true, y_pred: as for `dice`.
        alpha, beta: weights; both 0.5 give the Dice loss. (Salehi et al. 2017, arXiv:1706.05721)
        axis: that is summed; all by default.
    Returns:
        A number, or losses in the shape of the inputs without `axis`.

    >>> missed = [[1.0, 1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]]  # B = 1, T = 2, P = 0
    >>> print(tversky(*missed).round(3), tversky(*missed, alpha=0.9, beta=0.1).round(3))
    0.5 0.643
    """
    y_true, y_pred = arrays(y_true, y_pred)
    axis = as_axes(axis)
    both = jnp.sum(y_true * y_pred, axis=axis)
    only_true = jnp.sum((1 - y_pred) * y_true, axis=axis)
    only_pred = jnp.sum(y_pred * (1 - y_true), axis=axis)
    if is_316():
        only_true, only_pred = only_pred, only_true
    return 1 - both / (both + only_true * alpha + only_pred * beta + epsilon())


@comparison("keras.losses.circle")
def circle(
    y_true: Tensor,
    y_pred: Tensor,
    ref_labels: Tensor | None = None,
    ref_embeddings: Tensor | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> jax.Array:
    """Circle loss of normalized embeddings: (batch,), (batch, d) -> (batch,); pairs of one class
    are drawn together.

    Args:
        y_true: integer labels (batch,).
        y_pred: embeddings (batch, d) of length 1.
        ref_labels, ref_embeddings: what each embedding is compared with, (refs,) and (refs, d); the
            batch itself by default.
        remove_diagonal: leave out the pair of an embedding with itself.
        gamma: scale.
        margin: how far similar pairs may lie apart. (Sun et al. 2020, arXiv:2002.10857)
    Returns:
        One loss for each embedding, (batch,); 0 for one without others of its class,
        or without any of another.

    >>> embeddings = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]  # the second is nearer to the third
    >>> print(circle([0, 0, 1], embeddings).round(1), circle([0, 1, 1], embeddings).round(1))
    [ 0.  38.4  0. ] [0.  6.4 0. ]
    """
    y_pred = jnp.asarray(y_pred)
    labels = _flat_labels(y_true)
    other_labels = labels
    if ref_labels is not None:
        other_labels = _flat_labels(ref_labels)
    others = y_pred
    if ref_embeddings is not None:
        others = jnp.asarray(ref_embeddings)
    distance = jnp.maximum(1 - y_pred @ others.T, 0)  # (batch, refs)
    same = labels[:, None] == other_labels[None]
    positive = same
    if remove_diagonal:
        positive = same & ~jnp.eye(*same.shape, dtype=bool)
    pull = -gamma * jnp.maximum(margin + distance, 0) * (margin - distance)
    push = gamma * jnp.maximum(1 + margin - distance, 0) * (1 - margin - distance)
    total_pull = jax.nn.logsumexp(jnp.where(positive, pull, -jnp.inf), axis=1)
    total_push = jax.nn.logsumexp(jnp.where(same, -jnp.inf, push), axis=1)
    return jax.nn.softplus(total_pull + total_push)


def _flat_labels(labels: Tensor) -> jax.Array:
    return jnp.asarray(labels).astype("int32").reshape(-1)


def _positive(y_true: Tensor, values: jax.Array, **_: Any) -> jax.Array:
    """Only embeddings with a loss count."""
    return values > 0


circle.output_mask = _positive


@comparison("keras.losses.ctc")
def ctc(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Connectionist temporal classification: -log probability of a label sequence under logits
    without alignment.

    Args:
        y_true: integers (batch, length); 0 is padding, and the blank.
        y_pred: logits (batch, time, classes). (Graves et al. 2006, doi:10.1145/1143844.1143891)
    Returns:
        One loss for each sequence, (batch,).
    Raises:
        ValueError: `y_true` has not two axes, or `y_pred` not three.

    >>> print(ctc([[1, 2, 0]], jnp.zeros((1, 4, 3))).round(1))  # 15 of 81 paths: -log(15 / 81)
    [1.7]
    """
    import optax  # slow to import, and only needed here

    y_true = jnp.asarray(y_true)
    y_pred = jnp.asarray(y_pred)
    if y_true.ndim != 2:
        raise ValueError(
            "CTC: `y_true` has the numbers of the labels of each row: (rows, labels). "
            f"Received: y_true.shape={y_true.shape}"
        )
    if y_pred.ndim != 3:
        raise ValueError(
            "CTC: `y_pred` has logits at each time: (rows, times, classes). Received: "
            f"y_pred.shape={y_pred.shape}"
        )
    logits = y_pred.astype(jnp.promote_types(y_pred.dtype, "float32"))
    length = jnp.sum(y_true != 0, axis=-1)
    padding = (jnp.arange(y_true.shape[1])[None] >= length[:, None]).astype(logits.dtype)
    return optax.ctc_loss(
        logits,
        jnp.zeros(logits.shape[:2], logits.dtype),
        y_true.astype("int32"),
        padding,
        blank_id=0,
        log_epsilon=-1e5,
    )


# ---------------------------------------------------------------- classes


@record("keras.losses")
class Dice(LossFunctionWrapper):
    """Loss of `dice`: 1 minus the overlap of targets and predictions.

    Args:
        axis: that is summed; all by default.
        reduction, name, dtype: as for `Loss`.

    >>> print(Dice()([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 1.0, 0.0]]).round(3))
    0.5
    """

    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = "dice"
    axis: typed.Sizes | None = None
    dtype: Any = None
    fn = staticmethod(dice)


@record("keras.losses")
class Tversky(LossFunctionWrapper):
    """Loss of `tversky`: `dice` with weights for what is missed and what is called wrongly.

    Args:
        alpha, beta, axis: as for `tversky`.
        reduction, name, dtype: as for `Loss`.

    >>> print(Tversky(alpha=0.9, beta=0.1)([[1.0, 1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]]).round(3))
    0.643
    """

    alpha: float = 0.5
    beta: float = 0.5
    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = "tversky"
    axis: typed.Sizes | None = None
    dtype: Any = None
    fn = staticmethod(tversky)


@record("keras.losses")
class Circle(LossFunctionWrapper):
    """Loss of `circle`; embeddings without a loss do not count in the mean.

    Args:
        gamma, margin, remove_diagonal: as for `circle`.
        reduction, name, dtype: as for `Loss`.

    >>> print(Circle()([0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]).round(1))
    19.2
    """

    gamma: float = 80.0
    margin: float = 0.4
    remove_diagonal: bool = True
    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = "circle"
    dtype: Any = None
    fn = staticmethod(circle)


@record("keras.losses")
class CTC(BuiltInLoss):
    """Loss of `ctc`: -log probability of label sequences without alignment.

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(CTC()([[1, 2, 0]], jnp.zeros((1, 4, 3))).round(1))
    1.7
    """

    name = "ctc"
    fn = staticmethod(ctc)
