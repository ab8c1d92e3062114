"""What is given as data, as arrays: one shape for all rows, numbers, floats in the default float
type.
"""

import jax
import numpy as np

from jkeras.core.graph import alike
from jkeras.core.settings import floatx

TEXTS = "Turn text into numbers before, with `StringLookup` or `TextVectorization`."


def as_array(value, what="x"):
    """An array-like as a numpy or JAX array; floats in the default float type.

    Tensors of torch and TensorFlow, tables of pandas and sparse matrices count; a `Series` becomes
    a column, as in Keras.

    Raises:
        ValueError: for ragged lists, objects and strings of no use to a model.
    """
    if isinstance(value, jax.Array):
        return value
    if not isinstance(value, np.ndarray):
        value = _of_library(value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"`{what}` cannot be made an array: {error}. Give all rows the same shape."
        ) from error
    if array.dtype == object:
        try:
            array = np.asarray(value, dtype=floatx())
        except (ValueError, TypeError) as error:
            first = np.ravel(array)[:1]
            remedy = (
                TEXTS
                if isinstance(first.item(), (str, bytes))
                else "Convert it to a numeric array of one shape."
            )
            raise ValueError(
                f"`{what}` has dtype object: expected an array of numbers, received values such as "
                f"{first}. {remedy}"
            ) from error
    if array.dtype.kind in "USM":
        raise ValueError(f"`{what}` has dtype {array.dtype}: expected numbers. {TEXTS}")
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        array = array.astype(floatx())
    return array


def _of_library(value):
    """A tensor or table of another library as something that numpy can read."""
    if hasattr(value, "detach"):  # torch
        value = value.detach().cpu()
        value = value.to_dense() if value.is_sparse else value
        return (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    if hasattr(value, "toarray"):  # scipy
        return value.toarray()
    if hasattr(value, "todense"):  # JAX, sparse
        return value.todense()
    if hasattr(value, "to_numpy"):  # pandas, whose rows are reached by `iloc`, and others
        return (
            value.to_numpy()[:, None]
            if value.ndim == 1 and hasattr(value, "iloc")
            else value.to_numpy()
        )
    if hasattr(value, "to_tensor"):  # TensorFlow, ragged
        value = value.to_tensor()
    if hasattr(value, "dense_shape"):  # TensorFlow, sparse
        dense = np.zeros(value.dense_shape.numpy(), value.values.dtype.as_numpy_dtype)
        dense[tuple(value.indices.numpy().T)] = value.values.numpy()
        return dense
    return value.numpy() if hasattr(value, "numpy") else value


def is_rows(value):
    """Whether a list is one array written as nested lists of numbers."""
    return (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and (np.isscalar(value[0]) or isinstance(value[0], (list, tuple)) and is_rows(value[0]))
    )


def as_arrays(structure, what="x", convert=as_array):
    """A structure of array-likes as arrays; lists of numbers become one array.

    Args:
        convert: what makes an array of `(value, what)`.
    """
    if structure is None:
        return None
    if isinstance(structure, dict):
        return {k: as_arrays(v, f"{what}[{k!r}]", convert) for k, v in structure.items()}
    if isinstance(structure, (list, tuple)) and not is_rows(structure):
        parts = [as_arrays(v, f"{what}[{i}]", convert) for i, v in enumerate(structure)]
        return alike(structure, parts) if isinstance(structure, tuple) else parts
    return convert(structure, what)


def take(structure, rows):
    """The rows of a structure of arrays."""
    return jax.tree_util.tree_map(lambda v: v[rows], structure)


def as_batch(batch):
    """(x, y, sample_weight) as arrays."""
    from jkeras.training.step import unpack

    return tuple(
        as_arrays(part, name) for part, name in zip(unpack(batch), ("x", "y", "sample_weight"))
    )
