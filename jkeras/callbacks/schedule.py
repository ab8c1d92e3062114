"""Callbacks that change the learning rate: LearningRateScheduler, ReduceLROnPlateau."""

import inspect
import warnings

import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.callbacks.monitor import MonitorCallback
from jkeras.core.registry import public


def rate_of(optimizer):
    """An optimizer's learning rate as a number."""
    return float(np.asarray(optimizer.learning_rate))


def named_rates(optimizer):
    """{name in the logs: learning rate}, of each optimizer where there are several."""
    several = getattr(optimizer, "optimizers", None)
    if several is None:
        return {"learning_rate": rate_of(optimizer)}
    return {f"learning_rate_{o.name}": rate_of(o) for o in several}


def with_words(optimizer):
    """(optimizer, what a printed line calls it) of each optimizer."""
    several = getattr(optimizer, "optimizers", None)
    return [(optimizer, "")] if several is None else [(o, f"{o.name} ") for o in several]


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

    def __init__(self, schedule, verbose=0):
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch, logs=None):
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
                    f"The output of the `schedule` function should be a float. Got: {rate}"
                )
            optimizer.learning_rate = rate
            if self.verbose > 0:
                print(
                    f"\nEpoch {epoch + 1}: LearningRateScheduler setting {word}learning rate to "
                    f"{rate}."
                )

    def _next(self, epoch, rate):
        try:
            parameters = inspect.signature(self.schedule).parameters
        except (TypeError, ValueError):
            return self.schedule(epoch, rate)
        required = [
            p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        star = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
        return self.schedule(epoch, rate) if star or len(required) > 1 else self.schedule(epoch)

    def on_epoch_end(self, epoch, logs=None):
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
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
        **kwargs,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        if kwargs:
            warnings.warn(
                f"ReduceLROnPlateau ignores the arguments {list(kwargs)}, which it does not have.",
                stacklevel=2,
            )
        if factor >= 1.0:
            raise ValueError(
                f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}"
            )
        self.factor, self.min_lr, self.patience = factor, min_lr, patience
        self.verbose, self.cooldown, self.cooldown_counter, self.wait = verbose, cooldown, 0, 0

    def on_train_begin(self, logs=None):
        """Starts anew."""
        if self.__dict__.pop("_restored", False):
            return
        self.best, self.cooldown_counter, self.wait = None, 0, 0

    def in_cooldown(self):
        """Whether it still waits after a change."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch, logs=None):
        """Watches and reduces; puts the rate into the logs."""
        logs = {} if logs is None else logs
        logs.update(named_rates(self.model.optimizer))
        value = self.current(logs, "Learning rate reduction is")
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter, self.wait = self.cooldown, 0

    def _reduce(self, epoch):
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
                print(
                    f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing {word}learning rate to "
                    f"{rate}."
                )
        return bool(above)

    def get_state(self):
        """Best value, patience and cooldown used."""
        return {**super().get_state(), "wait": self.wait, "cooldown_counter": self.cooldown_counter}
