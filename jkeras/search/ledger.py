"""What the trials of a sweep gave, epoch by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

KINDS = ("logs", "numbers")


class Ledger:
    """The logs and the numbers of trials in all their epochs.

    Attributes:
        logs, numbers: {name: array (trials, epochs, …)}; NaN where a trial was not trained.

    >>> ledger = Ledger(trials=2, epochs=3)
    >>> ledger.add([1], 0, {"logs": {"loss": np.array([[0.5], [0.25]])}, "numbers": {}})
    >>> ledger.logs["loss"].tolist(), ledger.epochs_of(1), ledger.last(1)
    ([[nan, nan, nan], [0.5, 0.25, nan]], 2, {'loss': 0.25})
    """

    def __init__(self, trials: int, epochs: int) -> None:
        self.shape = trials, epochs
        self.logs: dict[str, np.ndarray] = {}
        self.numbers: dict[str, np.ndarray] = {}
        self._trained = np.zeros(trials, int)

    def add(self, trials: Sequence[int], epoch: int, results: Mapping[str, Any]) -> None:
        """Takes note of some epochs.

        Args:
            trials: their numbers.
            epoch: number of the first.
            results: {"logs" or "numbers": {name: array (epochs, trials, …)}}.
        """
        for kind in KINDS:
            for name, values in results[kind].items():
                column = self._column(kind, name, values.shape[2:])
                column[trials, epoch : epoch + len(values)] = np.moveaxis(values, 0, 1)
                self._trained[trials] = epoch + len(values)

    def epochs_of(self, trial: int) -> int:
        """How many epochs a trial was trained."""
        return int(self._trained[trial])

    def last(self, trial: int) -> dict[str, Any]:
        """The logs of the last epoch of a trial."""
        return self._in_last_epoch(self.logs, trial)

    def last_numbers(self, trial: int) -> dict[str, Any]:
        """The numbers that a trial had in its last epoch."""
        return self._in_last_epoch(self.numbers, trial)

    def _in_last_epoch(self, table: Mapping[str, np.ndarray], trial: int) -> dict[str, Any]:
        return {name: v[trial, self._trained[trial] - 1].tolist() for name, v in table.items()}

    def state(self, trials: Sequence[int]) -> dict[str, Any]:
        """What a checkpoint keeps of some trials, as JSON data."""
        state: dict[str, Any] = {"trained": self._trained[trials].tolist()}
        for kind in KINDS:
            state[kind] = {name: v[trials].tolist() for name, v in self._table(kind).items()}
        return state

    def restore(self, trials: Sequence[int], state: Mapping[str, Any]) -> None:
        """Takes back the `state` of some trials."""
        for kind in KINDS:
            for name, values in state[kind].items():
                self._column(kind, name, np.shape(values)[2:])[trials] = values
        self._trained[trials] = state["trained"]

    def _table(self, kind: str) -> dict[str, np.ndarray]:
        return self.logs if kind == "logs" else self.numbers

    def _column(self, kind: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """The array of a name, which is made where it is new."""
        table = self._table(kind)
        if name not in table:
            table[name] = np.full((*self.shape, *shape), np.nan, "float32")
        return table[name]
