"""Reads pickles of numbers, texts, lists, dicts and arrays, and runs nothing that they name.

Some data sets were published as pickles. What such a file says of an array is read into the classes
here, and the array is made from it afterwards, of the few supported kinds of numbers: NumPy's
own way back from a pickle believes all that it reads, addresses in memory included.
"""

import os
import pickle
import re
import zipfile
from typing import IO, Any

import numpy as np


def load(file: IO[bytes], encoding: str = "ASCII") -> Any:
    """What a pickle holds.

    Args:
        file: open for reading bytes.
        encoding: of the texts that Python 2 wrote; "bytes" leaves them as they are.

    Raises:
        ValueError: it holds anything else, or is damaged.

    >>> import io
    >>> load(io.BytesIO(pickle.dumps({"a": [1, 2]})))
    {'a': [1, 2]}
    >>> load(io.BytesIO(pickle.dumps(print)))
    Traceback (most recent call last):
    ValueError: Not a pickle of plain data: it names builtins.print. Nothing of it was run.
    """
    try:
        return _plain(_Reader(file, encoding=encoding).load())
    except Exception as error:  # a damaged or hostile pickle may raise anything
        raise ValueError(f"Not a pickle of plain data: {error}. Nothing of it was run.") from error


def load_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """{name: array} of a `.npz` file, arrays of lists included.

    Raises:
        ValueError: an array of anything else than `load` reads.
    """
    with zipfile.ZipFile(path) as archive:
        arrays = {}
        for name in archive.namelist():
            with archive.open(name) as file:
                arrays[name.removesuffix(".npy")] = _load_npy(file)
        return arrays


def _load_npy(file: IO[bytes]) -> np.ndarray:
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(file)
    if version not in headers:
        raise ValueError(
            f"Expected an array in version 1.0 or 2.0 of NumPy's format. Received: {version}"
        )
    shape, by_columns, kind = headers[version](file)
    if kind.hasobject:
        return load(file)
    values = np.frombuffer(file.read(), kind)
    return values.reshape(shape, order="F" if by_columns else "C").copy()


class _Kind:
    """What a pickle says of a `numpy.dtype`."""

    def __init__(self, code: Any, align: bool = False, copy: bool = False) -> None:
        self.code = _text(code)
        self.order = ""

    def __setstate__(self, state: tuple) -> None:
        order = _text(state[1])
        self.order = order if order in ("<", ">") else ""

    def plain(self) -> np.dtype:
        """The dtype, where it is one of numbers, truth values or objects."""
        if not re.fullmatch("[biuf][1248]|O[48]?", self.code):
            raise ValueError(f"arrays of the kind {self.code!r} are not read")
        if self.code.startswith("O"):
            return np.dtype(object)
        return np.dtype(self.order + self.code)


class _Array:
    """What a pickle says of a `numpy.ndarray`: made by `_reconstruct`, given its state
    afterwards.
    """

    def __init__(self, kind: Any, shape: Any, code: Any) -> None:
        self.state = None

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def plain(self) -> np.ndarray:
        """The array."""
        _, shape, kind, by_columns, content = self.state
        kind = kind.plain()
        if kind.hasobject:
            array = np.empty(len(content), object)
            # one by one: lists of one length would be taken for rows
            for i, item in enumerate(content):
                array[i] = _plain(item)
        else:
            array = np.frombuffer(content, kind).copy()
        return array.reshape(shape, order="F" if by_columns else "C")


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.plain()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _text(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii")
    return value


KNOWN = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _Kind,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return KNOWN[module, name]
