"""Data sets of samples that are put into batches when they are asked for; sliding windows."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from jkeras import tree
from jkeras.core.names.registry import public
from jkeras.utils.batches import PyDataset
from jkeras.utils.tensorflow_data import as_tf_data, kind_of

if TYPE_CHECKING:
    import numpy.typing as npt


class Dataset(PyDataset):
    """Batches of numpy arrays, made from samples when they are asked for. `fit`, `evaluate` and
    `predict` take it.

    Iterating gives one epoch, in a new order each time where `shuffle` is set.

    Args:
        gather: function from an array of sample numbers to a batch of those samples.
        order: the sample numbers, in the order of the first epoch.
        batch_size: None for single samples.
        shuffle: a new order for each epoch after the first.
        seed: of the orders.
        **attributes: set on this data set and those made from it, such as `class_names`.

    >>> squares = Dataset(lambda i: (i, i * i), np.arange(5), batch_size=2)
    >>> len(squares), [y.tolist() for x, y in squares.map(lambda x, y: (x, -y))]
    (3, [[0, -1], [-4, -9], [-16]])
    """

    def __init__(
        self,
        gather: Callable[[np.ndarray], Any],
        order: "npt.ArrayLike",
        batch_size: int | None = 32,
        shuffle: bool = False,
        seed: int | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__()
        if batch_size is not None and batch_size < 1:
            raise ValueError(
                "`batch_size` must be a positive integer or None. Received: "
                f"batch_size={batch_size}"
            )
        self.gather = gather
        self.order = np.asarray(order)
        self.batch_size = batch_size
        self.shuffle_samples = shuffle
        self.seed = seed
        self._random = np.random.default_rng(seed)
        self.attributes = attributes
        vars(self).update(attributes)

    def __len__(self) -> int:
        if self.batch_size is None:
            return len(self.order)
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"The data set has {len(self)} batches. Received: index={index}")
        index %= len(self)
        if self.batch_size is None:
            batch = self.gather(self.order[index : index + 1])
            return tree.map_structure(lambda v: v[0], batch)
        start = index * self.batch_size
        return self.gather(self.order[start : start + self.batch_size])

    def __iter__(self) -> Iterator:
        for index in range(len(self)):
            yield self[index]
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Makes the next order."""
        if self.shuffle_samples:
            self.order = self._random.permutation(self.order)

    def cardinality(self) -> int:
        """The number of batches."""
        return len(self)

    # ------------------------------------------------------------ others made from it

    def derived(self, **changes: Any) -> "Dataset":
        """The data set that has other arguments for these."""
        arguments = {
            "gather": self.gather,
            "order": self.order,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle_samples,
            "seed": self.seed,
            **self.attributes,
        }
        return Dataset(**arguments | changes)

    def map(self, function: Callable[..., Any], num_parallel_calls: int | None = None) -> "Dataset":
        """The data set of `function(x)`, `function(x, y)`, … of its batches (of its samples where
        they are single).

        Args:
            num_parallel_calls: ignored.
        """

        def call(batch: Any) -> Any:
            if isinstance(batch, tuple):
                return function(*batch)
            return function(batch)

        def gather(numbers: np.ndarray) -> Any:
            if self.batch_size is not None:
                return call(self.gather(numbers))
            samples = self.derived(order=numbers, shuffle=False)
            return stack([call(sample) for sample in samples])

        return self.derived(gather=gather)

    def batch(self, batch_size: int) -> "Dataset":
        """The samples in batches.

        Raises:
            ValueError: they are in batches already.
        """
        if self.batch_size is not None:
            raise ValueError(
                f"The data set already has batches of {self.batch_size}. Call `unbatch()` first."
            )
        return self.derived(batch_size=batch_size)

    def unbatch(self) -> "Dataset":
        """The samples one by one."""
        return self.derived(batch_size=None)

    def take(self, count: int) -> "Dataset":
        """The first `count` batches."""
        return self.derived(order=self.order[: count * (self.batch_size or 1)])

    def skip(self, count: int) -> "Dataset":
        """All but the first `count` batches."""
        return self.derived(order=self.order[count * (self.batch_size or 1) :])

    def shuffle(self, buffer_size: int | None = None, seed: int | None = None) -> "Dataset":
        """The data set in a new order each time. All samples are mixed, whatever `buffer_size`
        is.
        """
        if seed is None:
            seed = self.seed
        shuffled = self.derived(shuffle=True, seed=seed)
        shuffled.on_epoch_end()
        return shuffled

    def prefetch(self, buffer_size: int | None = None) -> Self:
        """The data set itself: `fit` fetches ahead by its own."""
        return self

    def cache(self) -> Self:
        """The data set itself."""
        return self


def stack(samples: Sequence[Any]) -> Any:
    """Samples as one batch: arrays of the same shape are stacked, others become an array of
    objects.

    >>> stack([(1, "a"), (2, "b")])
    (array([1, 2]), array(['a', 'b'], dtype=object))
    """
    return tree.map_structure(lambda *leaves: _stacked(leaves), *samples)


def _stacked(leaves: Sequence[Any]) -> np.ndarray:
    if isinstance(leaves[0], (str, bytes)) or len({np.shape(v) for v in leaves}) > 1:
        batch = np.empty(len(leaves), object)
        batch[:] = leaves
        return batch
    return np.stack([np.asarray(v) for v in leaves])


# ---------------------------------------------------------------- windows


@public(
    "keras.utils.timeseries_dataset_from_array", "keras.preprocessing.timeseries_dataset_from_array"
)
def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Any:
    """Windows that slide over a series, as a data set of batches `windows` or `(windows,
    targets)`.

    Args:
        data: array whose first axis is time.
        targets: `targets[i]` goes with the window that starts at i; None for windows alone.
        sequence_length: steps of a window.
        sequence_stride: steps between the starts of two windows.
        sampling_rate: distance of two steps of a window in the data.
        batch_size: None for single windows.
        shuffle, seed: the order of the windows.
        start_index, end_index: the part of the data that is used.
        format: "tf" for a `tf.data.Dataset`, where TensorFlow is installed; "grain" for a
            `Dataset`, which needs none, in the same order for each epoch.

    Raises:
        ValueError: an argument out of its range.

    >>> windows = timeseries_dataset_from_array(
    ...     np.arange(6), None, 3, sequence_stride=2, format="grain"
    ... )
    >>> windows[0].tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    check_format(format)
    size = len(data)
    start = start_index or 0
    end = end_index or size
    _check_range("start_index", start, 0, size)
    if end_index:
        _check_range("end_index", end_index, 1, size)
    _check_range("sampling_rate", sampling_rate, 1, size)
    _check_range("sequence_stride", sequence_stride, 1, size)
    if end <= start:
        raise ValueError(
            f"`end_index` must be greater than `start_index`. Received: start_index={start_index} "
            f"and end_index={end_index}"
        )
    if sequence_length < 1:
        raise ValueError(
            f"`sequence_length` must be 1 or more. Received: sequence_length={sequence_length}"
        )
    data = np.asarray(data)[start:end]
    count = end - start - (sequence_length - 1) * sampling_rate
    if count < 1:
        warnings.warn(
            f"timeseries_dataset_from_array: there is no window, as {sequence_length} steps at a "
            f"distance of {sampling_rate} are more than the {end - start} rows that are used.",
            stacklevel=2,
        )
    if targets is not None:
        count = min(count, len(targets))
        targets = np.asarray(targets)[start:end]
    starts = np.arange(0, count, sequence_stride)
    if shuffle:
        if seed is None:
            seed = np.random.randint(1_000_000)
        np.random.RandomState(seed).shuffle(starts)
    steps = np.arange(sequence_length) * sampling_rate

    def gather(numbers: np.ndarray) -> Any:
        windows = data[numbers[:, None] + steps]  # (batch, sequence_length, ...)
        if targets is None:
            return windows
        return windows, targets[numbers]

    sample = kind_of(np.broadcast_to(data[:1], (1, sequence_length, *data.shape[1:])))
    if targets is not None:
        sample = (sample, kind_of(targets))
    return in_format(format, Dataset(gather, starts, batch_size, shuffle, seed), sample)


def in_format(format: str, dataset: Dataset, sample: Any, is_ragged: bool = False) -> Any:
    """A `Dataset` in one of Keras's formats.

    Args:
        sample, is_ragged: as `as_tf_data` takes them.
    """
    if format == "tf":
        return as_tf_data(dataset, sample, is_ragged)
    return dataset.derived(shuffle=False)  # grain has the same order each time


def _check_range(name: str, value: int | None, low: int, size: int) -> None:
    """Raises ValueError for a number that does not go with data of this length."""
    if value is not None and not low <= value < size:
        raise ValueError(
            f"`{name}` must be from {low} to {size - 1} for data of length {size}. "
            f"Received: {name}={value}"
        )


def check_format(value: str) -> None:
    """Raises ValueError unless `value` is one of Keras's formats."""
    if value not in ("tf", "grain"):
        raise ValueError(f'`format` must be "tf" or "grain". Received: format={value}')
