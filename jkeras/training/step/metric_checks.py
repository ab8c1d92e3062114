"""Accuracies of labels that are no classes, as of a regression: counted, as in Keras, with a
warning.
"""

from typing import Any

import jax
import numpy as np

from jkeras.core.say.warning import warn
from jkeras.losses import Loss
from jkeras.metrics import BinaryAccuracy, CategoricalAccuracy
from jkeras.training.step.compile_loss import CompileLoss
from jkeras.training.step.compile_metrics import CompileMetrics
from jkeras.training.step.label_checks import DISTANCES, described
from jkeras.training.types import Structure

ROWS = 1000  # that are looked at: a regression shows in them


def warn_of_accuracy(
    compiled: CompileMetrics, compiled_loss: CompileLoss, y_true: Structure
) -> None:
    """Warns of an accuracy whose labels are no classes.

    Args:
        y_true: the labels of some rows, as arrays.
    """
    of_output = {entry.outputs: entry.loss for entry in compiled_loss.entries if _is_one(entry)}
    for metric, output, labels in compiled.with_labels(y_true):
        y = _on_host(labels)
        if y is None or compiled_loss.may_leave_out(y):
            continue
        strange = _strange_label(metric, y, of_output.get(output))
        if strange is not None:
            warn(
                f"The metric '{metric.name}' counts predictions of the right class. "
                f"{described(compiled_loss.outputs.names[output])} are no classes: they hold "
                f"{strange:g}. What it says means nothing. For a regression report "
                "`metrics=['mae']`, or `metrics.R2Score()`."
            )
            return


def _is_one(entry: Any) -> bool:
    return isinstance(entry.outputs, int)


def _on_host(labels: Any) -> np.ndarray | None:
    """The first rows of labels of numbers; None: they cannot be looked at here."""
    if isinstance(labels, jax.Array):
        if isinstance(labels, jax.core.Tracer) or not labels.is_fully_addressable:
            return None
    elif not isinstance(labels, np.ndarray):
        return None
    if not labels.size or not labels.ndim:
        return None
    y = np.asarray(labels[:ROWS])
    return y if y.dtype.kind in "fiu" else None


def _strange_label(metric: Any, y: np.ndarray, loss: Loss | None) -> Any:
    """A label of which an accuracy makes no sense; None: there is none, or it is not known."""
    if type(metric) is BinaryAccuracy:
        strange = y[(y != 0) & (y != 1) & ~np.isnan(y)]
        return strange[0] if strange.size else None
    is_distance = getattr(loss, "fn", None) in DISTANCES
    if type(metric) is not CategoricalAccuracy or not is_distance or y.shape[-1:] == (1,):
        return None
    strange = y[(y < 0) | (y > 1)]
    return strange[0] if strange.size else None
