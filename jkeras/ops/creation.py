"""New arrays: constants, ranges, identity matrices, and diagonals and triangles of others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from jkeras.core.graph.inference import infer
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.names.registry import Thing, public
from jkeras.ops.declaring import numpy_op
from jkeras.ops.promotion import (
    both_names,
    describe,
    is_integer,
    operand,
    optional_dtype,
    result_type,
    shape_of,
    tensor,
)
from jkeras.core.weights.types import DType, Function, Operand, Shape, TensorLike


def _maker(function: Thing) -> Thing:
    """An op without tensor arguments: it has public names but never becomes a node."""
    return public(*both_names(function.__name__))(function)


# ---------------------------------------------------------------- constants


_OF_SHAPE = """

Args:
    shape: int, or tuple of ints.
    dtype: of the elements; floatx by default.
Returns:
    Array of this shape."""
_OF_OTHER = """

Args:
    x: array or nested list of numbers.
    dtype: of the elements; x's own by default.
Returns:
    Array of x's shape."""


def _constant(
    name: str, compute: Function, doc: str, shown: str
) -> Callable[[Shape, DType | None], jax.Array]:
    def function(shape: Shape, dtype: DType | None = None) -> jax.Array:
        return compute(shape, dtype=standardize_dtype(dtype))

    doc = f"{doc}; of the default float type unless `dtype` says other.{_OF_SHAPE}"
    return _maker(describe(function, name, __name__, doc, "(2,)", shown))


def _like(name: str, compute: Function, doc: str, shown: str) -> Function:
    def function(x: TensorLike, dtype: DType | None = None) -> jax.Array:
        return compute(tensor(x), dtype=optional_dtype(dtype))

    doc = f"An array of {doc} with the shape of x, and its dtype unless `dtype` says other."
    doc += _OF_OTHER
    return numpy_op(inputs=1)(describe(function, name, __name__, doc, "[7, 8]", shown))


zeros = _constant("zeros", jnp.zeros, "An array of zeros", "[0. 0.]")
ones = _constant("ones", jnp.ones, "An array of ones", "[1. 1.]")
empty = _constant("empty", jnp.empty, "An array to be filled (JAX fills it with zeros)", "[0. 0.]")
zeros_like = _like("zeros_like", jnp.zeros_like, "zeros", "[0 0]")
ones_like = _like("ones_like", jnp.ones_like, "ones", "[1 1]")
empty_like = _like("empty_like", jnp.empty_like, "zeros, to be filled,", "[0 0]")


@numpy_op(inputs=1, class_name="Full", public_names=False)
def _full(fill_value: TensorLike, shape: Shape, dtype: DType | None = None) -> jax.Array:
    return jnp.full(shape, operand(fill_value), dtype=standardize_dtype(dtype))


@_maker
def full(shape: Shape, fill_value: TensorLike, dtype: DType | None = None) -> jax.Array:
    """An array of one value; of the default float type unless `dtype` says other.

    Args:
        shape: int, or tuple of ints.
        fill_value: number, or an array that broadcasts to the shape.
        dtype: of the elements; floatx by default.
    Returns:
        Array of this shape.

    >>> print(full((2,), 7))
    [7. 7.]
    """
    return _full(fill_value, shape, dtype)


def _full_like_spec(x: Operand, fill_value: Operand, dtype: DType | None = None) -> KerasTensor:
    return KerasTensor(x.shape, standardize_dtype(dtype or x.dtype))


@numpy_op(inputs=2, spec=_full_like_spec)
def full_like(x: TensorLike, fill_value: TensorLike, dtype: DType | None = None) -> jax.Array:
    """An array of one value with the shape of x, and its dtype unless `dtype` says other.

    Args:
        x: array or nested list of numbers.
        fill_value: number, or an array that broadcasts to x's shape.
        dtype: of the elements; x's own by default.
    Returns:
        Array of x's shape.

    >>> print(full_like([1, 2], 7))
    [7 7]
    """
    return jnp.full_like(tensor(x), operand(fill_value), dtype=optional_dtype(dtype))


@numpy_op(inputs=1)
def array(x: TensorLike, dtype: DType | None = None) -> jax.Array:
    """A new array of the elements of x.

    Args:
        x: array or nested list of numbers.
        dtype: of the elements; x's own by default.
    Returns:
        Array of x's shape.

    >>> print(array([1, 2], "float32"))
    [1. 2.]
    """
    return jnp.array(x, dtype=optional_dtype(dtype))


@_maker
def eye(N: int, M: int | None = None, k: int = 0, dtype: DType | None = None) -> jax.Array:
    """N rows and M columns (default N) of zeros, with ones on the k-th diagonal.

    Args:
        N, M: numbers of rows and columns.
        k: which diagonal: 0 is the main one, 1 the next above it, -1 the next below.
        dtype: floatx by default.
    Returns:
        Array (N, M).
    Raises:
        TypeError: N or M is a float.

    >>> print(eye(2, k=1))
    [[0. 1.]
     [0. 0.]]
    """
    for name, value in (("N", N), ("M", M)):
        if isinstance(value, float) or _is_array_of_floats(value):
            raise TypeError(f"`{name}` must be an integer. Received: {name}={value}")
    return jnp.eye(N, M=M, k=k, dtype=standardize_dtype(dtype))


def _is_array_of_floats(value: TensorLike | None) -> bool:
    return hasattr(value, "dtype") and not is_integer(value.dtype)


@_maker
def identity(n: int, dtype: DType | None = None) -> jax.Array:
    """The n by n identity matrix.

    Args:
        n: number of rows and of columns.
        dtype: floatx by default.
    Returns:
        Array (n, n).

    >>> print(identity(2))
    [[1. 0.]
     [0. 1.]]
    """
    return jnp.identity(n, dtype=standardize_dtype(dtype))


@_maker
def tri(N: int, M: int | None = None, k: int = 0, dtype: DType | None = None) -> jax.Array:
    """N rows and M columns (default N) with ones on and below the k-th diagonal.

    Args:
        N, M, k, dtype: as for `eye`.
    Returns:
        Array (N, M).

    >>> print(tri(2))
    [[1. 0.]
     [1. 1.]]
    """
    return jnp.tri(N, M=M, k=k, dtype=standardize_dtype(dtype))


# ---------------------------------------------------------------- ranges


@numpy_op(inputs=3)
def arange(
    start: TensorLike,
    stop: TensorLike | None = None,
    step: TensorLike | None = None,
    dtype: DType | None = None,
) -> jax.Array:
    """start, start + step, … up to but without stop; with one argument: 0, 1, … below it.

    Args:
        start: the first number; alone, the end.
        stop: the end, which is left out.
        step: 1 by default; may be negative.
        dtype: by default that of the arguments: int32 for Python integers, the default float type
            for floats.
    Returns:
        Vector.

    >>> print(arange(3), arange(1, 2, 0.5))
    [0 1 2] [1.  1.5]
    """
    if dtype is None:
        numbers = [v for v in (start, stop, step) if v is not None]
        dtype = result_type(*(getattr(v, "dtype", type(v)) for v in numbers))
    return jnp.arange(start, stop, step=step, dtype=standardize_dtype(dtype))


@numpy_op(inputs=2)
def linspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DType | None = None,
    axis: int = 0,
) -> jax.Array | tuple[jax.Array, jax.Array]:
    """`num` numbers at equal distances.

    Args:
        start, stop: numbers, or arrays that broadcast.
        num: how many numbers.
        endpoint: whether `stop` is the last one.
        retstep: also return the distance.
        dtype: a float type by default.
        axis: the new axis, where start and stop are arrays.
    Returns:
        Array (num, ...), the new axis at `axis`; with `retstep` a pair (array, distance).

    >>> print(linspace(0, 1, 3))
    [0.  0.5 1. ]
    """
    return jnp.linspace(
        operand(start),
        operand(stop),
        num=num,
        endpoint=endpoint,
        retstep=retstep,
        dtype=optional_dtype(dtype),
        axis=axis,
    )


@numpy_op(inputs=2)
def logspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: DType | None = None,
    axis: int = 0,
) -> jax.Array:
    """`num` numbers from base^start to base^stop, each the same factor larger.

    Args:
        start, stop: exponents, numbers or arrays that broadcast.
        num, endpoint, dtype, axis: as for `linspace`.
        base: what is raised to the exponents.
    Returns:
        Array (num, ...), the new axis at `axis`.

    >>> print(logspace(0, 2, 3))
    [  1.  10. 100.]
    """
    return jnp.logspace(
        operand(start),
        operand(stop),
        num=num,
        endpoint=endpoint,
        base=base,
        dtype=optional_dtype(dtype),
        axis=axis,
    )


@numpy_op(inputs=2)
def geomspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    dtype: DType | None = None,
    axis: int = 0,
) -> jax.Array:
    """`num` numbers from start to stop, each the same factor larger.

    Args:
        start, stop: numbers or arrays that broadcast, none of them 0.
        num, endpoint, dtype, axis: as for `linspace`.
    Returns:
        Array (num, ...), the new axis at `axis`.

    >>> print(geomspace(1, 4, 3).round(4))
    [1. 2. 4.]
    """
    return jnp.geomspace(
        operand(start),
        operand(stop),
        num=num,
        endpoint=endpoint,
        dtype=optional_dtype(dtype),
        axis=axis,
    )


def _meshgrid_spec(*x: Operand, indexing: Literal["xy", "ij"] = "xy") -> list[KerasTensor]:
    """Arrays of several axes count as flat, which is looked at when there are some."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"`indexing` must be 'xy' or 'ij'. Received: indexing={indexing!r}")
    shapes = [shape_of(each) for each in x]
    sizes = [None if None in shape else math.prod(shape) for shape in shapes]
    if indexing == "xy":
        sizes[:2] = sizes[:2][::-1]
    dtypes = [each.dtype if isinstance(each, KerasTensor) else tensor(each).dtype for each in x]
    return [KerasTensor(tuple(sizes), dtype) for dtype in dtypes]


@numpy_op(spec=_meshgrid_spec)
def meshgrid(*x: TensorLike, indexing: Literal["xy", "ij"] = "xy") -> list[jax.Array]:
    """Coordinate arrays of a grid from coordinate vectors, as a list.

    Args:
        x: vectors.
        indexing: "ij": the i-th vector runs along axis i; "xy": the first two axes are exchanged.
    Returns:
        List of as many arrays, all of one shape: for "ij" the lengths of the vectors in their
        order.
    Raises:
        ValueError: another `indexing`.

    >>> [grid.tolist() for grid in meshgrid([1, 2], [3])]
    [[[1, 2]], [[3, 3]]]
    """
    return jnp.meshgrid(*map(tensor, x), indexing=indexing)


@numpy_op(inputs=1)
def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> jax.Array:
    """Vandermonde matrix: the powers of a vector's elements as rows.

    Args:
        x: vector of n numbers.
        N: the number of columns, by default as many as rows.
        increasing: whether powers grow from left to right.
    Returns:
        Array (n, N).
    Raises:
        ValueError: x is no vector, or N is negative.
        TypeError: N is no int, or `increasing` no bool.

    >>> print(vander([2, 3], N=3))
    [[4 2 1]
     [9 3 1]]
    """
    x = tensor(x)
    if x.ndim != 1:
        raise ValueError(f"vander takes a vector. Received: x.shape={x.shape}")
    if N is not None and not isinstance(N, int):
        raise TypeError(f"`N` must be an integer. Received: N={N} (of type {type(N)})")
    if N is not None and N < 0:
        raise ValueError(f"`N` must not be negative. Received: N={N}")
    if not isinstance(increasing, bool):
        raise TypeError(
            f"`increasing` must be a bool. Received: increasing={increasing} (of type "
            f"{type(increasing)})"
        )
    return jnp.vander(x, N=N, increasing=increasing)


# ---------------------------------------------------------------- diagonals and triangles


def _diag_spec(x: Operand, k: int = 0) -> KerasTensor:
    if x.ndim == 2 and None in x.shape:
        return KerasTensor((None,), x.dtype)
    return infer(lambda x: jnp.diag(x, k), x)


def _diagflat_spec(x: Operand, k: int = 0) -> KerasTensor:
    size = None if None in x.shape else math.prod(x.shape) + abs(k)
    return KerasTensor((size, size), x.dtype)


_OF_DIAGONAL = """

Args:
    x: {0}.
    k: the diagonal: 0 is the main one, 1 the next above it, -1 the next below.
Returns:
    {1}."""


def _diagonal_op(
    name: str, compute: Function, doc: str, example: str, shown: str, spec: Function | None = None
) -> Function:
    def function(x: TensorLike, k: int = 0) -> jax.Array:
        return compute(tensor(x), k=k)

    return numpy_op(inputs=1, spec=spec)(describe(function, name, __name__, doc, example, shown))


diag = _diagonal_op(
    "diag",
    jnp.diag,
    "A matrix with a vector on its k-th diagonal, or the k-th diagonal of a matrix."
    + _OF_DIAGONAL.format(
        "vector or matrix", "A square matrix for a vector, a vector for a matrix"
    ),
    "[1, 2]",
    "[[1 0]\n [0 2]]",
    _diag_spec,
)
diagflat = _diagonal_op(
    "diagflat",
    jnp.diagflat,
    "A matrix with all elements of x on its k-th diagonal."
    + _OF_DIAGONAL.format("array of n elements", "Array (n + |k|, n + |k|)"),
    "[[1], [2]]",
    "[[1 0]\n [0 2]]",
    _diagflat_spec,
)
tril = _diagonal_op(
    "tril",
    jnp.tril,
    "Matrices with zeros above the k-th diagonal."
    + _OF_DIAGONAL.format("(..., n, m)", "Array of x's shape"),
    "[[1, 2], [3, 4]]",
    "[[1 0]\n [3 4]]",
)
triu = _diagonal_op(
    "triu",
    jnp.triu,
    "Matrices with zeros below the k-th diagonal."
    + _OF_DIAGONAL.format("(..., n, m)", "Array of x's shape"),
    "[[1, 2], [3, 4]]",
    "[[1 2]\n [0 4]]",
)
