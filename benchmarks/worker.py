"""A process that does the works of one peer: reads a work, does one round of it, writes what it
took.

    python -m benchmarks.worker PEER

The first line with a work builds the model and does its first round, in which everything is
compiled.
"""

import collections
import json
import os
import resource
import sys
import time

from benchmarks.work import Work


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


# ---------------------------------------------------------------- kinds of works: (a round, as a
# function that returns its times and results; what building the model took)


def fit(peer, work):
    """Training; a step is one batch."""
    x, y = work.data()
    built, run = timed(lambda: peer.fit(work, x, y))
    return lambda: timed(run), built


def epoch(peer, work):
    """Training, counted by epochs."""
    return fit(peer, work)


def predict(peer, work):
    """Predictions of one row, one after the other."""
    rows = work.data()[0][:1]
    built, call = timed(lambda: peer.predict(work))
    return lambda: timed(calls(call, [rows] * work.steps)), built


def eager(peer, work):
    """Calls outside of a compiled function, one after the other."""
    built, call = timed(lambda: peer.eager(work))
    return lambda: timed(call), built


def ragged(peer, work):
    """The first `fit` of a new model, whose building does not count, on rows that leave a smaller
    last batch.
    """
    x, y = work.data()

    def first_fit():
        run = peer.fit(work, x, y)
        COMPILES.take()
        return timed(run)

    return first_fit, {}


def sizes(peer, work):
    """The first predictions of a new model, whose building does not count, on batches of 1 to 8
    rows.
    """
    x, _ = work.data()

    def first_calls():
        run = calls(peer.predict(work), [x[:n] for n in range(1, 9)])
        COMPILES.take()
        return timed(run)

    return first_calls, {}


def build(peer, work):
    """A new model with its weights; "alone_s" is without those that are drawn when they are first
    read.
    """

    def build_and_draw():
        alone, model = timed(lambda: peer.build(work))
        drawn, _ = timed(lambda: peer.draw(model))
        times = {name: alone[name] + drawn[name] for name in alone}
        return times | {"alone_s": alone["cpu_s"]}, {}

    return build_and_draw, {}


def start(peer, work):
    """All that a process does up to the end of its first `fit`, the libraries' import too."""

    def first_epoch():
        results = peer.fit(work, *work.data())()
        return {"cpu_s": time.process_time(), "wall_s": age()}, results

    return first_epoch, {}


KINDS = {
    function.__name__: function
    for function in (fit, epoch, predict, eager, ragged, sizes, build, start)
}


def age():
    """Seconds since this process began."""
    with open("/proc/self/stat") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def one_round(round_):
    COMPILES.take()
    times, results = round_()
    return times | COMPILES.take() | {k: float(v) for k, v in results.items()}


def main(name):
    from benchmarks.peers import load

    peer, rounds = load(name), {}
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no reply
    for line in sys.stdin:
        work = Work.read(line)
        if work.name not in rounds:
            COMPILES.take()
            rounds[work.name], built = KINDS[work.kind](peer, work)
            built |= COMPILES.take()
            reply = {"build": built, "first": one_round(rounds[work.name])}
        else:
            reply = one_round(rounds[work.name])
        reply["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    settle()
    COMPILES = Compiles()
    main(sys.argv[1])
