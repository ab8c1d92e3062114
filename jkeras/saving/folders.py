"""Several files of a folder that belong together: replaced as one, and no links out of it."""

import collections.abc
import contextlib
import os
import shutil
import tempfile

from jkeras.core.errors import SerializationError
from jkeras.saving.files import make_folder, sync


@contextlib.contextmanager
def exchanging(
    folder: str,
    last: str,
    stale: collections.abc.Callable[[set[str]], collections.abc.Iterable[str]] = lambda written: (),
) -> collections.abc.Iterator[str]:
    """Yields an empty folder inside of `folder`, whose files replace those of `folder`
    when the block ends without an error.

    All new files are whole and on the disk before the first old one is touched. Then `last`, the
    file without which the others are not read, is taken away first and comes last. So an error
    leaves what was there; a kill leaves the old files, the new ones, or a mixture without `last`,
    which is not read. A link is replaced, and what it leads to stays as it is.

    Args:
        last: the name of that file.
        stale: function of the names of the new files, for the paths of old ones to remove.
    """
    make_folder(folder)
    temporary = tempfile.mkdtemp(dir=folder, prefix=".jkeras-", suffix=".partial")
    try:
        yield temporary
        names = sorted(os.listdir(temporary), key=lambda name: name == last)
        for name in names:
            _prepare(os.path.join(temporary, name), os.path.join(folder, name))
        _exchange(folder, temporary, names, stale(set(names)))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _prepare(new: str, old: str) -> None:
    """Has a new file on the disk, with the permissions of the one that it replaces.

    Raises:
        IsADirectoryError: a folder has its path.
    """
    if os.path.isdir(old) and not os.path.islink(old):
        raise IsADirectoryError(f"{old} is a folder: a file of a model belongs there.")
    if os.path.isfile(old) and not os.path.islink(old):
        os.chmod(new, os.stat(old).st_mode & 0o777)
    sync(new)


def _exchange(
    folder: str, temporary: str, names: list[str], stale: collections.abc.Iterable[str]
) -> None:
    """Puts the new files to their paths."""
    last = os.path.join(folder, names[-1])
    with contextlib.suppress(FileNotFoundError):
        os.unlink(last)
        sync(folder)
    for path in stale:
        os.unlink(path)
    for name in names[:-1]:
        os.replace(os.path.join(temporary, name), os.path.join(folder, name))
    sync(folder)
    os.replace(os.path.join(temporary, names[-1]), last)
    sync(folder)


def check_links(folder: str, names: collections.abc.Iterable[str]) -> None:
    """Raises SerializationError for links that lead out of a folder. Those of a snapshot in
    huggingface_hub's cache lead to the files of all snapshots, "blobs" beside "snapshots".
    """
    folder = os.path.realpath(folder)
    allowed = [folder]
    if os.path.basename(os.path.dirname(folder)) == "snapshots":
        allowed.append(os.path.join(os.path.dirname(os.path.dirname(folder)), "blobs"))
    for name in names:
        real = os.path.realpath(os.path.join(folder, name))
        if not any(os.path.commonpath([real, root]) == root for root in allowed):
            raise SerializationError(
                f"{os.path.join(folder, name)} is a link that leads out of the folder, to {real}: "
                "put the file itself there, or give the folder that it is in."
            )
