"""Checksums of files, and of arrays, in a thread beside what reads or writes them."""

import concurrent.futures
import os
import zlib
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.saving.types import BinaryFile

READ = 2**20  # bytes that are read at once; whole blocks
BLOCK = 2**18  # bytes
ROW = 2**13  # bytes of each row of a block
# blocks: with fewer at a time the thread waits for its turn in Python more often than it adds
TOGETHER = 16


def product_sum(content: np.ndarray, start: int = 0) -> int:
    """A checksum of bytes, four times as fast as a CRC: memory is what it waits for.

    Of each whole block the 64-bit words are added up by rows and by columns, and the sums go into a
    CRC-32, as the rest does. So a change of one word changes two sums, and words or rows that
    are swapped change sums too.

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


def checksum(name: str, value: Any) -> int:
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


def checksum_of_file(
    file: BinaryFile,
    start: int,
    size: int,
    function: Callable[[Any, int], int] = zlib.crc32,
    before: int = 0,
) -> int:
    """The checksum of a part of an open file; of one on the disk without touching its position.

    Args:
        function: `(bytes, checksum of those before) -> checksum`.
        before: the checksum of what comes before the part.

    >>> import io
    >>> checksum_of_file(io.BytesIO(b"abcdef"), 2, 2) == zlib.crc32(b"cd")
    True
    """
    try:
        handle = file.fileno()
    except OSError:
        return function(np.frombuffer(file.getbuffer(), np.uint8)[start : start + size], before)
    result = before
    end = start + size
    memory = np.empty(min(READ, size), np.uint8)
    while start < end and (count := os.preadv(handle, [memory[: end - start]], start)):
        result = function(memory[:count], result)
        start += count
    return result


class Now(concurrent.futures.Executor):
    """Calls functions at once, where a thread beside would only be in the way.

    >>> Now().submit(max, 1, 2).result()
    2
    """

    def submit(self, function: Callable[..., Any], /, *args: Any) -> concurrent.futures.Future:
        """A future that is done."""
        future = concurrent.futures.Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def beside() -> concurrent.futures.Executor:
    """An executor: of a thread where the process has another core for it."""
    if len(getattr(os, "sched_getaffinity", _all_cores)(0)) > 1:
        return concurrent.futures.ThreadPoolExecutor(1)
    return Now()


def _all_cores(_: int) -> range:
    return range(os.cpu_count() or 1)


class Checksums:
    """Computes and compares checksums; `finish` waits for them.

    >>> with Checksums() as sums:
    ...     sums.expect("a", np.zeros(2, "uint8"), 7)
    ...     sums.finish()
    Traceback (most recent call last):
        ...
    jkeras.core.errors.SerializationError: damaged, by their checksums: 'a'
    """

    def __init__(self) -> None:
        self._pool = beside()
        self._expected = []  # (name, future of a checksum, what it must be)
        self._pending = []  # (future of a checksum, what takes it)
        self._checks = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _begun(self, name: str, value: Any) -> concurrent.futures.Future:
        """The future of a checksum; for a small array a thread would take longer."""
        pool = Now() if value.nbytes < BLOCK else self._pool
        return pool.submit(checksum, name, value)

    def expect(self, name: str, value: Any, expected: int) -> None:
        """Compares the checksum of an array with what it must be."""
        self._expected.append((name, self._begun(name, value), int(expected)))

    def give(self, name: str, value: Any, take: Callable[[int], Any]) -> None:
        """Calls `take(checksum)`, at the end at the latest; an array that may still be written to
        is looked at now.
        """
        future = self._begun(name, value)
        if value.flags.writeable or future.done():
            take(future.result())
        else:
            self._pending.append((future, take))

    def check(self, function: Callable[[], Any]) -> None:
        """Calls a function at the end, which raises where something is damaged."""
        self._checks.append(function)

    def finish(self) -> None:
        """Waits for all.

        Raises:
            SerializationError: arrays do not have the checksums that were expected.
        """
        damaged = [name for name, future, expected in self._expected if future.result() != expected]
        if damaged:
            raise SerializationError(
                f"damaged, by their checksums: {', '.join(map(repr, damaged[:10]))}"
            )
        for check in self._checks:
            check()
        for future, take in self._pending:
            take(future.result())
        self._expected = []
        self._checks = []
        self._pending = []
