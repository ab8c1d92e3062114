"""Intervals of a time series, whose rows come one after the other and may change on the way."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import check_choice, explain
from jkeras.uncertainty.checks import check_numbers, check_some
from jkeras.uncertainty.conformal.fitting import column, check_alpha, rank_of
from jkeras.uncertainty.conformal.intervals import Interval

METHODS = ("enbpi", "aci")


def _static() -> Any:
    return dataclasses.field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Series:
    """Where in a time series intervals have arrived; a pytree.

    Attributes:
        residuals: absolute ones of the rows that intervals are made by, the oldest first.
        alpha_now: the share that the next interval aims at; of "aci" it moves.
        alpha: the share of rows that may be missed in the long run.
        rate: by how much one row moves `alpha_now`.
        method: "enbpi" or "aci".

    >>> fit_series([1.0, 2.0], [1.5, 2.0], alpha=0.5).residuals.tolist()
    [0.5, 0.0]
    """

    residuals: jax.Array
    alpha_now: jax.Array
    alpha: float = _static()
    rate: float = _static()
    method: str = _static()

    @property
    def width(self) -> jax.Array:
        """Half of the next interval: infinite where there are too few residuals, below 0 where
        `alpha_now` is 1 or more, so that the interval is empty.
        """
        rows = len(self.residuals)
        if self.method == "enbpi":
            rank = jnp.asarray(rank_of(rows, self.alpha))
        else:
            rounding = 4 * float(jnp.finfo("float32").eps) * (rows + 1)
            rank = jnp.ceil((rows + 1) * (1 - self.alpha_now) - rounding).astype("int32")
        found = jnp.sort(self.residuals)[jnp.clip(rank - 1, 0, rows - 1)]
        found = jnp.where(jnp.isnan(self.residuals).any(), jnp.nan, found)
        return jnp.where(rank > rows, jnp.inf, jnp.where(rank < 1, -jnp.inf, found))

    def after(self, prediction: jax.Array, target: jax.Array) -> "Series":
        """The series when one more target is known."""
        residual = jnp.abs(target - prediction)
        if self.method == "enbpi":
            residuals = jnp.concatenate([self.residuals[1:], residual[None]])
            return dataclasses.replace(self, residuals=residuals)
        is_missed = (residual > self.width).astype(self.alpha_now.dtype)
        alpha_now = self.alpha_now + self.rate * (self.alpha - is_missed)
        return dataclasses.replace(self, alpha_now=alpha_now)


def fit_series(
    predictions: Any,
    targets: Any,
    alpha: float = 0.1,
    *,
    method: str = "enbpi",
    rate: float = 0.01,
) -> Series:
    """Begins with the intervals of a time series, from rows before them that the model was not
    trained on, in their order.

    - "enbpi": intervals by the newest residuals, as many as there are here: each new one takes the
      place of the oldest (Xu and Xie 2021, arXiv:2010.09107; with the same width on both sides).
      `predictions` may be those of an ensemble each of whose members was trained without some
      rows, as `out_of_bag` gives them.
    - "aci": residuals stay, and what is aimed at moves: narrower after a row that was held, wider
      after one that was missed (Gibbs and Candès 2021, arXiv:2106.00170). Whatever comes, the share
      of T rows that are missed differs from alpha by at most `(1 + rate) / (rate T)`; intervals may
      become infinite, or empty, for that.

    Args:
        predictions, targets: (rows,).
        alpha: the share of rows that may be missed, between 0 and 1.
        method: "enbpi" or "aci".
        rate: by how much one row moves the share that is aimed at; of "aci".

    Returns:
        `Series`, for `follow_series` and `predict_interval`.

    Raises:
        ValueError: an unknown method, shapes that do not go together, no rows, NaN, an `alpha`
            outside, a `rate` of 0 or less.

    >>> series = fit_series([0.0] * 4, [0.1, -0.2, 0.3, 0.4], alpha=0.5)
    >>> print(f"{series.width:.1f}")  # the 3rd smallest of 4
    0.3
    """
    where = "conformal.fit_series"
    check_choice("method", method, METHODS, where)
    check_alpha(alpha, where)
    if not rate > 0:
        raise ValueError(explain(where, "a `rate` above 0", f"rate={rate}"))
    residuals = jnp.abs(jnp.subtract(*_columns(predictions, targets, where)))
    check_some(residuals, where, "targets")
    return Series(residuals, jnp.asarray(alpha, residuals.dtype), alpha, rate, method)


def follow_series(series: Series, predictions: Any, targets: Any) -> tuple[Interval, Series]:
    """Intervals of the next rows, each made when the targets before it are known, its own not yet;
    and where the series has arrived then.

    Of rows whose targets are not known yet, `predict_interval(series, predictions)` gives those
    that can be made now.

    Args:
        series: of `fit_series`, or of the last call.
        predictions, targets: (rows,), in their order.

    Returns:
        (`Interval` of (rows,), the `Series` after these rows).

    Raises:
        ValueError: shapes that do not go together, NaN.

    >>> series = fit_series([0.0] * 3, [0.1, 0.2, 0.3], alpha=0.5)
    >>> found, series = follow_series(series, [0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    >>> found.upper.round(1).tolist()  # what came first is wide enough for what comes then
    [0.20000000298023224, 0.30000001192092896, 1.0]
    """
    where = "conformal.follow_series"

    def step(series: Series, row: tuple) -> tuple[Series, Interval]:
        prediction, _ = row
        width = series.width
        return series.after(*row), Interval(prediction - width, prediction + width)

    series, found = jax.lax.scan(step, series, _columns(predictions, targets, where))
    return found, series


def out_of_bag(predictions: Any, in_bag: Any) -> jax.Array:
    """What those members say of each row that were trained without it, in the mean: (rows,).

    Args:
        predictions: of the members, (members, rows).
        in_bag: booleans (members, rows): which rows each member was trained on.

    Returns:
        (rows,).

    Raises:
        ValueError: shapes that do not go together, a row that all members were trained on.

    >>> out_of_bag([[1.0, 5.0], [3.0, 7.0]], [[False, True], [False, False]]).tolist()
    [2.0, 7.0]
    """
    where = "conformal.out_of_bag"
    values, is_in = jnp.asarray(predictions, "float32"), jnp.asarray(in_bag)
    if values.ndim != 2 or values.shape != is_in.shape or is_in.dtype != bool:
        wanted = "`predictions` (members, rows), and booleans of the same shape"
        raise ValueError(explain(where, wanted, f"{values.shape}, {is_in.shape} of {is_in.dtype}"))
    check_some(values, where, "predictions")
    check_numbers(values, where, "predictions")
    counts = jnp.sum(~is_in, axis=0)
    if not isinstance(counts, jax.core.Tracer) and not counts.all():
        row = int(jnp.argmin(counts))
        fix = "train more members, or leave these rows out"
        received = f"row {row}, which all were trained on"
        raise ValueError(
            explain(where, "a member for each row that has not seen it", received, fix)
        )
    return jnp.sum(jnp.where(is_in, 0, values), axis=0) / counts


def _columns(predictions: Any, targets: Any, where: str) -> tuple[jax.Array, jax.Array]:
    """Both as (rows,)."""
    values = column(predictions, "predictions", where)
    targets = column(targets, "targets", where)
    if values.shape != targets.shape:
        wanted = f"as many predictions as targets, {targets.shape}"
        raise ValueError(explain(where, wanted, f"shape {values.shape}"))
    check_numbers(values, where, "predictions")
    check_numbers(targets, where, "targets")
    return values, targets


__all__ = ["Series", "fit_series", "follow_series", "out_of_bag"]
