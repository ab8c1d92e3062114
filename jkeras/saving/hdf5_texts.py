"""Texts of any length in HDF5 attributes, read without HDF5's own reader.

HDF5 keeps such texts on heaps in the file, and believes what it finds there: a damaged heap lets it
loop for ever or read outside of its memory. Here the header of the object, the attribute and the
heap are walked, with every number looked at first (format: HDF5 File Format Specification, version
3).
"""

import struct

from jkeras.core.errors import SerializationError

SIGNATURE, ATTRIBUTE, CONTINUATION = b"\x89HDF\r\n\x1a\n", 0x0C, 0x10
VARIABLE, TEXT = 9, 1  # class of a datatype, and what of it is a text
MOST_BLOCKS, MOST_TEXTS, LONGEST = 1000, 1_000_000, 2**26


class Bytes:
    """A file, of which parts are read.

    Args:
        file: seekable, open for reading bytes.
    """

    def __init__(self, file):
        self.file, self.size = file, file.seek(0, 2)

    def __call__(self, start, count):
        """So many bytes from there on.

        Raises:
            SerializationError: there are not so many.
        """
        if start < 0 or count < 0 or start + count > self.size:
            raise SerializationError(
                f"it points to the bytes {start} to {start + count}, and has {self.size}."
            )
        self.file.seek(start)
        return self.file.read(count)


def texts(file, address, attribute):
    """The texts of an attribute of an object.

    Args:
        file: the HDF5 file, open for reading bytes.
        address: of the object's header.

    Returns:
        A list of bytes; None if the attribute's texts do not lie on a heap.

    Raises:
        SerializationError: the file is damaged.
    """
    read = Bytes(file)
    if read(0, len(SIGNATURE)) != SIGNATURE:
        raise SerializationError("it does not begin as an HDF5 file does.")
    for kind, message in _messages(read, address):
        if kind == ATTRIBUTE:
            found = _references(message, attribute.encode())
            if found is not None:
                return [_on_heap(read, *reference) for reference in found]
    return None


def _messages(read, address):
    """(kind, bytes) of the messages in an object's header."""
    if read(address, 4) == b"OHDR":
        flags = read(address + 5, 1)[0]
        at = address + 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
        width = 1 << (flags & 3)
        size = int.from_bytes(read(at, width), "little")
        blocks, head, order = [(at + width, size)], "<BHB", 2 * bool(flags & 0x04)
    else:
        version, _, _, _, size = struct.unpack("<BBHII", read(address, 12))
        if version != 1:
            raise SerializationError(
                f"the header of an object has the version {version}, which is not known."
            )
        blocks, head, order = [(address + 16, size)], "<HHBxxx", 0
    step, is_new = struct.calcsize(head), order or head == "<BHB"
    for count, (start, size) in enumerate(blocks):
        if count > MOST_BLOCKS:
            raise SerializationError("the header of an object has no end.")
        block, at = read(start, size), 0
        while at + step + order <= size:
            kind, length, flags = struct.unpack(head, block[at : at + step])
            at += step + order
            if at + length > size:
                break
            message = block[at : at + length]
            at += length
            if kind == CONTINUATION and length >= 16:
                begin, long = struct.unpack("<QQ", message[:16])
                # without its name and checksum
                blocks.append((begin + 4, long - 8) if is_new else (begin, long))
            elif not flags & 0x02:
                yield kind, message


def _references(message, name):
    """[(length, address, number)] of the texts of an attribute; None if it has another name, or no
    such texts.
    """
    if len(message) < 9 or message[0] not in (1, 2, 3):
        return None
    version = message[0]
    sizes, at = struct.unpack("<HHH", message[2:8]), 8 + (version == 3)
    parts = []
    for size in sizes:
        parts.append(message[at : at + size])
        at += -(-size // 8) * 8 if version == 1 else size
    found, datatype, space = parts
    if found.rstrip(b"\0") != name or len(datatype) < 8 or len(space) < 4:
        return None
    if datatype[0] & 15 != VARIABLE or datatype[1] & 15 != TEXT or version > 1 and message[1]:
        return None
    rank, begin = space[1], 8 if space[0] == 1 else 4
    if rank > 1 or len(space) < begin + 8 * rank:
        return None
    count = struct.unpack("<Q", space[begin : begin + 8])[0] if rank else 1
    data = message[at:]
    if count > MOST_TEXTS or len(data) < 16 * count:
        raise SerializationError(f"the attribute '{name.decode()}' is cut off.")
    return [struct.unpack("<IQI", data[16 * i : 16 * i + 16]) for i in range(count)]


def _on_heap(read, length, address, number):
    """The text of a number on the heap at an address."""
    if length == 0:
        return b""
    if length > LONGEST:
        raise SerializationError(f"it has a text of {length} bytes; at most {LONGEST} are read.")
    signature, size = struct.unpack("<4s4xQ", read(address, 16))
    if signature != b"GCOL":
        raise SerializationError("a text of it is not where it should be.")
    heap, at = read(address, min(size, read.size - address)), 16
    while at + 16 <= len(heap):
        index, content = struct.unpack_from("<H6xQ", heap, at)
        if index == 0:
            break  # the rest is free
        if index == number:
            if length > min(content, len(heap) - at - 16):
                raise SerializationError(
                    f"a text of it has {length} bytes, where {content} are kept."
                )
            return heap[at + 16 : at + 16 + length]
        at += 16 + -(-content // 8) * 8
    raise SerializationError("a text of it is not on its heap.")
