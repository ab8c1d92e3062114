"""Feeds from arrays that are too large to lie on the device: the rows of several steps go there in
one transfer, and the steps into one dispatch.
"""

import collections
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jkeras.ops.kernels import on_cpu
from jkeras.training.data import ArraySource, placement, take
from jkeras.training.data.source import Batch
from jkeras.training.data.copying import helpers
from jkeras.training.data.feeds import OrderedFeed, Work
from jkeras.training.data.prefetch import Prefetched
from jkeras.training.data.reading import read, read_range
from jkeras.training.types import Logs
from jkeras.training.data.workers import noted

BYTES = 2**24  # of a chunk; three of them may be waiting
BYTES_ON_CPU = 2**22  # there each is a part of the process's memory, and a dispatch costs little
FEW = 8  # steps of a chunk on CPU at least, though it has more bytes then
RUNNING = 2  # chunks that dispatches which have not ended may hold
MOST = 256  # steps


def steps_of_chunk(source: ArraySource) -> int:
    """The number of steps whose rows are one chunk."""
    of_all = sum(leaf.nbytes for leaf in jax.tree_util.tree_leaves(source.data))
    of_step = max(of_all * source.batch_size // source.size, 1)
    of_chunk = min(BYTES, max(BYTES_ON_CPU, FEW * of_step)) if on_cpu() else BYTES
    return min(source.num_batches, MOST, of_chunk // of_step)


def as_range(rows: np.ndarray, size: int) -> slice | None:
    """As many rows one after another as these are, if they are the same in another order.

    >>> as_range(np.array([5, 4, 6]), 3), as_range(np.array([5, 4, 7]), 3)
    (slice(4, 7, None), None)
    """
    start = int(rows.min())
    is_range = len(rows) == size and int(rows.max()) - start == size - 1
    if not is_range:
        return None
    return slice(start, start + size)


class ChunkFeed(OrderedFeed):
    """Feeds from arrays whose rows are read chunk by chunk, ahead of time by a thread."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.steps = steps_of_chunk(self.source)
        self._chunks: Prefetched | None = None
        self._chunk: tuple | None = None  # (data, order of its rows)
        self._done = self.steps  # steps of it that were taken
        self._running = collections.deque()  # logs of the last dispatches of chunks

    def take(self, most: int) -> Iterator[Work]:
        """One dispatch of the next steps, at most so many."""
        steps = 1
        if self.at >= self.whole:
            yield self.smaller_batch()
        else:
            if self._done == self.steps:
                self._next_chunk()
            steps = min(most, self.steps - self._done, self.whole - self.at)
            yield Work("many", (*self._chunk, np.int32(self._done), np.int32(steps)), steps)
            self._done += steps
        self.at += steps

    def dispatched(self, logs: Logs) -> None:
        """Waits for a dispatch before, since each that has not ended holds its chunk."""
        if self._done == self.steps:
            self._running.append(logs)
        if len(self._running) > RUNNING:
            jax.block_until_ready(self._running.popleft())

    def _next_chunk(self) -> None:
        if self._chunks is None:
            self._chunks = Prefetched(self._read())
        start = time.perf_counter()
        self._chunk = next(self._chunks)
        self.waited += time.perf_counter() - start
        self._done = 0

    def _read(self) -> Iterator[tuple[Batch, jax.Array]]:
        """The chunks from the next step on: (data, rows of each step), all of one size."""
        size = self.steps * self.order.shape[1]
        with helpers():
            for first in range(self.at, self.whole, self.steps):
                order = self.order[first : first + self.steps]
                rows = np.minimum(order, self.source.size - 1).ravel()
                data, places = self._rows(rows, size, first)
                yield placement.prefetch(
                    (data, self._order_within(order, places)), self.source.pool
                )

    def _order_within(self, order: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The rows of each step by their places in the chunk; one past its end is padding."""
        indices = places.astype("int32").reshape(self.steps, -1)
        indices[: len(order)][order >= self.source.size] = indices.size
        if self.order.size > self.source.size:  # a program that sees more indices looks for padding
            indices = np.concatenate([indices, np.full_like(indices[:1], indices.size)])
        return indices

    def _rows(self, rows: np.ndarray, size: int, first: int) -> tuple[Batch, np.ndarray]:
        """(rows of the source, and as many more as make a size; where in them each of them is). An
        error says in which batch it happened.
        """
        span = as_range(rows, size)
        if span is None:
            rows = np.concatenate([rows, np.repeat(rows[-1:], size - len(rows))])
            places = np.arange(size)
        else:
            places = rows - span.start
        try:
            if span is None:
                return self._each(read, rows), places
            return self._each(read_range, span), places
        except Exception:
            size = self.order.shape[1]
            for start in range(0, len(rows), size):
                with noted(first + start // size, "the rows"):
                    take(self.source.data, rows[start : start + size])
            raise

    def _each(self, how: Callable, rows: np.ndarray | slice) -> Batch:
        """Rows of each part of the source."""
        pool = self.source.pool
        return jax.tree_util.tree_map(lambda values: how(values, rows, pool), self.source.data)

    def close(self) -> None:
        """Stops reading."""
        if self._chunks is not None:
            self._chunks.close()
