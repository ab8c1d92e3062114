"""`examples/serving`: a trained model behind an HTTP server holds a load; left out where the extra
`serving` is not installed.
"""

import contextlib
import http.client
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from benchmarks.runner import ROOT
from benchmarks.serving import FOLDER, module as module_of

PATIENCE = 120  # seconds until a server has to be there, on a machine that does other work


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder with the exported model, what was measured)."""
    for name in ("jax2onnx", "onnxruntime", "litserve"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    folder = tmp_path_factory.mktemp("model")
    return folder, module_of("train").main(folder, epochs=6, width=8)


@pytest.fixture
def expected(trained):
    """What the model says, as `load` takes it."""
    with np.load(trained[0] / "expected.npz") as file:
        return dict(file)


@pytest.fixture
def serve(trained):
    """A function of options that starts a server: (process, port). All end with the test."""
    started = []

    def start(*options):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, str(FOLDER / "server.py"), str(trained[0]), "--port", str(port)]
        process = subprocess.Popen(
            [*command, *options], cwd=trained[0], env=without_jkeras(), start_new_session=True
        )
        started.append(process)
        wait_for(port, process)
        return process, port

    yield start
    for process in started:
        end(process)


def without_jkeras():
    """The environment of a process that does not find this checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def end(process):
    """Kills a server with all its processes, as a container does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ask(port, method="GET", path="/health", body=None):
    """The status of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body)
        return connection.getresponse().status
    finally:
        connection.close()


def wait_for(port, process):
    """Returns once a server answers that it is well."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        assert process.poll() is None, "the server has ended"
        with contextlib.suppress(OSError):
            if ask(port) == 200:
                return
        time.sleep(0.2)
    pytest.fail(f"no answer of the server within {PATIENCE} seconds")


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir() if path.is_file()))
def test_the_page_leads_to_the_files(name):
    assert f"](../examples/serving/{name})" in (ROOT / "docs" / "shipping.md").read_text()


@pytest.mark.promise("The temperature, the softmax and the threshold")
@pytest.mark.promise("The explanation is checked")
@pytest.mark.slow
def test_the_model_is_calibrated_and_explained(trained):
    report = trained[1]
    assert report["accuracy"] > 0.5
    assert report["loss"] < report["loss_before"] + 0.02
    assert report["coverage"] > 1 - 0.05 - 3 * np.sqrt(0.05 * 0.95 * (1 / 300 + 1 / 359))
    assert 1 <= report["set_size"] < 6
    assert report["deletion"] < 0.7


@pytest.mark.promise("JSON that is nested a thousand times")
@pytest.mark.promise("rows missing or too long")
@pytest.mark.promise("Malformed requests are refused before the queue")
@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 32])
def test_a_load_is_held(batch, serve, expected):
    _, port = serve("--batch", str(batch))
    report = module_of("load").load(expected, port, requests=600, connections=16, malformed=60)
    print(report)
    assert (report.requests, report.failures) == (600, {})
    assert report.difference < 1e-5 and report.other_sets == 0
    assert (report.refused, report.not_refused) == (60, {})


@pytest.mark.promise("a body of more than 16")
@pytest.mark.slow
def test_a_huge_body_harms_nobody(serve, expected):
    _, port = serve()
    try:
        status = ask(port, "POST", "/predict", b"[" * 20_000_000)
    except OSError:  # the connection ended while the body was sent
        status = 413
    assert status == 413
    assert module_of("load").load(expected, port, requests=20).failures == {}


@pytest.mark.promise("the server is killed, with")
@pytest.mark.slow
def test_a_server_that_is_killed_is_an_error_at_once(serve, expected):
    process, port = serve()
    killer = threading.Timer(0.5, end, [process])
    killer.start()
    report = module_of("load").load(expected, port, requests=20_000, timeout=60)
    killer.join()
    print(report)
    assert report.requests == 20_000 and report.failures
    assert set(report.failures) <= {
        "BrokenPipeError",
        "ConnectionRefusedError",
        "ConnectionResetError",
        "RemoteDisconnected",
    }  # and no TimeoutError
    assert report.difference < 1e-5


@pytest.mark.promise("SIGTERM | the server ends")
@pytest.mark.slow
def test_sigterm_ends_all_processes(serve):
    process, port = serve()
    process.terminate()
    assert process.wait(PATIENCE) == 0
    with pytest.raises(ConnectionRefusedError):
        ask(port)


@pytest.mark.slow
def test_half_sent_requests_shut_nobody_out(serve, expected):
    """More than may be open; they end, and others are answered meanwhile."""
    _, port = serve()
    half = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
    with contextlib.ExitStack() as opened:
        place = ("127.0.0.1", port)
        many = [
            opened.enter_context(socket.create_connection(place, timeout=60)) for _ in range(450)
        ]
        for number, connection in enumerate(many):
            with contextlib.suppress(OSError):  # it made room already
                connection.sendall(half + b"\r\n1" * (number % 2))
        report = module_of("load").load(expected, port, requests=50, connections=2)
        for connection in many:
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
    assert report.failures == {}
