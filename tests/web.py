"""A web server on this machine, for tests of what is downloaded, with the faults that servers and
networks have.
"""

import contextlib
import hashlib
import http.server
import itertools
import mmap
import os
import pathlib
import re
import socket
import socketserver
import struct
import threading
import time

LAST_MODIFIED = "Sat, 01 Jan 2022 00:00:00 GMT"


class Server(http.server.ThreadingHTTPServer):
    """Serves a dict of files. What its attributes say holds from the next question on."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.files = files  # {path: bytes, or the path of a file}
        self.asked, self.headers = [], []  # the path and the headers of every question
        self.on_question = lambda: None  # called before each answer
        self.answers = iter(())  # status codes of the next answers, None for the usual one
        self.redirects = {}  # {path: address}
        self.cuts = iter(())  # after how many bytes the next answers break off
        self.abrupt = False  # whether they break off with an error of the connection
        self.slow = None  # (bytes, seconds before each of so many)
        self.ranges = True  # whether it sends parts of files
        self.believes = True  # whether it sends them only of the version that is asked for
        self.marks = ("ETag",)  # what it says of a file's version
        self.length = "Content-Length"  # or "chunked", or None
        self.more = {}  # further headers

    def cut_for_ever(self, after):
        """Every answer breaks off after so many bytes."""
        self.cuts = itertools.repeat(after)

    def handle_error(self, request, client_address):
        """A client that hangs up is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One question."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server, self.close_connection = self.server, True
        server.asked.append(self.path)
        server.headers.append(self.headers)
        server.on_question()
        status = next(server.answers, None)
        if self.path in server.redirects:
            self.send_response(302)
            self.send_header("Location", server.redirects[self.path])
            self.end_headers()
        elif status or self.path not in server.files:
            self.send_error(status or 404)
        else:
            body = server.files[self.path]
            if isinstance(body, pathlib.Path):
                with open(body, "rb") as file:
                    body = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._send(body)

    def _send(self, body):
        server = self.server
        begin = self._begin(body)
        self.send_response(200 if begin is None else 206)
        for name, value in {**self._marks(body), **server.more}.items():
            self.send_header(name, value)
        if begin is not None:
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        rest = memoryview(body)[begin or 0 :]
        if server.length:
            name, value = (
                ("Content-Length", len(rest))
                if server.length == "Content-Length"
                else ("Transfer-Encoding", "chunked")
            )
            self.send_header(name, str(value))
        self.end_headers()
        cut = next(server.cuts, None)
        self._write(rest[:cut])
        if cut is None and server.length == "chunked":
            self.wfile.write(b"0\r\n\r\n")
        if cut is not None and server.abrupt:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

    def _begin(self, body):
        """Where the part begins that is asked for, or None for the whole."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in self._marks(body).values()
        return (
            int(found[1])
            if found and self.server.ranges and (same or not self.server.believes)
            else None
        )

    def _marks(self, body):
        values = {
            "ETag": lambda: f'"{hashlib.md5(body).hexdigest()}"',
            "Last-Modified": lambda: LAST_MODIFIED,
        }
        return {name: values[name]() for name in self.server.marks}

    def _write(self, body):
        size, pause = self.server.slow or (1 << 20, 0)
        for i in range(0, len(body), size):
            time.sleep(pause)
            block = body[i : i + size]
            self.wfile.write(
                b"%x\r\n%b\r\n" % (len(block), block) if self.server.length == "chunked" else block
            )

    def log_message(self, *args):
        """Says nothing."""


@contextlib.contextmanager
def serving(files):
    """A `Server` that runs while the block does.

    Args:
        files: {path: bytes, or the path of a file}.
    """
    with Server(files) as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def free_address():
    """An address where nobody answers."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{made.getsockname()[1]}"


@contextlib.contextmanager
def scripted(script):
    """The address of a server that answers every question with the bytes of a script.

    Args:
        script: function without arguments; yields bytes, and numbers: seconds to wait.
    """
    over = threading.Event()

    class Scripted(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1 << 16)  # a question is short
            with contextlib.suppress(OSError):  # the client has gone
                for step in script():
                    if over.is_set():
                        return
                    if isinstance(step, bytes):
                        self.request.sendall(step)
                    else:
                        over.wait(step)

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Threads(("127.0.0.1", 0), Scripted) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            thread.join()
