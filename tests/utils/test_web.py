"""Servers that never end, or answer what is no file: within a deadline, with one clear error, and
nothing is left.
"""

import copy
import os
import pickle
import time
import traceback

import numpy as np
import pytest

import jkeras
from jkeras.callbacks import remote
from jkeras.utils import download, get_file
from tests.web import scripted

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Patience of a tenth of a second."""
    monkeypatch.setattr(download, "PAUSES", (0, 0))
    monkeypatch.setattr(download, "PATIENCE", 0.2)
    monkeypatch.setattr(download, "GRACE", 0.3)


def dripped(begin, byte):
    """A beginning, and then one byte after the other for ever."""

    def script():
        yield begin
        while True:
            yield 0.02
            yield byte

    return script


def flooded(begin, line):
    """A beginning, and then one line after the other without a pause."""

    def script():
        yield begin
        while True:
            yield line * 1000

    return script


def status_line_by_bytes():
    while True:
        yield from (b"H", 0.02)


ENDLESS = {
    "status": status_line_by_bytes,
    "header": dripped(OK + b"X-A: ", b"a"),
    "continue": dripped(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "many continues": flooded(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "length of a chunk": dripped(CHUNKED, b"0"),
    "extension of a chunk": dripped(CHUNKED + b"1;", b"a"),
    "chunks of one byte": dripped(CHUNKED, b"1\r\na\r\n"),
    "trailers": dripped(CHUNKED + b"1\r\na\r\n0\r\n", b"X-A: a\r\n"),
    "many trailers": flooded(CHUNKED + b"1\r\na\r\n0\r\n", b"X-A: a\r\n"),
    "body": dripped(OK + b"Content-Length: 1000\r\n\r\n", b"a"),
    "body without a length": dripped(OK + b"\r\n", b"a"),
    "body of an error": dripped(b"HTTP/1.1 404 No\r\nX: ", b"a"),
}


@pytest.mark.promise("send a kilobyte of the file in each second after that")
@pytest.mark.parametrize("name", ENDLESS)
def test_a_download_ends(name, tmp_path):
    begin = time.monotonic()
    ends = pytest.raises(OSError, match="too slow|without end|line|headers")
    with scripted(ENDLESS[name]) as address, ends:
        get_file(origin=f"{address}/a.txt", cache_dir=tmp_path)
    assert time.monotonic() - begin < 30  # not for ever
    assert os.listdir(tmp_path / "datasets") == []


def test_redirects_that_drip(tmp_path):
    def script():
        yield b"HTTP/1.1 302 Found\r\nLocation: /"
        for _ in range(10):
            yield from (0.05, b"a")
        yield b"\r\nContent-Length: 0\r\n\r\n"

    with scripted(script) as address, pytest.raises(OSError, match="too slow|loop"):
        get_file(origin=f"{address}/a.txt", cache_dir=tmp_path)


def answer(text):
    return lambda: iter([text])


ODD = {
    "length of 5,000 digits": (OK + b"Content-Length: %b\r\n\r\na" % (b"9" * 5000), "more bytes"),
    "range of 5,000 digits": (
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-%b/%b\r\n\r\n" % ((b"9" * 5000,) * 2),
        "another file",
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", "204 No Content, which has no file"),
    "accepted": (b"HTTP/1.1 202 Accepted\r\nContent-Length: 1\r\n\r\na", "202"),
    "redirect without an address": (b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n", "http"),
    "redirect to a label that is too long": (
        b"HTTP/1.1 302 Found\r\nLocation: http://%b.com/\r\n\r\n" % (b"a" * 70),
        "no address|not reached",
    ),
    "redirect to a port of 5,000 digits": (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%b/\r\n\r\n" % (b"9" * 5000),
        "no address",
    ),
    "redirect to a port that is none": (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999/\r\n\r\n",
        "no address|not reached",
    ),
    "redirect to a file": (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "http"),
    "commands for the terminal": (b"HTTP/1.1 404 \x1b]0;owned\x07\x1b[2J\r\n\r\n", "404"),
    "a status that is none": (b"HTTP/1.1 2000 \x1b[2J\r\n\r\n", "broke"),
    "another protocol": (b"\x1b[2J 220 ftp\r\n", "broke"),
    "negative chunk": (CHUNKED + b"-5\r\nabc\r\n", "broke|too slow|nothing came"),
    "chunk of no number": (CHUNKED + b"\x1b[2J\r\nabc\r\n", "broke|bytes"),
    "many headers": (OK + b"X: a\r\n" * 1000 + b"\r\n", "headers"),
    "long header": (OK + b"X: %b\r\n\r\n" % (b"a" * 100_000), "line"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_file(name, tmp_path):
    text, message = ODD[name]
    with scripted(answer(text)) as address, pytest.raises(OSError, match=message) as caught:
        get_file(origin=f"{address}/a.txt", cache_dir=tmp_path)
    said = "".join(traceback.format_exception(caught.value))
    assert "cannot be downloaded" in said and len(said) < 10_000
    assert said.replace("\n", "").isprintable()
    assert os.listdir(tmp_path / "datasets") == []


@pytest.mark.parametrize(
    "origin",
    [
        "http://[/a.txt",
        "http://[::1/a.txt",
        "http://127.0.0.1:99999/a.txt",
        f"http://127.0.0.1:{'9' * 5000}/a.txt",
        "http://127.0.0.1:x/a.txt",
        f"http://{'a' * 70}.invalid/a.txt",
        "http:///a.txt",
        "http://127.0.0.1/a\x00b.txt",
        "http://127.0.0.1/é.txt",
        f"http://127.0.0.1/{'a' * 300}.txt",
        "http://a\r\nb/a.txt",
        "file:///a%00b.txt",
        "file:///dev/zero",
        "",
    ],
    ids=range(14),
)
def test_odd_addresses(origin, tmp_path):
    with pytest.raises((OSError, ValueError)) as caught:
        get_file(origin=origin, cache_dir=tmp_path)
    assert any(word in str(caught.value) for word in ("downloaded", "address", "name"))
    assert os.listdir(tmp_path / "datasets") == [] if (tmp_path / "datasets").exists() else True


# ---------------------------------------------------------------- RemoteMonitor


def trained(address, epochs=5):
    """Seconds that a training takes that reports to an address, and what it warns of."""
    model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((2, 1))
    model.fit(x, x, verbose=0)
    begin = time.monotonic()
    model.fit(x, x, epochs=epochs, verbose=0, callbacks=[jkeras.callbacks.RemoteMonitor(address)])
    return time.monotonic() - begin


@pytest.mark.promise("`RemoteMonitor` sends in")
@pytest.mark.parametrize("name", ["status", "header", "continue", "many continues"])
def test_a_monitor_holds_no_training_up(name, monkeypatch):
    monkeypatch.setattr(remote, "PROMPT", 0.1)
    monkeypatch.setattr(remote, "LAST", 0.3)
    with scripted(ENDLESS[name]) as address, pytest.warns(UserWarning, match="Could not reach"):
        assert trained(address) < 30  # not for ever


def test_epochs_that_come_too_quickly_are_left_out(monkeypatch):
    monkeypatch.setattr(remote, "PROMPT", 0)
    monkeypatch.setattr(remote, "LAST", 0)
    monkeypatch.setattr(remote, "MOST_WAITING", 2)
    with scripted(ENDLESS["status"]) as address, pytest.warns(UserWarning) as caught:
        trained(address)
    said = [str(warning.message) for warning in caught]
    assert sum("one is left out" in text for text in said) == 3
    assert sum("have not been sent" in text for text in said) == 1


def test_a_monitor_is_copied_without_its_thread():
    monitor = jkeras.callbacks.RemoteMonitor("http://127.0.0.1:9")
    with pytest.warns(UserWarning, match="Could not reach"):
        monitor.on_epoch_end(0, {"loss": 1.0})
        monitor.on_train_end()
    assert copy.deepcopy(monitor).root == pickle.loads(pickle.dumps(monitor)).root == monitor.root
