"""Callbacks that stop a training: EarlyStopping, TerminateOnNaN."""

from typing import Any

import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.callbacks.monitor import Mode, MonitorCallback
from jkeras.callbacks.stopping_members import MemberStopping, as_arrays, as_lists
from jkeras.core.say import console
from jkeras.core.errors import InvalidLossError, explain
from jkeras.core.names.registry import public


@public("keras.callbacks.EarlyStopping")
class EarlyStopping(MonitorCallback):
    """Stops when a value has not improved for some epochs.

    Args:
        monitor: name in the logs. Of an ensemble, see `fit(ensemble=…)`, "val_loss" is the mean of
            the members; with "val_loss_members" each of them stops by its own.
        min_delta: a change smaller than this is no improvement.
        patience: number of epochs without improvement to wait.
        verbose: 1 prints a line when it stops.
        mode: "min", "max" or "auto".
        baseline: stop too unless the value gets better than this.
        restore_best_weights: put the weights of the best epoch back at the end.
        start_from_epoch: number of epochs before it begins to watch.

    >>> EarlyStopping(monitor="loss", patience=3).patience
    3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: Mode = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights = None
        self._each_before = None  # what a checkpoint had of it
        self._each = None  # the `MemberStopping`, where members stop on their own

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts anew; where a checkpoint has just been restored, goes on, or asks to stop once
        more.
        """
        if self.was_restored():
            has_waited = self.wait >= self.patience or self._each_before is not None
            if self.stopped_epoch > 0 and has_waited:
                self.model.stop_training = True
            else:
                self.stopped_epoch = 0
            return
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = self._each = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Watches, remembers the best weights, asks to stop."""
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if np.ndim(value) and getattr(self.model, "ensemble_members", None) is not None:
            self._look_at_each(epoch, value)
            return
        if np.ndim(value):
            value = self._single(value)
        if self.best_weights is None:
            self._remember(epoch)
        self.wait += 1
        if self.is_better(value, self.best):
            self.best = value
            self.best_epoch = epoch
            self._remember(epoch)
            if self.baseline is None or self.is_better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _single(self, values: Any) -> float:
        """The number in what a metric of several gave, as `F1Score` without an average.

        Raises:
            ValueError: there are more, of which none is the one to watch.
        """
        if np.size(values) != 1:
            expected = f"one number as '{self.monitor}', since one is to get better"
            fix = "give the metric an average, or watch another one"
            raise ValueError(explain("EarlyStopping", expected, f"{np.size(values)} of them", fix))
        return float(np.ravel(values)[0])

    def _look_at_each(self, epoch: int, values: Any) -> None:
        """Stops those members of an ensemble that have not improved."""
        if self._each is None:
            self._each = MemberStopping(self, self.model.ensemble_members)
            if self._each_before is not None:
                self._each.set_state(self._each_before)
        if self._each.look(epoch, values):
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _remember(self, epoch: int) -> None:
        """Keeps the weights, where the best ones are put back."""
        if self.restore_best_weights:
            self.best_weights = self._holder().get_weights()
            self.best_epoch = epoch

    def _holder(self) -> Any:
        """Who has the weights: the members of an ensemble, else the model."""
        members = getattr(self.model, "ensemble_members", None)
        return self.model if members is None else members

    def get_monitor_value(self, logs: dict[str, Any] | None) -> Any:
        """The watched value; None, with a warning, where the logs lack it."""
        return self.current(logs, "Early stopping")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the best weights back."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            console.say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self._each is not None:
            self._each.restore()
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                console.say(
                    "Restoring model weights from the end of the best epoch: "  # as Keras's logs
                    f"{self.best_epoch + 1}."
                )
            self._holder().set_weights(self.best_weights)

    def get_state(self) -> dict[str, Any]:
        """Best value, patience used, best weights."""
        return {
            **super().get_state(),
            "wait": self.wait,
            "best_epoch": self.best_epoch,
            "best_weights": as_lists(self.best_weights),
            "stopped_epoch": self.stopped_epoch,
            "each": None if self._each is None else self._each.get_state(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes them back."""
        state = dict(state)
        self._each_before = state.pop("each", None)
        super().set_state({**state, "best_weights": as_arrays(state["best_weights"])})


@public("keras.callbacks.TerminateOnNaN")
class TerminateOnNaN(Callback):
    """Stops when the loss of a batch is NaN or infinite.

    Args:
        raise_error: raise RuntimeError instead of stopping quietly. Callbacks are then not called
            of an end of the training, so that a backup stays.

    >>> TerminateOnNaN().raise_error
    False
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the loss."""
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            text = f"Batch {batch}: Invalid loss, terminating training"
            if self.raise_error:
                raise InvalidLossError(
                    f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}"
                )
            console.say(text)
            self.model.stop_training = True
