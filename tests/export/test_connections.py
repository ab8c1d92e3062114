"""The connections of `examples/serving`: slow and half-sent requests keep nobody out; the tests are
left out where uvicorn is not installed.
"""

import asyncio
import contextlib
import http.client
import importlib.util
import pathlib
import socket
import sys
import threading
import time

import pytest

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("httptools")

FILE = pathlib.Path(__file__).parents[2] / "examples" / "serving" / "connections.py"
MOST, SECONDS = 20, 1.0
HALF = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"


async def answer(scope, receive, send):
    """Reads the body, and says how long it is; "/slow" takes longer than a client may."""
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        size, more = size + len(event.get("body", b"")), event.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * SECONDS)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port():
    spec = importlib.util.spec_from_file_location("serving_connections", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kind = type("Small", (module.Hurried,), {"most": MOST, "seconds": SECONDS})
    options = dict(http=kind, ws="none", lifespan="off", log_level="critical", port=0)
    server = uvicorn.Server(uvicorn.Config(answer, limit_concurrency=2 * MOST, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def connect(port):
    """A function that opens a connection; all are closed with the test."""
    with contextlib.ExitStack() as opened:

        def make(content=b"", source="127.0.0.1"):
            place, options = ("127.0.0.1", port), {"timeout": 20, "source_address": (source, 0)}
            made = opened.enter_context(socket.create_connection(place, **options))
            made.sendall(content)
            return made

        yield make


def ask(port, path="/", body=b"12345", **options):
    """The status and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", path, body, **options)
        response = connection.getresponse()
        return response.status, response.read()


def until_closed(connection):
    """What comes until the other side closes the connection."""
    content = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(4096):
            content += part
    return content


@pytest.mark.promise("Clients that send slowly")
@pytest.mark.parametrize(
    "content", [b"", b"POST", HALF, HALF + b"\r\n1234"], ids=["none", "line", "headers", "body"]
)
def test_half_sent_requests_shut_nobody_out(port, connect, content):
    """Three times as many as may be open: others are answered meanwhile, and all of them end."""
    half = [connect(content) for _ in range(3 * MOST)]
    for _ in range(5):
        assert ask(port) == (200, b"5")
    ends = [until_closed(connection) for connection in half]
    assert all(end == b"" or end.split()[1] in (b"408", b"503") for end in ends)


@pytest.mark.promise("more than 400 connections")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_one_address_shuts_out_no_other(port, connect):
    """A client that takes its time finds its connection open still."""
    patient = connect(HALF)
    many = [connect(HALF, "127.0.0.2") for _ in range(3 * MOST)]
    patient.sendall(b"\r\n123456789")
    assert patient.recv(4096).endswith(b"9") and len(many) == 3 * MOST


@pytest.mark.promise("Clients that send slowly")
@pytest.mark.promise("not there as a whole 5")
@pytest.mark.parametrize("content", [HALF, HALF + b"\r\n"], ids=["headers", "body"])
def test_a_slow_sender_is_ended(port, connect, content):
    """One byte now and then: it is the whole request that has to come in time."""
    slow = connect(content)
    begin = time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() < begin + 20:
            slow.sendall(b"1")
            time.sleep(SECONDS / 4)
            assert ask(port) == (200, b"5")
    assert time.monotonic() < begin + 20


def test_an_answer_that_takes_long_is_waited_for(port, connect):
    threads = [threading.Thread(target=lambda: got.append(ask(port, "/slow"))) for _ in range(5)]
    got = []
    for thread in threads:
        thread.start()
    time.sleep(SECONDS / 2)  # they are being answered
    half = [connect(HALF) for _ in range(3 * MOST)]
    for thread in threads:
        thread.join()
    assert got == 5 * [(200, b"5")] and len(half) == 3 * MOST


@pytest.mark.promise("a head of more than 16")
def test_a_head_without_an_end(port, connect):
    endless = connect(b"GET / HTTP/1.1\r\n")
    with contextlib.suppress(OSError):
        for _ in range(100):
            endless.sendall(b"x: " + b"y" * 4000 + b"\r\n")
    assert until_closed(endless).split()[1:2] in ([b"431"], [b"400"], [])
    assert ask(port) == (200, b"5")


def test_a_connection_is_used_again(port, connect):
    """Requests one after another and at once, a body in pieces, an idle while."""
    connection = connect()
    whole = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    for _ in range(3):
        connection.sendall(whole)
        assert connection.recv(4096).endswith(b"3")
        time.sleep(SECONDS / 3)
    connection.sendall(whole + whole)
    content = b""
    while content.count(b"200 OK") < 2:
        content += connection.recv(4096)
    assert ask(port, body=iter([b"ab", b"cd"]), encode_chunked=True) == (200, b"4")
    assert until_closed(connection)[:20] in (b"", b"HTTP/1.1 408 Request")


def test_no_web_sockets(port):
    """They would be counted by nobody."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert ask(port, body=None, headers={**headers, "Sec-WebSocket-Key": "eA=="})[0] == 200
