"""`.keras` archives: a zip of a model's config, its weights in HDF5, and the assets of its
layers.
"""

import contextlib
import datetime
import json
import math
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from jkeras.core.names import registry
from jkeras.core.errors import SerializationError
from jkeras.core.session.keras_version import RELEASES
from jkeras.core.session.settings import settings
from jkeras.core.system.own_files import open_own
from jkeras.saving import assets, dialects, ensembles, hdf5, safe_json, weights
from jkeras.saving.hdf5_writing import writing
from jkeras.saving.paths import below
from jkeras.saving.safe_zip import SafeZip, written_in_place
from jkeras.saving.words import ANY, check_words
from jkeras.saving.optimizers_of_code import with_optimizer
from jkeras.saving.types import BinaryFile, Config

if TYPE_CHECKING:
    from jkeras.saving.weights import OneFile

METADATA = "metadata.json"
CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
PRIVACY = "privacy"  # the account of what was revealed, in the metadata, over which Keras passes
KNOWN = {"keras_version": ANY, "date_saved": ANY, PRIVACY: ANY}  # what the metadata has
MEMBERS = (METADATA, CONFIG, WEIGHTS)
LARGEST_ASSET = 2**30  # bytes
LARGEST_METADATA = 2**22
WHEN = (1980, 1, 1, 0, 0, 0)


def write(model: Any, path: str) -> None:
    """Writes a model to a new archive."""
    with registry.sharing():
        described = registry.serialize(model)
    text = _text_of(described)
    metadata = {
        "keras_version": RELEASES[settings.keras_version],
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    record = getattr(model, "private_record", lambda: None)()  # a FeatureSpace has none
    if record is not None:
        metadata[PRIVACY] = record
    with open_own(path, "wb+") as file, zipfile.ZipFile(file, "w") as archive:
        texts = {
            METADATA: json.dumps(metadata),
            CONFIG: text,
            **assets.collect(model),
        }
        for name, content in texts.items():
            archive.writestr(zipfile.ZipInfo(name, WHEN), content)

        def write_weights(model: Any, name: str) -> None:
            with written_in_place(archive, name, WHEN) as member, writing(member) as content:
                weights.write(model, weights.OneFile(content))

        write_weights(model, WEIGHTS)
        ensembles.write(model, write_weights)


def _text_of(described: dict[str, Any]) -> str:
    """A config as JSON. Keras writes NaN and infinity as no JSON has them, and so does this, with a
    warning: loading refuses them unless the caller says that the file is trusted.
    """
    try:
        return json.dumps(described, allow_nan=False)
    except ValueError:
        numbers = list(_odd_numbers(described, ""))
    warnings.warn(
        f"The model's config has numbers that are not finite ({', '.join(numbers[:3])}). The "
        "file is written as Keras writes it; load it with `safe_mode=False`.",
        stacklevel=5,
    )
    return json.dumps(described)


def _odd_numbers(value: Any, path: str) -> Iterator[str]:
    """Each number that is not finite, with its path in the config."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{path}: {value}"
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _odd_numbers(inner, below(path, str(key)))


def read(
    file: BinaryFile,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    optimizer: Any = None,
) -> Any:
    """The model of an archive.

    Args:
        file: open for reading bytes.
        optimizer: to compile with instead of the file's own.

    Raises:
        SerializationError: it is damaged, or breaks a rule.
    """
    with Archive(file) as archive:
        return _read(archive, custom_objects, compile, safe_mode, optimizer)


def _read(
    archive: "Archive",
    custom_objects: dict[str, Any] | None,
    compile: bool,
    safe_mode: bool,
    optimizer: Any,
) -> Any:
    config = archive.config(finite=safe_mode)
    if not archive.is_of_today:
        config = dialects.modern(config)
    compiled = config.pop("compile_config", None)
    if archive.is_old:
        dialects.warn_of_other_numbers(config, custom_objects)
        compiled = compiled and dialects.modern_training(compiled, config)
    compiled = with_optimizer(compiled, optimizer)
    if compile and compiled:
        config["compile_config"] = compiled
    with registry.loading(safe_mode):
        with registry.sharing():
            model = registry.deserialize(config, custom_objects, safe_mode)
        if not hasattr(model, "load_own_variables"):
            raise SerializationError(
                f"its config.json describes a {type(model).__name__}, no model."
            )
        with archive.weights() as store:
            weights.read(model, store)
        archive.give_account(model)
        ensembles.read(model, archive)
        assets.restore(
            model, archive.zip.members, lambda name: archive.zip.read(name, LARGEST_ASSET)
        )
    return model


def read_weights(
    model: Any, file: BinaryFile, skip_mismatch: bool = False, skipped: Iterable[Any] = ()
) -> None:
    """Sets the weights of a model from those of an archive."""
    with Archive(file) as archive, archive.weights() as store:
        weights.read(model, store, skip_mismatch, skipped)
        archive.give_account(model)


class Archive:
    """An archive that has the standard members, and assets beside them.

    Args:
        file: open for reading bytes.

    Attributes:
        zip: the `SafeZip`.
        metadata: dict with the version of Keras and the date.
        is_old: whether that is a version before 3.
        is_of_today: whether it is the one whose words these are.

    Raises:
        SerializationError: it is damaged, or breaks a rule.
    """

    def __init__(self, file: BinaryFile) -> None:
        self.zip = SafeZip(file)
        apart = (assets.PREFIX, ensembles.PREFIX)
        names = [name for name in self.zip.members if not name.startswith(apart)]
        if sorted(names) != sorted(MEMBERS):
            raise SerializationError(
                f"it is no `.keras` file: it holds {names[:10]}, expected {list(MEMBERS)}."
            )
        self.metadata = safe_json.loads(
            self.zip.read(METADATA, LARGEST_METADATA), "its metadata.json"
        )
        if not isinstance(self.metadata, dict):
            raise SerializationError("its metadata.json holds no metadata.")
        check_words(self.metadata, KNOWN, "its metadata.json", optional=KNOWN)
        version = self.metadata.get("keras_version")
        self.is_old = dialects.is_old(version)
        self.is_of_today = version in RELEASES.values()

    def give_account(self, model: Any) -> None:
        """Gives a model the account of what its weights reveal, where the file has one."""
        if PRIVACY not in self.metadata:
            return
        if not hasattr(model, "take_private_record"):
            raise SerializationError(f"its metadata.json has '{PRIVACY}', which is of models.")
        model.take_private_record(self.metadata[PRIVACY])

    def config(self, finite: bool = True) -> Config:
        """The config of the model."""
        config = safe_json.loads(
            self.zip.read(CONFIG, safe_json.LONGEST), "its config.json", finite=finite
        )
        if not isinstance(config, dict) or "class_name" not in config:
            raise SerializationError("its config.json describes no model.")
        return config

    @contextlib.contextmanager
    def weights(self, name: str = WEIGHTS) -> "Iterator[OneFile]":
        """The store of its weights, open in a `with` block."""
        member, raw, verify = self.zip.open(name)
        with hdf5.reading(member) as content:
            yield weights.OneFile(content, raw=raw, verify=verify)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.zip.close()
