"""Callbacks that keep a training safe: BackupAndRestore, OrbaxCheckpoint."""

import contextlib
import json
import os
import shutil

import jax
import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.callbacks.checkpoint import Every, SavingCallback, check_save_freq
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
        delete_checkpoint: remove the folder when the training has ended.

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
        backups = self._read()
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
        """Removes the folder."""
        if self.delete_checkpoint and os.path.isdir(self.backup_dir):
            shutil.rmtree(self.backup_dir)


@public("keras.callbacks.OrbaxCheckpoint")
class OrbaxCheckpoint(SavingCallback):
    """Saves the model's variables with orbax, after epochs or every so many batches, while the training goes on.

    Args:
        directory: the folder of the checkpoints; their numbers are epochs, or batches seen.
        monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold: as for `ModelCheckpoint`.
        max_to_keep: how many checkpoints stay; None: all.
        save_on_background: write while the training goes on.
        save_weights_only: without the optimizer and the model's config.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     callback = OrbaxCheckpoint(folder, save_on_background=False)
    ...     callback.is_primary_host()
    True
    """

    def __init__(self, directory, monitor="val_loss", verbose=0, save_best_only=False, mode="auto", save_freq="epoch",
                 initial_value_threshold=None, max_to_keep=1, save_on_background=True, save_weights_only=False):
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        self.directory, self.max_to_keep = os.path.abspath(os.fspath(directory)), max_to_keep
        self.save_on_background, self.save_weights_only = save_on_background, save_weights_only
        self._batches, self._manager = 0, None

    @property
    def checkpointer(self):
        """orbax's manager of the folder, opened when it is first needed."""
        if self._manager is None:
            import orbax.checkpoint as ocp

            handlers = {"state": ocp.StandardCheckpointHandler(), "model_config": ocp.JsonCheckpointHandler()}
            self._manager = ocp.CheckpointManager(
                self.directory, item_handlers=handlers, options=ocp.CheckpointManagerOptions(
                    max_to_keep=self.max_to_keep, create=True, enable_async_checkpointing=self.save_on_background))
        return self._manager

    def is_multihost_enabled(self):
        """Whether several processes train together."""
        return jax.process_count() > 1

    def is_primary_host(self):
        """Whether this process is the first one."""
        return jax.process_index() == 0

    def on_train_batch_end(self, batch, logs=None):
        """Saves where enough batches have gone by."""
        self._batches += 1
        super().on_train_batch_end(batch, logs)

    def _save(self, epoch, batch, logs):
        import orbax.checkpoint as ocp

        step = epoch if batch is None else self._batches
        if not self._wanted(epoch, logs, f"{self.directory}/{step}"):
            return
        arrays = jax.tree_util.tree_map(lambda v: np.array(v.value), self._variables())
        items = {"state": ocp.args.StandardSave(arrays)}
        if not self.save_weights_only:
            items["model_config"] = ocp.args.JsonSave({"config": self.model.to_json()})
        self.checkpointer.save(step, args=ocp.args.Composite(**items))

    def _variables(self):
        """The variables by kind and number."""
        model, kinds = self.model, {"trainable_variables": self.model.trainable_variables,
                                    "non_trainable_variables": self.model.non_trainable_variables}
        if not self.save_weights_only and model.optimizer is not None:
            kinds["optimizer_variables"] = model.optimizer.variables
        return {kind: {str(i): v for i, v in enumerate(variables)} for kind, variables in kinds.items() if variables}

    def restore(self, step=None):
        """Puts the variables of a checkpoint, by default the newest, into the model.

        Raises:
            FileNotFoundError: no checkpoint.
        """
        import orbax.checkpoint as ocp

        step = self.checkpointer.latest_step() if step is None else step
        if step is None:
            raise FileNotFoundError(f"There is no checkpoint in {self.directory}.")
        if self.model.optimizer is not None and not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        variables = self._variables()
        like = jax.tree_util.tree_map(lambda v: jax.ShapeDtypeStruct(tuple(v.shape), v.dtype), variables)
        found = self.checkpointer.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(like)))
        for kind, values in found["state"].items():
            for number, value in values.items():
                variables[kind][number].assign(value)

    def wait_until_finished(self):
        """Waits for what is being written."""
        if self._manager is not None:
            self._manager.wait_until_finished()

    def on_train_end(self, logs=None):
        """Waits for what is being written, and closes the folder."""
        if self._manager is not None:
            with contextlib.closing(self._manager):
                self.wait_until_finished()
            self._manager = None
