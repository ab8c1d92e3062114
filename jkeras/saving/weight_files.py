"""Weights alone in files: `.weights.h5` (also in shards), `.safetensors`, `.npz`, and those inside
whole models.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from jkeras.core.errors import SerializationError
from jkeras.core.names.registry import public
from jkeras.saving import archive, flat, hdf5, legacy_h5, npz, safetensors, shards, weights
from jkeras.saving.checksums import Checksums
from jkeras.saving.files import check_target, replacing
from jkeras.saving.hdf5_writing import writing
from jkeras.saving.model_steps import ModelSteps
from jkeras.saving.models import check_built
from jkeras.saving.moment import at_one_moment
from jkeras.saving.reading import explained, opened
from jkeras.saving.types import BinaryFile, FilePath, KeyMap

if TYPE_CHECKING:
    import h5py

FLAT = {".safetensors": safetensors, ".npz": npz}


@public("keras.saving.save_weights")
def save_weights(
    model: Any,
    filepath: FilePath,
    overwrite: bool = True,
    max_shard_size: float | None = None,
    *,
    key_map: KeyMap | None = None,
    objects_to_skip: Iterable[Any] | None = (),
    **kwargs: Any,
) -> None:
    """Saves the weights of a model to a file; its ending says in which form.

    Args:
        model: a built model.
        filepath: `.weights.h5` has the optimizer's state too; `.weights.json` with
            `max_shard_size`; `.safetensors` and `.npz` have arrays by name, such as "dense/kernel",
            and nothing else.
        overwrite: replace a file that is there.
        max_shard_size: gigabytes (2**30 bytes) of one file: the weights are spread over files
            beside `filepath`, which says where each is.
        key_map: of arrays by name: dict, or function, from names here to names in the file.
        objects_to_skip: layers (or metrics) that are left out of the HDF5 forms, with all that is
            reached through them alone.

    Returns:
        None.

    Raises:
        ValueError: another ending, a weight larger than a shard, two weights of one name, or the
            model is not built.

    >>> import tempfile, jkeras
    >>> layer = jkeras.layers.Dense(1, kernel_initializer="ones")
    >>> model = jkeras.Sequential([jkeras.Input((2,)), layer])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/model.weights.h5")
    ...     load_weights(model, f"{folder}/model.weights.h5")
    >>> model.get_weights()[0].tolist()
    [[1.0], [1.0]]
    """
    _check_no_more(kwargs)
    path = os.fsdecode(filepath)
    ending = next((e for e in FLAT if path.endswith(e)), None)
    _check_skips(objects_to_skip, ending, path)
    if ending is None:
        _check_hdf5_ending(path, max_shard_size)
    _check_key_map(key_map, ending, path)
    check_target(path, overwrite)
    check_built(model)
    with at_one_moment(model):
        if max_shard_size is not None and ending is None:
            return shards.write(model, path, max_shard_size, objects_to_skip or ())
        _write_file(model, path, ending, key_map, objects_to_skip or ())


def _write_file(
    model: Any, path: str, ending: str | None, key_map: KeyMap | None, skipped: Iterable[Any]
) -> None:
    """Writes all weights into one file."""
    with replacing(path, links=True) as temporary:
        if ending is not None:
            return FLAT[ending].write(flat.collect(model, key_map), temporary)
        with writing(temporary) as file, Checksums() as sums:
            weights.write(model, weights.OneFile(file, sums), skipped)
            sums.finish()


def _check_no_more(kwargs: dict[str, Any]) -> None:
    """Raises ValueError where an argument is not supported."""
    if kwargs:
        raise ValueError(f"Invalid keyword arguments: {kwargs}")


def _check_skips(objects_to_skip: Iterable[Any] | None, ending: str | None, path: str) -> None:
    """Raises ValueError where a file has arrays by name alone."""
    if objects_to_skip and ending in FLAT:
        raise ValueError(
            "`objects_to_skip` goes with '.weights.h5', '.weights.json' and '.keras' files. "
            f"Received: filepath={path}"
        )


def _check_hdf5_ending(path: str, max_shard_size: float | None) -> None:
    """Raises ValueError for a name that files with the optimizer's state do not have."""
    if max_shard_size is None:
        ending = ".weights.h5"
        more = ", `.safetensors` or `.npz`"
    else:
        ending = ".weights.json"
        more = " when `max_shard_size` is specified"
    if not path.endswith(ending):
        raise ValueError(f"The filename must end in `{ending}`{more}. Received: filepath={path}")


def _check_key_map(key_map: KeyMap | None, ending: str | None, path: str) -> None:
    """Raises ValueError where a file has no arrays by name."""
    if key_map is not None and ending not in FLAT:
        raise ValueError(
            f"`key_map` goes with {' and '.join(FLAT)} files. Received: filepath={path}"
        )


@public("keras.saving.load_weights")
def load_weights(
    model: Any,
    filepath: FilePath,
    skip_mismatch: bool = False,
    *,
    by_name: bool = False,
    key_map: KeyMap | None = None,
    objects_to_skip: Iterable[Any] | None = (),
    **kwargs: Any,
) -> None:
    """Loads weights into a built model, from any file that has some.

    Args:
        model: a built model.
        filepath: `.weights.h5`, `.weights.json`, `.safetensors`, `.npz`, or a whole model:
            `.keras`, older `.h5`, the folder of an `OrbaxCheckpoint`.
        skip_mismatch: leave layers alone whose weights do not fit, with a warning, instead of
            raising.
        by_name: of an older `.h5` file, match layers by their names instead of their order.
        key_map: as of `save_weights`.
        objects_to_skip: layers (or metrics) that keep their values, whatever the file has for them.

    Returns:
        None.

    Raises:
        ValueError: an argument that is not supported, or that does not go with such a file.
        SerializationError (a ValueError): it is damaged, or does not fit; the message begins with
            the path, and lists where. Nothing is changed. Where there is no such file it is a
            FileNotFoundError too, where it may not be read a PermissionError.

    >>> import tempfile, jkeras
    >>> layer = jkeras.layers.Dense(1, kernel_initializer="ones")
    >>> model = jkeras.Sequential([jkeras.Input((2,)), layer])
    >>> names = {"dense/kernel": "w", "dense/bias": "b"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save_weights(f"{folder}/model.safetensors", key_map=names)
    ...     model.set_weights([2 * w for w in model.get_weights()])
    ...     load_weights(model, f"{folder}/model.safetensors", key_map=names)
    >>> model.get_weights()[0].tolist()
    [[1.0], [1.0]]
    """
    _check_no_more(kwargs)
    path = os.fsdecode(filepath)
    check_built(model)
    skipped = objects_to_skip or ()
    if os.path.isdir(path):
        _check_of_folder(
            path,
            skip_mismatch=skip_mismatch,
            by_name=by_name,
            key_map=key_map,
            objects_to_skip=skipped,
        )
        return ModelSteps(path).restore(model)
    ending = _ending(path)
    if by_name and not ending.endswith((".h5", ".hdf5")):
        raise ValueError(
            f"`by_name=True` is there for older `.h5` files only. Received: filepath={path}"
        )
    _check_key_map(key_map, ending, path)
    _check_skips(skipped, ending, path)
    with explained(path), opened(path) as file:
        if ending in FLAT:
            return flat.assign(model, FLAT[ending].read(file), key_map, skip_mismatch)
        if ending == ".keras" and not hdf5.is_hdf5(file):
            return archive.read_weights(model, file, skip_mismatch, skipped)
        if ending == ".weights.json":
            return shards.read(model, file, path, skip_mismatch, skipped)
        with hdf5.reading(file) as content:
            group = _older_group(content, ending, file)
            if group is not None:
                return legacy_h5.read_weights(model, group, file, skip_mismatch, by_name)
            if by_name:
                raise SerializationError(
                    f"{path} is no older `.h5` file, which `by_name=True` is there for."
                )
            weights.read(model, weights.OneFile(content, raw=file), skip_mismatch, skipped)


def _check_of_folder(path: str, **options: Any) -> None:
    """Raises ValueError for what a checkpoint, which has a whole state, would not heed."""
    passed = [name for name, value in options.items() if value]
    if passed:
        raise ValueError(
            f"`{passed[0]}` does not go with a folder of checkpoints, of which all is restored. "
            f"Received: filepath={path}. To fix it: restore it into a model of its own, and take "
            "the weights from there."
        )


def _ending(path: str) -> str:
    """The ending of a file that has weights.

    Raises:
        SerializationError: it has another one.
    """
    for ending in (".keras", ".weights.h5", ".weights.json", *FLAT, ".h5", ".hdf5"):
        if path.endswith(ending):
            return ending
    raise SerializationError(
        f"{path}: File format not supported: filepath={path}. Weights are loaded from "
        "`.weights.h5`, `.weights.json`, `.safetensors`, `.npz`, `.keras` and `.h5` files."
    )


def _older_group(content: "h5py.File", ending: str, raw: BinaryFile) -> "h5py.Group | None":
    """The group with the weights of an older `.h5` file; None if it is none."""
    inside = hdf5.descend(content, "model_weights")
    if inside is not None:
        return inside
    if ending == ".weights.h5" and hdf5.names(content, "layer_names", raw) is None:
        return None
    return content
