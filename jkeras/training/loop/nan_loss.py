"""A loss that is NaN, said once: where the data has it, or how to find the step that brought it."""

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from jkeras.callbacks import CallbackList, TerminateOnNaN
from jkeras.core.graph.keras_tensor import flatten
from jkeras.optimizers import LossScaleOptimizer
from jkeras.training.data import ArraySource
from jkeras.training.data.source import DataTypes, Source
from jkeras.training.types import Logs

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


class NaNLoss:
    """Looks at the results of each epoch; costs nothing while they are numbers.

    Args:
        source: of the training; the arrays of an `ArraySource` are looked through.
    """

    def __init__(self, model: "Trainer", source: Source, callbacks: CallbackList) -> None:
        self.model, self.source = model, source
        ends_anyway = any([isinstance(one, TerminateOnNaN) for one in callbacks.callbacks])
        skips = isinstance(model.optimizer, LossScaleOptimizer)  # such a step, and goes on
        self.is_done = model.compilation.nonfinite is not None or ends_anyway or skips

    def look(self, epoch: int, logs: Logs) -> None:
        """Warns, once, where the loss of an epoch is NaN or infinity."""
        loss = logs.get("loss")
        if self.is_done or not isinstance(loss, float) or math.isfinite(loss):
            return
        self.is_done = True
        locations = _locations_of_nan(self.source)
        if locations:
            fix = f"{'; '.join(locations)}. Fill it in, or leave these rows out"
        else:
            fix = (
                "To find the step: `compile(nonfinite='raise')`. Look at the data, lower the "
                "learning rate, or clip gradients"
            )
        warnings.warn(
            f"Model '{self.model.name}': the loss of epoch {epoch + 1} is {_named(loss)}, and from "
            f"then on the weights are of no use. {fix}.",
            stacklevel=7,
        )


def _named(loss):
    """What is no finite number, in a word.

    >>> _named(-math.inf)
    'infinite'
    """
    return "NaN" if math.isnan(loss) else "infinite"


def _locations_of_nan(source):
    """Where the arrays of a source have NaN, in words."""
    if not isinstance(source, ArraySource):
        return []
    texts = []
    for name, part in zip(DataTypes._fields, source.data):
        for leaf in flatten(part):
            if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f":
                indices = np.argwhere(np.isnan(leaf))
                if len(indices):
                    row = indices[0].tolist()
                    texts.append(f"`{name}` holds NaN at {row}, {len(indices)} times in all")
    return texts
