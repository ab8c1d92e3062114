"""What the model of examples/serving reaches, and its server under load: the figures of
docs/shipping.md.

    python -m benchmarks.serving [--only report load half_sent]

It takes the extra `serving`. Of the times only ratios are kept: a server that makes batches beside
one that makes none, which are asked in turns.
"""

import contextlib
import importlib.util
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import numpy as np

from benchmarks import kept, runner

FOLDER = runner.ROOT / "examples" / "serving"
WIDTHS = {32: 30, 256: 3}  # filters: epochs
CONNECTIONS = {32: 1000, 1: 200}  # at once: requests of a round
ROUNDS = 4
MALFORMED = 20  # one for so many requests
HALF_SENT, MEANWHILE = 900, 20
SAMPLES = 2000


def module(name):
    """A file of the example."""
    spec = importlib.util.spec_from_file_location(f"serving_{name}", FOLDER / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # where dataclasses look
    spec.loader.exec_module(found)
    return found


def expected(folder):
    """The images, and what the model says of them."""
    with np.load(folder / "expected.npz") as file:
        return dict(file)


# ---------------------------------------------------------------- the model


def report():
    """What training, calibration and explanation reach, and what chance does to it."""
    train = module("train")
    with tempfile.TemporaryDirectory() as folder:
        found = train.main(folder)
        says = expected(pathlib.Path(folder))
    *_, (images, labels) = train.load_data()
    return {**found, "rows": len(labels), **by_chance(train, says["probabilities"], labels, found)}


def by_chance(train, probabilities, labels, found):
    """The calibration error of probabilities that are right, by labels drawn from them; and the
    standard error of what the likelihood gains.
    """
    rng, rows = np.random.default_rng(0), np.arange(len(labels))
    error = train.uncertainty.expected_calibration_error
    drawn = (probabilities.cumsum(1) > rng.uniform(size=(SAMPLES, len(rows), 1))).argmax(-1)
    errors = [float(error(labels, probabilities)) for labels in drawn]
    logarithms = found["temperature"] * np.log(probabilities)
    before = logarithms - np.logaddexp.reduce(logarithms, axis=1, keepdims=True)
    gains = np.log(probabilities[rows, labels]) - before[rows, labels]
    return {
        "ece_by_chance": float(np.mean(errors)),
        "ece_range": np.quantile(errors, [0.05, 0.95]).tolist(),
        "gain": float(gains.mean()),
        "gain_error": float(gains.std() / np.sqrt(len(gains))),
    }


# ---------------------------------------------------------------- the server


@contextlib.contextmanager
def served(folder, *options):
    """The port of a server, which ends with the context."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(FOLDER / "server.py"), str(folder), "--port", str(port)]
    process = subprocess.Popen([*command, *options], start_new_session=True)
    try:
        wait(port, process)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait(port, process):
    """Returns once the server is well."""
    while process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10)
            return
        time.sleep(0.2)
    sys.exit("the server has ended")


def load():
    """Rows of the table of loads, and the largest difference of an answer to the model's own."""
    found = []
    for width, epochs in WIDTHS.items():
        with tempfile.TemporaryDirectory() as folder:
            module("train").main(folder, epochs, width)
            says = expected(pathlib.Path(folder))
            with served(folder, "--batch", "32") as batched, served(folder, "--batch", "1") as one:
                ports = {"batched": batched, "one by one": one}
                for connections, requests in CONNECTIONS.items():
                    row = in_turns(ports, says, connections, requests)
                    found.append({"filters": width, "connections": connections, **row})
    return found


def in_turns(ports, says, connections, requests):
    """A load for each server, one after the other, several times."""
    seconds, reports = {name: [] for name in ports}, []
    for number in range(ROUNDS + 1):
        for name, port in list(ports.items())[:: 1 if number % 2 else -1]:
            one = module("load").load(says, port, requests, connections, requests // MALFORMED)
            reports.append(one)
            if number:  # the first of each warms it up
                seconds[name].append(one.seconds)
    ratios = [mine / plain for mine, plain in zip(seconds["batched"], seconds["one by one"])]
    return {
        "requests": sum(one.requests for one in reports),
        "failures": sum(sum(one.failures.values()) for one in reports),
        "refused": sum(one.refused for one in reports),
        "malformed": len(reports) * (requests // MALFORMED),
        "difference": max(one.difference for one in reports),
        "other_sets": sum(one.other_sets for one in reports),
        "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
    }


def half_sent():
    """How many requests are answered while others, of the same address, are sent by half."""
    half = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as opened:
        module("train").main(folder, 1)
        port = opened.enter_context(served(folder))
        many = []
        for _ in range(HALF_SENT):
            many.append(opened.enter_context(socket.create_connection(("127.0.0.1", port), 60)))
            with contextlib.suppress(OSError):  # it has made room for another one
                many[-1].sendall(half)
        says = expected(pathlib.Path(folder))
        meanwhile = module("load").load(says, port, MEANWHILE, 2)
        return {
            "half_sent": HALF_SENT,
            "asked": MEANWHILE,
            "answered": len(meanwhile.latencies),
            "ended": sum(map(ends, many)),
        }


def ends(connection):
    """Whether the server ends a connection, within a minute."""
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


PACKAGES = ("litserve", "onnxruntime")
PARTS = {part.__name__: (part, PACKAGES) for part in (report, load, half_sent)}


if __name__ == "__main__":
    kept.command("serving", __doc__, PARTS)
