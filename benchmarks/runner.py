"""Takes turns: every peer of a work in a process of its own, one round after the other, never two
at a time.
"""

import contextlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import threading
import time

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
    "PYTHONPATH": str(ROOT),
    "JAX_PLATFORMS": "cpu",
    "KERAS_BACKEND": "jax",
}


LIMIT_S = 300  # for one answer; the longest first step of a peer takes about a minute


class Worker:
    """A running `benchmarks.worker` of one peer."""

    def __init__(self, peer, quick=False):
        command = [sys.executable, "-m", "benchmarks.worker", peer, *["--quick"] * quick]
        self.peer = peer
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
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
            print(work.name, file=self.process.stdin, flush=True)
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
        if "first" in reply:
            found |= reply | {"rounds": []}
        else:
            found["rounds"].append(reply)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def measure(works, peers, rounds, quick=False, say=lambda text: None):
    """{work: {peer: {"build":, "first":, "rounds": [...], "peak_mb":}}}; of a peer that failed,
    "failed": why.

    Args:
        quick: small works, all those of a peer in one process, so that their peaks of memory say
            nothing.
    """
    results, shared = {}, {}
    with contextlib.ExitStack() as whole:
        for work in works:
            begin, names = time.perf_counter(), [peer for peer in peers if peer in work.peers]
            found = results[work.name] = {peer: {} for peer in names}
            with contextlib.ExitStack() as stack:
                workers = shared if quick else {}
                for peer in names:
                    if peer not in workers:
                        workers[peer] = Worker(peer, quick)
                        (whole if quick else stack).callback(workers[peer].close)
                    workers[peer].ask(work, found[peer])
                for i in range(rounds):
                    for peer in names if i % 2 else reversed(names):
                        workers[peer].ask(work, found[peer])
            say(f"{work.name}: {time.perf_counter() - begin:.0f} s")
    return results


def measure_kernels(rounds, quick=False):
    """What `benchmarks.kernels` prints, as a list."""
    command = [sys.executable, "-m", "benchmarks.kernels", str(rounds), *["--quick"] * quick]
    printed = subprocess.run(
        command, check=True, env=ENVIRONMENT, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ).stdout
    return [json.loads(line) for line in printed.splitlines()]


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
