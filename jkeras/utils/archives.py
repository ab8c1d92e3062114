"""extract_archive: what tar and zip archives hold, written below one folder and nowhere else."""

import lzma
import os
import pathlib
import stat
import tarfile
import tempfile
import warnings
import zipfile
import zlib

from jkeras.core.registry import public

CHUNK = 1 << 16
# an archive may unpack to so many times its size, and to so many bytes in any case
RATIO, FREE = 100, 2**26
MOST_MEMBERS = 1_000_000


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
    formats = (
        ["tar", "zip"]
        if archive_format == "auto"
        else [archive_format]
        if isinstance(archive_format, str)
        else list(archive_format or [])
    )
    for name in formats:
        if name not in ("tar", "zip"):
            raise NotImplementedError(f"Archive format {name!r} is not known: use 'tar' or 'zip'.")
        try:
            if name == "tar" and tarfile.is_tarfile(file_path):
                with tarfile.open(file_path) as archive:
                    _unpack_all(
                        file_path,
                        path,
                        (
                            (m.name, m.isdir(), m.isreg(), lambda m=m: archive.extractfile(m))
                            for m in archive
                        ),
                    )
                return True
            if name == "zip" and zipfile.is_zipfile(file_path):
                with zipfile.ZipFile(file_path) as archive:
                    _unpack_all(
                        file_path,
                        path,
                        (
                            (m.filename, m.is_dir(), _is_plain(m), lambda m=m: archive.open(m))
                            for m in archive.infolist()
                        ),
                    )
                return True
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            RuntimeError,
        ) as error:
            raise ValueError(
                f"The archive {file_path} is damaged: {error}. Nothing of it was unpacked."
            ) from error
    return False


def _is_plain(info):
    mode = info.external_attr >> 16
    return stat.S_IFMT(mode) in (0, stat.S_IFREG)


def _unpack_all(archive, folder, members):
    """Writes (name, is a folder, is a plain file, open) members below a folder."""
    folder = pathlib.Path(folder).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    left = FREE + RATIO * os.path.getsize(archive)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        for number, (name, is_folder, is_file, opened) in enumerate(members):
            if number >= MOST_MEMBERS:
                raise ValueError(f"The archive {archive} has more than {MOST_MEMBERS} members.")
            parts = pathlib.PurePosixPath(name.replace("\\", "/")).parts
            if (
                not (is_folder or is_file)
                or ".." in parts
                or name.startswith(("/", "\\"))
                or ":" in name.split("/")[0]
            ):
                warnings.warn(
                    f"Not unpacked, since it is a link or leads out of the folder: {name[:200]!r}",
                    stacklevel=5,
                )
                continue
            target = pathlib.Path(temporary).joinpath(*parts)
            (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
            if is_file and not is_folder:
                with opened() as source, open(target, "wb") as file:
                    left = _copied(archive, source, file, left)
        _move(temporary, folder)


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
