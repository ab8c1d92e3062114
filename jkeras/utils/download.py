"""The transfer of a file from the web: taken up again where it was cut, within limits, all of it or
nothing.
"""

import gzip
import http.client
import os
import re
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

from jkeras.core.say import console
from jkeras.core.system import web
from jkeras.core.session.settings import is_interactive_logging_enabled
from jkeras.saving.files import replacing
from jkeras.saving.reading import opened
from jkeras.core.errors import readable
from jkeras.core.system.own_files import open_own
from jkeras.utils.progbar import Progbar

CHUNK = 1 << 16
PATIENCE = 7  # seconds without a byte from a server, after which it is asked once more
PAUSES = (1, 2, 4, 8)  # seconds before each further try
SLOWEST = 1024  # bytes of the file per second that must come
SLOW_START = 10  # seconds of an answer, from which on they must
GRACE = 30  # seconds of waiting, all tries together, from which on they must
LONGEST = 12 * 3600  # seconds of a whole download
LONGEST_UNSAID = 2**29  # bytes of a file whose server does not say how many it has
ZIPPED = (".gz", ".tgz", ".gzip")  # of which servers say that they send them zipped, as they are
# what comes zipped may become so many times as large, and so many bytes in any case
RATIO = 100
FREE = 2**26
BESIDE = 2**20  # bytes of headers, lengths of chunks and the like between two blocks of a file


class _Failed(Exception):
    """The file does not come."""


class _Cut(_Failed):
    """The transfer broke off; another try may bring the rest."""


def download(
    origin: str,
    target: str | os.PathLike,
    is_right: Callable[[str | os.PathLike], bool],
    is_hashed: bool = False,
) -> None:
    """Writes what lies at an address to a file, which gets its name when it is complete and right.

    Args:
        origin: http or https address, or a file address of this machine.
        target: the file's path.
        is_right: function of a path: whether the file there is the expected one.
        is_hashed: whether it compares the file's bytes.

    Raises:
        ValueError: another kind of address, or a file that is not right.
        OSError: the file does not come.
    """
    local = _local_path(origin)
    shown = readable(web.without_password(origin))
    if local is None and not web.is_web(origin):
        raise ValueError(
            "Only http and https addresses, and files of this machine (file:///...), are "
            f"downloaded. Received: {shown!r}"
        )

    def is_meant(path: str) -> bool:
        """Whether a file that the server calls zipped is expected as it is."""
        address = urllib.parse.urlsplit(origin).path
        if address.endswith(ZIPPED):
            return True
        return is_hashed and is_right(path)

    if is_interactive_logging_enabled():
        console.say(f"Downloading data from {shown}")
    with replacing(target) as temporary:
        try:
            if local is None:
                _download(origin, temporary, is_meant)
            else:
                _copy(local, temporary)
        except _Failed as error:
            # not `from error`: below it are a server's own words, as they came
            raise OSError(
                f"{shown} cannot be downloaded: {_without(origin, error)}. Nothing was kept. "
                f"Try again later, or get the file in another way and put it here: {target}"
            ) from None
        if not is_right(temporary):
            raise ValueError(
                f"Incomplete or corrupted file from {shown}: it does not have the hash that was "
                "asked for. It is damaged, or not the one you expect; nothing was kept. The right "
                f"one belongs here: {target}"
            )


def _without(origin: str, error: _Failed) -> str:
    """What an error says, without the name and password of an address."""
    text = web.without_password(str(error))
    user, has_user, _ = _host(origin).rpartition("@")
    secrets = [user, user.partition(":")[2]] if has_user else []
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return readable(text)


def _host(origin: str) -> str:
    """The host of an address, and what stands before it."""
    try:
        return urllib.parse.urlsplit(origin).netloc
    except ValueError:  # brackets without an address in them
        return ""


def _copy(source: str, path: str) -> None:
    try:
        with opened(source) as file, open_own(path) as target:
            shutil.copyfileobj(file, target)
    except (OSError, ValueError) as error:  # no regular file; a name with a NUL
        raise _Failed(f"the file is not read ({error})") from error


def _download(origin: str, path: str, is_meant: Callable[[str], bool]) -> None:
    transfer = _Transfer(origin, path)
    _take(transfer)
    if transfer.is_zipped and not is_meant(path):
        _inflate(path)


def _take(transfer: "_Transfer") -> None:
    """Gets the bytes of a file as they come, in several tries."""
    for pause in (*PAUSES, None):
        try:
            return transfer.take_up()
        except _Cut as error:
            if pause is None:
                raise _Failed(f"{error}, in the last of {len(PAUSES) + 1} tries") from error
        time.sleep(pause)
        transfer.begin += pause


def _inflate(path: str) -> None:
    """Replaces a file by what it has unzipped."""
    left = FREE + RATIO * os.path.getsize(path)
    try:
        with (
            open_own(path, "rb+") as file,
            tempfile.TemporaryFile(dir=os.path.dirname(path)) as inflated,
        ):
            with gzip.GzipFile(fileobj=file) as stream:
                while block := stream.read(CHUNK):
                    left -= len(block)
                    if left < 0:
                        raise _Failed(f"it unpacks to more than {RATIO} times its size")
                    inflated.write(block)
            inflated.seek(0)
            file.seek(0)
            file.truncate()
            shutil.copyfileobj(inflated, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _Failed(f"the server says that it is zipped, and it is not ({error})") from error


class _Transfer:
    """What is there of a file, and how to tell that the server still has the same one. It is the
    watch of its own connections.
    """

    def __init__(self, origin: str, path: str) -> None:
        self.origin = origin
        self.path = path
        self.seen = 0  # bytes that are there
        self.size = None  # of how many
        self.mark = None  # of which version
        self.is_zipped = False  # by the server, which was not asked to
        self.bar = None  # once a server has answered
        self.silent_at = -1  # how many bytes were there when it last fell silent
        self.begin = time.monotonic()  # pauses between tries do not count
        self.came = 0  # bytes of the file, in all tries
        self.beside = 0  # bytes of anything since the last block of the file

    def seconds_left(self) -> float:
        """How long the next read may take."""
        seconds = time.monotonic() - self.begin
        if seconds > min(LONGEST, GRACE + self.came / SLOWEST):
            raise _Failed(
                f"{self.came} bytes of it came in {seconds:.0f} seconds, which is too slow"
            )
        return PATIENCE

    def count(self, size: int) -> None:
        """Takes note of bytes that came, of whatever."""
        self.beside += size
        if self.beside > BESIDE + CHUNK:
            raise _Failed("the server sends headers, or the like, without end")

    def take_up(self) -> None:
        """Asks for what is missing, all of it at first, and writes it.

        Raises:
            _Failed: as said there; what came until then stays for the next try.
        """
        with self._ask() as answer, open_own(self.path, "ab") as file:
            if not self._goes_on(answer):
                file.truncate(0)
                self.seen = 0
                self.size = _size(answer.headers)
                self.is_zipped = _is_zipped(answer.headers)
                self.mark = _mark(answer.headers)
            self._show_bar()
            self._write(answer, file)
        if self.size is None:
            self.bar.update(self.seen, finalize=True)
        elif self.seen != self.size:
            raise _Cut(f"{self.seen} of {self.size} bytes came")

    def _ask(self) -> Any:
        """The server's answer."""
        request = urllib.request.Request(self.origin)
        if self.seen and self.mark:
            request.add_header("Range", f"bytes={self.seen}-")
            request.add_header("If-Range", self.mark)
        try:
            answer = web.open_url(request, self, PATIENCE)
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refused(error) from error
        except urllib.error.URLError as error:
            raise self._not_reached(error.reason) from error
        except web.AnotherScheme as error:
            raise _Failed(str(error)) from error
        except ValueError as error:
            raise _Failed(
                f"this, or where the server redirects to, is no address ({error})"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error
        if answer.status not in (200, 203, 206):
            answer.close()
            raise _Failed(f"the server answers {answer.status} {answer.reason}, which has no file")
        return answer

    def _not_reached(self, reason: Any) -> _Cut | _Failed:
        """What it comes to that no connection is made."""
        if self.bar is not None:
            return _Cut(f"the connection broke, and the server is not reached any more ({reason})")
        return _Failed(
            f"the server is not reached ({reason}); this machine seems to have no network"
        )

    def _refused(self, error: urllib.error.HTTPError) -> _Cut | _Failed:
        """What an answer with an error comes to."""
        problem = f"the server answers {error.code} {error.msg}"
        if error.code == 416:
            # no such range: what is there is not the beginning of what the server has
            self.mark = None
            return _Cut(problem)
        if error.code >= 500:
            return _Cut(problem)
        return _Failed(problem)

    def _broken(self, error: Exception) -> _Cut | _Failed:
        """What a broken connection comes to: silence at the same byte twice ends it."""
        if not isinstance(error, TimeoutError):
            return _Cut(f"the connection broke ({error})")
        if self.seen > self.silent_at:
            self.silent_at = self.seen
            return _Cut(f"nothing came for {PATIENCE} seconds")
        return _Failed(f"nothing came for {PATIENCE} seconds, twice")

    def _goes_on(self, answer: Any) -> bool:
        """Whether the answer is the rest of what is there, not a file from its beginning."""
        if answer.status != 206:
            return False
        content_range = answer.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18})", content_range)
        if not match or not self._is_rest(int(match[1]), int(match[2]), _mark(answer.headers)):
            self.mark = None  # so that the next try begins again
            raise _Cut("the server has another file now")
        self.size = int(match[2])
        return True

    def _is_rest(self, begin: int, size: int, mark: str) -> bool:
        """Whether a range that begins there, of such a file, is what is missing."""
        return begin == self.seen and self.size in (None, size) and mark in (None, self.mark)

    def _block(self, answer: Any) -> bytes:
        """What has come, without waiting for more; nothing at the end."""
        try:
            return answer.read1(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error

    def _show_bar(self) -> None:
        if self.bar is None or self.bar.target != self.size:
            self.bar = Progbar(
                self.size,
                unit_name="byte",
                interval=0.5,
                verbose=int(is_interactive_logging_enabled()),
            )

    def _write(self, answer: Any, file: BinaryIO) -> None:
        """Writes what comes, as long as it comes quickly enough."""
        before = self.seen
        begin = time.monotonic()
        most = LONGEST_UNSAID if self.size is None else self.size
        while block := self._block(answer):
            file.write(block)
            self.seen += len(block)
            self.came += len(block)
            self.beside = 0
            self.bar.update(self.seen)
            if self.seen > most:
                raise _Failed(
                    f"more than the {most} bytes came that are allowed, or that the server spoke of"
                )
            seconds = time.monotonic() - begin
            if seconds > SLOW_START and self.seen - before < SLOWEST * seconds:
                raise _Failed(
                    f"{self.seen - before} bytes came in {seconds:.0f} seconds, which is too slow"
                )


def _local_path(url: str) -> str | None:
    """The path of a file address of this machine, or None."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # brackets without an address in them
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    return urllib.request.url2pathname(parts.path)


def _size(headers: http.client.HTTPMessage) -> int | None:
    """How many bytes a file has, or None where that is not said."""
    text = headers.get("Content-Length", "").strip()
    if not re.fullmatch("[0-9]+", text):
        return None
    if len(text.lstrip("0")) > 18:
        raise _Failed("the server speaks of more bytes than any disk has")
    return int(text)


def _is_zipped(headers: http.client.HTTPMessage) -> bool:
    """Whether a server says that it sends a file zipped.

    Raises:
        _Failed: it sends it in another way.
    """
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise _Failed(f"the server sends it in the encoding {encoding!r}, which is not read")
    return encoding in ("gzip", "x-gzip")


def _mark(headers: http.client.HTTPMessage) -> str | None:
    """What tells one version of a file from others, byte by byte, or None."""
    tag = headers.get("ETag", "")
    if tag.startswith('"'):
        return tag
    return headers.get("Last-Modified")
