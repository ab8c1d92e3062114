"""Two data sets from one."""

import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from jkeras import tree
from jkeras.core.names.registry import public
from jkeras.utils import tensorflow_data, torch_data
from jkeras.utils.datasets import Dataset


@public("keras.utils.split_dataset")
def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Two data sets from one: (left, right).

    Args:
        dataset: arrays (one, or a list or tuple of several with the same length), or a data set of
            samples or batches.
        left_size, right_size: how many samples each gets, or which fraction; one of them follows
            from the other.
        shuffle, seed: mix the samples first. As in Keras, Python's `random` is seeded with the
            seed, or with a number that is drawn from it.
        preferred_backend: "tensorflow" or "torch", whose data sets come out; by default that of the
            data set, and TensorFlow for arrays.

    Returns:
        Of arrays, single samples (`.batch(32)` makes batches): a `tf.data.Dataset`, or a `Dataset`
            where TensorFlow is not installed. Of a `tf.data.Dataset`, one with batches of the same
            size. Of a `torch.utils.data.Dataset`, a `Subset`. Of other data sets, a `Dataset` of
            batches.

    Raises:
        TypeError: another kind of data or size. ValueError: sizes that do not fit the data.

    >>> left, right = split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), [int(x) for x in right]
    (8, [8, 9])
    """
    if right_size is None and left_size is None:
        raise ValueError("`left_size` or `right_size` must be given.")
    source = _as_dataset(dataset)
    order = list(source.order)
    if shuffle:
        # as Keras draws: the session's generator goes on from this seed
        random.seed(random.randint(0, 1_000_000) if seed is None else seed)
        random.shuffle(order)
    left, right = _split_sizes(left_size, right_size, len(order))
    orders = (order[:left], order[len(order) - right :])
    backend = _backend_of(dataset, preferred_backend)
    if backend == "torch":
        is_torch = torch_data.is_torch_data(dataset)
        return torch_data.parts(dataset if is_torch else source.gather(source.order), orders)
    if backend == "tensorflow":
        rows = (source.gather(np.asarray(part)) for part in orders)
        return tuple(tensorflow_data.sliced(arrays, source.batch_size) for arrays in rows)
    return tuple(source.derived(order=samples, shuffle=False) for samples in orders)


def _backend_of(dataset: Any, preferred: str | None) -> str | None:
    """Which library's data sets come out: "torch", "tensorflow", or None for `Dataset`."""
    is_torch = torch_data.is_torch_data(dataset)
    is_rows = isinstance(dataset, (np.ndarray, list, tuple, dict))
    if not (is_torch or is_rows or tensorflow_data.is_tf_data(dataset)):
        return None
    if preferred is None and is_torch:
        preferred = "torch"
    if preferred == "torch":
        return preferred
    return "tensorflow" if tensorflow_data.tensorflow() else None


def _as_dataset(dataset: Any) -> Dataset:
    if isinstance(dataset, Dataset):
        return dataset
    if isinstance(dataset, np.ndarray):
        return _of_arrays(dataset)
    if isinstance(dataset, (list, tuple, dict)) and len(dataset):
        return _of_arrays(dataset)
    if tensorflow_data.is_tf_data(dataset):
        arrays, batch_size = tensorflow_data.samples_of(dataset)
        return _of_arrays(arrays).derived(batch_size=batch_size)
    if torch_data.is_torch_data(dataset) and hasattr(dataset, "__len__"):
        return Dataset(
            lambda numbers: torch_data.samples(dataset, numbers), np.arange(len(dataset)), None
        )
    is_iterable = hasattr(dataset, "__iter__") or hasattr(dataset, "__getitem__")
    if not is_iterable or isinstance(dataset, (str, bytes)):
        raise TypeError(
            "`dataset` must be an array, a list or tuple of arrays, or a data set. Received: "
            f"{dataset} (of type {type(dataset)})"
        )
    return _of_batches(dataset)


def _of_arrays(data: Any) -> Dataset:
    """The data set of single samples of an array, or of a structure of arrays."""
    arrays = data
    if not isinstance(data, np.ndarray):
        arrays = tree.map_structure(np.asarray, data)
    if isinstance(arrays, list):
        arrays = tuple(arrays)
    if not all(np.ndim(leaf) for leaf in tree.flatten(arrays)):
        raise ValueError(
            f"A {type(data).__name__} of arrays with one entry for each sample is expected. "
            f"Received: {data!r}. One column of numbers is `np.asarray(...)`."
        )
    sizes = {len(leaf) for leaf in tree.flatten(arrays)}
    if len(sizes) > 1:
        raise ValueError(f"The arrays must have the same length. Received lengths {sorted(sizes)}.")
    return Dataset(_rows_of(arrays), np.arange(sizes.pop()), None)


def _of_batches(dataset: Any) -> Dataset:
    """The data set of batches that holds all of another one."""
    if hasattr(dataset, "num_batches"):
        batches = [dataset[i] for i in range(len(dataset))]
    else:
        batches = list(dataset)
    if not batches:
        raise ValueError("Received an empty data set.")
    if len(batches) > 100_000:
        warnings.warn(
            "`split_dataset` reads the whole data set into memory.", ResourceWarning, stacklevel=4
        )
    arrays = tree.map_structure(_concatenated, *batches)
    batch_size = len(tree.flatten(batches[0])[0])
    size = len(tree.flatten(arrays)[0])
    return Dataset(_rows_of(arrays), np.arange(size), batch_size)


def _concatenated(*leaves: Any) -> np.ndarray:
    return np.concatenate([np.asarray(leaf) for leaf in leaves])


def _rows_of(arrays: Any) -> Callable[[np.ndarray], Any]:
    """The function that gathers rows of all arrays."""
    return lambda numbers: tree.map_structure(lambda v: v[numbers], arrays)


def _check_size(name: str, size: Any, total: int) -> None:
    """Raises for what is neither None, nor a number or fraction of the samples."""
    if size is None:
        return
    if type(size) not in (int, float):
        raise TypeError(
            f"`{name}` must be an int, a float or None. Received: {name}={size} (of type "
            f"{type(size)})"
        )
    limit = 1 if isinstance(size, float) else total
    if not 0 < size < limit:
        raise ValueError(
            f"`{name}` must be a fraction between 0 and 1 or an integer from 1 to {total - 1}. "
            f"Received: {name}={size}"
        )


def _as_number(size: float | None, total: int) -> int | None:
    """A fraction of the samples as their number; numbers and None as they are."""
    if isinstance(size, float):
        return round(size * total)
    return size


def _split_sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """(left, right) as numbers of samples."""
    _check_size("left_size", left, total)
    _check_size("right_size", right, total)
    if isinstance(left, float) and isinstance(right, float) and left + right > 1:
        raise ValueError(f"`left_size` and `right_size` add up to more than 1: {left} + {right}.")
    left, right = _as_number(left, total), _as_number(right, total)
    if left is None:
        left = total - right
    if right is None:
        right = total - left
    if left + right > total:
        raise ValueError(
            f"`left_size` and `right_size` add up to {left + right}, but there are {total} samples."
        )
    if left == 0 or right == 0:
        raise ValueError(f"With {total} samples one side would be empty: {left} and {right}.")
    return left, right
