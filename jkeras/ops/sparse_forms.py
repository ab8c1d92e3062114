"""The ops' forms for sparse arrays of JAX (`BCOO`), by the ops' names.

A result is sparse where zeros stay zeros; where they do not, as for `exp`, it is dense. `indices`
of a BCOO may be sorted, and may name an index more than once: their values are then added.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import sparse as jax_sparse
from jax.experimental.sparse import BCOO

from jkeras.core.graph.sparse import SparseForm, dense, is_sparse
from jkeras.ops.promotion import is_integer, result_type, tensor
from jkeras.ops.sparse_values import (
    one_hot,
    share_indices,
    side_by_side,
    with_values,
    with_whole_batch,
    without_batch,
    without_duplicates,
)
from jkeras.core.weights.types import Axis, Config, Function, Shape, Structure

# ---------------------------------------------------------------- one array


def on_values(function: Function, adds_up: bool = False) -> SparseForm:
    """The form of an elementwise function that is 0 at 0.

    Args:
        adds_up: whether f(a + b) is f(a) + f(b), so that an index may be named more than once.
    """

    def compute(x: BCOO, *args: Any, **kwargs: Any) -> BCOO:
        if not adds_up:
            x = without_duplicates(x)
        return with_values(x, function(x.data, *args, **kwargs))

    return SparseForm(compute, is_first_sparse)


def on_dense(function: Function) -> SparseForm:
    """The form of a function that is not 0 at 0, or that JAX has for dense arrays only."""

    def compute(*args: Any, **kwargs: Any) -> Structure:
        return function(*map(dense, args), **{k: dense(v) for k, v in kwargs.items()})

    return SparseForm(compute, is_never_sparse)


def is_first_sparse(flags: Sequence[bool], config: Config) -> bool:
    """The result is as the first tensor is."""
    return flags[0]


def is_never_sparse(flags: Sequence[bool], config: Config) -> bool:
    """The result is dense."""
    return False


def are_all_sparse(flags: Sequence[bool], config: Config) -> bool:
    """The result is sparse where all tensors are; numbers have no flag."""
    return all(flags)


def is_any_sparse(flags: Sequence[bool], config: Config) -> bool:
    """The result is sparse where one tensor is."""
    return any(flags)


def _axes(axis: Axis | None, ndim: int) -> list[int]:
    """An `axis` argument as a sorted list of numbers from 0."""
    if axis is None:
        return list(range(ndim))
    if isinstance(axis, int):
        axis = (axis,)
    return sorted(normalized(a, ndim) for a in axis)


def normalized(axis: int, ndim: int) -> int:
    """An axis counted from the front.

    Raises:
        ValueError: there is no such axis.
    """
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of bounds for an array of {ndim} axes")
    return axis % ndim


def _sum(x: BCOO, axis: Axis | None = None, keepdims: bool = False) -> BCOO | jax.Array:
    axes = _axes(axis, len(x.shape))
    total = jax_sparse.bcoo_reduce_sum(x, axes=axes)
    if not keepdims:
        return total
    shape = [1 if i in axes else d for i, d in enumerate(x.shape)]
    return _with_axes(total, shape, axes)


def _with_axes(x: BCOO, shape: Shape, axes: Sequence[int]) -> BCOO:
    """x with further axes of length 1, which gives it the shape."""
    others = [i for i in range(len(shape)) if i not in axes]
    return jax_sparse.bcoo_broadcast_in_dim(x, shape=tuple(shape), broadcast_dimensions=others)


def _mean(x: BCOO, axis: Axis | None = None, keepdims: bool = False) -> BCOO | jax.Array:
    if is_integer(x.dtype):
        x = x.astype(result_type(x.dtype, "float32"))
    count = math.prod(x.shape[i] for i in _axes(axis, len(x.shape)))
    total = _sum(x, axis, keepdims)
    return with_values(total, total.data / count)


def _expand_dims(x: BCOO, axis: Axis) -> BCOO:
    if isinstance(axis, int):
        axis = (axis,)
    axes = _axes(axis, len(x.shape) + len(axis))
    sizes = iter(x.shape)
    shape = [1 if i in axes else next(sizes) for i in range(len(x.shape) + len(axes))]
    return _with_axes(x, shape, axes)


def _squeeze(x: BCOO, axis: Axis | None = None) -> BCOO:
    axes = [i for i, d in enumerate(x.shape) if d == 1]
    if axis is not None:
        axes = _axes(axis, len(x.shape))
    return jax_sparse.bcoo_squeeze(x, dimensions=axes)


def _reshape(x: BCOO, newshape: Shape) -> BCOO:
    static = math.prod(d for d in newshape if d != -1)
    sizes = [math.prod(x.shape) // static if d == -1 else d for d in newshape]
    return jax_sparse.bcoo_reshape(with_whole_batch(x), new_sizes=tuple(sizes))


def _transpose(x: BCOO, axes: Sequence[int] | None = None) -> BCOO:
    if axes is None:
        axes = range(len(x.shape))[::-1]
    return jax_sparse.bcoo_transpose(x, permutation=tuple(axes))


def _bincount(
    x: BCOO, weights: jax.Array | BCOO | None = None, minlength: int = 0, sparse: bool = False
) -> BCOO:
    if is_sparse(weights) and not bool(jnp.all(x.indices == weights.indices)):
        raise ValueError("`x` and `weights` must name the same places: their indices differ.")
    if weights is not None and not is_sparse(weights):
        raise ValueError("`x` and `weights` must both be sparse, or neither of them.")
    if weights is not None:
        weights = weights.data
    return sparse_counts(x.data, weights, minlength)


def sparse_counts(x: jax.Array, weights: jax.Array | None = None, minlength: int = 0) -> BCOO:
    """How often each number occurs in a vector or in each row of a matrix, as a sparse array."""
    length = max(int(jnp.max(x)) + 1, minlength)
    ones = one_hot(jnp.asarray(x, "int32"), length, x.ndim, "int32")
    if weights is not None:
        ones = with_values(ones, jnp.ravel(tensor(weights)))
    return jax_sparse.bcoo_reduce_sum(ones, axes=(x.ndim - 1,))


# ---------------------------------------------------------------- two arrays


def _union(function: Function) -> SparseForm:
    """The form of f with f(0, 0) = 0: sparse only where both arrays are."""

    def compute(x1: Any, x2: Any) -> BCOO | jax.Array:
        if not is_sparse(x1) or not is_sparse(x2):
            return function(dense(x1), dense(x2))
        if share_indices(x1, x2) and x1.unique_indices and x2.unique_indices:
            return with_values(x1, function(x1.data, x2.data))
        union, first, second = side_by_side(x1, x2)
        return with_values(union, function(first, second))

    return SparseForm(compute, _is_union_sparse)


def _is_union_sparse(flags: Sequence[bool], config: Config) -> bool:
    return len(flags) == 2 and all(flags)


def _multiply(x1: Any, x2: Any) -> BCOO:
    if is_sparse(x1) and is_sparse(x2):
        if share_indices(x1, x2) and x1.unique_indices:
            return with_values(x1, jnp.multiply(x1.data, x2.data))
        return jax_sparse.bcoo_multiply_sparse(x1, x2)
    if is_sparse(x1):
        return with_values(x1, jax_sparse.bcoo_multiply_dense(x1, tensor(x2)))
    return with_values(x2, jax_sparse.bcoo_multiply_dense(x2, tensor(x1)))


def _divide(x1: Any, x2: Any) -> BCOO | jax.Array:
    if is_sparse(x2):
        return jnp.divide(dense(x1), dense(x2))
    if not jnp.shape(x2):
        return with_values(x1, jnp.divide(x1.data, x2))
    divisor = jnp.broadcast_to(tensor(x2), x1.shape)
    x1 = without_duplicates(without_batch(x1))
    if not isinstance(divisor, jax.core.Tracer):
        x1 = _with_undefined(x1, divisor)
    there = jax_sparse.bcoo_extract(x1, divisor)
    return with_values(x1, jnp.divide(x1.data, there.data))


def _with_undefined(x: BCOO, divisor: jax.Array) -> BCOO:
    """x with zeros of its own where 0 / divisor is no 0."""
    undefined = (divisor == 0) | jnp.isnan(divisor)
    zeros = BCOO.fromdense(undefined, n_dense=x.n_dense, index_dtype=x.indices.dtype)
    zeros = with_values(zeros, jnp.zeros_like(zeros.data, x.dtype))
    union, values, _ = side_by_side(x, zeros)
    return with_values(union, values)


def _is_dividend_sparse(flags: Sequence[bool], config: Config) -> bool:
    return flags[0] and not any(flags[1:])


def _matmul(x1: Any, x2: Any) -> BCOO | jax.Array:
    x1, x2 = (_in_matrices(x) if is_sparse(x) else tensor(x) for x in (x1, x2))
    return jax_sparse.sparsify(jnp.matmul)(x1, x2)


def _in_matrices(x: BCOO) -> BCOO:
    """x with the axes of its batch as BCOO's batch axes, of which matrices are multiplied."""
    return jax_sparse.bcoo_update_layout(x, n_batch=len(x.shape) - 2, on_inefficient=None)


def _concatenating(function: Function) -> SparseForm:
    """The form of concatenating: of sparse arrays alone, else `function` of dense ones."""

    def compute(xs: Sequence[BCOO], axis: int = 0) -> BCOO | jax.Array:
        if all(map(is_sparse, xs)):
            return jax_sparse.bcoo_concatenate(xs, dimension=normalized(axis, len(xs[0].shape)))
        return function(list(map(dense, xs)), axis=axis)

    return SparseForm(compute, are_all_sparse)


# ---------------------------------------------------------------- by name

_OF_VALUES = (
    "absolute arcsin arcsinh arctan arctanh ceil expm1 floor isinf isnan log1p sign signbit sin "
    "sinh sqrt square tan tanh round"
)
_OF_SUMMANDS = "conjugate copy imag negative real"
_OF_ZEROS = "arccos arccosh cos cosh exp exp2 isfinite log log10 log2 reciprocal"

# what makes the form of an op's function, by its name
BY_FUNCTION = {
    **dict.fromkeys(_OF_VALUES.split(), on_values),
    **dict.fromkeys(_OF_SUMMANDS.split(), functools.partial(on_values, adds_up=True)),
    **dict.fromkeys(_OF_ZEROS.split(), on_dense),
    "digitize": on_values,
    "take": on_dense,
    "take_along_axis": on_dense,
    "concatenate": _concatenating,
}
FORMS = {
    "sum": SparseForm(_sum, is_first_sparse),
    "mean": SparseForm(_mean, is_first_sparse),
    "expand_dims": SparseForm(_expand_dims, is_first_sparse),
    "squeeze": SparseForm(_squeeze, is_first_sparse),
    "reshape": SparseForm(_reshape, is_first_sparse),
    "transpose": SparseForm(_transpose, is_first_sparse),
    "bincount": SparseForm(_bincount, is_first_sparse),
    "add": _union(jnp.add),
    "subtract": _union(jnp.subtract),
    "maximum": _union(jnp.maximum),
    "minimum": _union(jnp.minimum),
    "multiply": SparseForm(_multiply, is_any_sparse),
    "divide": SparseForm(_divide, _is_dividend_sparse),
    "true_divide": SparseForm(_divide, _is_dividend_sparse),
    "matmul": SparseForm(_matmul, are_all_sparse),
}


def form_of(function: Function) -> SparseForm | None:
    """The form of an op's function; None: it is not defined for sparse arrays."""
    name = function.__name__.removeprefix("_")
    if name in BY_FUNCTION:
        return BY_FUNCTION[name](function)
    return FORMS.get(name)
