"""CSVLogger: the results of each epoch as rows of a text file."""

import collections.abc
import csv
import os
from typing import Any

import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.core.names.registry import public
from jkeras.core.system.writing import open_for_writing


@public("keras.callbacks.CSVLogger")
class CSVLogger(Callback):
    """Writes the logs of each epoch as a row.

    Args:
        filename: the file.
        separator: between the values.
        append: go on with a file that is there.

    >>> CSVLogger("log.csv", separator=";").sep
    ';'
    """

    def __init__(
        self, filename: str | os.PathLike, separator: str = ",", append: bool = False
    ) -> None:
        super().__init__()
        self.filename = os.fsdecode(filename)
        self.sep = separator
        self.append = append
        self.csv_file = self.writer = self.keys = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens the file."""
        self.on_train_end()
        has_rows = (
            self.append and os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        )
        mode = "a" if self.append else "w"
        self.csv_file = open_for_writing(self.filename, mode, newline="")
        self.keys = None
        self.append_header = not has_rows

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes a row."""
        logs = logs or {}
        if self.writer is None:
            keys = sorted(logs)
            if keys and not any(k.startswith("val_") for k in keys):
                keys += [f"val_{k}" for k in keys]
            self.keys = keys
            self.writer = csv.DictWriter(self.csv_file, ["epoch", *keys], delimiter=self.sep)
            if self.append_header:
                self.writer.writeheader()
        cells = {key: _cell(logs.get(key, "NA")) for key in self.keys}
        self.writer.writerow({"epoch": epoch, **cells})
        self.csv_file.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the file."""
        if self.csv_file is not None and not self.csv_file.closed:
            self.csv_file.close()
        self.writer = None


def _cell(value: Any) -> Any:
    if (
        isinstance(value, collections.abc.Iterable)
        and not isinstance(value, str)
        and np.ndim(value) > 0
    ):
        return f'"[{", ".join(map(str, value))}]"'
    return value
