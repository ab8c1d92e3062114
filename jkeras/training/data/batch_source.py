"""The source of whole batches that can be reached by number: a `PyDataset`."""

import collections.abc
import itertools
import random
import typing

import numpy as np

from jkeras.core.errors import check_whole
from jkeras.core.session.host_random import untouched
from jkeras.training.data.arrays import as_batch
from jkeras.training.data.iterator_state import IteratorState, put_back, state_of
from jkeras.training.data.source import Batch, DataTypes, Source
from jkeras.training.data.workers import made_ahead, made_by_threads, noted


class BatchSource(Source):
    """An object with `__len__` and `__getitem__` that gives whole batches, such as a `PyDataset`.

    Args:
        shuffle: whether the batches come in a new order each epoch.
    """

    def __init__(
        self, dataset: typing.Any, shuffle: bool = False, types: DataTypes | None = None
    ) -> None:
        self.dataset = dataset
        self.types = types  # that the batches go to
        self.shuffle = shuffle
        self.num_shapes = getattr(dataset, "num_shapes", 1)  # of its batches
        self._running = None  # the iterator over the batches of an epoch
        self._processes = None
        if hasattr(dataset, "num_batches"):
            self.num_batches = dataset.num_batches
        else:
            self.num_batches = len(dataset)
        if self.num_batches is not None:
            check_whole(f"{type(dataset).__name__}.num_batches", self.num_batches)
        if self.num_batches == 0:
            raise ValueError(f"The data set {type(dataset).__name__} is empty: its length is 0.")

    def batches(
        self, seed: int | None = 0, epoch: int = 0, skip: int = 0
    ) -> collections.abc.Iterator[Batch]:
        """The batches of an epoch, from number `skip` on; those before are not made."""
        self._stop()
        self._running = self._made(self._order(seed, epoch, skip))
        return self._running

    def begin_epoch(self) -> None:
        """Tells the data set that an epoch begins, which may be in the middle of its batches."""
        if hasattr(self.dataset, "on_epoch_begin"):
            self.dataset.on_epoch_begin()

    def _order(self, seed: int | None, epoch: int, skip: int) -> collections.abc.Iterable[int]:
        if self.num_batches is None:
            return itertools.count(skip)
        order = list(range(self.num_batches))
        if self.shuffle and seed is None:
            random.shuffle(order)
        elif self.shuffle:
            order = np.random.default_rng((seed, epoch)).permutation(order).tolist()
        return order[skip:]

    def end_epoch(self) -> None:
        """Tells the data set that an epoch is over."""
        if hasattr(self.dataset, "on_epoch_end"):
            self.dataset.on_epoch_end()

    reset = end_epoch

    def look_ahead(self) -> None:
        """Makes a first batch, of a new order, whose shapes are those of the source."""
        self.begin_epoch()
        first = self._order(None, 0, 0)
        self._shapes = self._shapes_of(BatchGetter(self.dataset, self.types)(next(iter(first))))

    def state(self) -> IteratorState | None:
        """That of the data set, if it tells one; None where workers are ahead of what is taken."""
        if self._works_ahead():
            return None
        return state_of(self.dataset)

    lasting_state = state

    def go_to(self, state: IteratorState, epoch: int, number: int) -> None:
        """Puts the data set where a state was taken."""
        put_back(self.dataset, state)

    def _works_ahead(self) -> bool:
        fewest = 1 if getattr(self.dataset, "use_multiprocessing", False) else 2
        return getattr(self.dataset, "workers", 1) >= fewest

    def _made(self, numbers):
        """The batches of these numbers; made ahead where the data set asks for workers."""
        workers = getattr(self.dataset, "workers", 1)
        processes = getattr(self.dataset, "use_multiprocessing", False)
        get = BatchGetter(self.dataset, self.types)
        if not self._works_ahead():
            return (get(number) for number in numbers)
        depth = max(self.dataset.max_queue_size, workers)
        if not processes:
            return made_by_threads(get, numbers, workers, depth, get.__name__)
        if self._processes is None:
            from jkeras.training.data.worker_processes import Processes  # imports `multiprocessing`

            self._processes = Processes(workers)
        return made_ahead(self._processes.on(get), numbers, depth, get.__name__)

    def peek(self) -> Batch:
        """The first batch; what is drawn for it is not seen by who draws from the same generators
        afterwards.
        """
        with untouched(self.dataset):
            return BatchGetter(self.dataset, self.types)(0)

    def close(self) -> None:
        """Stops the workers."""
        self._stop()
        if self._processes is not None:
            self._processes.close()

    def _stop(self):
        if self._running is not None:
            self._running.close()


class BatchGetter:
    """`number -> (x, y, sample_weight)` of a data set, as arrays; a function that can be sent to a
    process.
    """

    def __init__(self, dataset: typing.Any, types: DataTypes | None = None) -> None:
        self.dataset = dataset
        self.types = types
        self.__name__ = type(dataset).__name__

    def __call__(self, number: int) -> Batch:
        with noted(number, self.__name__):
            return as_batch(self.dataset[number], self.types)
