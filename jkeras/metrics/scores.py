"""Scores by class or output: F-beta, F1, coefficient of determination."""

import typing
from typing import Any
import warnings

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.errors import check_choice
from jkeras.core.record import base_record, record
from jkeras.kernel.valid_rows import count_valid_rows
from jkeras.core.session.keras_version import is_316
from jkeras.core.session.settings import epsilon
from jkeras.losses.reduction import pair
from jkeras.losses.typing import Tensor
from jkeras.metrics.base import Accumulator, State, StateSpec


def _outputs(metric: Accumulator, y_true: Tensor, y_pred: Tensor) -> int:
    """The size of the last axis of two arrays (batch, outputs)."""
    if jnp.ndim(y_true) != 2 or jnp.ndim(y_pred) != 2:
        raise ValueError(
            f"{type(metric).__name__} expects 2D inputs with shape (batch_size, output_dim). "
            f"Received input shapes: y_pred.shape={jnp.shape(y_pred)} and "
            f"y_true.shape={jnp.shape(y_true)}."
        )
    return jnp.shape(y_pred)[-1]


def _number_of_samples(weight: jax.Array) -> Any:
    """Of weights (batch, outputs): in Keras 3.16 of the rows that have a weight, in 3.15 of all
    values.
    """
    if is_316():
        return jnp.sum(jnp.any(weight != 0, axis=-1).astype(weight.dtype))
    rows, outputs = weight.shape
    return count_valid_rows(rows) * outputs


def _check_threshold(value: Any) -> None:
    if not isinstance(value, float):
        raise ValueError(
            "Invalid `threshold` argument value. It should be a Python float. Received: "
            f"threshold={value} of type '{type(value)}'"
        )
    if not 0 < value <= 1:
        raise ValueError(
            "Invalid `threshold` argument value. It should verify 0 < threshold <= 1. Received: "
            f"threshold={value}"
        )


@base_record("keras.metrics", arguments="average, beta, threshold, name, dtype")
class FBetaScore(Accumulator):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), for each class: (batch, classes)
    -> (classes,).

    Args:
        average: None: a score for each class; "micro": of all counts together; "macro": the mean
            over classes; "weighted": the mean weighted by how many samples a class has.
        beta: a float > 0; above 1 the recall weighs more.
        threshold: scores above it are positive, in (0, 1]; None: the highest score is.
        name, dtype: as for `Metric`.
    Raises:
        ValueError: an argument outside these; on an update, arrays that are not (batch, classes).
        AttributeError: `result()` before the first update.

    >>> targets = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    >>> print(FBetaScore(beta=2.0)(targets, [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]).round(2))
    [0.83 0.56]
    """

    average: str | None = None
    beta: float = 1.0
    threshold: float | None = None
    name = "fbeta_score"
    _direction = "up"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            average: str | None = None,
            beta: float = 1.0,
            threshold: float | None = None,
            name: str | None = "fbeta_score",
            dtype: typing.Any = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        check_choice("average", self.average, (None, "micro", "macro", "weighted"))
        if not isinstance(self.beta, float):
            raise ValueError(
                "Invalid `beta` argument value. It should be a Python float. Received: "
                f"beta={self.beta} of type '{type(self.beta)}'"
            )
        if self.beta <= 0:
            raise ValueError(
                f"Invalid `beta` argument value. It should be > 0. Received: beta={self.beta}"
            )
        if self.threshold is not None:
            _check_threshold(self.threshold)
        super().__post_init__()

    def state_specs(
        self, y_true: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> dict[str, StateSpec]:
        """Counts: (classes,), or numbers for "micro"."""
        if y_pred is None:
            return {}
        shape = (_outputs(self, y_true, y_pred),)
        if self.average == "micro":
            shape = ()
        names = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")
        return {name: StateSpec(shape, self.dtype) for name in names}

    def measure(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Any]:
        """The counts of this batch."""
        y_true = jnp.asarray(y_true, self.dtype)
        y_pred = jnp.asarray(y_pred, self.dtype)
        _outputs(self, y_true, y_pred)
        called = self._called_positive(y_pred).astype(self.dtype)
        if sample_weight is None:
            sample_weight = 1
        weight = jnp.asarray(sample_weight, self.dtype)
        if weight.ndim == 1:
            weight = weight[:, None]
        axis = 0
        if self.average == "micro":
            axis = None
        return {
            "true_positives": jnp.sum(called * y_true * weight, axis=axis),
            "false_positives": jnp.sum(called * (1 - y_true) * weight, axis=axis),
            "false_negatives": jnp.sum((1 - called) * y_true * weight, axis=axis),
            "intermediate_weights": jnp.sum(y_true * weight, axis=axis),
        }

    def _called_positive(self, y_pred: jax.Array) -> jax.Array:
        """Which scores are above the threshold, or the highest of their sample and not 0."""
        if self.threshold is not None:
            return y_pred > self.threshold
        highest = jnp.max(y_pred, axis=-1, keepdims=True)
        return (y_pred >= highest) & (jnp.abs(y_pred) > 1e-9)

    def result_of(self, state: State) -> jax.Array:
        """The score, or one for each class."""
        tp = state["true_positives"]
        square = self.beta**2
        precision = tp / (tp + state["false_positives"] + epsilon())
        recall = tp / (tp + state["false_negatives"] + epsilon())
        score = precision * recall / (square * precision + recall + epsilon()) * (1 + square)
        if self.average == "weighted":
            weights = state["intermediate_weights"]
            return jnp.sum(score * (weights / (jnp.sum(weights) + epsilon())))
        if self.average is None:
            return score
        return jnp.mean(score)

    def result(self) -> Any:
        """The score over all batches since the last reset."""
        if not self._own:
            raise AttributeError(
                f"{type(self).__name__} has no result before the first `update_state`."
            )
        return super().result()


@record("keras.metrics")
class F1Score(FBetaScore):
    """2 precision recall / (precision + recall), for each class: `FBetaScore` with beta = 1.

    Args:
        average, threshold, name, dtype: as for `FBetaScore`.
    Raises:
        ValueError, AttributeError: as `FBetaScore`.

    >>> targets = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]
    >>> scores = [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8]]
    >>> print(F1Score()(targets, scores).round(1), F1Score("macro")(targets, scores).round(1))
    [0.7 0.8] 0.7
    """

    average: str | None = None
    threshold: float | None = None
    name: typed.Name = "f1_score"
    dtype: Any = None


def _number_of_outputs(y_true: Tensor, y_pred: Tensor) -> int:
    """The number of outputs of `R2Score`, before its arguments are checked."""
    shape = jnp.shape(y_pred)
    if jnp.ndim(y_true) == len(shape) + 1:
        return 1
    if not shape:
        return 0
    return shape[-1]


@record("keras.metrics")
class R2Score(Accumulator):
    """1 - sum of squared errors / sum of squared deviations from the mean, for each output: (batch,
    outputs).

    Args:
        class_aggregation: "uniform_average", "variance_weighted_average", or None for a score of
            each output.
        num_regressors: number of explaining variables, for the adjusted score; 0 for the plain one.
        name, dtype: as for `Metric`.
    Raises:
        ValueError: an argument outside these; on an update, arrays that are not (batch, outputs).
        AttributeError: `result()` before the first update.

    >>> print(R2Score()([[1.0], [2.0], [3.0]], [[1.0], [2.0], [2.0]]))  # errors 1, deviations 2
    0.5
    """

    class_aggregation: str | None = "uniform_average"
    num_regressors: int = 0
    name: typed.Name = "r2_score"
    dtype: Any = None
    _direction = "up"

    def __post_init__(self) -> None:
        check_choice(
            "class_aggregation",
            self.class_aggregation,
            (None, "uniform_average", "variance_weighted_average"),
        )
        if self.num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`: their count is 0 or more. "
                f"Received: {self.num_regressors}"
            )
        super().__post_init__()

    def state_specs(
        self, y_true: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> dict[str, StateSpec]:
        """The number of samples, then sums for each output."""
        specs = {"num_samples": StateSpec()}
        if y_pred is not None:
            shape = (_number_of_outputs(y_true, y_pred),)
            each = StateSpec(shape)
            specs |= {
                "squared_sum": each,
                "sum": each,
                "residual": StateSpec(shape, attribute="total_mse"),
                "count": each,
            }
        return specs

    def measure(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Any]:
        """The sums of this batch."""
        y_true, y_pred = pair(y_true, jnp.asarray(y_pred, self.dtype))
        _outputs(self, y_true, y_pred)
        if sample_weight is None:
            sample_weight = 1
        weight = jnp.asarray(sample_weight, self.dtype)
        if weight.ndim == 1:
            weight = weight[:, None]
        weight = jnp.broadcast_to(weight, y_true.shape)
        return {
            "num_samples": _number_of_samples(weight),
            "sum": jnp.sum(y_true * weight, axis=0),
            "squared_sum": jnp.sum(y_true * y_true * weight, axis=0),
            "count": jnp.sum(weight, axis=0),
            "residual": jnp.sum(jnp.square(y_true - y_pred) * weight, axis=0),
        }

    def _can_compile(self) -> bool:
        # a fused multiply-add leaves a rest where targets do not vary, by which the score is
        # divided
        return False

    def result_of(self, state: State) -> jax.Array:
        """The score, or one for each output. Adjusted only where there are enough samples."""
        total = state["squared_sum"] - state["sum"] * (state["sum"] / state["count"])
        score = 1 - state["residual"] / total
        score = jnp.where(jnp.isinf(score), 0, score)
        if self.class_aggregation == "uniform_average":
            score = jnp.mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = jnp.sum(total * score) / jnp.sum(total)
        if not self.num_regressors:
            return score
        samples = state["num_samples"]
        free = samples - self.num_regressors - 1
        adjusted = 1 - (1 - score) * (samples - 1) / jnp.where(free > 0, free, 1)
        return jnp.where(free > 0, adjusted, score)

    def result(self) -> Any:
        """The score over all batches since the last reset."""
        if "sum" not in self._own:
            raise AttributeError("R2Score has no result before the first `update_state`.")
        free = self.num_samples.value - self.num_regressors - 1
        if self.num_regressors and not isinstance(free, jax.core.Tracer) and free <= 0:
            warnings.warn(
                "The adjusted R2 score needs more samples than explaining variables by 2 at "
                "least; the plain score is given.",
                stacklevel=2,
            )
        return super().result()
