"""A process that does the works of one peer: reads the name of a work, does one round of it, writes
what it took.

    python -m benchmarks.worker PEER [--quick]

The first line with a name builds the model and does its first round, in which everything is
compiled.
"""

import collections
import json
import os
import resource
import sys
import time

from benchmarks.works import WORKS


def settle():
    """One core, before any library looks how many there are; JAX on CPU, its compiled programs kept
    nowhere.
    """
    sys.setrecursionlimit(100_000)  # Keras walks through a model of a thousand layers by recursion
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ |= dict(
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
        XLA_FLAGS="--xla_cpu_multi_thread_eigen=false",
        OMP_NUM_THREADS="1",
    )
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)


class Compiles:
    """Counts what XLA compiles, and sums up how long that takes."""

    def __init__(self):
        import jax

        self.names, self.seconds = collections.Counter(), 0.0
        jax.monitoring.register_event_duration_secs_listener(self._hear)

    def _hear(self, event, seconds, **about):
        if event == "/jax/core/compile/backend_compile_duration":
            self.seconds += seconds
            self.names[about.get("fun_name", "")] += 1

    def take(self):
        """What came since the last call."""
        found = {
            "xla_s": self.seconds,
            "compiles": self.names.total(),
            "compiled": dict(self.names),
        }
        self.names, self.seconds = collections.Counter(), 0.0
        return found


def timed(function):
    """({"cpu_s":, "wall_s":}, the function's result)."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = function()
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}, result


def calls(call, batches):
    """Predictions of batches one after the other, as a function that has no results worth
    telling.
    """

    def run():
        for batch in batches:
            call(batch)
        return {}

    return run


def make(peer, work):
    """(a round of the work, as a function that returns its times and results; what building the
    model took).
    """
    x, y = work.data()
    if work.kind == "fit":
        built, run = timed(lambda: peer.fit(work, x, y))
        return lambda: timed(run), built
    if work.kind == "predict":
        built, call = timed(lambda: peer.predict(work))
        return lambda: timed(calls(call, [x[:1]] * work.steps)), built

    def first_use():  # of a new model in each round, whose building does not count
        if work.kind == "ragged":
            run = peer.fit(work, x, y)
        else:
            run = calls(peer.predict(work), [x[:n] for n in range(1, 9)])
        COMPILES.take()
        return timed(run)

    return first_use, {}


def one_round(round_):
    COMPILES.take()
    times, results = round_()
    return times | COMPILES.take() | {k: float(v) for k, v in results.items()}


def main(name, quick):
    from benchmarks.peers import load

    peer, rounds = load(name), {}
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no reply
    for line in sys.stdin:
        work = WORKS[line.strip()]
        if work.name not in rounds:
            COMPILES.take()
            rounds[work.name], built = make(peer, work.small() if quick else work)
            built |= COMPILES.take()
            reply = {"build": built, "first": one_round(rounds[work.name])}
        else:
            reply = one_round(rounds[work.name])
        reply["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    settle()
    COMPILES = Compiles()
    main(sys.argv[1], "--quick" in sys.argv)
