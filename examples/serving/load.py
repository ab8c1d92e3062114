"""Sends requests to the server over many connections, and compares each answer with the model's
own: `python load.py FOLDER`. Nothing but numpy is needed.
"""

import argparse
import collections
import contextlib
import dataclasses
import http.client
import json
import pathlib
import queue
import threading
import time

import numpy as np

MALFORMED = {  # what is wrong with a request -> its body, and the status that refuses it
    "seven rows": (json.dumps({"pixels": [[0.0] * 8] * 7}), 422),
    "a row of nine": (json.dumps({"pixels": [[0.0] * 8] * 7 + [[0.0] * 9]}), 422),
    "a pixel of 17": (json.dumps({"pixels": [[17.0] * 8] * 8}), 422),
    "a pixel that is not a number": (json.dumps({"pixels": [[float("nan")] * 8] * 8}), 422),
    "a text": (json.dumps({"pixels": "seven"}), 422),
    "no pixels": ("{}", 422),
    "no JSON": ("{", 422),
    "not UTF-8": (b"\xff\xfe", 422),
    "brackets in brackets": ("[" * 16_000, 400),
    "too large": (json.dumps({"pixels": [[0.0] * 8] * 8, "more": "x" * 20_000}), 413),
}


@dataclasses.dataclass
class Report:
    """What came of a load.

    Attributes:
        requests: how many well-formed requests were sent.
        failures: how many of them were not answered with 200, by what came instead.
        latencies: seconds of each that was answered, sorted.
        difference: the largest difference of a probability to the model's own.
        other_sets: how many answers have another set of digits than the model's own.
        refused: how many malformed requests were refused with the status that they should be.
        not_refused: what came to the other malformed ones.
        seconds: from the first request to the last answer.
    """

    requests: int
    failures: dict[str, int]
    latencies: list[float]
    difference: float
    other_sets: int
    refused: int
    not_refused: dict[str, str]
    seconds: float

    def __str__(self):
        failed = sum(self.failures.values())
        lines = [f"{self.requests} requests, {failed} failures {self.failures or ''}".rstrip()]
        if self.latencies:
            middle, high, highest = np.percentile(self.latencies, [50, 95, 99]) * 1000
            rate = len(self.latencies) / self.seconds
            lines += [
                f"latency p50 {middle:.1f} ms, p95 {high:.1f} ms, p99 {highest:.1f} ms",
                f"{rate:.0f} answers a second",
                f"largest difference to the model's own {self.difference:.1e}, "
                f"{self.other_sets} other sets",
            ]
        if self.refused or self.not_refused:
            lines.append(f"{self.refused} malformed requests refused; others: {self.not_refused}")
        return "\n".join(lines)


def send(jobs, results, connection):
    """Sends what is in a queue over a connection, one after another, and notes
    (job, status or name of the error, body, seconds). After an error it connects anew.

    A job is (number of the image or name of what is wrong, body).
    """
    with contextlib.closing(connection):
        while True:
            try:
                job, body = jobs.get_nowait()
            except queue.Empty:
                return
            begin = time.perf_counter()
            try:
                connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                status, answer = response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                status, answer = type(error).__name__, b""
            results.append((job, status, answer, time.perf_counter() - begin))


def load(expected, port, requests=4000, connections=32, malformed=0, timeout=10):
    """Sends images, and malformed requests between them; a report.

    Args:
        expected: "images", which are sent in turns, and what the model says of them, as in
            `expected.npz`.
        connections: how many requests are under way at once.
        malformed: how many malformed requests are sent between the others.
        timeout: seconds after which no answer is a failure.
    """
    results = []
    jobs = jobs_of(expected["images"], requests, malformed)
    threads = [
        threading.Thread(target=send, args=(jobs, results, connection))
        for connection in (
            http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
            for _ in range(connections)
        )
    ]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return reported(results, expected, time.perf_counter() - begin)


def jobs_of(images, requests, malformed):
    """What is to be sent, in a queue: malformed requests lie evenly between the others."""
    bodies = [json.dumps({"pixels": image.tolist()}) for image in images]
    everything = [(i, bodies[i % len(bodies)]) for i in range(requests)]
    names = list(MALFORMED)
    for i in range(malformed):
        name = names[i % len(names)]
        everything.insert(i * (requests + malformed) // malformed, (name, MALFORMED[name][0]))
    jobs = queue.SimpleQueue()
    for job in everything:
        jobs.put(job)
    return jobs


def reported(results, expected, seconds):
    """The report of what `send` noted."""
    failures, latencies, differences, other_sets = collections.Counter(), [], [0.0], 0
    refused, not_refused = 0, {}
    for job, status, answer, took in results:
        if job in MALFORMED:
            if status == MALFORMED[job][1]:
                refused += 1
            else:
                not_refused[job] = f"{status} {answer[:200]!r}"
        elif status != 200:
            failures[str(status)] += 1
        else:
            latencies.append(took)
            answer, row = json.loads(answer), job % len(expected["images"])
            difference = np.abs(answer["probabilities"] - expected["probabilities"][row]).max()
            differences.append(float(difference))
            other_sets += answer["set"] != np.flatnonzero(expected["in_set"][row]).tolist()
    return Report(
        requests=len(latencies) + sum(failures.values()),
        failures=dict(failures),
        latencies=sorted(latencies),
        difference=max(differences),
        other_sets=other_sets,
        refused=refused,
        not_refused=not_refused,
        seconds=seconds,
    )


def main():
    """Sends, and prints the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="that train.py has written to")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--malformed", type=int, default=0)
    options = parser.parse_args()
    with np.load(options.folder / "expected.npz") as file:
        expected = dict(file)
    numbers = options.requests, options.connections, options.malformed
    print(load(expected, options.port, *numbers))


if __name__ == "__main__":
    main()
