"""Texts of any length in HDF5 attributes, read without HDF5's own reader.

HDF5 keeps such texts on heaps in the file, and believes what it finds there: a damaged heap lets it
loop for ever or read outside of its memory. Here the header of the object, the attribute and the
heap are walked, with every number looked at first (format: HDF5 File Format Specification, version
3).
"""

import struct
import typing
from collections.abc import Iterator

from jkeras.core.errors import SerializationError
from jkeras.saving.allowance import allowance_of
from jkeras.saving.types import BinaryFile

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ATTRIBUTE = 0x0C  # kinds of messages
CONTINUATION = 0x10
VARIABLE = 9  # class of a datatype
TEXT = 1  # what of it is a text
MOST_BLOCKS = 1000
MOST_TEXTS = 1_000_000
LONGEST = 2**26  # bytes of a text


class Bytes:
    """A file, of which parts are read; what was read of it is cached.

    Args:
        file: seekable, open for reading bytes.

    Attributes:
        heaps: {address: {number: its text}}.
        headers: {address of an object: its attributes' messages}.
    """

    def __init__(self, file: BinaryFile) -> None:
        self.file = file
        self.allowance = allowance_of(file)
        self.size = self.allowance.size
        self.heaps, self.headers = {}, {}

    @classmethod
    def of(cls, file: BinaryFile) -> typing.Self:
        """Those of an open file, which are cached on it."""
        bytes_read = getattr(file, "hdf5_bytes", None)
        if bytes_read is None:
            bytes_read = file.hdf5_bytes = cls(file)
        return bytes_read

    def __call__(self, start: int, count: int) -> bytes:
        """So many bytes from there on.

        Raises:
            SerializationError: there are not so many.
        """
        if start < 0 or count < 0 or start + count > self.size:
            raise SerializationError(
                f"it points to the bytes {start} to {start + count}, and has {self.size}."
            )
        self.allowance.take(count)
        self.file.seek(start)
        return self.file.read(count)


def texts(file: BinaryFile, address: int, attribute: str) -> list[bytes] | None:
    """The texts of an attribute of an object.

    Args:
        file: the HDF5 file, open for reading bytes.
        address: of the object's header.

    Returns:
        A list of bytes; None if the attribute's texts do not lie on a heap.

    Raises:
        SerializationError: the file is damaged.
    """
    read = Bytes.of(file)
    if address not in read.headers:
        if read(0, len(SIGNATURE)) != SIGNATURE:
            raise SerializationError("it does not begin as an HDF5 file does.")
        read.headers[address] = _attributes(read, address)
    message = read.headers[address].get(attribute.encode())
    references = None if message is None else _references(message)
    if references is None:
        return None
    return [_on_heap(read, *reference) for reference in references]


def _attributes(read: Bytes, address: int) -> "dict[bytes, _Attribute]":
    """{name: its parts} of the attributes in an object's header."""
    attributes = {}
    for kind, message in _messages(read, address):
        attribute = _attribute(message) if kind == ATTRIBUTE else None
        if attribute is not None:
            attributes.setdefault(attribute.name, attribute)
    return attributes


class _Header(typing.NamedTuple):
    """How the header of an object is laid out.

    Attributes:
        start: of the first block of messages.
        size: of that block.
        form: `struct` form of kind, length and flags, which stand before each message.
        order: bytes behind these.
        name: bytes that each further block begins with.
        frame: bytes of its name and checksum.
    """

    start: int
    size: int
    form: str
    order: int
    name: int
    frame: int


def _header(read: Bytes, address: int) -> _Header:
    if read(address, 4) == b"OHDR":
        flags = read(address + 5, 1)[0]
        at = address + 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
        width = 1 << (flags & 3)
        size = int.from_bytes(read(at, width), "little")
        return _Header(at + width, size, "<BHB", 2 * bool(flags & 0x04), name=4, frame=8)
    version, _, _, _, size = struct.unpack("<BBHII", read(address, 12))
    if version != 1:
        raise SerializationError(
            f"the header of an object has the version {version}, which is not known."
        )
    return _Header(address + 16, size, "<HHBxxx", order=0, name=0, frame=0)


def _messages(read: Bytes, address: int) -> Iterator[tuple[int, bytes]]:
    """(kind, bytes) of the messages in an object's header."""
    header = _header(read, address)
    blocks = [(header.start, header.size)]
    for count, (start, size) in enumerate(blocks):
        if count > MOST_BLOCKS:
            raise SerializationError("the header of an object has no end.")
        for kind, flags, message in _in_block(read(start, size), header):
            if kind == CONTINUATION and len(message) >= 16:
                begin, length = struct.unpack("<QQ", message[:16])
                blocks.append((begin + header.name, length - header.frame))
            elif not flags & 0x02:
                yield kind, message


def _in_block(block: bytes, header: _Header) -> Iterator[tuple[int, int, bytes]]:
    """(kind, flags, bytes) of the messages in a block."""
    step = struct.calcsize(header.form) + header.order
    at = 0
    while at + step <= len(block):
        kind, length, flags = struct.unpack_from(header.form, block, at)
        at += step
        if at + length > len(block):
            return
        yield kind, flags, block[at : at + length]
        at += length


class _Attribute(typing.NamedTuple):
    """The parts of an attribute's message."""

    name: bytes
    datatype: bytes
    space: bytes
    data: bytes
    is_shared: bool  # its datatype or space is somewhere else


def _attribute(message: bytes) -> _Attribute | None:
    """The parts of a message; None for an unsupported form."""
    if len(message) < 9 or message[0] not in (1, 2, 3):
        return None
    version = message[0]
    at = 8 + (version == 3)
    parts = []
    for size in struct.unpack("<HHH", message[2:8]):
        parts.append(message[at : at + size])
        at += _padded(size) if version == 1 else size
    name, datatype, space = parts
    is_shared = version > 1 and message[1] != 0
    return _Attribute(name.rstrip(b"\0"), datatype, space, message[at:], is_shared)


def _padded(size: int) -> int:
    """The next multiple of eight."""
    return -(-size // 8) * 8


def _references(attribute: _Attribute) -> list[tuple[int, int, int]] | None:
    """[(length, address, number)] of the texts of an attribute; None if it has no such texts."""
    if not _has_texts(attribute):
        return None
    count = _length(attribute.space)
    if count is None:
        return None
    data = attribute.data
    if count > MOST_TEXTS or len(data) < 16 * count:
        raise SerializationError(f"the attribute '{attribute.name.decode()}' is cut off.")
    return [struct.unpack_from("<IQI", data, 16 * i) for i in range(count)]


def _has_texts(attribute: _Attribute) -> bool:
    """Whether an attribute has texts of any length."""
    datatype = attribute.datatype
    if attribute.is_shared or len(datatype) < 8:
        return False
    return datatype[0] & 15 == VARIABLE and datatype[1] & 15 == TEXT


def _length(space: bytes) -> int | None:
    """How many values an attribute has; None for a space of several dimensions."""
    if len(space) < 4:
        return None
    rank = space[1]
    begin = 8 if space[0] == 1 else 4
    if rank > 1 or len(space) < begin + 8 * rank:
        return None
    if rank == 0:
        return 1
    return struct.unpack_from("<Q", space, begin)[0]


def _on_heap(read: Bytes, length: int, address: int, number: int) -> bytes:
    """The text of a number on the heap at an address."""
    if length == 0:
        return b""
    if length > LONGEST:
        raise SerializationError(f"it has a text of {length} bytes; at most {LONGEST} are read.")
    if address not in read.heaps:
        read.heaps[address] = _heap(read, address)
    content = read.heaps[address].get(number)
    if content is None:
        raise SerializationError("a text of it is not on its heap.")
    if length > len(content):
        raise SerializationError(f"a text of it has {length} bytes, where {len(content)} are kept.")
    read.allowance.take(length)
    return content[:length]


def _heap(read: Bytes, address: int) -> dict[int, bytes]:
    """{number: bytes} of the heap at an address."""
    signature, size = struct.unpack("<4s4xQ", read(address, 16))
    if signature != b"GCOL":
        raise SerializationError("a text of it is not where it should be.")
    heap = memoryview(read(address, min(size, read.size - address)))
    objects, at = {}, 16
    while at + 16 <= len(heap):
        number, length = struct.unpack_from("<H6xQ", heap, at)
        if number == 0:
            break  # the rest is free
        objects.setdefault(number, heap[at + 16 : at + 16 + length].tobytes())
        at += 16 + _padded(length)
    return objects
