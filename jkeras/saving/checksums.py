"""Checksums of files, and of arrays, in a thread beside what reads or writes them."""

import concurrent.futures
import os
import zlib

import numpy as np

from jkeras.core.errors import SerializationError

READ = 2**20  # bytes that are read at once; whole blocks
BLOCK = 2**18  # bytes
ROW = 2**13  # bytes of each row of a block
# blocks: with fewer at a time the thread waits for its turn in Python more often than it adds
TOGETHER = 16


def product_sum(content, start=0):
    """A checksum of bytes, four times as fast as a CRC: memory is what it waits for.

    Of each whole block the 64-bit words are added up by rows and by columns, and the sums go into a
    CRC-32, as the rest does. So a change in one place changes two sums, and words or rows that
    change places change sums too.

    Args:
        content: contiguous array of uint8.
        start: the checksum of what comes before, whole blocks.

    >>> content = np.arange(2 * BLOCK + 3, dtype="uint8")
    >>> product_sum(content[BLOCK:], product_sum(content[:BLOCK])) == product_sum(content)
    True
    >>> content[7] ^= 1
    >>> product_sum(content) == product_sum(np.arange(2 * BLOCK + 3, dtype="uint8"))
    False
    """
    block_bytes = content.size // BLOCK * BLOCK
    blocks = content[:block_bytes].view(np.uint64).reshape(-1, BLOCK // ROW, ROW // 8)
    for i in range(0, len(blocks), TOGETHER):
        group = blocks[i : i + TOGETHER]
        sums = [np.add.reduce(group, axis) for axis in (1, 2)]
        start = zlib.crc32(np.concatenate(sums, axis=1), start)
    return zlib.crc32(content[block_bytes:], start)


def checksum(name, value):
    """The checksum of an array's name, dtype, shape and bytes, so that none passes for another.

    >>> checksum("a", np.zeros(2)) == checksum("b", np.zeros(2))
    False
    """
    header = f"{name} {value.dtype.name} {value.shape}"
    start = zlib.crc32(header.encode(errors="surrogateescape"))
    if not value.size:
        return start
    content = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    return product_sum(content, start)


def checksum_of_file(file, start, size, function=zlib.crc32):
    """The checksum of a part of an open file; of one on the disk without touching its position.

    Args:
        function: `(bytes, checksum of those before) -> checksum`.

    >>> import io
    >>> checksum_of_file(io.BytesIO(b"abcdef"), 2, 2) == zlib.crc32(b"cd")
    True
    """
    try:
        handle = file.fileno()
    except OSError:
        return function(np.frombuffer(file.getbuffer(), np.uint8)[start : start + size])
    result = 0
    end = start + size
    memory = np.empty(READ, np.uint8)
    while start < end and (count := os.preadv(handle, [memory[: end - start]], start)):
        result = function(memory[:count], result)
        start += count
    return result


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
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        self._expected = []  # (name, future of a checksum, what it must be)
        self._wanted = []  # (future of a checksum, what takes it)

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
        """Calls `take(checksum)` at the end; an array that may still be written to is looked at
        now.
        """
        future = self._pool.submit(checksum, name, value)
        if value.flags.writeable:
            future.result()
        self._wanted.append((future, take))

    def finish(self):
        """Waits for all.

        Raises:
            SerializationError: arrays do not have the checksums that were expected.
        """
        damaged = [name for name, future, wanted in self._expected if future.result() != wanted]
        if damaged:
            raise SerializationError(
                f"damaged, by their checksums: {', '.join(map(repr, damaged[:10]))}"
            )
        for future, take in self._wanted:
            take(future.result())
        self._expected = []
        self._wanted = []
