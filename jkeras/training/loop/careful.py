"""Steps that may turn out to be wrong once they have run: they keep what they start from, and the
one that is wrong is found by taking the steps of its dispatch one by one.
"""

import typing
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from jkeras.core.errors import StepError
from jkeras.training.data.feeds import Work
from jkeras.training.types import Logs

if typing.TYPE_CHECKING:
    from jkeras.training.loop.ownership import AnyOwner
    from jkeras.training.loop.program import Program
    from jkeras.training.step.state import TrainState

MOST_ROWS = 8  # that a message names


class Looking(typing.Protocol):
    """Looks at what each dispatch gives."""

    def run(
        self, program: "Program", state: "TrainState", *arguments: typing.Any
    ) -> tuple["TrainState", Logs]:
        """What the program gives.

        Raises:
            StepError: it is wrong.
        """

    def on_batch(
        self, program: "Program", state: "TrainState", batch: typing.Any
    ) -> tuple["TrainState", Logs]:
        """What one step on a batch gives.

        Raises:
            StepError: it is wrong; it is explained.
        """

    def explained(
        self, error: StepError, state: "TrainState", arguments: tuple, form: str
    ) -> StepError:
        """What to raise for a step that is wrong, or the error as it is.

        Args:
            state: before the step.
            arguments: of its program behind the state.
        """


class Place(typing.NamedTuple):
    """A step of a training or evaluation.

    Attributes:
        kind: "train" or "test".
        epoch, step: their numbers.
        rows: of the data that are in it, as far as they are known.
    """

    kind: str
    epoch: int
    step: int
    rows: np.ndarray | None = None

    def __str__(self) -> str:
        if self.kind == "test":
            return f"at step {self.step} of an evaluation (steps count from 0)"
        return f"at step {self.step} of epoch {self.epoch + 1} (steps count from 0)"


def singly(work: Work) -> Iterator[Work]:
    """The steps of a dispatch, each as one of its own."""
    if work.form != "many":
        yield work
        return
    *data, first, _ = work.arguments
    for i in range(work.steps):
        yield Work(work.form, (*data, np.int32(first + i), np.int32(1)), 1)


def located(
    error: StepError,
    owner: "AnyOwner",
    work: Work,
    run: typing.Callable,
    place: Place,
    order: np.ndarray | None,
) -> tuple[StepError, Work, Place]:
    """Takes the steps before the one that is wrong; (its error, that step, where it is).

    Args:
        owner: of the state before the dispatch.
        run: `(state, *arguments) -> (state, logs)`, which raises the error.
        place: of the first step of the dispatch.
        order: rows of the data by step, from the first step of the dispatch on.
    """
    before = owner.peek()

    def at(i: int) -> Place:
        rows = None if order is None else np.asarray(order[i])
        return place._replace(step=place.step + i, rows=rows)

    if work.steps == 1:
        return error, work, at(0)
    for i, one in enumerate(singly(work)):
        try:
            with owner.stepping():
                owner.state, _ = run(owner.state, *one.arguments)
        except StepError as found:
            return found, one, at(i)
    # it is another one each time: back to where it was
    owner.replace(lambda state: before)
    return error, next(singly(work)), place


def with_place(error: StepError, place: Place) -> StepError:
    """The error with the step in its message, and the rows of the data where they are known."""
    told = f"That was {place}"
    if place.rows is not None and error.rows and error.count == len(place.rows):
        told += f", in {rows_in_words(place.rows[list(error.rows)].tolist())} of the data"
    error.args = (f"{error.args[0]}. {told}. The model holds what it was before this step.",)
    return error


def rows_in_words(rows: Sequence[int]) -> str:
    """The numbers of rows, in words.

    >>> rows_in_words([3]), rows_in_words(range(10))
    ('row 3', 'rows 0, 1, 2, 3, 4, 5, 6, 7 and 2 more')
    """
    shown = ", ".join(map(str, rows[:MOST_ROWS]))
    if len(rows) > MOST_ROWS:
        shown += f" and {len(rows) - MOST_ROWS} more"
    word = "row" if len(rows) == 1 else "rows"
    return f"{word} {shown}"


def waited_for(results: typing.Any) -> typing.Any:
    """Results, once all that runs for them has, what it calls on the host too."""
    results = jax.block_until_ready(results)
    jax.effects_barrier()
    return results
