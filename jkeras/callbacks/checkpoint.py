"""ModelCheckpoint: saves the model or its weights while it is trained."""

import os
import warnings
from typing import Any

import numpy as np

from jkeras.callbacks.monitor import Mode, MonitorCallback
from jkeras.core.say import console
from jkeras.core.errors import suggestion
from jkeras.core.names.registry import public


class Every:
    """Says when so many batches have gone by since the last time; `total` counts all.

    >>> every = Every(2)
    >>> [every.due(batch) for batch in (0, 1, 2, 0, 3)]
    [False, True, False, True, True]
    """

    def __init__(self, count: int | str) -> None:
        self.count = count
        self.seen = 0
        self.last = None
        self.total = 0

    def due(self, batch: int) -> bool:
        """Takes note of a batch; its number starts again at 0 with each epoch."""
        new = batch + 1
        if self.last is not None and batch > self.last:
            new = batch - self.last
        self.seen += new
        self.total += new
        self.last = batch
        if self.seen < self.count:
            return False
        self.seen = 0
        return True


def check_save_freq(save_freq: Any) -> None:
    """Raises ValueError for what is neither "epoch" nor a number of batches."""
    if save_freq != "epoch" and not isinstance(save_freq, int):
        raise ValueError(
            f"Unrecognized save_freq: {save_freq}. Invalid value for argument `save_freq`. "
            f"Expected save_freq are 'epoch' or integer values.{suggestion(save_freq, ['epoch'])}"
        )


class SavingCallback(MonitorCallback):
    """Base of callbacks that save the model after epochs or batches; a subclass defines
    `_save_model`.

    The names with an underscore are Keras's: subclasses of others, such as W&B's, call them.
    """

    saves_without_value = True  # with `save_best_only`, where the watched value is not there

    def __init__(
        self,
        monitor: str,
        verbose: int,
        save_best_only: bool,
        mode: Mode,
        save_freq: int | str,
        initial_value_threshold: float | None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        check_save_freq(save_freq)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_freq = save_freq
        self.every_batch = save_freq != "epoch"
        self._every = Every(save_freq)
        self._current_epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remembers the epoch."""
        self._current_epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves where enough batches have gone by."""
        if self._should_save_on_batch(batch):
            self._save_model(self._current_epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves after an epoch."""
        if self.save_freq == "epoch":
            self._save_model(epoch, None, logs)

    def _should_save_on_batch(self, batch: int) -> bool:
        return self.save_freq != "epoch" and self._every.due(batch)

    def _log_message(self, text: str) -> None:
        if self.verbose > 0:
            console.say(text)

    def _is_due(self, epoch: int, logs: dict[str, Any] | None, path: str) -> bool:
        """Whether to save now, by the watched value."""
        if not self.save_best_only:
            self._log_message(f"\nEpoch {epoch + 1}: saving model to {path}")
            return True
        value = self.found(logs)
        if value is None or np.ndim(value) > 0:
            if self.saves_without_value:
                consequence = "saving it nevertheless"
            else:
                consequence = "skipping it"
            warnings.warn(
                f"Can save best model only with {self.monitor} available, as a single number: "
                f"{consequence}.",
                stacklevel=4,
            )
            return self.saves_without_value
        best = "None"
        if self.best is not None:
            best = f"{self.best:.5f}"
        if not self.is_better(value, self.best):
            self._log_message(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {best}")
            return False
        self._log_message(
            f"\nEpoch {epoch + 1}: {self.monitor} improved from {best} to {value:.5f}, saving "
            f"model to {path}"
        )
        self.best = value
        return True


@public("keras.callbacks.ModelCheckpoint")
class ModelCheckpoint(SavingCallback):
    """Saves the model, or only its weights, after epochs or every so many batches.

    Args:
        filepath: may contain `{epoch}`, `{batch}` and names in the logs, as in
            "{epoch:02d}-{val_loss:.2f}.keras"; ends in ".weights.h5" for weights only, else in
            ".keras" or ".h5".
        monitor: name in the logs, for `save_best_only`.
        verbose: 1 prints a line for each save.
        save_best_only: save only when the watched value improved.
        save_weights_only: save the weights alone.
        mode: "min", "max" or "auto".
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: value that the first save must beat.

    Raises:
        ValueError: wrong ending or `save_freq`.

    >>> ModelCheckpoint("best.keras", monitor="loss").save_freq
    'epoch'
    """

    def __init__(
        self,
        filepath: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: Mode = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        self.filepath = os.fsdecode(filepath)
        self.save_weights_only = save_weights_only
        if save_weights_only:
            endings = (".weights.h5",)
            expected = ".weights.h5 when save_weights_only=True"
        else:
            endings = (".keras", ".h5")
            expected = ".keras or .h5"
        if not self.filepath.endswith(endings):
            raise ValueError(
                f"The filepath of ModelCheckpoint must end in {expected}. "
                f"Received: filepath={self.filepath}"
            )

    def _save_model(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> None:
        path = self._get_file_path(epoch, batch, logs)
        if not self._is_due(epoch, logs, path):
            return
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if os.path.isdir(path):
            raise OSError(
                "ModelCheckpoint: expected the path of a file. There is a folder of that name: "
                f"{path}"
            )
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        self._log_message(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _get_file_path(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> str:
        logs = logs or {}
        names = dict(logs)
        if batch is not None:
            names.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(epoch=epoch + 1, **names)
        except KeyError as error:
            raise KeyError(
                f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}; '
                f"the logs have {list(logs)}"
            ) from error
