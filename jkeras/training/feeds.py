"""Where the batches of an epoch come from: rows of what lies on the device, or one batch of the
host after another.
"""

from typing import TYPE_CHECKING

import jax
import numpy as np

from jkeras.training import placement
from jkeras.training.batch_independence import padded, size_of
from jkeras.training.data import ArraySource, take
from jkeras.training.data.source import Batch, Source
from jkeras.training.prefetch import Prefetched
from jkeras.training.types import Logs

if TYPE_CHECKING:
    from jkeras.training.loop import Runner
    from jkeras.training.ownership import StateOwner


class DeviceFeed:
    """Feeds from arrays that lie on the device, in an order of rows that is put there once.

    Attributes:
        at: number of the next step.
        whole: number of steps that `Runner.many` takes; a smaller batch behind them, if it may not
            be padded, is not among them.
    """

    def __init__(
        self, runner: "Runner", source: ArraySource, seed: int, epoch: int, pads: bool, at: int
    ) -> None:
        self.runner, self.source, self.at = runner, source, at
        rows, size = source.order(seed, epoch), min(source.batch_size, source.size)
        self.whole = -(-len(rows) // size) if pads else len(rows) // size
        self.rest = rows[self.whole * size :]
        rows = np.concatenate([rows, np.arange(len(rows), self.whole * size, dtype=rows.dtype)])
        self.order = placement.everywhere(rows[: self.whole * size].reshape(self.whole, size))

    def more(self) -> bool:
        """Whether there is another batch."""
        return self.at < self.whole + bool(len(self.rest))

    def advance(self, owner: "StateOwner", most: int) -> tuple[int, Logs]:
        """(number of steps taken, at most so many, their logs)."""
        if self.at < self.whole:
            count = min(most, self.whole - self.at)
            logs = self.runner.dispatch(
                owner,
                self.runner.many(owner),
                self.source.on_device(),
                self.order,
                np.int32(self.at),
                np.int32(count),
            )
        else:
            count, batch = 1, placement.place(take(self.source.data, self.rest))
            logs = self.runner.dispatch(owner, self.runner.single(owner), batch, None)
        self.at += count
        return count, logs

    def close(self) -> None:
        """Nothing to release."""


class HostFeed:
    """Feeds from a source that gives one batch after another; smaller ones are padded where that
    is allowed.

    A thread makes batches ahead where the source says that it may.
    """

    def __init__(
        self, runner: "Runner", source: Source, seed: int, epoch: int, pads: bool, at: int
    ) -> None:
        self.runner, self.at, self.next = runner, at, None
        self.size = runner.full_size if pads else None
        batches = source.batches(seed, epoch, at)
        ahead = source.from_any_thread and runner.model.jit_compile
        self.batches = Prefetched(batches, self._filled) if ahead else map(self._filled, batches)
        self._stop = self.batches.close if ahead else batches.close

    def more(self) -> bool:
        """Whether there is another batch, which is taken from the source and kept."""
        if self.next is None:
            self.next = next(self.batches, None)
        return self.next is not None

    def advance(self, owner: "StateOwner", most: int) -> tuple[int, Logs]:
        """(number of steps taken, at most so many, the logs of the last)."""
        count = 0
        while count < most and self.more():
            batch, self.next = self.next, None
            logs = self.runner.dispatch(owner, self.runner.single(owner), *batch)
            count += 1
        self.at += count
        return count, logs

    def _filled(self, batch: Batch) -> tuple[Batch, jax.Array | None]:
        """A batch at its full size and which of its rows are valid, on the devices as far as that
        can be done ahead.
        """
        if self.size is None:
            return placement.prefetch((batch, None))
        rows = size_of(batch[0])
        full = batch if rows >= self.size else padded(batch, self.size)
        return placement.prefetch((full, np.arange(max(rows, self.size)) < rows))

    def close(self) -> None:
        """Stops what makes batches."""
        self.next = None
        self._stop()
