"""A file of arrays in groups, as keras-hub writes and reads it by a private class of Keras."""

import os

import numpy as np

from jkeras.core.errors import explain
from jkeras.saving import hdf5
from jkeras.saving.files import replacing
from jkeras.saving.hdf5_writing import make_group, write_array, writing
from jkeras.saving.reading import explained, opened


class ArrayStore:
    """Of keras.src.saving.saving_lib, where it is `H5IOStore`: arrays by path and name.

    What is made is in memory until `close` writes the file; what is read is no more than one
    group at a time.

    Args:
        path: of the HDF5 file.
        mode: "w" to write a new one, "r" to read.

    Raises:
        ValueError: another mode.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = ArrayStore(f"{folder}/a.h5", mode="w")
    ...     store.make("lora/0")["kernel"] = [1.0, 2.0]
    ...     store.close()
    ...     ArrayStore(f"{folder}/a.h5").get("lora/0")["kernel"].tolist()
    [1.0, 2.0]
    """

    def __init__(self, path: str | os.PathLike, mode: str = "r") -> None:
        if mode not in ("r", "w"):
            raise ValueError(explain("H5IOStore", "mode 'r' or 'w'", f"mode={mode!r}"))
        self._path, self._mode = path, mode
        self._groups: dict[str, dict] = {}

    def make(self, path: str) -> dict:
        """The arrays of a group, to be filled."""
        return self._groups.setdefault(path, {})

    def get(self, path: str) -> dict[str, np.ndarray]:
        """The arrays of a group by name; none where there is no such group.

        Raises:
            SerializationError: the file is damaged, or holds what are no arrays.
        """
        with explained(self._path), opened(self._path) as raw, hdf5.reading(raw) as file:
            group = hdf5.descend(file, f"{path}/vars")
            names = [] if group is None else list(group)
            return {name: hdf5.read_array(hdf5.child(group, name), raw=raw) for name in names}

    def close(self) -> None:
        """Writes what was made."""
        if self._mode == "r":
            return
        with replacing(self._path, links=True) as temporary, writing(temporary) as file:
            for path, values in self._groups.items():
                group = make_group(file, f"{path}/vars")
                for name, value in values.items():
                    write_array(group, name, value)
