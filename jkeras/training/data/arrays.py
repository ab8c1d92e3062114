"""Data of any kind, as arrays: one shape for all rows, numbers, floats in the default float
type.
"""

import collections.abc
import numbers
import operator
import typing

import jax
import numpy as np

from jkeras.core.system.torch_tensors import of_torch
from jkeras.core.graph.host_numbers import (
    Ids,
    InputTypes,
    fitted,
    narrowed,
    of_one,
    part_at,
    refuse_masked,
)
from jkeras.core.graph.keras_tensor import alike
from jkeras.core.session.settings import floatx
from jkeras.training.data.source import Batch, DataTypes, unpack

TEXTS = "Turn text into numbers before, with `StringLookup` or `TextVectorization`."

TO_ONE_SHAPE = "images by `ops.image.resize`, sequences by `utils.pad_sequences`"

FIELDS = "Pass a dict of columns, `{name: rows[name] for name in rows.dtype.names}`, or one array."

TIMES = "Turn times into numbers before: `(times - start) / np.timedelta64(1, 'D')` are days."


def as_array(
    value: typing.Any, what: str = "x", dtype: str | Ids | None = None
) -> np.ndarray | jax.Array:
    """An array-like as a numpy or JAX array; floats in the default float type.

    Tensors of torch and TensorFlow, tables of pandas and sparse matrices count; a `Series` becomes
    a column, as in Keras.

    Args:
        dtype: of what takes the numbers, see `host_numbers.fitted`; None: unknown.

    Raises:
        ValueError: for ragged lists, objects and strings of no use to a model, and for numbers that
            a device cannot hold.
    """
    if isinstance(value, jax.Array):
        if jax.dtypes.issubdtype(value.dtype, jax.dtypes.extended):
            raise ValueError(f"`{what}` has dtype {value.dtype}: expected numbers.")
        return value
    if type(value) is not np.ndarray:
        refuse_masked(value, what)
    columns = getattr(value, "columns", None)
    if not isinstance(value, np.ndarray):
        value = _of_library(value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"`{what}` cannot be made an array: {str(error).rstrip('.')}. Give all rows the same "
            f"shape, {TO_ONE_SHAPE}."
        ) from error
    if array.dtype == object:
        array = _numbers_of(value, array, what, columns)
    if issubclass(array.dtype.type, np.void):
        raise ValueError(f"`{what}` has dtype {array.dtype}: expected numbers. {FIELDS}")
    if array.dtype.kind in "USMm":
        advice = TIMES if array.dtype.kind in "Mm" else TEXTS
        raise ValueError(f"`{what}` has dtype {array.dtype}: expected numbers. {advice}")
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        array = narrowed(array, what, floatx())
    return fitted(array, what, dtype)


def _numbers_of(value: typing.Any, objects: typing.Any, what: str, columns: typing.Any):
    """The numbers of a value that numpy takes for an array of objects.

    Args:
        columns: of a table; None: it is none.
    """
    _refuse_texts(objects, what, columns)
    missing = sum(item is None for item in np.ravel(objects))
    if missing:
        raise ValueError(
            f"`{what}` has dtype object and holds None in {missing} of {objects.size} places, "
            "which would become NaN: expected a numeric array. Fill them in, or leave these "
            "samples out."
        )
    try:
        return np.asarray(value, dtype="float64")
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"`{what}` has dtype object: expected an array of numbers, received values such as "
            f"{_example(objects)}. Convert it to a numeric array of one shape, {TO_ONE_SHAPE}."
        ) from error


def _refuse_texts(objects: typing.Any, what: str, columns: typing.Any):
    """Raises for texts among objects; digits in quotes are texts, too."""
    texts = np.reshape([isinstance(item, (str, bytes)) for item in objects.flat], objects.shape)
    if not texts.any():
        return
    subject = f"`{what}`"
    if columns is not None and objects.ndim == 2:
        names = [name for name, has_texts in zip(columns, texts.any(axis=0)) if has_texts]
        subject += f" has texts in its columns {names}, and so"
    raise ValueError(
        f"{subject} has dtype object: expected a numeric array, received values such as "
        f"{[objects[texts][0]]!r}. {TEXTS}"
    )


def _example(objects: typing.Any):
    """An element of an array of objects in a few words: one that is no number, if there is."""
    item = next((one for one in objects.flat if not isinstance(one, numbers.Number)), None)
    if item is None:
        item = next(iter(objects.flat), None)
    if isinstance(item, np.ndarray):
        shapes = sorted({np.shape(one) for one in objects.flat}, key=str)
        return f"arrays of the shapes {shapes[:3]}"
    return f"[{item!r}]" if len(repr(item)) < 80 else f"a {type(item).__name__}"


def _of_library(value: typing.Any):
    """A tensor or table of another library as something that numpy can read."""
    if hasattr(value, "detach"):
        return of_torch(value)
    if hasattr(value, "toarray"):  # scipy
        if hasattr(value, "check_format"):
            value.check_format(full_check=True)  # it would write beyond the array
        return value.toarray()
    if hasattr(value, "todense"):  # JAX, sparse
        return value.todense()
    if hasattr(value, "to_numpy"):  # pandas, whose rows are reached by `iloc`, and others
        array = value.to_numpy()
        if array.ndim == 1 and hasattr(value, "iloc"):
            return array[:, None]
        return array
    return _of_tensorflow(value)


def _of_tensorflow(value: typing.Any):
    """A tensor of TensorFlow, or of a library that calls its methods so; else the value."""
    if hasattr(value, "to_tensor"):  # ragged
        value = value.to_tensor()
    if hasattr(value, "dense_shape"):  # sparse
        dense = np.zeros(value.dense_shape.numpy(), value.values.dtype.as_numpy_dtype)
        dense[tuple(value.indices.numpy().T)] = value.values.numpy()
        return dense
    if hasattr(value, "numpy"):
        return value.numpy()
    return value


def is_rows(value: typing.Any) -> bool:
    """Whether a list is one array written as nested lists of numbers."""
    if not isinstance(value, (list, tuple)) or len(value) == 0:
        return False
    if isinstance(value[0], (list, tuple)):
        return is_rows(value[0])
    return np.isscalar(value[0])


def as_arrays(
    structure: typing.Any,
    what: str = "x",
    convert: collections.abc.Callable = as_array,
    types: InputTypes | str | Ids | None = None,
) -> typing.Any:
    """A structure of array-likes as arrays; lists of numbers become one array.

    Args:
        convert: what makes an array of `(value, what, dtype)`.
        types: the dtypes that the arrays go to, or one for all; None: they are unknown.
    """
    if structure is None:
        return None
    if isinstance(structure, dict):
        return {
            k: as_arrays(v, f"{what}[{k!r}]", convert, part_at(types, k))
            for k, v in structure.items()
        }
    if isinstance(structure, (list, tuple)) and not is_rows(structure):
        if hasattr(structure, "_fields"):
            types = None  # what has names of its own is not in the order of the inputs
        arrays = [
            as_arrays(v, f"{what}[{i}]", convert, part_at(types, i))
            for i, v in enumerate(structure)
        ]
        if isinstance(structure, tuple):
            return alike(structure, arrays)
        return arrays
    return convert(structure, what, of_one(types))


def take(structure: typing.Any, rows: slice | np.ndarray) -> typing.Any:
    """The rows of a structure of arrays."""
    return jax.tree_util.tree_map(operator.itemgetter(rows), structure)


def as_batch(batch: typing.Any, types: DataTypes | None = None) -> Batch:
    """(x, y, sample_weight) as arrays."""
    if batch is None:
        raise ValueError(
            "The batch is None: expected arrays. Does what makes it (a generator, `__getitem__`) "
            "return them?"
        )
    return batch_of_arrays(unpack(batch), types)


def batch_of_arrays(
    parts: Batch, types: DataTypes | None, convert: collections.abc.Callable = as_array
) -> Batch:
    """(x, y, sample_weight) with all that is in them as arrays."""
    types = types or DataTypes()
    return tuple(
        [
            None if part is None else as_arrays(part, what, convert, of_part)
            for part, what, of_part in zip(parts, DataTypes._fields, types)
        ]
    )
