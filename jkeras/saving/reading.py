"""Files from strangers: opened once, and every failure is one error that names the file."""

import contextlib
import errno
import os
import stat

from jkeras.core.errors import SerializationError

LONGEST_MESSAGE = 2000  # characters


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
        text = readable(error)
        error.args = (text if str(path) in text else f"{path}: {text}",)
        raise
    except RecursionError as error:
        raise SerializationError(
            f"{path} cannot be loaded: what it describes is nested too deeply. A model of yours "
            "that is that deep can be made by code, and its weights loaded."
        ) from error
    except Exception as error:
        raise SerializationError(
            f"{path} cannot be loaded: {readable(error) or 'it is damaged'} "
            f"({type(error).__name__}). The "
            "file is damaged, not what its name says, or a class of yours does not take what it "
            "holds."
        ) from error


def readable(value, most=LONGEST_MESSAGE, lines=True):
    r"""A text, or what an error says, parts of a file among it: cut where it is long, and without
    what a terminal takes for commands.

    Args:
        value: shown as `str` does.
        most: characters.
        lines: keep the ends of lines.

    >>> readable(ValueError("red \x1b[31m"))
    'red \\x1b[31m'
    """
    text = str(value)
    if len(text) > most:
        text = f"{text[:most]} …"
    shown = (
        c if c.isprintable() or (lines and c == "\n") else c.encode("unicode_escape").decode()
        for c in text
    )
    return "".join(shown)


@contextlib.contextmanager
def opened(path, links=True):
    """A regular file, open for reading bytes.

    Args:
        links: follow a symbolic link; False for names that come from a file.

    Raises:
        FileNotFoundError: there is none.
        SerializationError: a folder, a pipe, a device, or a link.
    """
    path = os.fspath(path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not links:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path} to load.") from None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise SerializationError(
            f"{path} is a symbolic link, which is not followed: put the file itself there."
        ) from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise SerializationError(
            f"{path} is {kind}, and cannot be loaded. Give the path of a file."
        )
    with os.fdopen(handle, "rb") as file:
        yield file
