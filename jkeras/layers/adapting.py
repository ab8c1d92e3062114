"""What layers see while they learn from data: batches, and from Keras 3.16 on how far they are."""

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from jkeras.core.say.progress import counted
from jkeras.core.session.keras_version import is_316
from jkeras.core.session.settings import is_interactive_logging_enabled


def shown(
    batches: Iterable, data: Any, steps: int | None = None, verbose: int | None = None
) -> Iterable:
    """Batches of a data set, while their number is shown, where Keras 3.16 is followed; of what
    lies in memory as they are.

    Args:
        steps: their number, if it is known.
        verbose: whether to show it, in spite of the version.
    """
    if verbose is None:
        verbose = is_316()
    in_memory = isinstance(data, (np.ndarray, jax.Array, list, tuple)) or hasattr(data, "shape")
    if in_memory or not verbose:
        return batches
    return counted(batches, number_of_batches(data, steps), is_interactive_logging_enabled())


def number_of_batches(data: Any, steps: int | None = None) -> int | None:
    """How many batches a data set says it has, at most `steps`; None: it does not say."""
    if not hasattr(data, "cardinality"):
        return steps
    number = int(data.cardinality())
    if number < 0:  # unknown, or endless
        return steps
    return min(n for n in (number, steps) if n is not None)
