"""`predict_interval`: between which numbers the target of a row may lie."""

import typing
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.uncertainty.conformal.fitting import OF_NUMBERS, OF_ROWS, Fitted, column, rank_of
from jkeras.uncertainty.conformal.groups import check_none, of_groups
from jkeras.uncertainty.checks import as_floats, check_numbers

if TYPE_CHECKING:
    from jkeras.uncertainty.conformal.series import Series


class Interval(typing.NamedTuple):
    """The ends of intervals; one whose ends are the other way round is empty.

    Attributes:
        lower, upper: (rows,).

    >>> Interval(0.0, 1.0).upper
    1.0
    """

    lower: jax.Array
    upper: jax.Array


def predict_interval(
    fitted: "Fitted | Series", predictions: Any, *, groups: Any = None
) -> Interval:
    """The interval in which the target of each row lies.

    Args:
        fitted: what `fit` gave, by "residual", "cqr" or "jackknife+"; or a `Series`, whose next
            rows these are.
        predictions: (rows,) of "residual"; a lower and an upper quantile, (rows, 2), of "cqr"; of
            "jackknife+" what each of the models says that made the calibration predictions, (rows,
            calibration rows): column i by the model that was trained without row i.
        groups: the group of each row, integers (rows,), where it was fitted by groups.

    Returns:
        `Interval` of (rows,).

    Raises:
        ValueError: shapes that do not go together, a `fitted` for sets, groups where there were
            none or none where there were some.

    >>> from jkeras.uncertainty import conformal
    >>> fitted = conformal.fit([1.0, 2.0, 3.0], [1.5, 2.0, 2.8], alpha=0.25, method="residual")
    >>> conformal.predict_interval(fitted, [7.0])
    Interval(lower=Array([6.5], dtype=float32), upper=Array([7.5], dtype=float32))
    """
    where = "conformal.predict_interval"
    width = getattr(fitted, "width", None)
    if width is not None:
        check_none(groups, where)
        values = column(predictions, "predictions", where)
        check_numbers(values, where, "predictions")
        return Interval(values - width, values + width)
    if fitted.method not in OF_NUMBERS:
        wanted = f"a method of numbers, {', '.join(OF_NUMBERS)}"
        fix = "call `conformal.predict_sets`"
        raise ValueError(explain(where, wanted, f"{fitted.method!r}", fix))
    check_numbers(as_floats(predictions), where, "predictions")
    if fitted.method == "residual":
        values = column(predictions, "predictions", where)
        threshold = _threshold(fitted, groups, values.shape[0], where)
        return Interval(values - threshold, values + threshold)
    columns = 2 if fitted.method == "cqr" else len(fitted.threshold)
    values = as_floats(predictions)
    if values.ndim != 2 or values.shape[1] != columns:
        wanted = f"`predictions` of shape (rows, {columns})"
        raise ValueError(explain(where, wanted, f"shape {values.shape}"))
    threshold = _threshold(fitted, groups, values.shape[0], where)
    if fitted.method == "cqr":
        return Interval(values[:, 0] - threshold, values[:, 1] + threshold)
    return _jackknife(values, fitted.threshold, fitted.alpha)


def _threshold(fitted: Fitted, groups: Any, rows: int, where: str) -> jax.Array:
    """How far an interval reaches beyond what was predicted: one number, or one of each row."""
    if fitted.groups == OF_ROWS:
        return of_groups(fitted.threshold, groups, rows, where)
    check_none(groups, where)
    return fitted.threshold


def _jackknife(values: jax.Array, residuals: jax.Array, alpha: float) -> Interval:
    rows = len(residuals)
    rank = rank_of(rows, alpha)
    if rank > rows:
        infinite = jnp.full(len(values), jnp.inf, values.dtype)
        return Interval(-infinite, infinite)
    lower = jnp.sort(values - residuals, axis=-1)[:, rows - rank]
    return Interval(lower, jnp.sort(values + residuals, axis=-1)[:, rank - 1])


__all__ = ["Interval", "predict_interval"]
