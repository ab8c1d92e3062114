"""Which checkpoint of several folders is restored: the newest that is whole."""

import os
import warnings
from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.errors import MissingFileError, SerializationError, readable
from jkeras.core.session.processes import gathered_from_all
from jkeras.saving.steps import MANIFEST, StepFolder, StructureMismatch
from jkeras.saving.types import Reader

if TYPE_CHECKING:
    from jkeras.saving.tier import Tier


def read_newest(readers: list[tuple[StepFolder, Reader]], what: str = "checkpoint") -> Any:
    """What is read of the newest step that is whole; a warning says which newer ones are not, and
    why.

    Args:
        readers: (a `StepFolder`, `read(step)`) pairs, the preferred one of equal steps first. Of a
            step without a list, of which nothing else can be said, any error of `read` means that
            it is damaged.

    Raises:
        MissingFileError (a FileNotFoundError, and a SerializationError): there is none.
        SerializationError: all are damaged; lists each.
    """
    several = len(readers) > 1
    bad = []
    for step, folder, read in _candidates(readers):
        problem = folder.problem(step)
        if problem is None:
            try:
                content = read(step)
            except Exception as error:
                # what the store says of files that it cannot read is of any kind
                is_listed = os.path.isfile(os.path.join(folder.path_of(step), MANIFEST))
                if isinstance(error, StructureMismatch) or is_listed:
                    raise
                problem = f"{type(error).__name__}: {readable(error, 300)}"
            else:
                _warn_of(bad, step, folder)
                return content
        bad.append(f"step {step}{f' in {folder.path}' if several else ''}: {problem}")
    paths = " and ".join(folder.path for folder, _ in readers)
    if not bad:
        hint = "".join(_above(folder.path) for folder, _ in readers)
        raise MissingFileError(f"{paths}: there is no complete checkpoint.{hint}")
    raise SerializationError(
        f"{paths}: no {what} can be restored. {'; '.join(bad)}. Take another copy of the folder, "
        "or begin afresh in an empty one."
    )


def read_one(readers: list[tuple[StepFolder, Reader]], step: int) -> Any:
    """What is read of one step, in the first of several folders that has it whole.

    Raises:
        FileNotFoundError: there is none.
        SerializationError: it is damaged.
    """
    *others, (folder, read) = readers
    for preferred, read_preferred in others:
        if step in preferred.steps() and preferred.problem(step) is None:
            return read_preferred(step)
    return folder.read_one(step, read)


def _candidates(readers: list[tuple[StepFolder, Reader]]) -> list[tuple[int, StepFolder, Reader]]:
    """(step, folder, read), the newest first, and of equal ones that of the first reader."""
    rows = [
        (step, -number, folder, read)
        for number, (folder, read) in enumerate(readers)
        for step in folder.numbers()
    ]
    return [(step, *rest) for step, _, *rest in sorted(rows, key=lambda c: c[:2], reverse=True)]


def _warn_of(bad: list[str], step: int, folder: StepFolder) -> None:
    """Says which steps were passed over."""
    if bad:
        warnings.warn(
            f"{folder.path}: step {step} was restored, since newer ones are damaged: "
            + "; ".join(bad),
            stacklevel=4,
        )


def agreed(
    local: "Tier", durable: "Tier", like: Any, step: int | None = None
) -> "tuple[Tier, int]":
    """(tier, step) that all processes restore: the newest that each has whole in `local`, or that
    of the `durable` tier where it is newer. All processes must call it.

    Args:
        step: only the tier is to be chosen.
    """
    reports = gathered_from_all([local.whole_steps(like), durable.steps()])
    common = set.intersection(*(set(steps) for steps, _ in reports))
    if step is not None:
        return (local if step in common else durable), step
    newest = max(common, default=-1)
    highest = max((step for steps, _ in reports for step in steps), default=-1)
    if newest < highest:
        warnings.warn(
            f"{local.folder}: step {highest} is not whole in the folders of all processes, so that "
            f"an older one, or one of {durable.folder}, is restored.",
            stacklevel=3,
        )
    if newest < max(reports[0][1], default=0):
        # one process looks into the files for all
        whole = durable.latest_step() if jax.process_index() == 0 else None
        whole = gathered_from_all(whole)[0]
        is_newer = whole is not None and whole > newest
        if not common or is_newer:
            return durable, whole
    return local, newest


def _above(path: str) -> str:
    """What to do where a path is that of one step."""
    if not os.path.isfile(os.path.join(path, MANIFEST)):
        return ""
    return f" This is one of its steps: give the folder of all, {os.path.dirname(path)}."
