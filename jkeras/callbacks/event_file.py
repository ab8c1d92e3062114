"""The files that TensorBoard reads, written without TensorFlow: records of protocol buffers with
checksums.
"""

import os
import socket
import struct
import time
import zlib
from typing import Any

import numpy as np


def _crc_table() -> list[int]:
    table = []
    for crc in range(256):
        for _ in range(8):
            lowest_bit = crc & 1
            crc >>= 1
            if lowest_bit:
                crc ^= 0x82F63B78
        table.append(crc)
    return table


CRC = _crc_table()


def masked_crc(data: bytes) -> int:
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


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: float | str | bytes) -> bytes:
    """One field of a message: an int, a float (as double), or bytes and text.

    >>> field(2, 300).hex(), field(1, "a").hex()
    ('10ac02', '0a0161')
    """
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, str):
        value = value.encode()
    return _varint(number << 3 | 2) + _varint(len(value)) + value


# TensorFlow's numbers for dtypes
FLOAT = 1
DOUBLE = 2
STRING = 7


def _summary(
    tag: str, plugin: str, dtype: int, shape: tuple[int, ...], content: bytes, about: bytes = b""
) -> bytes:
    """A summary value: a tensor for one of TensorBoard's plugins, as TensorFlow 2 writes it."""
    dimensions = b"".join(field(2, field(1, size)) for size in shape)
    tensor = field(1, dtype) + field(2, dimensions) + content
    metadata = field(1, field(1, plugin) + field(2, about))
    return field(1, tag) + field(9, metadata) + field(8, tensor)


def scalar(tag: str, value: float) -> bytes:
    """A summary value: one number."""
    return _summary(tag, "scalars", FLOAT, (), field(4, struct.pack("<f", float(value))))


def histogram(tag: str, values: Any, bins: int = 30) -> bytes:
    """A summary value: how the finite numbers of an array are spread, as rows (left edge, right
    edge, count).
    """
    values = np.asarray(values, "float64").ravel()
    values = values[np.isfinite(values)]
    rows = np.zeros((bins, 3))
    if values.size and values.min() == values.max():
        rows[:, :2] = values[0]
        rows[-1, 2] = values.size
    elif values.size:
        counts, edges = np.histogram(values, bins)
        rows = np.stack([edges[:-1], edges[1:], counts], axis=1)
    return _summary(tag, "histograms", DOUBLE, rows.shape, field(4, rows.astype("<f8").tobytes()))


def images(tag: str, pictures: list[np.ndarray]) -> bytes:
    """A summary value: pictures of one size, uint8 (height, width, channels)."""
    height, width, _ = pictures[0].shape
    texts = [str(width), str(height), *map(_png, pictures)]
    content = b"".join(field(8, text) for text in texts)
    return _summary(tag, "images", STRING, (len(texts),), content)


def _png(pixels: np.ndarray) -> bytes:
    """A picture as the bytes of a PNG file."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def keras_graph(text: str) -> bytes:
    """A summary value: the JSON of a model, from which TensorBoard draws it."""
    return _summary("keras", "graph_keras_model", STRING, (), field(8, text), b"1")


# ---------------------------------------------------------------- the file

SECONDS = 2.0  # that events wait at most for the next one


class EventFile:
    """A file of events in a folder, made with the first event; it is open only while it is written
    to.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     events = EventFile(folder)
    ...     events.write(3, [scalar("loss", 0.5)])
    ...     events.flush()
    ...     len(os.listdir(folder))
    1
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = folder
        self.path = None
        self._waiting = []
        self._written = time.monotonic()

    def write(self, step: int, values: Any) -> None:
        """Writes one event with summary values; readers see it within seconds, or after `flush`."""
        if self.path is None:
            writer = f"{socket.gethostname()}.{os.getpid()}.{id(self)}"
            name = f"events.out.tfevents.{time.time():.6f}.{writer}.v2"
            self.path = os.path.join(self.folder, name)
            self._record(field(1, time.time()) + field(3, "brain.Event:2"))
        summary = b"".join(field(1, value) for value in values)
        self._record(field(1, time.time()) + field(2, int(step)) + field(5, summary))
        if time.monotonic() - self._written > SECONDS:
            self.flush()

    def _record(self, data: bytes) -> None:
        size = struct.pack("<Q", len(data))
        self._waiting += [
            size,
            struct.pack("<I", masked_crc(size)),
            data,
            struct.pack("<I", masked_crc(data)),
        ]

    def flush(self) -> None:
        """Lets readers see what was written."""
        self._written = time.monotonic()
        if self._waiting:
            os.makedirs(self.folder, exist_ok=True)
            with open(self.path, "ab") as file:
                file.write(b"".join(self._waiting))
            self._waiting = []
