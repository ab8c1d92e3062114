"""Untrusted files: opened once, and every failure is one error that names the file."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from jkeras.core.errors import (
    MissingFileError,
    SerializationError,
    UnreadableFileError,
    readable,
)
from jkeras.saving.types import BinaryFile, FilePath


@contextlib.contextmanager
def explained(path: str | os.PathLike) -> Iterator[None]:
    """Inside this block whatever goes wrong becomes a `SerializationError` that begins with the
    path.
    """
    shown = readable(path, lines=False)
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError, Warning):
        raise
    except SerializationError as error:
        text = readable(error)
        error.args = (text if text.startswith(shown) else f"{shown}: {text}",)
        raise
    except RecursionError as error:
        raise SerializationError(
            f"{shown} cannot be loaded: what it describes is nested too deeply. A model of yours "
            "that is that deep can be made by code, and its weights loaded."
        ) from error
    except Exception as error:
        raise SerializationError(
            f"{shown} cannot be loaded: {readable(error) or 'it is damaged'} "
            f"({type(error).__name__}). The "
            "file is damaged, not what its name says, or a class of yours does not take what it "
            "holds."
        ) from error


@contextlib.contextmanager
def opened(path: FilePath, links: bool = True) -> Iterator[BinaryFile]:
    """A regular file, open for reading bytes.

    Args:
        links: follow a symbolic link; False for names that come from a file.

    Raises:
        MissingFileError (a FileNotFoundError, and a SerializationError): there is none.
        UnreadableFileError: it may not be read.
        SerializationError: a folder, a pipe, a device, or a link.
    """
    path = os.fsdecode(path)
    shown = readable(path, lines=False)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not links:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise MissingFileError(
            f"{shown}: File not found: there is no such file to load. Please ensure the path is "
            "right."
        ) from None
    except PermissionError:
        raise UnreadableFileError(
            f"{shown} may not be read by this user, as its permissions say."
        ) from None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise SerializationError(
            f"{shown} is a symbolic link, which is not followed: put the file itself there."
        ) from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise SerializationError(
            f"{shown} is {kind}, and cannot be loaded. Give the path of a file."
        )
    with os.fdopen(handle, "rb") as file:
        yield file
