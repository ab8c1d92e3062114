"""Going on where a training stopped, in the middle of an epoch too: what a checkpoint holds, and
when one is made.
"""

import operator
import os
import types
import typing
import warnings
from collections.abc import Callable

import jax
import numpy as np

from jkeras.callbacks import CallbackList
from jkeras.callbacks.timing import timed
from jkeras.core.errors import SerializationError, readable
from jkeras.core.session import host_random
from jkeras.core.session.processes import gathered_from_all
from jkeras.core.session.settings import default_seed
from jkeras.training.data import placement
from jkeras.training.data.sizes import size_of
from jkeras.training.data.iterator_state import IteratorState, StateMisfit
from jkeras.training.data.source import Source
from jkeras.training.loop import resume_words
from jkeras.training.step.results import as_numbers
from jkeras.training.loop.resume_words import KINDS, Course, Position
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs

if typing.TYPE_CHECKING:
    from jkeras.saving.checkpointer import Checkpointer
    from jkeras.saving.tier import Tier
    from jkeras.training.loop.careful import Looking
    from jkeras.training.loop.loop import Runner
    from jkeras.training.loop.ownership import StateOwner


class FitOptions(typing.NamedTuple):
    """How long a training goes on, and where it is saved.

    Attributes:
        initial_epoch, epochs: numbers of the first and the last epoch.
        steps, validation_steps: at most so many of an epoch; None: all.
        validation_freq, seed, checkpoint, resume: as of `fit`.
        looking: looks at what each dispatch gives; None: nobody does.
    """

    initial_epoch: int
    epochs: int
    steps: int | None
    validation_steps: int | None
    validation_freq: int | list[int]
    seed: int | None
    checkpoint: "str | os.PathLike | Checkpointer | None"
    resume: bool | str
    looking: "Looking | None" = None


class Protection(typing.Protocol):
    """The account of what a training reveals of its rows; it asks for the state where it needs
    it.
    """

    def start(self, state: Callable[[], TrainState], kept: dict | None, resumes: bool) -> None:
        """Begins, or goes on from what a checkpoint has."""

    def logs(self, state: Callable[[], TrainState]) -> Logs:
        """What is reported after an epoch."""

    def kept(self, state: TrainState) -> dict | None:
        """What a checkpoint of a state keeps."""

    def end(self, step: Callable[[], int]) -> None:
        """Ends, at a step of the model, which is asked for where it is needed."""


class Participants(typing.NamedTuple):
    """Who takes part in a training: what a checkpoint asks and tells.

    Attributes:
        runner: of the epochs.
        source, validation: of batches; the second may be None.
        owner: of the state.
        callbacks: those of `fit`.
        protection: the account of what is revealed.
    """

    runner: "Runner"
    source: Source
    validation: Source | None
    owner: "StateOwner"
    callbacks: CallbackList
    protection: Protection


class Resume:
    """Saves a running `fit` into a folder, and lets it start from what it finds there.

    Args:
        options: their `checkpoint` is a folder or `Checkpointer`; None switches it off. Their
            `resume` is True: go on from the newest checkpoint; "skip": also with data whose
            position cannot be restored, which is passed over; False: the folder must be empty.
            Their `seed` is that of the shuffling, where the folder has none; None: it is drawn
            as Keras does, unless the training is private or of an ensemble.

    Raises:
        ValueError: another `resume`.
    """

    def __init__(self, participants: Participants, options: FitOptions) -> None:
        from jkeras.saving.checkpointer import Checkpointer  # only a fit needs it

        resume, checkpoint = options.resume, options.checkpoint
        if resume not in (True, False, "skip"):
            raise ValueError(f"`resume` must be True, False or 'skip'. Received: resume={resume!r}")
        self.runner, self.source, self.validation, self.owner, *looking_on = participants
        self.callbacks, self.protection = looking_on
        self.seed = None
        if options.seed is not None:
            self.seed = operator.index(options.seed)
        elif not self.owner.layout.counts:
            self.seed = default_seed()
        if checkpoint is not None and not KINDS["seed"].holds(self.seed):
            raise ValueError(
                f"`seed` must be {KINDS['seed'].words}, below 2**63, where a checkpoint is to keep "
                f"it. Received: seed={self.seed!r}"
            )
        self._steps = options.steps
        self.resume = resume
        self.checkpointer = checkpoint
        if checkpoint is not None and not isinstance(checkpoint, Checkpointer):
            self.checkpointer = Checkpointer(checkpoint)
        self.runner.keeps_state = checkpoint is not None
        self._has_locked = False  # then the folder is let go at the end
        self.found = False  # whether it goes on from a checkpoint
        self._since = {}  # steps since the last save into each folder, by its path
        self._course = None  # how positions follow from the model's steps
        self._before_validation = None, None  # (generators, the data's state)
        self._validated = 0  # batches that validation data which yields them once has yielded

    def start(self, initial_epoch: int) -> Position:
        """The position to begin at: that of the newest checkpoint, or the first epoch, of which one
        is made.
        """
        if self.checkpointer is None:
            self.protection.start(self.owner.peek, None, resumes=False)
            return Position(initial_epoch)
        self._has_locked = self.checkpointer.lock()
        # of several processes, one may have lost its own folder
        if not all(gathered_from_all(bool(self.checkpointer.steps()))):
            self.protection.start(self.owner.peek, None, resumes=False)
            self._begin(Position(initial_epoch))
            self.save(Position(initial_epoch))
            return Position(initial_epoch)
        if not self.resume:
            raise FileExistsError(
                f"{self.checkpointer.folder} has checkpoints of the steps "
                f"{self.checkpointer.steps()}, and `resume=False` was given. Remove them, choose "
                "another folder, or go on from them with `resume=True`."
            )
        state, extra = self._restore()
        folders = " or ".join(tier.folder for tier in self.checkpointer.tiers)
        where = f"{folders}: the checkpoint of step {self.checkpointer.report.step}"
        resume_words.check(extra, _steps_of(state), where)
        position = Position(*extra["position"])
        self._find(position, extra)
        state = self.owner.layout.in_loops(state)
        self.owner.replace(lambda old: placement.match_sharding(state, old))
        self.protection.start(self.owner.peek, extra.get("privacy"), resumes=True)
        self._tell_callbacks(extra["callbacks"], where)
        self.seed, self.found = extra["seed"], True
        self._begin(position)
        return position

    def _restore(self) -> tuple[TrainState, dict[str, typing.Any]]:
        """(state, words) of the newest checkpoint.

        Raises:
            ValueError: the checkpoint is of another structure; the message says so where that is
                since it was made with a seed, or without one.
        """
        from jkeras.saving.steps import StructureMismatch

        like = self.owner.layout.whole(self.owner.peek())
        try:
            with timed(self.runner.model, "checkpoint"):
                return self.checkpointer.restore(like)
        except StructureMismatch as error:
            _, extra = self.checkpointer.restore(like, missing="init", unexpected="ignore")
            seed = extra["seed"]
            if (seed is None) == (self.seed is None):
                raise
            fix = "leave `seed` out" if seed is None else f"pass `fit(seed={seed})`"
            error.add_note(
                "The random numbers of the training that made it follow from "
                f"{'no seed' if seed is None else f'the seed {seed}'}: {fix} to go on with it."
            )
            raise

    def _begin(self, position: Position) -> None:
        """Takes note of where this `fit` begins."""
        numbers = [n for n in (self._steps, self.source.num_batches) if n is not None]
        steps = min(numbers, default=None)
        self._course = Course(*position[:2], _steps_of(self.owner.peek()), steps)

    def _tell_callbacks(self, states: dict[str, typing.Any], where: str) -> None:
        """Gives the callbacks back what they had.

        Raises:
            SerializationError: one of them does not take it.
        """
        try:
            self.callbacks.set_state(states)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            raise SerializationError(
                f"{where}: a callback does not take back what it had there "
                f"({type(error).__name__}: {readable(error)}). Give `fit` the callbacks that it "
                "had, or restore another checkpoint."
            ) from error

    def _find(self, position: Position, extra: dict[str, typing.Any]) -> None:
        """Lets the data go on where it was.

        Raises:
            ValueError: that cannot be done.
        """
        taken = extra["taken"]
        generators = None
        if extra["seed"] is None:
            generators = extra["generators"]["order"], extra["generators"]["now"]
            host_random.put_back(generators[0] or generators[1])
        is_there = self._put_back(extra)
        if self.source.resumable:
            if position.step and not position.ended and extra["batches"] != self.source.num_batches:
                raise ValueError(
                    f"The checkpoint in {self.checkpointer.folder} was made in the middle of an "
                    f"epoch of {extra['batches']} batches; the data has {self.source.num_batches} "
                    "now. Go on with the same data and batch size, or begin afresh in another "
                    "folder."
                )
            self.runner.go_to(extra["pass"], generators)
        elif not is_there:
            self._pass_over(self.source, taken, "data")
        self.runner.taken = taken
        if self.validation is not None and not self.validation.resumable:
            self._validated = extra.get("validated", 0)
            self._pass_over(self.validation, self._validated, "validation data")
        elif self.validation is not None:
            self._put_back_validation(extra)

    def _put_back(self, extra: dict[str, typing.Any]) -> bool:
        """Whether the data's own iterator was put where it was, which makes passing over needless.

        Raises:
            ValueError: its state does not fit the data, and the batches are not to be passed over.
        """
        state = state_of_this_process(extra)
        if state is None:
            return False
        epoch, number = extra["pass"] or (0, 0)
        try:
            rows = size_of(self.source.shapes()[0])  # before the iterator moves on
            if rows != extra["rows"]:
                raise StateMisfit(f"the first batch had {extra['rows']} rows, and has {rows}")
            self.source.go_to(state, epoch, number)
        except StateMisfit as misfit:
            words = (
                f"The checkpoint in {self.checkpointer.folder} has the state of the data's "
                f"iterator, which does not fit the data that was given now: {misfit}."
            )
            if self.resume != "skip":
                raise ValueError(
                    f"{words} Go on with the same data and options, or pass `resume='skip'` to "
                    f"have as many batches passed over: {extra['taken']}."
                ) from misfit
            warnings.warn(f"{words} As many batches are passed over instead.", stacklevel=8)
            return False
        return True

    def _put_back_validation(self, extra: dict[str, typing.Any]) -> None:
        """Puts validation data that tells its state where it was.

        Raises:
            ValueError: the state does not fit the data.
        """
        state = state_of_this_process(extra, "validation_states")
        if state is None:
            return
        try:
            self.validation.go_to(state, 0, 0)
        except StateMisfit as misfit:
            raise ValueError(
                f"The checkpoint in {self.checkpointer.folder} has the state of the validation "
                f"data, which does not fit the data that was given now: {misfit}. Go on with the "
                "same data and options."
            ) from misfit

    def _pass_over(self, source: Source, taken: int, what: str) -> None:
        """Takes batches from a source that gives them once, if there were some and that was asked
        for.
        """
        if taken and self.resume != "skip":
            raise ValueError(
                f"The checkpoint in {self.checkpointer.folder} was made after {taken} batches of "
                f"{what} whose position cannot be restored: {source.name} gives its batches once. "
                "Pass `resume='skip'` to have as many passed over, or data that starts again: "
                "arrays, a `PyDataset`, an object whose `__iter__` makes a new iterator."
            )
        if taken:
            source.skip(taken)

    def left(self) -> int | None:
        """The number of steps until the next checkpoint; None: it is not made for steps."""
        if self.checkpointer is None:
            return None
        waits = map(self._left_of, self.checkpointer.tiers)
        return min((wait for wait in waits if wait is not None), default=None)

    def _left_of(self, tier: "Tier") -> int | None:
        """The number of steps until the next save into a folder."""
        return None if tier.every == "epoch" else tier.every - self._since.get(tier.folder, 0)

    def after_steps(self, count: int, position: Position) -> None:
        """Takes note of steps; saves where enough have gone by."""
        if self.checkpointer is None:
            return
        self.checkpointer.check()
        due = []
        for tier in self.checkpointer.tiers:
            self._since[tier.folder] = self._since.get(tier.folder, 0) + count
            left = self._left_of(tier)
            if left is not None and left <= 0:
                due.append(tier)
        if due:
            self.save(position, tiers=due)

    def before_validation(self) -> None:
        """Notes where what a validation may draw from is."""
        if self.checkpointer is not None:
            drawn = None if self.seed is not None else host_random.state()
            self._before_validation = drawn, self.validation.lasting_state()

    def undo_validation(self) -> None:
        """Puts that back, after a validation that was cut off: it begins again."""
        if self.checkpointer is None:
            return
        drawn, state = self._before_validation
        if drawn is not None:
            host_random.put_back(drawn)
        if state is not None:
            self.validation.go_to(state, 0, 0)

    def after_validation(self) -> None:
        """Takes note of what was taken from data that gives its batches once; one that is cut off
        begins again.
        """
        if not self.validation.resumable:
            self._validated = self.validation.taken

    def after_epoch(self, epoch: int, last: bool, logs: Logs) -> None:
        """Saves after an epoch, where that is asked for, or it was the last one."""
        if self.checkpointer is None:
            return
        due = [tier for tier in self.checkpointer.tiers if last or tier.every == "epoch"]
        if due:
            self.save(Position(epoch + 1), metrics=logs, tiers=due)

    def save(
        self,
        position: Position,
        state: TrainState | None = None,
        metrics: Logs | None = None,
        tiers: "list[Tier] | None" = None,
    ) -> None:
        """Saves now: a state, by default the one that the training has, into the folders of some
        tiers, by default of all.
        """
        state = self.owner.layout.whole(self.owner.peek() if state is None else state)
        logs = as_numbers(position.logs)
        logs |= {n: value.tolist() for n, value in logs.items() if isinstance(value, np.ndarray)}
        course = self._course
        if course is not None and not course.leads_to(position, _steps_of(state)):
            course = None  # steps were left out, or the data has not as many in each epoch
        extra = {
            "position": position._replace(logs=logs),
            "course": course,
            "seed": self.seed,
            **self._generators(),
            "taken": self.runner.taken,
            "pass": self.runner.position(),
            "batches": self.source.num_batches,
            "validated": self._validated,
            **self._iterator_states(),
            "callbacks": self.callbacks.get_state(),
            "privacy": self.protection.kept(state),
        }
        with timed(self.runner.model, "checkpoint"):
            for tier in self.checkpointer.tiers if tiers is None else tiers:
                tier.save(state, extra, metrics=metrics)
                self._since[tier.folder] = 0

    def _generators(self) -> dict[str, typing.Any]:
        """What a checkpoint keeps of the generators that Keras draws from: where they were when the
        order of the data was drawn, and are now; callbacks may have drawn, too.
        """
        if self.seed is not None:
            return {}
        return {"generators": {"order": self.runner.generators, "now": host_random.state()}}

    def _iterator_states(self) -> dict[str, typing.Any]:
        """What a checkpoint keeps of the data's own iterators, which each process has one of."""
        kept = {}
        states = gathered_from_all(self.runner.state(self.source))
        if None not in states:
            kept = {"states": states, "rows": size_of(self.source.shapes()[0])}
        if self.validation is not None:
            states = gathered_from_all(self.validation.lasting_state())
            if None not in states:
                kept["validation_states"] = states
        return kept

    def __enter__(self) -> "Resume":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        """Waits for the last save; if it failed, an error that is under way says so too."""
        if self.checkpointer is None:
            return
        try:
            if self._has_locked:
                self.checkpointer.close()
            else:
                self.checkpointer.wait()
        except RuntimeError as failure:
            if error is None:
                raise
            error.add_note(str(failure))


def _steps_of(state: TrainState) -> int:
    """The number of steps that a model has taken; of several, that of the one which is furthest."""
    return int(np.max(placement.to_host(state.step)))


def state_of_this_process(
    extra: dict[str, typing.Any], key: str = "states"
) -> IteratorState | None:
    """The state that a checkpoint has for the iterator of this process, if it has one."""
    states = extra.get(key, [])
    if len(states) == jax.process_count():
        return IteratorState(*states[jax.process_index()])
    if states and all(state == states[0] for state in states):
        return IteratorState(*states[0])  # each had the same data
    if states:
        warnings.warn(
            f"The checkpoint was made by {len(states)} processes, each of which had data of its "
            f"own; there are {jax.process_count()} now, to which the states of their iterators "
            "mean nothing. As many batches are passed over instead.",
            stacklevel=9,
        )
    return None
