"""Data sources: arrays, sequences of batches, generators, all as batches `(x, y, sample_weight)` of one epoch."""

import collections.abc
import itertools

import jax
import numpy as np

from jkeras.core.graph import flatten
from jkeras.core.settings import floatx
from jkeras.training import placement
from jkeras.training.workers import made_ahead

ON_DEVICE_LIMIT = 2**28  # bytes of a data set that are put on the device once


def as_array(value, what="x"):
    """An array-like as a numpy or JAX array; floats in the default float type.

    Raises:
        ValueError: for ragged lists, objects and strings of no use to a model.
    """
    if isinstance(value, jax.Array):
        return value
    if hasattr(value, "toarray"):  # scipy sparse
        value = value.toarray()
    elif hasattr(value, "to_numpy"):  # pandas
        value = value.to_numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"`{what}` cannot be made an array: {error}. Give all rows the same shape.") from error
    if array.dtype == object:
        try:
            array = np.asarray(value, dtype=floatx())
        except (ValueError, TypeError) as error:
            raise ValueError(f"`{what}` has dtype object: expected an array of numbers, received values such as "
                             f"{np.ravel(array)[:1]}. Convert it to a numeric array of one shape.") from error
    if array.dtype.kind in "USM":
        raise ValueError(f"`{what}` has dtype {array.dtype}: expected numbers. Turn text into numbers before, with "
                         "`StringLookup` or `TextVectorization`.")
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        array = array.astype(floatx())
    return array


def _is_rows(value):
    """Whether a list is one array written as nested lists of numbers."""
    return isinstance(value, (list, tuple)) and len(value) > 0 and (
        np.isscalar(value[0]) or isinstance(value[0], (list, tuple)) and _is_rows(value[0]))


def as_arrays(structure, what="x"):
    """A structure of array-likes as arrays; lists of numbers become one array."""
    if structure is None:
        return None
    if isinstance(structure, dict):
        return {k: as_arrays(v, f"{what}[{k!r}]") for k, v in structure.items()}
    if isinstance(structure, (list, tuple)) and not _is_rows(structure):
        return type(structure)(as_arrays(v, f"{what}[{i}]") for i, v in enumerate(structure)) if type(structure) in (
            list, tuple) else [as_arrays(v, what) for v in structure]
    return as_array(structure, what)


def is_array_like(x):
    """Whether `x` is an array, or a structure of arrays, rather than a source of batches."""
    if isinstance(x, dict):
        return all(map(is_array_like, x.values()))
    if isinstance(x, (list, tuple)):
        return len(x) > 0 and (_is_rows(x) or all(v is None or is_array_like(v) for v in x))
    return hasattr(x, "__array__") or hasattr(x, "toarray")


def take(structure, rows):
    """The rows of a structure of arrays."""
    return jax.tree_util.tree_map(lambda v: v[rows], structure)


class ArraySource:
    """Arrays in memory, cut into batches; a new order each epoch where `shuffle` is set.

    Args:
        batch_size: 32 by default, or as many rows as make `steps` batches.
    """

    def __init__(self, x, y=None, sample_weight=None, batch_size=None, shuffle=False, steps=None):
        self.data = (as_arrays(x, "x"), as_arrays(y, "y"), as_arrays(sample_weight, "sample_weight"))
        leaves = [(name, v) for name, part in zip(("x", "y", "sample_weight"), self.data) for v in flatten(part)
                  if v is not None]
        for name, leaf in leaves:
            if leaf.ndim == 0:
                raise ValueError(f"`{name}` must have a batch axis; received a single number.")
        sizes = {leaf.shape[0] for _, leaf in leaves}
        if len(sizes) > 1:
            shapes = ", ".join(f"{name} {tuple(leaf.shape)}" for name, leaf in leaves)
            raise ValueError("Data cardinality is ambiguous: make sure all arrays contain the same number of samples. "
                             f"Received: {shapes}.")
        self.size = sizes.pop() if sizes else 0
        check_weights(*self.data[1:])
        if self.size == 0:
            raise ValueError("The data is empty: expected at least one sample, received "
                             f"{[tuple(leaf.shape) for _, leaf in leaves]}.")
        if batch_size and (not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
            raise ValueError(f"`batch_size` must be a positive integer. Received: batch_size={batch_size}")
        self.batch_size, self.shuffle = int(batch_size or (-(-self.size // steps) if steps else 32)), shuffle
        self.num_batches = -(-self.size // self.batch_size)
        self._on_device = None

    def order(self, seed, epoch):
        """The rows of an epoch, in order."""
        rows = np.arange(self.size, dtype="int32")
        if not self.shuffle:
            return rows
        rng = np.random.default_rng((seed, epoch))
        if self.shuffle == "batch":
            whole = self.size // self.batch_size * self.batch_size
            batches = rng.permutation(rows[:whole].reshape(-1, self.batch_size)).ravel()
            return np.concatenate([batches, rows[whole:]])
        return rng.permutation(rows)

    @property
    def fits_on_device(self):
        """Whether the data is small enough to be put on the device once."""
        return sum(v.nbytes for v in flatten(self.data) if v is not None) <= ON_DEVICE_LIMIT

    def on_device(self):
        """The data as arrays on the device, put there once."""
        if self._on_device is None:
            self._on_device = placement.everywhere(self.data)
        return self._on_device

    def batches(self, seed=0, epoch=0):
        """The batches of an epoch."""
        rows = self.order(seed, epoch)
        for start in range(0, self.size, self.batch_size):
            mine = rows[start:start + self.batch_size]
            if not self.shuffle:
                mine = slice(start, start + self.batch_size)
            yield take(self.data, mine)

    def peek(self):
        """The first batch."""
        return take(self.data, slice(self.batch_size))

    def close(self):
        """Nothing to release."""


def check_weights(y, sample_weight):
    """Raises ValueError for sample weights that cannot belong to several outputs."""
    if sample_weight is None or not isinstance(y, (list, tuple, dict)):
        return
    if isinstance(sample_weight, (list, tuple, dict)):
        structures = [jax.tree_util.tree_structure(v, is_leaf=lambda leaf: leaf is None) for v in (y, sample_weight)]
        if structures[0] != structures[1]:
            raise ValueError("You should provide one `sample_weight` array per output in `y`, in the same structure. "
                             f"Received: y of structure {structures[0]}, sample_weight of {structures[1]}.")
    elif sample_weight.ndim != 1 and sample_weight.shape[1:] != (1,):
        raise ValueError("For a model with multiple outputs a single `sample_weight` array needs one number per "
                         f"sample, shape (samples,). Received the shape {sample_weight.shape}. Give one array per "
                         "output for other weights.")


class BatchSource:
    """An object with `__len__` and `__getitem__` that gives whole batches, such as a `PyDataset`."""

    def __init__(self, dataset, shuffle=False):
        self.dataset, self.shuffle, self._running = dataset, shuffle, None
        self.num_batches = dataset.num_batches if hasattr(dataset, "num_batches") else len(dataset)
        if self.num_batches == 0:
            raise ValueError(f"The data set {type(dataset).__name__} is empty: its length is 0.")

    def batches(self, seed=0, epoch=0):
        """The batches of an epoch."""
        if hasattr(self.dataset, "on_epoch_begin"):
            self.dataset.on_epoch_begin()
        self.close()
        self._running = self._items(self._order(seed, epoch))
        yield from map(as_batch, self._running)
        if hasattr(self.dataset, "on_epoch_end"):
            self.dataset.on_epoch_end()

    def _order(self, seed, epoch):
        if self.num_batches is None:
            return itertools.count()
        numbers = range(self.num_batches)
        return np.random.default_rng((seed, epoch)).permutation(numbers).tolist() if self.shuffle else numbers

    def _items(self, numbers):
        """The batches of these numbers; made ahead where the data set asks for workers."""
        workers, processes = getattr(self.dataset, "workers", 1), getattr(self.dataset, "use_multiprocessing", False)
        if workers > 1 or workers == 1 and processes:
            return made_ahead(self.dataset, numbers, workers, self.dataset.max_queue_size, processes)
        return (self.dataset[i] for i in numbers)

    def peek(self):
        """The first batch."""
        return as_batch(self.dataset[0])

    def close(self):
        """Stops workers that are still at it."""
        if self._running is not None:
            self._running.close()


class IteratorSource:
    """A generator or iterator of batches, or an iterable that starts again for each epoch.

    Args:
        replays: whether a new pass over a generator begins with its first two batches again, as validation in Keras
            does: those are what Keras looks at ahead. Otherwise it goes on where the last pass stopped.
    """

    def __init__(self, iterable, replays=False):
        self.iterable, self.replays, self.fresh = iterable, replays, True
        self.endless = isinstance(iterable, collections.abc.Iterator)
        if self.endless:
            self.first = list(itertools.islice(iterable, 2))
            if not self.first:
                raise ValueError("The data is empty: the iterator gave no batch.")
        try:
            self.num_batches = None if self.endless else len(iterable)
        except TypeError:
            self.num_batches = None

    def batches(self, seed=0, epoch=0):
        """The batches of an epoch."""
        again, self.fresh = self.fresh or self.replays, False
        parts = ((self.first if again else ()), self.iterable) if self.endless else (self.iterable,)
        for batch in itertools.chain(*parts):
            yield as_batch(batch)

    def peek(self):
        """The first batch, which stays the first."""
        if self.endless:
            return as_batch(self.first[0])
        first = next(iter(self.iterable), None)
        if first is None:
            raise ValueError("The data is empty: the source gave no batch.")
        return as_batch(first)

    def close(self):
        """Nothing to release."""


def as_batch(batch):
    """(x, y, sample_weight) as arrays."""
    from jkeras.training.step import unpack

    x, y, sample_weight = unpack(batch)
    return as_arrays(_numpy(x), "x"), as_arrays(_numpy(y), "y"), as_arrays(_numpy(sample_weight), "sample_weight")


def _numpy(value):
    """Tensors of other libraries as numpy."""
    if isinstance(value, dict):
        return {k: _numpy(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_numpy, value))
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def make_source(x, y=None, sample_weight=None, batch_size=None, shuffle=False, class_weight=None, replays=False,
                steps=None):
    """The source of what `fit`, `evaluate` or `predict` was given.

    Args:
        replays: of an `IteratorSource`.
        steps: of an `ArraySource`.

    Raises:
        ValueError: unknown kind of data, or arguments that go with arrays only.
    """
    if x is None:
        raise ValueError("Missing data: `x` is None. Pass arrays, or a source of batches.")
    if is_array_like(x) and not (hasattr(x, "__getitem__") and not hasattr(x, "__array__") and hasattr(
            x, "on_epoch_end")):
        source = ArraySource(x, y, sample_weight, batch_size, shuffle, steps)
        if class_weight is not None:
            source.data = (*source.data[:2], class_weights(source.data[1], source.data[2], class_weight))
        return source
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ValueError(f"When `x` is a {type(x).__name__}, `{name}` should not be passed: yield it with the "
                             f"batches. Received: {name}={type(value).__name__}")
    if hasattr(x, "__getitem__") and hasattr(x, "__len__") and (hasattr(x, "on_epoch_end") or hasattr(
            x, "num_batches")):
        source = BatchSource(x, shuffle)
    elif isinstance(x, collections.abc.Iterable):
        source = IteratorSource(x, replays)
    else:
        raise ValueError(f"Unrecognized data type: x={x} (of type {type(x)}). Pass arrays, a list or dict of arrays, a "
                         "PyDataset, or an iterable of batches.")
    return source if class_weight is None else Weighted(source, class_weight)


class Weighted:
    """A source whose batches get the weights of their classes."""

    def __init__(self, source, class_weight):
        self.source, self.class_weight, self.num_batches = source, class_weight, source.num_batches

    def batches(self, seed=0, epoch=0):
        """The batches of an epoch."""
        for x, y, sample_weight in self.source.batches(seed, epoch):
            yield x, y, class_weights(y, sample_weight, self.class_weight)

    def peek(self):
        """The first batch."""
        x, y, sample_weight = self.source.peek()
        return x, y, class_weights(y, sample_weight, self.class_weight)

    def close(self):
        """Releases the source."""
        self.source.close()


def checked(source, check):
    """A source whose labels and weights are given to `check(y, sample_weight)` first: arrays once, else each batch."""
    if isinstance(source, ArraySource):
        check(*source.data[1:])
        return source
    return Checked(source, check)


class Checked:
    """A source whose batches are checked as they come."""

    def __init__(self, source, check):
        self.source, self.check, self.num_batches = source, check, source.num_batches

    def batches(self, seed=0, epoch=0):
        """The batches of an epoch."""
        for batch in self.source.batches(seed, epoch):
            self.check(*batch[1:])
            yield batch

    def peek(self):
        """The first batch."""
        return self.source.peek()

    def close(self):
        """Releases the source."""
        self.source.close()


def class_weights(y, sample_weight, class_weight):
    """The weight of each sample's class; labels are whole numbers or one-hot.

    Raises:
        ValueError: with sample weights, or several outputs.
    """
    if sample_weight is not None:
        raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
    if y is None or isinstance(y, (dict, list, tuple)):
        raise ValueError("`class_weight` is only supported for models with a single output.")
    y = np.asarray(y)
    if y.ndim > 1:
        y = y.argmax(-1) if y.shape[-1] != 1 else y[..., 0]
    y = np.round(y).astype("int32")
    weights = np.ones(y.shape, floatx())
    for label, weight in class_weight.items():
        weights[y == label] = weight
    return weights


def split_validation(arrays, fraction):
    """((x, y, w) for training, (x, y, w) for validation): the last `fraction` of the rows validates.

    Raises:
        ValueError: data that is not arrays, or a split that leaves one side empty.
    """
    if not all(part is None or is_array_like(part) for part in arrays):
        raise ValueError("Argument `validation_split` is only supported for arrays. Pass `validation_data` instead.")
    arrays = tuple(as_arrays(part) for part in arrays)
    size = next(v for v in flatten(arrays) if v is not None).shape[0]
    at = int(np.floor(size * (1.0 - fraction)))
    if at in (0, size):
        raise ValueError(f"Training data contains {size} samples, which is not sufficient to split it into a "
                         f"validation and training set as specified by `validation_split={fraction}`. Either provide "
                         "more data, or a different value for the `validation_split` argument.")
    first = jax.tree_util.tree_map(lambda v: v[:at], arrays)
    return first, jax.tree_util.tree_map(lambda v: v[at:], arrays)
