"""One `fit`: epochs of steps and validations, from where a checkpoint left off, and who is told of
them.
"""

import contextlib
import os
import warnings
from typing import TYPE_CHECKING

import jax

from jkeras.callbacks import CallbackList
from jkeras.core.settings import default_seed
from jkeras.core.signals import Signals, Terminated
from jkeras.saving.checkpointer import Checkpointer
from jkeras.training.data.source import Source
from jkeras.training.loop import Runner
from jkeras.training.nonfinite import Watch
from jkeras.training.ownership import state_owner
from jkeras.training.results import as_numbers
from jkeras.training.resume import Position, Resume
from jkeras.training.types import Logs

if TYPE_CHECKING:
    from jkeras.training.trainer import Trainer


class Fitting:
    """A training that has been prepared; `run` runs it.

    Args:
        source, validation: of batches; the second may be None.
        epochs: number of the last epoch.
        steps, validation_steps: at most so many of an epoch.
        validation_freq: as of `fit`.
    """

    def __init__(
        self,
        model: "Trainer",
        source: Source,
        validation: Source | None,
        callbacks: CallbackList,
        epochs: int,
        steps: int | None,
        validation_steps: int | None,
        validation_freq: int | list[int],
    ) -> None:
        self.model = model
        self.source = source
        self.validation = validation
        self.callbacks = callbacks
        self.epochs, self.steps, self.validation_steps = epochs, steps, validation_steps
        self.validation_freq, self.layout = validation_freq, model._state_layout()
        self.runner = Runner(model, self.layout, "train", callbacks.looks_at_batches("train"))
        self.tester = (
            None
            if validation is None
            else Runner(model, self.layout, "test", callbacks.looks_at_batches("test"))
        )

    def run(
        self,
        initial_epoch: int,
        seed: int | None,
        checkpoint: str | os.PathLike | Checkpointer | None,
        resume: bool | str,
    ) -> Logs:
        """The results of the last epoch. The model holds its last finished step, whatever
        happens.
        """
        with (
            Signals(terminate=checkpoint is not None) as self.signals,
            state_owner(self.layout) as self.owner,
        ):
            self.signals.busy = lambda: self.owner.busy
            self.resume = Resume(
                checkpoint,
                resume,
                self.runner,
                self.source,
                self.validation,
                self.owner,
                self.callbacks,
                default_seed() if seed is None else seed,
            )
            with self.resume, contextlib.closing(self.runner):
                position = self.resume.start(initial_epoch)
                self._reached = position, None
                try:
                    return self._epochs(position)
                except Terminated:
                    if jax.process_count() == 1:  # several would have to agree on a step first
                        self.resume.save(*self._reached)
                    raise

    def _epochs(self, position: Position) -> Logs:
        """The results of the last epoch. `_reached` is what to save when the training is to end:
        (position, state), None for the state of the moment.
        """
        logs = {}
        self.callbacks.on_train_begin()
        self.signals.check()
        if self.resume.found and self.model.stop_training:
            return logs
        for epoch in range(position.epoch, self.epochs):
            logs = self._one_epoch(position if epoch == position.epoch else Position(epoch))
            self.callbacks.on_epoch_end(epoch, logs)
            stopped = self.model.stop_training
            self.resume.after_epoch(epoch, stopped or epoch == self.epochs - 1, logs)
            self._reached = Position(epoch + 1), None
            self.signals.check()
            if stopped:
                break
        return logs

    def _one_epoch(self, position: Position) -> Logs:
        """The results of an epoch, those of its validation among them."""
        if not position.step:
            self.owner.replace(self.layout.reset_metrics)
        self.callbacks.on_epoch_begin(position.epoch)
        position = self._steps(position)
        logs = position.logs
        if self.validation is None or not _validates(position.epoch, self.validation_freq):
            return logs
        self._reached = position, self.owner.peek()
        logs = logs | {
            f"val_{k}": v
            for k, v in self.model._evaluate(
                self.tester,
                self.owner,
                self.validation,
                self.validation_steps,
                self.callbacks,
                self.signals,
            ).items()
        }
        self.resume.after_validation()
        return dict(sorted(logs.items()))

    def _steps(self, position: Position) -> Position:
        """Takes the steps of an epoch that are left; the position at its end."""
        epoch, done, logs, ended = position
        self._reached = position, None
        watch = Watch(self.model, self.owner)
        # as Keras, which looks after each step
        limit = 1 if self.model.stop_training else self.steps
        dispatches = (
            ()
            if ended
            else self.runner.epoch(
                self.owner,
                self.source,
                self.resume.seed,
                epoch,
                limit,
                self.callbacks.on_train_batch_begin,
                done,
                self.resume.left,
            )
        )
        for last, logs in dispatches:
            count, done = last + 1 - done, last + 1
            self._reached = Position(epoch, done, logs), None
            watch.look(epoch, done)
            self.callbacks.on_train_batch_end(last, logs)
            self.resume.after_steps(count, self._reached[0])
            self.signals.check()
            if self.model.stop_training:
                break
        else:
            self._check_length(done, limit or self.source.num_batches)
        watch.end_epoch(epoch, done)
        return Position(epoch, done, as_numbers(logs), True)

    def _check_length(self, done: int, expected: int | None) -> None:
        """Sees whether the data gave as much as was expected."""
        if not done:
            raise ValueError(
                "The data gave no batch for this epoch. An iterator can be used once: pass a "
                "data set that starts again, or `steps_per_epoch` and an endless generator."
            )
        if expected is not None and done < expected:
            warnings.warn(
                f"Your input ran out of data after {done} of {expected} steps; the epoch ends "
                "here. Make sure that your dataset or generator can generate at least "
                "`steps_per_epoch * epochs` batches.",
                stacklevel=8,
            )


def _validates(epoch: int, frequency: int | list[int]) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    if isinstance(frequency, list):
        return epoch + 1 in frequency
    raise ValueError(
        f"Expected `validation_freq` to be a list or int. Received: validation_freq={frequency} "
        f"of the type {type(frequency)}."
    )
