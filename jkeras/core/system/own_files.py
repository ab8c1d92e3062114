"""Files and folders of ours in folders that others may fill: never through a link, and nothing that
is more than a file.
"""

import os
import stat


def own_handle(path: str, flags: int, mode: int = 0o666) -> int:
    """The handle of a file of ours, opened for writing (and made, by `O_CREAT`).

    Nothing is cut off before it is checked what lies there, whatever the flags say.

    Raises:
        FileExistsError: a link, a file that has another name too, or no regular file. What it is,
            or leads to, stays as it was.
    """
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    careful |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags & ~os.O_TRUNC | careful, mode)
    except OSError as error:
        problem = _kind_of(path)
        if problem is None:
            raise
        raise _in_the_way(path, problem) from error
    problem = _problem(os.fstat(handle))
    if problem is not None:
        os.close(handle)
        raise _in_the_way(path, problem)
    if flags & os.O_TRUNC:
        os.ftruncate(handle, 0)
    return handle


def open_own(path, mode="wb", **options):
    """`open` for a file of ours that is written, by way of `own_handle`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_own(f"{folder}/a", "w") as file:
    ...         print(file.write("text"))
    4
    """
    return open(path, mode, opener=own_handle, **options)


def check_regular(path) -> None:
    """Raises FileExistsError where something else than a file lies at a path that is to be read, as
    a pipe, which one would wait for.
    """
    try:
        kind = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISREG(kind):
        raise _in_the_way(path, _word(kind))


def _kind_of(path):
    """What lies at a path that is no file of its own, in words; None if that is not so."""
    try:
        return _problem(os.lstat(path))
    except OSError:
        return None


def _problem(status):
    """What keeps a file from being ours alone, in words, or None."""
    if not stat.S_ISREG(status.st_mode):
        return _word(status.st_mode)
    if status.st_nlink > 1:
        return "a file that has another name too (a hard link)"
    return None


def _word(mode):
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe, a device or the like"


def _in_the_way(path, problem):
    return FileExistsError(
        f"{os.fsdecode(path)} is {problem}; expected a file, or nothing. It was not touched: move "
        "it away, or give another folder."
    )


# ------------------------------------------------------------ folders


def make_private(folder: str) -> None:
    """Makes a folder that no other user may look into, and those it lies in, where they are not
    there.
    """
    if not os.path.isdir(folder):
        make_private(os.path.dirname(folder) or ".")
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:  # another process has just made it
            if not os.path.isdir(folder):
                raise


def check_private(folder: str, what: str) -> None:
    """Raises PermissionError where another user may change what is in a folder, or put another one
    instead. Where the system knows no owners, nothing is looked at.

    Args:
        what: what it holds and what that is dangerous for, in words.
    """
    if not hasattr(os, "geteuid"):
        return
    path = os.path.realpath(folder)
    problem = _of_others(os.stat(path), is_inside=False)
    while problem is None:
        parent = os.path.dirname(path)
        if parent == path:
            return
        path = parent
        problem = _of_others(os.stat(path), is_inside=True)
    raise PermissionError(
        f"{folder} is not safe for {what}: {path} {problem}. Give a folder of your own, or make "
        f"this one yours alone: chmod 700 {path}"
    )


def _of_others(status, is_inside):
    """In what way others can change a folder, in words, or None.

    Args:
        is_inside: the folder only has the one that is meant in it: what a sticky bit protects.
    """
    if status.st_uid not in (os.geteuid(), 0):
        return f"belongs to another user ({status.st_uid})"
    if is_inside and status.st_mode & stat.S_ISVTX:
        return None
    if status.st_mode & stat.S_IWOTH:
        return "may be written to by all users"
    if status.st_mode & stat.S_IWGRP and not _is_own_group(status.st_gid):
        return f"may be written to by the group {status.st_gid}"
    return None


def _is_own_group(group):
    """Whether a group is one that has the user alone, as many systems make one for each."""
    import grp
    import pwd

    try:
        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    is_primary = user.pw_gid == group and user.pw_name == entry.gr_name
    return is_primary and set(entry.gr_mem) <= {user.pw_name}
