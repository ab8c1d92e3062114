"""Locks on open files and folders, which end with the process that has them."""

import os


def try_lock(handle: int) -> bool | None:
    """Locks an open file or folder.

    Returns:
        True; False where another one has it; None where the file system, or the system, knows no
        locks.
    """
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def lies_at(handle: int, path: str) -> bool:
    """Whether an open file or folder is the one that a path leads to."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False
