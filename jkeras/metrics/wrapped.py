"""Metrics that are means of a loss function: regression, cross-entropies, hinges; and
correlations.
"""

from typing import Any
import jax
import jax.numpy as jnp

from jkeras import losses
from jkeras.core.names import typed
from jkeras.core.record import record
from jkeras.core.session.settings import epsilon
from jkeras.losses.reduction import comparison, pair
from jkeras.losses.regression import normalize
from jkeras.losses.typing import Tensor
from jkeras.metrics.base import State
from jkeras.metrics.reduction import Mean, MeanMetricWrapper

# ---------------------------------------------------------------- regression


@record("keras.metrics")
class MeanSquaredError(MeanMetricWrapper):
    """Mean of (y_true - y_pred)^2.

    Args:
        name, dtype: as for `Metric`.

    >>> print(MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]))
    2.5
    """

    name = "mean_squared_error"
    fn = staticmethod(losses.mean_squared_error)


@record("keras.metrics")
class RootMeanSquaredError(Mean):
    """Square root of the mean of (y_true - y_pred)^2.

    Args:
        name, dtype: as for `Metric`.

    >>> print(RootMeanSquaredError()([[0.0, 1.0]], [[2.0, 3.0]]))
    2.0
    """

    name = "root_mean_squared_error"
    _direction = "down"

    def measure(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Any]:
        """Sum and count of the squared errors of this batch."""
        y_true, y_pred = pair(y_true, jnp.asarray(y_pred, self.dtype))
        return Mean.measure(self, jnp.square(y_pred - y_true), sample_weight)

    def result_of(self, state: State) -> jax.Array:
        """The root of the mean."""
        return jnp.sqrt(Mean.result_of(self, state))


@record("keras.metrics")
class MeanAbsoluteError(MeanMetricWrapper):
    """Mean of |y_true - y_pred|.

    Args:
        name, dtype: as for `Metric`.

    >>> print(MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]]))
    1.5
    """

    name = "mean_absolute_error"
    fn = staticmethod(losses.mean_absolute_error)


@record("keras.metrics")
class MeanAbsolutePercentageError(MeanMetricWrapper):
    """100 times the mean of |y_true - y_pred| / |y_true|.

    Args:
        name, dtype: as for `Metric`.

    >>> print(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]]))
    25.0
    """

    name = "mean_absolute_percentage_error"
    fn = staticmethod(losses.mean_absolute_percentage_error)


@record("keras.metrics")
class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """Mean of (log(1 + y_true) - log(1 + y_pred))^2.

    Args:
        name, dtype: as for `Metric`.

    >>> print(MeanSquaredLogarithmicError()([[0.0, 3.0]], [[0.0, 1.0]]).round(2))
    0.24
    """

    name = "mean_squared_logarithmic_error"
    fn = staticmethod(losses.mean_squared_logarithmic_error)


@record("keras.metrics")
class LogCoshError(MeanMetricWrapper):
    """Mean of log(cosh(y_pred - y_true)).

    Args:
        name, dtype: as for `Metric`.

    >>> print(LogCoshError()([[0.0], [1.0]], [[0.0], [0.0]]).round(2))
    0.22
    """

    name = "logcosh"
    fn = staticmethod(losses.log_cosh)


def cosine_similarity(y_true: Tensor, y_pred: Tensor, axis: int = -1) -> jax.Array:
    """The cosine of the angle between two vectors."""
    y_true, y_pred = pair(y_true, y_pred)
    return jnp.sum(normalize(y_true, axis) * normalize(y_pred, axis), axis=axis)


@record("keras.metrics")
class CosineSimilarity(MeanMetricWrapper):
    """Mean cosine of the angle between targets and predictions: 1 for equal directions.

    Args:
        axis: along which the vectors lie.
        name, dtype: as for `Metric`.

    >>> print(CosineSimilarity()([[0.0, 1.0], [3.0, 4.0]], [[0.0, 2.0], [1.0, 0.0]]))  # 1 and 0.6
    0.8
    """

    axis: typed.Sizes = -1
    name = "cosine_similarity"
    fn = staticmethod(cosine_similarity)
    _direction = "up"

    def field_config(self) -> dict[str, Any]:
        """The fields without `axis`, which Keras does not write."""
        return {k: v for k, v in super().field_config().items() if k != "axis"}


# ---------------------------------------------------------------- distributions and margins


@record("keras.metrics")
class KLDivergence(MeanMetricWrapper):
    """Mean Kullback-Leibler divergence: the sum of y_true log(y_true / y_pred) over the last axis.

    Args:
        name, dtype: as for `Metric`.

    >>> print(KLDivergence()([[0.5, 0.5]], [[0.9, 0.1]]).round(2))
    0.51
    """

    name = "kl_divergence"
    fn = staticmethod(losses.kl_divergence)


@record("keras.metrics")
class Poisson(MeanMetricWrapper):
    """Mean Poisson loss, y_pred - y_true log(y_pred).

    Args:
        name, dtype: as for `Metric`.

    >>> print(Poisson()([[0.0, 0.0]], [[1.0, 3.0]]))
    2.0
    """

    name = "poisson"
    fn = staticmethod(losses.poisson)


@record("keras.metrics")
class BinaryCrossentropy(MeanMetricWrapper):
    """Mean binary cross-entropy, -y_true log p - (1 - y_true) log(1 - p).

    Args:
        from_logits, label_smoothing: as for `jkeras.losses.binary_crossentropy`.
        name, dtype: as for `Metric`.

    >>> print(BinaryCrossentropy(from_logits=True)([[0.0, 1.0]], [[0.0, 0.0]]).round(3))
    0.693
    """

    from_logits: bool = False
    label_smoothing: float = 0
    name = "binary_crossentropy"
    fn = staticmethod(losses.binary_crossentropy)


@record("keras.metrics")
class CategoricalCrossentropy(MeanMetricWrapper):
    """Mean cross-entropy with one-hot targets.

    Args:
        from_logits, label_smoothing, axis: as for `jkeras.losses.categorical_crossentropy`.
        name, dtype: as for `Metric`.

    >>> print(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]).round(3))
    0.693
    """

    from_logits: bool = False
    label_smoothing: float = 0
    axis: typed.Sizes = -1
    name = "categorical_crossentropy"
    fn = staticmethod(losses.categorical_crossentropy)


@record("keras.metrics")
class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Mean cross-entropy with integer labels.

    Args:
        from_logits, ignore_class, axis: as for `jkeras.losses.sparse_categorical_crossentropy`;
            labels of `ignore_class` do not count.
        name, dtype: as for `Metric`.

    >>> print(SparseCategoricalCrossentropy()([[1]], [[0.5, 0.5]]).round(3))
    0.693
    """

    from_logits: bool = False
    ignore_class: int | None = None
    axis: typed.Sizes = -1
    name = "sparse_categorical_crossentropy"
    fn = staticmethod(losses.sparse_categorical_crossentropy)


@record("keras.metrics")
class Hinge(MeanMetricWrapper):
    """Mean of max(0, 1 - y_true y_pred).

    Args:
        name, dtype: as for `Metric`.

    >>> print(Hinge()([[-1.0, 1.0]], [[-2.0, 0.5]]))
    0.25
    """

    name = "hinge"
    fn = staticmethod(losses.hinge)


@record("keras.metrics")
class SquaredHinge(MeanMetricWrapper):
    """Mean of max(0, 1 - y_true y_pred)^2.

    Args:
        name, dtype: as for `Metric`.

    >>> print(SquaredHinge()([[-1.0, 1.0]], [[-2.0, 0.5]]))
    0.125
    """

    name = "squared_hinge"
    fn = staticmethod(losses.squared_hinge)


@record("keras.metrics")
class CategoricalHinge(MeanMetricWrapper):
    """Mean of max(0, 1 + the highest wrong score - the right score).

    Args:
        name, dtype: as for `Metric`.

    >>> print(CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.25]]))
    1.25
    """

    name = "categorical_hinge"
    fn = staticmethod(losses.categorical_hinge)


# ---------------------------------------------------------------- correlations


@comparison("keras.metrics.pearson_correlation")
def pearson_correlation(y_true: Tensor, y_pred: Tensor, axis: int = -1) -> jax.Array:
    """Pearson's correlation of two sets of values along an axis: 1 for y_pred = a y_true + b with a
    > 0.

    Args:
        y_true, y_pred: arrays (batch, …, d), brought to one rank.
        axis: along which the values lie.
    Returns:
        Correlations in [-1, 1], in the shape of the inputs without `axis`; NaN where one of them
        does not vary.
    Raises:
        ValueError: shapes that do not broadcast.

    >>> y_pred = [[1.0, 3.0, 5.0], [1.0, 3.0, 2.0]]
    >>> print(pearson_correlation([[0.0, 1.0, 2.0]] * 2, y_pred).round(2))
    [1.  0.5]
    """
    y_true, y_pred = (y - jnp.mean(y, axis=axis, keepdims=True) for y in pair(y_true, y_pred))
    y_true, y_pred = (y / jnp.std(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    return jnp.mean(y_true * y_pred, axis=axis)


@comparison("keras.metrics.concordance_correlation")
def concordance_correlation(y_true: Tensor, y_pred: Tensor, axis: int = -1) -> jax.Array:
    """Lin's concordance correlation along an axis: 1 only for y_pred = y_true. (Lin 1989)

    2 covariance / (variance of y_true + variance of y_pred + (difference of the means)^2).

    Args:
        y_true, y_pred, axis: as for `pearson_correlation`.
    Returns:
        Values in [-1, 1], in the shape of the inputs without `axis`.
    Raises:
        ValueError: shapes that do not broadcast.

    >>> y_pred = [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]]
    >>> print(concordance_correlation([[0.0, 1.0, 2.0]] * 2, y_pred).round(2))
    [1.   0.57]
    """
    y_true, y_pred = pair(y_true, y_pred)
    mean_true = jnp.mean(y_true, axis=axis, keepdims=True)
    mean_pred = jnp.mean(y_pred, axis=axis, keepdims=True)
    y_true = y_true - mean_true
    y_pred = y_pred - mean_pred
    spread = sum(jnp.var(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    scale = spread + jnp.square(mean_true - mean_pred) + epsilon()
    return jnp.mean(2 * y_true * y_pred / scale, axis=axis)


@record("keras.metrics")
class PearsonCorrelation(MeanMetricWrapper):
    """Mean of `pearson_correlation` over examples.

    Args:
        axis: along which the values lie, as for `pearson_correlation`.
        name, dtype: as for `Metric`.

    >>> print(PearsonCorrelation()([[0.0, 1.0, 2.0]], [[1.0, 3.0, 2.0]]).round(2))
    0.5
    """

    axis: typed.Sizes = -1
    name = "pearson_correlation"
    fn = staticmethod(pearson_correlation)
    _direction = "up"


@record("keras.metrics")
class ConcordanceCorrelation(MeanMetricWrapper):
    """Mean of `concordance_correlation` over examples.

    Args:
        axis: along which the values lie, as for `concordance_correlation`.
        name, dtype: as for `Metric`.

    >>> print(ConcordanceCorrelation()([[0.0, 1.0, 2.0]], [[1.0, 2.0, 3.0]]).round(2))
    0.57
    """

    axis: typed.Sizes = -1
    name = "concordance_correlation"
    fn = staticmethod(concordance_correlation)
    _direction = "up"
