"""How fast rows of files reach a training: the table of docs/data-at-rate.md.

    python -m benchmarks.data_rate [--only images rows images_launched rows_launched]

Each process writes rows of its own in all formats, so that the system has them in its cache, and
reads them in turns: by `np.memmap` in a plain loop that copies each batch; by the same loop where
the last batches stay in memory, as many as a feed holds, which a processor's cache does not; by
each format's own library in a plain loop, which copies parts of memory maps; and by the feed that
`fit` takes from for the same data. What the last two give is handed to a compiled function that
reads one number of each array: a step that costs nothing. The first pass over each is not measured,
as the first epoch compiles. Of 2 and 4 processes the rate is that of all together, from a common
start to the end of the last one.

Of what takes long a pass has a part of the rows, and the time is that of all. The numbers are
random, so that nothing is won by compression. The parts "launched" are of one training over several
processes, see `benchmarks.data_rate_launched`.

It takes grain, array-record, h5py, pyarrow, datasets and webdataset.
"""

import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks import kept
from benchmarks.runner import ENVIRONMENT, ROOT

PROCESSES = (1, 2, 4)
ROUNDS = 7
BATCH = 128
SETS = {  # name: (rows, shape of one, dtype); 302 MB each
    "images": (24_576, (64, 64, 3), "uint8"),
    "rows": (98_304, (768,), "float32"),
}
BASE = "np.memmap alone"
KEPT = "np.memmap alone, batches kept"
ONE_BATCH = "one batch again and again"
LIBRARIES = ("grain", "array_record", "h5py", "pyarrow", "datasets", "webdataset")


class Reader:
    """A running process that reads rows of its own, by one way or another.

    Args:
        count: of the processes at once.
    """

    def __init__(self, name: str, count: int, folder: pathlib.Path, divided_by: int) -> None:
        folder.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.data_rate_reader", name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT | {"ROWS": str(SETS[name][0] // count // divided_by)},
            cwd=ROOT,
        )

    def tell(self, way: str) -> None:
        """Begins a pass over its rows."""
        print(way, file=self.process.stdin, flush=True)

    def answer(self):
        """Waits for what it says."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"A reader ended with exit status {self.process.wait()}.")
        return json.loads(line)

    def close(self) -> None:
        """Ends it."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def seconds_of(readers: list[Reader], way: str, parts: int) -> dict[str, float]:
    """How long all take for their rows, at once, and the processor's seconds of all.

    Args:
        parts: of the rows, of which a pass of this way has one.
    """
    start = time.perf_counter()
    for reader in readers:
        reader.tell(way)
    used = sum(reader.answer() for reader in readers)
    return {"wall": parts * (time.perf_counter() - start), "cpu": parts * used}


def turns(readers: list[Reader], ways: dict[str, int], rounds: int) -> dict[str, list[dict]]:
    """{way: the seconds of each round}, one way after another, the order reversed each time."""
    found = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way in list(ways) if number % 2 else reversed(ways):
            seconds = seconds_of(readers, way, ways[way])
            if number:
                found[way].append(seconds)
    return found


def ratio(found: dict[str, list[dict]], way: str, to: str, of: str = "wall") -> float:
    """The rate of a way by that of another, side by side in each round: the median."""
    return statistics.median(b[of] / a[of] for a, b in zip(found[way], found[to]))


def summary(found: dict[str, list[dict]], size: int, rows: int) -> dict[str, dict[str, float]]:
    """{kind: its rates and ratios}"""
    seconds = {way: statistics.median(r["wall"] for r in each) for way, each in found.items()}
    kinds = [way.removesuffix(", fed") for way in found if way.endswith(", fed")]
    rates = {}
    for kind in kinds:
        fed = f"{kind}, fed"
        beside = {"memmap": BASE, "kept": KEPT, "reader": f"{kind}, alone"}
        beside = {name: to for name, to in beside.items() if to in found}
        rates[kind] = {
            "bytes_per_second": size / seconds[fed],
            "rows_per_second": rows / seconds[fed],
            **{f"of_{name}": ratio(found, fed, to) for name, to in beside.items()},
            **{f"cpu_of_{name}": ratio(found, fed, to, "cpu") for name, to in beside.items()},
        }
    loops = {
        way: {
            "bytes_per_second": size / seconds[way],
            "of_memmap": ratio(found, way, BASE),
            "cpu_of_memmap": ratio(found, way, BASE, "cpu"),
        }
        for way in (BASE, KEPT, ONE_BATCH)
        if way in found
    }
    return {**loops, **rates}


def measure(
    name: str,
    rounds: int = ROUNDS,
    divided_by: int = 1,
    processes: tuple[int, ...] = PROCESSES,
) -> dict[str, dict]:
    """{number of processes: `summary`} of a set of rows.

    Args:
        divided_by: of the rows, so many fewer, for a test.
    """
    found = {}
    for count in processes:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARKS_FOLDER")) as folder:
            folders = [pathlib.Path(folder, str(number)) for number in range(count)]
            readers = [Reader(name, count, folder, divided_by) for folder in folders]
            try:
                ways = [reader.answer() for reader in readers][0]
                seconds = turns(readers, ways, rounds)
                rows = SETS[name][0] // divided_by
                found[str(count)] = summary(seconds, rows * bytes_of_row(name), rows)
            finally:
                for reader in readers:
                    reader.close()
    return found


def measure_launched(
    name: str, rounds: int = ROUNDS, processes: tuple[int, ...] = PROCESSES
) -> dict[str, dict]:
    """The same of one training over so many processes, started by `jkeras launch`."""
    found = {}
    for count in processes:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARKS_FOLDER")) as folder:
            program = ["-m", "benchmarks.data_rate_launched", name, folder, str(rounds)]
            launch = [sys.executable, "-m", "jkeras", "launch", "--processes", str(count)]
            subprocess.run([*launch, *program], env=ENVIRONMENT, cwd=ROOT, check=True)
            seconds = json.loads(pathlib.Path(folder, "seconds.json").read_text())
        rows = SETS[name][0]
        found[str(count)] = summary(seconds, rows * bytes_of_row(name), rows)
    return found


def bytes_of_row(name: str) -> int:
    """The bytes of a row of a set."""
    _, shape, dtype = SETS[name]
    return math.prod(shape) * np.dtype(dtype).itemsize


PARTS = {
    name: (lambda name=name: measure(name), tuple(n.replace("_", "-") for n in LIBRARIES))
    for name in SETS
} | {
    f"{name}_launched": (lambda name=name: measure_launched(name), ("grain", "h5py"))
    for name in SETS
}

if __name__ == "__main__":
    kept.command("data_rate", __doc__, PARTS)
