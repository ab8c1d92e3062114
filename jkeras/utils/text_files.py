"""Texts of files, one after another, from any position on."""

import collections.abc
import glob
import gzip
import os
import pathlib
import typing
import zlib

KINDS = ("line", "paragraph", "file")
MARK = b"\xef\xbb\xbf"  # some programs write it at the start of a file in UTF-8


class Position(typing.NamedTuple):
    """Where a text begins.

    Args:
        file: the number of the file.
        offset: bytes from its start, unpacked.
    """

    file: int = 0
    offset: int = 0


START = Position()


class TextReader:
    """The texts of files, in UTF-8. Texts of nothing but white space are passed over.

    Args:
        paths: of the files; those that end in ".gz" are unpacked.
        by: what a text is: "line"; "paragraph", lines up to an empty one; or "file".
        errors: what becomes of bytes that are no UTF-8: "strict", "replace", "ignore".
        position: where to begin.
    """

    def __init__(
        self, paths: list[str], by: str, errors: str = "strict", position: Position = START
    ) -> None:
        self._file = None
        self.paths = paths
        self._position = position
        self.by = by
        self.errors = errors

    @property
    def position(self) -> Position:
        """Behind the last text."""
        if self._file is None:
            return self._position
        return Position(self._position.file, self._file.tell())

    def read(self, count: int) -> list[str]:
        """The next texts, fewer where the files end.

        Raises:
            OSError: a file that cannot be read.
            ValueError: bytes that are no UTF-8.
        """
        texts = []
        while len(texts) < count and self._position.file < len(self.paths):
            start, text = self._next()
            if text is None:
                self.close()
                self._position = Position(self._position.file + 1)
            else:
                texts.append(self._decoded(text, start))
        return texts

    def _next(self) -> tuple:
        """(where it begins, the next text of the file), the file being opened first if need be."""
        path = self.paths[self._position.file]
        try:
            if self._file is None:
                self._file = _opened(path, self._position.offset)
            return self._file.tell(), READERS[self.by](self._file)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise OSError(f"{path} cannot be unpacked: {error}. Write it again.") from error

    def _decoded(self, text: bytes, start: int) -> str:
        if start == 0:
            text = text.removeprefix(MARK)
        try:
            return text.decode("utf-8", self.errors).replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self.paths[self._position.file]} is no UTF-8: the text at byte {start} has the "
                f"bytes {error.object[error.start : error.end]!r}. Convert the file, or pass "
                "`errors='replace'`."
            ) from None

    def close(self) -> None:
        """Closes the file that is open."""
        if self._file is not None:
            position = self.position
            self._file.close()
            self._file, self._position = None, position

    def __del__(self) -> None:
        self.close()  # a loop over texts may end anywhere


def files_of(patterns: typing.Any) -> list[str]:
    """The files that a path, a pattern as "texts/**/*.txt", or a list of such stands for: those of
    each in the order of their names, each file once.

    Raises:
        FileNotFoundError: one that no file has.
    """
    if isinstance(patterns, (str, os.PathLike)):
        patterns = [patterns]
    paths_of_files = {}
    for pattern in map(os.path.expanduser, map(os.fspath, patterns)):
        paths = [pattern]
        if not os.path.isfile(pattern):  # else its brackets belong to its name
            paths = sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))
        if not paths:
            raise FileNotFoundError(
                f"No file has the name {pattern!r}, seen from {os.getcwd()}. Give files, or "
                "patterns as 'texts/*.txt'; '**' stands for any folders."
            )
        paths_of_files |= dict.fromkeys(paths)
    if not paths_of_files:
        raise FileNotFoundError("Expected a file, or a pattern of files. Received: an empty list")
    return list(paths_of_files)


def _opened(path: str, offset: int) -> typing.Any:
    """A file of bytes at an offset, which the reader closes."""
    opener = gzip.open if pathlib.Path(path).suffix == ".gz" else open
    file = opener(path, "rb")
    file.seek(offset)
    return file


# ---------------------------------------------------------------- the next text of a file, or None


def _next_line(file: typing.BinaryIO) -> bytes | None:
    for line in _lines(file):
        if line.strip():
            return line
    return None


def _next_paragraph(file: typing.BinaryIO) -> bytes | None:
    lines = []
    for line in _lines(file):
        if line.strip():
            lines.append(line)
        elif lines:
            break
    return b"\n".join(lines) or None


def _whole(file: typing.BinaryIO) -> bytes | None:
    text = file.read()
    return text if text.strip() else None


def _lines(file: typing.BinaryIO) -> collections.abc.Iterator[bytes]:
    """The lines that are left, without their ends; the file's position is valid between them."""
    while line := file.readline():
        yield line.removesuffix(b"\n").removesuffix(b"\r")


READERS = dict(zip(KINDS, (_next_line, _next_paragraph, _whole)))
