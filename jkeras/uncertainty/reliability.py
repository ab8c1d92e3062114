"""Reliability: how often a model is right among the rows where it is so sure, in bins."""

import typing
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.uncertainty.checks import as_floats, as_probabilities, labels_and_scores


class Reliability(typing.NamedTuple):
    """What a reliability diagram shows, for each bin; 0 where a bin has no rows.

    Attributes:
        edges: where bins begin and end: (bins + 1,).
        accuracy: the share of rows that are predicted rightly.
        confidence: the mean confidence.
        count: how many rows.

    >>> shown = reliability_diagram([0, 1], [[0.9, 0.1], [0.9, 0.1]], bins=2)
    >>> shown.accuracy.tolist(), shown.count.tolist()
    ([0.0, 0.5], [0, 2])
    """

    edges: jax.Array
    accuracy: jax.Array
    confidence: jax.Array
    count: jax.Array

    def expected_calibration_error(self) -> jax.Array:
        """The mean over rows of the gap between accuracy and confidence of their bin."""
        gaps = jnp.abs(self.accuracy - self.confidence)
        return jnp.sum(gaps * self.count) / jnp.sum(self.count)

    def plot(self, axes: Any = None) -> Any:
        """Draws accuracy over confidence, with the gap of each bin and the share of rows in it;
        needs matplotlib.

        Args:
            axes: of matplotlib, by default those of a new figure.

        Returns:
            The axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        axes = _new_axes() if axes is None else axes
        edges, accuracy, confidence, count = map(np.asarray, self)
        left, widths, filled = edges[:-1], np.diff(edges), count > 0
        style = dict(align="edge", edgecolor="black", linewidth=0.5)
        axes.bar(left, accuracy, widths, color="tab:blue", label="accuracy", **style)
        gaps = np.where(filled, confidence - accuracy, 0)
        gap = dict(color="tab:red", alpha=0.4, label="gap to the confidence")
        axes.bar(left, gaps, widths, bottom=accuracy, **style, **gap)
        share = count / max(count.sum(), 1)
        axes.step(edges, [*share, share[-1]], where="post", color="gray", label="share of rows")
        axes.plot([0, 1], [0, 1], "--", color="black")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy")
        axes.set_title(f"expected calibration error {float(self.expected_calibration_error()):.4f}")
        axes.legend(loc="upper left")
        return axes


def _new_axes() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "`Reliability.plot` needs matplotlib. Install it with `pip install matplotlib`."
        ) from error
    return pyplot.subplots()[1]


def reliability_diagram(
    labels: Any, probabilities: Any, bins: int = 15, from_logits: bool = False
) -> Reliability:
    """Accuracy and confidence of rows whose confidence lies in the same bin (Niculescu-Mizil and
    Caruana 2005).

    Bins are equally wide and contain their lower edge, the last one its upper edge, too.

    Args:
        labels: integers (rows,), or one-hot rows.
        probabilities: (rows, classes): the confidence is that of the class with the largest one,
            and a row is right where this is the label. Or (rows,) or (rows, 1), the probability of
            class 1: the confidence is that itself, and a row is right where the label is 1.
        bins: how many.
        from_logits: whether they are logits.

    Returns:
        `Reliability`, whose entries are (bins,), `edges` (bins + 1,).

    Raises:
        ValueError: shapes that do not go together, no rows, labels that are no classes, numbers
            that are no probabilities, no bins.

    >>> diagram = reliability_diagram([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], bins=4)
    >>> [round(float(v), 2) for v in diagram.confidence]
    [0.0, 0.0, 0.7, 0.85]
    """
    where = "reliability_diagram"
    if bins < 1 or bins % 1:
        raise ValueError(explain(where, "1 bin or more", f"bins={bins}"))
    is_right, confidence = _rights_and_confidence(labels, probabilities, from_logits, where)
    edges = _edges(bins, confidence.dtype)
    numbers = jnp.searchsorted(edges, confidence, side="right") - 1
    numbers = jnp.clip(numbers, 0, bins - 1)  # what is 1 belongs to the last one
    count = jnp.zeros(bins, "int32").at[numbers].add(1)
    total = jnp.maximum(count, 1).astype(confidence.dtype)

    def mean(values: jax.Array) -> jax.Array:
        return jnp.zeros(bins, confidence.dtype).at[numbers].add(values) / total

    accuracy = mean(is_right.astype(confidence.dtype))
    return Reliability(jnp.asarray(edges), accuracy, mean(confidence), count)


def _rights_and_confidence(
    labels: Any, probabilities: Any, from_logits: bool, where: str
) -> tuple[jax.Array, jax.Array]:
    probabilities = as_floats(probabilities)
    if probabilities.ndim == 2 and probabilities.shape[1] == 1:
        probabilities = probabilities[:, 0]
    has_classes = probabilities.ndim > 1
    options = {"from_logits": from_logits, "classes": has_classes}
    probabilities = as_probabilities(probabilities, where, **options)
    if not has_classes:
        both = jnp.stack([1 - probabilities, probabilities], axis=-1)
        labels, _ = labels_and_scores(labels, both, where)
        return labels == 1, probabilities
    labels, probabilities = labels_and_scores(labels, probabilities, where)
    return jnp.argmax(probabilities, axis=-1) == labels, jnp.max(probabilities, axis=-1)


def _edges(bins: int, dtype: Any) -> np.ndarray:
    """Edges in a type in which numbers lie on the same sides of them as of the exact ones."""
    exact = np.linspace(0, 1, bins + 1)
    edges = exact.astype(dtype)
    is_below = edges.astype(exact.dtype) < exact
    return np.where(is_below, np.nextafter(edges, np.array(2, dtype)), edges)


def expected_calibration_error(
    labels: Any, probabilities: Any, bins: int = 15, from_logits: bool = False
) -> jax.Array:
    """How far confidence is from accuracy, as the mean over rows (ECE; Guo et al. 2017,
    arXiv:1706.04599): the sum over bins of `count / rows * |accuracy - confidence|`.

    It is a biased estimate: of a calibrated
    model it is above 0, the more so the fewer rows a bin has.

    Args:
        labels, probabilities, bins, from_logits: as for `reliability_diagram`.

    Returns:
        a number from 0 to 1.

    Raises:
        ValueError: as for `reliability_diagram`.

    >>> print(expected_calibration_error([0, 1], [[0.9, 0.1], [0.9, 0.1]]).round(3))
    0.4
    """
    diagram = reliability_diagram(labels, probabilities, bins, from_logits)
    return diagram.expected_calibration_error()


__all__ = ["Reliability", "expected_calibration_error", "reliability_diagram"]
