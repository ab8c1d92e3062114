"""Tracker: the results of a training, reported to a service that tracks runs."""

import importlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.callbacks.tracking.service import Calling, Service
from jkeras.core.session import circumstances
from jkeras.core.errors import check_choice
from jkeras.core.names.registry import public
from jkeras.core.session.settings import settings

SERVICES = {"wandb": "Wandb", "mlflow": "Mlflow", "aim": "Aim"}


@public("jkeras.callbacks.Tracker")
class Tracker(Callback):
    """Tells a service of a training: its results after each epoch, the arguments of `compile`,
    versions, devices and settings, and, if asked for, its model.

    A run of Weights & Biases or MLflow that the program has begun is used and left open; else one
    is begun, and ended with the training. A training that goes on from a checkpoint goes on in its
    run. Where telling fails after the beginning, a warning says so, and the training goes on.

    Args:
        to: "wandb", "mlflow" or "aim", whose package must be installed; or a function that is
            called with a dict of results and the number of the epoch, from 0.
        project: that the run belongs to; in MLflow and Aim the experiment.
        name: of the run.
        config: a dict of what else to report at the beginning.
        batches: also tell the means of the epoch so far, as "batch/loss", at the first moment after
            so many batches at which `fit` looks up; None: never. `fit` does not look up more often
            for it.
        model: keep the model at the end, as a `.keras` file.
        options: of `wandb.init`, `mlflow.MlflowClient` or `aim.Run`.

    Raises:
        ValueError: another service.
        ImportError: its package is not installed.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> seen = []
    >>> tracker = Tracker(lambda results, epoch: seen.append((epoch, sorted(results))))
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[tracker])
    >>> seen
    [(0, ['loss'])]
    """

    every_batch = False

    def __init__(
        self,
        to: str | Callable[[dict[str, float], int], Any],
        project: str | None = None,
        name: str | None = None,
        config: dict[str, Any] | None = None,
        batches: int | None = None,
        model: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        self.service = _service(to, options)
        self.project = project
        self.name = name
        self.config = config or {}
        self.batches = batches
        self.keeps_model = model
        self._run = None
        self._before = self._batches = 0  # batches of the epochs before, of this one
        self._is_open = False
        self._warned = set()  # kinds of errors that were warned of

    # ------------------------------------------------------------ the course of the training

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Begins a run."""
        if not self.was_restored():
            self._run = None
            self._before = 0
        self._due = self._batches = 0
        self._has_ended = False
        if jax.process_index() == 0:
            config = dict(_flat({**facts(self.model, self.params), **self.config}))
            self._run = self.service.begin(self.project, self.name, config, self._run)
            self._is_open = True

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Tells of batches, where that was asked for."""
        self._batches = batch + 1
        done = self._before + self._batches
        if self.batches is None or done < self._due:
            return
        self._due = done + self.batches
        values = {f"batch/{name}": value for name, value in numbers(logs or {}).items()}
        self._report(self.service.log, values, done - 1, "batch")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Tells of an epoch."""
        self._before += self._batches
        self._has_ended = epoch + 1 >= self.params["epochs"]
        self._report(self.service.log, numbers(logs or {}), epoch, "epoch")

    def on_train_end(self, logs: dict | None = None) -> None:
        """Ends the run."""
        if self.keeps_model:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "model.keras")
                self.model.save(path)
                self._report(self.service.keep, path)
        self._report(self.service.end, self._has_ended or self.model.stop_training)
        self._is_open = False

    def get_state(self) -> dict[str, Any]:
        """The run's identifier, and where it is."""
        return {"run": self._run, "before": self._before}

    def set_state(self, state: dict[str, Any]) -> None:
        """Lets the next training go on in that run."""
        self._run, self._before = state["run"], state["before"]
        self._restored = True

    def _report(self, function: Callable, *arguments: Any) -> None:
        """Calls a method of the service, which may be out of reach: a training does not end by
        it.
        """
        if not self._is_open:
            return
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - each service has errors of its own
            if type(error) not in self._warned:
                self._warned.add(type(error))
                warnings.warn(
                    f"Tracker could not tell {type(self.service).__name__}: "
                    f"{type(error).__name__}: {error}",
                    stacklevel=2,
                )


def _service(to: Any, options: dict[str, Any]) -> Service:
    """The service of a name, or that is a function."""
    if callable(to):
        if options:
            raise ValueError(f"A function takes no options. Received: {sorted(options)}")
        return Calling(to)
    check_choice("to", to, tuple(SERVICES))
    module = importlib.import_module(f"jkeras.callbacks.tracking.{to}")
    try:
        return getattr(module, SERVICES[to])(**options)
    except ImportError as error:
        raise ImportError(
            f"`Tracker({to!r})` needs the package {to}. Install it with `pip install {to}`."
        ) from error


def facts(model: Any, params: dict[str, Any]) -> dict[str, Any]:
    """What is reported of a training at its beginning."""
    return {
        "model": {"name": model.name, "parameters": model.count_params()},
        "optimizer": _of_optimizer(model.optimizer),
        "fit": {"epochs": params.get("epochs"), "steps": params.get("steps")},
        "seed": settings.seed,
        "versions": circumstances.versions(),
        "devices": circumstances.devices(),
        "settings": circumstances.session(),
        "program": circumstances.program(),
    }


def _of_optimizer(optimizer: Any) -> dict[str, Any]:
    """The class of an optimizer, and its arguments where they have values."""
    kind = {"class": type(optimizer).__name__}
    try:
        return kind | optimizer.get_config()
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return kind


def numbers(logs: dict[str, Any]) -> dict[str, float]:
    """Results as numbers: those that are arrays give one for each element.

    >>> numbers({"loss": 1, "f1_score": np.array([0.5, 0.25])})
    {'loss': 1.0, 'f1_score/0': 0.5, 'f1_score/1': 0.25}
    """
    scalars = {}
    for name, value in logs.items():
        value = np.asarray(value, dtype="float64")
        if value.ndim == 0:
            scalars[name] = float(value)
        else:
            scalars |= {f"{name}/{i}": float(part) for i, part in enumerate(value.ravel())}
    return scalars


def _flat(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(name with slashes, value) of what is inside dicts; lists and other values as text."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}/")
        elif isinstance(value, (str, int, float, bool, type(None))):
            yield f"{prefix}{name}", value
        else:
            yield f"{prefix}{name}", str(value)
