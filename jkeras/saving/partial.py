"""What is being written, under a hidden name beside its own: a file or folder, locked while its
writer lives, so that what a killed one left is recognized, and removed by the next.
"""

import contextlib
import os
import re
import secrets
import shutil

from jkeras.saving.locks import lies_at, try_lock

ENDING = ".partial"
DIGITS = 12
TRIES = 100  # of names, which another one may take for left over in the instant before the lock


class Partial:
    """A new, empty file or folder beside a path; locked until `close`.

    Args:
        target: the path that it will have.
        is_folder: make a folder.

    Attributes:
        path: where it lies.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     partial = Partial(os.path.join(folder, "a"))
    ...     print(len(os.listdir(folder)))
    ...     partial.remove()
    ...     os.listdir(folder)
    1
    []
    """

    def __init__(self, target: str, is_folder: bool = False) -> None:
        folder, name = os.path.split(target)
        _remove_left(folder or ".", name)
        for _ in range(TRIES):
            self.path = os.path.join(folder, f".{name}.{secrets.token_hex(DIGITS // 2)}{ENDING}")
            self._handle = _made(self.path, is_folder)
            if self._is_ours():
                return
            self.close()
        raise OSError(f"{target} cannot be written: others remove what is written beside it.")

    def _is_ours(self) -> bool:
        """Locks it; False where another one has taken it for left over."""
        if self._handle is None:
            return os.path.lexists(self.path)
        locked = try_lock(self._handle)
        if locked is None:
            self.close()  # an open file cannot be moved on some systems
            return True
        return locked and lies_at(self._handle, self.path)

    def close(self) -> None:
        """Lets go of the lock; for what has got its own name."""
        handle, self._handle = self._handle, None  # before: Ctrl-C may end this at any line
        if handle is not None:
            os.close(handle)

    def remove(self) -> None:
        """Removes it; what has been moved away stays there."""
        with contextlib.suppress(FileNotFoundError):
            _remove(self.path)
        self.close()


def _made(path: str, is_folder: bool) -> int | None:
    """The handle of a new file or folder; None where the system opens no folders, or it is gone."""
    if not is_folder:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        return os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
    os.mkdir(path, 0o700)
    with contextlib.suppress(OSError):
        return os.open(path, os.O_RDONLY)
    return None


def _remove_left(folder: str, name: str) -> None:
    """Removes what killed writers of a file of this name left."""
    left = re.compile(re.escape(f".{name}.") + f"[0-9a-f]{{{DIGITS}}}" + re.escape(ENDING))
    names = []
    with contextlib.suppress(OSError):  # a folder that one may write to need not be readable
        names = os.listdir(folder)
    for leftover in filter(left.fullmatch, names):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            _remove_dead(os.path.join(folder, leftover))


def _remove_dead(path: str) -> None:
    """Removes what no living writer has a lock of; where there are no locks nothing is removed."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags)
    try:
        if try_lock(handle) and lies_at(handle, path):
            _remove(path)
    finally:
        os.close(handle)


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)
