"""Where the batches of an epoch come from: rows of what lies on the device, or one batch of the
host after another. A feed says what is to be dispatched; `loop.Runner` does it.
"""

import contextlib
import time
import typing
from collections.abc import Callable, Iterator

import jax
import numpy as np

from jkeras.core.system.host_memory import MemoryPool
from jkeras.training.data import placement
from jkeras.training.data.copying import helpers
from jkeras.training.data.sizes import padded, size_of
from jkeras.training.data import ArraySource, take
from jkeras.training.data.iterator_state import IteratorState
from jkeras.training.data.source import Batch, Source
from jkeras.training.data.prefetch import Prefetched
from jkeras.training.data.reading import own_batches
from jkeras.training.types import Logs


# of the order of the data: of members of an ensemble several; None: drawn as Keras does
Seed: typing.TypeAlias = int | tuple[int, ...] | None
MOST_KEPT = 32  # parts of batches whose memory is used again


class Work(typing.NamedTuple):
    """What one dispatch is to do.

    Attributes:
        form: of the program that does it, "one" step on a batch or "many" on rows of the data that
            lies on the device; see `programs.Programs`.
        arguments: of the program, behind the state.
        steps: how many they are.
    """

    form: str
    arguments: tuple
    steps: int


class OrderedFeed:
    """What feeds from rows that can be reached by number share.

    Args:
        seed, epoch: of the order; several seeds: of that of each member of an ensemble.
        at: number of the step to begin with.
        padded_size: rows of a batch that may be padded; None: none may.

    Attributes:
        at: number of the next step.
        order: the rows of the steps of full size.
        whole: number of steps of full size; a smaller batch behind them, if it may not be padded,
            is not among them.
        waited: the seconds that the loop waited for rows.
    """

    state = None  # of an iterator
    waited = 0.0

    def __init__(
        self,
        source: ArraySource,
        seed: Seed,
        epoch: int,
        at: int,
        padded_size: int | None,
    ) -> None:
        self.source = source
        self.at = at
        order, self.rest = for_each_seed(lambda one: source.steps(one, epoch, padded_size), seed)
        self.whole = order.shape[-2]
        self.order = order

    def more(self, expected: float | None) -> bool:
        """Whether there is another batch."""
        return self.at < self.whole + bool(self.rest.size)

    def dispatched(self, logs: Logs) -> None:
        """Takes note that what was taken last is dispatched."""

    def smaller_batch(self) -> Work:
        """The step on the batch behind those of full size."""
        return Work("one", (placement.place(take(self.source.data, self.rest)), None), 1)


class DeviceFeed(OrderedFeed):
    """Feeds from arrays that lie on the device, in an order of rows that is put there once."""

    def take(self, most: int) -> Iterator[Work]:
        """One dispatch of the next steps, at most so many."""
        if self.at < self.whole:
            steps = min(most, self.whole - self.at)
            start = np.int32(self.at)
            order = self._order_for(steps)
            yield Work("many", (self.source.on_device(), order, start, np.int32(steps)), steps)
        else:
            steps = 1
            yield self.smaller_batch()
        self.at += steps

    def _order_for(self, steps: int) -> np.ndarray | jax.Array:
        """The order for a dispatch of so many steps."""
        if steps == self.whole:
            return placement.taken_along(self.order)
        if not isinstance(self.order, jax.Array):
            self.order = placement.everywhere(self.order)
        return self.order

    def close(self) -> None:
        """Nothing to release."""


class HostFeed:
    """Feeds from a source that gives one batch after another; smaller ones are padded where that
    is allowed.

    Args:
        batches: makes the source's batches from the one to begin with.
        at: number of that.
        padded_size: rows that smaller batches are padded to; None: they are not.
        ahead: whether a thread may make batches ahead.
        keeps_state: whether a caller asks for the state of the source's iterator.

    Attributes:
        at: number of the next batch.
        waited: the seconds that the loop waited for batches.
    """

    waited = 0.0

    def __init__(
        self,
        source: Source,
        batches: Callable[[], Iterator[list[Batch]]],
        at: int,
        padded_size: int | None,
        ahead: bool,
        keeps_state: bool,
    ) -> None:
        self.at = at
        self.next = None
        self.size = padded_size
        self.source = source
        self.keeps_state = keeps_state
        self._pool = MemoryPool(MOST_KEPT)
        self._state_after = self._state_now()
        made = batches()
        self.is_ahead = ahead and source.from_any_thread
        if self.is_ahead:
            self.batches = Prefetched(made, self._prepared)
            self._stop = self.batches.close
        else:
            self.batches = map(self._prepared, made)
            self._stop = made.close

    def dispatched(self, logs: Logs) -> None:
        """Nothing to note."""

    def more(self, expected: float | None) -> bool:
        """Whether there is another batch.

        Args:
            expected: the number of batches of a pass, until which another one is taken for granted;
                after it, or for None, it is taken from the source and buffered.
        """
        return self.at < (expected or 0) or self._has_next()

    def _has_next(self) -> bool:
        if self.next is None:
            start = time.perf_counter()
            self.next = next(self.batches, None)
            self.waited += time.perf_counter() - start
        return self.next is not None

    def take(self, most: int) -> Iterator[Work]:
        """Dispatches of the next steps, at most so many: one for each batch."""
        for _ in range(most):
            if not self._has_next():
                return
            (arguments, state), self.next = self.next, None
            yield Work("one", arguments, 1)
            self.at += 1
            self._state_after = state

    @property
    def state(self) -> IteratorState | None:
        """Of the source's iterator, after the last batch that was taken from here, and after what
        the source was told since.
        """
        if self.is_ahead or self.next is not None:
            return self._state_after
        return self._state_now()

    def _state_now(self) -> IteratorState | None:
        return self.source.state() if self.keeps_state else None

    def _prepared(self, batches: list[Batch]) -> tuple[tuple, IteratorState | None]:
        """(what a step takes of a batch, on the devices as far as that can be done ahead; the state
        right after it), before the next one is made.
        """
        filled = [self._filled(batch) for batch in batches]
        batch, valid_rows = filled[0]
        if len(filled) > 1:
            batch = jax.tree_util.tree_map(lambda *parts: np.stack(parts), *(b for b, _ in filled))
        on_devices = placement.prefetch((batch, valid_rows), self._pool, reads_own(self.source))
        return on_devices, self._state_now()

    def _filled(self, batch: Batch) -> tuple[Batch, np.ndarray | None]:
        """A batch at its full size and which of its rows are valid."""
        if self.size is None:
            return batch, None
        rows = size_of(batch[0])
        if rows < self.size:
            batch = padded(batch, self.size)
        return batch, np.arange(max(rows, self.size)) < rows

    def close(self) -> None:
        """Stops what makes batches."""
        self.next = None
        self._stop()


def batches_of(source: Source, seed: Seed, epoch: int, at: int) -> Iterator[list[Batch]]:
    """The batches of an epoch, from a number on: in a list, one for each seed. Their order is drawn
    here, and not by who takes them.
    """
    seeds = seed if isinstance(seed, tuple) else (seed,)
    if reads_own(source):
        is_one = len(seeds) == 1  # several are laid behind one another first
        return _side_by_side([own_batches(source, one, epoch, at, is_one) for one in seeds])
    return _side_by_side([source.batches(one, epoch, at) for one in seeds])


def reads_own(source: Source) -> bool:
    """Whether the rows of a source are read into memory that nobody else writes into."""
    return type(source) is ArraySource


def _side_by_side(iterators: list[Iterator[Batch]]) -> Iterator[list[Batch]]:
    with helpers(), contextlib.ExitStack() as opened:
        for iterator in iterators:
            opened.callback(iterator.close)
        for batches in zip(*iterators):
            yield list(batches)


def for_each_seed(
    make: Callable[[int | None], tuple[np.ndarray, ...]], seed: Seed
) -> tuple[np.ndarray, ...]:
    """The arrays that are made of a seed; of several seeds they are stacked.

    >>> for_each_seed(lambda seed: (np.arange(seed, seed + 2),), (3, 7))
    (array([[3, 4],
           [7, 8]]),)
    """
    if not isinstance(seed, tuple):
        return make(seed)
    return tuple(map(np.stack, zip(*map(make, seed))))
