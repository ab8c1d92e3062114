"""Data that end before the steps that were asked for."""

from jkeras.core.say.warning import warn
from jkeras.training.loop.pace import whole_executions


def warn_of_short_data(
    done: int, expected: int | None, needed: str, steps_per_execution: int = 1
) -> None:
    """Warns where fewer batches came than were expected; that none came is an error elsewhere.

    Args:
        done: the batches that came.
        expected: None: as many as there are.
        needed: how many the data are to give, in the caller's arguments.
        steps_per_execution: of the model; the last of them may lack some.
    """
    if expected is None or not 0 < done < expected:
        return
    if whole_executions(done, steps_per_execution) >= expected:
        return
    warn(
        f"Your input ran out of data; interrupting after {done} of {expected} steps. It has to "
        f"give {needed} batches, as one with `.repeat()` does."
    )
