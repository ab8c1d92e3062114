"""BackupAndRestore: a training that was interrupted goes on where it was."""

import os
from typing import TYPE_CHECKING, Any

from jkeras.callbacks.base import Callback
from jkeras.callbacks.checkpoint import check_save_freq
from jkeras.core.names.registry import public

if TYPE_CHECKING:
    from jkeras.saving.checkpointer import Checkpointer


@public("keras.callbacks.BackupAndRestore")
class BackupAndRestore(Callback):
    """Saves the state of a training while it runs, and lets the next `fit` go on from there, to the
    same bits.

    It is `fit(checkpoint=…)` by Keras's name: see `jkeras.saving.Checkpointer`. Where a
    `checkpoint` is passed too, that one counts.

    Args:
        backup_dir: a folder for this training alone.
        save_freq: "epoch", or a number of batches.
        double_checkpoint: also keep the backup before the newest, to fall back on.
        delete_checkpoint: remove the backups when the training has come to its end (Ctrl-C is
            none), and the folder where nothing else is in it.

    Raises:
        ValueError: no folder, wrong `save_freq`, or in training a model that is not built.

    >>> BackupAndRestore("backup").save_freq
    'epoch'
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError(
                "Empty `backup_dir` argument passed: it must name a folder. Received: "
                f"backup_dir={backup_dir!r}"
            )
        check_save_freq(save_freq)
        self.backup_dir = os.fsdecode(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._epoch = 0
        self._checkpointer = None

    def checkpointer(self) -> "Checkpointer | None":
        """What `fit` saves with; None where `save_freq` is False."""
        from jkeras.saving import Checkpointer

        if self.save_freq is not False:
            every = self.save_freq
            if every != "epoch":
                every = int(every)
            count = 1 + bool(self.double_checkpoint)
            self._checkpointer = Checkpointer(self.backup_dir, max_to_keep=count, every=every)
        return self._checkpointer

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Sees that there is something to restore into."""
        self._epoch = 0
        if not self.model.built:
            raise ValueError(
                f"BackupAndRestore needs a model that is built before `fit`. '{self.model.name}' "
                "is not: call it on a batch of data, or give its shape with `Input`."
            )
        history = self.model.history
        # as in Keras it tells of this `fit` alone
        if self.was_restored() and history is not None:
            history.epoch = []
            history.history = {}

    def get_state(self) -> dict[str, Any]:
        """That there is something to restore."""
        return {"backup": True}

    def set_state(self, state: dict[str, Any]) -> None:
        """Remembers that it was restored."""
        self._restored = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts."""
        self._epoch = epoch + 1

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Lets go of the folder, and removes what is in it of the training, unless that was
        interrupted.
        """
        checkpointer = self._checkpointer or self.checkpointer()
        if checkpointer is None:
            return
        checkpointer.close()
        epochs = (self.params or {}).get("epochs", 0)
        ended = self.model is None or self.model.stop_training or self._epoch >= epochs
        if self.delete_checkpoint and ended:
            checkpointer.remove_all()
