"""Trees of arrays, and JSON beside them, in a folder that orbax writes: of one or many devices and
processes.
"""

import contextlib
import inspect
import logging
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.kernel.tree import flatten, unflatten
from jkeras.saving import safe_json
from jkeras.saving.types import ArrayKind, Path, Placed, Texts, Trees

if TYPE_CHECKING:
    import orbax.checkpoint as ocp

TEXT = "metadata"  # the file that orbax keeps JSON data in


def copied(trees: Trees) -> Trees:
    """Copies of trees, which a training may go on beside."""
    return jax.tree_util.tree_map(lambda v: np.array(v, copy=True), trees)


def write(folder: str, trees: Trees, texts: Texts) -> None:
    """Writes into a new folder.

    Args:
        trees: {name: nested dict of arrays}; arrays of several processes are written by all of
            them.
        texts: {name: JSON data}.
    """
    import orbax.checkpoint as ocp

    items = {name: ocp.args.PyTreeSave(tree) for name, tree in trees.items()}
    items |= {name: ocp.args.JsonSave(data) for name, data in texts.items()}
    handlers = {name: ocp.PyTreeCheckpointHandler(**storage()) for name in trees}
    handlers |= {name: ocp.JsonCheckpointHandler() for name in texts}
    with _checkpointer(handlers) as checkpointer, _silent():
        checkpointer.save(folder, args=ocp.args.Composite(**items))


def storage() -> dict[str, bool]:
    """Arguments of orbax's handler that let it store arrays as they are, where it has them: to
    compress weights takes as long as to write them, and leaves nine tenths of them in float32.
    """
    import orbax.checkpoint as ocp

    parameters = inspect.signature(ocp.PyTreeCheckpointHandler).parameters
    return {"use_compression": False} if "use_compression" in parameters else {}


def shapes(folder: str, name: str) -> dict[Path, ArrayKind]:
    """{path: (shape, dtype)} of the arrays of a tree."""
    with _reader(folder) as checkpointer:
        metadata = checkpointer.metadata(folder).item_metadata[name]
    tree = _plain(getattr(metadata, "tree", metadata))
    return {path: (tuple(m.shape), str(np.dtype(m.dtype))) for path, m in flatten(tree)}


def read(folder: str, name: str, like: Mapping[Path, Placed]) -> dict[Path, jax.Array]:
    """The arrays of a tree.

    Args:
        like: {path: (shape, dtype, sharding)} of all that the tree has; None: whole, on this
            process's first device.

    Returns:
        {path: array}
    """
    import orbax.checkpoint as ocp

    # else orbax wants the devices that wrote it
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    target = unflatten(
        (path, jax.ShapeDtypeStruct(shape, np.dtype(dtype), sharding=sharding or here))
        for path, (shape, dtype, sharding) in like.items()
    )
    with _reader(folder) as checkpointer:
        trees = checkpointer.restore(
            folder, args=ocp.args.Composite(**{name: ocp.args.StandardRestore(target)})
        )
    return dict(flatten(_plain(trees[name])))


def read_text(folder: str, name: str) -> Any:
    """JSON data."""
    return safe_json.load(os.path.join(folder, name, TEXT), f"its part '{name}'")


def has(folder: str, name: str) -> bool:
    """Whether a folder has a tree or text of this name."""
    return os.path.isdir(os.path.join(folder, name))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keeps orbax's threads from logging the errors that they raise, each several times."""
    log = logging.getLogger("absl")

    def quiet(record: logging.LogRecord) -> bool:
        return "_SignalingThread" not in record.getMessage()

    log.addFilter(quiet)
    try:
        yield
    finally:
        log.removeFilter(quiet)


def _reader(folder: str) -> "ocp.Checkpointer":
    """A checkpointer that knows all that a folder has: orbax logs warnings about what it does not
    know.
    """
    import orbax.checkpoint as ocp

    handlers = {}
    for entry in filter(os.DirEntry.is_dir, os.scandir(folder)):
        is_text = os.path.exists(os.path.join(entry.path, TEXT))
        kind = ocp.JsonCheckpointHandler if is_text else ocp.StandardCheckpointHandler
        handlers[entry.name] = kind()
    return _checkpointer(handlers)


def _checkpointer(handlers: dict[str, Any]) -> "ocp.Checkpointer":
    import orbax.checkpoint as ocp

    return ocp.Checkpointer(ocp.CompositeCheckpointHandler(**handlers))


def _plain(tree: Any) -> Any:
    """Nested dicts with string keys, where a store has lists or tuples."""
    if isinstance(tree, (list, tuple)):
        tree = dict(enumerate(tree))
    if not isinstance(tree, dict):
        return tree
    return {str(k): _plain(v) for k, v in tree.items()}
