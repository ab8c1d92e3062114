"""Which setting of a decision keeps a loss below what may be, for losses of any kind: shares of
labels that are missed, false alarms, pixels that are left out.
"""

import math
import typing
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np

from jkeras.core.errors import check_choice, explain
from jkeras.uncertainty.checks import as_floats, check_numbers, check_some, is_concrete
from jkeras.uncertainty.conformal.fitting import check_alpha

METHODS = ("crc", "ltt")
OF_LOSSES = 1e-6  # what a loss may rise by rounding


class Control(typing.NamedTuple):
    """What `control_risk` found.

    Attributes:
        index: of the setting to take, the last one that is safe; -1 where none is.
        is_safe: booleans (settings,).
        bounds: (settings,): of "crc" the bound of the expected loss, of "ltt" the p-value of the
            hypothesis that the risk is above `alpha`.
        risks: (settings,): the mean losses.

    >>> Control(2, None, None, None).index
    2
    """

    index: jax.Array
    is_safe: jax.Array
    bounds: jax.Array
    risks: jax.Array


def control_risk(
    losses: Any,
    alpha: float = 0.1,
    *,
    method: str = "crc",
    delta: float = 0.1,
    largest: float = 1.0,
) -> Control:
    """Chooses the boldest of some settings, such as thresholds, whose loss stays below `alpha`.

    - "crc", conformal risk control: the expected loss of a new row is at most `alpha`
      (Angelopoulos et al. 2022, arXiv:2208.02814). Losses may not fall from one setting to the
      next.
    - "ltt", learn then test: with a probability of at least `1 - delta` over the calibration rows
      the risk of all settings that are called safe is at most `alpha`, for losses in any order
      (Angelopoulos et al. 2021, arXiv:2110.01052): p-values of Hoeffding and Bentkus, tested one
      after the other from the first setting on until one is too large.

    Args:
        losses: of calibration rows at each setting, (rows, settings), from the most careful
            setting to the boldest; from 0 to `largest`.
        alpha: the largest risk, below `largest`.
        delta: of "ltt".
        largest: what a loss can be.

    Returns:
        A `Control`. Its `index` is -1 where no setting is safe: look before you take it.

    Raises:
        ValueError: an unknown method, no rows or settings, losses outside of their range, NaN, an
            `alpha` or `delta` outside, losses that fall with "crc".

    >>> scores = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.8, 0.9, 0.7, 0.9])  # of the true labels
    >>> thresholds = np.array([0.1, 0.5, 0.75])
    >>> missed = scores[:, None] < thresholds  # a label is missed below the threshold
    >>> found = control_risk(missed, alpha=0.2)
    >>> print(thresholds[found.index], found.bounds.round(1))  # (missed + 1) / (9 + 1)
    0.5 [0.1 0.2 0.5]
    """
    where = "conformal.control_risk"
    check_choice("method", method, METHODS, where)
    losses = _checked(losses, largest, where)
    check_alpha(alpha / largest, where)
    if not 0 < delta < 1:
        raise ValueError(explain(where, "0 < delta < 1", f"delta={delta}"))
    rows = len(losses)
    totals = jnp.sum(losses, axis=0)
    if method == "crc":
        _check_rising(losses, largest, where)
        bounds = (totals + largest) / (rows + 1)
        is_safe = bounds <= alpha * (1 + OF_LOSSES)
    else:
        bounds = _p_values(totals / largest, rows, alpha / largest)
        is_safe = bounds <= delta
    is_safe = jnp.cumprod(is_safe).astype(bool)  # up to the first that is not
    return Control(jnp.sum(is_safe) - 1, is_safe, bounds, totals / rows)


def _checked(losses: Any, largest: float, where: str) -> jax.Array:
    losses = jnp.asarray(losses)
    if losses.dtype == bool:
        losses = losses.astype("float32")
    losses = as_floats(losses)
    if losses.ndim != 2:
        wanted = "`losses` of shape (rows, settings)"
        raise ValueError(explain(where, wanted, f"shape {losses.shape}"))
    check_some(losses, where, "losses")
    check_numbers(losses, where, "losses", 0)
    if not 0 < largest < math.inf:
        raise ValueError(explain(where, "a `largest` loss above 0", f"largest={largest}"))
    if is_concrete(losses) and losses.max() > largest * (1 + OF_LOSSES):
        fix = "give `largest=`, what a loss can be"
        received = f"{losses.max():g} among them"
        raise ValueError(explain(where, f"losses of at most {largest:g}", received, fix))
    return losses


def _check_rising(losses: jax.Array, largest: float, where: str) -> None:
    if not is_concrete(losses):
        return
    if (np.diff(np.asarray(losses), axis=1) < -OF_LOSSES * largest).any():
        fix = "order settings from the most careful to the boldest, or take `method='ltt'`"
        wanted = "losses of each row that do not fall from one setting to the next"
        raise ValueError(explain(where, wanted, "some that fall", fix))


def _p_values(totals: jax.Array, rows: int, alpha: float) -> jax.Array:
    """Of Hoeffding and Bentkus, the smaller one: how probable so small a mean of losses from 0 to 1
    is where their risk is above alpha.
    """
    mean = jnp.minimum(totals / rows, alpha)
    divergence = jax.scipy.special.rel_entr(mean, alpha)
    divergence = divergence + jax.scipy.special.rel_entr(1 - mean, 1 - alpha)
    hoeffding = jnp.exp(-rows * divergence)
    hits = jnp.ceil(totals * (1 - OF_LOSSES))  # a sum that is a whole number but for rounding
    below = jax.scipy.special.betainc(jnp.maximum(rows - hits, 1), hits + 1, 1 - alpha)
    bentkus = math.e * jnp.where(hits >= rows, 1.0, below)
    # the logarithms of factorials in it are off by roundings of numbers of this size
    rounding = math.exp(float(jnp.finfo(totals.dtype).eps) * rows * math.log(rows + 1))
    return jnp.minimum(rounding * jnp.minimum(hoeffding, bentkus), 1.0)


__all__ = ["Control", "control_risk"]
