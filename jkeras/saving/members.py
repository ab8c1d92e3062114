"""Checksums of members of zip archives, of their large parts while these are at hand: so they are
not read for it once more.
"""

import bisect
import functools
import zlib

from jkeras.saving.checksums import checksum_of_file
from jkeras.saving.types import BinaryFile

LARGE = 2**16  # bytes of a part that is not read with what lies around it
POLYNOMIAL = 0xEDB88320  # of CRC-32: bit 31 is the coefficient of x^0
ONE = 1 << 31


class OfWritten:
    """The CRC-32 of what is written in any order.

    >>> import io
    >>> content = bytes(range(256)) * 1000
    >>> sums = OfWritten()
    >>> sums.add(1000, content[1000:200_000])
    >>> sums.checksum(io.BytesIO(content), 0, len(content)) == zlib.crc32(content)
    True
    """

    def __init__(self) -> None:
        self._starts = []  # in order
        self._parts = {}  # {start: (end, checksum)}

    def add(self, start: int, view: memoryview) -> None:
        """Takes what is written at an offset, instead of all that was there before."""
        end = start + len(view)
        first = bisect.bisect_right(self._starts, start)
        if first and self._parts[self._starts[first - 1]][0] > start:
            first -= 1
        last = bisect.bisect_left(self._starts, end)
        self._starts[first:last] = [start] if len(view) >= LARGE else []
        if len(view) >= LARGE:
            self._parts[start] = (end, zlib.crc32(view))

    def checksum(self, file: BinaryFile, begin: int, size: int) -> int:
        """The checksum of all, which is so many bytes of an open file; what lies between the large
        parts is read.
        """
        result = 0
        at = 0
        for start in self._starts:
            end, of_part = self._parts[start]
            result = checksum_of_file(file, begin + at, start - at, before=result)
            result = joined(result, of_part, end - start)
            at = end
        return checksum_of_file(file, begin + at, size - at, before=result)


class OfRead:
    """The CRC-32 of a part of a file of which arrays are read, most of them in their order.

    Args:
        file: open.
        begin, size: of the part.
    """

    def __init__(self, file: BinaryFile, begin: int, size: int) -> None:
        self.file = file
        self.begin = begin
        self.size = size
        self._at = 0
        self._result = 0

    def add(self, start: int, view: memoryview) -> None:
        """Takes what was read at an offset; what lies before it is read from the file."""
        if start >= self._at:
            self._read(start)
            self._result = zlib.crc32(view, self._result)
            self._at += len(view)

    def checksum(self) -> int:
        """The checksum of all; the rest is read."""
        self._read(self.size)
        return self._result

    def _read(self, end: int) -> None:
        begin = self.begin + self._at
        self._result = checksum_of_file(self.file, begin, end - self._at, before=self._result)
        self._at = end


def joined(first: int, second: int, size: int) -> int:
    """The CRC-32 of bytes and so many more, from those of both.

    >>> joined(zlib.crc32(b"ab"), zlib.crc32(b"cde"), 3) == zlib.crc32(b"abcde")
    True
    """
    return _product(_shift(size), first) ^ second


@functools.lru_cache(256)
def _shift(size: int) -> int:
    """x to the power of the bits of so many bytes, as a remainder."""
    result, square = ONE, ONE >> 8
    while size:
        if size & 1:
            result = _product(result, square)
        square = _product(square, square)
        size >>= 1
    return result


def _product(a: int, b: int) -> int:
    """The remainder of the product of two polynomials over the numbers 0 and 1."""
    result = 0
    while a:
        if a & ONE:
            result ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ (POLYNOMIAL if b & 1 else 0)
    return result
