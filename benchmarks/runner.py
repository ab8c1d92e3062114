"""Takes turns: every peer of a work in a process of its own, one round after the other, never two
at a time.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time

from benchmarks import mapped

ROOT = pathlib.Path(__file__).parent.parent
IMPORTS = {
    "jax and optax": "import jax, jax.numpy, optax",
    "jkeras": "import jkeras",
    "keras": "import keras",
    "nnx": "import flax.nnx, optax",
    "equinox": "import equinox, optax",
    "torch": "import torch",
}
# Without PYTHONDONTWRITEBYTECODE, so that what is imported is compiled once, as installed code is.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    "JAX_PLATFORMS": "cpu",
    "KERAS_BACKEND": "jax",
}


LIMIT_S = 300  # for one answer; the longest first step of a peer takes about a minute


class Worker:
    """A running `benchmarks.worker` of one peer."""

    def __init__(self, peer, python=sys.executable, folder=""):
        self.peer = peer
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT | {mapped.FOLDER: folder},
            cwd=ROOT,
        )

    def ask(self, work, found):
        """Adds one round of a work to what was found of it: first how building and the first round
        went.
        """
        if "failed" in found:
            return
        timer = threading.Timer(LIMIT_S, self.process.kill)
        timer.start()
        try:
            print(json.dumps(dataclasses.asdict(work)), file=self.process.stdin, flush=True)
            reply = json.loads(self.process.stdout.readline())
        except (json.JSONDecodeError, BrokenPipeError):
            late = not timer.is_alive()
            found["failed"] = (
                f"took over {LIMIT_S} s"
                if late
                else f"ended with exit status {self.process.wait()}"
            )
            return
        finally:
            timer.cancel()
        found["peak_mb"] = reply.pop("peak_mb")
        if "rounds" in found:
            found["rounds"].append(reply.get("first", reply))
        else:
            found |= reply | {"rounds": []}

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Workers:
    """A running `Worker` for each peer; of a work that begins with its process, a new one for each
    round.
    """

    def __init__(self, python, folder):
        self.python, self.folder, self.running = python, folder, {}

    def ask(self, peer, work, found):
        """As `Worker.ask`."""
        if work.kind == "start":
            with contextlib.closing(Worker(peer, self.python, self.folder)) as worker:
                worker.ask(work, found)
            return
        if peer not in self.running:
            self.running[peer] = Worker(peer, self.python, self.folder)
        self.running[peer].ask(work, found)

    def close(self):
        for worker in self.running.values():
            worker.close()
        self.running.clear()


def take_turns(workers, work, peers, rounds):
    """{peer: {"count": what a round's time is divided by, "build":, "first":, "rounds": [...],
    "peak_mb":}} of one work; of a peer that failed, "failed": why.
    """
    found = {peer: {"count": work.count} for peer in peers if peer in work.peers}
    for peer in found:
        workers.ask(peer, work, found[peer])
    for i in range(rounds):
        for peer in found if i % 2 else reversed(found):
            workers.ask(peer, work, found[peer])
    return found


def measure(works, peers, rounds, quick=False, say=lambda text: None, python=sys.executable):
    """{work: what `take_turns` found}.

    Args:
        quick: all works of a peer in one process, so that their peaks of memory say nothing.
        python: the interpreter of the processes.
    """
    results = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(Workers(python, folder)) as workers,
    ):
        for work in works:
            begin = time.perf_counter()
            results[work.name] = take_turns(workers, work, peers, rounds)
            if not quick:
                workers.close()
            say(f"{work.name}: {time.perf_counter() - begin:.0f} s")
    return results


def printed(module, *arguments, environment=None, **given):
    """What a module of the benchmarks prints in JSON, one value a line."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    given = dict(check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True) | given
    text = subprocess.run(command, env=ENVIRONMENT | (environment or {}), **given).stdout
    return [json.loads(line) for line in text.splitlines()]


def measure_kernels(rounds, quick=False):
    """What `benchmarks.kernels` prints, as a list."""
    return printed("kernels", str(rounds), *["--quick"] * quick)


def measure_others(names, rounds, quick=False, say=lambda text: None):
    """What `benchmarks.others` prints of each name, as one list."""
    found = []
    for name in names:
        begin = time.perf_counter()
        found += printed("others", name, "--json", f"--rounds={rounds}", *["--quick"] * quick)
        say(f"{name}: {time.perf_counter() - begin:.0f} s")
    return found


def measure_newest(works, rounds, quick, say, python):
    """{"versions":, "works": as of `measure`} of jkeras and its closest peers in another
    interpreter.
    """
    code = (
        "import importlib.metadata as m, platform; print('Python', platform.python_version() + ',',"
        " ', '.join(f'{n} {m.version(n)}' for n in ('jax', 'jaxlib', 'keras')))"
    )
    versions = subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    peers = ("jkeras", "keras", "jitted")
    found = measure(works, peers, rounds, quick, lambda text: say(f"newest {text}"), python)
    return {"versions": versions.stdout.strip(), "works": found}


def measure_limit(works, quick=False):
    """What `benchmarks.limit` prints."""
    text = json.dumps([dataclasses.asdict(work) for work in works])
    return printed("limit", *["--quick"] * quick, input=text)[0]


# ---------------------------------------------------------------- imports


def import_once(code):
    """(processor, wall) seconds of a new interpreter that runs the code."""
    used, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    wall, now = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu_s": now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, "wall_s": wall}


def measure_imports(peers, rounds):
    """{what is imported: {"rounds": [...]}}, as `measure` has it for a work."""
    chosen = {
        name: code for name, code in IMPORTS.items() if name == "jax and optax" or name in peers
    }
    for code in chosen.values():  # writes bytecode, warms the disk
        import_once(code)
    found = {name: {"rounds": []} for name in chosen}
    for i in range(rounds):
        for name in list(chosen) if i % 2 else reversed(chosen):
            found[name]["rounds"].append(import_once(chosen[name]))
    return found
