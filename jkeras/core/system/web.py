"""Requests to web servers that end in time, whatever the server does.

The timeout of a socket starts anew with each byte. A server that sends one byte every few seconds
(of its headers, of a chunk's length, of trailers), or `100 Continue` without end, would hold a
reader up for ever. Here every read asks a watch first how long it may take.
"""

import functools
import http.client
import io
import re
import time
import urllib.parse
import urllib.request


class OverTime(Exception):
    """The server takes longer, or sends more beside the file, than a watch allows."""


class Deadline:
    """A watch that allows so many seconds, and so many bytes, for all of an exchange.

    >>> 9 < Deadline(10).seconds_left() <= 10
    True
    """

    def __init__(self, seconds, most_bytes=2**20):
        self.seconds = seconds
        self.end = time.monotonic() + seconds
        self.bytes_left = most_bytes

    def seconds_left(self):
        """How long the next read may take.

        Raises:
            OverTime: no longer at all.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise OverTime(f"no whole answer came in {self.seconds} seconds")
        return left

    def count(self, size):
        """Takes note of bytes that came.

        Raises:
            OverTime: they are too many.
        """
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise OverTime("the server sends without end")


class AnotherScheme(Exception):
    """The server redirects to an address that is neither http nor https."""


def open_url(request, watch, connect_timeout):
    """The server's answer, whose every byte is read under the eyes of a watch.

    Args:
        request: a `urllib.request.Request` for an http or https address.
        watch: has `seconds_left` and `count`, as `Deadline` does.
        connect_timeout: seconds.

    Raises:
        OverTime: as the watch says.
        AnotherScheme: as said there.
        ValueError: the address, or one that the server redirects to, is none.
        OSError, http.client.HTTPException: what urllib raises.
    """
    opener = urllib.request.build_opener(_Http(watch), _Https(watch), _WebOnly)
    try:
        return opener.open(request, timeout=connect_timeout)
    except (OverflowError, http.client.InvalidURL) as error:  # a port, a space
        raise ValueError(str(error)) from error


def is_web(url):
    """Whether an address is one of http or https.

    >>> is_web("https://keras.io"), is_web("ftp://keras.io"), is_web("http://[")
    (True, False, False)
    """
    try:
        return urllib.parse.urlsplit(url).scheme in ("http", "https")
    except ValueError:  # brackets without an address in them
        return False


def without_password(text):
    """A text without the names and passwords in its addresses.

    >>> without_password("http://me:secret@host/a@b to http://host/c@d")
    'http://…@host/a@b to http://host/c@d'
    """
    return re.sub(r"""(?<=://)[^/\s?#'"]*@""", "…@", text)


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https addresses only."""

    def http_error_302(self, request, file, code, message, headers):
        try:
            return super().http_error_302(request, file, code, message, headers)
        except BaseException:
            file.close()  # an address that is none is met before it is
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(self, request, file, code, message, headers, url):
        if not is_web(url):
            raise AnotherScheme(
                f"the server sends us on to {url!r}; only http and https addresses are followed"
            )
        return super().redirect_request(request, file, code, message, headers, url)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, watch):
        super().__init__()
        self.connection = functools.partial(_HttpConnection, watch)

    def http_open(self, request):
        return self.do_open(self.connection, request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, watch):
        super().__init__()
        self.connection = functools.partial(_HttpsConnection, watch)

    def https_open(self, request):
        return self.do_open(self.connection, request, context=self._context)


class _HttpConnection(http.client.HTTPConnection):
    def __init__(self, watch, *args, **options):
        super().__init__(*args, **options)
        self.response_class = functools.partial(_Response, watch)


class _HttpsConnection(http.client.HTTPSConnection):
    def __init__(self, watch, *args, **options):
        super().__init__(*args, **options)
        self.response_class = functools.partial(_Response, watch)


class _Response(http.client.HTTPResponse):
    def __init__(self, watch, sock, *args, **options):
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Watched(self.fp.detach(), sock, watch))


class _Watched(io.RawIOBase):
    """The bytes of a socket.

    Args:
        raw: the socket's own stream.
        sock: the socket.
        watch: as of `open_url`.
    """

    def __init__(self, raw, sock, watch):
        super().__init__()
        self.raw = raw
        self.sock = sock
        self.watch = watch

    def readable(self):
        """True."""
        return True

    def readinto(self, buffer):
        """Fills a buffer with what comes first."""
        self.sock.settimeout(self.watch.seconds_left())
        size = self.raw.readinto(buffer)
        self.watch.count(size)
        return size

    def close(self):
        """Closes the socket's stream too."""
        self.raw.close()
        super().close()
