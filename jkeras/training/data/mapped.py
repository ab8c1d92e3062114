"""Sources whose batches are changed or looked at on their way: weights of classes, checks of
labels.
"""

import collections.abc
import typing

import jax

from jkeras.ops.kernels import on_cpu
from jkeras.training.data.array_source import ArraySource
from jkeras.training.data.iterator_state import IteratorState
from jkeras.training.data.source import Batch, Source
from jkeras.training.data.stored import has_stored
from jkeras.training.data.weights import class_weights


Batches: typing.TypeAlias = collections.abc.Iterator[Batch]


class Mapped(Source):
    """A source whose batches go through a function."""

    def __init__(
        self,
        source: Source,
        function: collections.abc.Callable[[Batch], Batch],
    ) -> None:
        self.source = source
        self.function = function
        self.num_batches = source.num_batches
        self.num_shapes = getattr(source, "num_shapes", 1)

    @property
    def resumable(self) -> bool:
        """That of the source."""
        return self.source.resumable

    @property
    def name(self) -> str:
        """That of the source."""
        return self.source.name

    @property
    def taken(self) -> int:
        """That of a source that gives its batches once."""
        return self.source.taken

    def skip(self, count: int) -> None:
        """Passes over batches of a source that gives them once."""
        self.source.skip(count)

    @property
    def from_any_thread(self) -> bool:
        """That of the source."""
        return self.source.from_any_thread

    def batches(
        self, seed: int | None = 0, epoch: int = 0, skip: int = 0
    ) -> collections.abc.Iterator[Batch]:
        """The batches of an epoch, from number `skip` on."""
        return self._passed_on(self.source.batches(seed, epoch, skip))

    def _passed_on(self, batches: Batches) -> Batches:
        """Batches of the source as this one gives them."""
        yield from map(self.function, batches)

    def look_ahead(self) -> None:
        """Draws what the source does; the shapes are those of its batches, changed."""
        self.source.look_ahead()

    def begin_epoch(self) -> None:
        """Tells the source that an epoch begins."""
        self.source.begin_epoch()

    def end_epoch(self) -> None:
        """Tells the source that an epoch is over."""
        self.source.end_epoch()

    def reset(self) -> None:
        """Says that a pass is over."""
        self.source.reset()

    def state(self) -> IteratorState | None:
        """That of the source."""
        return self.source.state()

    def lasting_state(self) -> IteratorState | None:
        """That of the source."""
        return self.source.lasting_state()

    def go_to(self, state: IteratorState, epoch: int, number: int) -> None:
        """Puts the source where a state was taken."""
        self.source.go_to(state, epoch, number)

    def peek(self) -> Batch:
        """The first batch."""
        return self.function(self.source.peek())

    def close(self) -> None:
        """Stops what works for the source."""
        self.source.close()


class Checked(Mapped):
    """A source whose labels and weights are looked at on their way. On an accelerator nothing waits
    for labels that are still being computed there: they are looked at when the next batch is taken.
    """

    def __init__(self, source: Source, check: collections.abc.Callable) -> None:
        super().__init__(source, self._looked_at)
        self._check = check

    def shapes(self) -> Batch:
        """Those of the source, which are not checked for it."""
        return self.source.shapes()

    def _looked_at(self, batch):
        self._check(*batch[1:], on_device=True)
        return batch

    def _passed_on(self, batches: Batches) -> Batches:
        waiting = None
        for batch in batches:
            if waiting is not None:
                self._looked_at(waiting)
            if on_cpu() or _are_there(batch[1:]):
                self._looked_at(batch)
                waiting = None
            else:
                waiting = batch
            yield batch
        if waiting is not None:
            self._looked_at(waiting)


def _are_there(arrays):
    """Whether all arrays are computed."""
    leaves = jax.tree_util.tree_leaves(arrays)
    return all(leaf.is_ready() for leaf in leaves if isinstance(leaf, jax.Array))


def checked(source: Source, check: collections.abc.Callable) -> Source:
    """A source whose labels and weights are passed to `check(y, sample_weight)` first: arrays once,
    else those of each batch.
    """
    if isinstance(source, ArraySource) and not has_stored(source.data[1:]):
        check(*source.data[1:], on_device=True)
        return source

    return Checked(source, check)


def weighted(
    source: Source, class_weight: typing.Any, output_names: list[str] | None = None
) -> Source:
    """A source whose samples have the weights of their classes: arrays once, else each batch."""

    def weigh(batch):
        return *batch[:2], class_weights(*batch[1:], class_weight, output_names)

    if not isinstance(source, ArraySource) or has_stored(source.data[1:]):
        return Mapped(source, weigh)
    source.data = weigh(source.data)
    return source
