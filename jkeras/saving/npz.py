"""`.npz` files: numpy's own archive of arrays by name."""

import ast
import math
import struct
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.core.system.host_memory import aligned
from jkeras.core.system.own_files import open_own
from jkeras.saving.files import Ahead
from jkeras.saving.flat import Stored
from jkeras.saving.hdf5 import KINDS
from jkeras.saving.safe_zip import SafeZip
from jkeras.saving.types import BinaryFile

if TYPE_CHECKING:
    from jkeras.core.weights.variable import Variable
    from jkeras.saving.checksums import Checksums

MAGIC = b"\x93NUMPY"
# {version: (`struct` form of the header's length, where the header begins)}
PREAMBLES = {b"\1": ("<H", 10), b"\2": ("<I", 12), b"\3": ("<I", 12)}
LONGEST_HEADER = 10_000
# an array: the archive's own checksums of the others, in the order of their names
CHECKSUMS = "jkeras.crc32"


def write(variables: "Mapping[str, Variable]", path: str) -> None:
    """Writes variables by name to a new file."""
    with open_own(path) as file, zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        ahead = Ahead(file)
        for name, variable in variables.items():
            value = np.asarray(variable.value)
            ahead.room(file.tell(), value.nbytes)
            put(archive, name, value)
            ahead.written(file.tell())
        put(archive, CHECKSUMS, _checksums({info.filename: info for info in archive.infolist()}))


def _checksums(members: dict[str, zipfile.ZipInfo]) -> np.ndarray:
    """What an archive says of its members, which the archive of a damaged disk or a clumsy tool
    says of others.
    """
    return np.array([members[name].CRC for name in sorted(members)], np.uint32)


def put(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    """Writes an array to an open zip archive; one of a dtype that numpy does not have as bytes
    without a meaning.
    """
    value = np.asarray(value, order="C")
    if value.dtype.isbuiltin == 2:
        value = value.view(f"V{value.itemsize}")
    info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
    with archive.open(info, "w", force_zip64=True) as member:
        header = np.lib.format.header_data_from_array_1_0(value)
        np.lib.format.write_array_header_1_0(member, header)
        member.write(value.reshape(-1).view(np.uint8))  # numpy's own way copies it


def read(file: BinaryFile) -> dict[str, Stored]:
    """{name: `Stored`} of an open file.

    Raises:
        SerializationError: the file is damaged, or holds something else than plain arrays.
    """
    archive = SafeZip(file)
    arrays = {name.removesuffix(".npy"): stored(archive, name) for name in archive.members}
    saved = arrays.pop(CHECKSUMS, None)
    members = {name: info for name, info in archive.members.items() if name != f"{CHECKSUMS}.npy"}
    if saved is not None and not np.array_equal(saved.read(None), _checksums(members)):
        raise SerializationError(
            f"it is damaged: its members are not those that '{CHECKSUMS}' was written for."
        )
    return arrays


def stored(archive: SafeZip, name: str, other: Any = jnp.bfloat16) -> Stored:
    """An array, of which only the header has been read; its bytes are there as many as it says.

    Args:
        archive: a `SafeZip`.
        other: the dtype of bytes without a meaning.
    """
    member, raw, verify = archive.open(name)
    start = member.read(12)
    version = start[6:7]
    if start[:6] != MAGIC or version not in PREAMBLES:
        raise SerializationError(f"the member '{name}' is no array of numpy.")
    form, preamble = PREAMBLES[version]
    length = struct.unpack(form, start[8:preamble])[0]
    if length > LONGEST_HEADER:
        raise SerializationError(f"the header of '{name}' is too long: {length} bytes.")
    begin = preamble + length
    member.seek(preamble)
    shape, dtype, fortran = _parsed(name, member.read(length), jnp.dtype(other))
    size = member.seek(0, 2) - begin
    if size != math.prod(shape) * dtype.itemsize:
        raise SerializationError(
            f"'{name}' with the shape {shape} and dtype {dtype} should have "
            f"{math.prod(shape) * dtype.itemsize} bytes; {size} are there."
        )

    def get(sums: "Checksums | None") -> np.ndarray:
        value = aligned(shape[::-1] if fortran else shape, dtype, in_huge_pages=True)
        raw.seek(begin)
        raw.readinto(value.reshape(-1).view(np.uint8))
        if sums is None:
            verify()  # the archive has checksums of its own
        else:
            sums.check(verify)
        return value.T if fortran else value

    return Stored(shape, dtype, get)


def _parsed(name: str, header: bytes, other: np.dtype) -> tuple[tuple[int, ...], np.dtype, bool]:
    """(shape, dtype, whether the first axis changes fastest) of the header, a Python dict in
    text.
    """
    try:
        fields = ast.literal_eval(header.decode("latin1").strip())
        shape = fields["shape"]
        descr = fields["descr"]
        fortran = fields["fortran_order"]
        if descr == f"|V{other.itemsize}":
            dtype = other
        else:
            dtype = np.dtype(str(descr))
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise SerializationError(f"the header of '{name}' is damaged: {error}") from error
    is_numeric = dtype.kind in KINDS or dtype == other
    if not is_numeric or not _is_shape(shape):
        raise SerializationError(f"'{name}' is no array of numbers: dtype {descr}, shape {shape}.")
    return shape, dtype, bool(fortran)


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(d) is int and d >= 0 for d in value)
