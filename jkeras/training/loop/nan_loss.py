"""A loss that is NaN, said once: where the data has it, or how to find the step that brought it."""

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from jkeras.callbacks import CallbackList, TerminateOnNaN
from jkeras.core.graph.keras_tensor import flatten
from jkeras.core.say.warning import warn
from jkeras.optimizers import LossScaleOptimizer
from jkeras.training.data import ArraySource
from jkeras.training.data.source import DataTypes, Source
from jkeras.training.types import Logs

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

MOST_COLUMNS = 5  # that are named


class NaNLoss:
    """Looks at the results of each epoch; costs nothing while they are numbers.

    Args:
        source, validation: of the training and of its validation, which may be None; the arrays of
            an `ArraySource` are looked through.
    """

    def __init__(
        self,
        model: "Trainer",
        source: Source,
        validation: Source | None,
        callbacks: CallbackList,
    ) -> None:
        self.model, self.source, self.validation = model, source, validation
        ends_anyway = any(map(isinstance, callbacks.callbacks, itertools.repeat(TerminateOnNaN)))
        skips = isinstance(model.optimizer, LossScaleOptimizer)  # such a step, and goes on
        self.is_done = model.compilation.nonfinite is not None or ends_anyway or skips

    def look(self, epoch: int, logs: Logs) -> None:
        """Warns, once, where the loss of an epoch is NaN or infinity."""
        loss = logs.get("loss")
        if self.is_done or not isinstance(loss, float) or math.isfinite(loss):
            return
        self.is_done = True
        found = _nonfinite_in(self.source)
        if found:
            fix = f"{found}. Fill it in, or leave these rows out"
        else:
            fix = (
                "To find the step: `compile(nonfinite='raise')`. Look at the data, lower the "
                "learning rate, or clip gradients"
            )
        warn(
            f"Model '{self.model.name}': the loss of epoch {epoch + 1} is {_named(loss)}, and from "
            f"then on the weights are of no use. {fix}."
        )

    def look_at_validation(self, epoch: int, logs: Logs) -> None:
        """Warns, once, where the loss of a validation is none while that of the training is."""
        loss = logs.get("loss")
        if self.is_done or not isinstance(loss, float) or math.isfinite(loss):
            return
        self.is_done = True
        found = _nonfinite_in(self.validation) or "No array of it holds NaN"
        warn(
            f"Model '{self.model.name}': the loss of the validation in epoch {epoch + 1} is "
            f"{_named(loss)}, that of the training is not. {found}."
        )


def _named(loss):
    """What is no finite number, in a word.

    >>> _named(-math.inf)
    'infinite'
    """
    return "NaN" if math.isnan(loss) else "infinite"


def _nonfinite_in(source: Source | None) -> str:
    """Which arrays of a source hold NaN or infinity, in which columns and how often, in words."""
    if not isinstance(source, ArraySource):
        return ""
    arrays = [
        (name, leaf)
        for name, part in zip(DataTypes._fields, source.data)
        for leaf in flatten(part)
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"
    ]
    return "; ".join(filter(None, (_where_nonfinite(*array) for array in arrays)))


def _where_nonfinite(name: str, array: np.ndarray) -> str:
    """Where an array holds NaN, else where infinity, in words.

    >>> _where_nonfinite("x", np.array([[1, np.nan], [2, np.nan], [3, 4]]))
    '`x` holds NaN 2 times, first in row 0: column 1 (2 times)'
    >>> _where_nonfinite("y", np.array([0, 1, np.inf]))
    '`y` holds infinity 1 time, first in row 2'
    """
    bad, word = np.isnan(array), "NaN"
    if not bad.any():
        bad, word = np.isinf(array), "infinity"
    if not bad.any():
        return ""
    row = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))[0]
    text = f"`{name}` holds {word} {_times(bad.sum())}, first in row {row}"
    if array.ndim < 2 or array.shape[-1] == 1:
        return text
    counts = bad.reshape(-1, array.shape[-1]).sum(axis=0)
    columns = np.flatnonzero(counts)
    shown = [f"column {i} ({_times(counts[i])})" for i in columns[:MOST_COLUMNS]]
    shown += ["others"][: len(columns) - len(shown)]
    return f"{text}: {', '.join(shown)}"


def _times(count: int) -> str:
    return "1 time" if count == 1 else f"{count} times"
