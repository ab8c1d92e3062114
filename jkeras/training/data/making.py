"""From the arguments of `fit`, `evaluate` and `predict` to a source of batches."""

import collections.abc
import typing

import jax
import numpy as np

from jkeras.core.graph.keras_tensor import flatten
from jkeras.training.data import huggingface
from jkeras.training.data.array_source import ArraySource
from jkeras.training.data.arrays import batch_of_arrays, is_rows
from jkeras.training.data.batch_source import BatchSource
from jkeras.training.data.iterable_source import IterableSource, IteratorSource, is_iterator
from jkeras.training.data.source import Batch, DataTypes, Source
from jkeras.training.data.stored import array_or_stored, cut, is_stored


def is_array_like(x: typing.Any) -> bool:
    """Whether `x` is an array, or a structure of arrays, rather than a source of batches.

    >>> is_array_like({"a": [1, 2], "b": (np.zeros(2), None)}), is_array_like(iter([]))
    (True, False)
    """
    if isinstance(x, (np.ndarray, jax.Array)):
        return True
    if isinstance(x, dict):
        return all(v is None or is_array_like(v) for v in x.values())
    if isinstance(x, (list, tuple)):
        if len(x) == 0:
            return False
        return is_rows(x) or all(v is None or is_array_like(v) for v in x)
    if any(hasattr(x, name) for name in ("__array__", "todense", "dense_shape", "to_tensor")):
        return True
    return is_stored(x)


def rows_shuffled(shuffle: bool | str) -> bool | str:
    """Whether and how the rows are shuffled, without what it says of members of an ensemble.

    >>> rows_shuffled("each"), rows_shuffled("batch"), rows_shuffled(False)
    (True, 'batch', False)
    """
    return True if shuffle in ("each", "same") else shuffle


def make_source(
    x: typing.Any,
    y: typing.Any = None,
    sample_weight: typing.Any = None,
    batch_size: int | None = None,
    shuffle: bool | str = False,
    replays: bool = False,
    steps: int | None = None,
    types: DataTypes | None = None,
) -> Source:
    """The source of the data of `fit`, `evaluate` or `predict`.

    Args:
        replays: of an `IteratorSource`.
        steps: of an `ArraySource`.
        types: that the data goes to; None: they are unknown.

    Raises:
        ValueError: unknown kind of data, or arguments that go with arrays only.
    """
    if x is None:
        raise ValueError("Missing data: `x` is None. Pass arrays, or a source of batches.")
    if type(x) is np.ndarray:
        return ArraySource(x, y, sample_weight, batch_size, shuffle, steps, types)
    _refuse_pictures(x)
    gives_batches = _gives_batches(x)
    if gives_batches or not is_array_like(x):
        _refuse(x, y=y, sample_weight=sample_weight)
    kind = huggingface.kind_of(x)
    if kind == "Dataset":
        x, y, sample_weight = huggingface.table_parts(x)
    if gives_batches:
        source = BatchSource(x, shuffle, types)
    elif kind == "IterableDataset":
        source = huggingface.streamed(x, batch_size, types)
    elif is_array_like(x):
        source = ArraySource(x, y, sample_weight, batch_size, shuffle, steps, types)
    else:
        source = _one_after_another(x, replays, types)
    return source


def _one_after_another(x: typing.Any, replays: bool, types: typing.Any):
    """The source of what can only be iterated."""
    if is_iterator(x):
        return IteratorSource(x, replays, types)
    is_container = isinstance(x, (dict, list, tuple, str, bytes))
    if isinstance(x, collections.abc.Iterable) and not is_container:
        return IterableSource(x, types=types)
    raise _unknown(x)


def _gives_batches(x: typing.Any):
    """Whether `x` is a `PyDataset`, or the like."""
    is_indexed = hasattr(x, "__getitem__") and hasattr(x, "__len__")
    if not is_indexed or hasattr(x, "__array__"):
        return False
    return hasattr(x, "on_epoch_end") or hasattr(x, "num_batches")


def _refuse(x: typing.Any, **others):
    """Raises for arguments beside a source of batches, which has them in it."""
    for name, value in others.items():
        if value is not None:
            raise ValueError(
                f"When `x` is a {type(x).__name__}, `{name}` should not be passed: yield it with "
                f"the batches. Received: {name}={type(value).__name__}"
            )


def _refuse_pictures(x: typing.Any):
    """Raises for images of Pillow, which are no arrays: alone, or in a list."""
    first = x
    if isinstance(x, (list, tuple)) and x:
        first = x[0]
    if not type(first).__module__.startswith("PIL."):
        return
    pictures = flatten(x)
    sizes = sorted({picture.size for picture in pictures if hasattr(picture, "size")})
    fix = "np.stack([np.asarray(image) for image in images])"
    if len(sizes) > 1:
        fix = fix.replace("(image)", "(image.resize((width, height)))")
    shown = [*map(str, sizes[:3]), *["others"][: len(sizes) - 3]]
    raise ValueError(
        f"Images of Pillow are no arrays. Received: {len(pictures)} of the sizes "
        f"{', '.join(shown)}. To fix it: pass `{fix}`."
    )


def _unknown(x: typing.Any):
    """The error for what is no data, with what to do."""
    if isinstance(x, dict) and huggingface.kind_of(x):
        advice = f"It has the splits {list(x)}: pass one of them."
    elif isinstance(x, (dict, list, tuple)):
        kinds = sorted({type(v).__name__ for v in flatten(x)})
        advice = (
            "Expected arrays in it, all with the same number of rows; it holds "
            f"{', '.join(kinds) or 'nothing'}."
        )
    elif callable(x):
        advice = "Call it, and pass the generator that it returns."
    elif hasattr(x, "__getitem__") and not isinstance(x, (str, bytes)):
        advice = (
            "If it gives single samples, pass a `torch.utils.data.DataLoader` of it; if batches, "
            "a `PyDataset`."
        )
    else:
        advice = "Pass arrays, a list or dict of arrays, a PyDataset, or an iterable of batches."
    return ValueError(f"Unrecognized data type: x={x} (of type {type(x)}). {advice}")


def split_validation(
    arrays: Batch, fraction: float, types: DataTypes | None = None
) -> tuple[Batch, Batch]:
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
    arrays = batch_of_arrays(arrays, types, array_or_stored)
    if not 0 < fraction < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1. Received: {fraction}")
    size = next(v for v in flatten(arrays) if v is not None).shape[0]
    at = int(np.floor(size * (1.0 - fraction)))
    if at in (0, size):
        raise ValueError(
            f"`validation_split={fraction}` of {size} rows leaves none to train on, or none to "
            "validate on. Pass another fraction, or more rows."
        )
    return cut(arrays, slice(at)), cut(arrays, slice(at, None))
