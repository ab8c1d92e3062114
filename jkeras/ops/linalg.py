"""`keras.ops.linalg`: decompositions, solvers and norms of matrices in the last two axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import jax.scipy as jsp

from jkeras.core.graph.op import knows_last
from jkeras.core.errors import ArgumentError, check_choice
from jkeras.core.names.dtypes import is_float
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.session.settings import settings
from jkeras.ops.naming import linalg_op
from jkeras.ops.promotion import as_axes, shape_of
from jkeras.core.weights.types import (
    Axis,
    Operand,
    PartialShape,
    Sizes,
    Structure,
    TensorLike,
)


def matrix(x: TensorLike, square: bool = False) -> jax.Array:
    """x as an array, checked to be a matrix or a stack of them.

    Raises:
        ValueError: fewer than two axes, or not square where it has to be.
    """
    x = jnp.asarray(x)
    _check_matrix(x.shape, square)
    return x


def _check_matrix(shape: PartialShape, square: bool) -> None:
    if len(shape) < 2:
        raise ValueError(
            f"Expected an input with at least two axes. Received an input of shape {shape}"
        )
    if square and shape[-1] != shape[-2]:
        raise ValueError(f"Expected a square matrix. Received an input of shape {shape}")


def equations(a: TensorLike, b: TensorLike) -> tuple[jax.Array, jax.Array]:
    """Both sides of a x = b as arrays, checked; b is a vector or a matrix."""
    a = matrix(a, square=True)
    b = jnp.asarray(b)
    _check_fit(a.shape, b.shape)
    return a, b


def _check_fit(a: Sizes, b: Sizes) -> None:
    """Raises where shape b has not as many equations as a, as far as their numbers of axes tell
    where they are.
    """
    if len(b) in (len(a), len(a) + 1):
        equations = b[-2] if len(a) == len(b) else b[-1]
        fit = equations == a[-1]
    else:
        fit = len(b) > 0
    if not fit:
        raise ValueError(
            f"The shapes of `a` and `b` do not fit. Received: a.shape={a}, b.shape={b}"
        )


def _solution_spec(a: Operand, b: Operand, lower: bool = False) -> KerasTensor:
    """The solution is as the right-hand side; a size that is unknown meets none that is known."""
    _check_matrix(shape_of(a), square=True)
    _check_fit(shape_of(a), shape_of(b))
    return KerasTensor(shape_of(b), b.dtype)


@linalg_op()
def cholesky(x: TensorLike, upper: bool = False) -> jax.Array:
    """The triangular factor L with L L^T = x (or U with U^T U = x) of a positive definite matrix.

    Args:
        x: (..., n, n).
        upper: whether to give U instead of L.
    Returns:
        Array (..., n, n).
    Raises:
        ValueError: not square, or, outside jit, not positive definite.

    >>> cholesky(jnp.array([[4.0, 2.0], [2.0, 5.0]]))
    Array([[2., 0.],
           [1., 2.]], dtype=float32)
    """
    factor = jnp.linalg.cholesky(matrix(x, square=True), upper=upper)
    if not isinstance(factor, jax.core.Tracer) and bool(jnp.any(jnp.isnan(factor))):
        raise ValueError(
            "Cholesky decomposition failed: the input is not a positive definite matrix."
        )
    return factor


@linalg_op()
def cholesky_inverse(x: TensorLike, upper: bool = False) -> jax.Array:
    """The inverse of the matrix whose Cholesky factor is x.

    Args:
        x: (..., n, n), a factor as `cholesky` gives it.
        upper: whether it is the upper one.
    Returns:
        Array (..., n, n).
    Raises:
        ValueError: not square.

    >>> cholesky_inverse(2.0 * jnp.eye(2))
    Array([[0.25, 0.  ],
           [0.  , 0.25]], dtype=float32)
    """
    x = matrix(x, square=True)
    identity = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    inverse = jsp.linalg.solve_triangular(x, identity, lower=not upper)
    if upper:
        return inverse @ inverse.mT
    return inverse.mT @ inverse


@linalg_op()
def det(x: TensorLike) -> jax.Array:
    """The determinant.

    Args:
        x: (..., n, n).
    Returns:
        Array (...).
    Raises:
        ValueError: not square.

    >>> float(det(2.0 * jnp.eye(2)))
    4.0
    """
    return jnp.linalg.det(matrix(x, square=True))


@linalg_op()
def matrix_power(x: TensorLike, n: int) -> jax.Array:
    """A square matrix multiplied n times with itself; its inverse for a negative n.

    Args:
        x: (..., n, n).
        n: an int; 0 gives the identity matrix.
    Returns:
        Array of x's shape.
    Raises:
        TypeError: n is no int.
        ValueError: x is no square matrix.

    >>> matrix_power(2.0 * jnp.eye(1), 3)
    Array([[8.]], dtype=float32)
    """
    if not isinstance(n, int):
        raise TypeError(f"n must be an integer. Received: n={n} of type {type(n)}")
    return jnp.linalg.matrix_power(matrix(x, square=True), n)


@linalg_op()
def eig(x: TensorLike) -> tuple[jax.Array, jax.Array]:
    """(eigenvalues, eigenvectors in columns) of a square matrix, complex; only on the CPU.

    Args:
        x: (..., n, n).
    Returns:
        Complex arrays (..., n) and (..., n, n).
    Raises:
        ValueError: not square.

    >>> eig(2.0 * jnp.eye(1))[0]
    Array([2.+0.j], dtype=complex64)
    """
    return tuple(jnp.linalg.eig(matrix(x, square=True)))


@linalg_op()
def eigh(x: TensorLike) -> tuple[jax.Array, jax.Array]:
    """(eigenvalues in rising order, eigenvectors in columns) of a symmetric or Hermitian matrix.

    Args:
        x: (..., n, n).
    Returns:
        Arrays (..., n) and (..., n, n).
    Raises:
        ValueError: not square.

    >>> eigh(jnp.diag(jnp.array([3.0, 1.0])))[0]
    Array([1., 3.], dtype=float32)
    """
    return tuple(jnp.linalg.eigh(matrix(x, square=True)))


@linalg_op()
def inv(x: TensorLike) -> jax.Array:
    """The inverse.

    Args:
        x: (..., n, n).
    Returns:
        Array (..., n, n).
    Raises:
        ValueError: not square.

    >>> inv(2.0 * jnp.eye(1))
    Array([[0.5]], dtype=float32)
    """
    return jnp.linalg.inv(matrix(x, square=True))


@linalg_op()
def lu_factor(x: TensorLike) -> tuple[jax.Array, jax.Array]:
    """(both triangular factors in one matrix, row exchanges) of the LU decomposition with pivoting.

    Args:
        x: (..., m, n).
    Returns:
        Array (..., m, n), with the upper factor on and above the diagonal and the lower one, whose
        diagonal is 1, below it; and int32 (..., min(m, n)): row i was exchanged with that row.
    Raises:
        ValueError: fewer than two axes.

    >>> lu_factor(2.0 * jnp.eye(2))[1]
    Array([0, 1], dtype=int32)
    """
    return tuple(jsp.linalg.lu_factor(matrix(x)))


@linalg_op(inputs=1)
def norm(
    x: TensorLike,
    ord: int | float | Literal["fro", "nuc"] | None = None,
    axis: Axis | None = None,
    keepdims: bool = False,
) -> jax.Array:
    """The norm of a vector (one axis) or matrix (two axes); of all elements for None.

    Args:
        x: array; integers become floats.
        ord: as in `numpy.linalg.norm`: a number, "fro" or "nuc".
        axis: int, pair of ints, or None: the vectors or matrices that have a norm. With `ord`, None
            stands for all axes of x, one or two.
        keepdims: whether these axes stay, with size 1.
    Returns:
        Array of x's shape without these axes.
    Raises:
        ValueError: an `ord` that the number of axes does not have.

    >>> float(norm([3.0, 4.0]))
    5.0
    """
    x = jnp.asarray(x)
    if not is_float(x.dtype) and not jnp.iscomplexobj(x):
        x = x.astype(settings.floatx)
    return jnp.linalg.norm(x, ord=ord, axis=as_axes(axis), keepdims=keepdims)


@knows_last(2)
@linalg_op()
def qr(
    x: TensorLike, mode: Literal["reduced", "complete"] = "reduced"
) -> tuple[jax.Array, jax.Array]:
    """(Q, R) with orthonormal columns in Q and R upper triangular.

    Args:
        x: (..., m, n).
        mode: "reduced" (Q as wide as the smaller side) or "complete" (Q square).
    Returns:
        (Q, R): for "reduced" (..., m, k) and (..., k, n) with k = min(m, n), else k = m.
    Raises:
        ValueError: fewer than two axes, or another mode.

    >>> [v.shape for v in qr(jnp.ones((3, 2)))]
    [(3, 2), (2, 2)]
    """
    check_choice("mode", mode, ("reduced", "complete"))
    x = jnp.asarray(x)
    if x.ndim < 2:
        raise ArgumentError(f"`qr`: Input should have rank >= 2. Received: input.shape={x.shape}")
    return tuple(jnp.linalg.qr(x, mode=mode))


@linalg_op(spec=_solution_spec)
def solve(a: TensorLike, b: TensorLike) -> jax.Array:
    """x with a x = b.

    Args:
        a: (..., n, n).
        b: (..., n) or (..., n, m).
    Returns:
        Array of b's shape.
    Raises:
        ValueError: a is not square, or b does not fit.

    >>> solve(2.0 * jnp.eye(2), jnp.array([2.0, 4.0]))
    Array([1., 2.], dtype=float32)
    """
    return jnp.linalg.solve(*equations(a, b))


@linalg_op(spec=_solution_spec)
def solve_triangular(a: TensorLike, b: TensorLike, lower: bool = False) -> jax.Array:
    """x with a x = b, where only the upper (or lower) triangle of a counts.

    Args:
        a: (..., n, n).
        b: (..., n) or (..., n, m).
        lower: whether the lower triangle counts.
    Returns:
        Array of b's shape.
    Raises:
        ValueError: a is not square, or b does not fit.

    >>> solve_triangular(jnp.array([[2.0, 0.0], [9.0, 2.0]]), jnp.array([2.0, 4.0]))
    Array([1., 2.], dtype=float32)
    """
    return jsp.linalg.solve_triangular(*equations(a, b), lower=lower)


@linalg_op(class_name="SVD")
def svd(
    x: TensorLike, full_matrices: bool = True, compute_uv: bool = True
) -> jax.Array | tuple[jax.Array, jax.Array, jax.Array]:
    """(U, singular values, V^T) with x = U diag(s) V^T; only the singular values without
    `compute_uv`.

    Args:
        x: (..., m, n).
        full_matrices: U is (..., m, m) and V^T (..., n, n); else both have min(m, n) vectors only.
        compute_uv: whether to give U and V^T.
    Returns:
        (U, s, V^T), the singular values (..., min(m, n)) in falling order; without `compute_uv` s
        alone.
    Raises:
        ValueError: fewer than two axes.

    >>> svd(jnp.diag(jnp.array([1.0, 2.0])), compute_uv=False)
    Array([2., 1.], dtype=float32)
    """
    result = jnp.linalg.svd(matrix(x), full_matrices=full_matrices, compute_uv=compute_uv)
    if not compute_uv:
        return result
    return tuple(result)


@linalg_op()
def lstsq(a: TensorLike, b: TensorLike, rcond: float | None = None) -> jax.Array:
    """x that minimizes the norm of a x - b.

    Args:
        a: (m, n); b: (m,) or (m, k).
        rcond: singular values below rcond times the largest count as 0.
    Returns:
        Array (n,) or (n, k).

    >>> [round(float(v), 3) for v in lstsq(jnp.array([[2.0], [2.0]]), jnp.array([2.0, 4.0]))]
    [1.5]
    """
    return jnp.linalg.lstsq(jnp.asarray(a), jnp.asarray(b), rcond=rcond)[0]


@linalg_op()
def matrix_rank(x: TensorLike, tol: float | None = None) -> jax.Array:
    """The number of singular values above `tol`, int32.

    Args:
        x: (..., m, n).
        tol: number; by default the largest singular value times max(m, n) and the precision of x's
            dtype.
    Returns:
        Array (...), int32.
    Raises:
        ValueError: fewer than two axes.

    >>> int(matrix_rank(jnp.ones((2, 2))))
    1
    """
    return jnp.linalg.matrix_rank(matrix(x), tol=tol).astype("int32")


@linalg_op()
def pinv(x: TensorLike, rcond: float | None = None) -> jax.Array:
    """The Moore-Penrose pseudo-inverse.

    Args:
        x: (..., m, n).
        rcond: singular values below rcond times the largest count as 0; by default 10 max(m, n)
            times the precision of x's dtype.
    Returns:
        Array (..., n, m).
    Raises:
        ValueError: fewer than two axes.

    >>> pinv(2.0 * jnp.eye(1))
    Array([[0.5]], dtype=float32)
    """
    return jnp.linalg.pinv(matrix(x), rcond=rcond)


@linalg_op(inputs=3, class_name="JVP")
def jvp(
    fun: Callable[..., Any],
    primals: Sequence[Structure],
    tangents: Sequence[Structure],
    has_aux: bool = False,
) -> tuple[Structure, ...]:
    """(fun(*primals), its derivative in the direction of the tangents); with `has_aux` also what
    fun returns besides.

    Args:
        fun: function of arrays that JAX can differentiate.
        primals: its arguments, a tuple or list.
        tangents: the direction: for each argument an array of its shape and dtype.
        has_aux: whether fun returns (value, something besides that is not differentiated).
    Returns:
        (value, derivative), of the shape of the value; with `has_aux` a third.

    >>> [float(v) for v in jvp(jnp.square, (3.0,), (1.0,))]
    [9.0, 6.0]
    """
    return jax.jvp(fun, primals, tangents, has_aux=has_aux)


__all__ = [
    "cholesky",
    "cholesky_inverse",
    "det",
    "eig",
    "eigh",
    "inv",
    "jvp",
    "lstsq",
    "lu_factor",
    "matrix_power",
    "matrix_rank",
    "norm",
    "pinv",
    "qr",
    "solve",
    "solve_triangular",
    "svd",
]
