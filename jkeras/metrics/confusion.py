"""Counts of true and false positives and negatives at thresholds, and the metrics that follow from
them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names import typed
from jkeras.core.errors import ShapeError
from jkeras.core.record import Any, record
from jkeras.kernel.valid_rows import expand_like
from jkeras.core.session.settings import epsilon, floatx
from jkeras.losses.reduction import divide_no_nan, squeeze_or_expand_to_same_rank
from jkeras.losses.typing import Tensor
from jkeras.metrics.base import Accumulator, State, StateSpec

# the score of a class that is not among the k highest; also the threshold below all others
NEGATIVE = -1e10


def even_thresholds(count: int) -> list[float]:
    """`count` thresholds from 0 to 1."""
    return [i / (count - 1) for i in range(count)]


def are_even(thresholds: Sequence[float]) -> bool:
    """Whether thresholds lie evenly from 0 to 1, three at least: then counting needs one pass."""
    return len(thresholds) > 2 and np.allclose(
        thresholds, even_thresholds(len(thresholds)), atol=epsilon()
    )


class Counting(NamedTuple):
    """What is counted.

    Attributes:
        thresholds: (T,).
        even: whether the thresholds lie evenly in [0, 1].
        top_k: only the k highest scores along the last axis count as positive.
        class_id: count one class only.
        multi_label: count each label (last axis of two) for itself.
        label_weights: (labels,), where not `multi_label`.
    """

    thresholds: Sequence[float]
    even: bool = False
    top_k: int | None = None
    class_id: int | None = None
    multi_label: bool = False
    label_weights: Tensor | None = None


def confusion(
    y_true: Tensor, y_pred: Tensor, counting: Counting, sample_weight: Tensor | None = None
) -> dict[str, jax.Array]:
    """Weighted counts of `y_pred > threshold` against labels.

    Args:
        y_true, y_pred: labels 0 and 1, and scores: (batch, …).
        sample_weight: (batch,) or the shape of `y_pred`.
    Returns:
        dict of "true_positives", "false_positives", "true_negatives", "false_negatives": (T,), or
            (T, labels).
    """
    y_true, y_pred = (jnp.asarray(y, floatx()) for y in (y_true, y_pred))
    y_pred, y_true = squeeze_or_expand_to_same_rank(y_pred, y_true)
    weight = _weight_of(y_true, sample_weight)
    if counting.top_k is not None:
        y_pred = _only_top(y_pred, counting.top_k)
    if counting.class_id is not None:
        y_true, y_pred = _of_class(counting.class_id, y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise ShapeError(
            "`y_true` and `y_pred` must have the same shape. Received: "
            f"y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    if counting.label_weights is not None:
        weight = weight * jnp.asarray(counting.label_weights, floatx())
    weight = jnp.broadcast_to(weight, y_pred.shape)
    at = counting.thresholds, counting.even
    if counting.multi_label:
        return _counts_by_label(y_true, y_pred, weight, *at)
    y_true, y_pred, weight = (a.reshape(-1, 1) for a in (y_true, y_pred, weight))
    counts = _counts_by_label(y_true, y_pred, weight, *at)
    return {name: count[:, 0] for name, count in counts.items()}


def _weight_of(y_true: jax.Array, sample_weight: Tensor | None) -> jax.Array:
    """The weights with the axes of the labels, or the number 1."""
    if sample_weight is None:
        return jnp.ones((), floatx())
    weight = jnp.asarray(sample_weight, floatx())[..., None]
    return squeeze_or_expand_to_same_rank(y_true, weight, expand_rank_1=False)[1]


def _only_top(y_pred: jax.Array, k: int) -> jax.Array:
    """The scores, those that are not among the k highest of the last axis made as low as can be."""
    chosen = jax.nn.one_hot(jax.lax.top_k(y_pred, k)[1], y_pred.shape[-1]).sum(axis=-2)
    return y_pred * chosen + NEGATIVE * (1 - chosen)


def _of_class(class_id: int, y_true: jax.Array, y_pred: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Labels and scores of one class, which stays as an axis of size 1."""
    if y_pred.ndim == 1:
        raise ValueError(
            "When `class_id` is given, `y_pred` must have shape (num_samples, num_classes). "
            f"Received: y_pred.shape={y_pred.shape}"
        )
    return y_true[..., class_id, None], y_pred[..., class_id, None]


def _counts_by_label(
    y_true: jax.Array, y_pred: jax.Array, weight: jax.Array, thresholds: Sequence[float], even: bool
) -> dict[str, jax.Array]:
    """The four counts of arrays (N, labels): (T, labels) each."""
    positive = (y_true != 0).astype(weight.dtype) * weight
    negative = weight - positive
    above = _above_even if even else _above
    tp = above(positive, y_pred, thresholds)
    fp = above(negative, y_pred, thresholds)
    return {
        "true_positives": tp,
        "false_positives": fp,
        "true_negatives": jnp.sum(negative, axis=0) - fp,
        "false_negatives": jnp.sum(positive, axis=0) - tp,
    }


def _above(weight: jax.Array, y_pred: jax.Array, thresholds: Sequence[float]) -> jax.Array:
    """The weight of scores above each threshold: (N, L), (T,) -> (T, L)."""
    bounds = jnp.asarray(thresholds, y_pred.dtype)[:, None, None]
    return jnp.sum(jnp.where(y_pred > bounds, weight, 0), axis=1)


def _above_even(weight: jax.Array, y_pred: jax.Array, thresholds: Sequence[float]) -> jax.Array:
    """The same for even thresholds: scores are sorted into buckets, and these summed from the
    top.
    """
    bucket = jnp.ceil(jnp.clip(y_pred, 0, 1) * (len(thresholds) - 1)).astype("int32") - 1
    # AUC puts the first threshold just below 0, so that all scores are above it
    if thresholds[0] < 0:
        bucket = jnp.maximum(bucket, 0)

    def sums(weight: jax.Array, bucket: jax.Array) -> jax.Array:
        return jax.ops.segment_sum(weight, bucket, len(thresholds))

    from_the_top = jnp.flip(jax.vmap(sums, in_axes=1, out_axes=1)(weight, bucket), axis=0)
    return jnp.flip(jnp.cumsum(from_the_top, axis=0), axis=0)


def precision(state: State) -> jax.Array:
    """tp / (tp + fp), 0 without positives."""
    tp = state["true_positives"]
    return divide_no_nan(tp, tp + state["false_positives"])


def recall(state: State) -> jax.Array:
    """tp / (tp + fn), 0 without positives; also called sensitivity."""
    tp = state["true_positives"]
    return divide_no_nan(tp, tp + state["false_negatives"])


def specificity(state: State) -> jax.Array:
    """tn / (tn + fp), 0 without negatives."""
    tn = state["true_negatives"]
    return divide_no_nan(tn, tn + state["false_positives"])


ALL = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def weight_of_rows(valid_rows: jax.Array, y_true: jax.Array) -> jax.Array:
    """Weights, 0 for rows that are not valid, in the shape that `confusion` takes: (batch, …) for
    labels (batch, …, n).

    >>> weight_of_rows(jnp.array([True, False]), jnp.zeros((2, 3, 4))).shape
    (2, 3)
    """
    labels = y_true
    if labels.ndim > 1:
        labels = labels[..., 0]
    return jnp.broadcast_to(expand_like(valid_rows, labels), labels.shape).astype("int32")


class ConfusionMetric(Accumulator):
    """Base: counts at `self.thresholds`, in the variables that `_counts` maps to counts."""

    _counts = {name: name for name in ALL}
    top_k = class_id = None

    def state_specs(self, *args: Any, **kwargs: Any) -> dict[str, StateSpec]:
        """One entry for each threshold in each variable."""
        return {name: StateSpec((len(self.thresholds),)) for name in self._counts}

    def weight_of_rows(self, valid_rows: jax.Array, y_true: jax.Array) -> jax.Array:
        """One weight for each row of scores."""
        return weight_of_rows(valid_rows, y_true)

    def measure(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Any]:
        """The counts of this batch."""
        counting = Counting(self.thresholds, self._even, self.top_k, self.class_id)
        counts = confusion(y_true, y_pred, counting, sample_weight)
        return {name: counts[count] for name, count in self._counts.items()}


class AtThresholds(ConfusionMetric):
    """Base: thresholds as a number or a list, 0.5 by default; the result is a number or one
    for each.
    """

    thresholds: Any = None

    def __post_init__(self) -> None:
        thresholds = self.thresholds
        self.init_thresholds = thresholds
        if thresholds is None:
            thresholds = 0.5 if self.top_k is None else NEGATIVE
        elif any(t is None or t < 0 or t > 1 for t in np.atleast_1d(thresholds)):
            raise ValueError(
                f"Threshold values must be in [0, 1]. Received: thresholds={thresholds}"
            )
        self.thresholds = [float(t) for t in np.atleast_1d(thresholds)]
        self._even = are_even(self.thresholds)
        super().__post_init__()

    def values(self, state: State) -> jax.Array:
        """The result at each threshold."""
        return state["accumulator"]

    def result_of(self, state: State) -> jax.Array:
        """The result: a number for one threshold, else one for each."""
        values = self.values(state)
        if len(self.thresholds) == 1:
            return values[0]
        return values

    def field_config(self) -> dict[str, Any]:
        """The fields, with the thresholds as they were passed."""
        thresholds = self.init_thresholds
        if np.ndim(thresholds):
            thresholds = list(thresholds)
        return {**super().field_config(), "thresholds": thresholds}


@typed.fields
class Count(AtThresholds):
    """Base of counts themselves."""

    thresholds: Any = None
    name: typed.Name = None
    dtype: Any = None


@typed.fields
class RateOfClass(AtThresholds):
    """Base of rates, of all classes or of one."""

    thresholds: Any = None
    top_k: int | None = None
    class_id: int | None = None
    name: typed.Name = None
    dtype: Any = None
    _direction = "up"


@record("keras.metrics")
class TruePositives(Count):
    """The weight of positives above a threshold.

    Args:
        thresholds: number or list in [0, 1]; 0.5 by default.
        name, dtype: as for `Metric`.
    Raises:
        ValueError: thresholds outside [0, 1].

    >>> print(TruePositives(thresholds=[0.3, 0.7])([0, 0, 1, 1], [0.2, 0.5, 0.4, 0.9]))
    [2. 1.]
    """

    _counts = {"accumulator": "true_positives"}


@record("keras.metrics")
class TrueNegatives(Count):
    """The weight of negatives not above a threshold.

    Args:
        thresholds: number or list in [0, 1]; 0.5 by default.
        name, dtype: as for `Metric`.
    Raises:
        ValueError: thresholds outside [0, 1].

    >>> print(TrueNegatives(thresholds=[0.3, 0.7])([0, 0, 1, 1], [0.2, 0.5, 0.4, 0.9]))
    [1. 2.]
    """

    _counts = {"accumulator": "true_negatives"}


@record("keras.metrics")
class FalsePositives(Count):
    """The weight of negatives above a threshold.

    Args:
        thresholds: number or list in [0, 1]; 0.5 by default.
        name, dtype: as for `Metric`.
    Raises:
        ValueError: thresholds outside [0, 1].

    >>> print(FalsePositives(thresholds=[0.3, 0.7])([0, 0, 1, 1], [0.2, 0.5, 0.4, 0.9]))
    [1. 0.]
    """

    _counts = {"accumulator": "false_positives"}


@record("keras.metrics")
class FalseNegatives(Count):
    """The weight of positives not above a threshold.

    Args:
        thresholds: number or list in [0, 1]; 0.5 by default.
        name, dtype: as for `Metric`.
    Raises:
        ValueError: thresholds outside [0, 1].

    >>> print(FalseNegatives(thresholds=[0.3, 0.7])([0, 0, 1, 1], [0.2, 0.5, 0.4, 0.9]))
    [0. 1.]
    """

    _counts = {"accumulator": "false_negatives"}


@record("keras.metrics")
class Precision(RateOfClass):
    """The part of what is called positive that is positive: tp / (tp + fp).

    Args:
        thresholds: number or list in [0, 1]; default 0.5, or none with `top_k`.
        top_k: the k highest scores of a sample are called positive.
        class_id: only this class counts.
        name, dtype: as for `Metric`.
    Returns:
        Of `result()`: a number for one threshold, else one for each; 0 where nothing is positive.
    Raises:
        ValueError: thresholds outside [0, 1]; on an update, `class_id` for scores without an axis
            of classes.
        ValueError: on an update, labels and scores of different shape.

    >>> print(Precision(thresholds=[0.3, 0.7])([0, 1, 1], [0.4, 0.2, 0.9]))
    [0.5 1. ]
    """

    _counts = {"true_positives": "true_positives", "false_positives": "false_positives"}

    def values(self, state: State) -> jax.Array:
        """The precision at each threshold."""
        return precision(state)


@record("keras.metrics")
class Recall(RateOfClass):
    """The part of the positives that is called positive: tp / (tp + fn).

    Args:
        thresholds, top_k, class_id, name, dtype: as for `Precision`.
    Raises:
        ValueError: thresholds outside [0, 1].

    >>> print(Recall(thresholds=[0.1, 0.3])([0, 1, 1], [0.4, 0.2, 0.9]))
    [1.  0.5]
    """

    _counts = {"true_positives": "true_positives", "false_negatives": "false_negatives"}

    def values(self, state: State) -> jax.Array:
        """The recall at each threshold."""
        return recall(state)


class BestUnderConstraint(ConfusionMetric):
    """Base: the best value of one rate among the thresholds at which another rate is high
    enough.
    """

    class_id: int | None = None
    num_thresholds: int = 200
    _direction = "up"
    _constrained = None  # a rate
    _maximized = None  # another rate
    _bound = None  # the name of the field that bounds the first

    def __post_init__(self) -> None:
        self.value = getattr(self, self._bound)
        if self.value < 0 or self.value > 1:
            raise ValueError(
                f"Argument `{self._bound}` must be in the range [0, 1]. Received: "
                f"{self._bound}={self.value}"
            )
        if self.num_thresholds <= 0:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 0. Received: "
                f"num_thresholds={self.num_thresholds}"
            )
        self._even = self.num_thresholds > 1
        self.thresholds = [0.5]
        if self._even:
            self.thresholds = even_thresholds(self.num_thresholds)
        super().__post_init__()

    def result_of(self, state: State) -> jax.Array:
        """The best value, 0 where no threshold satisfies the constraint."""
        feasible = type(self)._constrained(state) >= self.value
        values = type(self)._maximized(state)
        return jnp.max(jnp.where(feasible, values, 0), initial=0)


@record("keras.metrics")
class SensitivityAtSpecificity(BestUnderConstraint):
    """The best sensitivity, tp / (tp + fn), among thresholds with a specificity, tn / (tn + fp), of
    at least so much.

    Args:
        specificity: the least specificity, in [0, 1].
        num_thresholds: how many, evenly in [0, 1]; 1 is 0.5 alone.
        class_id: only this class counts.
        name, dtype: as for `Metric`.
    Raises:
        ValueError: `specificity` outside [0, 1], or `num_thresholds` not > 0.

    >>> print(SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    specificity: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: typed.Name = None
    dtype: Any = None
    _constrained = specificity
    _maximized = recall
    _bound = "specificity"


@record("keras.metrics")
class SpecificityAtSensitivity(BestUnderConstraint):
    """The best specificity, tn / (tn + fp), among thresholds with a sensitivity, tp / (tp + fn), of
    at least so much.

    Args:
        sensitivity: the least sensitivity, in [0, 1].
        num_thresholds, class_id, name, dtype: as for `SensitivityAtSpecificity`.
    Raises:
        ValueError: `sensitivity` outside [0, 1], or `num_thresholds` not > 0.

    >>> print(SpecificityAtSensitivity(0.5)([0, 0, 1, 1], [0, 0.8, 0.3, 0.7]))
    0.5
    """

    sensitivity: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: typed.Name = None
    dtype: Any = None
    _constrained = recall
    _maximized = specificity
    _bound = "sensitivity"


@record("keras.metrics")
class PrecisionAtRecall(BestUnderConstraint):
    """The best precision among thresholds with a recall of at least so much.

    Args:
        recall: the least recall, in [0, 1].
        num_thresholds, class_id, name, dtype: as for `SensitivityAtSpecificity`.
    Raises:
        ValueError: `recall` outside [0, 1], or `num_thresholds` not > 0.

    >>> print(PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    recall: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: typed.Name = None
    dtype: Any = None
    _constrained = recall
    _maximized = precision
    _bound = "recall"


@record("keras.metrics")
class RecallAtPrecision(BestUnderConstraint):
    """The best recall among thresholds with a precision of at least so much.

    Args:
        precision: the least precision, in [0, 1].
        num_thresholds, class_id, name, dtype: as for `SensitivityAtSpecificity`.
    Raises:
        ValueError: `precision` outside [0, 1], or `num_thresholds` not > 0.

    >>> print(RecallAtPrecision(0.5)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    1.0
    """

    precision: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: typed.Name = None
    dtype: Any = None
    _constrained = precision
    _maximized = recall
    _bound = "precision"
