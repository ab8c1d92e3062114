"""BackupAndRestore: a training that was interrupted goes on where it was."""

import json
import os
import shutil

from jkeras.callbacks.base import Callback
from jkeras.callbacks.checkpoint import Every, check_save_freq
from jkeras.core.registry import public

METADATA = "training_metadata.json"


@public("keras.callbacks.BackupAndRestore")
class BackupAndRestore(Callback):
    """Saves weights, optimizer and epoch while a model is trained, and goes on from there when `fit` starts again.

    A backup counts when it is complete: the metadata file is replaced last and names the file of its weights.

    Args:
        backup_dir: a folder for this training alone.
        save_freq: "epoch", or a number of batches.
        double_checkpoint: also keep the backup before the newest, to fall back on.
        delete_checkpoint: remove the folder when the training has come to its end; Ctrl-C is none.

    Raises:
        ValueError: no folder, wrong `save_freq`, or in training a model that is not built.

    >>> BackupAndRestore("backup").save_freq
    'epoch'
    """

    def __init__(self, backup_dir, save_freq="epoch", double_checkpoint=False, delete_checkpoint=True):
        super().__init__()
        if not backup_dir:
            raise ValueError(f"`backup_dir` must name a folder. Received: backup_dir={backup_dir!r}")
        check_save_freq(save_freq)
        self.backup_dir, self.save_freq = os.fspath(backup_dir), save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self.every_batch = save_freq != "epoch" and save_freq is not False
        self._every, self._epoch = Every(save_freq), 0

    def on_train_begin(self, logs=None):
        """Restores the newest backup that can be read."""
        if not self.model.built:
            raise ValueError(f"BackupAndRestore needs a model that is built before `fit`. '{self.model.name}' is "
                             "not: call it on a batch of data, or give its shape with `Input`.")
        backups, self._epoch = self._read(), 0
        for i, backup in enumerate(backups):
            if self.model.optimizer is not None and not self.model.optimizer.built:
                self.model.optimizer.build(self.model.trainable_variables)
            try:
                self.model.load_weights(os.path.join(self.backup_dir, backup["weights"]))
            except (OSError, ValueError):
                if i == len(backups) - 1:
                    raise
                continue
            self.model._initial_epoch = self._epoch = backup["epoch"]
            return

    def _read(self):
        """The descriptions of the backups, newest first."""
        try:
            with open(os.path.join(self.backup_dir, METADATA)) as file:
                return json.load(file)["backups"]
        except FileNotFoundError:
            return []

    def on_train_batch_end(self, batch, logs=None):
        """Saves where enough batches have gone by."""
        if self.every_batch and self._every.due(batch):
            self._save(batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        """Saves after an epoch."""
        self._epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save(0)

    def _save(self, batch):
        os.makedirs(self.backup_dir, exist_ok=True)
        name = f"epoch_{self._epoch}_batch_{batch}.weights.h5"
        self.model.save_weights(os.path.join(self.backup_dir, name), overwrite=True)
        old = [backup for backup in self._read() if backup["weights"] != name]
        kept = [{"epoch": self._epoch, "batch": batch, "weights": name}, *old[:int(self.double_checkpoint)]]
        path = os.path.join(self.backup_dir, METADATA)
        with open(f"{path}.partial", "w") as file:
            json.dump({"backups": kept}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.partial", path)
        for other in os.listdir(self.backup_dir):
            if other.endswith(".weights.h5") and all(other != backup["weights"] for backup in kept):
                os.remove(os.path.join(self.backup_dir, other))

    def on_train_end(self, logs=None):
        """Removes the folder, unless the training was interrupted."""
        epochs = (self.params or {}).get("epochs", 0)
        ended = self.model is None or self.model.stop_training or self._epoch >= epochs
        if self.delete_checkpoint and ended and os.path.isdir(self.backup_dir):
            shutil.rmtree(self.backup_dir)
