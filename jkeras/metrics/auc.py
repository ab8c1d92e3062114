"""The area under ROC, precision-recall and precision-recall-gain curves."""

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names import typed
from jkeras.core.errors import suggestion
from jkeras.core.record import Any, record
from jkeras.core.session.settings import epsilon, floatx
from jkeras.losses.reduction import divide_no_nan
from jkeras.losses.typing import Tensor
from jkeras.metrics.base import Accumulator, State, StateSpec
from jkeras.metrics.confusion import (
    ALL,
    Counting,
    are_even,
    confusion,
    even_thresholds,
    precision,
    recall,
    weight_of_rows,
)

CURVES = ("ROC", "PR", "PRGAIN")
METHODS = ("interpolation", "majoring", "minoring")
HEIGHTS = {
    "interpolation": lambda a, b: (a + b) / 2,
    "majoring": jnp.maximum,
    "minoring": jnp.minimum,
}


def _one_of(noun: str, value: Any, allowed: tuple[str, ...]) -> str:
    value = getattr(value, "value", value)
    for name in allowed:
        spellings = [name, name.lower()]
        if noun != "curve":
            spellings.append(name.capitalize())
        if value in spellings:
            return name
    raise ValueError(
        f'Invalid AUC {noun} value: "{value}". Expected one of {list(allowed)}.'
        f"{suggestion(value, allowed)}"
    )


@record("keras.metrics")
class AUC(Accumulator):
    """The area under a curve of rates over thresholds, as a Riemann sum.

    Args:
        num_thresholds: how many, evenly in [0, 1].
        curve: "ROC" (recall over false positive rate), "PR" (precision over recall) or "PRGAIN"
            (precision gain over recall gain; Flach, Kull 2015).
        summation_method: "interpolation" (trapezoids; for "PR" the precision is interpolated by
            Davis, Goadrich 2006), "minoring" or "majoring" (the lower or higher end).
        thresholds: these in (0, 1) instead of even ones.
        multi_label: an area for each label, averaged.
        num_labels: with `multi_label`, to know the variables before the first batch.
        label_weights: one for each label.
        from_logits: whether `y_pred` are logits.
        name, dtype: as for `Metric`.
    Raises:
        ValueError: an unknown `curve` or `summation_method`, `num_thresholds` not > 1, or
            `num_labels` without `multi_label`.

    >>> print(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.75
    """

    num_thresholds: int = 200
    curve: str = "ROC"
    summation_method: str = "interpolation"
    name: typed.Name = None
    dtype: Any = None
    thresholds: Any = None
    multi_label: bool = False
    num_labels: int | None = None
    label_weights: Any = None
    from_logits: bool = False
    _direction = "up"

    def __post_init__(self) -> None:
        self.curve = _one_of("curve", self.curve, CURVES)
        self.summation_method = _one_of("summation method", self.summation_method, METHODS)
        self._explicit_thresholds = self.thresholds
        if self.thresholds is not None:
            inner = sorted(self.thresholds)
            self.num_thresholds = len(inner) + 2
        elif not isinstance(self.num_thresholds, (int, np.integer)) or self.num_thresholds <= 1:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 1. Received: "
                f"num_thresholds={self.num_thresholds!r}"
            )
        else:
            inner = even_thresholds(self.num_thresholds)[1:-1]
        self._even = self.thresholds is None or are_even([0, *inner, 1])
        self.thresholds = [-epsilon(), *inner, 1 + epsilon()]
        if self.num_labels and not self.multi_label:
            raise ValueError("`num_labels` says nothing without `multi_label=True`.")
        super().__post_init__()

    def state_specs(
        self, y_true: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> dict[str, StateSpec]:
        """Four counts: (thresholds,), or (thresholds, labels)."""
        shape = (self.num_thresholds,)
        if self.multi_label:
            labels = self._number_of_labels(y_pred)
            if labels is None:
                return {}
            shape = (self.num_thresholds, labels)
        return {name: StateSpec(shape) for name in ALL}

    def _number_of_labels(self, y_pred: Any) -> int | None:
        """The argument, or as predictions have it; None without either."""
        if y_pred is None:
            return self.num_labels or None
        if jnp.ndim(y_pred) != 2:
            raise ValueError(
                "With `multi_label=True` there is an axis of rows and one of labels. Received: "
                f"y_pred.shape={jnp.shape(y_pred)}"
            )
        return self.num_labels or jnp.shape(y_pred)[1]

    def weight_of_rows(self, valid_rows: jax.Array, y_true: jax.Array) -> jax.Array:
        """One weight for each row of scores."""
        return weight_of_rows(valid_rows, y_true)

    def measure(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Any]:
        """The counts of this batch."""
        if self.from_logits:
            y_pred = jax.nn.sigmoid(jnp.asarray(y_pred))
        label_weights = None if self.multi_label else self.label_weights
        counting = Counting(
            self.thresholds,
            self._even,
            multi_label=self.multi_label,
            label_weights=label_weights,
        )
        return confusion(y_true, y_pred, counting, sample_weight)

    def result_of(self, state: State) -> jax.Array:
        """The area."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._over_labels(_interpolated_precision_recall(state))
        x, y = self._points(state)
        heights = HEIGHTS[self.summation_method](y[:-1], y[1:])
        return self._over_labels((x[:-1] - x[1:]) * heights)

    def _points(self, state: State) -> tuple[jax.Array, jax.Array]:
        """(x, y) of the curve at each threshold."""
        if self.curve == "PRGAIN":
            return _gains(state)
        if self.curve == "PR":
            return recall(state), precision(state)
        negatives = state["false_positives"] + state["true_negatives"]
        return divide_no_nan(state["false_positives"], negatives), recall(state)

    def _over_labels(self, terms: jax.Array) -> jax.Array:
        """The sum of the terms; with `multi_label`, the weighted mean over labels."""
        if not self.multi_label:
            return jnp.sum(terms)
        areas = jnp.sum(terms, axis=0)
        if self.label_weights is None:
            return jnp.mean(areas)
        weights = jnp.asarray(self.label_weights, floatx())
        return divide_no_nan(jnp.sum(areas * weights), jnp.sum(weights))

    def interpolate_pr_auc(self) -> jax.Array:
        """The area under the precision-recall curve with interpolated precision (Davis, Goadrich
        2006).
        """
        return self._over_labels(_interpolated_precision_recall(self._read()))

    def field_config(self) -> dict[str, Any]:
        """The fields; `thresholds` only if they were passed."""
        config = {**super().field_config(), "thresholds": self.thresholds[1:-1]}
        if self._explicit_thresholds is None:
            del config["thresholds"]
        return config


def _interpolated_precision_recall(state: State) -> jax.Array:
    """Terms of the area: between two thresholds true positives grow in proportion to all that is
    called positive.
    """
    tp = state["true_positives"]
    called = tp + state["false_positives"]
    more = tp[:-1] - tp[1:]
    slope = divide_no_nan(more, jnp.maximum(called[:-1] - called[1:], 0))
    intercept = tp[1:] - slope * called[1:]
    both = (called[:-1] > 0) & (called[1:] > 0)
    ratio = jnp.where(both, divide_no_nan(called[:-1], jnp.maximum(called[1:], 0)), 1)
    positives = jnp.maximum(tp[1:] + state["false_negatives"][1:], 0)
    return divide_no_nan(slope * (more + intercept * jnp.log(ratio)), positives)


def _gains(state: State) -> tuple[jax.Array, jax.Array]:
    """(recall gain, precision gain): rates on the scale where the baseline classifier is 0."""
    tp, fp, tn, fn = (state[name] for name in ALL)
    odds = divide_no_nan(tp + fn, tn + fp)
    recall_gain = jnp.where(tp == 0, 0, 1 - odds * divide_no_nan(fn, tp))
    precision_gain = jnp.where(tp == 0, 1, 1 - odds * divide_no_nan(fp, tp))
    return jnp.maximum(recall_gain, 0), precision_gain
