"""Git's own files, read without git: the index, and the tree of a commit.

Git runs what the config of a checkout names, such as filters, and a checkout may be a stranger's.
What is read here is only parsed. What is not as git writes it raises one of `DAMAGED`.
"""

import bisect
import contextlib
import hashlib
import itertools
import os
import pathlib
import re
import stat
import struct
import typing
import zlib
from collections.abc import Iterator

DAMAGED = (OSError, ValueError, IndexError, struct.error, zlib.error)
MOST_BYTES = 2**24  # of a file that is read whole; an index of 150,000 files has fewer
MOST_FOLDERS = 128  # inside each other
MOST_PACKS = 1000
OUTSIDE = re.compile(rb"(?:^|/)\.{0,2}(?:/|$)")  # of paths that may leave the checkout
LINK, SUBMODULE = 0o120000, 0o160000  # modes
COMMIT = 1  # the type of an object in a pack


class Entry(typing.NamedTuple):
    """A file of the index.

    Attributes:
        name: its path from the root of the checkout.
        mode: 0o100644, 0o100755, or one of `LINK` and `SUBMODULE`.
        object: the hash of its content.
        times: ctime and mtime, in seconds and nanoseconds.
        size: in bytes, as 32 bits; 0: unknown.
        is_left_out: whether the user set git not to look at it, or not to check it out.
        is_plain: whether it is no conflict, and no file that is only going to be added.
    """

    name: bytes
    mode: int
    object: bytes
    times: tuple[int, int, int, int]
    size: int
    is_left_out: bool
    is_plain: bool


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[typing.BinaryIO | None]:
    """A regular file, open for reading; None where there is none. A pipe is not waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        yield None
        return
    with os.fdopen(handle, "rb") as file:
        yield file


def read(path: str | os.PathLike, most: int = MOST_BYTES) -> bytes | None:
    """What a regular file holds; None where there is none.

    Raises:
        ValueError: it holds more.
    """
    with opened(path) as file:
        content = None if file is None else file.read(most + 1)
    if content is not None and len(content) > most:
        raise ValueError(f"{os.fsdecode(path)} is larger than {most} bytes")
    return content


def new_hash(size: int) -> "hashlib._Hash":
    """The hash of a repository whose hashes have so many bytes."""
    if size == 20:
        return hashlib.sha1(usedforsecurity=False)
    return hashlib.sha256(usedforsecurity=False)


def hash_of(kind: bytes, content: bytes, size: int) -> bytes:
    """What git calls an object.

    >>> hash_of(b"blob", b"", 20).hex()
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    digest = new_hash(size)
    digest.update(b"%s %d\0" % (kind, len(content)))
    digest.update(content)
    return digest.digest()


# ------------------------------------------------------------ the index


def entries_of(data: bytes, size: int) -> list[Entry]:
    """The files of an index, whose hashes have `size` bytes."""
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("no index")
    digest = new_hash(size)
    digest.update(data[:-size])
    if data[-size:] not in (digest.digest(), bytes(size)):  # zeros where git was set to skip it
        raise ValueError("a damaged index")
    head = struct.Struct(f">10I{size}sH")  # times, dev, ino, mode, uid, gid, size, hash, flags
    entries, at, name = [], 12, b""
    for _ in range(count):
        entry, at = _entry(data, at, head, version, name)
        name = entry.name
        entries.append(entry)
    _check_extensions(data, at, len(data) - size)
    return entries


def _entry(data: bytes, at: int, head: struct.Struct, version: int, before: bytes) -> tuple:
    """(the entry at an offset, the offset behind it)"""
    begin = at
    *times, _, _, mode, _, _, length, content, flags = head.unpack_from(data, at)
    at, more = at + head.size, 0
    if flags & 0x4000:
        (more,), at = struct.unpack_from(">H", data, at), at + 2
    if version == 4:  # the name is the one before, whose end is cut off, and something more
        cut, at = _offset(data, at)
        before = before[: max(len(before) - cut, 0)]
    else:
        before = b""
    end = data.index(b"\0", at)
    name = before + data[at:end]
    if OUTSIDE.search(name) or name.count(b"/") > MOST_FOLDERS:
        raise ValueError("a path")
    at = end + 1
    if version < 4:
        at += -(at - begin) % 8
    left_out = bool(flags & 0x8000 or more & 0x4000)
    is_plain = not (flags & 0x3000 or more & 0x2000)
    return Entry(name, mode, content, tuple(times), length, left_out, is_plain), at


def _offset(data: bytes, at: int) -> tuple[int, int]:
    """(a number of seven bits in each byte, the offset behind it)"""
    value = data[at] & 127
    while data[at] & 128:
        at += 1
        value = (value + 1) << 7 | data[at] & 127
    return value, at + 1


def _check_extensions(data: bytes, at: int, end: int) -> None:
    """Refuses an index of which parts are elsewhere: their names begin with a small letter."""
    while at < end:
        name, size = struct.unpack_from(">4sI", data, at)
        if name[:1].islower():
            raise ValueError("a split or sparse index")
        at += 8 + size


def tree_of(entries: list[Entry], size: int) -> bytes:
    """The hash of the tree that the files of an index make: that of a commit of it."""
    folders = [(b"", [])]  # open ones: (path with a slash at its end, its parts as git writes them)

    def close() -> None:
        path, parts = folders.pop()
        name = path[:-1].rpartition(b"/")[2]
        content = hash_of(b"tree", b"".join(parts), size)
        folders[-1][1].append(b"40000 %s\0%s" % (name, content))

    for entry in entries:
        while not entry.name.startswith(folders[-1][0]):
            close()
        *inside, name = entry.name[len(folders[-1][0]) :].split(b"/")
        for folder in inside:
            folders.append((folders[-1][0] + folder + b"/", []))
        folders[-1][1].append(b"%o %s\0%s" % (entry.mode, name, entry.object))
    while len(folders) > 1:
        close()
    return hash_of(b"tree", b"".join(folders[0][1]), size)


# ------------------------------------------------------------ commits


def tree_of_commit(objects: pathlib.Path, commit: str) -> bytes | None:
    """The hash of the tree of a commit; None where it is not found, or stored as a difference.

    Args:
        objects: the folder of them.
    """
    for folder in (objects, *_alternates(objects)):
        for content in _contents(folder, bytes.fromhex(commit)):
            if content.startswith(b"tree "):
                return bytes.fromhex(content[5 : 5 + len(commit)].decode("ascii"))
    return None


def _alternates(objects: pathlib.Path) -> list[pathlib.Path]:
    """Other folders of objects that this one is used with."""
    lines = (read(objects / "info" / "alternates") or b"").splitlines()[:16]
    return [objects / os.fsdecode(line) for line in lines if line and not line.startswith(b"#")]


def _contents(objects: pathlib.Path, commit: bytes) -> Iterator[bytes]:
    """The beginnings of a commit in a folder of objects."""
    name = commit.hex()
    loose = read(objects / name[:2] / name[2:])
    if loose is not None:
        header, _, content = _beginning(loose).partition(b"\0")
        if header.startswith(b"commit "):
            yield content
    for index in itertools.islice(sorted(objects.glob("pack/*.idx")), MOST_PACKS):
        offset = _offset_in_pack(index, commit)
        if offset is not None:
            yield from _in_pack(index.with_suffix(".pack"), offset)


def _beginning(compressed: bytes) -> bytes:
    return zlib.decompressobj().decompress(compressed, 4096)


def _offset_in_pack(path: pathlib.Path, commit: bytes) -> int | None:
    """Where a commit lies in a pack, by the pack's index; None: not in this one."""
    with opened(path) as file:
        if file is None or file.read(8) != b"\xfftOc\x00\x00\x00\x02":
            return None
        counts = struct.unpack(">256I", file.read(1024))
        first, last = (0, *counts)[commit[0]], counts[commit[0]]
        names = _names(file, first, last, len(commit))
        at = bisect.bisect_left(names, commit)
        if at == len(names) or names[at] != commit:
            return None
        offsets = 1032 + counts[-1] * (len(commit) + 4)
        file.seek(offsets + (first + at) * 4)
        (offset,) = struct.unpack(">I", file.read(4))
        if offset & 2**31:
            file.seek(offsets + counts[-1] * 4 + (offset & (2**31 - 1)) * 8)
            (offset,) = struct.unpack(">Q", file.read(8))
        return offset


def _names(file: typing.BinaryIO, first: int, last: int, size: int) -> list[bytes]:
    """Of the objects of a pack, sorted, those from one index to another."""
    if not 0 <= (last - first) * size <= MOST_BYTES:
        raise ValueError("an index of a pack")
    file.seek(1032 + first * size)
    names = file.read((last - first) * size)
    return [names[i : i + size] for i in range(0, len(names), size)]


def _in_pack(path: pathlib.Path, offset: int) -> Iterator[bytes]:
    """The beginning of the commit at an offset of a pack; nothing where it is a difference."""
    with opened(path) as file:
        if file is None:
            return
        file.seek(offset)
        data = file.read(4096)
    if data[0] >> 4 & 7 == COMMIT:
        behind = next(i for i, byte in enumerate(data) if not byte & 128) + 1
        yield _beginning(data[behind:])
