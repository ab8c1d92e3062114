"""Whole models in files: `.keras` archives, and `.h5`, the older form."""

import io
import os
import shutil
import tempfile
import warnings
from typing import Any

from jkeras.core.errors import SerializationError
from jkeras.core.names.registry import public
from jkeras.core.session.keras_version import followed_release
from jkeras.saving import archive, hdf5, legacy_h5
from jkeras.saving.checksums import Checksums
from jkeras.saving.files import check_target, replacing
from jkeras.saving.hdf5_writing import writing
from jkeras.saving.model_steps import ModelSteps
from jkeras.saving.moment import at_one_moment
from jkeras.saving.reading import explained, opened
from jkeras.saving.optimizers_of_code import warn_of_code
from jkeras.saving.types import BinaryFile, FilePath, Model

ENDINGS = (".keras", ".h5", ".hdf5")


@public("keras.saving.save_model", "keras.models.save_model")
def save_model(
    model: Any,
    filepath: FilePath | BinaryFile,
    overwrite: bool = True,
    zipped: bool | None = None,
    **kwargs: Any,
) -> None:
    """Saves a model, architecture, weights and optimizer, to a `.keras` (or older `.h5`) file that
    Keras reads too.

    Killed at any moment, or on a full disk, the file is the old one or the new one, whole.

    Args:
        model: a model.
        filepath: where to; or a file object open for writing bytes, which gets a `.keras` archive.
        overwrite: replace a file that is there.
        zipped: True or None: a `.keras` file is an archive; False, a folder, is an error.

    Returns:
        None.

    Raises:
        ValueError: another ending, or `zipped=False`.

    Warns:
        UserWarning: the model is not built, so it has no weights to save.

    >>> import tempfile, jkeras
    >>> layer = jkeras.layers.Dense(1, kernel_initializer="ones")
    >>> model = jkeras.Sequential([jkeras.Input((2,)), layer])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model.keras")
    ...     again = load_model(f"{folder}/model.keras")
    >>> again.count_params()
    3
    """
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {list(kwargs)}")
    if hasattr(filepath, "write"):
        return _save_to_object(model, filepath)
    path = os.fsdecode(filepath)
    if not path.endswith(ENDINGS) or path.endswith(".weights.h5") or zipped is False:
        raise ValueError(
            f"Invalid filepath extension for saving: {path}. Add the ending `.keras` for a whole "
            "model (or `.h5`, its older form); `save_weights` writes `.weights.h5`. Folders are "
            "not written."
        )
    check_target(path, overwrite)
    _warn_of_missing(model)
    with at_one_moment(model), replacing(path, links=True) as temporary:
        if path.endswith(".keras"):
            return archive.write(model, temporary)
        if getattr(model, "ensemble_members", None) is not None:
            model.refuse_ensemble("a file in the older form, `.h5`,")
        with writing(temporary) as file, Checksums() as sums:
            legacy_h5.write(model, file, followed_release(), sums)
            sums.finish()


def _warn_of_missing(model: Any) -> None:
    """Warns of what the file will not have."""
    warn_of_code(getattr(model, "optimizer", None))  # a FeatureSpace has none
    if not model.built:
        warnings.warn(
            f"Model '{model.name}' has not yet been built: the file will have its config, and no "
            "weights. Call it on data once, or give it an `Input`, to save these too.",
            stacklevel=3,
        )


def _save_to_object(model: Model, target: BinaryFile) -> None:
    """Writes an archive to a file object: by way of a file on disk, since HDF5 writes in any order
    and a stream may take bytes in one order only.
    """
    _warn_of_missing(model)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        with at_one_moment(model):
            archive.write(model, path)
        with open(path, "rb") as file:
            shutil.copyfileobj(file, target)


def check_built(model: Any) -> None:
    """Raises ValueError for a model without weights, where these alone are saved or loaded."""
    if not model.built:
        raise ValueError(
            f"The weights of model '{model.name}' cannot be saved or loaded because it has not "
            "yet been built: call it on data once, or give it an `Input`."
        )


@public("keras.saving.load_model", "keras.models.load_model")
def load_model(
    filepath: FilePath | BinaryFile,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    *,
    optimizer: Any = None,
) -> Any:
    """Loads a model from a `.keras` or whole-model `.h5` file, written here or by any Keras from
    2.3 on.

    Args:
        filepath: the file; or a file object open for reading bytes, with a `.keras` archive; or the
            folder of an `OrbaxCheckpoint`, of which the newest checkpoint that is whole counts.
        custom_objects: dict from names to classes and functions of yours.
        compile: compile as it was, and restore the optimizer.
        safe_mode: False lets the file bring code (Python lambdas) and files of this machine
            (vocabularies named by path) into the process: for files that you trust as you trust a
            program.
        optimizer: what to compile with instead of the file's own, whose state it takes over where
            it has the same arrays: for optax transformations, which are in no file.

    Returns:
        the model.

    Raises:
        SerializationError (a ValueError): it is damaged, names unknown classes, holds what is not
            allowed, or has another ending; the message begins with the path. Where there is no such
            file it is a FileNotFoundError too, where it may not be read a PermissionError.

    >>> import tempfile, jkeras
    >>> layer = jkeras.layers.Dense(1, kernel_initializer="ones")
    >>> model = jkeras.Sequential([jkeras.Input((2,)), layer])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/model.keras")
    ...     again = load_model(f"{folder}/model.keras")
    >>> again.predict([[1.0, 2.0]], verbose=0).tolist()
    [[3.0]]
    """
    if hasattr(filepath, "read"):
        with explained(getattr(filepath, "name", "The file object")):
            content = io.BytesIO(filepath.read())
            return archive.read(content, custom_objects, compile, safe_mode, optimizer)
    path = os.fsdecode(filepath)
    if os.path.isdir(path) and not path.endswith(ENDINGS):
        with explained(path):
            return ModelSteps(path).load_model(custom_objects, compile, safe_mode, optimizer)
    if not path.endswith(ENDINGS) or path.endswith(".weights.h5"):
        raise SerializationError(
            f"{path}: File format not supported: filepath={path}. Whole models are loaded "
            "from `.keras` and `.h5` files; weights from `.weights.h5` files with "
            "`model.load_weights`."
        )
    with explained(path), opened(path) as file:
        # which Keras 2 wrote under this name too
        if path.endswith(".keras") and not hdf5.is_hdf5(file):
            return archive.read(file, custom_objects, compile, safe_mode, optimizer)
        with hdf5.reading(file) as content:
            return legacy_h5.read(content, file, custom_objects, compile, safe_mode, optimizer)
