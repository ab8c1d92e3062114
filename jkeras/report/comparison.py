"""Two reports side by side: what differs around the trainings, and where their numbers part."""

import itertools
import math
import typing
from collections.abc import Iterator

import numpy as np

from jkeras.report.reading import Epoch, Report
from jkeras.report.trace import loss_of, thinned

# other machines and folders have other paths, and the same program
NOT_COMPARED = ("program.python", "program.script", "program.folder")
MISSING = "nothing"


class Difference(typing.NamedTuple):
    """One fact that two reports tell differently."""

    name: str
    first: typing.Any
    second: typing.Any

    def __str__(self) -> str:
        return f"{self.name}: {_short(self.first)} | {_short(self.second)}"


class Parting(typing.NamedTuple):
    """Where two trainings part.

    Attributes:
        epoch: from 0; None: before the first one, or after the last one.
        step: of the epoch, from 0; None: not in a step.
        why: what is clear of it, in words.
        first: of the steps that it may be instead; None: it is that one.
    """

    epoch: int | None
    step: int | None
    why: str
    first: int | None = None

    def __str__(self) -> str:
        if self.epoch is None:
            return self.why
        if self.step is None:
            return f"after the steps of epoch {self.epoch + 1}: {self.why}"
        where = f"step {self.step}"
        if self.first is not None:
            where = f"one of the steps {self.first} to {self.step}"
        return f"in {where} of epoch {self.epoch + 1} (steps count from 0): {self.why}"


def differences(first: Report, second: Report) -> list[Difference]:
    """What the two trainings took, or ran on, that differs."""
    both = [dict(_flat(report.facts)) for report in (first, second)]
    names = dict.fromkeys(itertools.chain(*both))
    pairs = [Difference(name, *(facts.get(name, MISSING) for facts in both)) for name in names]
    return [one for one in pairs if one.first != one.second and one.name not in NOT_COMPARED]


def parting(first: Report, second: Report) -> Parting | None:
    """Where the two trainings part first; None: nowhere."""
    if first.before != second.before:
        return Parting(None, None, "before the first step: the initial weights differ")
    every = math.lcm(first.every, second.every)
    for one, other in zip(first.epochs, second.epochs):
        rows = [
            thinned(epoch.rows, every // report.every)
            for epoch, report in ((one, first), (other, second))
        ]
        point = _in_epoch(one, other) or _in_rows(one.number, every, *rows) or _behind(one, other)
        if point is not None:
            return point
    counts = len(first.epochs), len(second.epochs)
    if counts[0] != counts[1]:
        why = f"nowhere as far as both go: {counts[0]} epochs | {counts[1]} epochs"
        return Parting(None, None, why)
    if first.after != second.after:
        return Parting(None, None, "after the last epoch: the weights at the end differ")
    return None


def _in_epoch(one: Epoch, other: Epoch) -> Parting | None:
    """Whether two epochs are different ones."""
    if one.number == other.number:
        return None
    why = f"the numbers of the epochs differ: {one.number + 1} | {other.number + 1}"
    return Parting(None, None, why)


def _in_rows(epoch: int, every: int, one: np.ndarray, other: np.ndarray) -> Parting | None:
    """The first step of an epoch with another fingerprint, of those that are recorded."""
    count = min(len(one), len(other))
    differs = (one[:count] != other[:count]).any(axis=1)
    if not differs.any():
        return None
    row = int(differs.argmax())
    if every == 1:
        return Parting(epoch, row, _of_step(one[row], other[row]))
    step = (row + 1) * every - 1
    return Parting(epoch, step, "of so many steps one fingerprint is kept", step - every + 1)


def _behind(one: Epoch, other: Epoch) -> Parting | None:
    """Where two epochs part whose fingerprints are the same."""
    if one.steps != other.steps:
        why = f"it has {one.steps} steps | {other.steps} steps"
        return Parting(one.number, min(one.steps, other.steps), why)
    if one.weights != other.weights:
        return Parting(one.number, None, "the weights differ, which something else has changed")
    shared = one.logs.keys() & other.logs.keys()  # callbacks may add some
    names = sorted(name for name in shared if one.logs[name] != other.logs[name])
    if names:
        why = f"the weights are the same, the results differ: {', '.join(names)}"
        return Parting(one.number, None, why)
    return None


def _of_step(one: np.ndarray, other: np.ndarray) -> str:
    """What its two fingerprints say of a step."""
    if one[0] == other[0]:
        return "its loss is the same, the weights after it differ: by its gradients or its update"
    return (
        f"its loss differs, from the same weights: by its batch, its random numbers or its "
        f"arithmetic; mean of the epoch so far {loss_of(one)!r} | {loss_of(other)!r}"
    )


def _flat(value: typing.Any, name: str = "") -> Iterator[tuple[str, typing.Any]]:
    """(name with dots, value) of all that is inside dicts and lists."""
    if isinstance(value, list):
        value = {str(i): part for i, part in enumerate(value)}
    if not isinstance(value, dict):
        yield name, value
        return
    for key, part in value.items():
        yield from _flat(part, f"{name}.{key}" if name else key)


def _short(value: typing.Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
