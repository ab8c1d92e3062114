"""What is said where data ends before the number of steps that was asked for."""

import warnings

MEANING = {
    "epoch": "`steps_per_epoch * epochs` batches",
    "evaluation": "as many batches as `steps` or `validation_steps` says",
    "prediction": "as many batches as `steps` says",
}


def warn_if_ran_out(what: str, done: int, expected: int | None, stacklevel: int) -> None:
    """Warns where data gave fewer batches than expected.

    Args:
        what: "epoch", "evaluation" or "prediction".
        done: how many batches there were.
        expected: how many there should be; None: as many as there are.
        stacklevel: of the warning, seen from the caller.
    """
    if expected is None or done >= expected:
        return
    warnings.warn(
        f"Your input ran out of data after {done} of {expected} steps; the {what} ends here. "
        f"Make sure that your dataset or generator can generate at least {MEANING[what]}.",
        stacklevel=stacklevel + 1,
    )
