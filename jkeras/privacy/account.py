"""What the trainings of a model have revealed: a value that goes from one `fit` to the next, into
checkpoints, and with the weights into other models and files (`privacy.carrying`).
"""

import math
import typing
from collections.abc import Sequence

from jkeras.privacy.accounting import Run, epsilon
from jkeras.privacy.correlated import FINER, equal_steps

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
    "what was trained without `privacy` before or in between, and what `adapt` took up, saw none "
    "of these rows",
    "weights that came as arrays, by `set_weights`, `assign`, `load_weights` of `.h5` or `.npz`, "
    "or out of other programs, followed from none of these rows: an account goes with layers and "
    "with files of whole models, and not with arrays",
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

    >>> run = Trained("a", 2.0, 0.01, 100, 1e-5, 0.0, 1)
    >>> Account(runs=(run,)).spent(100, None, "rdp").epsilon < 1
    True
    """

    epsilon: float
    delta: float
    runs: tuple[Run, ...]
    assumptions: str


class Trained(typing.NamedTuple):
    """A run that has ended, as the weights that it trained remember it.

    Attributes:
        id: of this run alone, so that it counts once however many layers remember it.
        noise_multiplier, q, steps: as of `Run`.
        delta: of the guarantee that was asked for.
        overflow: the probability that any of its steps had no place for all of its rows.
        steps_of_a_turn: as of `Current`.
        key, first, end: of its random numbers, and the steps of the model in which it had them; of
            a run of this process or its checkpoints. Files of models have none of it.
        trials: as of `Run`.
    """

    id: str
    noise_multiplier: float
    q: float
    steps: int
    delta: float
    overflow: float
    steps_of_a_turn: int
    key: tuple[int, ...] | None = None
    first: int = 0
    end: int = 0
    trials: float = 1.0

    @property
    def run(self) -> Run:
        """What epsilon follows from."""
        return Run(self.noise_multiplier, self.q, self.steps, self.trials)


class Current(typing.NamedTuple):
    """A run that is going on.

    Attributes:
        noise_multiplier, q: of the run.
        batch_size: what the sum of gradients is divided by.
        steps_of_a_turn: steps in which each row is once, 1 where it is by its own coin.
        overflow: the probability that a step has no place for all of its rows.
        key: of the random numbers, two integers for each member.
        first: number of its first step in the model.
        id, delta: as of `Trained`.
        bands: of how many steps the noise of one is made, see `correlated`.
        members: that are trained side by side, each with coins and noise of its own.
    """

    noise_multiplier: float
    q: float
    batch_size: int
    steps_of_a_turn: int
    overflow: float
    key: tuple[int, ...]
    first: int
    id: str
    delta: float
    bands: int = 1
    members: int = 1

    def at(self, step: int) -> Trained:
        """What it has come to at a step of the model."""
        taken = max(step - self.first, 0)
        run = run_of(self.noise_multiplier, self.q, taken, self.steps_of_a_turn, self.bands)
        return Trained(
            self.id,
            run.noise_multiplier,
            run.q,
            run.steps * self.members,
            self.delta,
            min(self.overflow * taken * self.members, 1.0),
            self.steps_of_a_turn,
            self.key,
            self.first,
            self.first + taken,
        )


class Account(typing.NamedTuple):
    """What the trainings of a model, and those that its layers had in others, have revealed so far.

    Attributes:
        runs: those that have ended.
        current: the run that is going on.
    """

    runs: tuple[Trained, ...] = ()
    current: Current | None = None

    @property
    def begun(self) -> bool:
        """Whether there is any run, be it without a step."""
        return bool(self.runs) or self.current is not None

    def begin(self, current: Current) -> "Account":
        """With a run that begins.

        Raises:
            ValueError: its noise would be that of an earlier run, which could be taken off.
        """
        for run in self.runs:
            if pairs(run.key) & pairs(current.key) and current.first < run.end:
                raise ValueError(
                    "privacy.DPSGD: this training would have the noise of an earlier one of this "
                    "model, so that both could be taken apart. Give `fit` another `seed`."
                )
        return self._replace(current=current)

    def end(self, step: int) -> "Account":
        """With the run that is going on ended at a step of the model."""
        return Account(self.at(step))

    def at(self, step: int) -> tuple[Trained, ...]:
        """The runs at a step of the model."""
        if self.current is None or step <= self.current.first:
            return self.runs
        return joined(self.runs, (self.current.at(step),))

    def constants(self) -> tuple | None:
        """What the steps of the run that is going on have in them: the noise, what a sum is divided
        by, the number of the first step where noise is correlated.
        """
        current = self.current
        if current is None:
            return None
        first = current.first if current.bands > 1 else 0
        return current.noise_multiplier, current.batch_size, first

    def spent(self, step: int, delta: float | None, accountant: str) -> Spent:
        """What all of them revealed.

        Args:
            delta: of the guarantee; None: that of the last run.
        """
        trained = self.at(step)
        delta = trained[-1].delta if delta is None and trained else delta
        runs, overflow = in_short(trained), sum(run.overflow for run in trained)
        value = epsilon(delta=delta, accountant=accountant, runs=runs)
        if overflow and not math.isinf(value):
            delta = min(delta + (1 + math.exp(min(value, 700.0))) * overflow, 1.0)
        by_turns = any(run.steps_of_a_turn > 1 for run in trained)
        return Spent(value, delta, runs, _in_words(value, delta, runs, by_turns))


def pairs(key: tuple[int, ...] | None) -> set[tuple[int, int]]:
    """The keys of the members, of those of all in one.

    >>> sorted(pairs((1, 2, 3, 4)))
    [(1, 2), (3, 4)]
    """
    words = key or ()
    return set(zip(words[::2], words[1::2]))


def run_of(noise_multiplier: float, q: float, steps: int, turn: int, bands: int) -> Run:
    """What epsilon follows from, of some steps.

    Args:
        turn: steps in which each row is once, 1 where it is by its own coin.
        bands: of how many steps the noise of one is made.
    """
    if bands == 1:
        return Run(noise_multiplier, q, -(-steps // turn))
    return Run(noise_multiplier * FINER, q, equal_steps(bands, steps, turn))


def joined(runs: Sequence[Trained], others: Sequence[Trained]) -> tuple[Trained, ...]:
    """The runs of both, each once: as long as any of them says.

    >>> short, long = (Trained("a", 1.0, 0.1, steps, 1e-5, 0.0, 1) for steps in (3, 5))
    >>> [run.steps for run in joined([short], [long])]
    [5]
    """
    latest = {run.id: run for run in runs}
    for run in others:
        if run.id not in latest or latest[run.id].steps < run.steps:
            latest[run.id] = run
    return tuple(latest.values())


def in_short(trained: Sequence[Trained]) -> tuple[Run, ...]:
    """What epsilon follows from, runs of one kind in one."""
    runs: list[Run] = []
    for run in (run.run for run in trained):
        is_chosen = run.trials != 1  # each choice is one of its own
        if runs and not is_chosen and runs[-1]._replace(steps=run.steps) == run:
            runs[-1] = run._replace(steps=runs[-1].steps + run.steps)
        else:
            runs.append(run)
    return tuple(runs)


def _in_words(value: float, delta: float, runs: Sequence[Run], by_turns: bool) -> str:
    taken = {run.q for run in runs if run.steps}
    # the rows of a turn are there with a probability of 1, and by no coin
    probabilities = sorted(taken - {1.0} if by_turns else taken)
    sampling = [COINS.format(q=q) for q in probabilities] + [TURNS] * by_turns
    conditions = "\n".join(f"* {text}" for text in (*sampling, *CONDITIONS))
    neighbours = EMPTY if by_turns else WITHOUT
    return WORDS.format(delta=delta, epsilon=value, neighbours=neighbours, conditions=conditions)


__all__ = ["Spent"]
