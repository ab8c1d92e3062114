"""extract_archive: what tar and zip archives hold, written below one folder and nowhere else."""

import collections.abc
import functools
import lzma
import os
import pathlib
import stat
import tempfile
import typing
import warnings
import zipfile
import zlib

from jkeras.core.registry import public

CHUNK = 1 << 16
# an archive may unpack to so many times its size, and to so many bytes in any case
RATIO = 100
FREE = 2**26
MOST_MEMBERS = 1_000_000
# what the readers of archives raise, and `tarfile.TarError`
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


@public("jkeras.utils.extract_archive")
def extract_archive(file_path, path=".", archive_format="auto"):
    """Unpacks a tar or zip archive into a folder: files and folders only, and only below it.

    It is unpacked beside the folder first, and comes into it when all is there.

    Args:
        file_path: the archive.
        path: the folder.
        archive_format: "tar", "zip", "auto", or a list.

    Raises:
        ValueError: it is no archive of one of the formats, damaged, or would unpack to far more
            than it is.

    >>> import io, pathlib, tempfile, zipfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with zipfile.ZipFile(f"{folder}/a.zip", "w") as archive:
    ...         archive.writestr("b/c.txt", "hello")
    ...     extract_archive(f"{folder}/a.zip", f"{folder}/out")
    ...     pathlib.Path(folder, "out/b/c.txt").read_text()
    'hello'
    """
    if not unpack(file_path, path, archive_format):
        raise ValueError(
            f"{file_path} is not an archive of the format {archive_format!r}: expected a tar or "
            "zip file."
        )


def unpack(file_path, path, archive_format="auto"):
    """As `extract_archive`, but returns whether the file was an archive of one of the formats."""
    import tarfile  # on first use, as it takes time

    for name in _formats(archive_format):
        if name not in ("tar", "zip"):
            raise NotImplementedError(f"Archive format {name!r} is not known: use 'tar' or 'zip'.")
        try:
            if name == "tar" and tarfile.is_tarfile(file_path):
                with tarfile.open(file_path) as archive:
                    _unpack_all(file_path, path, _tar_members(archive))
                return True
            if name == "zip" and zipfile.is_zipfile(file_path):
                with zipfile.ZipFile(file_path) as archive:
                    _unpack_all(file_path, path, _zip_members(archive))
                return True
        except (tarfile.TarError, *DAMAGED) as error:
            raise ValueError(
                f"The archive {file_path} is damaged: {error}. Nothing of it was unpacked."
            ) from error
    return False


def _formats(archive_format):
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


def _tar_members(archive):
    for info in archive:
        opened = functools.partial(archive.extractfile, info)
        yield _Member(info.name, info.isdir(), info.isreg(), opened)


def _zip_members(archive):
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        is_file = kind in (0, stat.S_IFREG)
        opened = functools.partial(archive.open, info)
        yield _Member(info.filename, info.is_dir(), is_file, opened)


def _unpack_all(archive, folder, members):
    """Writes members below a folder."""
    folder = pathlib.Path(folder).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    left = FREE + RATIO * os.path.getsize(archive)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        for number, member in enumerate(members):
            if number >= MOST_MEMBERS:
                raise ValueError(f"The archive {archive} has more than {MOST_MEMBERS} members.")
            if not _is_unpacked(member):
                warnings.warn(
                    "Not unpacked, since it is a link or leads out of the folder: "
                    f"{member.name[:200]!r}",
                    stacklevel=5,
                )
                continue
            target = pathlib.Path(temporary).joinpath(*_steps(member.name))
            if member.is_folder:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as source, open(target, "wb") as file:
                left = _copied(archive, source, file, left)
        _move(temporary, folder)


def _steps(name):
    """The names on the way to a member."""
    return pathlib.PurePosixPath(name.replace("\\", "/")).parts


def _is_unpacked(member):
    """Whether a member is a folder or file, and lies below the archive's own folder."""
    name = member.name
    if not (member.is_folder or member.is_file) or ".." in _steps(name):
        return False
    return not name.startswith(("/", "\\")) and ":" not in name.split("/")[0]


def _copied(archive, source, file, left):
    """Copies one file; returns how many bytes may still come."""
    while block := source.read(CHUNK):
        left -= len(block)
        if left < 0:
            raise ValueError(
                f"The archive {archive} would unpack to more than {RATIO} times its size. Nothing "
                "of it was kept; if you trust it, unpack it by hand."
            )
        file.write(block)
    return left


def _move(source, folder):
    """Moves all that is in one folder into another, file by file where a folder is there
    already.
    """
    folder.mkdir(exist_ok=True)
    for entry in os.scandir(source):
        place = folder / entry.name
        try:
            os.replace(entry.path, place)
        except OSError:  # a folder is there, which another process may have made just now
            if not entry.is_dir() or not place.is_dir() or place.is_symlink():
                raise
            _move(entry.path, place)
