"""The files that TensorBoard reads, written without TensorFlow: records of protocol buffers with checksums."""

import os
import socket
import struct
import time
import zlib

import numpy as np


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC = _crc_table()


def masked_crc(data):
    """The CRC-32C of bytes in the masked form of TFRecord files.

    >>> hex(masked_crc(b"123456789"))
    '0xc78ab0e5'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


# ---------------------------------------------------------------- protocol buffers

def _varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number, value):
    """One field of a message: an int, a float (as double), or bytes and text.

    >>> field(2, 300).hex(), field(1, "a").hex()
    ('10ac02', '0a0161')
    """
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def scalar(tag, value):
    """A summary value: one number."""
    return field(1, tag) + _varint(2 << 3 | 5) + struct.pack("<f", float(value))


def histogram(tag, values, bins=30):
    """A summary value: how the numbers of an array are spread."""
    values = np.asarray(values, "float64").ravel()
    counts, edges = np.histogram(values, bins)
    data = b"".join(field(i, float(v)) for i, v in enumerate(
        (values.min(), values.max(), values.size, values.sum(), np.square(values).sum()), 1))
    packed = (np.asarray(a, "<f8").tobytes() for a in (edges[1:], counts))
    return field(1, tag) + field(5, data + b"".join(field(i, a) for i, a in enumerate(packed, 6)))


def image(tag, pixels):
    """A summary value: a picture, uint8 (height, width, channels)."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return field(1, tag) + field(4, field(1, height) + field(2, width) + field(3, channels) + field(4, png))


def keras_graph(text):
    """A summary value: the JSON of a model, from which TensorBoard draws it."""
    plugin = field(1, field(1, "graph_keras_model") + field(2, b"1"))
    return field(1, "keras") + field(9, plugin) + field(8, field(1, 7) + field(2, b"") + field(8, text))


# ---------------------------------------------------------------- the file

class EventFile:
    """A file of events in a folder, opened when the first event is written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     events = EventFile(folder)
    ...     events.write(3, [scalar("loss", 0.5)])
    ...     events.close()
    ...     len(os.listdir(folder))
    1
    """

    def __init__(self, folder):
        self.folder, self.file = folder, None

    def write(self, step, values):
        """Writes one event with summary values."""
        if self.file is None:
            os.makedirs(self.folder, exist_ok=True)
            name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}.{id(self)}.v2"
            self.file = open(os.path.join(self.folder, name), "wb")  # noqa: SIM115
            self._record(field(1, time.time()) + field(3, "brain.Event:2"))
        self._record(field(1, time.time()) + field(2, int(step)) + field(5, b"".join(field(1, v) for v in values)))

    def _record(self, data):
        size = struct.pack("<Q", len(data))
        self.file.write(size + struct.pack("<I", masked_crc(size)) + data + struct.pack("<I", masked_crc(data)))

    def flush(self):
        """Lets readers see what was written."""
        if self.file is not None:
            self.file.flush()

    def close(self):
        """Closes the file."""
        if self.file is not None:
            self.file.close()
            self.file = None
