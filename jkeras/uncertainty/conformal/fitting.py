"""`fit`: from calibration rows, how bad a score may be in a set or an interval."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import check_choice, explain
from jkeras.core.weights.rng import as_key
from jkeras.uncertainty.conformal.groups import OF_LABELS, Groups, as_groups, quantiles
from jkeras.uncertainty.conformal.scores import of_classes
from jkeras.uncertainty.checks import (
    as_floats,
    as_probabilities,
    check_numbers,
    check_some,
    is_concrete,
    labels_and_scores,
    of_labels,
)

OF_CLASSES = ("lac", "aps", "raps")
OF_NUMBERS = ("residual", "cqr", "jackknife+")
OF_ROWS = "rows"


def _static(default: Any = dataclasses.MISSING) -> Any:
    return dataclasses.field(default=default, metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Fitted:
    """What `fit` found, for `predict_sets` and `predict_interval`; a pytree.

    Attributes:
        threshold: the largest score in a set or interval, with groups (groups,); of "jackknife+"
            the residuals.
        method, alpha, penalty, free_rank: as given to `fit`.
        is_randomized: whether scores were randomized.
        groups: "classes", "rows" or "": what has a threshold of its own.

    >>> Fitted(jnp.array(0.5), "lac", 0.1).method
    'lac'
    """

    threshold: jax.Array
    method: str = _static()
    alpha: float = _static()
    penalty: float = _static(0.0)
    free_rank: int = _static(0)
    is_randomized: bool = _static(False)
    groups: str = _static("")


def fit(
    probabilities: Any,
    labels: Any,
    alpha: float = 0.1,
    *,
    method: str = "lac",
    penalty: float = 0.01,
    free_rank: int = 5,
    rng: jax.Array | int | None = None,
    uniforms: Any = None,
    from_logits: bool = False,
    groups: Any = None,
) -> Fitted:
    """Finds the threshold of a score from rows that the model was not trained on: its
    `ceil((rows + 1) (1 - alpha))`-th smallest value, infinite where there are fewer rows.

    Sets of classes, from `probabilities` (rows, classes) and integer labels (rows,):

    - "lac": classes that are probable enough (Sadinle et al. 2019, arXiv:1609.00451); the smallest
      sets, which may be empty.
    - "aps": the most probable classes up to a total (Romano et al. 2020, arXiv:2006.02544); larger
      sets where rows are hard.
    - "raps": that with a penalty on large sets (Angelopoulos et al. 2021, arXiv:2009.14193).

    Intervals of numbers, from predictions in place of `probabilities` and targets (rows,) in place
    of `labels`:

    - "residual": predictions (rows,) and a width that is the same everywhere.
    - "cqr": a lower and an upper quantile, (rows, 2), moved (Romano et al. 2019,
      arXiv:1905.03222).
    - "jackknife+": predictions (rows,), each by a model that was trained without this row, or
      without its fold (Barber et al. 2021, arXiv:1905.02928). It holds a share of `1 - 2 alpha`
      at least, and of about `1 - alpha` in practice.

    Args:
        probabilities, labels: as above, of rows that the model was not trained on.
        method: "lac", "aps", "raps", "residual", "cqr" or "jackknife+".
        alpha: the share of new rows whose truth may be missed, between 0 and 1.
        penalty, free_rank: of "raps": what each rank after `free_rank` adds to the score.
        rng: a key or an integer, with which scores of "aps" and "raps" are randomized: sets then
            are no larger than need be. By default they are not.
        uniforms: numbers (rows,) in [0, 1) in place of random ones.
        from_logits: whether `probabilities` are logits.
        groups: what is to hold the truth as often as promised each for itself, by a threshold of
            its own: "classes", the rows of each label (Vovk 2012, arXiv:1209.2673); or the group of
            each row, integers (rows,) or `Groups`, which `predict_sets` and `predict_interval`
            then ask for, too. A group of too few rows gets sets of everything.

    Returns:
        `Fitted`, for `predict_sets` or `predict_interval`.

    Raises:
        ValueError: an unknown method, shapes that do not go together, no rows, an `alpha` outside,
            numbers that are no probabilities, NaN, groups with "jackknife+".

    >>> fitted = fit([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1, 0], alpha=0.25)
    >>> print(f"{fitted.threshold:.3f}")  # the 4th smallest of 4
    0.700
    >>> fitted = fit([1.0, 2.0, 3.0], [1.5, 2.0, 2.8], alpha=0.5, method="residual")
    >>> print(f"{fitted.threshold:.3f}")
    0.200
    """
    where = "conformal.fit"
    check_choice("method", method, OF_CLASSES + OF_NUMBERS, where)
    check_alpha(alpha, where)
    if penalty < 0 or free_rank < 0:
        received = f"penalty={penalty}, free_rank={free_rank}"
        raise ValueError(explain(where, "a penalty and a free_rank of 0 or more", received))
    if method in OF_NUMBERS:
        if from_logits:
            raise ValueError(explain(where, f"numbers, for {method!r}", "from_logits=True"))
        residuals = _of_numbers(probabilities, labels, method, where)
        if method == "jackknife+":
            if groups is not None:
                wanted = "one group for 'jackknife+', whose residuals belong to models"
                raise ValueError(explain(where, wanted, "groups", "take 'residual' or 'cqr'"))
            return Fitted(residuals, method, alpha)
        threshold, kind = _threshold(residuals, alpha, groups, where)
        return Fitted(threshold, method, alpha, groups=kind)
    probabilities = as_probabilities(probabilities, where, from_logits=from_logits)
    labels, probabilities = labels_and_scores(labels, probabilities, where)
    terms = (penalty, free_rank) if method == "raps" else (0.0, 0)
    is_randomized = method != "lac" and has_numbers(rng, uniforms)
    shares = uniforms_of(probabilities, rng, uniforms, 0.0, where)
    scores = of_labels(of_classes(method, probabilities, shares, *terms), labels)
    if isinstance(groups, str) and groups == OF_LABELS:
        groups = Groups(labels, probabilities.shape[1])
        threshold, _ = _threshold(scores, alpha, groups, where)
        return Fitted(threshold, method, alpha, *terms, is_randomized, OF_LABELS)
    threshold, kind = _threshold(scores, alpha, groups, where)
    return Fitted(threshold, method, alpha, *terms, is_randomized, kind)


def _threshold(scores: jax.Array, alpha: float, groups: Any, where: str) -> tuple[jax.Array, str]:
    """(the largest score of a set, of each group where there are some; what groups are of)."""
    if groups is None:
        return quantile(scores, alpha), ""
    if isinstance(groups, str):
        wanted = "`groups` of rows, or 'classes' for sets of them"
        raise ValueError(explain(where, wanted, repr(groups)))
    groups = as_groups(groups, len(scores), where)
    ranks = np.array([rank_of(rows, alpha) for rows in range(len(scores) + 1)])
    return quantiles(scores, groups, ranks), OF_ROWS


def check_alpha(alpha: float, where: str) -> None:
    """Raises ValueError unless it is a share."""
    if not 0 < alpha < 1:
        raise ValueError(explain(where, "0 < alpha < 1", f"alpha={alpha}"))


def quantile(scores: jax.Array, alpha: float) -> jax.Array:
    """The `ceil((rows + 1) (1 - alpha))`-th smallest score; infinite where there are fewer rows.

    >>> print(quantile(jnp.arange(9.0), 0.2))
    7.0
    """
    rank = rank_of(len(scores), alpha)
    if rank > len(scores):
        return jnp.full((), jnp.inf, scores.dtype)
    return jnp.where(jnp.isnan(scores).any(), jnp.nan, jnp.sort(scores)[rank - 1])


def rank_of(rows: int, alpha: float) -> int:
    """`ceil((rows + 1) (1 - alpha))`, where rounding errors do not count.

    >>> rank_of(9, 0.7), rank_of(99, 0.1)
    (3, 90)
    """
    return math.ceil((rows + 1) * (1 - alpha) - 1e-9)


def has_numbers(rng: jax.Array | int | None, uniforms: Any) -> bool:
    """Whether scores are to be randomized.

    >>> has_numbers(None, None), has_numbers(0, None)
    (False, True)
    """
    return rng is not None or uniforms is not None


def uniforms_of(
    probabilities: jax.Array,
    rng: jax.Array | int | None,
    uniforms: Any,
    otherwise: float,
    where: str,
) -> jax.Array:
    """A number in [0, 1) for each row: those given, random ones, or a fixed one."""
    rows = probabilities.shape[0]  # a symbol where a program for any size is exported
    if uniforms is not None:
        shares = as_floats(uniforms)
        if shares.shape != (rows,):
            raise ValueError(explain(where, f"`uniforms` of shape {(rows,)}", f"{shares.shape}"))
        if is_concrete(shares) and not ((shares >= 0) & (shares < 1)).all():
            received = f"from {shares.min():g} to {shares.max():g}"
            raise ValueError(explain(where, "`uniforms` from 0 to below 1", received))
        return shares
    if rng is not None:
        return jax.random.uniform(as_key(rng), (rows,), probabilities.dtype)
    return jnp.full_like(probabilities[:, 0], otherwise)


def column(values: Any, name: str, where: str) -> jax.Array:
    """Numbers as (rows,), of which (rows, 1) is another form."""
    array = as_floats(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(explain(where, f"{name} of shape (rows,)", f"shape {array.shape}"))
    return array


def _of_numbers(predictions: Any, targets: Any, method: str, where: str) -> jax.Array:
    """Scores of targets: by how much they lie outside of what was predicted."""
    targets = column(targets, "targets", where)
    check_some(targets, where, "targets")
    check_numbers(targets, where, "targets")
    check_numbers(as_floats(predictions), where, "predictions")
    if method == "cqr":
        values = as_floats(predictions)
        wanted = (len(targets), 2)
        if values.shape != wanted:
            message = f"a lower and an upper quantile for each target, {wanted}"
            raise ValueError(explain(where, message, f"shape {values.shape}"))
        return jnp.maximum(values[:, 0] - targets, targets - values[:, 1])
    values = column(predictions, "predictions", where)
    if values.shape != targets.shape:
        message = f"as many predictions as targets, {targets.shape}"
        raise ValueError(explain(where, message, f"shape {values.shape}"))
    return jnp.abs(targets - values)


__all__ = ["Fitted", "fit"]
