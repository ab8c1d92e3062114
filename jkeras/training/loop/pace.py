"""How many steps go into one dispatch: as many as fill a moment, by what one of them takes; on CPU
a few, also where they take longer.
"""

from typing import TYPE_CHECKING

import jax

from jkeras.ops.kernels import on_cpu
from jkeras.training.step.offload import is_offloaded
from jkeras.training.step.overrides import has_own_step

if TYPE_CHECKING:
    from jkeras.training.step.layout import StateLayout

# seconds of one dispatch: its cost is lost in them, and a bar or Ctrl-C need not wait
MOMENT = 0.05
MOST = 4096
# steps of a dispatch on CPU at least, though they take longer than a moment: XLA:CPU takes the
# memory of a program's intermediate values from the system and gives it back with each dispatch,
# and each page of it costs when it is first touched, together up to a third of a step
FEW = 8
PATIENCE = 0.5  # seconds that such a dispatch may take
TRIALS = 3  # dispatches that are timed; the first calls of a compiled function take longer
MOST_WEIGHTS = 1000  # with 600 of them a loop takes 1.7 times as long to compile as a step
MOST_PARAMETERS = 5 * 10**7  # with 10**8 of them a loop takes a third more memory than a step


class Pace:
    """The number of steps of a dispatch.

    Args:
        steps: as many, always; None: measured.

    >>> pace = Pace()
    >>> for seconds in (0.003, 0.001, 0.002):
    ...     pace.took(seconds)
    >>> pace.steps, pace.settled
    (50, False)
    >>> for seconds in (0.0012, 0.0009, 0.001):
    ...     pace.took(seconds)
    >>> pace.steps, pace.settled
    (56, True)
    """

    def __init__(self, steps: int | None = None) -> None:
        self.steps = steps or 1
        self.settled = steps is not None
        self._times = []

    def took(self, seconds: float) -> None:
        """Takes note of the time of one step of a dispatch, once it was compiled; decides by the
        shortest of a few, and once more where that makes many more steps: a dispatch has a cost of
        its own, which counts less then.
        """
        self._times.append(seconds)
        if len(self._times) == TRIALS:
            steps = steps_of(max(min(self._times), 1e-6))
            self.settled = steps < 2 * self.steps
            self.steps = steps
            self._times = []


def steps_of(seconds: float) -> int:
    """How many steps go into a dispatch, if one takes so many seconds.

    >>> steps_of(0.001), steps_of(1.0)
    (50, 1)
    """
    steps = min(MOST, round(MOMENT / seconds))
    if on_cpu():
        steps = max(steps, min(FEW, round(PATIENCE / seconds)))
    return max(1, steps)


def whole_executions(steps: int, size: int) -> int:
    """The steps that are taken where so many are asked for: whole executions of a user's
    `steps_per_execution`, as in Keras.

    >>> whole_executions(5, 3), whole_executions(6, 3)
    (6, 6)
    """
    return -(-steps // size) * size


def steps_of_epoch(asked: int | None, there: int | None, size: int) -> int | None:
    """The steps of an epoch: those that are asked for, in whole executions, else all that there
    are, None where that is unknown.

    >>> steps_of_epoch(5, 10, 3), steps_of_epoch(None, 10, 3)
    (6, 10)
    """
    return whole_executions(asked, size) if asked else there


def fixed_steps(layout: "StateLayout", kind: str, every_batch: bool) -> int | None:
    """The number of steps of a dispatch where there is nothing to measure, else None.

    It is the user's `steps_per_execution` above 1; and 1 where callbacks look at every batch, where
    the user's own step returns logs of its own; where the optimizer's state is to be with the host
    between any two steps; where convolutions would run inside a loop on a CPU, where their weight
    gradient is slower than all that a dispatch costs; for very many weights, where a loop takes too
    long to compile; for very large ones, whose gradients are all alive at once in a loop; and in
    several processes, which would measure different times, and have to agree on where a dispatch
    ends.
    """
    model = layout.model
    if model.steps_per_execution > 1:
        return model.steps_per_execution
    if not model.jit_compile or every_batch or has_own_step(model, kind):
        return 1
    if jax.process_count() > 1:
        return 1
    if kind == "train" and is_offloaded():
        return 1
    if layout.count_of_arrays > MOST_WEIGHTS or layout.count_of_parameters > MOST_PARAMETERS:
        return 1
    return 1 if layout.convolves and on_cpu() else None
