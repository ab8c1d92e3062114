"""Data that end before the steps that were asked for."""

from jkeras.core.say.warning import warn


def warn_of_short_data(done: int, expected: int | None, needed: str) -> None:
    """Warns where fewer batches came than were expected; that none came is an error elsewhere.

    Args:
        done: the batches that came.
        expected: None: as many as there are.
        needed: how many the data are to give, in the caller's arguments.
    """
    if expected is None or not 0 < done < expected:
        return
    warn(
        f"Your input ran out of data; interrupting after {done} of {expected} steps. It has to "
        f"give {needed} batches, as one with `.repeat()` does."
    )
