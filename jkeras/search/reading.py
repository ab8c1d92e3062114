"""What a folder of a sweep says of its trials, looked at before it is believed.

Arrays are compared with what is expected where they are read. Here are the words beside them: the
ledger has to be one that these trials can have written, up to this epoch, and the last logs are
those that the metrics in the trials' own states give.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from jkeras.core.errors import SerializationError, explain
from jkeras.search.ledger import KINDS

CLOSE = 1e-4  # what two programs of the same metrics may differ by


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a checkpoint of a population says if it was not changed.

    Attributes:
        folder: named in errors.
        trials: how many the population began with.
        epochs: of the whole sweep.
        epoch: after which the checkpoint was made.
        count: how many trials go on.
        numbers: {name: values of the trials}, of those that are searched.
        are_changed: whether numbers may change from epoch to epoch.
        used: {name: values of the trials that go on} in the last epoch; None: unknown.
        logs: the same of what it gave.
        names: of all logs; None: unknown.
    """

    folder: str
    trials: int
    epochs: int
    epoch: int
    count: int
    numbers: Mapping[str, np.ndarray]
    are_changed: bool
    used: Mapping[str, np.ndarray] | None = None
    logs: Mapping[str, np.ndarray] | None = None
    names: frozenset | None = None

    def checked(self, alive: Any, ledger: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """(numbers of the trials that go on, the ledger with arrays).

        Raises:
            SerializationError (a ValueError): something in them cannot be true.
        """
        alive = self._alive(alive)
        self._have_keys("the ledger", ledger, {"trained", *KINDS})
        trained = self._trained(ledger["trained"], alive)
        rows: dict[str, Any] = {"trained": trained}
        for kind in KINDS:
            names = frozenset(self.numbers) if kind == "numbers" else self.names
            self._have_keys(f"the {kind}", ledger[kind], names)
            columns = ledger[kind].items()
            rows[kind] = {n: self._column(f"{n!r} of the {kind}", v, trained) for n, v in columns}
        self._check_numbers(rows["numbers"], trained)
        self._check_last(rows["numbers"], self.used, alive)
        self._check_last(rows["logs"], self.logs, alive)
        return alive, rows

    def refuse(self, expected: str, received: Any) -> NoReturn:
        """Raises the error of the folder."""
        fix = "give another folder, or delete this one"
        raise SerializationError(explain(f"The sweep in {self.folder}", expected, received, fix))

    def _have_keys(self, what: str, values: Any, names: frozenset | set | None) -> None:
        if not isinstance(values, dict):
            self.refuse(f"{what} by name", type(values).__name__)
        if names is not None and set(values) != names:
            self.refuse(f"{what} with {sorted(names)}", f"{sorted(values)}"[:200])

    def _whole_numbers(self, what: str, values: Any, count: int) -> np.ndarray:
        are_whole = isinstance(values, list) and all(type(v) is int for v in values)
        if not are_whole or len(values) != count:
            self.refuse(f"{count} whole numbers, {what}", f"{values!r}"[:200])
        if not all(0 <= v <= max(self.trials, self.epochs) for v in values):
            self.refuse(f"whole numbers, {what}, of which there are so many", f"{values!r}"[:200])
        return np.asarray(values, int)

    def _alive(self, values: Any) -> np.ndarray:
        what = "of the trials that go on"
        alive = self._whole_numbers(what, values, self.count)
        if (np.diff(alive) <= 0).any() or (alive >= self.trials).any():
            self.refuse(f"different numbers {what}, below {self.trials}", f"{alive.tolist()}")
        return alive

    def _trained(self, values: Any, alive: np.ndarray) -> np.ndarray:
        """How many epochs each trial was trained: those that go on up to this one, as those may be
        that were stopped right now.
        """
        trained = self._whole_numbers("of the epochs of each trial", values, self.trials)
        goes_on = np.isin(np.arange(self.trials), alive)
        fits = np.where(goes_on, trained == self.epoch, (trained > 0) & (trained <= self.epoch))
        if not fits.all():
            expected = f"{self.epoch} epochs of trials that go on, 1 to {self.epoch} of others"
            self.refuse(expected, f"{trained.tolist()}")
        return trained

    def _column(self, what: str, values: Any, trained: np.ndarray) -> np.ndarray:
        """One column of the ledger; NaN where a trial was not trained."""
        shape = self.trials, self.epochs
        column = _as_array(values)
        if column is None or column.shape[:2] != shape:
            received = "others" if column is None else f"shape {column.shape}"
            self.refuse(f"{what} as numbers (trials, epochs) = {shape}", received)
        is_later = np.arange(self.epochs) >= trained[:, None]
        if not np.isnan(column[is_later]).all():
            self.refuse(f"{what} of epochs that were trained", "more")
        return column

    def _check_numbers(self, columns: Mapping[str, np.ndarray], trained: np.ndarray) -> None:
        """What is searched stays as it was, where nothing changes it."""
        if self.are_changed:
            return
        is_trained = np.arange(self.epochs) < trained[:, None]
        for name, column in columns.items():
            expected = np.broadcast_to(self.numbers[name][:, None], column.shape)
            if column.shape != is_trained.shape or (column != expected)[is_trained].any():
                received = f"{column.tolist()}"[:200]
                self.refuse(f"{name!r} of the trials as they began", received)

    def _check_last(
        self, columns: Mapping[str, np.ndarray], last: Mapping | None, alive: np.ndarray
    ) -> None:
        for name, expected in (last or {}).items():
            recorded = columns[name][alive, self.epoch - 1]
            close = {"rtol": CLOSE, "atol": CLOSE, "equal_nan": True}
            if recorded.shape != np.shape(expected) or not np.allclose(recorded, expected, **close):
                received = f"{recorded.tolist()}, where the trials' states give {expected.tolist()}"
                self.refuse(f"{name!r} of the last epoch as it was", received)


def _as_array(values: Any) -> np.ndarray | None:
    """Nested lists of numbers as an array; None where they are something else."""
    try:
        array = np.asarray(values)
        return array.astype("float32") if array.dtype.kind in "fiu" else None
    except ValueError:  # lists of different lengths
        return None


def sweep_data(folder: str, extra: Any) -> Mapping[str, Any]:
    """The JSON data of a checkpoint, with the names that it needs.

    Raises:
        SerializationError (a ValueError): it has others.

    >>> sweep_data("runs", {"alive": [0], "ledger": {}, "sweep": []})["alive"]
    [0]
    """
    names = {"sweep", "alive", "ledger"}
    if not isinstance(extra, dict) or set(extra) != names:
        keys: Sequence = sorted(extra) if isinstance(extra, dict) else type(extra).__name__
        fix = "give another folder, or delete this one"
        where = f"The sweep in {folder}"
        raise SerializationError(explain(where, f"{sorted(names)}", f"{keys}"[:200], fix))
    return extra
