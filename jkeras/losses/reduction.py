"""From values per sample to a loss: ranks matched, masks turned into weights, weights applied, then
one number.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.core.errors import ShapeError, check_choice, explain
from jkeras.core.graph.op import op
from jkeras.kernel.microbatch import Microbatch, current_microbatch, per_microbatch
from jkeras.kernel.valid_rows import expand_like, over_valid_rows, current_valid_rows
from jkeras.losses.typing import Tensor
from jkeras.core.weights.types import Reduction

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def comparison(*names: str) -> Callable:
    """Decorator: a public function of targets and predictions, which also takes KerasTensors.

    In a file a graph holds it under our own module, since the class of that name in Keras's is the
    loss object.
    """
    return op("jkeras.losses", *names, inputs=2)


def standardize_reduction(reduction: Reduction) -> Reduction:
    """The reduction, checked."""
    check_choice("reduction", reduction, REDUCTIONS)
    return reduction


def squeeze_or_expand_to_same_rank(
    a: jax.Array, b: jax.Array, expand_rank_1: bool = True
) -> tuple[jax.Array, jax.Array]:
    """Two arrays whose ranks differ by one made equal in rank by a last axis of size 1.

    The larger one loses that axis; but if the smaller one has only the batch axis, it gains one
    (`expand_rank_1`).

    >>> [x.shape for x in squeeze_or_expand_to_same_rank(jnp.ones((4, 1)), jnp.ones((4,)))]
    [(4, 1), (4, 1)]
    """
    if a.ndim == b.ndim + 1:
        b, a = squeeze_or_expand_to_same_rank(b, a, expand_rank_1)
    elif b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        if a.ndim == 1 and expand_rank_1:
            a = a[:, None]
        else:
            b = b[..., 0]
    return a, b


def pair(y_true: Tensor, y_pred: Tensor) -> tuple[jax.Array, jax.Array]:
    """Both as arrays of the dtype of `y_pred` and of one rank; their shapes must fit."""
    y_pred = jnp.asarray(y_pred)
    y_true, y_pred = squeeze_or_expand_to_same_rank(jnp.asarray(y_true, y_pred.dtype), y_pred)
    try:
        jnp.broadcast_shapes(y_true.shape, y_pred.shape)
    except ValueError:
        raise ShapeError(
            explain(
                "Comparing `y_true` and `y_pred`",
                "shapes that fit",
                f"y_true.shape={y_true.shape} and y_pred.shape={y_pred.shape}",
                "give one target for each output",
            )
        ) from None
    return y_true, y_pred


def same_shape(y_true: Tensor, y_pred: Tensor) -> tuple[jax.Array, jax.Array]:
    """Both as arrays of the dtype of `y_pred`; their shapes must be equal."""
    y_pred = jnp.asarray(y_pred)
    y_true = jnp.asarray(y_true, y_pred.dtype)
    if y_true.shape != y_pred.shape:
        raise ShapeError(
            f"Arguments `y_true` and `y_pred` must have the same shape. Received: "
            f"y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    return y_true, y_pred


def divide_no_nan(a: jax.Array, b: jax.Array) -> jax.Array:
    """a / b, and 0 where b is 0, with gradients that are finite there."""
    zero = b == 0
    return jnp.where(zero, 0, a / jnp.where(zero, 1, b))


def counted_labels(y_true: Tensor, *weights: Tensor | None) -> Tensor:
    """Labels with 0 for NaN where weights, or a mask, are 0: as 0 times NaN is NaN, also in
    gradients, labels that are missing would count whatever their weight. Others are as they were.

    >>> print(counted_labels(jnp.array([[jnp.nan], [2.0]]), jnp.array([0, 1]), None))
    [[0.]
     [2.]]
    """
    if not isinstance(y_true, jax.Array) or not jnp.issubdtype(y_true.dtype, jnp.floating):
        return y_true
    shapes = [_over_labels(jnp.asarray(w), y_true) for w in weights if w is not None]
    for weight in shapes:
        if weight is not None:
            y_true = jnp.where((weight == 0) & jnp.isnan(y_true), 0, y_true)
    return y_true


def _over_labels(weight: jax.Array, y_true: jax.Array) -> jax.Array | None:
    """Weights in a shape that broadcasts to the labels'; None where they do not."""
    if weight.ndim == y_true.ndim + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    missing = y_true.ndim - weight.ndim
    if missing < 0:
        return None
    shape = (*weight.shape, *(1,) * missing)
    fits = all(a in (1, b) for a, b in zip(shape, y_true.shape))
    return weight.reshape(shape) if fits else None


def apply_mask(
    sample_weight: Tensor | None,
    mask: Tensor | None,
    dtype: str | None,
    reduction: Reduction = "sum",
) -> jax.Array | None:
    """The sample weights with the mask multiplied in.

    For a mean, entries that count weigh total / valid, so that the mean runs over them alone.
    """
    if mask is None:
        return sample_weight
    mask = jnp.asarray(mask)
    weight = mask.astype(dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        scale = divide_no_nan(jnp.asarray(mask.size, dtype), jnp.sum(weight))
        weight = jnp.where(mask.astype(bool), scale, 0)
    if sample_weight is None:
        return weight
    sample_weight = jnp.asarray(sample_weight, dtype)
    weight, sample_weight = squeeze_or_expand_to_same_rank(weight, sample_weight)
    return weight * sample_weight


def reduce_values(
    values: jax.Array,
    sample_weight: jax.Array | None = None,
    reduction: Reduction = "sum_over_batch_size",
) -> jax.Array:
    """Weighted values summed and divided as the reduction says."""
    if reduction in (None, "none") or values.shape in ((), (0,)):
        return values
    total = jnp.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        divisor = jnp.sum(sample_weight)
    else:
        divisor = jnp.asarray(values.size)
    return divide_no_nan(total, divisor.astype(total.dtype))


def reduce_weighted_values(
    values: Tensor,
    sample_weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "sum_over_batch_size",
    dtype: str | None = None,
) -> jax.Array:
    """The loss of values per sample.

    Args:
        values: array (batch, …).
        sample_weight: weights that broadcast to `values`, up to a last axis of size 1.
        mask: entries that are False do not count.
        reduction: "sum_over_batch_size" or "mean": sum / number of values; "sum";
            "mean_with_sample_weight": sum / sum of weights; "none" or None: the weighted values.
        dtype: of the computation.

    >>> print(reduce_weighted_values([1.0, 3.0, 5.0], mask=[True, True, False]))
    2.0
    """
    standardize_reduction(reduction)
    values = jnp.asarray(values, dtype)
    if sample_weight is not None:
        sample_weight = jnp.asarray(sample_weight, dtype)
    if reduction in (None, "none"):
        return _reduced(values, sample_weight, mask, reduction)
    valid_rows = current_valid_rows()
    microbatch = current_microbatch()
    if microbatch is not None:
        return _reduced_microbatch(microbatch, values, sample_weight, mask, valid_rows, reduction)
    if valid_rows is None:
        return _reduced(values, sample_weight, mask, reduction)
    return _reduced_rows(values, sample_weight, mask, valid_rows, reduction)


def _reduced_rows(
    values: jax.Array,
    weight: jax.Array | None,
    mask: jax.Array | None,
    valid_rows: jax.Array,
    reduction: Reduction,
) -> jax.Array:
    """The loss of the valid rows of a padded batch."""
    if mask is None:
        mask = jnp.ones(values.shape[:1], bool)
    arrays = [values, jnp.asarray(mask, bool)]
    if weight is not None:
        arrays.append(weight)

    def reduced(
        valid_rows: jax.Array, values: jax.Array, mask: jax.Array, weight: jax.Array | None = None
    ) -> jax.Array:
        return _reduced(values, weight, mask & expand_like(valid_rows, mask), reduction)

    return over_valid_rows(reduced, valid_rows, *arrays)


def _reduced_microbatch(
    microbatch: Microbatch,
    values: jax.Array,
    weight: jax.Array | None,
    mask: jax.Array | None,
    valid_rows: jax.Array | None,
    reduction: Reduction,
) -> jax.Array:
    """The part that a microbatch has in the loss of the whole batch."""
    if values.shape in ((), (0,)):
        return per_microbatch(values)
    mask = _mask_of_rows(valid_rows, mask)
    weight = apply_mask(weight, mask, values.dtype, "sum")
    weighted, weight = _weighted(values, weight)
    if reduction == "sum":
        return jnp.sum(weighted)
    if reduction == "mean_with_sample_weight" and weight is not None:
        return microbatch.mean(jnp.sum(weighted), jnp.sum(weight))
    share = 1
    if mask is not None:
        share = jnp.mean(jnp.asarray(mask, "float32"))
    return microbatch.mean(jnp.sum(weighted), share * values.size)


def _mask_of_rows(valid_rows: jax.Array | None, mask: jax.Array | None) -> jax.Array | None:
    """The mask where rows are valid; either may be None, which stands for all."""
    if valid_rows is None:
        return mask
    if mask is None:
        return valid_rows
    return jnp.asarray(mask, bool) & expand_like(valid_rows, mask)


def _weighted(values: jax.Array, weight: jax.Array | None) -> tuple[jax.Array, jax.Array | None]:
    """(values times weights, weights), brought to the same rank; None weighs nothing."""
    if weight is None:
        return values, None
    values, weight = squeeze_or_expand_to_same_rank(values, weight.astype(values.dtype))
    try:
        return values * weight, weight
    except (TypeError, ValueError):
        raise ShapeError(
            explain(
                "`sample_weight`, or a mask,",
                f"weights that fit the losses of the samples, of shape {values.shape}",
                f"weights of shape {weight.shape}",
                "give one for each sample, (batch,), or for each step, (batch, time)",
            )
        ) from None


def _reduced(
    values: jax.Array, weight: jax.Array | None, mask: jax.Array | None, reduction: str | None
) -> jax.Array:
    weight = apply_mask(weight, mask, values.dtype, reduction)
    values, weight = _weighted(values, weight)
    return reduce_values(values, weight, reduction)
