"""HDF5 files that are written: what the disk has to say is raised when HDF5 is done.

Groups, arrays and attributes are made by HDF5's own functions: h5py's classes, which take whatever
one has, take several times as long.
"""

import contextlib
import functools
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from jkeras.core.system.own_files import open_own
from jkeras.core.system.signals import Signals
from jkeras.saving.files import LARGE, Ahead
from jkeras.saving.hdf5 import CHECKSUM, HALF, KINDS
from jkeras.saving.types import BinaryFile

if TYPE_CHECKING:
    import h5py
    from jkeras.saving.checksums import Checksums


@contextlib.contextmanager
def writing(target: str | BinaryFile) -> "Iterator[h5py.File]":
    """A new, open `h5py.File`; Ctrl-C waits until it is closed.

    Args:
        target: a path, or a file-like object.

    Raises:
        OSError: the disk is full, or broken.

    >>> buffer = io.BytesIO()
    >>> with writing(buffer) as file:
    ...     file["a"] = 1
    >>> buffer.getvalue()[1:4]
    b'HDF'
    """
    import h5py

    with Signals(), contextlib.ExitStack() as stack:
        ahead = None
        if not hasattr(target, "write"):
            target = stack.enter_context(open_own(target, "wb+", buffering=0))
            ahead = Ahead(target)
        patient = Patient(target, ahead)
        try:
            with h5py.File(patient, "w") as file:
                yield file
        finally:
            patient.flush()  # HDF5 writes once more after it has flushed
            if patient.error is not None:
                raise patient.error


class Patient(io.RawIOBase):
    """A file for HDF5, which ends the process where it cannot write what it must before it closes a
    file.

    After an error nothing is written any more, and HDF5 sees no error. What HDF5 writes of its
    groups, some bytes for each, is gathered as long as each piece lies right behind the one before.

    Args:
        file: open for writing and reading bytes.
        ahead: `Ahead` of the file, or None.

    Attributes:
        error: the first one, or None.
    """

    def __init__(self, file: BinaryFile, ahead: Ahead | None = None) -> None:
        super().__init__()
        self.file = file
        self.ahead = ahead
        self.at = 0
        self.size = 0
        self.error = None
        self._pending = bytearray()  # gathered, not yet written
        self._pending_at = 0

    def _try(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The result; None after an error."""
        if self.error is None:
            try:
                return function(*arguments)
            except Exception as error:  # raised by `writing`
                self.error = error
        return None

    def tell(self) -> int:
        """The position."""
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves the position."""
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}
        self.at = origins[whence] + offset
        return self.at

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer: with zeros where there is nothing."""
        self._write_pending()
        view = memoryview(buffer).cast("B")
        view[:] = bytes(len(view))
        self._try(self._read, view)
        self.at += len(view)
        return len(view)

    def _read(self, view: memoryview) -> None:
        self.file.seek(self.at)
        self.file.readinto(view)

    def write(self, data: Any) -> int:
        """Writes all of some bytes, small pieces later."""
        view = memoryview(data).cast("B")
        if self.at != self._pending_at + len(self._pending) or len(self._pending) >= LARGE:
            self._write_pending()
        if len(view) < LARGE:
            self._pending_at = self.at - len(self._pending)
            self._pending += view
        else:
            self._write_pending()
            self._try(self._write, self.at, view)
        self.at += len(view)
        self.size = max(self.size, self.at)
        return len(view)

    def _write_pending(self) -> None:
        if self._pending:
            self._try(self._write, self._pending_at, memoryview(self._pending))
            self._pending = bytearray()

    def _write(self, start: int, view: memoryview) -> None:
        self.file.seek(start)
        end = start + len(view)
        if self.ahead is not None:
            self.ahead.room(start, len(view))
        while view:
            view = view[self.file.write(view) :]
        if self.ahead is not None:
            self.ahead.written(end)

    def truncate(self, size: int | None = None) -> int:
        """Sets the size."""
        self._write_pending()
        self.size = self.at if size is None else size
        self._try(self.file.truncate, self.size)
        return self.size

    def flush(self) -> None:
        """Hands on what waits."""
        self._write_pending()
        self._try(self.file.flush)


# ---------------------------------------------------------------- what is in a file


def make_group(file: "h5py.Group", path: str, name: str | None = None) -> "h5py.Group":
    """Makes a group at a path, and those it lies in where they are not there.

    Args:
        name: its attribute of this name.
    """
    import h5py

    group = h5py.h5g.create(file.id, path.encode(), _link(path.isascii()))
    if name is not None:
        _set(group, b"name", np.array(name, h5py.string_dtype()), *_text_kinds())
    return h5py.Group(group)


def write_array(
    group: "h5py.Group", name: str, value: Any, sums: "Checksums | None" = None
) -> None:
    """Writes an array, and its checksum where there are `Checksums`."""
    import h5py

    value = np.asarray(value)
    half = value.dtype == jnp.bfloat16
    stored = np.asarray(value, order="C")
    if half:
        stored = stored.view(HALF)
    if not half and value.dtype.kind not in KINDS:
        group.create_dataset(name, data=stored)
        return
    data = _create(group, name, stored)
    if half:
        h5py.Dataset(data).attrs["dtype"] = "bfloat16"
    if sums is not None:
        path = h5py.h5i.get_name(data).decode()
        sums.give(path, stored, functools.partial(_set_checksum, data))


def _create(group: "h5py.Group", name: str, value: np.ndarray) -> "h5py.h5d.DatasetID":
    """The identifier of a new dataset of numbers."""
    from h5py import h5d, h5s

    kind = _kind(value.dtype)
    space = h5s.create_simple(value.shape)
    link = _link(name.isascii())
    data = h5d.create(group.id, name.encode(), kind, space, _as_h5py_makes_them(), link)
    data.write(h5s.ALL, h5s.ALL, value, kind)
    return data


def _set_checksum(data: "h5py.h5d.DatasetID", checksum: int) -> None:
    kind = _kind(np.dtype("<u4"))
    _set(data, CHECKSUM.encode(), np.array(checksum, "<u4"), kind, kind)


def _set(
    identifier: "h5py.h5d.DatasetID | h5py.h5g.GroupID",
    name: bytes,
    value: np.ndarray,
    kind: "h5py.h5t.TypeID",
    in_memory: "h5py.h5t.TypeID",
) -> None:
    """Gives a new group or dataset an attribute that is one value.

    Args:
        kind, in_memory: HDF5's types of the attribute, and of the value.
    """
    from h5py import h5a

    h5a.create(identifier, name, kind, _one_value()).write(value, in_memory)


# ---------------------------------------------------------------- what HDF5 takes long to make


@functools.cache
def _kind(dtype: np.dtype) -> "h5py.h5t.TypeID":
    """HDF5's type of numbers."""
    from h5py import h5t

    return h5t.py_create(dtype, logical=True)


@functools.cache
def _text_kinds() -> "tuple[h5py.h5t.TypeID, h5py.h5t.TypeID]":
    """HDF5's types of a text of any length: in a file, and of a Python object."""
    from h5py import h5t

    dtype = h5t.string_dtype()
    return h5t.py_create(dtype, logical=True), h5t.py_create(dtype)


@functools.cache
def _one_value() -> "h5py.h5s.SpaceID":
    """The space of an attribute that is one value."""
    from h5py import h5s

    return h5s.create(h5s.SCALAR)


@functools.cache
def _as_h5py_makes_them() -> "h5py.h5p.PropDCID":
    """The properties of datasets."""
    from h5py import h5p

    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    return properties


@functools.cache
def _link(is_ascii: bool) -> "h5py.h5p.PropLCID":
    """The properties of links to what is made, by whether their names are of ASCII alone."""
    from h5py import h5p, h5t

    properties = h5p.create(h5p.LINK_CREATE)
    properties.set_create_intermediate_group(True)
    if not is_ascii:
        properties.set_char_encoding(h5t.CSET_UTF8)
    return properties
