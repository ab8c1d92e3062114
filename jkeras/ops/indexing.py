"""Choosing elements: by index, by condition, by order."""

from __future__ import annotations

import math
from typing import Any, Literal
from collections.abc import Collection, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jkeras.core.errors import ShapeError, explain
from jkeras.core.graph.inference import infer
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.names.registry import public
from jkeras.ops.declaring import numpy_op
from jkeras.ops.promotion import (
    both_names,
    broadcasting,
    operand,
    shape_of,
    tensor,
)
from jkeras.core.weights.types import Function, Operand, Shape, TensorLike

# ---------------------------------------------------------------- by index


def _get_item_spec(x: Operand, key: Any) -> KerasTensor:
    """Unlike tracing: a slice of an unknown size is unknown, and an index beyond the end is an
    error.
    """
    keys = (key,)
    if isinstance(key, (tuple, list)):
        keys = tuple(key)
    if not all(map(_is_basic, keys)):
        return infer(lambda x: x[keys], x)
    return KerasTensor(_indexed_shape(x, keys, key), x.dtype)


def _indexed_shape(x: Operand, keys: Sequence[Any], key: Any) -> tuple[int | None, ...]:
    """The shape of what basic indices choose.

    Raises:
        ValueError: an index is beyond the end.
    """
    sizes = iter(x.shape)
    shape = []
    for k in _without_ellipsis(keys, x, key):
        if k is None:
            shape.append(1)
            continue
        size = next(sizes)
        if isinstance(k, slice):
            shape.append(_length(k, size))
        elif size is not None and not -size <= k < size:
            raise ShapeError(
                f"Index {k} is out of bounds for an axis of size {size}: shape {x.shape}, key "
                f"{key}."
            )
    return tuple(shape)


def _is_basic(k: Any) -> bool:
    """Whether an index is None, an ellipsis, an int or a slice."""
    if k is None or k is Ellipsis:
        return True
    return isinstance(k, (int, slice)) and not isinstance(k, bool)


def _without_ellipsis(keys: Sequence[Any], x: Operand, key: Any) -> tuple[Any, ...]:
    """Basic indices with whole axes instead of the ellipsis, which may be missing at the end."""
    if Ellipsis not in keys:
        keys = (*keys, Ellipsis)
    position = keys.index(Ellipsis)
    missing_axes = x.ndim - sum(k is not None and k is not Ellipsis for k in keys)
    if missing_axes < 0 or keys.count(Ellipsis) > 1:
        raise ShapeError(
            f"An array of shape {x.shape} cannot be indexed by {key}: too many indices."
        )
    return (*keys[:position], *[slice(None)] * missing_axes, *keys[position + 1 :])


def _length(key: Any, size: int | None) -> int | None:
    """The number of elements that a slice takes of an axis; None where its size is unknown."""
    if size is None:
        return None
    return len(range(*key.indices(size)))


@numpy_op(inputs=2, spec=_get_item_spec)
def get_item(x: TensorLike, key: Any) -> jax.Array:
    """x[key].

    Args:
        x: array.
        key: an int, slice, None (a new axis), Ellipsis, or a tuple (from a file: list) of them.
    Returns:
        Array of what is chosen.
    Raises:
        ValueError: a static index beyond the end, or more indices than axes.

    >>> print(get_item([[1, 2], [3, 4]], (slice(None), 0)))
    [1 3]
    """
    if isinstance(key, list):
        key = tuple(key)
    x = tensor(x)
    keys = key if isinstance(key, tuple) else (key,)
    if all(map(_is_basic, keys)):
        _indexed_shape(x, keys, key)
    return x[key]


def _take_spec(x: Operand, indices: Operand, axis: int | None = None) -> KerasTensor:
    """Whether the indices are integers is looked at when there are values."""
    index_shape = shape_of(indices)
    if axis is None:
        return KerasTensor(index_shape, x.dtype)
    axis = normalize_axis_index(axis, len(shape_of(x)))
    return KerasTensor((*shape_of(x)[:axis], *index_shape, *shape_of(x)[axis + 1 :]), x.dtype)


@numpy_op(inputs=2, spec=_take_spec)
def take(x: TensorLike, indices: TensorLike, axis: int | None = None) -> jax.Array:
    """The elements at indices along an axis; None: of the flat array. An index beyond the end gives
    NaN, in an integer array its smallest number.

    Args:
        x: array.
        indices: integers, of any shape; negative ones count from the end.
        axis: int or None.
    Returns:
        Array of x's shape with the shape of the indices in place of the axis.

    >>> print(take([[1, 2], [3, 4]], [1, 1], axis=1))
    [[2 2]
     [4 4]]
    """
    return jnp.take(tensor(x), tensor(indices), axis=axis)


def _take_along_axis_spec(x: Operand, indices: Operand, axis: int | None = None) -> KerasTensor:
    """Whether indices are whole numbers is looked at when there are some."""
    if isinstance(indices, KerasTensor):
        indices = KerasTensor(indices.shape, "int32")
    return infer(lambda both: jnp.take_along_axis(*both, axis=axis), (x, indices))


@numpy_op(inputs=2, spec=_take_along_axis_spec)
def take_along_axis(x: TensorLike, indices: TensorLike, axis: int | None = None) -> jax.Array:
    """For each position the element that its own index names, along an axis.

    Args:
        x: array.
        indices: integers, of x's shape but for that axis, such as `argsort(x)`.
        axis: int; None: of the flat array, with a vector of indices.
    Returns:
        Array of the shape of the indices.

    >>> print(take_along_axis([[5, 6], [7, 8]], [[1], [0]], axis=1))
    [[6]
     [7]]
    """
    return jnp.take_along_axis(tensor(x), tensor(indices), axis=axis)


@numpy_op(inputs=1)
def unravel_index(indices: TensorLike, shape: Shape) -> tuple[jax.Array, ...]:
    """Indices of the flat array as a tuple of indices, one array for each axis of `shape`.

    Args:
        indices: integers, of any shape.
        shape: tuple of ints.
    Returns:
        Tuple of integer arrays of the shape of `indices`.

    >>> print(*unravel_index([1, 5], (2, 3)))
    [0 1] [1 2]
    """
    return jnp.unravel_index(tensor(indices), shape)


def _diagonal_spec(x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1) -> KerasTensor:
    out = infer(lambda x: diagonal.__wrapped__(x, offset, axis1, axis2), x)
    if None in (x.shape[axis1], x.shape[axis2]):
        return KerasTensor((*out.shape[:-1], None), x.dtype)
    return out


@numpy_op(inputs=1, spec=_diagonal_spec)
def diagonal(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """The diagonals of the matrices in two axes, as the last axis.

    Args:
        x: array of two axes or more.
        offset: which diagonal: 0 is the main one, 1 the next above it, -1 the next below.
        axis1, axis2: the axes of rows and of columns.
    Returns:
        Array of the other axes, then the diagonal.
    Raises:
        ValueError: `axis1` and `axis2` are not two different axes of x.

    >>> print(diagonal([[1, 2], [3, 4]]))
    [1 4]
    """
    x = tensor(x)
    if not all(-x.ndim <= a < x.ndim for a in (axis1, axis2)) or axis1 % x.ndim == axis2 % x.ndim:
        raise ValueError(
            "`axis1` and `axis2` must be two different axes of x. "
            f"Received: axis1={axis1}, axis2={axis2}, x.shape={x.shape}"
        )
    return jnp.diagonal(x, offset=offset, axis1=axis1, axis2=axis2)


@numpy_op(inputs=1)
def trace(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """The sum along the diagonal of the matrices in two axes.

    Args:
        x, offset, axis1, axis2: as for `diagonal`.
    Returns:
        Array of the other axes.

    >>> print(trace([[1, 2], [3, 4]]))
    5
    """
    return jnp.trace(tensor(x), offset=offset, axis1=axis1, axis2=axis2)


# ---------------------------------------------------------------- by condition


def _check_where(x1: Any, x2: Any) -> None:
    if (x1 is None) != (x2 is None):
        missing = "x1" if x1 is None else "x2"
        raise ValueError(
            "`x1` and `x2` either both should be `None` or both be given to `where`. Received: "
            f"no {missing}"
        )


def _where_spec(
    condition: Operand, x1: Operand | None = None, x2: Operand | None = None
) -> KerasTensor:
    _check_where(x1, x2)
    if x1 is None:
        return _nonzero_spec(condition)
    return broadcasting(jnp.where)(condition, x1, x2)


def _nonzero_spec(x: Operand) -> tuple[KerasTensor, ...]:
    return tuple(KerasTensor((None,), "int32") for _ in x.shape)


@numpy_op(inputs=3, spec=_where_spec)
def where(
    condition: TensorLike, x1: TensorLike | None = None, x2: TensorLike | None = None
) -> jax.Array:
    """x1 where the condition holds, else x2; without them: `nonzero(condition)`.

    Args:
        condition: booleans, or numbers, which hold where they are not 0.
        x1, x2: arrays or numbers, both or none; all three broadcast.
    Returns:
        Array of the shape that all broadcast to; without x1 and x2 a tuple of index arrays.
    Raises:
        ValueError: x1 without x2, or x2 without x1.

    >>> print(where([True, False], [1, 2], 0))
    [1 0]
    """
    _check_where(x1, x2)
    condition = operand(condition)
    if x1 is None:
        return jnp.where(condition)
    return jnp.where(condition, operand(x1), operand(x2))


@numpy_op(inputs=3)
def select(
    condlist: Sequence[TensorLike], choicelist: Sequence[TensorLike], default: TensorLike = 0
) -> jax.Array:
    """For each position the element of the first choice whose condition holds, else `default`.

    Args:
        condlist: list of boolean arrays.
        choicelist: list of as many arrays.
        default: number or array, where no condition holds.
    Returns:
        Array of the shape that all broadcast to.
    Raises:
        ValueError: an empty list, or something else than a list or tuple.

    >>> conditions = [jnp.array([True, False]), jnp.array([True, True])]
    >>> print(select(conditions, [jnp.array([1, 2]), jnp.array([3, 4])]))
    [1 4]
    """
    for name, value in (("condlist", condlist), ("choicelist", choicelist)):
        if not isinstance(value, (list, tuple)) or not value:
            raise ValueError(f"`{name}` must be a list that is not empty. Received: {name}={value}")
    return jnp.select(
        [tensor(c) for c in condlist], [tensor(c) for c in choicelist], default=operand(default)
    )


@numpy_op(spec=_nonzero_spec)
def nonzero(x: TensorLike) -> tuple[jax.Array, ...]:
    """Where the elements are not 0: a tuple of index arrays, one for each axis. Outside jit only.

    Args:
        x: array.
    Returns:
        Tuple of vectors, int32, as long as there are such elements.

    >>> print(*nonzero([[0, 1], [2, 0]]))
    [0 1] [1 0]
    """
    return jnp.nonzero(tensor(x))


@numpy_op(inputs=2, class_name="IsIn")
def isin(
    x1: TensorLike, x2: TensorLike, assume_unique: bool = False, invert: bool = False
) -> jax.Array:
    """Whether each element of x1 occurs in x2 (`invert`: does not occur).

    Args:
        x1, x2: arrays.
        assume_unique: says that neither array has an element twice; the result is the same.
    Returns:
        Booleans of x1's shape.

    >>> print(isin([1, 2, 3], [3, 1]))
    [ True False  True]
    """
    return jnp.isin(tensor(x1), tensor(x2), assume_unique=assume_unique, invert=invert)


# ---------------------------------------------------------------- by order


@numpy_op(inputs=1)
def sort(x: TensorLike, axis: int | None = -1) -> jax.Array:
    """The elements in rising order along an axis; None: of the flat array.

    Args:
        x: array or nested list of numbers.
        axis: int or None.
    Returns:
        Array of x's shape; for the axis None a vector.

    >>> print(sort([3, 1, 2]))
    [1 2 3]
    """
    return jnp.sort(tensor(x), axis=axis)


@numpy_op(inputs=1)
def argsort(x: TensorLike, axis: int | None = -1) -> jax.Array:
    """The indices that put the elements into rising order along an axis; None: of the flat array.

    Args:
        x, axis: as for `sort`; equal elements keep their order.
    Returns:
        int32 indices, of x's shape; for the axis None a vector.

    >>> print(argsort([3, 1, 2]))
    [1 2 0]
    """
    x = tensor(x)
    return jnp.argsort(x, axis=axis if x.ndim else None)


def _argpartition_spec(x: Operand, kth: int, axis: int = -1) -> KerasTensor:
    """Whether there is such an index is looked at when there are numbers."""
    if not isinstance(kth, (int, np.integer)):
        raise ValueError(f"`kth` must be an integer. Received: kth={kth!r}")
    shape = x.shape
    if axis is None:
        shape = (None if None in shape else math.prod(shape),)
    return KerasTensor(shape, "int32")


@numpy_op(inputs=1, spec=_argpartition_spec)
def argpartition(x: TensorLike, kth: int, axis: int = -1) -> jax.Array:
    """Indices that bring the kth element to its sorted position, smaller ones before it.

    Args:
        x: array or nested list of numbers.
        kth: int, a position along the axis.
        axis: int; None: of the flat array.
    Returns:
        int32 indices, of x's shape; for the axis None a vector.

    >>> print(argpartition([3, 1, 2], 1)[1])
    2
    """
    x = tensor(x)
    if axis is None:
        return jnp.argpartition(jnp.ravel(x), kth)
    return jnp.argpartition(x, kth, axis=axis)


def _searchsorted_spec(
    sorted_sequence: Operand, values: Operand, side: Literal["left", "right"] = "left"
) -> KerasTensor:
    """int64 where the indices may be more than int32 counts, or where their number is unknown."""
    _check_vector(sorted_sequence)
    (length,) = sorted_sequence.shape
    is_short = length is not None and length <= np.iinfo("int32").max
    return KerasTensor(shape_of(values), "int32" if is_short else "int64")


def _check_vector(sorted_sequence: Operand) -> None:
    shape = shape_of(sorted_sequence)
    if len(shape) != 1:
        raise ValueError(
            "`searchsorted` only supports 1-D sorted sequences; use `vectorized_map` for more "
            f"axes. Received: sorted_sequence.shape={shape}"
        )


@numpy_op(inputs=2, class_name="SearchSorted", spec=_searchsorted_spec)
def searchsorted(
    sorted_sequence: TensorLike, values: TensorLike, side: Literal["left", "right"] = "left"
) -> jax.Array:
    """Where values would have to stand in a rising vector.

    Args:
        sorted_sequence: vector of rising numbers.
        values: array.
        side: whether an equal element is before ("right") or after ("left") the index.
    Returns:
        Integers from 0 to the length of the vector, of the shape of `values`.
    Raises:
        ValueError: `sorted_sequence` is no vector.

    >>> print(searchsorted([1, 3, 5], [3, 4]))
    [1 2]
    """
    sorted_sequence = tensor(sorted_sequence)
    _check_vector(sorted_sequence)
    return jnp.searchsorted(sorted_sequence, tensor(values), side=side)


@numpy_op(inputs=2)
def digitize(x: TensorLike, bins: TensorLike) -> jax.Array:
    """For each element the number of the bin it lies in; `bins` are the rising edges.

    Args:
        x: array.
        bins: vector of edges; an element that equals one counts as above it.
    Returns:
        Integers from 0 to the number of edges, of x's shape.

    >>> print(digitize([0.5, 1.5, 9.0], [1.0, 2.0]))
    [0 1 2]
    """
    return jnp.digitize(tensor(x), tensor(bins))


def _unique_spec(
    x: Operand, *, axis: int | None, size: int | None, **config: Any
) -> KerasTensor | tuple[KerasTensor, ...]:
    shape = (size,)
    inverse = x.shape
    if axis is not None:
        shape = list(x.shape)
        shape[axis] = size
        inverse = (x.shape[axis],)
    values = KerasTensor(shape, x.dtype)
    options = {"return_index": (size,), "return_inverse": inverse, "return_counts": (size,)}
    more = [KerasTensor(shape, "int32") for name, shape in options.items() if config[name]]
    if not more:
        return values
    return values, *more


@numpy_op(inputs=1, spec=_unique_spec)
def unique(
    x: TensorLike,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: float | None = None,
) -> jax.Array | tuple[jax.Array, ...]:
    """The different elements of an array, in rising order.

    Args:
        x: array.
        sorted: False asks for no order.
        return_index, return_inverse, return_counts: also give where each first occurs, which one
            each element is, how often each occurs.
        axis: compare slices along this axis; None: single elements.
        size: length of the result, filled up with `fill_value` (None: the first of the elements);
            needed under jit.
    Returns:
        Vector of elements, or array of slices; with one of the options a tuple that it begins.

    >>> print(unique([3, 1, 3]))
    [1 3]
    """
    return jnp.unique(
        tensor(x),
        return_index=return_index,
        return_inverse=return_inverse,
        return_counts=return_counts,
        axis=axis,
        equal_nan=False,
        size=size,
        sorted=sorted,
        fill_value=fill_value,
    )


# ---------------------------------------------------------------- functions of elements


@public(*both_names("vectorize"))
def vectorize(
    pyfunc: Function, *, excluded: Collection[int | str] | None = None, signature: str | None = None
) -> Function:
    """A function of single elements (or of the core axes in `signature`) made one of whole arrays.

    Args:
        pyfunc: function of single elements.
        excluded: numbers or names of arguments that are passed as they are.
        signature: such as "(n),(n)->()".
    Returns:
        A function of arrays that broadcast.
    Raises:
        ValueError: `pyfunc` is no function.

    >>> print(vectorize(lambda a, b: a + b)(jnp.arange(2), jnp.arange(2)))
    [0 2]
    """
    if not callable(pyfunc):
        raise ValueError(explain("ops.vectorize", "a function as `pyfunc`", repr(pyfunc)))
    return jnp.vectorize(pyfunc, excluded=excluded or set(), signature=signature)
