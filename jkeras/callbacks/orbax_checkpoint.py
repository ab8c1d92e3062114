"""OrbaxCheckpoint: the model's variables in a folder of checkpoints that orbax writes in the background."""

import contextlib
import os

import jax

from jkeras.callbacks.checkpoint import SavingCallback
from jkeras.core import tree
from jkeras.core.registry import public


@public("keras.callbacks.OrbaxCheckpoint")
class OrbaxCheckpoint(SavingCallback):
    """Saves the model's variables with orbax, after epochs or every so many batches, while the training goes on.

    The checkpoints have Keras's form: `load_weights` of a Keras model reads the folder, and `restore` reads Keras's.

    Args:
        directory: the folder of the checkpoints; their numbers are epochs, or updates made with `save_freq`.
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

    def __init__(self, directory, monitor="val_loss", verbose=0, save_best_only=False, mode="auto", save_freq="epoch",
                 initial_value_threshold=None, max_to_keep=1, save_on_background=True, save_weights_only=False):
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        self.directory, self.max_to_keep = os.path.abspath(os.fspath(directory)), max_to_keep
        self.save_on_background, self.save_weights_only = save_on_background, save_weights_only
        self._updates_before, self._manager = 0, None

    def set_model(self, model):
        """Takes the model, and the number of updates that it has seen."""
        super().set_model(model)
        self._updates_before = int(getattr(model.optimizer, "iterations", 0)) - self._every.total

    @property
    def checkpointer(self):
        """orbax's manager of the folder, opened when it is first needed."""
        if self._manager is None:
            import orbax.checkpoint as ocp

            handlers = {"pytree": ocp.StandardCheckpointHandler(), "order": ocp.JsonCheckpointHandler(),
                        "model_config": ocp.JsonCheckpointHandler()}
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

    def _save_model(self, epoch, batch, logs):
        import orbax.checkpoint as ocp

        step = epoch if batch is None else self._updates_before + self._every.total
        if not self._wanted(epoch, logs, f"{self.directory}/{step}"):
            return
        state = self.model.get_state_tree()
        if self.save_weights_only:
            state = {group: state[group] for group in ("trainable_variables", "non_trainable_variables")}
        order = {group: [v.path for v in variables] for group, variables in self.model._state_groups().items()}
        items = {"pytree": ocp.args.StandardSave({group: values for group, values in state.items() if values}),
                 "order": ocp.args.JsonSave(order)}
        if not self.save_weights_only:
            items["model_config"] = ocp.args.JsonSave({"config": self.model.to_json()})
        self.checkpointer.save(step, args=ocp.args.Composite(**items))

    def restore(self, step=None):
        """Puts the variables of a checkpoint, by default the newest, into the model.

        Variables are found by their order, whatever their names; in checkpoints of Keras by their paths.

        Raises:
            FileNotFoundError: no checkpoint.
            ValueError: the checkpoint of another model.
        """
        step = self.checkpointer.latest_step() if step is None else step
        if step is None:
            raise FileNotFoundError(f"There is no checkpoint in {self.directory}.")
        if self.model.optimizer is not None and not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        state, order = self._read(step)
        for group in ("trainable_variables", "non_trainable_variables", "optimizer_variables"):
            if group in state:
                self._assign(group, {"/".join(path): value for path, value in tree.flatten(state[group])}, order)

    def _read(self, step):
        """(the arrays of a checkpoint by group and path, the groups' paths in order or None)."""
        import orbax.checkpoint as ocp

        saved = self.checkpointer.item_metadata(step)
        like = jax.tree_util.tree_map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), saved["pytree"].tree)
        wanted = {"pytree": ocp.args.StandardRestore(like)}
        if os.path.isdir(os.path.join(self.directory, str(step), "order")):
            wanted["order"] = ocp.args.JsonRestore()
        found = self.checkpointer.restore(step, args=ocp.args.Composite(**wanted))
        return found["pytree"], found["order"] if "order" in wanted else None

    def _assign(self, group, values, order):
        """Gives the variables of a group their values."""
        variables = self.model._state_groups()[group]
        paths = [v.path for v in variables] if order is None else order[group]
        if len(paths) != len(variables) or set(paths) != set(values):
            raise ValueError(f"The checkpoint in {self.directory} belongs to another model: its {group} are "
                             f"{sorted(values)}; those of '{self.model.name}' are {sorted(v.path for v in variables)}.")
        for variable, path in zip(variables, paths):
            variable.assign(values[path])

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
