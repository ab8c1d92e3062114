"""ProfilerTrace: some steps of a training, as JAX's profiler sees them."""

import os
import warnings
from typing import Any

import jax

from jkeras.callbacks.base import Callback
from jkeras.core.names.registry import public


class Trace:
    """JAX's profiler over some steps, which are counted from 1 over the whole training.

    Args:
        folder: where the trace is written.
        start: it begins with this step, or a later one where several run together.
        count: how many steps; 0 switches it off.
    """

    def __init__(self, folder: str | os.PathLike, start: int, count: int) -> None:
        self.folder = os.fsdecode(folder)
        self.start = start
        self.count = count
        self.running = False
        self.ended = count == 0
        self._step = None

    def begin(self, step: int) -> None:
        """Before a step, or before several of which this is the first."""
        if not self.ended and not self.running and step >= self.start:
            try:
                os.makedirs(self.folder, exist_ok=True)
                jax.profiler.start_trace(self.folder)
            except (OSError, RuntimeError) as error:
                # no folder, or another profiler is at work: the training is worth more
                warnings.warn(f"There will be no profile in {self.folder}: {error}", stacklevel=3)
                self.ended = True
                return
            self.running = True
            self.last = step + self.count - 1
        if self.running:
            self._step = jax.profiler.StepTraceAnnotation("train", step_num=step)
            self._step.__enter__()

    def end(self, step: int, logs: dict[str, Any] | None) -> None:
        """After a step; the results of the last one are waited for, since what has not run yet is
        not in the trace.
        """
        if self.running:
            self._leave()
            if step >= self.last:
                dict(logs or {})
                self.stop()

    def _leave(self) -> None:
        if self._step is not None:
            self._step.__exit__(None, None, None)
            self._step = None

    def stop(self) -> None:
        """Writes the trace, if one is running."""
        if self.running:
            self._leave()
            self.running = False
            self.ended = True
            try:
                jax.profiler.stop_trace()
            except RuntimeError as error:  # of the disk
                warnings.warn(f"There is no profile in {self.folder}: {error}", stacklevel=3)


@public("jkeras.callbacks.ProfilerTrace")
class ProfilerTrace(Callback):
    """Writes what JAX's profiler sees of some steps of a training.

    The steps run as they do without it, several in one dispatch: the trace begins with the first
    dispatch that starts at `start_step` or later, and ends with the one that has all `steps`.
    `TensorBoard(profile_batch=...)` traces single batches.

    Args:
        logdir: a folder; look at it with TensorBoard's profile plugin (`pip install
            tensorboard-plugin-profile`), or at the `.trace.json.gz` in it on
            https://ui.perfetto.dev.
        start_step: the first step to trace, counted from 1 over all epochs; late enough that all is
            compiled.
        steps: how many.

    `largest()` says which operations of which layers took longest.

    Raises:
        ValueError: `start_step` or `steps` below 1.

    >>> ProfilerTrace("profile", start_step=100).steps
    20
    """

    every_batch = False

    def __init__(self, logdir: str | os.PathLike, start_step: int = 10, steps: int = 20) -> None:
        super().__init__()
        if start_step < 1 or steps < 1:
            raise ValueError(
                "ProfilerTrace counts steps from 1. Received: "
                f"start_step={start_step}, steps={steps}"
            )
        self.logdir = os.fsdecode(logdir)
        self.start_step = start_step
        self.steps = steps
        self._trace = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts counting."""
        if self._trace is not None:
            self._trace.stop()  # of a training that broke off
        self._trace = Trace(self.logdir, self.start_step, self.steps)
        self._before = 0
        self._seen = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts on."""
        self._before += self._seen
        self._seen = 0

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the profiler where it is time."""
        self._trace.begin(self._before + batch + 1)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Stops it where it is time."""
        self._seen = batch + 1
        self._trace.end(self._before + self._seen, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Writes what there is; warns where the training had too few steps."""
        if not self._trace.running and not self._trace.ended:
            warnings.warn(
                f"ProfilerTrace: the training had {self._before + self._seen} steps and no "
                f"dispatch that starts at step {self.start_step} or later, so there is no trace. "
                "Choose an earlier `start_step`, or train for more epochs.",
                stacklevel=2,
            )
        self._trace.stop()

    def largest(self, count: int = 10) -> str:
        """The operations that took longest, as a table of their share of the time of all, their
        time, how often they ran, and the layers that they are of. On a CPU it is to be called by
        the process that trained.

        Raises:
            FileNotFoundError: there is no trace.
        """
        from jkeras.callbacks.profile_summary import as_text, largest_operations

        return as_text(largest_operations(self.logdir, count))
