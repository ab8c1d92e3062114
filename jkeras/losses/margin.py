"""Losses with a margin, and losses between distributions: hinges, KL divergence, Poisson."""

import jax
import jax.numpy as jnp

from jkeras.core.record import record
from jkeras.core.session.settings import epsilon
from jkeras.losses.base import BuiltInLoss
from jkeras.losses.reduction import comparison
from jkeras.losses.typing import Tensor


def arrays(y_true: Tensor, y_pred: Tensor) -> tuple[jax.Array, jax.Array]:
    """Both as arrays of the dtype of `y_pred`."""
    y_pred = jnp.asarray(y_pred)
    return jnp.asarray(y_true, y_pred.dtype), y_pred


def _distance_to_margin(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """max(0, 1 - y_true y_pred); targets that are all 0 or 1 are read as -1 or 1."""
    y_true, y_pred = arrays(y_true, y_pred)
    binary = jnp.all((y_true == 0) | (y_true == 1))
    y_true = jnp.where(binary, 2 * y_true - 1, y_true)
    return jnp.maximum(1 - y_true * y_pred, 0)


@comparison("keras.metrics.hinge", "keras.losses.hinge")
def hinge(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean over the last axis of max(0, 1 - y_true y_pred), for targets -1 and 1 (or 0 and 1).

    Args:
        y_true: targets (batch, …, d), all -1 or 1, or all 0 or 1.
        y_pred: scores of the same shape.
    Returns:
        The mean losses, (batch, …).

    >>> print(hinge([[-1.0, 1.0]], [[-2.0, 0.5]]))
    [0.25]
    """
    return jnp.mean(_distance_to_margin(y_true, y_pred), axis=-1)


@comparison("keras.metrics.squared_hinge", "keras.losses.squared_hinge")
def squared_hinge(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean over the last axis of max(0, 1 - y_true y_pred)^2, for targets -1 and 1 (or 0 and 1).

    Args:
        y_true, y_pred: as for `hinge`.
    Returns:
        The mean losses, (batch, …).

    >>> print(squared_hinge([[-1.0, 1.0]], [[-2.0, 0.5]]))
    [0.125]
    """
    return jnp.mean(jnp.square(_distance_to_margin(y_true, y_pred)), axis=-1)


@comparison("keras.metrics.categorical_hinge", "keras.losses.categorical_hinge")
def categorical_hinge(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """max(0, 1 + the highest wrong score - the right score) over the last axis, for one-hot
    targets.

    Args:
        y_true: one-hot targets (batch, …, classes).
        y_pred: scores of the same shape.
    Returns:
        One loss for each target, (batch, …).

    >>> print(categorical_hinge([[0.0, 1.0]], [[0.5, 0.25]]))
    [1.25]
    """
    y_true, y_pred = arrays(y_true, y_pred)
    right = jnp.sum(y_true * y_pred, axis=-1)
    wrong = jnp.max((1 - y_true) * y_pred, axis=-1)
    return jnp.maximum(wrong - right + 1.0, 0)


@comparison("keras.metrics.kl_divergence", "keras.losses.kl_divergence")
def kl_divergence(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Kullback-Leibler divergence: sum over the last axis of y_true log(y_true / y_pred), both kept
    in [epsilon, 1].

    Args:
        y_true, y_pred: probabilities (batch, …, classes).
    Returns:
        The divergences, (batch, …); 0 for equal distributions.

    >>> print(kl_divergence([[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.9, 0.1]]).round(2))
    [0.   0.51]
    """
    y_true, y_pred = (jnp.clip(y, epsilon(), 1) for y in arrays(y_true, y_pred))
    return jnp.sum(y_true * jnp.log(y_true / y_pred), axis=-1)


@comparison("keras.metrics.poisson", "keras.losses.poisson")
def poisson(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean over the last axis of y_pred - y_true log(y_pred), the Poisson log-likelihood up to a
    constant.

    Args:
        y_true: counts (batch, …, d).
        y_pred: expected counts, > 0, of the same shape.
    Returns:
        The mean losses, (batch, …).

    >>> print(poisson([[0.0, 0.0]], [[1.0, 3.0]]))
    [2.]
    """
    y_true, y_pred = arrays(y_true, y_pred)
    logarithm = jnp.log(y_pred + jnp.asarray(epsilon(), y_pred.dtype))
    return jnp.mean(y_pred - y_true * logarithm, axis=-1)


# ---------------------------------------------------------------- classes


@record("keras.losses")
class Hinge(BuiltInLoss):
    """Loss of `hinge`: max(0, 1 - y_true y_pred), averaged.

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(Hinge()([[-1.0, 1.0]], [[-2.0, 0.5]]))
    0.25
    """

    name = "hinge"
    fn = staticmethod(hinge)


@record("keras.losses")
class SquaredHinge(BuiltInLoss):
    """Loss of `squared_hinge`: max(0, 1 - y_true y_pred)^2, averaged.

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(SquaredHinge()([[-1.0, 1.0]], [[-2.0, 0.5]]))
    0.125
    """

    name = "squared_hinge"
    fn = staticmethod(squared_hinge)


@record("keras.losses")
class CategoricalHinge(BuiltInLoss):
    """Loss of `categorical_hinge`: how far the right score is from 1 above the highest wrong one.

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.25]]))
    1.25
    """

    name = "categorical_hinge"
    fn = staticmethod(categorical_hinge)


@record("keras.losses")
class KLDivergence(BuiltInLoss):
    """Loss of `kl_divergence`: the sum of y_true log(y_true / y_pred) over classes.

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(KLDivergence()([[0.5, 0.5]], [[0.9, 0.1]]).round(2))
    0.51
    """

    name = "kl_divergence"
    fn = staticmethod(kl_divergence)


@record("keras.losses")
class Poisson(BuiltInLoss):
    """Loss of `poisson`: y_pred - y_true log(y_pred), averaged.

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(Poisson()([[0.0, 0.0]], [[1.0, 3.0]]))
    2.0
    """

    name = "poisson"
    fn = staticmethod(poisson)
