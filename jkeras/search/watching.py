"""Callbacks of the trials of a sweep: each trial has copies of its own."""

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.callbacks.base import HOOKS, Callback
from jkeras.core.errors import explain

if TYPE_CHECKING:
    from jkeras.search.population import Population
    from jkeras.training.shell.trainer import Trainer


class Rates:
    """The learning rates of the trials that are trained: read once they are asked for, written once
    one of them is changed.

    Args:
        trials: their numbers.
    """

    def __init__(self, population: "Population", trials: Sequence[int]) -> None:
        self._population = population
        self._index = {int(trial): index for index, trial in enumerate(trials)}
        self._before: np.ndarray | None = None
        self._now: np.ndarray | None = None
        self._is_over = False

    def __getitem__(self, trial: int) -> np.floating:
        return self._read()[self._index[trial]]

    def __setitem__(self, trial: int, rate: Any) -> None:
        self._read()[self._index[trial]] = rate

    def _read(self) -> np.ndarray:
        if self._is_over:
            raise _asks_for("model.optimizer.learning_rate", "where no epoch begins or ends")
        if self._now is None:
            self._before = self._population.rates()
            self._now = self._before.copy()
        return self._now

    def write(self) -> None:
        """Sets those that were changed; they are not read again."""
        self._is_over = True
        if self._now is not None and (self._now != self._before).any():
            self._population.set_rates(self._now)


class TrialOptimizer:
    """What a callback of a trial has as its optimizer.

    Attributes:
        learning_rate: of the trial, which may be set.
    """

    rates: Rates  # of this moment

    def __init__(self, trial: int, name: str) -> None:
        self._trial = trial
        self.name = name

    @property
    def learning_rate(self) -> np.floating:
        """The learning rate now."""
        return self.rates[self._trial]

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        self.rates[self._trial] = rate

    def __getattr__(self, name: str) -> Any:
        raise _asks_for(f"model.optimizer.{name}")


class TrialModel:
    """What a callback of a trial has as its model.

    Attributes:
        trial: the number of the trial.
        stop_training: to be set where the trial is to end.
        optimizer: whose learning rate may be set.
    """

    ensemble_members = None

    def __init__(self, trial: int, model: "Trainer") -> None:
        self.trial = trial
        self.stop_training = False
        self.name = model.name
        self.compiled_metrics = model.compiled_metrics
        self.optimizer = TrialOptimizer(trial, model.optimizer.name)

    def __getattr__(self, name: str) -> Any:
        raise _asks_for(f"model.{name}")


def _asks_for(what: str, when: str = "") -> AttributeError:
    fix = "take `result.model(trial)` after the sweep, or `fit` with the callback"
    wanted = "a callback of a sweep that looks at results, and sets `model.stop_training` or a rate"
    received = f"one that asks for `{what}` {when}".rstrip()
    return AttributeError(explain("sweep", wanted, received, fix))


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
        self,
        callbacks: Sequence[Callback],
        trials: Sequence[int],
        population: "Population",
        epochs: int,
    ) -> None:
        for callback in callbacks:
            _check(callback)
        self._population = population
        self.of_trials = {trial: [copy.deepcopy(one) for one in callbacks] for trial in trials}
        self._models = {trial: TrialModel(trial, population.model) for trial in trials}
        with self._rates(trials):
            for trial, of_trial in self.of_trials.items():
                for callback in of_trial:
                    callback.set_params({"epochs": epochs, "steps": None, "verbose": 0})
                    callback.set_model(self._models[trial])
                    callback.on_train_begin({})

    @contextlib.contextmanager
    def _rates(self, trials: Sequence[int]) -> Iterator[None]:
        """In the block callbacks of these trials, all that are trained, may set rates."""
        rates = Rates(self._population, trials)
        for trial in trials:
            self._models[trial].optimizer.rates = rates
        yield
        rates.write()

    def before(self, epoch: int, trials: Sequence[int]) -> None:
        """Says that an epoch begins."""
        with self._rates(trials):
            for trial in trials:
                for callback in self.of_trials[trial]:
                    callback.on_epoch_begin(epoch, {})

    def after(
        self, epoch: int, trials: Sequence[int], logs: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Tells what an epoch gave, (trials,) each; booleans (trials,): which are to end."""
        with self._rates(trials):
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
