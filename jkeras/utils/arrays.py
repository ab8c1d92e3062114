"""Arrays in other forms: one-hot labels, unit norms, padded sequences."""

import warnings
from typing import TYPE_CHECKING, Any
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import ops
from jkeras.core.errors import ArgumentError, check_choice
from jkeras.core.graph.host_numbers import refuse_masked
from jkeras.core.names.registry import public

if TYPE_CHECKING:
    import numpy.typing as npt


@public("keras.utils.to_categorical")
def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Whole numbers as one-hot rows: (…,) -> (…, num_classes). A last axis of size 1 is dropped
    first.

    Args:
        x: array-like of whole numbers; for an array of JAX the result is one too, in float32, else
            float64 of numpy.
        num_classes: by default the largest number plus one; needed for an array of JAX.
    Returns:
        an array (…, num_classes) of 0 and 1.
    Raises:
        IndexError: a label of `num_classes` or more.
        MemoryError: as many classes as there is no memory for.

    >>> to_categorical([0, 2], 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if isinstance(x, jax.Array):
        return ops.one_hot(x.reshape(_shape_of_labels(x)), num_classes)
    refuse_masked(x, "x")
    x = _whole_numbers(x)
    shape = _shape_of_labels(x)
    x = x.reshape(-1)
    classes = num_classes or int(x.max()) + 1
    if x.size and x.min() < 0:
        warnings.warn(
            f"to_categorical: the label {x.min()} is below 0 and counts from the last class.",
            stacklevel=2,
        )
    try:
        rows = np.zeros((x.size, classes))
    except MemoryError:
        raise MemoryError(
            f"to_categorical: no memory for {x.size} rows of {classes} classes. The largest label "
            "is the last class: number the labels from 0, or keep them whole and use "
            "'sparse_categorical_crossentropy'."
        ) from None
    try:
        rows[np.arange(x.size), x] = 1.0
    except IndexError:
        raise IndexError(
            f"The labels must be below num_classes={classes}. Received labels from {x.min()} to "
            f"{x.max()}."
        ) from None
    return rows.reshape(*shape, classes)


def _whole_numbers(labels: "npt.ArrayLike") -> np.ndarray:
    """Labels as int64; a warning says where fractions are cut off."""
    expected = "to_categorical takes whole numbers."
    try:
        values = np.asarray(labels)
        if values.dtype.kind != "f":
            return values.astype("int64")
    except ValueError as error:
        raise ValueError(
            f"{expected} Received: {error}. Number texts first, by `StringLookup` or "
            "`np.unique(x, return_inverse=True)`."
        ) from error
    if not np.isfinite(values).all():
        raise ValueError(f"{expected} Received: {values[~np.isfinite(values)][0]} among them.")
    whole = values.astype("int64")
    if (values != whole).any():
        warnings.warn(
            f"{expected} Received: {values[values != whole][0]} among them. Fractions are cut off, "
            "as in Keras.",
            stacklevel=3,
        )
    return whole


def _shape_of_labels(x: np.ndarray | jax.Array) -> tuple[int, ...]:
    """The shape without a last axis of size 1."""
    if x.ndim > 1 and x.shape[-1] == 1:
        return x.shape[:-1]
    return x.shape


@public("keras.utils.normalize")
def normalize(x: Any, axis: int = -1, order: float = 2) -> Any:
    """x divided by its norm along an axis; rows of zeros stay.

    Args:
        x: array-like.
        axis: along which the norm is taken.
        order: of the norm; 2 is the Euclidean one.
    Returns:
        an array of the shape of `x`; of numpy where `x` is one, else of JAX.

    >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    if not isinstance(x, np.ndarray):
        return ops.normalize(jnp.asarray(x), axis=axis, order=order)
    norm = np.atleast_1d(np.linalg.norm(x, order, axis))
    norm[norm == 0] = 1
    if axis is None:
        axis = -1
    return x / np.expand_dims(norm, axis)


@public("keras.utils.pad_sequences", "keras.preprocessing.sequence.pad_sequences")
def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Lists of different lengths as the rows of one array: (rows, maxlen, …).

    Args:
        sequences: list of lists or arrays; beyond the first axis all have the same shape.
        maxlen: by default the length of the longest.
        dtype: of the result; `object` for strings.
        padding, truncating: "pre" or "post", the end at which values are added or cut off.
        value: what is added.

    Returns:
        an array of numpy, (rows, maxlen, …).

    Raises:
        ValueError: something that is not a list in `sequences`, rows of other shapes, a wrong
            argument.

    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2).tolist()
    [[0, 1], [2, 3], [5, 6]]
    """
    _check_sequences(sequences)
    if isinstance(value, str) and not _is_of_texts(dtype):
        raise ValueError(
            f"The string value={value!r} does not go with dtype={dtype}; use dtype=object."
        )
    check_choice("padding", padding, ("pre", "post"))
    check_choice("truncating", truncating, ("pre", "post"))
    if maxlen is None:
        maxlen = max(map(len, sequences))
    shape = next((np.asarray(row).shape[1:] for row in sequences if len(row)), ())
    if not isinstance(maxlen, (int, np.integer)) or maxlen < 0:
        raise ArgumentError(f"`maxlen` must be a whole number of 0 or more. Received: {maxlen!r}")
    padded = np.full((len(sequences), maxlen, *shape), _as_row(value, dtype, "value"), dtype=dtype)
    if truncating == "pre":
        cut = slice(-maxlen, None)
    else:
        cut = slice(maxlen)
    for i, row in enumerate(sequences):
        if len(row):
            shortened = _as_row(row[cut], dtype, f"the sequence at position {i}")
            _put_row(padded, i, shortened, at_end=padding == "pre")
    return padded


def _as_row(row: Any, dtype: Any, what: str) -> np.ndarray:
    """A row as an array of a dtype; a warning says where fractions are cut off."""
    try:
        array = np.asarray(row, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(
            f"pad_sequences: {what} must be numbers of dtype {np.dtype(dtype).name}: {error}. Pass "
            "`dtype`, `object` for texts."
        ) from error
    if array.dtype.kind in "iu" and _may_be_cut(row) and (np.asarray(row) != array).any():
        warnings.warn(
            f"pad_sequences: {what} has numbers that {array.dtype} does not hold, such as "
            "fractions, which are cut off. Pass `dtype='float32'`.",
            stacklevel=3,
        )
    return array


def _may_be_cut(row: Any) -> bool:
    """Whether values may not be what whole numbers hold: Python's own are looked at by numpy."""
    if isinstance(row, list):
        return not {int}.issuperset(map(type, row))
    return True


def _put_row(padded: np.ndarray, i: int, row: np.ndarray, at_end: bool) -> None:
    """Writes a row into a padded one, at one end."""
    shape = padded.shape[2:]
    if row.shape[1:] != shape:
        raise ValueError(
            f"The sequence at position {i} has items of shape {row.shape[1:]}, those before "
            f"it of shape {shape}."
        )
    start = 0
    if at_end:
        start = padded.shape[1] - len(row)
    padded[i, start : start + len(row)] = row


def _check_sequences(sequences: Any) -> None:
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"`sequences` must be a list of sequences. Received: {sequences!r}")
    for row in sequences:
        if not hasattr(row, "__len__"):
            raise ValueError(
                f"`sequences` must be a list of sequences. Found one that has no length: {row!r}"
            )


def _is_of_texts(dtype: Any) -> bool:
    return dtype is object or np.issubdtype(dtype, np.str_) or np.issubdtype(dtype, np.bytes_)
