"""Which images a batch has: an order for each epoch, drawn from `np.random` as Keras draws it."""

import threading
from collections.abc import Iterator as AnyIterator
from typing import Any

import numpy as np

import jkeras


class Iterator(jkeras.utils.Sequence):
    """Batches of images: by their number, as a data set for `fit`, and by `next`, without an end.

    A subclass defines `_get_batches_of_transformed_samples(index_array)`.

    Args:
        n: number of images.
        batch_size: rows of a batch; the last one of an epoch may have fewer.
        shuffle: whether each epoch has another order.
        seed: of `np.random`, which is seeded anew before each batch with `seed` and the number of
            batches so far; None leaves it as it is.
        **kwargs: of `PyDataset`, such as `workers`.

    >>> class Numbers(Iterator):
    ...     def _get_batches_of_transformed_samples(self, index_array):
    ...         return index_array.tolist()
    >>> batches = Numbers(5, batch_size=2, shuffle=False, seed=None)
    >>> next(batches), next(batches), next(batches), next(batches)
    ([0, 1], [2, 3], [4], [0, 1])
    """

    white_list_formats = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")

    def __init__(
        self, n: int, batch_size: int, shuffle: bool, seed: int | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.batch_index = self.total_batches_seen = 0
        self.index_array: np.ndarray | None = None
        self._prepare()

    def _prepare(self) -> None:
        self.lock = threading.Lock()
        self.index_generator = self._flow_index()

    def __getstate__(self) -> dict[str, Any]:
        """What is copied, and sent to worker processes."""
        return {k: v for k, v in vars(self).items() if k not in ("lock", "index_generator")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, idx: int) -> Any:
        if idx >= len(self):
            raise ValueError(f"There is no batch {idx}: this data set has {len(self)} batches.")
        self._begin_batch()
        if self.index_array is None:
            self._set_index_array()
        begin = idx * self.batch_size
        return self._get_batches_of_transformed_samples(self._rows(begin))

    def _begin_batch(self) -> None:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)
        self.total_batches_seen += 1

    def _rows(self, begin: int) -> np.ndarray:
        return self.index_array[begin : begin + self.batch_size]

    def _set_index_array(self) -> None:
        self.index_array = np.arange(self.n)
        if self.shuffle:
            self.index_array = np.random.permutation(self.n)

    def _flow_index(self) -> AnyIterator[np.ndarray]:
        """The images of one batch after the other, for `next`."""
        while True:
            self._begin_batch()
            if self.batch_index == 0:
                self._set_index_array()
            begin = self.batch_index * self.batch_size % max(self.n, 1)
            self.batch_index += 1
            if begin + self.batch_size >= self.n:
                self.batch_index = 0
            yield self._rows(begin)

    def get_state(self) -> dict[str, Any]:
        """Which images come next, as JSON data: what a checkpoint has of a training."""
        order = None if self.index_array is None else self.index_array.tolist()
        seen = self.total_batches_seen
        return {"index_array": order, "total_batches_seen": seen, "batch_index": self.batch_index}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to where `get_state` was asked.

        Raises:
            ValueError: that was of other images.
        """
        order = state["index_array"]
        if order is not None and sorted(order) != list(range(self.n)):
            raise ValueError(f"the order is of {len(order)} images; there are {self.n}")
        self.index_array = None if order is None else np.array(order)
        self.total_batches_seen = state["total_batches_seen"]
        self.batch_index = state["batch_index"]

    def on_epoch_end(self) -> None:
        """Another order."""
        self._set_index_array()

    def reset(self) -> None:
        """`next` begins with a new epoch."""
        self.batch_index = 0

    def __iter__(self) -> "Iterator":
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self) -> Any:
        """The next batch."""
        with self.lock:  # what the images go through may be done by several threads
            index_array = next(self.index_generator)
        return self._get_batches_of_transformed_samples(index_array)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        """The batch of these images.

        Args:
            index_array: their numbers.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `_get_batches_of_transformed_samples`."
        )
