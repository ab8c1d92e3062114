"""One process of the parts "launched" of `benchmarks.data_rate`, which start it by
`python -m jkeras launch`: a training of several processes.

All make a pass at once, in one way after another: by the plain loop over np.memmap, each over rows
of its own; by a loop that lays each batch of the format's own library out over all processes; and
by the feed of `fit`. A step of the last two reads a number of each row and adds them up over the
processes by gloo, as a step of `fit` does gradients. In the ways "given whole" each process has all
rows, and takes its part of each batch.
"""

import functools
import json
import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from benchmarks.data_rate import BASE, BATCH, ONE_BATCH, SETS
from benchmarks.data_rate_reader import KINDS, Kind, Rows, copied, drained, rows_of
from jkeras import distribution
from jkeras.training.data import array_source, make_source, placement
from jkeras.training.data.feeds import HostFeed, batches_of

NAMES = [
    *("NumPy array", "NumPy array, shuffled"),
    *("np.memmap", 'np.memmap, shuffle="batch"', "np.memmap, shuffled"),
    *("HDF5", 'HDF5, shuffle="batch"', "Grain, whole batches, one thread", "tar, by place"),
]
GIVEN_WHOLE = ("NumPy array, shuffled", "np.memmap, shuffled")
IN_FLIGHT = 2  # steps


@jax.jit
def add_up(arrays: list[jax.Array]) -> jax.Array:
    """A step: the sum of the first number of each row, over all processes."""
    return sum(array[(slice(None), *[0] * (array.ndim - 1))].sum() for array in arrays)


def through(batches: Iterable[Any]) -> None:
    """A step on each batch; no more than a few are under way."""
    waiting = []
    for batch in batches:
        waiting.append(add_up(jax.tree_util.tree_leaves(batch)))
        if len(waiting) > IN_FLIGHT:
            jax.block_until_ready(waiting.pop(0))
    jax.block_until_ready(waiting)


def passes(source: Any) -> Iterator[None]:
    """A pass over the feed that `fit` takes from, each time it is asked for one."""
    epoch = 0
    while True:
        batches = functools.partial(batches_of, source, 0, epoch, 0)
        feed = HostFeed(source, batches, 0, None, True, False)
        through(work.arguments for work in feed.take(sys.maxsize))
        feed.close()
        epoch += 1
        yield


def of_own_rows(kind: Kind, rows: Rows) -> tuple[Callable, Callable]:
    """(a pass by the format's own library, one by the feed) over the rows of this process."""
    source = make_source(kind.given(rows), batch_size=BATCH, shuffle=kind.shuffle)
    return lambda: through(map(placement.place, kind.alone(rows))), passes(source).__next__


def of_all_rows(kind: Kind, own: Rows, whole: Rows) -> tuple[Callable, Callable]:
    """The same where the feed is given the rows of all processes."""
    size = BATCH * jax.process_count()
    source = make_source(kind.given(whole), batch_size=size, shuffle=kind.shuffle)
    made = passes(source)

    def fed() -> None:
        with distribution.DataParallel().scope():
            next(made)

    return lambda: through(map(placement.place, kind.alone(own))), fed


def ways(name: str, folder: pathlib.Path) -> dict[str, tuple[Callable[[], Any], int]]:
    """{name: (a way to make a pass, in how many parts the rows are cut for it)}"""
    count, size = jax.process_count(), SETS[name][0]
    folders = [folder / f"{jax.process_index()}{of}" for of in ("", "_whole")]
    for one in folders:
        one.mkdir()
    own, whole = rows_of(name, size // count, folders[0]), rows_of(name, size, folders[1])
    again = placement.place(own.array[:BATCH].copy())
    steps = range(len(own.array) // BATCH)
    found = {
        BASE: (lambda: drained(copied(own.map)), 1),
        ONE_BATCH: (lambda: through(again for _ in steps), 1),
    }
    for kind in NAMES:
        parts = KINDS[kind].parts
        alone, fed = of_own_rows(KINDS[kind], own.part(parts))
        found |= {f"{kind}, alone": (alone, parts), f"{kind}, fed": (fed, parts)}
    for kind in GIVEN_WHOLE:
        alone, fed = of_all_rows(KINDS[kind], own, whole)
        found |= {f"{kind}, given whole, alone": (alone, 1), f"{kind}, given whole, fed": (fed, 1)}
    return found


def seconds_of(make_pass: Callable[[], Any], parts: int) -> dict[str, float]:
    """How long all take for their rows, at once, and the processor's seconds of all."""
    multihost_utils.sync_global_devices("begin")
    start, used = time.perf_counter(), time.process_time()
    make_pass()
    used = time.process_time() - used
    multihost_utils.sync_global_devices("end")
    wall = time.perf_counter() - start
    of_all = multihost_utils.process_allgather(np.float32(used)).sum()
    return {"wall": parts * wall, "cpu": parts * float(of_all)}


def main(name: str, folder: str, rounds: str) -> None:
    """Measures all ways by turns; the first process writes the seconds into the folder."""
    distribution.initialize()
    array_source.ON_DEVICE_LIMIT = 0  # as if the rows were too many for the device
    with distribution.DataParallel(auto_shard_dataset=False).scope():
        known = ways(name, pathlib.Path(folder))
        found = {way: [] for way in known}
        for number in range(int(rounds) + 1):
            for way in list(known) if number % 2 else reversed(known):
                seconds = seconds_of(*known[way])
                if number:
                    found[way].append(seconds)
    if jax.process_index() == 0:
        pathlib.Path(folder, "seconds.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
