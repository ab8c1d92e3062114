"""HDF5 files: untrusted ones read with care, ours written with checksums.

Only hard links are followed, so nothing leads out of the file; nothing is read whose shape, kind
and stored size have not been looked at before; texts are read by `hdf5_texts.py`.
"""

import contextlib
import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.core.system.host_memory import aligned
from jkeras.core.system.signals import Signals
from jkeras.saving.allowance import FREE_INFLATED, RATIO, allowance_of
from jkeras.saving.hdf5_texts import SIGNATURE, texts
from jkeras.saving.types import BinaryFile

if TYPE_CHECKING:
    import h5py
    from jkeras.saving.checksums import Checksums

KINDS = "fiub"  # floats, integers, truth values
FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
SQUEEZING = {1, 32000}  # those that make data smaller
LONGEST_ATTRIBUTE = 2**26  # bytes
CHECKSUM = "checksum"
HALF = np.dtype("V2")  # as which bfloat16 is stored, which HDF5 does not have


@contextlib.contextmanager
def reading(file: BinaryFile) -> "Iterator[h5py.File]":
    """An open `h5py.File` on a file-like object; what HDF5 says of a damaged one is explained.
    Ctrl-C waits.

    Raises:
        SerializationError: it is damaged, or no HDF5 file.
    """
    import h5py

    try:
        with Signals(), h5py.File(file, "r") as content:
            yield content
    except SerializationError:
        raise
    except (OSError, RuntimeError, KeyError) as error:
        # others may be of the model that is made of it
        raise SerializationError(f"it is damaged or no HDF5 file: {error}") from error


def is_hdf5(file: BinaryFile) -> bool:
    """Whether a file begins as HDF5 files do; it stays where it is.

    >>> import io
    >>> is_hdf5(io.BytesIO(b"PK"))
    False
    """
    start = file.tell()
    signature = file.read(len(SIGNATURE))
    file.seek(start)
    return signature == SIGNATURE


def child(group: "h5py.Group", name: str) -> "h5py.Group | h5py.Dataset | h5py.Datatype | None":
    """The group or dataset of a name right in a group; None if there is none.

    Raises:
        SerializationError: it is no hard link.
    """
    import h5py
    from h5py import h5l

    links = group.id.links
    key = name.encode()
    if not links.exists(key):
        return None
    kind = links.get_info(key).type
    if kind != h5l.TYPE_HARD:
        what = "a soft link (SoftLink)"
        if kind != h5l.TYPE_SOFT:
            what = "an external link (ExternalLink)"
        raise SerializationError(
            f"'{name}' in '{group.name}' is {what}: only what lies in the file itself is "
            "read, by its own name."
        )
    # h5py's own way, which takes any name, takes twice as long
    opened = h5py.h5o.open(group.id, key)
    if isinstance(opened, h5py.h5d.DatasetID):
        return h5py.Dataset(opened)
    if isinstance(opened, h5py.h5g.GroupID):
        return h5py.Group(opened)
    return group[key]


def descend(group: "h5py.Group", path: str) -> "h5py.Group | None":
    """The group at a path with "/" in it; None if there is none.

    Raises:
        SerializationError: the path leads through something that is no group, or over a link.
    """
    import h5py

    for name in filter(None, path.split("/")):
        if name in (".", ".."):
            raise SerializationError(f"'{path}' leads out of '{group.name}'.")
        group = child(group, name)
        if group is None:
            return None
        if not isinstance(group, h5py.Group):
            raise SerializationError(
                f"'{group.name}' should be a group, and is a {type(group).__name__}."
            )
    return group


def read_array(
    data: Any,
    shape: tuple[int, ...] | None = None,
    sums: "Checksums | None" = None,
    raw: BinaryFile | None = None,
) -> np.ndarray:
    """The content of a dataset as a new array.

    Args:
        data: a dataset, or an object like one.
        shape: what it must be, looked at before any memory is taken.
        sums: `Checksums` that compare the one that was written with it, if any.
        raw: the file, open for reading bytes: what lies in it as it is, is read without HDF5, which
            is slower.

    Raises:
        SerializationError: another shape, a kind of data that weights do not have, or bytes that
            are elsewhere or missing.
    """
    _check(data, shape)
    if raw is not None:
        allowance = allowance_of(raw)
        size = data.id.get_storage_size()
        allowance.take(size)
        if data.nbytes > size:
            allowance.inflate(data.nbytes)
    stored = data.dtype
    value = aligned(data.shape, stored.newbyteorder("="), in_huge_pages=True)
    if value.size and not (stored == value.dtype and _read_in_place(data, value, raw)):
        data.read_direct(value)
    if sums is not None:
        saved = _number(data, CHECKSUM)
        if saved is not None:
            sums.expect(data.name, value, saved)
    if value.dtype == HALF:
        return value.view(jnp.bfloat16)
    return value


def _read_in_place(data: "h5py.Dataset", value: Any, raw: BinaryFile) -> bool:
    """Fills an array with the bytes where they lie in the file; False where they do not lie there
    in one piece.
    """
    if raw is None:
        return False
    offset = data.id.get_offset()
    if offset is None:
        return False
    view = value.reshape(-1).view(np.uint8)
    raw.seek(offset)
    if raw.readinto(view) != len(view):
        raise SerializationError(f"'{data.name}' is cut off.")
    return True


def _check(data: Any, shape: tuple[int, ...] | None) -> None:
    from h5py import Dataset, h5d

    if data is None:
        raise SerializationError("'it' should be an array, and is missing.")
    if not isinstance(data, Dataset):
        name = getattr(data, "name", "it")
        raise SerializationError(f"'{name}' should be an array, and is a {type(data).__name__}.")
    plist = data.id.get_create_plist()
    if plist.get_layout() == h5d.VIRTUAL or plist.get_external_count():
        raise SerializationError(
            f"the bytes of '{data.name}' lie in another file, which is not read."
        )
    there, dtype = data.shape, data.dtype
    if there is None:
        raise SerializationError(f"'{data.name}' holds nothing: expected numbers.")
    if dtype.kind not in KINDS and dtype != HALF:
        raise SerializationError(f"'{data.name}' holds {dtype}: expected numbers.")
    if shape is not None and there != tuple(shape):
        raise SerializationError(f"'{data.name}' has the shape {there}: expected {tuple(shape)}.")
    _check_storage(data, plist)


def _check_storage(data: "h5py.Dataset", plist: "h5py.h5p.PropDCID") -> None:
    """Raises for a dataset that is stored in an unknown way, or says that it has more bytes than
    there can be.
    """
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    if not filters <= FILTERS.keys():
        raise SerializationError(
            f"'{data.name}' is stored through the filters {sorted(filters - FILTERS.keys())}: "
            f"expected some of {sorted(FILTERS.values())}."
        )
    size = math.prod(data.shape) * data.dtype.itemsize
    stored = data.id.get_storage_size()
    most = stored
    if filters & SQUEEZING:
        most = FREE_INFLATED + RATIO * stored
    if size > most:
        raise SerializationError(
            f"'{data.name}' says that it has {size} bytes; {stored} are stored."
        )


# ---------------------------------------------------------------- attributes


def _number(data: "h5py.Dataset", name: str) -> int | None:
    """An attribute that is one number; None if there is none."""
    from h5py import h5a

    if not h5a.exists(data.id, name.encode()):
        return None
    attribute = h5a.open(data.id, name.encode())
    dtype = attribute.dtype
    if attribute.shape != () or dtype.kind not in "iu":
        raise SerializationError(f"the attribute '{name}' of '{data.name}' is no number.")
    number = np.empty((), dtype)
    attribute.read(number)
    return int(number)


def text(thing: "h5py.Group | h5py.Dataset", name: str, raw: BinaryFile) -> str | None:
    """An attribute that is a text; None if there is none.

    Args:
        raw: the file, open for reading bytes.
    """
    values = _texts(thing, name, raw)
    if values is None:
        return None
    if len(values) != 1:
        raise SerializationError(f"the attribute '{name}' of '{thing.name}' should be one text.")
    return values[0]


def names(thing: "h5py.Group | h5py.Dataset", attribute: str, raw: BinaryFile) -> list[str] | None:
    """The list of names of an attribute, which may be cut into several numbered ones; None if there
    is none.
    """
    values = _texts(thing, attribute, raw)
    if values is None:
        values = _numbered_texts(thing, attribute, raw)
    if values is None:
        return None
    if len(set(values)) != len(values):
        raise SerializationError(f"the attribute '{attribute}' of '{thing.name}' has a name twice.")
    return values


def _numbered_texts(
    thing: "h5py.Group | h5py.Dataset", attribute: str, raw: BinaryFile
) -> list[str] | None:
    """The texts of an attribute that is cut into numbered ones; None if there is none."""
    values = None
    for i in itertools.count():
        more = _texts(thing, f"{attribute}{i}", raw)
        if more is None:
            return values
        values = values or []
        values += more


def _texts(thing: "h5py.Group | h5py.Dataset", name: str, raw: BinaryFile) -> list[str] | None:
    """The texts of an attribute, as a list; None if there is none."""
    if name not in thing.attrs:
        return None
    values = _encoded_texts(thing, name, raw)
    if values is None:
        raise SerializationError(
            f"the attribute '{name}' of '{thing.name}' holds no text, or too much of it."
        )
    try:
        return [value.decode("utf8") for value in values]
    except UnicodeDecodeError as error:
        raise SerializationError(f"the attribute '{name}' is no text in UTF-8: {error}") from error


def _encoded_texts(
    thing: "h5py.Group | h5py.Dataset", name: str, raw: BinaryFile
) -> list[bytes] | None:
    """The texts of an attribute, as bytes; None if it has no texts, or too much of them."""
    import h5py

    attribute = thing.attrs.get_id(name)
    kind = attribute.dtype
    if h5py.check_string_dtype(kind) is not None and kind.hasobject:
        return texts(raw, h5py.h5o.get_info(thing.id).addr, name)
    count = attribute.get_space().get_simple_extent_npoints()
    if count == 0:
        return []
    if kind.kind == "S" and kind.itemsize * count <= LONGEST_ATTRIBUTE:
        return [bytes(value) for value in np.asarray(thing.attrs[name]).reshape(-1)]
    return None
