"""Weights spread over several HDF5 files, and a `.weights.json` beside them that says where each
is, as in Keras.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from jkeras.core.errors import SerializationError, readable
from jkeras.core.system.own_files import open_own
from jkeras.saving import hdf5, safe_json, weights
from jkeras.saving.checksums import Checksums
from jkeras.saving.files import replacing, replacing_all
from jkeras.saving.hdf5_writing import make_group, write_array, writing
from jkeras.saving.paths import below
from jkeras.saving.reading import explained, opened
from jkeras.saving.types import BinaryFile

if TYPE_CHECKING:
    import h5py

GIGABYTE = 2**30
ENDING = ".weights.json"
TRIES = 20  # to read files beside a process that writes them


def write(model: Any, path: str, max_shard_size: float, skipped: Iterable[Any] = ()) -> None:
    """Writes the weights of a model.

    The list of files is replaced last: until then the old one, and the files that it names, are
    there as they were. New files take names that no other has.

    Args:
        max_shard_size: gigabytes of one file.

    Raises:
        ValueError: a weight is larger, or the size is not positive.
    """
    if not max_shard_size > 0:
        raise ValueError(
            f"`max_shard_size` must be a positive number of gigabytes. Received: {max_shard_size}"
        )
    with _Shards(path, max_shard_size * GIGABYTE) as files:
        weights.write(model, files, skipped)
        files.finish()


class _Shards:
    """The store that `weights.write` fills."""

    def __init__(self, path: str, limit: float) -> None:
        self.folder, name = os.path.split(os.path.realpath(path))
        self.path = path
        self.base = name.removesuffix(ENDING)
        self.limit = limit  # bytes
        self.first = f"{self.base}_{0:05}.weights.h5"
        self.files_of = {}
        self.written = []
        self.total = 0
        self.number = 0
        self.open = contextlib.ExitStack()  # the file that is being written
        self.replaced = contextlib.ExitStack()  # all, whose names come when the last is written
        self.begin = self.replaced.enter_context(replacing_all())
        self.sums = Checksums()
        self.size = 0  # of the file that is being written
        self.file = None
        self.groups = {}  # of that file

    def __enter__(self) -> Self:
        self._next()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        try:
            self.replaced.push(self.open)
            self.replaced.__exit__(kind, *exc)
        finally:
            self.sums.close()
            if kind is not None:  # whatever went wrong, what the list names stays
                self._remove(set(self.written) - _listed(self.path))

    def _remove(self, names: set[str]) -> None:
        ours = re.compile(f"{re.escape(self.base)}_[0-9]+\\.weights\\.h5", re.ASCII)
        for name in filter(ours.fullmatch, names):  # a list may name a user's file
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.folder, name))

    def _name(self) -> str:
        """The next name that is free."""
        while True:
            name = f"{self.base}_{self.number:05}.weights.h5"
            self.number += 1
            if not os.path.lexists(os.path.join(self.folder, name)):
                return name

    def _next(self) -> None:
        """Begins another file."""
        self._end()
        name = self._name()
        temporary = self.begin(os.path.join(self.folder, name))
        self.file = self.open.enter_context(writing(temporary))
        self.written.append(name)
        self.size = 0
        self.groups = {}

    def _end(self) -> None:
        """Ends the file that is being written."""
        self.sums.finish()
        self.open.close()

    def make(self, path: str, name: str | None) -> weights.Writer:
        """A dict-like store for the variables of the object at a path."""
        group = below(path, "vars")
        return weights.Writer(lambda key, value: self._put(group, name, key, value))

    def _put(self, group: str, name: str | None, key: str, value: Any) -> None:
        size = value.nbytes
        if size > self.limit:
            raise ValueError(
                f"The array '{key}' of '{group}' has {size} bytes, more than a file of "
                f"{int(self.limit)} may have: give a larger `max_shard_size`."
            )
        if self.size and self.size + size > self.limit:
            self._next()
        self.size += size
        self.total += size
        if group not in self.groups:
            self.groups[group] = make_group(self.file, group, name)
        write_array(self.groups[group], key, value, self.sums)
        here = self.files_of.setdefault(f"/{group}", [])
        if self.written[-1] not in here:
            here.append(self.written[-1])

    def finish(self) -> None:
        """Gives the files their names, and then the list of them; then those of the list before
        go.
        """
        self._end()
        self.replaced.close()
        old = _listed(self.path)
        content = {
            "metadata": {"total_size": self.total},
            "weight_map": {
                group: files[0] if len(files) == 1 else files
                for group, files in self.files_of.items()
            },
        }
        with replacing(self.path, links=True) as temporary, open_own(temporary, "w") as file:
            json.dump(content, file, indent=4)
        self._keep_first(old)
        self._remove(old - set(self.written) - {self.first})

    def _keep_first(self, old: set[str]) -> None:
        """Leaves the first name there, empty where it is not used: Keras opens it first, whatever
        the list says.
        """
        if self.first not in self.written and self.first in old:
            path = os.path.join(self.folder, self.first)
            with replacing(path) as temporary, writing(temporary):
                pass


def _listed(path: str) -> set[str]:
    """The files that the list names that is there now."""
    try:
        with opened(path) as file:
            files = _weight_map(file.read(safe_json.LONGEST))
    except (FileNotFoundError, SerializationError):
        return set()
    return {name for names in files.values() for name in names}


def _weight_map(text: bytes) -> dict[str, list[str]]:
    """{group: names of its files}.

    Raises:
        SerializationError: it is no list of files in the same folder.
    """
    content = safe_json.loads(text, "the list of its files")
    if not isinstance(content, dict) or not isinstance(content.get("weight_map"), dict):
        raise SerializationError("it has no `weight_map`: it is no list of files of weights.")
    unknown = sorted(content.keys() - {"metadata", "weight_map"})
    if unknown:
        raise SerializationError(
            f"it has the entry {readable(repr(unknown[0]), 100)}, which is not known: a newer "
            "version wrote it."
        )
    files = {}
    for group, names in content["weight_map"].items():
        if isinstance(names, str):
            names = [names]
        if not isinstance(names, list) or not all(map(_is_plain, names)):
            raise SerializationError(
                f"for '{group}' it names {str(names)[:100]}: expected files in the same folder."
            )
        files[group] = list(dict.fromkeys(names))
    return files


def _is_plain(name: Any) -> bool:
    """Whether a name is that of an HDF5 file in the same folder, on any system."""
    if not isinstance(name, str) or not name.endswith(".h5"):
        return False
    return os.path.basename(name) == name and "\\" not in name and "\0" not in name


def read(
    model: Any,
    file: BinaryFile,
    path: str,
    skip_mismatch: bool = False,
    skipped: Iterable[Any] = (),
) -> None:
    """Reads the weights of a model from an open list of files, and the files."""
    with contextlib.ExitStack() as stack:
        weights.read(model, _settled(file, path, stack), skip_mismatch, skipped)


def _settled(file: BinaryFile, path: str, stack: contextlib.ExitStack) -> "_Files":
    """The store of the files that a list names, all open while it was there: another process may
    put a new list there, remove the files of the old one, and give their names to others.
    """
    for _ in range(TRIES):
        with contextlib.ExitStack() as opening:
            try:
                files = _Files(_weight_map(file.read(safe_json.LONGEST + 1)), path, opening)
            except (OSError, SerializationError):
                if _is_still_at(file, path):
                    raise
            else:
                if _is_still_at(file, path):
                    stack.push(opening.pop_all())
                    return files
        file = stack.enter_context(opened(path))
    raise SerializationError("it is written anew again and again: load it when that is over.")


def _is_still_at(file: BinaryFile, path: str) -> bool:
    """Whether an open file is the one that lies at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


class _Files:
    """The store that `weights.read` reads.

    Args:
        files_of: {group: names of its files}.
        path: of the list, beside which they are.
        stack: closes them.
    """

    layers = "layers"

    def __init__(
        self, files_of: dict[str, list[str]], path: str, stack: contextlib.ExitStack
    ) -> None:
        self.files_of = files_of
        self.files = {}
        names = dict.fromkeys(name for names in files_of.values() for name in names)
        for name in names:
            self.files[name] = _open(os.path.join(os.path.dirname(path), name), stack)

    def verify(self) -> None:
        """Nothing: each array has a checksum of its own."""

    def find(self, path: str) -> "list[tuple[h5py.Group, BinaryFile]]":
        """The groups of the variables of the object at a path."""
        inside = f"/{below(path, 'vars')}"
        groups = [
            (hdf5.descend(file, inside), raw)
            for file, raw in map(self.files.get, self.files_of.get(inside, ()))
        ]
        return [(group, raw) for group, raw in groups if group is not None]


def _open(path: str, stack: contextlib.ExitStack) -> "tuple[h5py.File, BinaryFile]":
    """(HDF5 file, the same open for reading bytes)."""
    with explained(path):
        raw = stack.enter_context(opened(path, links=False))
        return stack.enter_context(hdf5.reading(raw)), raw
