"""The git checkout that a folder belongs to: its commit, and whether files differ from it.

No git is run, nor anything that the checkout names: it may be a stranger's.
"""

import os
import pathlib
import re
import stat
import time
import typing

from jkeras.core.system import git_files
from jkeras.core.system.git_files import Entry

SECONDS = 5  # after which whether files differ is unknown
MOST_READ = 2**26  # bytes of files that are compared by what they hold
OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
REF = re.compile(r"refs/[^\s~^:?*\[\\\0-\x1f\x7f]+")
MOST_REFS = 5  # that name each other
CONVERTERS = (b"filter", b"ident", b"working-tree-encoding")  # attributes that change content


class Checkout(typing.NamedTuple):
    """Where the files of a checkout are.

    Attributes:
        root: of the files that the user sees.
        own: the folder of its HEAD and index.
        shared: the folder of objects and branches; another one in a linked worktree.
    """

    root: pathlib.Path
    own: pathlib.Path
    shared: pathlib.Path


class Unknown(Exception):
    """Whether files differ cannot be decided."""


def describe(folder: str | os.PathLike) -> dict[str, typing.Any] | None:
    """{"commit": its hash, "is_changed": whether tracked files differ from it, None: unknown};
    None where a folder belongs to no checkout.
    """
    try:
        checkout = _checkout_of(pathlib.Path(os.path.abspath(folder)))
        commit = None if checkout is None else _commit(checkout)
    except git_files.DAMAGED:
        return None
    if commit is None:
        return None
    return {"commit": commit, "is_changed": _is_changed(checkout, commit)}


def _text(path: pathlib.Path) -> str | None:
    """The text of a small file without spaces around it; None where there is none."""
    content = git_files.read(path)
    return None if content is None else os.fsdecode(content).strip()


def _checkout_of(folder: pathlib.Path) -> Checkout | None:
    """The innermost checkout around a folder."""
    for root in (folder, *folder.parents):
        own = root / ".git"
        link = _text(own) if own.is_file() else None
        if link is not None and link.startswith("gitdir:"):
            own = root / link.removeprefix("gitdir:").strip()
        if (own / "HEAD").is_file():
            return Checkout(root, own, own / (_text(own / "commondir") or ""))
    return None


def _commit(checkout: Checkout) -> str | None:
    """The commit that is checked out."""
    name = "HEAD"
    for _ in range(MOST_REFS):
        text = _text(checkout.own / name)
        if text is None:
            text = _text(checkout.shared / name)
        if text is None:
            text = _packed(checkout.shared, name)
        if text is None or OBJECT.fullmatch(text):
            return text
        name = text.removeprefix("ref:").strip()
        if name == text or ".." in name or not REF.fullmatch(name):
            return None
    return None


def _packed(shared: pathlib.Path, name: str) -> str | None:
    """The commit of a branch that has no file of its own."""
    for line in (_text(shared / "packed-refs") or "").splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name:
            return commit if OBJECT.fullmatch(commit) else None
    return None


# ------------------------------------------------------------ whether files differ


def _is_changed(checkout: Checkout, commit: str) -> bool | None:
    """Whether a file of the index is not the commit's, or a file on the disk not the index's."""
    size = len(commit) // 2
    try:
        index = git_files.read(checkout.own / "index")
        if index is None:
            return None
        entries = git_files.entries_of(index, size)
        if not all(entry.is_plain for entry in entries):
            return True
        tree = git_files.tree_of_commit(checkout.shared / "objects", commit)
        if tree is None:
            return None
        return git_files.tree_of(entries, size) != tree or _Files(checkout, size).differ(entries)
    except (*git_files.DAMAGED, Unknown):
        return None


class _Files:
    """The files of a checkout on the disk.

    Args:
        size: bytes of a hash.
    """

    def __init__(self, checkout: Checkout, size: int) -> None:
        self.checkout = checkout
        self.size = size
        self.left = MOST_READ
        self.end = time.monotonic() + SECONDS
        self.written = os.stat(checkout.own / "index").st_mtime_ns

    def differ(self, entries: list[Entry]) -> bool:
        """Whether one of them is not what the index says.

        Raises:
            Unknown: by their bytes they differ, which a filter of the user's may explain.
        """
        tracked = [e for e in entries if not e.is_left_out and e.mode != git_files.SUBMODULE]
        doubtful = False
        for entry in tracked:
            if time.monotonic() > self.end:
                raise Unknown
            differs = self._differs(entry)
            if differs is None:
                doubtful = True
            elif differs:
                return True
        if not doubtful:
            return False
        if self._may_be_converted(entries):
            raise Unknown
        return True

    def _differs(self, entry: Entry) -> bool | None:
        """Whether a file differs; None: its bytes do."""
        path = self.checkout.root / os.fsdecode(entry.name)
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return True
        is_link = entry.mode == git_files.LINK
        if not (stat.S_ISLNK if is_link else stat.S_ISREG)(status.st_mode):
            return True
        if self._is_as_noted(entry, status):
            return False
        if entry.size not in (0, status.st_size % 2**32):
            return True
        if is_link:
            return self._hash(os.fsencode(os.readlink(path))) != entry.object
        self.left -= status.st_size
        if self.left < 0:
            raise Unknown
        content = git_files.read(path, MOST_READ)
        if content is None:
            return True
        # lines may end in another way on the disk
        forms = content, content.replace(b"\r\n", b"\n")
        return None if entry.object not in map(self._hash, forms) else False

    def _hash(self, content: bytes) -> bytes:
        return git_files.hash_of(b"blob", content, self.size)

    def _is_as_noted(self, entry: Entry, status: os.stat_result) -> bool:
        """Whether a file was not written since the index was."""
        times = *divmod(status.st_ctime_ns, 10**9), *divmod(status.st_mtime_ns, 10**9)
        if status.st_size % 2**32 != entry.size or times != entry.times:
            return False
        return status.st_mtime_ns < self.written  # else it may have been written right after it

    def _may_be_converted(self, entries: list[Entry]) -> bool:
        """Whether git may keep another content than is on the disk."""
        home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        paths = [
            pathlib.Path(home, "git", "attributes"),
            self.checkout.shared / "info" / "attributes",
            *(
                self.checkout.root / os.fsdecode(entry.name)
                for entry in entries
                if entry.name.rpartition(b"/")[2] == b".gitattributes"
            ),
        ]
        texts = (git_files.read(path) or b"" for path in paths)
        return any(word in text for text in texts for word in CONVERTERS)
