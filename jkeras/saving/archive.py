"""Model files: `.keras` archives, `.weights.h5` and legacy `.h5`, as Keras writes and reads them."""

import datetime
import io
import json
import os
import zipfile

from jkeras.core import registry
from jkeras.core.errors import SerializationError
from jkeras.core.registry import public
from jkeras.saving import assets, legacy_h5, weights
from jkeras.saving.files import check_target, replacing

KERAS_VERSION = "3.15.1"  # whose format this is
MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
WHEN = (1980, 1, 1, 0, 0, 0)


@public("keras.saving.save_model", "keras.models.save_model")
def save_model(model, filepath, overwrite=True, zipped=None, **kwargs):
    """Saves a model, architecture, weights and optimizer, to a `.keras` (or older `.h5`) file that Keras reads too.

    Args:
        overwrite: replace a file that is there; it stays whole until the new one is.

    Raises:
        ValueError: another ending, or the model is not built.

    >>> import tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model.keras")
    ...     again = load_model(f"{folder}/model.keras")
    >>> again.count_params()
    3
    """
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {list(kwargs)}")
    path = os.fspath(filepath)
    if not path.endswith((".keras", ".h5", ".hdf5")) or path.endswith(".weights.h5") or zipped is False:
        raise ValueError(f"Invalid filepath extension for saving: {path}. Add the ending `.keras` for a whole model "
                         "(or `.h5`, its older form); `save_weights` writes `.weights.h5`. Folders are not written.")
    check_target(path, overwrite)
    _check_built(model)
    if not path.endswith(".keras"):
        return _replace(path, _hdf5(lambda file: legacy_h5.write(model, file, KERAS_VERSION)))
    with registry.sharing():
        config = json.dumps(registry.serialize(model))
    metadata = json.dumps({"keras_version": KERAS_VERSION,
                           "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")})
    buffer = _hdf5(lambda file: weights.write(model, file))
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in zip(MEMBERS, (metadata, config, buffer)):
            archive.writestr(zipfile.ZipInfo(name, WHEN), content)
        for name, content in assets.collect(model).items():
            archive.writestr(zipfile.ZipInfo(name, WHEN), content)


def _replace(path, content):
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content)


def _check_built(model):
    if not model.built:
        raise ValueError(f"Model '{model.name}' cannot be saved because it has not yet been built: call it on data "
                         "once, or give it an `Input`.")


def _hdf5(fill):
    """The bytes of an HDF5 file that `fill(file)` writes."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


@public("keras.saving.load_model", "keras.models.load_model")
def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """Loads a model from a `.keras` or whole-model `.h5` file, written here or by Keras.

    Args:
        custom_objects: dict from names to classes and functions of yours.
        compile: compile as it was, and restore the optimizer.
        safe_mode: has no effect: code in a file is never run.

    Raises:
        ValueError: no such file, or one that is damaged, names unknown classes, or holds code.

    >>> import tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/model.keras")
    ...     again = load_model(f"{folder}/model.keras")
    >>> again.predict([[1.0, 2.0]], verbose=0).tolist()
    [[3.0]]
    """
    path = os.fspath(filepath)
    if not path.endswith((".keras", ".h5", ".hdf5")) or path.endswith(".weights.h5"):
        raise ValueError(f"File format not supported: filepath={path}. Whole models are loaded from `.keras` and `.h5` "
                         "files; weights from `.weights.h5` files with `model.load_weights`.")
    if not os.path.isfile(path):
        raise ValueError(f"File not found: filepath={path}. Please ensure the file is an accessible `.keras` file.")
    if not path.endswith(".keras"):
        return _open(path, path, lambda file: legacy_h5.read(file, custom_objects, compile, path))
    config, content, files = _read_archive(path)
    if not compile:
        config.pop("compile_config", None)
    with registry.sharing():
        model = registry.deserialize(config, custom_objects)
    _read_weights(model, content, path)
    assets.restore(model, files)
    return model


def _read_archive(path):
    """(config, bytes of the weights, assets) of an archive that has just the known members, once each."""
    try:
        with zipfile.ZipFile(path) as archive:
            every = archive.namelist()
            names = [name for name in every if not name.startswith(assets.PREFIX)]
            if len(set(every)) != len(every) or sorted(names) != sorted(MEMBERS):
                raise SerializationError(f"{path} is not a `.keras` file: it holds {names}, expected {list(MEMBERS)}.")
            files = {name: archive.read(name) for name in every if name.startswith(assets.PREFIX)}
            return json.loads(archive.read("config.json")), archive.read("model.weights.h5"), files
    except (zipfile.BadZipFile, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SerializationError(f"{path} is damaged or no `.keras` file: {error}") from error


def _read_weights(model, content, path, skip_mismatch=False):
    _open(io.BytesIO(content) if isinstance(content, bytes) else content, path,
          lambda file: weights.read(model, file, skip_mismatch, path))


def _open(source, path, read):
    """`read(file)` on an open HDF5 file; one that cannot be read is explained."""
    import h5py

    try:
        with h5py.File(source, "r") as file:
            return read(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path} to load.") from None
    except OSError as error:
        raise SerializationError(f"{path} is damaged or no HDF5 file: {error}") from error


@public("keras.saving.save_weights")
def save_weights(model, filepath, overwrite=True, max_shard_size=None, **kwargs):
    """Saves the weights of a model, and its optimizer's state, to a `.weights.h5` file.

    Args:
        max_shard_size: None; files are written in one piece.

    Raises:
        NotImplementedError: a `max_shard_size`.
        ValueError: another ending, or the model is not built.

    >>> import tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/model.weights.h5")
    ...     load_weights(model, f"{folder}/model.weights.h5")
    >>> model.get_weights()[0].tolist()
    [[1.0], [1.0]]
    """
    if max_shard_size is not None:
        raise NotImplementedError("Weights are written to one file. Leave `max_shard_size` out; for arrays that lie on "
                                  f"several devices use `jkeras.saving.Checkpointer`. Received: {max_shard_size=}")
    path = os.fspath(filepath)
    if not path.endswith(".weights.h5"):
        raise ValueError(f"The filename must end in `.weights.h5`. Received: filepath={path}")
    check_target(path, overwrite)
    _check_built(model)
    _replace(path, _hdf5(lambda file: weights.write(model, file)))


@public("keras.saving.load_weights")
def load_weights(model, filepath, skip_mismatch=False, *, by_name=False, **kwargs):
    """Loads the weights of a `.weights.h5`, `.keras` or older `.h5` file into a built model.

    Args:
        skip_mismatch: leave layers alone whose weights do not fit, instead of raising.
        by_name: of an older `.h5` file, match layers by their names instead of their order.

    Raises:
        ValueError: the file does not fit; the message lists where.

    >>> import tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save_weights(f"{folder}/model.weights.h5")
    ...     model.set_weights([2 * w for w in model.get_weights()])
    ...     load_weights(model, f"{folder}/model.weights.h5")
    >>> model.get_weights()[0].tolist()
    [[1.0], [1.0]]
    """
    path = os.fspath(filepath)
    _check_built(model)
    if path.endswith(".keras"):
        return _read_weights(model, _read_archive(path)[1], path, skip_mismatch)
    if by_name and (path.endswith(".weights.h5") or not path.endswith((".h5", ".hdf5"))):
        raise ValueError(f"`by_name=True` is there for older `.h5` files only. Received: filepath={path}")
    if path.endswith(".weights.h5"):
        return _read_weights(model, path, path, skip_mismatch)
    if not path.endswith((".h5", ".hdf5")):
        raise ValueError(f"File format not supported: filepath={path}. Weights are loaded from `.weights.h5`, `.keras` "
                         "and `.h5` files.")
    return _open(path, path, lambda file: legacy_h5.read_weights(
        model, file.get("model_weights", file), skip_mismatch, by_name, path))
