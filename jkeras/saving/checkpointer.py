"""Checkpointer: a training state in a folder, through orbax; the newest complete one is found again."""

import json
import pathlib

import jax
import numpy as np

from jkeras.core.registry import public
from jkeras.core.tree import flatten


@public("jkeras.saving.Checkpointer")
class Checkpointer:
    """Saves and restores a `TrainState` (or any pytree of arrays) at any step.

    A save is complete or not there at all: orbax writes beside and renames. Killed at any moment, the folder holds
    the checkpoints that were complete before.

    Args:
        folder: made if it is not there.
        max_to_keep: how many checkpoints stay; the oldest are removed.

    >>> import tempfile, jax.numpy as jnp
    >>> with tempfile.TemporaryDirectory() as folder, Checkpointer(folder) as checkpointer:
    ...     checkpointer.save({"w": jnp.ones(2)}, {"epoch": 3}, step=3)
    ...     state, extra = checkpointer.restore({"w": jnp.zeros(2)})
    >>> float(state["w"][0]), extra["epoch"]
    (1.0, 3)
    """

    def __init__(self, folder, max_to_keep=3):
        import orbax.checkpoint as ocp

        self.folder = pathlib.Path(folder).expanduser().resolve()
        self._ocp = ocp
        handlers = {"state": ocp.StandardCheckpointHandler(), "extra": ocp.JsonCheckpointHandler()}  # to read metadata
        self._manager = ocp.CheckpointManager(self.folder, item_handlers=handlers, options=ocp.CheckpointManagerOptions(
            max_to_keep=max_to_keep, create=True, enable_async_checkpointing=False))

    def latest_step(self):
        """The number of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def steps(self):
        """The numbers of all complete checkpoints, in order."""
        return sorted(self._manager.all_steps())

    def save(self, state, extra=None, step=None):
        """Saves a state, and JSON data beside it, under a step number (the state's own by default)."""
        step = int(state.step) if step is None else int(step)
        arrays = jax.tree_util.tree_map(lambda v: np.array(v, copy=True), _as_dict(state))
        if step in self._manager.all_steps():
            self._manager.delete(step)
        self._manager.save(step, args=self._ocp.args.Composite(
            state=self._ocp.args.StandardSave(_without_empty(arrays)),
            extra=self._ocp.args.JsonSave(json.loads(json.dumps(extra or {})))))
        self._manager.wait_until_finished()

    def restore(self, like, step=None):
        """(state, extra) of a step, by default the newest.

        Args:
            like: a state of the same structure, whose arrays (or shapes) say what is expected.

        Raises:
            FileNotFoundError: no checkpoint.
            ValueError: a checkpoint of another structure; the message lists what is missing, extra or other.
        """
        step = self.latest_step() if step is None else step
        if step is None:
            raise FileNotFoundError(f"There is no complete checkpoint in {self.folder}.")
        wanted = _without_empty(_as_dict(like))
        self._check(wanted, step)
        target = jax.tree_util.tree_map(lambda v: jax.ShapeDtypeStruct(np.shape(v), v.dtype), wanted)
        found = self._manager.restore(step, args=self._ocp.args.Composite(
            state=self._ocp.args.StandardRestore(target), extra=self._ocp.args.JsonRestore()))
        arrays = dict(flatten(jax.tree_util.tree_map(jax.numpy.asarray, found["state"])))
        return _fill(like, _as_dict(like), arrays), found["extra"]

    def _check(self, wanted, step):
        metadata = self._manager.item_metadata(step)["state"]
        saved = {path: (tuple(m.shape), str(np.dtype(m.dtype))) for path, m in flatten(_plain(metadata))}
        mine = {path: (tuple(np.shape(v)), str(np.dtype(v.dtype))) for path, v in flatten(wanted)}
        name = lambda paths: ["/".join(p) for p in paths]  # noqa: E731
        missing, extra = [p for p in mine if p not in saved], [p for p in saved if p not in mine]
        other = [f"{'/'.join(p)}: saved {saved[p]}, expected {mine[p]}" for p in mine
                 if p in saved and saved[p] != mine[p]]
        if missing or extra or other:
            raise ValueError(f"The checkpoint of step {step} in {self.folder} does not fit this model and optimizer. "
                             f"Missing: {name(missing)}; unexpected: {name(extra)}; other shape or dtype: {other}. "
                             "Restore into the model it was saved from, or use another folder.")

    def close(self):
        """Waits for what is being written and releases the folder."""
        self._manager.wait_until_finished()
        self._manager.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def _as_dict(state):
    """Named tuples, lists and the like as nested dicts with string keys."""
    if hasattr(state, "_asdict"):
        state = state._asdict()
    if isinstance(state, (list, tuple)):
        state = {str(i): v for i, v in enumerate(state)}
    if isinstance(state, dict):
        return {str(k): _as_dict(v) for k, v in state.items()}
    return state


def _plain(metadata):
    """orbax's metadata as nested dicts of leaves with shape and dtype."""
    tree = getattr(metadata, "tree", metadata)
    return _as_dict(tree)


def _without_empty(tree):
    """The nested dict without empty dicts and None, of which orbax keeps no trace."""
    kept = {k: _without_empty(v) if isinstance(v, dict) else v for k, v in tree.items()}
    return {k: v for k, v in kept.items() if v is not None and not (isinstance(v, dict) and not v)}


def _fill(like, described, arrays, path=()):
    """A state in the structure of `like` with the arrays by path."""
    if isinstance(described, dict):
        parts = {k: _fill(v, described[str(k)], arrays, (*path, str(k))) for k, v in _items(like)}
        if hasattr(like, "_fields"):
            return type(like)(**parts)
        if isinstance(like, (list, tuple)):
            return type(like)(parts.values())
        return parts
    return arrays.get(path, like)


def _items(value):
    if hasattr(value, "_asdict"):
        return value._asdict().items()
    return enumerate(value) if isinstance(value, (list, tuple)) else value.items()
