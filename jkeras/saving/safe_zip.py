"""Untrusted zip archives: every member once, under a plain name, inflated no further than it
may be.
"""

import contextlib
import functools
import io
import operator
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Self

from jkeras.core.errors import SerializationError
from jkeras.saving.checksums import READ, beside
from jkeras.saving.files import Ahead
from jkeras.saving.members import LARGE, OfRead, OfWritten
from jkeras.saving.types import BinaryFile

MOST_MEMBERS = 10_000
# a member may inflate to so many times its size, and to so many bytes in any case
RATIO = 100
FREE = 2**24
FORBIDDEN = frozenset("\\\0:")  # in names, since systems take them for more than characters
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class SafeZip:
    """A zip archive that has been looked over, for reading.

    Args:
        file: a seekable file open for reading bytes.

    Attributes:
        members: {name: `zipfile.ZipInfo`}.

    Raises:
        SerializationError: it is damaged, or has what an archive of ours never has.
    """

    def __init__(self, file: BinaryFile) -> None:
        self.file = file
        if file.read(4) != b"PK\x03\x04":
            raise SerializationError(
                "it is no zip archive, which begins with PK: it is damaged or something else."
            )
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
            raise SerializationError(f"it is damaged or no zip archive: {error}") from error
        entries = self._zip.infolist()
        if len(entries) > MOST_MEMBERS:
            raise SerializationError(
                f"the archive has {len(entries)} members; at most {MOST_MEMBERS} are read."
            )
        self.members = {}
        for info in entries:
            _check(info)
            if self.members.setdefault(info.filename, info) is not info:
                raise SerializationError(f"the archive has the member {info.filename!r} twice.")
        _check_offsets(entries)
        self._beside = beside()

    def open(self, name: str) -> tuple[BinaryFile, BinaryFile, Callable[[], None]]:
        """(the member as a seekable file, the same for arrays, verify): a view of the archive where
        it is stored as it is, else inflated.

        What is read from the second goes into memory that stays as it is until `verify()`, which
        raises SerializationError where the checksum is not right.
        """
        info = self.members[name]
        if info.compress_type != zipfile.ZIP_STORED:
            content = self._inflated(info)
            return content, content, lambda: None
        start = self._start(info)
        if info.compress_size != info.file_size or start + info.file_size > self.file.seek(0, 2):
            raise SerializationError(f"the member {name!r} is cut off.")
        if info.file_size < LARGE:
            return self._read_whole(info, start)
        sums = OfRead(self.file, start, info.file_size)

        def verify() -> None:
            _check_sum(info, self._beside.submit(sums.checksum).result())

        def note(at: int, view: memoryview) -> None:
            if len(view) >= LARGE:
                self._beside.submit(sums.add, at, view)

        member = Window(self.file, start, info.file_size)
        return member, Window(self.file, start, info.file_size, note), verify

    def _read_whole(
        self, info: zipfile.ZipInfo, start: int
    ) -> tuple[BinaryFile, BinaryFile, Callable[[], None]]:
        """What `open` returns of a small member: all of it in memory, where HDF5 looks for a dozen
        bytes at a time.
        """
        self.file.seek(start)
        content = self.file.read(info.file_size)
        verify = functools.partial(_check_sum, info, zlib.crc32(content))
        member = io.BytesIO(content)
        return member, member, verify

    def _inflated(self, info: zipfile.ZipInfo) -> io.BytesIO:
        """The content of a compressed member, whose checksum has been looked at."""
        name = info.filename
        content = io.BytesIO()
        size = 0
        try:
            with self._zip.open(info) as member:
                while block := member.read(READ):
                    size += len(block)
                    if size > info.file_size:
                        raise SerializationError(
                            f"the member {name!r} is larger than the archive says."
                        )
                    content.write(block)
        except SerializationError:
            raise
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ) as error:
            raise SerializationError(f"the member {name!r} is damaged: {error}") from error
        if size != info.file_size:
            raise SerializationError(
                f"the member {name!r} is cut off: {size} of {info.file_size} bytes are there."
            )
        content.seek(0)
        return content

    def _start(self, info: zipfile.ZipInfo) -> int:
        """Where the bytes of a member begin: behind its header, whose name and extra field have any
        length.
        """
        self.file.seek(info.header_offset + 26)
        lengths = struct.unpack("<HH", self.file.read(4))
        return info.header_offset + 30 + sum(lengths)

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of a member that has at most `limit` of them."""
        if self.members[name].file_size > limit:
            raise SerializationError(
                f"the member {name!r} is too large: {self.members[name].file_size} bytes, at most "
                f"{limit} are read."
            )
        member, _, verify = self.open(name)
        verify()
        return member.read()

    def close(self) -> None:
        """Waits for what is being looked at."""
        self._beside.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _check_sum(info: zipfile.ZipInfo, checksum: int) -> None:
    """Raises where the checksum of a member's bytes is not right."""
    if checksum != info.CRC:
        raise SerializationError(
            f"the member {info.filename!r} is damaged: its checksum is not the one that was "
            "written."
        )


def _check(info: zipfile.ZipInfo) -> None:
    """Raises for a member that is no plain file, or would take more than it may."""
    name = info.filename
    if name != info.orig_filename or not _is_plain(name):
        raise SerializationError(
            f"the archive has a member with the forbidden name {info.orig_filename[:80]!r}."
        )
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise SerializationError(f"the member {name!r} of the archive is a link or special file.")
    if info.flag_bits & 0x1:
        raise SerializationError(f"the member {name!r} of the archive is encrypted.")
    if info.compress_type not in METHODS:
        raise SerializationError(
            f"the member {name!r} is compressed by the method {info.compress_type}, which is not "
            "read."
        )
    if info.file_size > FREE + RATIO * info.compress_size:
        raise SerializationError(
            f"the member {name!r} would inflate from {info.compress_size} to {info.file_size} "
            "bytes."
        )


def _is_plain(name: str) -> bool:
    """Whether a name leads below the archive's own folder, on any system."""
    if not name or name.startswith("/") or not FORBIDDEN.isdisjoint(name):
        return False
    steps = name.split("/")
    return ".." not in steps and max(map(len, steps)) <= 255


def _check_offsets(entries: list[zipfile.ZipInfo]) -> None:
    """Raises where members share bytes, as in an archive that inflates to more than it is."""
    at = 0
    for info in sorted(entries, key=operator.attrgetter("header_offset")):
        if info.header_offset < at:
            raise SerializationError(
                f"the member {info.filename!r} of the archive overlaps with another."
            )
        at = info.header_offset + 30 + len(info.filename.encode()) + info.compress_size
    total = sum([info.file_size for info in entries])
    if total > FREE + RATIO * sum([info.compress_size for info in entries]):
        raise SerializationError(f"the archive would inflate to {total} bytes.")


@contextlib.contextmanager
def written_in_place(
    archive: zipfile.ZipFile, name: str, when: tuple[int, int, int, int, int, int]
) -> "Iterator[Window]":
    """Yields a file for a new member that is written in any order, as HDF5 does; it is not
    compressed.

    Args:
        archive: a `zipfile.ZipFile` of an open file, with members in it.
    """
    file = archive.fp
    file.seek(archive.start_dir)
    info = zipfile.ZipInfo(name, when)
    info.header_offset = archive.start_dir
    info.CRC = info.file_size = info.compress_size = 0
    file.write(info.FileHeader(zip64=True))  # its numbers come later, in as many bytes
    sums, ahead = OfWritten(), Ahead(file)
    member = Window(file, file.tell(), 0)

    def note(at: int, view: memoryview) -> None:
        sums.add(at, view)
        ahead.written(member.start + at)
        ahead.room(member.start + at, len(view))

    member.note = note
    yield member
    file.flush()
    info.file_size = info.compress_size = member.size
    info.CRC = sums.checksum(file, member.start, member.size)
    file.seek(info.header_offset)
    file.write(info.FileHeader(zip64=True))
    archive.filelist.append(info)
    archive.NameToInfo[name] = info
    archive.start_dir = member.start + member.size


class Window(io.RawIOBase):
    """A part of a file, as a file of its own. Written to, it grows: then it is the last part.

    Args:
        note: called with the offset, and the bytes, of what was read or is to be written there.

    >>> Window(io.BytesIO(b"abcdef"), 2, 3).read()
    b'cde'
    """

    def __init__(
        self,
        file: BinaryFile,
        start: int,
        size: int,
        note: Callable[[int, memoryview], None] = lambda at, view: None,
    ) -> None:
        super().__init__()
        self.file = file
        self.start = start
        self.size = size
        self.note = note
        self.at = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    writable = seekable

    def tell(self) -> int:
        """The position."""
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves the position."""
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}
        self.at = max(0, origins[whence] + offset)
        return self.at

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer as far as there is something."""
        view = memoryview(buffer).cast("B")[: max(0, self.size - self.at)]
        self.file.seek(self.start + self.at)
        count = self.file.readinto(view)
        self.note(self.at, view[:count])
        self.at += count
        return count

    def write(self, data: Any) -> int:
        """Writes, and grows where it goes beyond the end."""
        view = memoryview(data).cast("B")
        self.note(self.at, view)
        self.file.seek(self.start + self.at)
        count = self.file.write(view)
        self.at += count
        self.size = max(self.size, self.at)
        return count

    def truncate(self, size: int | None = None) -> int:
        """Sets the size."""
        self.size = self.at if size is None else size
        self.file.truncate(self.start + self.size)
        return self.size
