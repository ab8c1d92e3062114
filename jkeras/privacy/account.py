"""What the trainings of a model have revealed: a value that goes from one `fit` to the next, and
into checkpoints.
"""

import math
import typing
from collections.abc import Sequence

from jkeras.privacy.accounting import Run, epsilon

WORDS = (
    "With a probability of all but {delta:.3g}, nothing that follows from the weights, also of "
    "every step, is more than exp({epsilon:.4g}) times as likely {neighbours}. That holds where\n"
    "{conditions}"
)
WITHOUT = "with any one row of the data as without it"
EMPTY = "with any one row of the data as with one in its place that adds nothing"
COINS = (
    "each row was in a step by its own coin, with a probability of {q:.4g}, which is what jkeras "
    "did"
)
TURNS = (
    "each row was in one step of an epoch, which is what jkeras did: nothing is gained by sampling"
)
CONDITIONS = (
    "what one person gave is one row",
    "nobody who looks at the model knows the seeds of this training",
    "what was trained without `privacy` before or in between saw none of these rows",
    "losses and metrics that `fit` tells are kept to yourself: they are of these rows, without "
    "noise, and so is every choice that was made by them",
)


class Spent(typing.NamedTuple):
    """What a training has revealed of any one row, at most.

    Attributes:
        epsilon, delta: of the guarantee; `delta` has in it that a step might have had no place for
            all of its rows.
        runs: the steps that it is of.
        assumptions: the guarantee in words, and on what it hangs.

    >>> Account(runs=(Run(2.0, 0.01, 100),)).spent(100, 1e-5, "rdp").epsilon < 1
    True
    """

    epsilon: float
    delta: float
    runs: tuple[Run, ...]
    assumptions: str


class Current(typing.NamedTuple):
    """A run that is going on.

    Attributes:
        noise_multiplier, q: of the run.
        batch_size: what the sum of gradients is divided by.
        steps_of_a_turn: steps in which each row is once, 1 where it is by its own coin.
        overflow: the probability that a step has no place for all of its rows.
        key: of the random numbers, two integers.
        first: number of its first step in the model.
    """

    noise_multiplier: float
    q: float
    batch_size: int
    steps_of_a_turn: int
    overflow: float
    key: tuple[int, int]
    first: int

    def run(self, step: int) -> Run:
        """What it has come to at a step of the model."""
        turns = -(-(step - self.first) // self.steps_of_a_turn)
        return Run(self.noise_multiplier, self.q, turns)


class Account(typing.NamedTuple):
    """What the trainings of a model have revealed so far.

    Attributes:
        runs: those that have ended.
        overflow: the probability that a step of them had no place for all of its rows.
        used: (key, first step, step after the last) of each: whose random numbers are spent.
        by_turns: whether any had its rows in turn.
        current: the run that is going on.
    """

    runs: tuple[Run, ...] = ()
    overflow: float = 0.0
    used: tuple[tuple, ...] = ()
    by_turns: bool = False
    current: Current | None = None

    def begin(self, current: Current) -> "Account":
        """With a run that begins.

        Raises:
            ValueError: its noise would be that of an earlier run, which could be taken off.
        """
        for key, _, end in self.used:
            if tuple(key) == current.key and current.first < end:
                raise ValueError(
                    "privacy.DPSGD: this training would have the noise of an earlier one of this "
                    "model, so that both could be taken apart. Give `fit` another `seed`."
                )
        by_turns = self.by_turns or current.steps_of_a_turn > 1
        return self._replace(current=current, by_turns=by_turns)

    def end(self, step: int) -> "Account":
        """With the run that is going on ended at a step of the model."""
        current = self.current
        if current is None:
            return self
        if step <= current.first:
            return self._replace(current=None)
        runs, overflow = self.at(step)
        used = (*self.used, (current.key, current.first, step))
        return self._replace(runs=runs, overflow=overflow, used=used, current=None)

    def at(self, step: int) -> tuple[tuple[Run, ...], float]:
        """(runs, probability of an overflow) at a step of the model."""
        if self.current is None:
            return self.runs, self.overflow
        run = self.current.run(step)
        overflow = self.overflow + self.current.overflow * max(step - self.current.first, 0)
        last = self.runs[-1:]
        if last and last[0][:2] == run[:2]:
            return (*self.runs[:-1], run._replace(steps=last[0].steps + run.steps)), overflow
        return (*self.runs, run), overflow

    def constants(self) -> tuple | None:
        """What the steps of the run that is going on have in them."""
        current = self.current
        return None if current is None else (current.noise_multiplier, current.batch_size)

    def spent(self, step: int, delta: float, accountant: str) -> Spent:
        """What all of them revealed."""
        runs, overflow = self.at(step)
        value = epsilon(delta=delta, accountant=accountant, runs=runs)
        if overflow and not math.isinf(value):
            delta = min(delta + (1 + math.exp(min(value, 700.0))) * overflow, 1.0)
        return Spent(value, delta, runs, _in_words(value, delta, runs, self.by_turns))

    def as_json(self) -> dict:
        """As plain data, for a checkpoint."""
        return self._asdict()

    @classmethod
    def from_json(cls, data: dict) -> "Account":
        """Of what `as_json` gave."""
        current = data["current"]
        if current is not None:
            *rest, key, first = current
            current = Current(*rest, tuple(key), first)
        runs = tuple(Run(*run) for run in data["runs"])
        used = tuple((tuple(key), first, end) for key, first, end in data["used"])
        return cls(runs, data["overflow"], used, data["by_turns"], current)


def _in_words(value: float, delta: float, runs: Sequence[Run], by_turns: bool) -> str:
    taken = {run.q for run in runs if run.steps}
    # the rows of a turn are there with a probability of 1, and by no coin
    probabilities = sorted(taken - {1.0} if by_turns else taken)
    sampling = [COINS.format(q=q) for q in probabilities] + [TURNS] * by_turns
    conditions = "\n".join(f"* {text}" for text in (*sampling, *CONDITIONS))
    neighbours = EMPTY if by_turns else WITHOUT
    return WORDS.format(delta=delta, epsilon=value, neighbours=neighbours, conditions=conditions)


__all__ = ["Spent"]
