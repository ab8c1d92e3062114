"""Files written whole or not at all."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator

from jkeras.saving.partial import Partial
from jkeras.saving.types import BinaryFile, FilePath

AHEAD = 2**22  # bytes
LARGE = 2**16  # bytes, for which the disk is asked for room


@contextlib.contextmanager
def replacing(path: FilePath, links: bool = False) -> Iterator[str]:
    """Yields the path of a temporary file beside `path`, which replaces it when the block ends
    without an error.

    The content is on the disk before the name changes, so a kill or power cut leaves the old file
    or the new one. What killed ones left there of the same file is removed.

    Args:
        links: follow a symbolic link at `path`, which a user passed. Else, as for names in a
            folder that others may have filled, the file replaces the link.
    """
    with replacing_all() as begin:
        yield begin(path, links)


@contextlib.contextmanager
def replacing_all() -> Iterator[Callable[..., str]]:
    """As `replacing`, of several files: yields a function that gives the temporary path for a path.

    All are on the disk before the first name changes: what changes a folder in between has the disk
    write its journal again for each.
    """
    files = []  # (`Partial`, path)

    def begin(path: FilePath, links: bool = False) -> str:
        path = _target(os.fsdecode(path), links)
        _check_kind(path)
        files.append((Partial(path), path))
        return files[-1][0].path

    try:
        yield begin
        for partial, path in files:
            os.chmod(partial.path, _mode(path))
        for partial, _ in files:
            sync(partial.path)
        for partial, path in files:
            os.replace(partial.path, path)
            partial.close()
    except BaseException as error:
        for partial, _ in files:
            partial.remove()
        if files and isinstance(error, OSError) and error.errno is not None:
            raise type(error)(
                error.errno,
                f"{files[-1][1]} could not be written: {os.strerror(error.errno)}. What was there "
                "before is there as it was.",
            ) from error
        raise
    for folder in {os.path.dirname(path) for _, path in files}:
        sync(folder)


def _target(path: str, links: bool) -> str:
    """The whole path of a file that is to be written."""
    if links:
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _check_kind(path: str) -> None:
    """Raises OSError where something lies that a file must not replace."""
    if os.path.islink(path):
        return
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder: give the path of a file.")
    if os.path.exists(path) and not os.path.isfile(path):
        raise FileExistsError(
            f"{path} is a device, a pipe or the like, which no file is put in the place of. Give "
            "another path."
        )


def _mode(path: str) -> int:
    """The permissions of a file, or those that a new one gets."""
    if os.path.exists(path) and not os.path.islink(path):
        return os.stat(path).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def sync(path: str) -> None:
    """Waits until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Ahead:
    """Lets the disk have what is in a file while more of it is written, so that there is less to
    wait for at the end.

    The system takes the advice that bytes are not needed soon for this: it begins to write them,
    and no one waits.

    Args:
        file: open for writing, with a descriptor.
    """

    def __init__(self, file: BinaryFile) -> None:
        self.handle = file.fileno()
        self.advised = 0

    def room(self, start: int, size: int) -> None:
        """Asks for room on the disk for bytes that are written next: the system then need not look
        for it page by page.
        """
        allocate = allocation()
        if size >= LARGE and allocate is not None:
            allocate(self.handle, 0, start, size)  # where this fails, writing says why

    def written(self, end: int) -> None:
        """Records that all before the byte `end` was written."""
        size = end - self.advised
        if size < AHEAD:
            return
        if hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):  # it is only advice
                os.posix_fadvise(self.handle, self.advised, size, os.POSIX_FADV_DONTNEED)
        self.advised = end


@functools.cache
def allocation() -> Callable[..., int] | None:
    """The system's function that gives a file room on the disk, or None.

    Python's own writes into each page where a file system cannot do it, which may take long.
    """
    import ctypes

    function = getattr(ctypes.CDLL(None), "fallocate64", None) if os.name == "posix" else None
    if function is not None:
        function.argtypes = ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64
    return function


def make_folder(path: str) -> None:
    """Makes a folder where there is none, and those it lies in; their names are on the disk
    then.
    """
    if not os.path.isdir(path):
        parent = os.path.dirname(path)
        make_folder(parent)
        os.makedirs(path, exist_ok=True)  # another process may make it now
        sync(parent)


def check_target(path: str | os.PathLike, overwrite: bool) -> None:
    """Raises FileExistsError where a file is there and must stay, FileNotFoundError where the
    folder is not.
    """
    if os.path.exists(path) and not overwrite:
        raise FileExistsError(
            f"{path} exists, and `overwrite=False` was given. Choose another name, or remove it."
        )
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"The folder {folder} does not exist: {os.path.basename(path)} cannot be saved there."
        )
