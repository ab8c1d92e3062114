"""The source of whole batches that can be reached by number: a `PyDataset`."""

import contextlib
import itertools

import numpy as np

from jkeras.training.data.arrays import as_batch
from jkeras.training.data.source import Source
from jkeras.training.worker_processes import Processes
from jkeras.training.workers import made_ahead, made_by_threads, noted


class BatchSource(Source):
    """An object with `__len__` and `__getitem__` that gives whole batches, such as a `PyDataset`.

    Args:
        shuffle: whether the batches come in a new order each epoch.
    """

    def __init__(self, dataset, shuffle=False):
        self.dataset, self.shuffle, self._running, self._processes = dataset, shuffle, None, None
        self.num_batches = dataset.num_batches if hasattr(dataset, "num_batches") else len(dataset)
        if self.num_batches == 0:
            raise ValueError(f"The data set {type(dataset).__name__} is empty: its length is 0.")

    def batches(self, seed=0, epoch=0, skip=0):
        """The batches of an epoch, from number `skip` on; those before are not made."""
        if hasattr(self.dataset, "on_epoch_begin"):
            self.dataset.on_epoch_begin()
        self._stop()
        self._running = self._made(self._order(seed, epoch, skip))
        with contextlib.closing(self._running) as running:
            yield from running
        if hasattr(self.dataset, "on_epoch_end"):
            self.dataset.on_epoch_end()

    def _order(self, seed, epoch, skip):
        if self.num_batches is None:
            return itertools.count(skip)
        numbers = range(self.num_batches)
        order = (
            np.random.default_rng((seed, epoch)).permutation(numbers).tolist()
            if self.shuffle
            else numbers
        )
        return order[skip:]

    def _made(self, numbers):
        """The batches of these numbers; made ahead where the data set asks for workers."""
        workers = getattr(self.dataset, "workers", 1)
        processes = getattr(self.dataset, "use_multiprocessing", False)
        get = Batch(self.dataset)
        if workers < 1 or workers == 1 and not processes:
            return (get(number) for number in numbers)
        depth = max(self.dataset.max_queue_size, workers)
        if not processes:
            return made_by_threads(get, numbers, workers, depth, get.__name__)
        if self._processes is None:
            self._processes = Processes(workers)
        return made_ahead(self._processes.on(get), numbers, depth, get.__name__)

    def peek(self):
        """The first batch."""
        return Batch(self.dataset)(0)

    def close(self):
        """Stops the workers."""
        self._stop()
        if self._processes is not None:
            self._processes.close()

    def _stop(self):
        if self._running is not None:
            self._running.close()


class Batch:
    """`number -> (x, y, sample_weight)` of a data set, as arrays; a function that can be sent to a
    process.
    """

    def __init__(self, dataset):
        self.dataset, self.__name__ = dataset, type(dataset).__name__

    def __call__(self, number):
        with noted(number, self.__name__):
            return as_batch(self.dataset[number])
