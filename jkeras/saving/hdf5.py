"""HDF5 files: those of strangers read with care, ours written with checksums.

Only hard links are followed, so nothing leads out of the file; nothing is read whose shape, kind and stored size have
not been looked at before.
"""

import contextlib
import zlib

import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import SerializationError

KINDS = "fiub"  # floats, integers, truth values
FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
SQUEEZING = {1, 32000}  # those that make data smaller
RATIO, FREE = 200, 2**24  # compressed data may be so many times its stored size, and so many bytes in any case
LONGEST_ATTRIBUTE = 2**26  # bytes
CHECKSUM = "crc32"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
HALF = (np.dtype("V2"), np.dtype("uint16"))  # as which bfloat16 is stored, which HDF5 does not have


@contextlib.contextmanager
def reading(file):
    """An open `h5py.File` on a file-like object; what HDF5 says of a damaged one is explained.

    Raises:
        SerializationError: it is damaged, or no HDF5 file.
    """
    import h5py

    try:
        with h5py.File(file, "r") as content:
            yield content
    except SerializationError:
        raise
    except (OSError, RuntimeError, KeyError) as error:  # others may be of the model that is made of it
        raise SerializationError(f"it is damaged or no HDF5 file: {error}") from error


def is_hdf5(file):
    """Whether a file begins as HDF5 files do; it stays where it is.

    >>> import io
    >>> is_hdf5(io.BytesIO(b"PK"))
    False
    """
    start = file.tell()
    found = file.read(len(SIGNATURE)) == SIGNATURE
    file.seek(start)
    return found


def child(group, name):
    """The group or dataset of a name right in a group; None if there is none.

    Raises:
        SerializationError: it is no hard link.
    """
    import h5py

    link = group.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise SerializationError(f"'{name}' in '{group.name}' is a {type(link).__name__}: only what lies in the file "
                                 "itself is read, by its own name.")
    return group[name]


def descend(group, path):
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
            raise SerializationError(f"'{group.name}' should be a group, and is a {type(group).__name__}.")
    return group


def read_array(data, shape=None):
    """The content of a dataset as a new array.

    Args:
        data: a dataset, or what stands in its place.
        shape: what it must be, looked at before any memory is taken.

    Raises:
        SerializationError: another shape, a kind of data that weights do not have, bytes that are elsewhere or missing,
            or a checksum that is not right.
    """
    half = isinstance(data, _dataset_class()) and _attribute(data, "dtype", 64) in ("bfloat16", b"bfloat16")
    _check(data, shape, half)
    value = aligned(data.shape, data.dtype.newbyteorder("="))
    if value.size:
        data.read_direct(value)
    saved = _attribute(data, CHECKSUM, 64)
    if saved is not None and np.asarray(saved) != checksum(value):
        raise SerializationError(f"'{data.name}' is damaged: its checksum is not the one that was written with it.")
    return value.view(jnp.bfloat16) if half else value


def _dataset_class():
    import h5py

    return h5py.Dataset


def _check(data, shape, half):
    name = getattr(data, "name", "it")
    if not isinstance(data, _dataset_class()):
        raise SerializationError(f"'{name}' should be an array, and is "
                                 f"{'missing' if data is None else 'a ' + type(data).__name__}.")
    if data.is_virtual or data.external:
        raise SerializationError(f"the bytes of '{name}' lie in another file, which is not read.")
    numbers = data.dtype in HALF if half else data.dtype.kind in KINDS
    if data.shape is None or not numbers:
        raise SerializationError(f"'{name}' holds {'nothing' if data.shape is None else data.dtype}: expected "
                                 f"{'bfloat16' if half else 'numbers'}.")
    if shape is not None and tuple(data.shape) != tuple(shape):
        raise SerializationError(f"'{name}' has the shape {tuple(data.shape)}: expected {tuple(shape)}.")
    plist = data.id.get_create_plist()
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    if not filters <= FILTERS.keys():
        raise SerializationError(f"'{name}' is stored through the filters {sorted(filters - FILTERS.keys())}: expected "
                                 f"some of {sorted(FILTERS.values())}.")
    size, stored = int(np.prod(data.shape, dtype=object)) * data.dtype.itemsize, data.id.get_storage_size()
    if size > (FREE + RATIO * stored if filters & SQUEEZING else stored):
        raise SerializationError(f"'{name}' says that it has {size} bytes; {stored} are stored.")


def aligned(shape, dtype):
    """An array without values, whose memory JAX on a CPU takes over as it is."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start:start + size].view(dtype).reshape(shape)


def checksum(value):
    """The CRC-32 of an array's bytes, in the machine's order.

    >>> checksum(np.zeros(2, "uint8"))
    1104745215
    """
    return zlib.crc32(np.ascontiguousarray(value).reshape(-1).view(np.uint8)) if value.size else 0


def write_array(group, name, value):
    """Writes an array and its checksum."""
    value = np.asarray(value)
    half = value.dtype == jnp.bfloat16
    stored = np.asarray(value, order="C").view("V2") if half else np.asarray(value, order="C")
    data = group.create_dataset(name, data=stored)
    if value.dtype.kind in KINDS or half:
        data.attrs[CHECKSUM] = np.uint32(checksum(stored))
    if half:
        data.attrs["dtype"] = "bfloat16"


# ---------------------------------------------------------------- attributes

def _attribute(thing, name, longest=LONGEST_ATTRIBUTE):
    """An attribute's value; None if there is none.

    Raises:
        SerializationError: it is longer than that.
    """
    if name not in thing.attrs:
        return None
    attribute = thing.attrs.get_id(name)
    size = attribute.get_space().get_simple_extent_npoints() * attribute.get_type().get_size()
    if size > longest:
        raise SerializationError(f"the attribute '{name}' of '{thing.name}' has {size} bytes; at most {longest} are "
                                 "read.")
    return thing.attrs[name]


def text(thing, name):
    """An attribute that is a text; None if there is none."""
    value = _attribute(thing, name)
    if value is None:
        return None
    if not isinstance(value, (str, bytes)):
        raise SerializationError(f"the attribute '{name}' of '{thing.name}' should be a text, and is a "
                                 f"{type(value).__name__}.")
    return _decoded(value, name)


def names(thing, attribute):
    """The list of names of an attribute, which may be cut into several numbered ones; None if there is none."""
    if attribute in thing.attrs:
        return _names(thing, attribute)
    if f"{attribute}0" not in thing.attrs:
        return None
    found, i = [], 0
    while f"{attribute}{i}" in thing.attrs:
        found, i = found + _names(thing, f"{attribute}{i}"), i + 1
    return found


def _names(thing, attribute):
    value = np.asarray(_attribute(thing, attribute))
    if value.ndim != 1 or value.size and not isinstance(value[0], (str, bytes)):
        raise SerializationError(f"the attribute '{attribute}' of '{thing.name}' should be a list of names.")
    found = [_decoded(name, attribute) for name in value.tolist()]
    if len(set(found)) != len(found):
        raise SerializationError(f"the attribute '{attribute}' of '{thing.name}' has a name twice.")
    return found


def _decoded(value, name):
    try:
        return value.decode("utf8") if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise SerializationError(f"the attribute '{name}' is no text in UTF-8: {error}") from error
