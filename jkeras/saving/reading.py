"""Files from strangers: opened once, and every failure is one error that names the file."""

import contextlib
import os
import stat

from jkeras.core.errors import SerializationError


@contextlib.contextmanager
def explained(path):
    """Inside this block whatever goes wrong becomes a `SerializationError` that begins with the
    path.
    """
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError, Warning):
        raise
    except SerializationError as error:
        if str(path) not in str(error):
            error.args = (f"{path}: {error}",)
        raise
    except RecursionError as error:
        raise SerializationError(
            f"{path} cannot be loaded: what it describes is nested too deeply. A model of yours "
            "that is that deep can be made by code, and its weights loaded."
        ) from error
    except Exception as error:
        raise SerializationError(
            f"{path} cannot be loaded: {error or 'it is damaged'} ({type(error).__name__}). The "
            "file is damaged, not what its name says, or a class of yours does not take what it "
            "holds."
        ) from error


@contextlib.contextmanager
def opened(path):
    """A regular file, open for reading bytes.

    Raises:
        FileNotFoundError: there is none.
        SerializationError: a folder, a pipe, a device.
    """
    path = os.fspath(path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path} to load.") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise SerializationError(
            f"{path} is {kind}, and cannot be loaded. Give the path of a file."
        )
    with os.fdopen(handle, "rb") as file:
        yield file
