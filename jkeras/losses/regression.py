"""Losses between numbers: squared, absolute, relative, logarithmic and robust errors; cosine
similarity.
"""

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.record import Any, record
from jkeras.core.session.settings import epsilon
from jkeras.losses.base import BuiltInLoss, LossFunctionWrapper
from jkeras.losses.reduction import comparison, pair
from jkeras.ops.nn_normalization import inverse_norm
from jkeras.losses.typing import Tensor
from jkeras.core.weights.types import Reduction


def normalize(x: jax.Array, axis: int = -1) -> jax.Array:
    """x divided by its Euclidean norm along an axis; a zero vector stays zero, a number is a vector
    of one.
    """
    x = jnp.atleast_1d(x)
    square = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
    return x * inverse_norm(square, epsilon())


@comparison("keras.metrics.mean_squared_error", "keras.losses.mean_squared_error")
def mean_squared_error(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean over the last axis of (y_true - y_pred)^2: (batch, …, d) -> (batch, …).

    Args:
        y_true, y_pred: arrays (batch, …, d) of shapes that broadcast; a last axis of size 1
            that only one of them has is matched.
    Returns:
        The mean squares, (batch, …).
    Raises:
        ValueError: shapes that do not broadcast.

    >>> print(mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]]))
    [2.5]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return jnp.mean(jnp.square(y_true - y_pred), axis=-1)


@comparison("keras.metrics.mean_absolute_error", "keras.losses.mean_absolute_error")
def mean_absolute_error(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean over the last axis of |y_true - y_pred|: (batch, …, d) -> (batch, …).

    Args:
        y_true, y_pred: as for `mean_squared_error`.
    Returns:
        The mean absolute errors, (batch, …).
    Raises:
        ValueError: shapes that do not broadcast.

    >>> print(mean_absolute_error([[0.0, 1.0]], [[1.0, 3.0]]))
    [1.5]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)


@comparison(
    "keras.metrics.mean_absolute_percentage_error", "keras.losses.mean_absolute_percentage_error"
)
def mean_absolute_percentage_error(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """100 times the mean over the last axis of |y_true - y_pred| / max(|y_true|, epsilon).

    Args:
        y_true, y_pred: as for `mean_squared_error`.
    Returns:
        Errors in percent of the target, (batch, …).
    Raises:
        ValueError: shapes that do not broadcast.

    >>> print(mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]]))
    [25.]
    """
    y_true, y_pred = pair(y_true, y_pred)
    scale = jnp.maximum(jnp.abs(y_true), jnp.asarray(epsilon(), y_pred.dtype))
    return 100 * jnp.mean(jnp.abs((y_true - y_pred) / scale), axis=-1)


@comparison(
    "keras.metrics.mean_squared_logarithmic_error", "keras.losses.mean_squared_logarithmic_error"
)
def mean_squared_logarithmic_error(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean over the last axis of (log(1 + y_true) - log(1 + y_pred))^2; negative values count as 0.

    Args:
        y_true, y_pred: as for `mean_squared_error`.
    Returns:
        The mean squares, (batch, …).
    Raises:
        ValueError: shapes that do not broadcast.

    >>> print(mean_squared_logarithmic_error([[0.0, 3.0]], [[0.0, 1.0]]).round(2))  # log(2)^2 / 2
    [0.24]
    """
    y_true, y_pred = map(_clipped_log1p, pair(y_true, y_pred))
    return jnp.mean(jnp.square(y_pred - y_true), axis=-1)


def _clipped_log1p(y: jax.Array) -> jax.Array:
    y = jnp.maximum(y, jnp.asarray(epsilon()))
    return jnp.log(y + 1)


@comparison("keras.losses.huber", "keras.metrics.huber")
def huber(y_true: Tensor, y_pred: Tensor, delta: float = 1.0) -> jax.Array:
    """Mean over the last axis of e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2, of the
    error e.

    Args:
        y_true, y_pred: as for `mean_squared_error`.
        delta: where the loss goes over from quadratic to linear. (Huber 1964)
    Returns:
        The mean losses, (batch, …).
    Raises:
        ValueError: shapes that do not broadcast.

    >>> print(huber([[0.0, 0.0]], [[1.0, 3.0]]))
    [1.5]
    """
    y_true, y_pred = pair(y_true, y_pred)
    delta = jnp.asarray(delta, y_pred.dtype)
    error = y_pred - y_true
    size = jnp.abs(error)
    quadratic = 0.5 * jnp.square(error)
    linear = delta * size - 0.5 * jnp.square(delta)
    return jnp.mean(jnp.where(size <= delta, quadratic, linear), axis=-1)


@comparison("keras.losses.log_cosh", "keras.metrics.log_cosh")
def log_cosh(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean over the last axis of log(cosh(y_pred - y_true)), computed without overflow.

    It is near e^2 / 2 for small errors e and near |e| - log(2) for large ones.

    Args:
        y_true, y_pred: as for `mean_squared_error`.
    Returns:
        The mean losses, (batch, …).
    Raises:
        ValueError: shapes that do not broadcast.

    >>> print(log_cosh([[0.0], [1.0], [100.0]], [[0.0], [0.0], [0.0]]).round(1))
    [ 0.   0.4 99.3]
    """
    y_true, y_pred = pair(y_true, y_pred)
    error = y_pred - y_true
    log_2 = jnp.log(jnp.asarray(2, y_pred.dtype))
    return jnp.mean(error + jax.nn.softplus(-2 * error) - log_2, axis=-1)


@comparison("keras.losses.cosine_similarity")
def cosine_similarity(y_true: Tensor, y_pred: Tensor, axis: Any = -1) -> jax.Array:
    """Minus the cosine of the angle between two vectors: -1 for equal directions, 0 where one of
    them is zero.

    Args:
        y_true, y_pred: as for `mean_squared_error`.
        axis: along which the vectors lie; it is summed away.
    Returns:
        Values in [-1, 1], in the shape of the inputs without `axis`.
    Raises:
        ValueError: shapes that do not broadcast.

    >>> print(cosine_similarity([[0.0, 1.0], [3.0, 4.0]], [[0.0, 2.0], [1.0, 0.0]]).round(3))
    [-1.  -0.6]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return -jnp.sum(normalize(y_true, axis) * normalize(y_pred, axis), axis=axis)


# ---------------------------------------------------------------- classes


@record("keras.losses")
class MeanSquaredError(BuiltInLoss):
    """Loss of `mean_squared_error`: (y_true - y_pred)^2, averaged.

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]))
    2.5
    """

    name = "mean_squared_error"
    fn = staticmethod(mean_squared_error)


@record("keras.losses")
class MeanAbsoluteError(BuiltInLoss):
    """Loss of `mean_absolute_error`: |y_true - y_pred|, averaged.

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]]))
    1.5
    """

    name = "mean_absolute_error"
    fn = staticmethod(mean_absolute_error)


@record("keras.losses")
class MeanAbsolutePercentageError(BuiltInLoss):
    """Loss of `mean_absolute_percentage_error`: the absolute error in percent of the target.

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]]))
    25.0
    """

    name = "mean_absolute_percentage_error"
    fn = staticmethod(mean_absolute_percentage_error)


@record("keras.losses")
class MeanSquaredLogarithmicError(BuiltInLoss):
    """Loss of `mean_squared_logarithmic_error`: squared differences of log(1 + y).

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(MeanSquaredLogarithmicError()([[0.0, 3.0]], [[0.0, 1.0]]).round(2))
    0.24
    """

    name = "mean_squared_logarithmic_error"
    fn = staticmethod(mean_squared_logarithmic_error)


@record("keras.losses")
class CosineSimilarity(LossFunctionWrapper):
    """Loss of `cosine_similarity`: minus the cosine, -1 for equal directions.

    Args:
        axis: along which the vectors lie.
        reduction, name, dtype: as for `Loss`.

    >>> print(CosineSimilarity()([[0.0, 1.0]], [[0.0, 2.0]]))
    -1.0
    """

    axis: typed.Sizes = -1
    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = "cosine_similarity"
    dtype: Any = None
    fn = staticmethod(cosine_similarity)
    _unwritten = ("axis",)


@record("keras.losses")
class Huber(LossFunctionWrapper):
    """Loss of `huber`: quadratic for errors up to `delta`, linear beyond.

    Args:
        delta: where the loss goes over from quadratic to linear.
        reduction, name, dtype: as for `Loss`.

    >>> print(Huber()([[0.0, 0.0]], [[1.0, 3.0]]))
    1.5
    """

    delta: float = 1.0
    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = "huber_loss"
    dtype: Any = None
    fn = staticmethod(huber)
    _unwritten = ("delta",)


@record("keras.losses")
class LogCosh(BuiltInLoss):
    """Loss of `log_cosh`: log(cosh(y_pred - y_true)), averaged.

    Args:
        reduction, name, dtype: as for `Loss`.

    >>> print(LogCosh()([[0.0], [1.0]], [[0.0], [0.0]]).round(2))
    0.22
    """

    name = "log_cosh"
    fn = staticmethod(log_cosh)
