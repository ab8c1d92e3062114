"""Callbacks of the trials of a sweep: each trial has copies of its own."""

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.callbacks.base import HOOKS, Callback
from jkeras.core.errors import explain

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


class TrialModel:
    """What a callback of a trial has as its model.

    Attributes:
        trial: the number of the trial.
        stop_training: to be set where the trial is to end.
    """

    ensemble_members = None

    def __init__(self, trial: int, model: "Trainer") -> None:
        self.trial = trial
        self.stop_training = False
        self.name = model.name
        self.compiled_metrics = model.compiled_metrics

    def __getattr__(self, name: str) -> Any:
        fix = "take `result.model(trial)` after the sweep, or `fit` with the callback"
        wanted = "a callback of a sweep that looks at results and sets `model.stop_training`"
        raise AttributeError(explain("sweep", wanted, f"one that asks for `model.{name}`", fix))


class Watch:
    """The callbacks of the trials of one shape.

    Args:
        callbacks: those that the trials have copies of.
        trials: their numbers.
        model: of which they are.

    Attributes:
        of_trials: {number of a trial: its callbacks}.

    Raises:
        ValueError: one that is none, or that is called for batches.
    """

    def __init__(
        self, callbacks: Sequence[Callback], trials: Sequence[int], model: "Trainer", epochs: int
    ) -> None:
        for callback in callbacks:
            _check(callback)
        self.of_trials = {trial: [copy.deepcopy(one) for one in callbacks] for trial in trials}
        self._models = {trial: TrialModel(trial, model) for trial in trials}
        for trial, of_trial in self.of_trials.items():
            for callback in of_trial:
                callback.set_params({"epochs": epochs, "steps": None, "verbose": 0})
                callback.set_model(self._models[trial])
                callback.on_train_begin({})

    def before(self, epoch: int, trials: Sequence[int]) -> None:
        """Says that an epoch begins."""
        for trial in trials:
            for callback in self.of_trials[trial]:
                callback.on_epoch_begin(epoch, {})

    def after(
        self, epoch: int, trials: Sequence[int], logs: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Tells what an epoch gave, (trials,) each; booleans (trials,): which are to end."""
        for index, trial in enumerate(trials):
            of_trial = {name: _number(values[index]) for name, values in logs.items()}
            for callback in self.of_trials[trial]:
                callback.on_epoch_end(epoch, of_trial)
        return np.array([self._models[trial].stop_training for trial in trials], bool)

    def end(self) -> None:
        """Says that the training is over."""
        for of_trial in self.of_trials.values():
            for callback in of_trial:
                callback.on_train_end({})


def _number(value: np.ndarray) -> Any:
    if np.ndim(value):
        return value
    return float(value)


def _check(callback: Any) -> None:
    if not isinstance(callback, Callback):
        wanted = "callbacks, objects of `jkeras.callbacks.Callback`"
        raise ValueError(explain("sweep", wanted, repr(callback)))
    for name in (*HOOKS["train"], *HOOKS["test"]):
        if getattr(type(callback), name) is not getattr(Callback, name):
            received = f"{type(callback).__name__}, which has `{name}`"
            fix = "take `on_epoch_end`: the steps of a sweep are one program"
            raise ValueError(explain("sweep", "callbacks of epochs", received, fix))
