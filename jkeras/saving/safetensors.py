"""`.safetensors` files, read through a memory map (github.com/huggingface/safetensors).

Eight bytes with the length of a header, the header as JSON, the arrays one after the other.
"""

import functools
import json
import math
import typing
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.core.system.host_memory import aligned
from jkeras.core.system.own_files import open_own
from jkeras.saving import safe_json
from jkeras.saving.checksums import Checksums
from jkeras.saving.files import Ahead
from jkeras.saving.flat import Stored
from jkeras.saving.types import BinaryFile, Config

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
CODES = {name: code for code, name in DTYPES.items()}
# in the metadata: eight hexadecimal digits for each array, in the order of their offsets
CHECKSUMS = "jkeras.checksums"
LONGEST_HEADER = 100_000_000  # bytes, the format's own limit


def write(variables: Mapping[str, typing.Any], path: str, framework: str = "np") -> None:
    """Writes variables by name to a new file.

    Args:
        variables: {name: what has a `shape`, `own_dtype` and `value`}.
        framework: what the file says it is for.

    Raises:
        ValueError: a dtype that the format does not have.
    """
    order = sorted(variables, key=lambda n: (-jnp.dtype(variables[n].own_dtype).itemsize, n))
    entries = {}
    at = 0
    for name in order:
        shape = tuple(variables[name].shape)
        dtype = variables[name].own_dtype
        if dtype not in CODES:
            raise ValueError(
                f"The weight '{name}' has the dtype {dtype}, which `.safetensors` does not have: "
                "save to `.weights.h5`."
            )
        size = math.prod(shape) * jnp.dtype(dtype).itemsize
        entries[name] = {
            "dtype": CODES[dtype],
            "shape": list(shape),
            "data_offsets": [at, at + size],
        }
        at += size
    checksums = dict.fromkeys(order, 0)
    with open_own(path) as file, Checksums() as sums:
        file.write(_header(entries, checksums, framework))
        ahead = Ahead(file)
        for name in order:
            value = np.asarray(variables[name].value)
            sums.give(name, value, functools.partial(checksums.__setitem__, name))
            ahead.room(file.tell(), value.nbytes)
            file.write(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
            ahead.written(file.tell())
        sums.finish()
        file.seek(0)
        file.write(_header(entries, checksums, framework))


def _header(entries: dict[str, Config], sums: dict[str, int], framework: str) -> bytes:
    """The header's bytes; its length does not depend on the checksums."""
    digits = "".join(f"{value:08x}" for value in sums.values())
    metadata = {"format": framework, CHECKSUMS: digits}
    text = json.dumps({"__metadata__": metadata, **entries}).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return len(text).to_bytes(8, "little") + text


def read(file: BinaryFile) -> dict[str, Stored]:
    """{name: `Stored`} of an open file, which is only looked at where arrays are read.

    Raises:
        SerializationError: the file is damaged, or its arrays overlap or lie outside of it.
    """
    size = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(LONGEST_HEADER, size - 8):
        raise SerializationError(
            "it is cut off, or no `.safetensors` file: its header does not fit into it."
        )
    header = safe_json.loads(file.read(length), "its header")
    if not isinstance(header, dict) or not all(isinstance(v, dict) for v in header.values()):
        raise SerializationError("its header should be an object of objects.")
    metadata = header.pop("__metadata__", {})
    begin = 8 + length
    entries = {name: _entry_of(name, fields, size - begin) for name, fields in header.items()}
    _check_entries(entries, size - begin)
    sums = _checksums(metadata, header)

    def stored(name: str, entry: "_Entry") -> Stored:
        arguments = file, name, begin + entry.start, entry, sums.get(name)
        readers = (functools.partial(function, *arguments) for function in (_read, _mapped))
        return Stored(entry.shape, entry.dtype, *readers)

    return {name: stored(name, entry) for name, entry in entries.items()}


def _check_entries(entries: "dict[str, _Entry]", size: int) -> None:
    """Raises unless arrays lie one after the other in so many bytes."""
    at = 0
    for name in sorted(entries, key=lambda name: (entries[name].start, entries[name].end)):
        entry = entries[name]
        if entry.start != at:
            raise SerializationError(
                f"'{name}' begins at byte {entry.start}; the array before it ends at {at}."
            )
        at = entry.end
    if at != size:
        raise SerializationError(
            f"it is cut off or has something behind its arrays, which end at byte {at} of {size}."
        )


class _Entry(typing.NamedTuple):
    """An array in a file; `start` and `end` count from where the arrays begin."""

    shape: tuple
    dtype: np.dtype
    start: int
    end: int


def _entry_of(name: str, entry: typing.Any, size: int) -> _Entry:
    """Where an entry says that its array lies."""
    code = entry.get("dtype")
    shape = entry.get("shape")
    span = entry.get("data_offsets")

    def whole(values: typing.Any) -> bool:
        return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)

    is_valid = entry.keys() == {"dtype", "shape", "data_offsets"}
    if not (is_valid and isinstance(code, str) and whole(shape) and whole(span) and len(span) == 2):
        raise SerializationError(
            f"the header's entry for '{name}' is not valid: {str(entry)[:200]}"
        )
    if code not in DTYPES:
        raise SerializationError(
            f"'{name}' has the dtype {code}: expected one of {', '.join(DTYPES)}."
        )
    dtype = jnp.dtype(DTYPES[code])
    if span[1] > size or span[1] - span[0] != math.prod(shape) * dtype.itemsize:
        raise SerializationError(
            f"'{name}' with the shape {tuple(shape)} and dtype {code} does not fit into the bytes "
            f"{span} of {size}."
        )
    return _Entry(tuple(shape), dtype, *span)


def _checksums(metadata: dict[str, str], header: dict[str, typing.Any]) -> dict[str, int]:
    """{name: checksum} where there are some."""
    digits = metadata.get(CHECKSUMS)
    if digits is None:
        return {}
    names = list(header)
    if (
        not isinstance(digits, str)
        or len(digits) != 8 * len(names)
        or set(digits) - set("0123456789abcdef")
    ):
        raise SerializationError("its checksums are damaged.")
    return {name: int(digits[8 * i : 8 * i + 8], 16) for i, name in enumerate(names)}


def _mapped(
    file: BinaryFile, name: str, start: int, entry: _Entry, saved: int | None, sums: Checksums
) -> np.ndarray:
    """An array that lies in the file."""
    size = entry.end - entry.start
    mapped = np.memmap(file, np.uint8, "r", start, (size,)) if size else np.empty(0, np.uint8)
    value = mapped.view(np.ndarray).view(entry.dtype).reshape(entry.shape)
    if saved is not None:
        sums.expect(name, value, saved)
    return value


def _read(
    file: BinaryFile, name: str, start: int, entry: _Entry, saved: int | None, sums: Checksums
) -> np.ndarray:
    """An array of its own."""
    value = aligned(entry.shape, entry.dtype, in_huge_pages=True)
    content = value.reshape(-1).view(np.uint8)
    file.seek(start)
    if file.readinto(content) != content.size:
        raise SerializationError(f"it was cut off while '{name}' was read.")
    if saved is not None:
        sums.expect(name, value, saved)
    return value
