"""From what `fit`, `evaluate` and `predict` are given to a source of batches."""

import collections.abc

import numpy as np

from jkeras.core.graph import flatten
from jkeras.training.data import huggingface
from jkeras.training.data.array_source import ArraySource
from jkeras.training.data.arrays import as_arrays, is_rows
from jkeras.training.data.batch_source import BatchSource
from jkeras.training.data.iterable_source import IterableSource, IteratorSource, is_iterator
from jkeras.training.data.mapped import weighted
from jkeras.training.data.stored import array_or_stored, is_stored, part


def is_array_like(x):
    """Whether `x` is an array, or a structure of arrays, rather than a source of batches.

    >>> is_array_like({"a": [1, 2], "b": (np.zeros(2), None)}), is_array_like(iter([]))
    (True, False)
    """
    if isinstance(x, dict):
        return all(map(is_array_like, x.values()))
    if isinstance(x, (list, tuple)):
        return len(x) > 0 and (is_rows(x) or all(v is None or is_array_like(v) for v in x))
    return any(
        hasattr(x, name) for name in ("__array__", "todense", "dense_shape", "to_tensor")
    ) or is_stored(x)


def make_source(
    x,
    y=None,
    sample_weight=None,
    batch_size=None,
    shuffle=False,
    class_weight=None,
    replays=False,
    steps=None,
):
    """The source of what `fit`, `evaluate` or `predict` was given.

    Args:
        replays: of an `IteratorSource`.
        steps: of an `ArraySource`.

    Raises:
        ValueError: unknown kind of data, or arguments that go with arrays only.
    """
    if x is None:
        raise ValueError("Missing data: `x` is None. Pass arrays, or a source of batches.")
    batches = _gives_batches(x)
    if batches or not is_array_like(x):
        _refuse(x, y=y, sample_weight=sample_weight)
    kind = huggingface.kind_of(x)
    if kind == "Dataset":
        x, y, sample_weight = huggingface.table_parts(x)
    if batches:
        source = BatchSource(x, shuffle)
    elif kind == "IterableDataset":
        source = huggingface.streamed(x, batch_size)
    elif is_array_like(x):
        source = ArraySource(x, y, sample_weight, batch_size, shuffle, steps)
    elif is_iterator(x):
        source = IteratorSource(x, replays)
    elif isinstance(x, collections.abc.Iterable) and not isinstance(
        x, (dict, list, tuple, str, bytes)
    ):
        source = IterableSource(x)
    else:
        raise _unknown(x)
    return source if class_weight is None else weighted(source, class_weight)


def _gives_batches(x):
    """Whether `x` is a `PyDataset`, or the like."""
    return (
        all(hasattr(x, name) for name in ("__getitem__", "__len__"))
        and not hasattr(x, "__array__")
        and (hasattr(x, "on_epoch_end") or hasattr(x, "num_batches"))
    )


def _refuse(x, **others):
    """Raises for arguments beside a source of batches, which has them in it."""
    for name, value in others.items():
        if value is not None:
            raise ValueError(
                f"When `x` is a {type(x).__name__}, `{name}` should not be passed: yield it with "
                f"the batches. Received: {name}={type(value).__name__}"
            )


def _unknown(x):
    """The error for what is no data, with what to do."""
    if isinstance(x, dict) and huggingface.kind_of(x):
        advice = f"It has the splits {list(x)}: pass one of them."
    elif isinstance(x, (dict, list, tuple)):
        kinds = sorted({type(v).__name__ for v in flatten(x)})
        advice = f"Expected arrays in it, all with the same number of rows; it holds {', '.join(kinds) or 'nothing'}."
    elif callable(x):
        advice = "Call it, and pass the generator that it returns."
    elif hasattr(x, "__getitem__") and not isinstance(x, (str, bytes)):
        advice = "If it gives single samples, pass a `torch.utils.data.DataLoader` of it; if batches, a `PyDataset`."
    else:
        advice = "Pass arrays, a list or dict of arrays, a PyDataset, or an iterable of batches."
    return ValueError(f"Unrecognized data type: x={x} (of type {type(x)}). {advice}")


def split_validation(arrays, fraction):
    """((x, y, w) for training, (x, y, w) for validation): the last `fraction` of the rows
    validates.

    Raises:
        ValueError: data that is not arrays, or a split that leaves one side empty.
    """
    if huggingface.kind_of(arrays[0]) == "Dataset":
        arrays = huggingface.table_parts(arrays[0])
    if not all(value is None or is_array_like(value) for value in arrays):
        raise ValueError(
            "Argument `validation_split` is only supported for arrays. Pass `validation_data` "
            "instead."
        )
    arrays = tuple(
        as_arrays(value, name, array_or_stored)
        for value, name in zip(arrays, ("x", "y", "sample_weight"))
    )
    size = next(v for v in flatten(arrays) if v is not None).shape[0]
    at = int(np.floor(size * (1.0 - fraction)))
    if at in (0, size):
        raise ValueError(
            f"Training data contains {size} samples, which is not sufficient to split it into a "
            f"validation and training set as specified by `validation_split={fraction}`. Either "
            "provide more data, or a different value for the `validation_split` argument."
        )
    return part(arrays, slice(at)), part(arrays, slice(at, None))
