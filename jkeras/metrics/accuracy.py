"""Accuracies: how often predictions equal labels, exactly, by threshold, by highest score, among
the k highest.
"""

import typing
from typing import Any
import jax
import jax.numpy as jnp

from jkeras.core.errors import check_number
from jkeras.core.record import record
from jkeras.core.session.settings import floatx
from jkeras.losses.reduction import comparison, pair, squeeze_or_expand_to_same_rank
from jkeras.losses.typing import Tensor
from jkeras.metrics.reduction import MeanMetricWrapper
from jkeras.ops.kernels_extrema import place_of_largest


def accuracy(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """1 where a prediction equals its label, else 0; element by element.

    Args:
        y_true, y_pred: arrays of one shape, up to a last axis of size 1.
    Returns:
        Ones and zeros in floatx.
    Raises:
        ValueError: shapes that do not broadcast.

    >>> print(accuracy([1, 2], [1, 3]))
    [1. 0.]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return (y_true == y_pred).astype(floatx())


@comparison("keras.metrics.binary_accuracy")
def binary_accuracy(y_true: Tensor, y_pred: Tensor, threshold: float = 0.5) -> jax.Array:
    """1 where `y_pred > threshold` agrees with the label 0 or 1, else 0; element by element.

    Args:
        y_true: labels 0 and 1.
        y_pred: probabilities of the same shape, up to a last axis of size 1.
        threshold: above which a prediction is 1.
    Returns:
        Ones and zeros for each element.

    >>> print(binary_accuracy([[1.0, 0.0]], [[0.6, 0.8]]))
    [[1. 0.]]
    """
    y_true, y_pred = squeeze_or_expand_to_same_rank(jnp.asarray(y_true), jnp.asarray(y_pred))
    above = y_pred > jnp.asarray(threshold, floatx())
    return (y_true == above.astype(y_true.dtype)).astype(floatx())


def _hits(labels: jax.Array, y_pred: jax.Array) -> jax.Array:
    """1 where the highest score is at the label: labels (batch, …) or (batch, …, 1), scores (batch,
    …, classes).
    """
    is_column = labels.ndim == y_pred.ndim and labels.shape[-1] == 1
    if not is_column:
        return (labels == place_of_largest(y_pred)).astype(floatx())
    hits = (labels[..., 0] == place_of_largest(y_pred)).astype(floatx())
    return hits.reshape(labels.shape)


@comparison("keras.metrics.categorical_accuracy")
def categorical_accuracy(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """1 where the highest score is at the highest target, else 0: (batch, …, classes) twice ->
    (batch, …).

    Args:
        y_true: one-hot targets or probabilities (batch, …, classes).
        y_pred: scores of the same shape.
    Returns:
        One or zero for each target, (batch, …).

    >>> print(categorical_accuracy([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]]))
    [1. 0.]
    """
    return _hits(place_of_largest(jnp.asarray(y_true)), jnp.asarray(y_pred))


@comparison("keras.metrics.sparse_categorical_accuracy")
def sparse_categorical_accuracy(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """1 where the highest score is at the integer label, else 0: (batch, …), (batch, …, classes) ->
    (batch, …).

    Args:
        y_true: integer labels (batch, …), or (batch, …, 1).
        y_pred: scores (batch, …, classes).
    Returns:
        One or zero for each label, (batch, …).

    >>> print(sparse_categorical_accuracy([1, 0], [[0.2, 0.8], [0.3, 0.7]]))
    [1. 0.]
    """
    hits = _hits(jnp.asarray(y_true), jnp.asarray(y_pred))
    if hits.ndim > 1 and hits.shape[-1] == 1:
        return hits[..., 0]
    return hits


def _among_top(labels: jax.Array, y_pred: jax.Array, k: int) -> jax.Array:
    """1 where fewer than k scores are higher than the label's: labels (batch, …), scores (batch, …,
    classes).
    """
    check_number("k", k)
    flat = y_pred.reshape(-1, y_pred.shape[-1])
    score = jnp.take_along_axis(flat, labels.reshape(-1)[:, None], axis=-1)
    score = jnp.where(jnp.isnan(score), -jnp.inf, score)
    hits = jnp.sum(flat > score, axis=-1) < k
    return hits.astype(floatx()).reshape(labels.shape)


@comparison("keras.metrics.top_k_categorical_accuracy")
def top_k_categorical_accuracy(y_true: Tensor, y_pred: Tensor, k: int = 5) -> jax.Array:
    """1 where the highest target is among the k highest scores, else 0: (batch, …, classes) twice
    -> (batch, …).

    Args:
        y_true, y_pred: as for `categorical_accuracy`.
        k: how many of the highest scores count.
    Returns:
        One or zero for each target, (batch, …).
    Raises:
        ValueError: `k` is no number.

    >>> print(top_k_categorical_accuracy([[0, 0, 1], [1, 0, 0]], [[0.1, 0.7, 0.2]] * 2, k=2))
    [1. 0.]
    """
    return _among_top(place_of_largest(jnp.asarray(y_true)), jnp.asarray(y_pred), k)


@comparison("keras.metrics.sparse_top_k_categorical_accuracy")
def sparse_top_k_categorical_accuracy(
    y_true: Tensor, y_pred: Tensor, k: int = 5, from_sorted_ids: bool = False
) -> jax.Array:
    """1 where the integer label is among the k highest scores, else 0: (batch, …), (batch, …,
    classes) -> (batch, …).

    Args:
        y_true: integer labels (batch, …).
        y_pred: scores (batch, …, classes).
        k: how many of the highest scores count.
        from_sorted_ids: `y_pred` holds class numbers, best first, instead of scores.
    Returns:
        One or zero for each label, (batch, …).
    Raises:
        ValueError: `k` is no number.

    >>> print(sparse_top_k_categorical_accuracy([2, 0], [[0.1, 0.7, 0.2]] * 2, k=2))
    [1. 0.]
    """
    y_true = jnp.asarray(y_true)
    y_pred = jnp.asarray(y_pred)
    if not from_sorted_ids:
        return _among_top(y_true.astype("int32"), y_pred, k)
    best = y_pred.reshape(-1, y_pred.shape[-1])[:, :k]
    hits = jnp.any(y_true.reshape(-1)[:, None] == best, axis=1)
    return hits.astype(floatx()).reshape(y_true.shape)


# ---------------------------------------------------------------- classes


@record("keras.metrics")
class Accuracy(MeanMetricWrapper):
    """How often predictions equal labels.

    Args:
        name, dtype: as for `Metric`.

    >>> print(Accuracy()([[1], [2]], [[1], [3]]))
    0.5
    """

    name = "accuracy"
    fn = staticmethod(accuracy)
    _direction = "up"


@record("keras.metrics")
class BinaryAccuracy(MeanMetricWrapper):
    """How often `y_pred > threshold` agrees with labels 0 and 1.

    Args:
        threshold: above which a prediction is 1.
        name, dtype: as for `Metric`.

    >>> print(BinaryAccuracy(threshold=0.7)([[1.0], [0.0]], [[0.9], [0.6]]))  # at 0.5: 0.5
    1.0
    """

    threshold: float = 0.5
    name = "binary_accuracy"
    fn = staticmethod(binary_accuracy)
    _direction = "up"


@record("keras.metrics")
class CategoricalAccuracy(MeanMetricWrapper):
    """How often the highest score is at the right class, with one-hot labels.

    Args:
        name, dtype: as for `Metric`.

    >>> print(CategoricalAccuracy()([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]]))
    0.5
    """

    name = "categorical_accuracy"
    fn = staticmethod(categorical_accuracy)
    _direction = "up"


@record("keras.metrics")
class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the highest score is at the right class, with integer labels.

    Args:
        name, dtype: as for `Metric`.

    >>> print(SparseCategoricalAccuracy()([1, 0], [[0.2, 0.8], [0.3, 0.7]]))
    0.5
    """

    name = "sparse_categorical_accuracy"
    fn = staticmethod(sparse_categorical_accuracy)
    _direction = "up"


@record("keras.metrics", arguments="k, name, dtype")
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the right class is among the k highest scores, with one-hot labels.

    Args:
        k: how many of the highest scores count.
        name, dtype: as for `Metric`.

    >>> print(TopKCategoricalAccuracy(k=2)([[0, 0, 1], [1, 0, 0]], [[0.1, 0.7, 0.2]] * 2))
    0.5
    """

    k: int = 5
    name = "top_k_categorical_accuracy"
    fn = staticmethod(top_k_categorical_accuracy)
    _direction = "up"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            k: int = 5,
            name: str | None = "top_k_categorical_accuracy",
            dtype: typing.Any = None,
        ) -> None: ...


@record("keras.metrics", arguments="k, name, dtype, from_sorted_ids")
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the right class is among the k highest scores, with integer labels.

    Args:
        k: how many of the highest scores count.
        from_sorted_ids: `y_pred` holds class numbers, best first, instead of scores.
        name, dtype: as for `Metric`.

    >>> print(SparseTopKCategoricalAccuracy(k=2)([2, 0], [[0.1, 0.7, 0.2]] * 2))
    0.5
    """

    k: int = 5
    from_sorted_ids: bool = False
    name = "sparse_top_k_categorical_accuracy"
    fn = staticmethod(sparse_top_k_categorical_accuracy)
    _direction = "up"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            k: int = 5,
            name: str | None = "sparse_top_k_categorical_accuracy",
            dtype: typing.Any = None,
            from_sorted_ids: bool = False,
        ) -> None: ...

    def field_config(self) -> dict[str, Any]:
        """The fields; `from_sorted_ids` is written only when it is set, as older files lack it."""
        return {k: v for k, v in super().field_config().items() if k != "from_sorted_ids" or v}
