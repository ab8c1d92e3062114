"""`KerasFileEditor`: looks into a file of weights, and changes what objects and arrays it has."""

import os

import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.core.registry import public
from jkeras.saving import archive, hdf5, weights
from jkeras.saving.checksums import Checksums
from jkeras.saving.files import check_target, replacing
from jkeras.saving.hdf5_writing import writing
from jkeras.saving.reading import explained, opened

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

    def __init__(self, filepath):
        self.filepath, self.metadata, self.config = os.fspath(filepath), None, None
        if not self.filepath.endswith((".keras", ".weights.h5")):
            raise ValueError(
                "A file to edit must end in `.keras` or `.weights.h5`. Received: "
                f"filepath={filepath}"
            )
        with explained(self.filepath), opened(self.filepath) as file:
            if self.filepath.endswith(".weights.h5"):
                return self._read(file)
            with archive.Archive(file) as content:
                self.metadata, self.config = content.metadata, content.config()
                member, verify = content.zip.open(archive.WEIGHTS)
                self._read(member)
                verify()

    def _read(self, file):
        with hdf5.reading(file) as content, Checksums() as sums:
            found = list(_Walk(file, sums).below(content, "", DEEPEST))
            sums.finish()
        # {path of object: {name: array}}
        self.weights_dict = {path: arrays for path, _, arrays in found}
        self.object_metadata = {path: name for path, name, _ in found if name is not None}

    # ------------------------------------------------------------ looking

    def summary(self):
        """Prints every object with the shapes and dtypes of its arrays."""
        print(f"Weights of {os.path.basename(self.filepath)}")
        if self.metadata is not None:
            print(
                f"Saved with Keras {self.metadata.get('keras_version')} on "
                f"{self.metadata.get('date_saved')}"
            )
        for path, arrays in self.weights_dict.items():
            print(path or "the model itself")
            for name, array in arrays.items():
                print(f"    {name}: {array.shape} {array.dtype}")

    def compare(self, reference_model):
        """Compares the shapes with those of a model, and prints what is different.

        Returns:
            {"status": "success" or "error", "error_count", "match_count"}, with numbers of arrays;
            an object that one of the two lacks counts once.
        """
        wanted, problems, matches = _shapes_of(reference_model), [], 0
        for path in {**wanted, **self.weights_dict}:
            if path not in self.weights_dict or path not in wanted:
                problems.append(f"{path}: only in the {'model' if path in wanted else 'file'}")
                continue
            for name in {**wanted[path], **self.weights_dict[path]}:
                here, there = (
                    None if name not in group[path] else tuple(np.shape(group[path][name]))
                    for group in (self.weights_dict, wanted)
                )
                if here == there:
                    matches += 1
                else:
                    problems.append(
                        f"{path}, {name}: {_shown(here)} in the file, {_shown(there)} in the model"
                    )
        print(*problems, f"{matches} arrays match, {len(problems)} do not.", sep="\n")
        return {
            "status": "error" if problems else "success",
            "error_count": len(problems),
            "match_count": matches,
        }

    # ------------------------------------------------------------ changing

    def rename_object(self, object_name, new_name):
        """Gives an object, and so all that is in it, another name in the same place.

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
        for table in ("weights_dict", "object_metadata"):
            setattr(
                self,
                table,
                {
                    new + path[len(old) :] if _is_in(path, old) else path: value
                    for path, value in getattr(self, table).items()
                },
            )

    def delete_object(self, object_name):
        """Removes an object, and all that is in it.

        Raises:
            ValueError: no or several such objects.
        """
        old = self._find(object_name)
        for table in (self.weights_dict, self.object_metadata):
            for path in [path for path in table if _is_in(path, old)]:
                del table[path]

    def add_object(self, object_path, weights):
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

    def delete_weight(self, object_name, weight_name):
        """Removes an array from an object.

        Raises:
            ValueError: no or several such objects, or no such array.
        """
        path = self._find(object_name)
        arrays = self.weights_dict.get(path, {})
        if weight_name not in arrays:
            raise ValueError(f"'{path}' has no array '{weight_name}'. It has {list(arrays)}.")
        del arrays[weight_name]

    def add_weights(self, object_name, weights):
        """Adds arrays to an object; those of the same names are replaced.

        Args:
            weights: dict from names to arrays.

        Raises:
            ValueError: no or several such objects, or no dict.
        """
        _check(weights)
        arrays = self.weights_dict.setdefault(self._find(object_name), {})
        arrays.update((name, np.asarray(value)) for name, value in weights.items())

    def save(self, filepath):
        """Writes the weights to a `.weights.h5` file.

        Raises:
            ValueError: another ending.
        """
        path = os.fspath(filepath)
        if not path.endswith(".weights.h5"):
            raise ValueError(
                f"Edited weights are written to a `.weights.h5` file. Received: filepath={filepath}"
            )
        check_target(path, overwrite=True)
        with replacing(path) as temporary, writing(temporary) as file, Checksums() as sums:
            store = weights.OneFile(file, sums)
            for place, arrays in self.weights_dict.items():
                slots = store.make(place, self.object_metadata.get(place))
                for name, array in arrays.items():
                    slots[name] = array
            sums.finish()

    def _find(self, name):
        """The whole path of an object."""
        parents = {
            "/".join(path.split("/")[: i + 1])
            for path in self.weights_dict
            for i in range(path.count("/") + 1)
        }
        found = [
            path
            for path in sorted(parents)
            if path == name or "/" not in name and path.split("/")[-1] == name
        ]
        if len(found) != 1:
            raise ValueError(
                f"{self.filepath} has {'no object' if not found else 'several objects'} '{name}': "
                f"{found or sorted(self.weights_dict)}. `summary()` shows them all; give the "
                "whole path."
            )
        return found[0]


def _is_in(path, parent):
    return path == parent or path.startswith(f"{parent}/")


def _check(weights):
    if not isinstance(weights, dict):
        raise ValueError(
            "`weights` should be a dict from names, usually '0', '1', …, to arrays. Received: "
            f"{type(weights)}"
        )


def _shown(shape):
    return "missing" if shape is None else f"shape {shape}"


class _Walk:
    """Goes through a file of weights.

    Args:
        raw: the file, open for reading bytes.
        sums: `Checksums` of what is read.
    """

    def __init__(self, raw, sums):
        self.raw, self.sums, self.seen = raw, sums, set()

    def below(self, group, path, levels):
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
        own = hdf5.child(group, VARIABLES) if path != VARIABLES else None
        if isinstance(own, h5py.Group) and len(own):
            yield (
                path,
                hdf5.text(own, "name", self.raw),
                {
                    name: hdf5.read_array(hdf5.child(own, name), None, self.sums, self.raw)
                    for name in own
                },
            )
        for name in group:
            inside = hdf5.child(group, name)
            if name != VARIABLES and isinstance(inside, h5py.Group):
                yield from self.below(inside, f"{path}/{name}" if path else name, levels - 1)


class _Shapes:
    """A store that keeps the shapes of what is written to it."""

    def __init__(self):
        self.found = {}

    def make(self, path, name):
        """A dict-like store for the variables of the object at a path."""
        return weights.Writer(
            lambda key, value: self.found.setdefault(path, {}).__setitem__(key, value)
        )


def _shapes_of(model):
    """{path: {name: array}} of what a model would write."""
    store = _Shapes()
    weights.write(model, store)
    return store.found
