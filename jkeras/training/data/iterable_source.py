"""Batches that come one after another: from iterables, which start again each epoch, and iterators,
which do not.
"""

import collections.abc
import contextlib
import itertools
import sys
import types
import typing

import jax
import numpy as np

from jkeras.core.weights import in_tensorflow
from jkeras.training.data.arrays import as_batch
from jkeras.training.data.iterator_state import IteratorState, put_back, state_of
from jkeras.training.data.source import Batch, DataTypes, Source
from jkeras.training.data.workers import forks_allowed, noted

# torch has workers of its own, which it watches in the main thread
THREADED = ("tensorflow", "grain", "datasets")
OF_KERAS = ("tensorflow", "grain", "torch")  # whose data sets Keras takes


class IterableSource(Source):
    """An iterable that starts again for each epoch, such as a data set of tf.data, torch, grain.

    Where it, or its sampler, has a method `set_epoch`, that gets the number of each epoch.

    Args:
        name: for messages; that of its class by default.
    """

    def __init__(
        self,
        iterable: collections.abc.Iterable,
        name: str | None = None,
        types: DataTypes | None = None,
    ) -> None:
        self.iterable = iterable
        self.types = types  # that the batches go to
        self.name = name or type(iterable).__name__
        self._iterator = None
        self._ahead = []  # raw batches that were looked at
        self._placed = None  # (epoch, number of the batch) that the iterator was put before
        # which a data set raises that does not know
        with contextlib.suppress(TypeError, OverflowError):
            length = len(iterable)
            if length < sys.maxsize:  # else an endless one of grain
                self.num_batches = length
        if self.num_batches == 0:
            raise ValueError(f"The data set {self.name} is empty: its length is 0.")

    @property
    def from_any_thread(self) -> bool:
        """Whether it is a data set of a library that allows it."""
        return type(self.iterable).__module__.split(".")[0] in THREADED

    def look_ahead(self) -> None:
        """Starts an iterator for its first batch alone, where Keras does: data sets of these
        libraries may have another order each time, and the first epoch has the second then.
        """
        if any(cls.__module__.split(".")[0] in OF_KERAS for cls in type(self.iterable).__mro__):
            begun = in_tensorflow.calls.begun
            self.peek()
            if in_tensorflow.calls.begun > begun:
                # layers draw in it for what TensorFlow makes ahead, too: all of that counts, as in
                # Keras, which builds the model meanwhile
                in_tensorflow.calls.wait_until_quiet()
            self.close()

    def batches(
        self, seed: int | None = 0, epoch: int = 0, skip: int = 0
    ) -> collections.abc.Iterator[Batch]:
        """The batches of an epoch, from number `skip` on; those before are made, and passed
        over, unless `go_to` has put the iterator there.
        """
        is_there = self._placed == (epoch, skip)
        if not is_there:
            begins = self._tell(epoch) or not self._ahead
            if begins:
                self._start()
        iterator = self._iterator
        ahead = self._ahead
        self._ahead, self._placed = [], None
        try:
            raw = itertools.islice(itertools.chain(ahead, iterator), 0 if is_there else skip, None)
            yield from converted(raw, self.name, skip, self.types)
        finally:
            if iterator is self._iterator:
                self.close()

    def state(self) -> IteratorState | None:
        """Where the iterator is after the last batch that it gave."""
        if self._iterator is None or self._ahead:
            return None
        return state_of(self._iterator)

    def go_to(self, state: IteratorState, epoch: int, number: int) -> None:
        """Makes an iterator, and puts it where a state was taken."""
        self._tell(epoch)
        self._start()
        try:
            put_back(self._iterator, state)
        except Exception:
            self.close()
            raise
        self._placed = epoch, number

    def _tell(self, epoch):
        """Tells the number of the epoch to whom it concerns; whether there is anybody."""
        candidates = (self.iterable, getattr(self.iterable, "sampler", None))
        listeners = [candidate for candidate in candidates if hasattr(candidate, "set_epoch")]
        for listener in listeners:
            listener.set_epoch(epoch)
        return bool(listeners)

    def _start(self):
        """Makes a new iterator; the last one stops."""
        self.close()
        with noted(0, self.name), forks_allowed():
            self._iterator = iter(self.iterable)

    def peek(self) -> Batch:
        """The first batch. The next epoch uses the same iterator, since it may be dear to start
        one.
        """
        try:
            if not self._ahead:
                self._start()
            with noted(0, self.name):
                self._ahead = self._ahead or list(itertools.islice(self._iterator, 1))
                if not self._ahead:
                    raise ValueError(f"The data is empty: the {self.name} gave no batch.")
                return as_batch(self._ahead[0])
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """Stops what works for the last iterator."""
        if self._iterator is not None:
            release(self._iterator)
        self._iterator = None
        self._ahead = []
        self._placed = None


class IteratorSource(Source):
    """A generator or another iterator of batches: what it has yielded is gone.

    Args:
        replays: whether a new pass begins with its first two batches again, as validation in Keras
            does: those are what Keras looks at ahead, when it validates for the first time.
            Otherwise it goes on where the last pass stopped.

    Attributes:
        taken: how many batches the iterator has yielded, but for those that were looked at ahead.
    """

    resumable = False

    def __init__(
        self,
        iterator: collections.abc.Iterator,
        replays: bool = False,
        types: DataTypes | None = None,
    ) -> None:
        self.iterator = iterator
        self.types = types  # that the batches go to
        self.replays = replays
        self.fresh = True
        self.name = type(iterator).__name__
        self.first = []  # raw batches that were looked at
        self.taken = 0
        self._states = []  # that the iterator had after each of those
        self._last_state = state_of(iterator)  # after the last batch that was yielded
        self._is_in_step = False  # then the iterator has that state itself
        if not replays:
            self._look()

    def _peek(self):
        """Takes the first two batches that are left, unless they were."""
        if self.first:
            return
        for number in range(2):
            with noted(number, self.name):
                self.first += map(_copied, itertools.islice(self.iterator, 1))
            self._states.append(state_of(self.iterator))

    def _look(self):
        """The same, and there has to be one."""
        self._peek()
        if not self.first:
            raise ValueError("The data is empty: the iterator gave no batch.")

    def _looked_at(self):
        self._peek()
        for batch, state in zip(self.first, self._states):
            self._last_state, self._is_in_step = state, False
            yield batch

    def skip(self, count: int) -> None:
        """Passes over batches, before the first pass; those that come again each time stay.

        Raises:
            ValueError: there are not so many.
        """
        if not count:
            return
        self._peek()
        batches = self._rest()
        if not self.replays:
            batches = itertools.chain(self._looked_at(), batches)
        passed = sum(1 for _ in itertools.islice(batches, count))
        if passed < count:
            raise ValueError(
                f"The {self.name} has {passed} batches; {count} were to be passed over."
            )
        if not self.replays:
            self._last_state, self._is_in_step = self.state(), False
            self.first, self._states = self.first[count:], self._states[count:]
        self._peek()

    def reset(self) -> None:
        """Looks at the first two batches, if it has not yet: Keras does before it evaluates."""
        self._peek()

    def state(self) -> IteratorState | None:
        """Where the iterator was after the last batch that was yielded."""
        return state_of(self.iterator) if self._is_in_step else self._last_state

    def go_to(self, state: IteratorState, epoch: int, number: int) -> None:
        """Puts the iterator where a state was taken, before the first pass."""
        put_back(self.iterator, state)
        self._last_state = state
        self.first, self._states = [], []
        self._peek()

    def _rest(self):
        for batch in self.iterator:
            self.taken += 1
            self._is_in_step = True
            yield batch

    def batches(
        self, seed: int | None = 0, epoch: int = 0, skip: int = 0
    ) -> collections.abc.Iterator[Batch]:
        """The batches that are left.

        Raises:
            ValueError: `skip` is not 0.
        """
        if skip:
            raise ValueError(
                f"A {self.name} gives its batches once: an epoch cannot begin at its batch "
                f"{skip}. To go on in the middle of an epoch pass data that starts again: arrays, "
                "a `PyDataset`, or an object whose `__iter__` makes a new iterator."
            )
        batches = self._rest()
        if self.fresh or self.replays:
            batches = itertools.chain(self._looked_at(), batches)
        self.fresh = False
        return converted(batches, self.name, types=self.types)

    def peek(self) -> Batch:
        """The first batch, which stays the first."""
        self._look()
        with noted(0, self.name):
            return as_batch(self.first[0], self.types)


def _copied(batch: typing.Any) -> typing.Any:
    """A batch whose arrays stay as they are where the next one is made in the same memory."""
    return jax.tree_util.tree_map(
        lambda value: value.copy() if type(value) is np.ndarray else value, batch
    )


def is_iterator(value: typing.Any) -> bool:
    """Whether a value can be iterated once only."""
    return isinstance(value, collections.abc.Iterator)


def converted(
    iterator: collections.abc.Iterator, name: str, start: int = 0, types: DataTypes | None = None
) -> collections.abc.Iterator[Batch]:
    """Batches as arrays; an error in them gets a note about which one it was, counted from `start`
    on.
    """
    for number in itertools.count(start):
        with noted(number, name):
            try:
                batch = next(iterator)
            except StopIteration:
                return
            batch = as_batch(batch, types)
        yield batch


def release(iterator: collections.abc.Iterator) -> None:
    """Stops the threads and processes of an iterator of grain, of torch or of one's own."""
    if isinstance(iterator, types.GeneratorType) or getattr(iterator, "_persistent_workers", False):
        # Python closes the one when no one holds it; torch keeps the other's for the next epoch, as
        # was asked
        return
    if type(iterator).__module__.startswith("grain."):
        iterator = getattr(iterator, "_iterator", iterator)  # that of a loader has another inside
    for name in ("close", "_shutdown_workers"):  # the latter is torch's
        if hasattr(iterator, name):
            getattr(iterator, name)()
