"""Counts of true and false positives and negatives at thresholds, and the metrics that follow from
them.
"""

import typing

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import ShapeError
from jkeras.core.record import Any, record
from jkeras.kernel.valid_rows import beside
from jkeras.core.settings import epsilon, floatx
from jkeras.losses.reduction import divide_no_nan, squeeze_or_expand_to_same_rank
from jkeras.metrics.base import Accumulator, StateSpec

# the score of a class that is not among the k highest; also the threshold below all others
NEGATIVE = -1e10


def even_thresholds(count):
    """`count` thresholds from 0 to 1."""
    return [i / (count - 1) for i in range(count)]


def are_even(thresholds):
    """Whether thresholds lie evenly from 0 to 1, three at least: then counting needs one pass."""
    return len(thresholds) > 2 and np.allclose(
        thresholds, even_thresholds(len(thresholds)), atol=epsilon()
    )


def confusion(
    y_true,
    y_pred,
    thresholds,
    *,
    even=False,
    sample_weight=None,
    top_k=None,
    class_id=None,
    multi_label=False,
    label_weights=None,
):
    """Weighted counts of `y_pred > threshold` against labels.

    Args:
        y_true, y_pred: labels 0 and 1, and scores: (batch, …).
        thresholds: (T,).
        even: whether the thresholds lie evenly in [0, 1].
        sample_weight: (batch,) or the shape of `y_pred`.
        top_k: only the k highest scores along the last axis count as positive.
        class_id: count one class only.
        multi_label: count each label (last axis of two) for itself.
        label_weights: (labels,), where not `multi_label`.
    Returns:
        dict of "true_positives", "false_positives", "true_negatives", "false_negatives": (T,), or
            (T, labels).
    """
    y_true, y_pred = (jnp.asarray(y, floatx()) for y in (y_true, y_pred))
    y_pred, y_true = squeeze_or_expand_to_same_rank(y_pred, y_true)
    weight = jnp.ones((), floatx())
    if sample_weight is not None:
        weight = jnp.asarray(sample_weight, floatx())[..., None]
        weight = squeeze_or_expand_to_same_rank(y_true, weight, expand_rank_1=False)[1]
    if top_k is not None:
        chosen = jax.nn.one_hot(jax.lax.top_k(y_pred, top_k)[1], y_pred.shape[-1]).sum(axis=-2)
        y_pred = y_pred * chosen + NEGATIVE * (1 - chosen)
    if class_id is not None:
        if y_pred.ndim == 1:
            raise ValueError(
                "When `class_id` is given, `y_pred` must have shape (num_samples, num_classes). "
                f"Received: y_pred.shape={y_pred.shape}"
            )
        y_true, y_pred = y_true[..., class_id, None], y_pred[..., class_id, None]
    if y_true.shape != y_pred.shape:
        raise ShapeError(
            "`y_true` and `y_pred` must have the same shape. Received: "
            f"y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    if label_weights is not None:
        weight = weight * jnp.asarray(label_weights, floatx())
    weight = jnp.broadcast_to(weight, y_pred.shape)
    # (N, labels)
    y_true, y_pred, weight = (
        a if multi_label else a.reshape(-1, 1) for a in (y_true, y_pred, weight)
    )
    positive = (y_true != 0).astype(weight.dtype) * weight
    negative = weight - positive
    above = _above_even if even else _above
    tp, fp = (above(part, y_pred, thresholds) for part in (positive, negative))  # (T, labels)
    counts = {
        "true_positives": tp,
        "false_positives": fp,
        "true_negatives": jnp.sum(negative, axis=0) - fp,
        "false_negatives": jnp.sum(positive, axis=0) - tp,
    }
    return counts if multi_label else {name: count[:, 0] for name, count in counts.items()}


def _above(weight, y_pred, thresholds):
    """The weight of scores above each threshold: (N, L), (T,) -> (T, L)."""
    return jnp.sum(
        jnp.where(y_pred > jnp.asarray(thresholds, y_pred.dtype)[:, None, None], weight, 0), axis=1
    )


def _above_even(weight, y_pred, thresholds):
    """The same for even thresholds: scores are sorted into buckets, and these summed from the
    top.
    """
    bucket = jnp.ceil(jnp.clip(y_pred, 0, 1) * (len(thresholds) - 1)).astype("int32") - 1
    # AUC puts the first threshold just below 0, so that all scores are above it
    if thresholds[0] < 0:
        bucket = jnp.maximum(bucket, 0)
    count = jax.vmap(
        lambda w, b: jax.ops.segment_sum(w, b, len(thresholds)), in_axes=1, out_axes=1
    )(weight, bucket)
    return jnp.flip(jnp.cumsum(jnp.flip(count, axis=0), axis=0), axis=0)


def precision(state):
    """tp / (tp + fp), 0 without positives."""
    return divide_no_nan(
        state["true_positives"], state["true_positives"] + state["false_positives"]
    )


def recall(state):
    """tp / (tp + fn), 0 without positives; also called sensitivity."""
    return divide_no_nan(
        state["true_positives"], state["true_positives"] + state["false_negatives"]
    )


def specificity(state):
    """tn / (tn + fp), 0 without negatives."""
    return divide_no_nan(
        state["true_negatives"], state["true_negatives"] + state["false_positives"]
    )


ALL = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def weight_of_rows(rows, y_true):
    """Weights, 0 for rows that are not real, in the shape that `confusion` takes: (batch, …) for
    labels (batch, …, n).

    >>> weight_of_rows(jnp.array([True, False]), jnp.zeros((2, 3, 4))).shape
    (2, 3)
    """
    shape = y_true.shape[: max(y_true.ndim - 1, 1)]
    return jnp.broadcast_to(
        beside(rows, y_true[..., 0] if y_true.ndim > 1 else y_true), shape
    ).astype("int32")


class ConfusionMetric(Accumulator):
    """Base: counts at `self.thresholds`, in the variables that `_counts` maps to counts."""

    _counts = {name: name for name in ALL}
    top_k = class_id = None

    def state_specs(self, *args, **kwargs):
        """One entry for each threshold in each variable."""
        return {name: StateSpec((len(self.thresholds),)) for name in self._counts}

    def weight_of_rows(self, rows, y_true):
        """One weight for each row of scores."""
        return weight_of_rows(rows, y_true)

    def measure(self, y_true, y_pred, sample_weight=None):
        """The counts of this batch."""
        counts = confusion(
            y_true,
            y_pred,
            self.thresholds,
            even=self._even,
            sample_weight=sample_weight,
            top_k=self.top_k,
            class_id=self.class_id,
        )
        return {name: counts[count] for name, count in self._counts.items()}


class AtThresholds(ConfusionMetric):
    """Base: thresholds given as a number or a list, 0.5 by default; the result is a number or one
    for each.
    """

    thresholds: Any = None

    def __post_init__(self):
        self.init_thresholds = given = self.thresholds
        if given is None:
            given = 0.5 if self.top_k is None else NEGATIVE
        elif any(t is None or t < 0 or t > 1 for t in np.atleast_1d(given)):
            raise ValueError(f"Threshold values must be in [0, 1]. Received: thresholds={given}")
        self.thresholds = [float(t) for t in np.atleast_1d(given)]
        self._even = are_even(self.thresholds)
        super().__post_init__()

    def values(self, state):
        """The result at each threshold."""
        return state["accumulator"]

    def result_of(self, state):
        """The result: a number for one threshold, else one for each."""
        values = self.values(state)
        return values[0] if len(self.thresholds) == 1 else values

    def field_config(self):
        """The fields, with the thresholds as they were given."""
        given = self.init_thresholds
        return {**super().field_config(), "thresholds": list(given) if np.ndim(given) else given}


@record("keras.metrics", arguments="thresholds, name, dtype")
class TruePositives(AtThresholds):
    """The weight of positives above a threshold.

    >>> print(TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
    2.0
    """

    _counts = {"accumulator": "true_positives"}

    if typing.TYPE_CHECKING:

        def __init__(
            self, thresholds: typing.Any = None, name: str | None = None, dtype: typing.Any = None
        ) -> None: ...


@record("keras.metrics", arguments="thresholds, name, dtype")
class TrueNegatives(AtThresholds):
    """The weight of negatives not above a threshold.

    >>> print(TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0]))
    2.0
    """

    _counts = {"accumulator": "true_negatives"}

    if typing.TYPE_CHECKING:

        def __init__(
            self, thresholds: typing.Any = None, name: str | None = None, dtype: typing.Any = None
        ) -> None: ...


@record("keras.metrics", arguments="thresholds, name, dtype")
class FalsePositives(AtThresholds):
    """The weight of negatives above a threshold.

    >>> print(FalsePositives()([0, 1, 0, 0], [0, 0, 1, 1]))
    2.0
    """

    _counts = {"accumulator": "false_positives"}

    if typing.TYPE_CHECKING:

        def __init__(
            self, thresholds: typing.Any = None, name: str | None = None, dtype: typing.Any = None
        ) -> None: ...


@record("keras.metrics", arguments="thresholds, name, dtype")
class FalseNegatives(AtThresholds):
    """The weight of positives not above a threshold.

    >>> print(FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0]))
    2.0
    """

    _counts = {"accumulator": "false_negatives"}

    if typing.TYPE_CHECKING:

        def __init__(
            self, thresholds: typing.Any = None, name: str | None = None, dtype: typing.Any = None
        ) -> None: ...


@record("keras.metrics", arguments="thresholds, top_k, class_id, name, dtype")
class Precision(AtThresholds):
    """The part of what is called positive that is positive: tp / (tp + fp).

    Args:
        thresholds: number or list in [0, 1]; default 0.5, or none with `top_k`.
        top_k: the k highest scores of a sample are called positive.
        class_id: only this class counts.

    >>> print(Precision()([0, 1, 1, 1], [1, 0, 1, 0]))
    0.5
    """

    top_k: int | None = None
    class_id: int | None = None
    _counts = {"true_positives": "true_positives", "false_positives": "false_positives"}
    _direction = "up"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            thresholds: typing.Any = None,
            top_k: int | None = None,
            class_id: int | None = None,
            name: str | None = None,
            dtype: typing.Any = None,
        ) -> None: ...

    def values(self, state):
        """The precision at each threshold."""
        return precision(state)


@record("keras.metrics", arguments="thresholds, top_k, class_id, name, dtype")
class Recall(AtThresholds):
    """The part of the positives that is called positive: tp / (tp + fn). Arguments as in
    `Precision`.

    >>> print(Recall()([0, 1, 1, 0], [1, 0, 1, 0]))
    0.5
    """

    top_k: int | None = None
    class_id: int | None = None
    _counts = {"true_positives": "true_positives", "false_negatives": "false_negatives"}
    _direction = "up"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            thresholds: typing.Any = None,
            top_k: int | None = None,
            class_id: int | None = None,
            name: str | None = None,
            dtype: typing.Any = None,
        ) -> None: ...

    def values(self, state):
        """The recall at each threshold."""
        return recall(state)


class BestUnderConstraint(ConfusionMetric):
    """Base: the best value of one rate among the thresholds at which another rate is high
    enough.
    """

    class_id: int | None = None
    num_thresholds: int = 200
    _direction = "up"
    # rates, and the name of the field that bounds the first
    _constrained, _maximized, _bound = None, None, None

    def __post_init__(self):
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
        self.thresholds = even_thresholds(self.num_thresholds) if self._even else [0.5]
        super().__post_init__()

    def result_of(self, state):
        """The best value, 0 where no threshold satisfies the constraint."""
        feasible = type(self)._constrained(state) >= self.value
        return jnp.max(jnp.where(feasible, type(self)._maximized(state), 0), initial=0)


@record("keras.metrics", arguments="specificity, num_thresholds, class_id, name, dtype")
class SensitivityAtSpecificity(BestUnderConstraint):
    """The best sensitivity, tp / (tp + fn), among thresholds with a specificity, tn / (tn + fp), of
    at least so much.

    >>> print(SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    specificity: float
    _constrained, _maximized, _bound = specificity, recall, "specificity"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            specificity: float,
            num_thresholds: int = 200,
            class_id: int | None = None,
            name: str | None = None,
            dtype: typing.Any = None,
        ) -> None: ...


@record("keras.metrics", arguments="sensitivity, num_thresholds, class_id, name, dtype")
class SpecificityAtSensitivity(BestUnderConstraint):
    """The best specificity, tn / (tn + fp), among thresholds with a sensitivity, tp / (tp + fn), of
    at least so much.

    >>> print(SpecificityAtSensitivity(0.5)([0, 0, 1, 1], [0, 0.8, 0.3, 0.7]))
    0.5
    """

    sensitivity: float
    _constrained, _maximized, _bound = recall, specificity, "sensitivity"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            sensitivity: float,
            num_thresholds: int = 200,
            class_id: int | None = None,
            name: str | None = None,
            dtype: typing.Any = None,
        ) -> None: ...


@record("keras.metrics", arguments="recall, num_thresholds, class_id, name, dtype")
class PrecisionAtRecall(BestUnderConstraint):
    """The best precision among thresholds with a recall of at least so much.

    >>> print(PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    recall: float
    _constrained, _maximized, _bound = recall, precision, "recall"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            recall: float,
            num_thresholds: int = 200,
            class_id: int | None = None,
            name: str | None = None,
            dtype: typing.Any = None,
        ) -> None: ...


@record("keras.metrics", arguments="precision, num_thresholds, class_id, name, dtype")
class RecallAtPrecision(BestUnderConstraint):
    """The best recall among thresholds with a precision of at least so much.

    >>> print(RecallAtPrecision(0.5)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    1.0
    """

    precision: float
    _constrained, _maximized, _bound = precision, recall, "precision"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            precision: float,
            num_thresholds: int = 200,
            class_id: int | None = None,
            name: str | None = None,
            dtype: typing.Any = None,
        ) -> None: ...
