"""What on this machine is Python's own or a package's, and no program of the user's."""

import itertools
import os
import pathlib
import re
import site
import sys
import sysconfig

PACKAGE = pathlib.Path(__file__).resolve().parents[1]  # jkeras
# of a prefix, such as /usr, below which programs of the user's may lie, too
PARTS = (
    "bin etc include lib lib32 lib64 libexec sbin share Lib Scripts DLLs Tools Include pkgs".split()
)
SYSTEM = ("/usr", "/usr/local")
INTERPRETERS = ("python", "python3", "python.exe")
PACKAGES = re.compile(r"site-packages|dist-packages|python\d+\.\d+t?|.*\.(egg|framework)", re.I)


def is_installed(path: str | os.PathLike) -> bool:
    """Whether a file lies where Python or packages are installed, of this Python or another one.

    >>> is_installed(os.__file__), is_installed("/home/me/train.py")
    (True, False)
    """
    path = pathlib.Path(os.path.realpath(path))
    if any(PACKAGES.fullmatch(part) for part in path.parent.parts):
        return True
    if any((path.parent / name).exists() for name in INTERPRETERS):
        return True  # beside one lie commands such as pip
    if any((parent / "pyvenv.cfg").exists() for parent in path.parents):
        return True
    folders = {_identity(folder) for folder in _folders()} - {None}
    return any(_identity(parent) in folders for parent in path.parents)


def _folders() -> list[str | os.PathLike]:
    """Where this Python and its packages are."""
    paths = sysconfig.get_paths()
    prefixes = {*SYSTEM, sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    return [
        *(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")),
        *site.getsitepackages(),
        site.getusersitepackages(),
        PACKAGE,
        os.path.join(site.getuserbase(), "bin"),
        *(os.path.join(*pair) for pair in itertools.product(prefixes, PARTS)),
    ]


def _identity(folder: str | os.PathLike) -> tuple[int, int] | None:
    """What identifies a folder whatever it is called; None where there is none."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def folder_of_a_checkout() -> list[str]:
    """The folder that jkeras is imported from, where it is not installed."""
    folder = PACKAGE.parent
    return [] if is_installed(folder / "any.py") else [str(folder)]
