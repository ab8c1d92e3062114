"""Files that a program writes bit by bit."""

import errno
import os
import typing


def open_for_writing(path: str | os.PathLike, mode: str = "w", **options: typing.Any) -> typing.IO:
    """As `open`, but for a pipe without a reader, which `open` waits for, perhaps for ever.

    Raises:
        OSError: such a pipe; a folder, or what else cannot be written to.
    """
    return open(path, mode, opener=_without_waiting, **options)


def _without_waiting(path: str, flags: int) -> int:
    try:
        handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        text = "A pipe that nobody reads is no place for a file. Give another path"
        raise OSError(errno.ENXIO, text, path) from None
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(handle, True)
    return handle
