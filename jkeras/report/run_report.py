"""The file that `fit(report=path)` writes: what a training was, from its program to its weights."""

import contextlib
import datetime
import json
import math
import os
import time
import types
import typing
import warnings
from collections.abc import Iterator

import jax
import numpy as np

from jkeras.callbacks import Callback, CallbackList
from jkeras.core.session import circumstances
from jkeras.core.names import registry
from jkeras.core.session.settings import settings
from jkeras.saving.files import replacing
from jkeras.training.data.source import Source
from jkeras.report import hashes, target, trace
from jkeras.training.loop.resume import FitOptions

FORMAT = 1
FOLDER = "JKERAS_REPORTS"  # the variable with the folder that all reports of a process go to
MOST_ROWS = 2**19  # fingerprints in a file, six megabytes; a checkpoint has them, too
PAUSE = 1.0  # seconds between two writes, but for the last one


@contextlib.contextmanager
def reported(
    path: str | os.PathLike, callbacks: CallbackList, source: Source, options: FitOptions
) -> Iterator[tuple[FitOptions, trace.Trace]]:
    """Writes a report of the training in a block.

    Yields:
        (the options that the training is to have, what takes the fingerprints of its steps)

    Raises:
        FileNotFoundError: the folder of the path does not exist.
        OSError: something lies there that is no report.
    """
    if FOLDER in os.environ:
        options = options._replace(checkpoint=None)  # it runs again, from the beginning
    report = RunReport(path, source, options)
    callbacks.append(report)
    try:
        with report:
            yield options, report.trace
    finally:
        callbacks.callbacks.remove(report)  # the list may be the user's


def target_path(path: str | os.PathLike) -> str:
    """Where a report is written: at its path; in a program that is run again, in a folder for it.

    >>> target_path("/runs/run.json")
    '/runs/run.json'
    """
    path = os.path.abspath(path)
    folder = os.environ.get(FOLDER)
    return path if folder is None else path_in(folder, path)


def path_in(folder: str, path: str) -> str:
    """The file in a folder that stands for a path."""
    return os.path.join(folder, f"{hashes.of_text(path)[:32]}.json")


class RunReport(Callback):
    """Gathers what a report holds, and writes it after epochs and at the end.

    Args:
        path: of the file.
        source: of the batches.

    Attributes:
        trace: takes the fingerprints of the steps.
    """

    def __init__(self, path: str | os.PathLike, source: Source, options: FitOptions) -> None:
        super().__init__()
        self.trace = trace.Trace()
        self.path = os.path.abspath(path)
        self.path_written = target_path(path)
        target.check(self.path_written)
        self.source = source
        self.options = options
        self._begun = {}
        self._epochs = []
        self._facts = {}
        self._written = -math.inf
        self._has_warned = False  # that the file could not be written

    # ------------------------------------------------------------ the course of the training

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Takes note of the facts before the first step."""
        if not self.was_restored():
            self._begun = {"began": _now(), "weights": hashes.of_weights(self.model)}
        self._facts = self._facts_now()
        self._write("running")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Adds an epoch."""
        self._epochs.append(
            {
                "epoch": epoch,
                "logs": {name: _plain(value) for name, value in (logs or {}).items()},
                **self._steps(),
                "weights": hashes.of_weights(self.model),
            }
        )
        self.trace.restart()
        if time.monotonic() - self._written > PAUSE:
            self._write("running")

    def __enter__(self) -> "RunReport":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        """Writes how the training ended; nothing where it did not begin."""
        if self._facts:
            # the text of an error may hold what is not for the file
            self._write("finished" if kind is None else f"ended by {kind.__name__}", ended=True)

    def get_state(self) -> dict[str, typing.Any]:
        """What came before, for the run that goes on from a checkpoint."""
        current = self._steps()  # first: it may change what is recorded of the epochs
        return {
            "begun": self._begun,
            "every": self.trace.every,
            "epochs": self._epochs,
            "current": current,
        }

    def set_state(self, state: dict[str, typing.Any]) -> None:
        """Takes it back."""
        self._begun, self._epochs = state["begun"], list(state["epochs"])
        self.trace.every = state["every"]
        current = state["current"]
        self.trace.restart(current["steps"], trace.from_text(current["fingerprints"]))
        self._restored = True

    # ------------------------------------------------------------ the file

    def _steps(self) -> dict[str, typing.Any]:
        """The steps of the epoch so far; of a long training fewer of all steps are recorded."""
        while self._number_of_rows() > MOST_ROWS:
            self.trace.widen()
            for epoch in self._epochs:
                rows = trace.from_text(epoch["fingerprints"])
                epoch["fingerprints"] = trace.as_text(trace.thinned(rows, 2))
        rows = self.trace.rows()
        return {"steps": self.trace.steps, "fingerprints": trace.as_text(rows)}

    def _number_of_rows(self) -> int:
        recorded = sum(epoch["steps"] // self.trace.every for epoch in self._epochs)
        return recorded + len(self.trace.rows())

    def _facts_now(self) -> dict[str, typing.Any]:
        """What does not change from here on."""
        return {
            "program": circumstances.program(),
            "versions": circumstances.versions(),
            "devices": circumstances.devices(),
            "settings": circumstances.session(),
            "seeds": {"session": settings.seed, "fit": self.options.seed},
            "model": _config(lambda: registry.serialize(self.model)),
            "compile": _config(self.model.get_compile_config),
            "fit": {
                "initial_epoch": self.options.initial_epoch,
                "epochs": self.options.epochs,
                "steps": self.options.steps,
                "batch_size": getattr(self.source, "batch_size", None),
                "shuffle": getattr(self.source, "shuffle", None),
            },
            "data": hashes.of_data(self.source),
        }

    def _write(self, status: str, ended: bool = False) -> None:
        """Writes the file; a training does not end because that fails."""
        weights = {"before": self._begun.get("weights")}
        if ended:
            weights["after"] = hashes.of_weights(self.model)
        current = self._steps()
        report = {
            "format": FORMAT,
            "path": self.path,
            "status": status,
            "began": self._begun.get("began"),
            "written": _now(),
            **self._facts,
            "weights": weights,
            "every": self.trace.every,
            "epochs": self._epochs,
            "unfinished": current,
        }
        if jax.process_index() > 0:
            return
        try:
            target.check(self.path_written)
            with replacing(self.path_written) as temporary, open(temporary, "w") as file:
                json.dump(report, file, indent=1, default=str)
        except OSError as error:
            self._warn(error)
        self._written = time.monotonic()

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(f"The report of this training is not up to date: {error}", stacklevel=2)


def _config(make: typing.Callable[[], dict]) -> dict[str, typing.Any]:
    """A config and its hash; None where there is none, as of a class without `get_config`."""
    try:
        config = json.loads(json.dumps(make(), default=str))
    except (NotImplementedError, TypeError, ValueError):
        return {"sha256": None, "config": None}
    return {"sha256": hashes.of_text(json.dumps(config, sort_keys=True)), "config": config}


def _plain(value: typing.Any) -> typing.Any:
    """A result as JSON data, in which there is no NaN and no infinity."""
    value = np.asarray(value)
    if value.ndim:
        return [_plain(part) for part in value]
    value = value.item()
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
