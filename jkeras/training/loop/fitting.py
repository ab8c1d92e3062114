"""One `fit`: epochs of steps and validations, from where a checkpoint left off; who looks on."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.callbacks import CallbackList
from jkeras.callbacks.timing import OneStep, Timing, timed
from jkeras.core.errors import about
from jkeras.core.system.signals import Signals, Terminated
from jkeras.ops.kernels import outside_loops
from jkeras.training.data.source import Source
from jkeras.training.loop.evaluating import Evaluating
from jkeras.training.loop.loop import Runner, Span
from jkeras.training.loop.nan_loss import NaNLoss
from jkeras.training.step.layout import state_layout
from jkeras.training.step.nonfinite import Watch
from jkeras.training.step.stacked import loop_layout
from jkeras.training.step.step import train_step_on
from jkeras.training.loop.ownership import state_owner
from jkeras.training.loop.pace import steps_of_epoch
from jkeras.training.loop.preemption import Preemption
from jkeras.training.step.results import as_numbers
from jkeras.training.loop.recording import Recorder
from jkeras.training.loop.short_data import warn_of_short_data
from jkeras.training.loop.resume import FitOptions, Participants, Position, Protection, Resume
from jkeras.training.loop.unprotected import Unprotected

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


MANY = 100_000  # batches of an epoch whose end is unknown


class Fitting:
    """A training that has been prepared; `run` runs it.

    Args:
        source, validation: of batches; the second may be None.
        recorder: takes a record of each step; may be None.
    """

    def __init__(
        self,
        model: "Trainer",
        source: Source,
        validation: Source | None,
        callbacks: CallbackList,
        options: FitOptions,
        recorder: Recorder | None = None,
    ) -> None:
        self.model = model
        self.source, self.protection = _protected(model, source, options)
        self.callbacks = callbacks
        self.nan_loss = NaNLoss(model, self.source, validation, callbacks)
        self.options = options
        layout_of = loop_layout
        if recorder is not None or options.looking is not None:
            layout_of = state_layout
        self.layout = layout_of(model, from_key=options.seed is not None)
        self.preemption = Preemption()
        every_batch = callbacks.looks_at_batches("train")
        self.runner = Runner(model, self.layout, "train", every_batch, recorder)
        self.runner.looking = options.looking
        self.runner.programs.keeps = options.looking is not None
        self.validation = None
        if validation is not None:
            self.validation = Evaluating(
                model, self.layout, validation, options.validation_steps, callbacks
            )

    def run(self) -> None:
        """Trains. The model holds its last finished step, whatever happens."""
        options, logs = self.options, {}
        # of several processes, each would end after another step; see `Preemption`
        terminates = options.checkpoint is not None and jax.process_count() == 1
        try:
            with (
                Signals(terminate=terminates) as self.signals,
                state_owner(self.layout) as self.owner,
                _fitting(self.model),
                Resume(self._participants(), options) as self.resume,
                contextlib.closing(self.runner),
                self._accounted(),
            ):
                position, ends_here = self._begin()
                while not ends_here and position.epoch < options.epochs:
                    self._begin_epoch(position)
                    position = self._steps(position)
                    logs = self._with_validation(position)
                    ends_here = self._end_epoch(position.epoch, logs)
                    position = Position(position.epoch + 1)
        except BaseException as error:
            self.callbacks.end_after(error)
            raise
        if options.epochs > 0 and self.layout.has_slots:
            self.layout.finalize()
        self.callbacks.on_train_end(logs)

    def _participants(self) -> Participants:
        validation = None if self.validation is None else self.validation.source
        return Participants(
            self.runner, self.source, validation, self.owner, self.callbacks, self.protection
        )

    @contextlib.contextmanager
    def _accounted(self) -> Iterator[None]:
        """What a training reached is saved where it is asked to end, and the account of what is
        revealed ends with the block, however it ends.
        """
        try:
            yield
        except Terminated:
            self.resume.save(*self._reached)
            raise
        finally:
            self.protection.end(lambda: int(np.max(self.owner.peek().step)))

    # ------------------------------------------------------------ epochs

    def _begin(self) -> tuple[Position, bool]:
        """(where the training begins, whether it ends there). `_reached` is what to save when it is
        to end: (position, state), None for the state of the moment.
        """
        owner = self.owner  # through `self` it were a cycle, which keeps the data
        self.signals.busy = lambda: owner.busy
        position = self.resume.start(self.options.initial_epoch)
        self._reached = position, None
        self.callbacks.on_train_begin()
        if self.model.fit_timing is not None:
            self._time_what_comes(self.model.fit_timing)
        self.signals.check()
        return position, self.resume.found and self.model.stop_training

    def _time_what_comes(self, timing: Timing) -> None:
        """Tells who asks for the time of the training what a step of it is."""
        timing.waited = self.runner.waited
        timing.step = self._one_step
        timing.rows = None
        if self.options.steps in (None, self.source.num_batches):
            timing.rows = getattr(self.source, "size", None)

    def _one_step(self) -> OneStep:
        """A step of one model with what it takes."""
        layout, state = self.layout, self.owner.peek()
        step = outside_loops(train_step_on(self.model, layout.of_step()))
        models = np.size(state.step)
        return OneStep(step, layout.single(state), self.source.shapes(), models)

    def _begin_epoch(self, position: Position) -> None:
        if not position.step:
            self.owner.replace(self.layout.reset_metrics)
        self.callbacks.on_epoch_begin(position.epoch)

    def _end_epoch(self, epoch: int, logs: dict[str, Any]) -> bool:
        """Whether the training ends with this epoch."""
        self.callbacks.on_epoch_end(epoch, logs)
        is_stopped = self.model.stop_training
        self.resume.after_epoch(epoch, is_stopped or epoch == self.options.epochs - 1, logs)
        self._reached = Position(epoch + 1), None
        self.signals.check()
        return is_stopped

    def _with_validation(self, position: Position) -> dict[str, Any]:
        """The results of an epoch, those of its validation among them."""
        logs = position.logs
        if self.validation is None or not _validates(position.epoch, self.options.validation_freq):
            return logs
        before = self.owner.peek()
        self.resume.before_validation()
        self._reached = position, before
        try:
            with about("`validation_data`"), timed(self.model, "validation"):
                results = self.validation.run(self.owner, self.signals)
        except BaseException:
            self.owner.replace(lambda state: before)  # which may have failed on the device
            self.resume.undo_validation()
            raise
        self.nan_loss.look_at_validation(position.epoch, results)
        self.resume.after_validation()
        logs = logs | {f"val_{name}": value for name, value in results.items()}
        return dict(sorted(logs.items()))

    # ------------------------------------------------------------ steps

    def _steps(self, position: Position) -> Position:
        """Takes the steps of an epoch that are left; the position at its end."""
        self._reached = position, None
        epoch, done, logs, is_ended = position
        watch = Watch(self.model, self.owner)
        if not is_ended:
            # as Keras, which looks after each step
            limit = 1 if self.model.stop_training else self.options.steps
            span = Span(epoch, limit, self.resume.seed, done)
            before = self.callbacks.on_train_batch_begin
            dispatches = self.runner.epoch(self.owner, self.source, span, before, self.resume.left)
            is_endless = limit is None and self.source.num_batches is None
            for now, last, logs in dispatches:
                steps, done = now - done, now
                if is_endless and done - steps < MANY <= done:
                    self._warn_of_no_end(epoch)
                self._after_dispatch(watch, Position(epoch, done, logs), steps, last)
                if self.model.stop_training:
                    break
            else:
                self._check_length(done, limit or self.source.num_batches)
        watch.end_epoch(epoch, done)
        numbers = as_numbers(logs)
        self.nan_loss.look(epoch, numbers)
        logs = numbers | self.protection.logs(self.owner.peek)
        return Position(epoch, done, logs, True)

    def _after_dispatch(self, watch: Watch, position: Position, steps: int, last: int) -> None:
        self._reached = position, None
        watch.look(position.epoch, position.step)
        self.callbacks.on_train_batch_end(last, position.logs)
        self.resume.after_steps(steps, position)
        self.signals.check()
        if self.options.checkpoint is not None and self.preemption.ends_here():
            raise Terminated

    def _warn_of_no_end(self, epoch: int) -> None:
        warnings.warn(
            f"Epoch {epoch + 1} has {MANY} batches so far, and it is not known whether the data "
            "ends. If it does not, pass `steps_per_epoch`.",
            stacklevel=6,
        )

    def _check_length(self, done: int, expected: int | None) -> None:
        """Sees whether the data gave as much as was expected."""
        if not done:
            raise ValueError(
                "The data gave no batch for this epoch. An iterator can be used once: pass a "
                "data set that starts again, or `steps_per_epoch` and an endless generator."
            )
        if expected is not None and done < expected:
            execution = self.model.steps_per_execution
            warn_of_short_data(done, expected, "`steps_per_epoch * epochs`", execution)


def _protected(model: "Trainer", source: Source, options: FitOptions) -> tuple[Source, Protection]:
    """(the source as a training samples it, its account)."""
    if model.compilation.privacy is None:
        return source, Unprotected()
    source = model.compilation.privacy.gathered(source)
    of_epoch = steps_of_epoch(options.steps, source.num_batches, model.steps_per_execution) or 0
    steps = max(options.epochs - options.initial_epoch, 0) * of_epoch
    source = model.compilation.privacy.sampled(source, steps, model.compilation.microbatches)
    return source, model.compilation.privacy.fitting(model, source, steps)


@contextlib.contextmanager
def _fitting(model: "Trainer") -> Iterator[None]:
    """The model knows in the block that it is being trained, which `compile` asks."""
    model.set_untracked(_is_fitting=True)
    try:
        yield
    finally:
        model.set_untracked(_is_fitting=False)


def check_frequency(frequency: int | list[int]) -> None:
    """Raises ValueError for what is no `validation_freq`."""
    if not isinstance(frequency, (int, list)) or frequency == 0:
        raise ValueError(
            "`validation_freq`: expected a number of epochs above 0, or a list of their numbers. "
            f"Received: {frequency} of the type {type(frequency)}."
        )


def _validates(epoch: int, frequency: int | list[int]) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency
