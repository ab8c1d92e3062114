"""Where a report may be written: never over something else."""

import os
import stat

from jkeras.saving.files import check_target
from jkeras.saving.reading import opened

ADVICE = "Give another path, or remove it."
BEGINNING = 64  # bytes; in them stands "format"


def check(path: str | os.PathLike) -> None:
    """Raises where a report cannot be written, or something lies that is none.

    Raises:
        FileNotFoundError: its folder does not exist.
        IsADirectoryError, FileExistsError: a folder; a link, a pipe, or a file of something else.
    """
    check_target(path, overwrite=True)
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path} is a folder: give the path of a file for the report.")
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "a pipe, a device or the like"
        raise FileExistsError(f"{path} is {kind}, which no report is put in the place of. {ADVICE}")
    with opened(path, links=False) as file:
        begin = file.read(BEGINNING)
    if begin and not (begin.startswith(b"{") and b'"format"' in begin):
        raise FileExistsError(f"{path} is a file of something else than a report. {ADVICE}")
