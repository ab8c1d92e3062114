"""What is recorded of each step while several of them run in one dispatch."""

import typing
from collections.abc import Callable

import jax

from jkeras.training.step.links import Link, Step
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs

KEY = "/records"  # among the logs of a dispatch: no metric has a slash in front


class Recorder(typing.Protocol):
    """Makes a record of each step of a training, and takes them.

    Attributes:
        of_step: gives the record of a step, an array, from the state and the logs after it. It is
            traced with the step, and programs are cached by it: a function, the same for all.
    """

    of_step: Callable[[TrainState, Logs], jax.Array]

    def take(self, records: jax.Array, steps: int) -> None:
        """Takes the records of a dispatch, of which the first `steps` count.

        Args:
            records: (steps, ...); of members that are trained together (members, steps, ...).
        """


def recording(of_step: Callable[[TrainState, Logs], jax.Array]) -> Link:
    """The link that puts the record of a step among its logs, (1, ...)."""

    def link(step: Step) -> Step:
        def recorded_step(*arguments: typing.Any) -> tuple[TrainState, Logs]:
            state, logs = step(*arguments)
            return state, {**logs, KEY: of_step(state, logs)[None]}

        return recorded_step

    return link
