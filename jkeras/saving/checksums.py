"""Checksums of files, and of arrays, in a thread beside what reads or writes them."""

import concurrent.futures
import os
import zlib

import numpy as np

from jkeras.core.errors import SerializationError

BLOCK = 2**20  # bytes that are read at once


def checksum(name, value):
    """The CRC-32 of an array's name, dtype, shape and bytes, so that none passes for another.

    >>> checksum("a", np.zeros(2)) == checksum("b", np.zeros(2))
    False
    """
    start = zlib.crc32(f"{name} {value.dtype.name} {value.shape}".encode(errors="surrogateescape"))
    return zlib.crc32(np.ascontiguousarray(value).reshape(-1).view(np.uint8), start) if value.size else start


def checksum_of_file(file, start, size):
    """The CRC-32 of a part of an open file; of one on the disk without touching its position.

    >>> import io
    >>> checksum_of_file(io.BytesIO(b"abcdef"), 2, 2) == zlib.crc32(b"cd")
    True
    """
    try:
        handle = file.fileno()
    except OSError:
        return zlib.crc32(file.getbuffer()[start:start + size])
    found, end = 0, start + size
    while start < end and (block := os.pread(handle, min(BLOCK, end - start), start)):
        found, start = zlib.crc32(block, found), start + len(block)
    return found


class Checksums:
    """Computes and compares checksums; `finish` waits for them.

    >>> with Checksums() as sums:
    ...     sums.expect("a", np.zeros(2, "uint8"), 7)
    ...     sums.finish()
    Traceback (most recent call last):
        ...
    jkeras.core.errors.SerializationError: damaged, by their checksums: 'a'
    """

    def __init__(self):
        self._pool, self._expected, self._wanted = concurrent.futures.ThreadPoolExecutor(1), [], []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """Ends the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def expect(self, name, value, wanted):
        """Compares the checksum of an array with what it must be."""
        self._expected.append((name, self._pool.submit(checksum, name, value), int(wanted)))

    def give(self, name, value, take):
        """Calls `take(checksum)` at the end; an array that may still be written to is looked at now."""
        now = self._pool.submit(checksum, name, value)
        if value.flags.writeable:
            now.result()
        self._wanted.append((now, take))

    def finish(self):
        """Waits for all.

        Raises:
            SerializationError: arrays do not have the checksums that were expected.
        """
        damaged = [name for name, found, wanted in self._expected if found.result() != wanted]
        if damaged:
            raise SerializationError(f"damaged, by their checksums: {', '.join(map(repr, damaged[:10]))}")
        for found, take in self._wanted:
            take(found.result())
        self._expected, self._wanted = [], []
