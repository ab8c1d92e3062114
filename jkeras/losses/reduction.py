"""From values per sample to a loss: ranks matched, masks turned into weights, weights applied, then
one number.
"""

import jax.numpy as jnp

from jkeras.core.errors import ShapeError, check_choice, explain
from jkeras.core.frame import current
from jkeras.core.graph import op
from jkeras.kernel.valid_rows import beside, over_real_rows, real_rows
from jkeras.kernel.microbatch import evenly, shares

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def comparison(*names):
    """Decorator: a public function of targets and predictions, which also takes KerasTensors.

    In a file a graph holds it under our own module, since the class of that name in Keras's is the
    loss object.
    """
    return op("jkeras.losses", *names, inputs=2)


def standardize_reduction(reduction):
    """The reduction, checked."""
    check_choice("reduction", reduction, REDUCTIONS)
    return reduction


def mask_beside(x):
    """The mask that travels beside an array, known to the run that is going on or set on the array;
    else None.
    """
    run = current()
    return getattr(x, "_keras_mask", None) if run is None else run.mask_of(x)


def squeeze_or_expand_to_same_rank(a, b, expand_rank_1=True):
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


def pair(y_true, y_pred):
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


def same_shape(y_true, y_pred):
    """Both as arrays of the dtype of `y_pred`; their shapes must be equal."""
    y_pred = jnp.asarray(y_pred)
    y_true = jnp.asarray(y_true, y_pred.dtype)
    if y_true.shape != y_pred.shape:
        raise ShapeError(
            f"Arguments `y_true` and `y_pred` must have the same shape. Received: "
            f"y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    return y_true, y_pred


def divide_no_nan(a, b):
    """a / b, and 0 where b is 0, with gradients that are finite there."""
    zero = b == 0
    return jnp.where(zero, 0, a / jnp.where(zero, 1, b))


def apply_mask(sample_weight, mask, dtype, reduction="sum"):
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
    weight, sample_weight = squeeze_or_expand_to_same_rank(
        weight, jnp.asarray(sample_weight, dtype)
    )
    return weight * sample_weight


def reduce_values(values, sample_weight=None, reduction="sum_over_batch_size"):
    """Weighted values summed and divided as the reduction says."""
    if reduction in (None, "none") or values.shape in ((), (0,)):
        return values
    total = jnp.sum(values)
    if reduction == "sum":
        return total
    weighted = reduction == "mean_with_sample_weight" and sample_weight is not None
    return divide_no_nan(
        total,
        (jnp.sum(sample_weight) if weighted else jnp.asarray(values.size)).astype(total.dtype),
    )


def reduce_weighted_values(
    values, sample_weight=None, mask=None, reduction="sum_over_batch_size", dtype=None
):
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
    weight = None if sample_weight is None else jnp.asarray(sample_weight, dtype)
    rows, piece = real_rows(), shares()
    if reduction in (None, "none") or rows is None and piece is None:
        return _reduced(values, weight, mask, reduction)
    if piece is not None:
        return _reduced_piece(piece, values, weight, mask, rows, reduction)
    mask = jnp.ones(values.shape[:1], bool) if mask is None else jnp.asarray(mask, bool)

    def reduced(rows, values, mask, weight=None):
        return _reduced(values, weight, mask & beside(rows, mask), reduction)

    return over_real_rows(reduced, rows, values, mask, *([] if weight is None else [weight]))


def _reduced_piece(piece, values, weight, mask, rows, reduction):
    """The part that a piece of a batch has in the loss of the whole batch."""
    if values.shape in ((), (0,)):
        return evenly(values)
    if rows is not None:
        mask = rows if mask is None else jnp.asarray(mask, bool) & beside(rows, mask)
    weighted, weight = values, apply_mask(weight, mask, values.dtype, "sum")
    if weight is not None:
        weighted, weight = squeeze_or_expand_to_same_rank(values, weight.astype(values.dtype))
        weighted = weighted * weight
    if reduction == "sum":
        return jnp.sum(weighted)
    if reduction == "mean_with_sample_weight" and weight is not None:
        return piece.mean(jnp.sum(weighted), jnp.sum(weight))
    counted = 1 if mask is None else jnp.mean(jnp.asarray(mask, "float32"))
    return piece.mean(jnp.sum(weighted), counted * values.size)


def _reduced(values, weight, mask, reduction):
    weight = apply_mask(weight, mask, values.dtype, reduction)
    if weight is not None:
        values, weight = squeeze_or_expand_to_same_rank(values, weight.astype(values.dtype))
        values = values * weight
    return reduce_values(values, weight, reduction)
