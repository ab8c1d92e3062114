"""Where the time of a training goes, for who asks: `ThroughputMonitor` puts a `Timing` on a model,
and the training adds to it.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

KINDS = ("data", "compile", "checkpoint", "validation")


class OneStep(NamedTuple):
    """A training step with what it takes, for who looks into it.

    Attributes:
        function: of a state and a batch.
        state: of one model.
        batch: the first one as shapes `(x, y, sample_weight)`.
        models: how many are trained, each with such a step.
    """

    function: Callable
    state: Any
    batch: tuple[Any, Any, Any]
    models: int


class Timing:
    """The seconds of a training by what they went into beside its steps.

    Attributes:
        waited: gives those that the loop has waited for batches.
        checkpoint: of saving and restoring; what is written behind the training's back costs none.
        validation: of evaluations between epochs.
        step: gives a step with what it takes; None: the training has not begun.
        rows: of a whole epoch; None: that is unknown.

    >>> timing = Timing()
    >>> with timing.of("validation"):
    ...     time.sleep(0.01)
    >>> timing.validation > 0.005, timing.data
    (True, 0.0)
    """

    def __init__(self) -> None:
        self.waited: Callable[[], float] = float
        self.checkpoint = self.validation = 0.0
        self.step: Callable[[], OneStep] | None = None
        self.rows: int | None = None

    @property
    def data(self) -> float:
        """What the loop has waited for batches."""
        return self.waited()

    @contextlib.contextmanager
    def of(self, kind: str) -> Iterator[None]:
        """A block whose seconds are of a kind."""
        start = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, kind, getattr(self, kind) + time.perf_counter() - start)


def timed(model: Any, kind: str) -> contextlib.AbstractContextManager:
    """A block whose seconds are of a kind, where somebody asks for those of the model."""
    if model.fit_timing is None:
        return contextlib.nullcontext()
    return model.fit_timing.of(kind)
