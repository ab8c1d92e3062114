"""What a checkpoint of a `fit` says beside its arrays: where the training was, and what is to go on
with it.
"""

import typing

from jkeras.core.errors import SerializationError
from jkeras.saving.words import (
    COUNT,
    DICT,
    NUMBERS,
    TEXT,
    TRUTH,
    check_words,
    listing,
    one_of,
    or_none,
    row,
    table,
)
from jkeras.training.types import Logs


class Position(typing.NamedTuple):
    """How far a training has come.

    Attributes:
        epoch: the number of the epoch.
        step: how many of its steps are done.
        logs: their results.
        ended: whether there are no more steps, and only the end of the epoch is to come.
    """

    epoch: int
    step: int = 0
    logs: Logs = {}
    ended: bool = False


STATES = listing(row(TEXT, one_of("json", "bytes"), TEXT))  # of iterators, one for each process
KINDS = {
    "position": row(COUNT, COUNT, table(NUMBERS), TRUTH, least=1),
    "seed": or_none(COUNT),
    "generators": DICT,
    "taken": COUNT,
    "pass": or_none(row(COUNT, COUNT)),
    "batches": or_none(COUNT),
    "validated": COUNT,
    "states": STATES,
    "rows": COUNT,
    "validation_states": STATES,
    "callbacks": table(DICT),
    "privacy": or_none(DICT),
    "course": or_none(row(COUNT, COUNT, COUNT, or_none(COUNT))),
}
OPTIONAL = (
    "generators",
    "validated",
    "states",
    "rows",
    "validation_states",
    "privacy",
    "course",
)


class Course(typing.NamedTuple):
    """How the numbers of a training's epochs and steps follow from the steps of its model.

    Attributes:
        epoch, step: where this `fit` began.
        model_step: the step of the model there.
        steps: of each epoch; None where that is unknown.
    """

    epoch: int
    step: int
    model_step: int
    steps: int | None

    def leads_to(self, position: Position, model_step: int) -> bool:
        """Whether a position is where the training is at a step of the model."""
        epochs = position.epoch - self.epoch
        if self.steps is None and epochs:
            return False
        done = epochs * (self.steps or 0) + position.step - self.step
        return epochs >= 0 and done == model_step - self.model_step


def check(extra: typing.Any, model_step: int, where: str) -> None:
    """Raises a SerializationError for words that no `fit` writes.

    Args:
        model_step: the number of steps of the model that the checkpoint has.
        where: the checkpoint, in words.
    """
    check_words(extra, KINDS, where, OPTIONAL)
    if "states" in extra and "rows" not in extra:
        raise SerializationError(
            f"{where}: it has 'states', and lacks 'rows'. Restore another one."
        )
    if extra["seed"] is None and extra.get("generators", {}).keys() != {"order", "now"}:
        raise SerializationError(
            f"{where}: it lacks 'generators' with 'order' and 'now', which a training without "
            "a seed has. Restore another one."
        )
    course = extra.get("course")
    position = Position(*extra["position"])
    if course is not None and not Course(*course).leads_to(position, model_step):
        raise SerializationError(
            f"{where}: it says that {position.step} steps of epoch {position.epoch} are done, and "
            f"its model has taken {model_step} steps, which does not go together. It was changed: "
            "restore another one."
        )
