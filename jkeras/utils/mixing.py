"""mix: items of several data sets in one, by weight, from where a checkpoint stopped."""

import collections.abc
import typing

import numpy as np

from jkeras.core.errors import check_choice, explain
from jkeras.core.names.registry import public
from jkeras.training.data.iterator_state import IteratorState, put_back, state_of
from jkeras.utils.packing import Counted, Numbered

STRATEGIES = ("first_exhausted", "all_exhausted", "never")


@public("jkeras.utils.mix")
def mix(
    datasets: collections.abc.Sequence[collections.abc.Iterable],
    weights: collections.abc.Sequence[float] | None = None,
    *,
    seed: int = 0,
    shuffle: bool = False,
    stopping_strategy: str = "first_exhausted",
) -> "Mixture":
    """Items of several data sets, each drawn from one of them by its weight, as an iterable that
    starts again each epoch.

    Its iterators have `get_state` and `set_state`, with those of the data sets in it, so that a
    training with `fit(checkpoint=…)` goes on with the item that comes next. `pack_sequences` takes
    it, or `fit` where the items are batches.

    Args:
        datasets: lists, or iterables such as `TextLines`.
        weights: how likely each is drawn from; they need not add up to 1. None: all alike.
        seed: of the draws, with the number of the epoch.
        shuffle: take the items of lists in a new order each time.
        stopping_strategy: "first_exhausted": it ends where a data set is drawn from that has no
            more; "all_exhausted": those that have ended begin again until all have; "never": they
            always begin again.

    Returns:
        an iterable of their items, of unlimited length with "never".

    Raises:
        ValueError: no data sets, weights that are not one for each, or below 0; while reading: a
            data set without items, or one that cannot begin again.

    >>> mixed = mix([["a"] * 9, ["b"] * 9], [0.8, 0.2], seed=1)
    >>> "".join(mixed)
    'ababaabaaaaa'
    """
    check_choice("stopping_strategy", stopping_strategy, STRATEGIES, "mix")
    datasets = list(datasets)
    chances = np.asarray([1.0] * len(datasets) if weights is None else weights, "float64")
    is_fit = chances.shape == (len(datasets),) and len(datasets) > 0
    if not is_fit or not np.isfinite(chances).all() or (chances < 0).any() or not chances.any():
        expected = "data sets, and a weight of 0 or more for each, not all of them 0"
        raise ValueError(explain("mix", expected, f"{len(datasets)} and {weights!r}"))
    return Mixture(datasets, chances / chances.sum(), seed, shuffle, stopping_strategy)


class Mixture:
    """What `mix` returns."""

    def __init__(
        self,
        datasets: list,
        chances: np.ndarray,
        seed: int,
        shuffle: bool,
        stopping_strategy: str,
    ) -> None:
        self.datasets, self.chances, self.seed = datasets, chances, seed
        self.shuffle, self.stopping_strategy = shuffle, stopping_strategy
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Tells the number of the epoch, from which the draws follow."""
        self._epoch = epoch

    def __iter__(self) -> "MixedItems":
        return MixedItems(self, self._epoch)

    @property
    def options(self) -> str:
        """In words, what the order follows from: states fit where it is the same."""
        weights = ", ".join(f"{chance:.6g}" for chance in self.chances)
        return (
            f"weights {weights}, seed {self.seed}, shuffle {self.shuffle}, {self.stopping_strategy}"
        )

    def iterator(self, index: int, epoch: int, times: int) -> collections.abc.Iterator:
        """A data set from its start, for the `times`-th time in an epoch.

        Raises:
            ValueError: it cannot begin again.
        """
        dataset = self.datasets[index]
        if isinstance(dataset, collections.abc.Iterator):
            if times:
                expected = f"data set {index} to be one that begins again, such as a list"
                raise ValueError(
                    explain("mix", expected, f"a {type(dataset).__name__}, which ended")
                )
            return dataset if state_of(dataset) is not None else Counted(dataset)
        if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
            order = np.arange(len(dataset))
            if self.shuffle:
                order = np.random.default_rng((self.seed, epoch, index, times)).permutation(order)
            return Numbered(dataset, order)
        if hasattr(dataset, "set_epoch"):
            dataset.set_epoch(epoch + times * 2**20)  # another order each time
        items = iter(dataset)
        return items if state_of(items) is not None else Counted(items)


class MixedItems(collections.abc.Iterator):
    """The items of a `Mixture`, from its start, or from where a state was taken."""

    def __init__(self, source: Mixture, epoch: int) -> None:
        self._source, self._epoch = source, epoch
        count = len(source.datasets)
        self._random = np.random.default_rng((source.seed, epoch))
        self._times = [0] * count  # how often each has ended
        self._items = [None] * count  # they begin when they are first drawn from

    def __next__(self) -> typing.Any:
        source = self._source
        index = int(self._random.choice(len(source.datasets), p=source.chances))
        try:
            return next(self._iterator(index))
        except StopIteration:
            self._times[index] += 1
            if self._is_over():
                raise
        self._items[index] = None
        item = next(self._iterator(index), self)
        if item is self:
            raise ValueError(explain("mix", "data sets with items", f"none in data set {index}"))
        return item

    def _iterator(self, index: int) -> collections.abc.Iterator:
        if self._items[index] is None:
            made = self._source.iterator(index, self._epoch, self._times[index])
            self._items[index] = made
        return self._items[index]

    def _is_over(self) -> bool:
        strategy = self._source.stopping_strategy
        if strategy == "all_exhausted":
            drawn = self._source.chances > 0
            return bool(np.all(np.array(self._times)[drawn] > 0))
        return strategy == "first_exhausted"

    def get_state(self) -> dict[str, typing.Any]:
        """Where it is: JSON data."""
        states = [None if items is None else list(state_of(items)) for items in self._items]
        return {
            "options": self._source.options,
            "epoch": self._epoch,
            "random": self._random.bit_generator.state,
            "times": list(self._times),
            "items": states,
        }

    def set_state(self, state: dict[str, typing.Any]) -> None:
        """Goes to where a state was taken.

        Raises:
            ValueError: it is of other data sets, or of another order.
        """
        if state["options"] != self._source.options:
            raise ValueError(f"expected {self._source.options}; it is of {state['options']}")
        self._epoch, self._times = state["epoch"], list(state["times"])
        self._random.bit_generator.state = state["random"]
        self._items = [None] * len(self._times)
        for index, kept in enumerate(state["items"]):
            if kept is not None:
                put_back(self._iterator(index), IteratorState(*kept))

    def close(self) -> None:
        """Closes the data sets that can be."""
        for items in self._items:
            if hasattr(items, "close"):
                items.close()
