"""`KerasFileEditor`: looks into a file of weights, and changes what objects and arrays it has."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.core.errors import SerializationError, readable
from jkeras.core.names.registry import public
from jkeras.saving import archive, hdf5, weights
from jkeras.saving.checksums import Checksums
from jkeras.saving.files import check_target, replacing
from jkeras.saving.hdf5_writing import writing
from jkeras.saving.paths import below
from jkeras.saving.reading import explained, opened
from jkeras.saving.types import Arrays, BinaryFile, FilePath, Model

if TYPE_CHECKING:
    import h5py

DEEPEST = 100  # levels of groups
VARIABLES = "vars"  # the group of an object's own arrays


@public("keras.saving.KerasFileEditor")
class KerasFileEditor:
    """The weights of a `.keras` or `.weights.h5` file, to look at, change and write to another
    file.

    An object is a layer, an optimizer or a metric: a path such as "layers/dense", with arrays named
    "0", "1", … Where a method takes an object, the last part of its path is enough if no other
    object has it.

    Args:
        filepath: the file; it is read at once and never written.

    Raises:
        ValueError: another ending.
        SerializationError (a ValueError): it is damaged, or breaks a rule.

    >>> import tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save_weights(f"{folder}/old.weights.h5")
    ...     editor = KerasFileEditor(f"{folder}/old.weights.h5")
    ...     editor.rename_object("dense", "head")
    ...     editor.save(f"{folder}/new.weights.h5")
    ...     KerasFileEditor(f"{folder}/new.weights.h5").summary()
    Weights of new.weights.h5
    layers/head
        0: (2, 1) float32
        1: (1,) float32
    """

    def __init__(self, filepath: FilePath) -> None:
        self.filepath = os.fsdecode(filepath)
        self.metadata = None
        self.config = None
        if not self.filepath.endswith((".keras", ".weights.h5")):
            raise ValueError(
                "A file to edit must end in `.keras` or `.weights.h5`. Received: "
                f"filepath={filepath}"
            )
        with explained(self.filepath), opened(self.filepath) as file:
            if self.filepath.endswith(".weights.h5"):
                return self._read(file)
            with archive.Archive(file) as content:
                self.metadata = content.metadata
                self.config = content.config()
                member, _, verify = content.zip.open(archive.WEIGHTS)
                self._read(member)
                verify()

    def _read(self, file: BinaryFile) -> None:
        with hdf5.reading(file) as content, Checksums() as sums:
            objects = list(_Walk(file, sums).objects(content, "", DEEPEST))
            sums.finish()
        # {path of object: {name: array}}
        self.weights_dict = {path: arrays for path, _, arrays in objects}
        self.object_metadata = {path: name for path, name, _ in objects if name is not None}

    # ------------------------------------------------------------ looking

    def summary(self) -> None:
        """Prints every object with the shapes and dtypes of its arrays."""
        print(f"Weights of {os.path.basename(self.filepath)}")
        if self.metadata is not None:
            version, date = map(self.metadata.get, ("keras_version", "date_saved"))
            print(f"Saved with Keras {readable(version, 100)} on {readable(date, 100)}")
        for path, arrays in self.weights_dict.items():
            print(readable(path) or "the model itself")
            for name, array in arrays.items():
                print(f"    {readable(name)}: {array.shape} {array.dtype}")

    def compare(self, reference_model: Model) -> dict[str, int | str]:
        """Compares the shapes with those of a model, and prints what is different.

        Returns:
            {"status": "success" or "error", "error_count", "match_count"}, with numbers of arrays;
            an object that one of the two lacks counts once.
        """
        expected = _arrays_of(reference_model)
        problems = []
        matches = 0
        for path in {**expected, **self.weights_dict}:
            if path not in self.weights_dict:
                problems.append(f"{path}: only in the model")
                continue
            if path not in expected:
                problems.append(f"{path}: only in the file")
                continue
            here = self.weights_dict[path]
            there = expected[path]
            for name in {**there, **here}:
                in_file = _described(here, name)
                in_model = _described(there, name)
                if in_file == in_model:
                    matches += 1
                else:
                    problems.append(
                        f"{path}, {name}: {in_file} in the file, {in_model} in the model"
                    )
        print(
            *map(readable, problems), f"{matches} arrays match, {len(problems)} do not.", sep="\n"
        )
        return {
            "status": "error" if problems else "success",
            "error_count": len(problems),
            "match_count": matches,
        }

    # ------------------------------------------------------------ changing

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Gives an object, and so all that is in it, another name under the same parent.

        Args:
            object_name: "dense_2" or "layers/dense_2".
            new_name: without "/".

        Raises:
            ValueError: no or several such objects, a path as a new name, or a name that is taken.
        """
        if "/" in new_name:
            raise ValueError(
                f"The new name of an object is one without a path. Received: new_name={new_name!r}"
            )
        old = self._find(object_name)
        new = "/".join([*old.split("/")[:-1], new_name])
        if new != old and any(_is_in(path, new) for path in self.weights_dict):
            raise ValueError(f"{self.filepath} has an object '{new}' already.")
        self.weights_dict = _moved(self.weights_dict, old, new)
        self.object_metadata = _moved(self.object_metadata, old, new)

    def delete_object(self, object_name: str) -> None:
        """Removes an object, and all that is in it.

        Raises:
            ValueError: no or several such objects.
        """
        old = self._find(object_name)
        for table in (self.weights_dict, self.object_metadata):
            for path in [path for path in table if _is_in(path, old)]:
                del table[path]

    def add_object(self, object_path: str, weights: Any) -> None:
        """Adds an object.

        Args:
            object_path: its whole path, "layers/dense_2".
            weights: dict from names, usually "0", "1", …, to arrays.

        Raises:
            ValueError: no dict, or nothing is where it would lie.
        """
        _check(weights)
        parent = object_path.rpartition("/")[0]
        if parent and not any(_is_in(path, parent) for path in self.weights_dict):
            raise ValueError(
                f"{self.filepath} has nothing at '{parent}', where '{object_path}' would lie. It "
                f"has {list(self.weights_dict)}."
            )
        self.weights_dict[object_path] = {
            name: np.asarray(value) for name, value in weights.items()
        }

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Removes an array from an object.

        Raises:
            ValueError: no or several such objects, or no such array.
        """
        path = self._find(object_name)
        arrays = self.weights_dict.get(path, {})
        if weight_name not in arrays:
            raise ValueError(f"'{path}' has no array '{weight_name}'. It has {list(arrays)}.")
        del arrays[weight_name]

    def add_weights(self, object_name: str, weights: Any) -> None:
        """Adds arrays to an object; those of the same names are replaced.

        Args:
            weights: dict from names to arrays.

        Raises:
            ValueError: no or several such objects, or no dict.
        """
        _check(weights)
        arrays = self.weights_dict.setdefault(self._find(object_name), {})
        arrays.update((name, np.asarray(value)) for name, value in weights.items())

    def save(self, filepath: FilePath) -> None:
        """Writes the weights to a `.weights.h5` file.

        Raises:
            ValueError: another ending.
        """
        path = os.fsdecode(filepath)
        if not path.endswith(".weights.h5"):
            raise ValueError(
                f"Edited weights are written to a `.weights.h5` file. Received: filepath={filepath}"
            )
        check_target(path, overwrite=True)
        with (
            replacing(path, links=True) as temporary,
            writing(temporary) as file,
            Checksums() as sums,
        ):
            store = weights.OneFile(file, sums)
            for group, arrays in self.weights_dict.items():
                slots = store.make(group, self.object_metadata.get(group))
                for name, array in arrays.items():
                    slots[name] = array
            sums.finish()

    def _find(self, name: str) -> str:
        """The whole path of an object."""
        parents = {
            "/".join(path.split("/")[: i + 1])
            for path in self.weights_dict
            for i in range(path.count("/") + 1)
        }
        matches = [path for path in sorted(parents) if name in (path, path.split("/")[-1])]
        if len(matches) != 1:
            count = "several objects" if matches else "no object"
            raise ValueError(
                f"{self.filepath} has {count} '{name}': "
                f"{matches or sorted(self.weights_dict)}. `summary()` shows them all; give the "
                "whole path."
            )
        return matches[0]


def _moved(table: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """A dict by paths, in which an object and all that is in it has another path."""
    return {_moved_path(path, old, new): value for path, value in table.items()}


def _moved_path(path: str, old: str, new: str) -> str:
    if not _is_in(path, old):
        return path
    return new + path[len(old) :]


def _is_in(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}/")


def _check(weights: Any) -> None:
    if not isinstance(weights, dict):
        raise ValueError(
            "`weights` should be a dict from names, usually '0', '1', …, to arrays. Received: "
            f"{type(weights)}"
        )


def _described(arrays: Arrays, name: str) -> str:
    """The shape of an array, in words."""
    if name not in arrays:
        return "missing"
    return f"shape {tuple(np.shape(arrays[name]))}"


class _Walk:
    """Goes through a file of weights.

    Args:
        raw: the file, open for reading bytes.
        sums: `Checksums` of what is read.
    """

    def __init__(self, raw: BinaryFile, sums: Checksums) -> None:
        self.raw = raw
        self.sums = sums
        self.seen = set()  # addresses

    def objects(
        self, group: "h5py.Group", path: str, levels: int
    ) -> Iterator[tuple[str, str | None, Arrays]]:
        """(path, name, arrays) of each object that has arrays; a group met again is left out."""
        import h5py

        address = h5py.h5o.get_info(group.id).addr
        if not levels:
            raise SerializationError(
                f"its groups are nested too deeply: at most {DEEPEST} levels are read."
            )
        if address in self.seen:
            return
        self.seen.add(address)
        if path != VARIABLES:
            yield from self.own_object(group, path)
        for name in group:
            inside = hdf5.child(group, name)
            if name != VARIABLES and isinstance(inside, h5py.Group):
                yield from self.objects(inside, below(path, name), levels - 1)

    def own_object(
        self, group: "h5py.Group", path: str
    ) -> Iterator[tuple[str, str | None, Arrays]]:
        """(path, name, arrays) of the object of a group, if it has arrays of its own."""
        import h5py

        own = hdf5.child(group, VARIABLES)
        if isinstance(own, h5py.Group) and len(own):
            name = hdf5.text(own, "name", self.raw)
            arrays = {
                key: hdf5.read_array(hdf5.child(own, key), None, self.sums, self.raw) for key in own
            }
            yield path, name, arrays


class _Memory:
    """A store that keeps what is written to it."""

    def __init__(self) -> None:
        self.arrays = {}

    def make(self, path: str, name: str | None) -> weights.Writer:
        """A dict-like store for the variables of the object at a path."""

        def put(key: str, value: Any) -> None:
            self.arrays.setdefault(path, {})[key] = value

        return weights.Writer(put)


def _arrays_of(model: Model) -> dict[str, Arrays]:
    """{path: {name: array}} of what a model would write."""
    store = _Memory()
    weights.write(model, store)
    return store.arrays
