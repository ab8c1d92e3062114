"""OrbaxCheckpoint: the model's variables in a folder of checkpoints that orbax writes in the
background.
"""

import os
from typing import TYPE_CHECKING, Any

import jax

from jkeras.callbacks.monitor import Mode
from jkeras.callbacks.checkpoint import SavingCallback
from jkeras.core.names.registry import public

if TYPE_CHECKING:
    from jkeras.saving.model_steps import ModelSteps


@public("keras.callbacks.OrbaxCheckpoint")
class OrbaxCheckpoint(SavingCallback):
    """Saves the model's variables with orbax, after epochs or every so many batches, while the
    training goes on.

    The checkpoints have Keras's form: `load_weights` of a Keras model reads the folder, and
    `restore` reads Keras's.

    Args:
        directory: the folder of the checkpoints; their numbers are epochs, or updates made with
            `save_freq`.
        monitor, verbose, mode, save_freq, initial_value_threshold: as for `ModelCheckpoint`.
        save_best_only: save only when the watched value improved; nothing where the logs lack it.
        max_to_keep: how many checkpoints stay; None: all.
        save_on_background: write while the training goes on.
        save_weights_only: without the optimizer, the metrics and the model's config.

    Raises:
        ValueError: wrong `save_freq`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     callback = OrbaxCheckpoint(folder, save_on_background=False)
    ...     callback.is_primary_host()
    True
    """

    saves_without_value = False

    def __init__(
        self,
        directory: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: Mode = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ) -> None:
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        self.directory = os.path.abspath(os.fsdecode(directory))
        self.max_to_keep = max_to_keep
        self.save_on_background = save_on_background
        self.save_weights_only = save_weights_only
        self._updates_before = 0
        self._steps = None

    def set_model(self, model: Any) -> None:
        """Takes the model, and the number of updates that it has seen."""
        super().set_model(model)
        self._updates_before = int(getattr(model.optimizer, "iterations", 0)) - self._every.total

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Makes the folder, as orbax's own manager does."""
        super().on_train_begin(logs)
        os.makedirs(self.directory, exist_ok=True)

    @property
    def checkpointer(self) -> "ModelSteps":
        """The folder's checkpoints, opened when they are first needed."""
        if self._steps is None:
            from jkeras.saving.model_steps import ModelSteps

            self._steps = ModelSteps(self.directory, self.max_to_keep, self.save_on_background)
        return self._steps

    def is_multihost_enabled(self) -> bool:
        """Whether several processes train together."""
        return jax.process_count() > 1

    def is_primary_host(self) -> bool:
        """Whether this process is the first one."""
        return jax.process_index() == 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Raises RuntimeError if a save in the background has failed; saves where enough batches
        have gone by.
        """
        if self._steps is not None:
            self._steps.check()
        super().on_train_batch_end(batch, logs)

    def _save_model(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> None:
        step = epoch
        if batch is not None:
            step = self._updates_before + self._every.total
        if self._is_due(epoch, logs, f"{self.directory}/{step}"):
            self._save_checkpoint(step)

    def _save_checkpoint(self, step: int, logs: dict[str, Any] | None = None) -> None:
        self.checkpointer.save(step, self.model, self.save_weights_only)

    def restore(self, step: int | None = None) -> None:
        """Puts the variables of a checkpoint, by default the newest that is whole, into the model.

        Variables are matched by their order, whatever their names; in checkpoints of Keras by their
        paths.

        Raises:
            FileNotFoundError: no checkpoint.
            ValueError: the checkpoint of another model, or none that is whole.
        """
        self.checkpointer.restore(self.model, step)

    def wait_until_finished(self) -> None:
        """Waits for what is being written."""
        if self._steps is not None:
            self._steps.wait()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Waits for what is being written, and releases the folder."""
        if self._steps is not None:
            self._steps.close()
            self._steps = None
