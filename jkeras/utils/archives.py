"""extract_archive: what tar and zip archives hold, written below one folder and nowhere else.

What an archive unpacks to is bounded by its size: bytes (those that are only passed over count, as
they are inflated too), names, files and folders.
"""

import bz2
import collections.abc
import contextlib
import functools
import gzip
import io
import lzma
import os
import pathlib
import stat
import typing
import warnings
import zipfile

from jkeras.core.system.own_files import check_regular, open_own
from jkeras.core.names.registry import public
from jkeras.saving.partial import Partial
from jkeras.core.errors import readable

if typing.TYPE_CHECKING:
    import tarfile

CHUNK = 1 << 16
# an archive may unpack to so many times its size, and to so many bytes in any case
RATIO = 100
FREE = 2**26
# and to one file or folder for so many of its bytes, and to so many in any case
BYTES_EACH = 16
FREE_ENTRIES = 10_000
DEEPEST = 100  # folders in one another
LONGEST_NAME = 255  # bytes of a file's or folder's name
LONGEST_HEADER = 2**20  # bytes of a name, or of what else a tar archive says of a member
COMPRESSED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


@public("jkeras.utils.extract_archive")
def extract_archive(
    file_path: str | os.PathLike,
    path: str | os.PathLike = ".",
    archive_format: str | collections.abc.Sequence[str] | None = "auto",
) -> bool:
    """Unpacks a tar or zip archive into a folder: files and folders only, and only below it.

    It is unpacked beside the folder first, and comes into it when all is there.

    Args:
        file_path: the archive.
        path: the folder.
        archive_format: "tar", "zip", "auto", or a list; None unpacks nothing.

    Returns:
        Whether it was unpacked: False for no format.

    Raises:
        ValueError: it is no archive of one of the formats, damaged, or would unpack to far more
            than it is.

    >>> import io, pathlib, tempfile, zipfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with zipfile.ZipFile(f"{folder}/a.zip", "w") as archive:
    ...         archive.writestr("b/c.txt", "hello")
    ...     extract_archive(f"{folder}/a.zip", f"{folder}/out")
    ...     pathlib.Path(folder, "out/b/c.txt").read_text()
    True
    'hello'
    """
    if archive_format is None:
        return False
    if not unpack(file_path, path, archive_format):
        raise ValueError(
            f"{file_path} is not an archive of the format {archive_format!r}: expected a tar or "
            "zip file."
        )
    return True


def unpack(
    file_path: str | os.PathLike,
    path: str | os.PathLike,
    archive_format: str | collections.abc.Sequence[str] | None = "auto",
) -> bool:
    """As `extract_archive`, but returns whether the file was an archive of one of the formats."""
    openers = {"tar": _opened_tar, "zip": _opened_zip}
    check_regular(file_path)
    for name in _formats(archive_format):
        if name not in openers:
            raise NotImplementedError(f"Archive format {name!r} is not known: use 'tar' or 'zip'.")
        with openers[name](file_path) as members:
            if members is not None:
                _unpack_all(file_path, path, members)
                return True
    return False


def _formats(archive_format: str | collections.abc.Sequence[str] | None) -> list[str]:
    """The names of formats to try."""
    if archive_format == "auto":
        return ["tar", "zip"]
    if isinstance(archive_format, str):
        return [archive_format]
    return list(archive_format or [])


class _Member(typing.NamedTuple):
    """A member of an archive; `open` opens it for reading bytes."""

    name: str
    is_folder: bool
    is_file: bool
    open: collections.abc.Callable


@contextlib.contextmanager
def _opened_tar(
    path: str | os.PathLike,
) -> collections.abc.Iterator[collections.abc.Iterator[_Member] | None]:
    """The members of a tar archive, or None where it is none."""
    import tarfile  # on first use, as it takes time

    with _inflated(path) as stream:
        try:
            archive = tarfile.TarFile(fileobj=stream, mode="r")
        except Exception:  # of a file that is anything at all
            yield None
        else:
            yield _tar_members(archive)


def _tar_members(archive: "tarfile.TarFile") -> collections.abc.Iterator[_Member]:
    for info in archive:
        opened = functools.partial(archive.extractfile, info)
        yield _Member(info.name, info.isdir(), info.isreg(), opened)
        archive.members.clear()  # it would keep them all
    while archive.fileobj.read(CHUNK):  # to the checksum at the end
        pass


@contextlib.contextmanager
def _inflated(path: str | os.PathLike) -> "collections.abc.Iterator[_Counted]":
    """A stream of what a file holds, as `_Counted`."""
    with open(path, "rb") as file:
        magic = file.read(6)
    opener = open
    for begin, one in COMPRESSED.items():
        if magic.startswith(begin):
            opener = one
    with opener(path, "rb") as file:
        yield _Counted(file, FREE + RATIO * os.path.getsize(path))


class _Counted(io.RawIOBase):
    """A stream that is read forwards only, and no further than so many bytes.

    Args:
        file: open for reading bytes.
        most: how many bytes it may have.
    """

    def __init__(self, file: typing.Any, most: int) -> None:
        super().__init__()
        self.file = file
        self.most = most
        self.at = 0

    def tell(self) -> int:
        """The position."""
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Passes over bytes."""
        if whence != io.SEEK_SET or offset < self.at:
            raise _Refused("its members lie in one another")
        while self.at < offset and self.read(min(CHUNK, offset - self.at)):
            pass
        return self.at

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if not 0 <= size <= LONGEST_HEADER:
            raise _Refused(f"a header of {size} bytes")
        content = self.file.read(size)
        self.at += len(content)
        if self.at > self.most:
            raise _Refused(f"it unpacks to more than {RATIO} times its size")
        return content


@contextlib.contextmanager
def _opened_zip(
    path: str | os.PathLike,
) -> collections.abc.Iterator[collections.abc.Iterator[_Member] | None]:
    """The members of a zip archive, or None where it is none."""
    if not zipfile.is_zipfile(path):
        yield None
        return
    with _reading(path):
        archive = zipfile.ZipFile(path)
    with archive:
        yield _zip_members(archive)


def _zip_members(archive: zipfile.ZipFile) -> collections.abc.Iterator[_Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        is_file = kind in (0, stat.S_IFREG)
        opened = functools.partial(archive.open, info)
        yield _Member(info.filename, info.is_dir(), is_file, opened)


class _Refused(Exception):
    """What an archive has is not unpacked."""


@contextlib.contextmanager
def _reading(archive: str | os.PathLike) -> collections.abc.Iterator[None]:
    """Turns what readers of archives raise, which is anything for a hostile one, into one kind of
    error.
    """
    try:
        yield
    except Exception as error:
        reason = readable(error) or type(error).__name__
        raise ValueError(
            f"The archive {archive} is damaged, or not one to unpack: {reason}. Nothing of it was "
            "kept; if you trust it, unpack it by hand."
        ) from None


def _unpack_all(
    archive: str | os.PathLike,
    folder: str | os.PathLike,
    members: collections.abc.Iterator[_Member],
) -> None:
    """Writes members below a folder."""
    folder = pathlib.Path(folder).absolute()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: {archive} is not unpacked there.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Partial(str(folder), is_folder=True)
    try:
        room = _Room(archive, partial.path)
        members = iter(members)
        while member := room.next_of(members):
            room.take(member)
        _move(partial.path, folder)
    finally:
        partial.remove()
    if room.skipped:
        warnings.warn(
            f"Not unpacked, since it is a link or leads out of the folder: {room.skipped[0]!r} "
            f"(and {len(room.skipped) - 1} more)",
            stacklevel=4,
        )


class _Room:
    """The folder that an archive is unpacked into, and how much may still come into it.

    Args:
        archive: path.
        folder: path.
    """

    def __init__(self, archive: str | os.PathLike, folder: str) -> None:
        size = os.path.getsize(archive)
        self.archive = archive
        self.folder = pathlib.Path(folder)
        self.bytes_left = FREE + RATIO * size
        self.entries_left = FREE_ENTRIES + size // BYTES_EACH
        self.skipped = []  # names

    def next_of(self, members: collections.abc.Iterator[_Member]) -> _Member | None:
        """The next member, or None."""
        with _reading(self.archive):
            self.entries_left -= 1
            if self.entries_left < 0:
                raise _Refused("it has more files and folders than are unpacked of one of its size")
            return next(members, None)

    def take(self, member: _Member) -> None:
        """Writes a member, unless it is a link or leads out of the folder."""
        if not _is_unpacked(member):
            self.skipped.append(member.name[:200])
            return
        steps = _steps(member.name)
        with _reading(self.archive):
            self._check(member, steps)
        folders = steps if member.is_folder else steps[:-1]
        self._make(folders, member)
        if member.is_folder:
            return
        target = self.folder.joinpath(*steps)
        if target.is_dir():
            self._conflict(member)
        with _reading(self.archive):
            source = member.open()
        with source, open_own(target) as file:
            self._copy(source, file)

    def _check(self, member: _Member, steps: tuple[str, ...]) -> None:
        if len(steps) > DEEPEST:
            raise _Refused(f"{len(steps)} folders lie in one another")
        if not steps and member.is_file:
            raise _Refused("a file has no name")
        for step in steps:
            if len(step.encode(errors="surrogateescape")) > LONGEST_NAME or "\0" in step:
                raise _Refused(f"{step[:100]!r} is no name of a file")

    def _make(self, folders: tuple[str, ...], member: _Member) -> None:
        """Makes folders in one another."""
        path = self.folder
        for step in folders:
            path = path / step
            try:
                path.mkdir()
            except FileExistsError:
                if not path.is_dir():
                    self._conflict(member)
            else:
                self.entries_left -= 1

    def _conflict(self, member: _Member) -> None:
        with _reading(self.archive):
            raise _Refused(f"{member.name[:200]!r} is a file and a folder")

    def _copy(self, source: typing.Any, file: typing.BinaryIO) -> None:
        while True:
            with _reading(self.archive):
                block = source.read(CHUNK)
                self.bytes_left -= len(block)
                if self.bytes_left < 0:
                    raise _Refused(f"it unpacks to more than {RATIO} times its size")
            if not block:
                return
            file.write(block)


def _steps(name: str) -> tuple[str, ...]:
    """The names on the way to a member."""
    return pathlib.PurePosixPath(name.replace("\\", "/")).parts


def _is_unpacked(member: _Member) -> bool:
    """Whether a member is a folder or file, and lies below the archive's own folder."""
    name = member.name
    if not (member.is_folder or member.is_file) or ".." in _steps(name):
        return False
    return not name.startswith(("/", "\\")) and ":" not in name.split("/")[0]


def _move(source: str, folder: pathlib.Path) -> None:
    """Moves all that is in one folder into another, file by file where a folder is there
    already.
    """
    folder.mkdir(exist_ok=True)
    with os.scandir(source) as listing:
        entries = list(listing)
    for entry in entries:
        target = folder / entry.name
        try:
            os.replace(entry.path, target)
        except OSError as error:  # a folder is there, which another process may have made just now
            if not target.exists():
                raise
            if not entry.is_dir() or not target.is_dir() or target.is_symlink():
                raise FileExistsError(
                    f"{target} is there already, and is not what the archive has under this name "
                    "(a file, or a folder). Move it away, or unpack into another folder."
                ) from error
            _move(entry.path, target)
