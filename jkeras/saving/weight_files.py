"""Weights alone in files: `.weights.h5` (also in shards), `.safetensors`, `.npz`, and those inside
whole models.
"""

import os

from jkeras.core.errors import SerializationError
from jkeras.core.registry import public
from jkeras.saving import archive, flat, hdf5, legacy_h5, npz, safetensors, shards, weights
from jkeras.saving.checksums import Checksums
from jkeras.saving.files import check_target, replacing
from jkeras.saving.hdf5_writing import writing
from jkeras.saving.model_steps import ModelSteps
from jkeras.saving.models import check_built
from jkeras.saving.reading import explained, opened

FLAT = {".safetensors": safetensors, ".npz": npz}


@public("keras.saving.save_weights")
def save_weights(model, filepath, overwrite=True, max_shard_size=None, *, key_map=None, **kwargs):
    """Saves the weights of a model to a file; its ending says in which form.

    Args:
        filepath: `.weights.h5` has the optimizer's state too; `.weights.json` with
            `max_shard_size`; `.safetensors` and `.npz` have arrays by name, such as "dense/kernel",
            and nothing else.
        overwrite: replace a file that is there.
        max_shard_size: gigabytes (2**30 bytes) of one file: the weights are spread over files
            beside `filepath`, which says where each is.
        key_map: of arrays by name: dict, or function, from names here to names in the file.

    Raises:
        ValueError: another ending, a weight larger than a shard, two weights of one name, or the
            model is not built.

    >>> import tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/model.weights.h5")
    ...     load_weights(model, f"{folder}/model.weights.h5")
    >>> model.get_weights()[0].tolist()
    [[1.0], [1.0]]
    """
    path = os.fspath(filepath)
    ending = next((e for e in FLAT if path.endswith(e)), None)
    if ending is None and not path.endswith(
        ".weights.h5" if max_shard_size is None else ".weights.json"
    ):
        more = (
            ", `.safetensors` or `.npz`"
            if max_shard_size is None
            else " when `max_shard_size` is specified"
        )
        raise ValueError(
            "The filename must end in "
            f"`{'.weights.h5' if max_shard_size is None else '.weights.json'}`{more}. Received: "
            f"filepath={path}"
        )
    if key_map is not None and ending is None:
        raise ValueError(
            f"`key_map` goes with {' and '.join(FLAT)} files. Received: filepath={path}"
        )
    check_target(path, overwrite)
    check_built(model)
    if max_shard_size is not None and ending is None:
        return shards.write(model, path, max_shard_size)
    with replacing(path) as temporary:
        if ending is not None:
            return FLAT[ending].write(flat.collect(model, key_map), temporary)
        with writing(temporary) as file, Checksums() as sums:
            weights.write(model, weights.OneFile(file, sums))
            sums.finish()


@public("keras.saving.load_weights")
def load_weights(model, filepath, skip_mismatch=False, *, by_name=False, key_map=None, **kwargs):
    """Loads weights into a built model, from any file that has some.

    Args:
        filepath: `.weights.h5`, `.weights.json`, `.safetensors`, `.npz`, or a whole model:
            `.keras`, older `.h5`, the folder of an `OrbaxCheckpoint`.
        skip_mismatch: leave layers alone whose weights do not fit, with a warning, instead of
            raising.
        by_name: of an older `.h5` file, match layers by their names instead of their order.
        key_map: as of `save_weights`.

    Raises:
        FileNotFoundError: no such file.
        SerializationError (a ValueError): it is damaged, or does not fit; the message lists where.
        Nothing is changed.

    >>> import tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save_weights(f"{folder}/model.safetensors", key_map={"dense/kernel": "w", "dense/bias": "b"})
    ...     model.set_weights([2 * w for w in model.get_weights()])
    ...     load_weights(model, f"{folder}/model.safetensors", key_map={"dense/kernel": "w", "dense/bias": "b"})
    >>> model.get_weights()[0].tolist()
    [[1.0], [1.0]]
    """
    path = os.fspath(filepath)
    check_built(model)
    if os.path.isdir(path):
        return ModelSteps(path).restore(model)
    known = (".keras", ".weights.h5", ".weights.json", *FLAT, ".h5", ".hdf5")
    ending = next((e for e in known if path.endswith(e)), "")
    if not ending:
        raise ValueError(
            f"File format not supported: filepath={path}. Weights are loaded from `.weights.h5`, "
            "`.weights.json`, `.safetensors`, `.npz`, `.keras` and `.h5` files."
        )
    if by_name and not ending.endswith((".h5", ".hdf5")):
        raise ValueError(
            f"`by_name=True` is there for older `.h5` files only. Received: filepath={path}"
        )
    if key_map is not None and ending not in FLAT:
        raise ValueError(
            f"`key_map` goes with {' and '.join(FLAT)} files. Received: filepath={path}"
        )
    with explained(path), opened(path) as file:
        if ending in FLAT:
            return flat.assign(model, FLAT[ending].read(file), key_map, skip_mismatch)
        if ending == ".keras" and not hdf5.is_hdf5(file):
            return archive.read_weights(model, file, skip_mismatch)
        if ending == ".weights.json":
            return shards.read(model, file, path, skip_mismatch)
        with hdf5.reading(file) as content:
            inside = hdf5.descend(content, "model_weights")
            if (
                ending == ".weights.h5"
                and inside is None
                and hdf5.names(content, "layer_names", file) is None
            ):
                if by_name:
                    raise SerializationError(
                        f"{path} is no older `.h5` file, which `by_name=True` is there for."
                    )
                return weights.read(model, weights.OneFile(content, raw=file), skip_mismatch)
            legacy_h5.read_weights(
                model, content if inside is None else inside, file, skip_mismatch, by_name
            )
