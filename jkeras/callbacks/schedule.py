"""Callbacks that change the learning rate: LearningRateScheduler, ReduceLROnPlateau."""

import inspect
import warnings
from inspect import Parameter
from collections.abc import Callable
from typing import Any

import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.callbacks.monitor import Mode, MonitorCallback
from jkeras.core.say import console
from jkeras.core.names.registry import public

POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def rate_of(optimizer: Any) -> float:
    """An optimizer's learning rate as a number."""
    return float(np.asarray(optimizer.learning_rate))


def named_rates(optimizer: Any) -> dict[str, float]:
    """{name in the logs: learning rate}, of each optimizer where there are several."""
    several = getattr(optimizer, "optimizers", None)
    if several is None:
        return {"learning_rate": rate_of(optimizer)}
    return {f"learning_rate_{o.name}": rate_of(o) for o in several}


def with_words(optimizer: Any) -> list[tuple[Any, str]]:
    """(optimizer, what a printed line calls it) of each optimizer."""
    several = getattr(optimizer, "optimizers", None)
    if several is None:
        return [(optimizer, "")]
    return [(o, f"{o.name} ") for o in several]


@public("keras.callbacks.LearningRateScheduler")
class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Args:
        schedule: `(epoch, rate) -> rate`, or `epoch -> rate`.
        verbose: 1 prints a line for each epoch.

    Raises:
        ValueError: in training, a rate that is no float, or an optimizer without a learning rate.

    >>> LearningRateScheduler(lambda epoch, rate: rate * 0.9).verbose
    0
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets the rate, with several optimizers of each."""
        for optimizer, word in with_words(self.model.optimizer):
            if not hasattr(optimizer, "learning_rate"):
                raise ValueError(
                    "LearningRateScheduler needs an optimizer with a `learning_rate`. "
                    f"Received: {optimizer!r}"
                )
            rate = self._next(epoch, rate_of(optimizer))
            if not isinstance(rate, (float, np.floating)):
                raise ValueError(
                    f"LearningRateScheduler: expected a number from `schedule`. Received: {rate}"
                )
            optimizer.learning_rate = rate
            if self.verbose > 0:
                console.say(
                    f"\nEpoch {epoch + 1}: LearningRateScheduler setting {word}learning rate to "
                    f"{rate}."
                )

    def _next(self, epoch: int, rate: float) -> Any:
        try:
            parameters = inspect.signature(self.schedule).parameters
        except (TypeError, ValueError):
            return self.schedule(epoch, rate)
        kinds = [p.kind for p in parameters.values()]
        positional = [kind for kind in kinds if kind in POSITIONAL]
        if len(positional) > 1 or Parameter.VAR_POSITIONAL in kinds:
            return self.schedule(epoch, rate)
        return self.schedule(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Puts the rate into the logs."""
        if logs is not None:
            logs.update(named_rates(self.model.optimizer))


@public("keras.callbacks.ReduceLROnPlateau")
class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by a factor when a value has not improved for some epochs.

    Args:
        monitor: name in the logs.
        factor: what the rate is multiplied by; below 1.
        patience: number of epochs without improvement to wait.
        verbose: 1 prints a line for each change.
        mode: "min", "max" or "auto".
        min_delta: a change smaller than this is no improvement.
        cooldown: number of epochs to wait after a change before watching again.
        min_lr: the rate goes no lower.
        kwargs: ignored with a warning; Keras ignores them in silence.

    Raises:
        ValueError: `factor` of 1 or more.

    >>> ReduceLROnPlateau(factor=0.5).factor
    0.5
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: Mode = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        if kwargs:
            warnings.warn(
                f"ReduceLROnPlateau ignores the arguments {list(kwargs)}, which it does not have.",
                stacklevel=2,
            )
        if factor >= 1.0:
            raise ValueError(
                "ReduceLROnPlateau does not support a `factor` that makes the rate no smaller: "
                f"expected a number below 1. Received: {factor}"
            )
        self.factor = factor
        self.min_lr = min_lr
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts anew."""
        if self.was_restored():
            return
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether it still waits after a change."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Watches and reduces; puts the rate into the logs."""
        if logs is None:
            logs = {}
        logs.update(named_rates(self.model.optimizer))
        value = self.current(logs, "Learning rate reduction is")
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def _reduce(self, epoch: int) -> bool:
        """Reduces each optimizer's rate that is not at `min_lr` yet; whether there was one."""
        above = [
            (o, word)
            for o, word in with_words(self.model.optimizer)
            if rate_of(o) > np.float32(self.min_lr)
        ]
        for optimizer, word in above:
            rate = max(rate_of(optimizer) * self.factor, self.min_lr)
            optimizer.learning_rate = rate
            if self.verbose > 0:
                console.say(
                    f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing {word}learning rate to "
                    f"{rate}."
                )
        return bool(above)

    def get_state(self) -> dict[str, Any]:
        """Best value, patience and cooldown used."""
        return {**super().get_state(), "wait": self.wait, "cooldown_counter": self.cooldown_counter}
