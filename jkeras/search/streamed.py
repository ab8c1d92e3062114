"""Data of a sweep that comes in batches: each epoch is read once, for all trials."""

import itertools
from typing import Any

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.training.data import ArraySource
from jkeras.training.data.iterable_source import IteratorSource
from jkeras.training.data.source import Batch, Source


class EpochSource(ArraySource):
    """The batches of one epoch as arrays.

    Raises:
        ValueError: batches of other sizes, where they cannot be filled up.
    """

    def __init__(self, batches: list[Batch]) -> None:
        self.sizes = [len(jax.tree_util.tree_leaves(batch)[0]) for batch in batches]
        parts = jax.tree_util.tree_map(lambda *v: np.concatenate(v), *batches)
        super().__init__(*parts, batch_size=max(self.sizes))

    def steps(
        self, seed: int | None, epoch: int, padded_size: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As of `ArraySource`; smaller batches may be anywhere where they may be padded."""
        size = self.batch_size
        if set(self.sizes[:-1]) <= {size}:
            return super().steps(seed, epoch, padded_size)
        if padded_size is None:
            wanted = "batches of one size, but for a smaller last one, of what cannot be padded"
            fix = "give `shuffle=False`, or leave the smaller ones out"
            raise ValueError(explain("sweep", wanted, f"sizes {sorted(set(self.sizes))}", fix))
        steps = np.full((len(self.sizes), size), self.size, "int32")
        begins = np.cumsum([0, *self.sizes])
        for step, begin, end in zip(steps, begins, begins[1:]):
            step[: end - begin] = np.arange(begin, end)
        return steps, np.zeros(0, "int32")


class Streamed:
    """A source of batches as arrays, those of one epoch at a time.

    Args:
        source: of the batches.
        steps: of an epoch; None: until the source ends.
        seed: of its order.

    Raises:
        ValueError: a generator, without a number of steps.
    """

    def __init__(self, source: Source, steps: int | None, seed: int) -> None:
        if self._is_iterator(source) and steps is None:
            fix = "give `steps_per_epoch`"
            raise ValueError(explain("sweep", "the steps of an epoch", "a generator alone", fix))
        self.source, self.steps, self.seed = source, steps, seed
        source.reset()  # as `fit` does before it trains

    @staticmethod
    def _is_iterator(source: Source) -> bool:
        return isinstance(source, IteratorSource)

    @property
    def begins_anew(self) -> bool:
        """Whether the first epoch can be read again."""
        return not self._is_iterator(self.source)

    def shapes(self) -> Batch:
        """The first batch as shapes."""
        return self.source.shapes()

    def epoch(self, number: int) -> ArraySource:
        """The rows of an epoch.

        Raises:
            ValueError: fewer batches than there are to be.
        """
        self.source.begin_epoch()
        batches = list(itertools.islice(self.source.batches(self.seed, number), self.steps))
        self.source.end_epoch()
        if not batches or (self.steps or len(batches)) != len(batches):
            wanted = f"{self.steps or 'some'} batches in epoch {number + 1}"
            raise ValueError(explain("sweep", wanted, f"{len(batches)}"))
        return EpochSource(batches)

    def close(self) -> None:
        """Stops what works for the source."""
        self.source.close()


def check_stream(data: Any, groups: int, has_checkpoint: bool) -> None:
    """Raises ValueError where a sweep needs data that can be read again."""
    if not isinstance(data, Streamed):
        return
    if has_checkpoint:
        wanted = "arrays, where a sweep is saved with `checkpoint`"
        raise ValueError(explain("sweep", wanted, "a source of batches"))
    if groups > 1 and not data.begins_anew:
        wanted = "data that begins anew for each shape of the model"
        fix = "give arrays or a data set, or take the arguments of `make` out of the space"
        raise ValueError(explain("sweep", wanted, "a generator", fix))
