"""Products with a matrix of weights in the form that is fast where they run; everywhere the numbers
of the plain form.

XLA:CPU takes twice the time for the weight gradient of a product over several axes, (batch, time)
say, that it takes for a product of two matrices. There the weight gradient is one of matrices. And
it takes up to ten times the time for the gradient of a kernel that is higher than wide, a head of
few classes say: that one is computed transposed.
"""

from __future__ import annotations

import functools
import math
import re

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from jkeras.core.graph.sparse import is_sparse
from jkeras.ops.kernels import on_cpu
from jkeras.ops.products import matmul
from jkeras.core.weights.types import DType

LEAST = 2**14  # elements of an input below which a transposition takes as long as it saves


def contract_last(
    x: jax.Array, kernel: jax.Array, preferred_element_type: DType | None = None
) -> jax.Array:
    """x @ kernel: (…, n), (n, m) -> (…, m).

    >>> contract_last(jnp.ones((2, 3, 4)), jnp.ones((4, 5))).shape
    (2, 3, 5)
    """
    if not isinstance(x, jax.Array) and is_sparse(x):
        return matmul(x, kernel)
    if preferred_element_type is None and kernel.ndim == 2 and on_cpu():
        return _contract_on_cpu(x, kernel)
    return jnp.matmul(x, kernel, preferred_element_type=preferred_element_type)


def _contract_on_cpu(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`contract_last` with a matrix."""
    full = x.dtype == kernel.dtype and x.dtype in (jnp.float32, jnp.float64)
    if full and 0 not in x.shape:
        if x.ndim > 2 or _pays_transposed(x, kernel):
            return contract_flat(x, kernel)
    return jnp.matmul(x, kernel)


def affine(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """x @ kernel + bias; outside of programs in one of its own.

    >>> affine(jnp.ones((2, 3)), jnp.ones((3, 4)), jnp.ones(4)).shape
    (2, 4)
    """
    tracer = jax.core.Tracer  # not `any(...)`, which costs a call for each
    is_traced = isinstance(x, tracer) or isinstance(kernel, tracer) or isinstance(bias, tracer)
    if is_traced or not isinstance(x, jax.Array):
        return contract_last(x, kernel) + bias
    return _affine(x, kernel, bias)


@jax.jit
def _affine(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return jnp.matmul(x, kernel) + bias


@jax.custom_jvp
def contract_flat(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`contract_last` with the gradient of the kernel as a product of matrices."""
    return jnp.matmul(x, kernel)


def _contract_flat_jvp(
    primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, ...]:
    x, kernel = primals
    dx, dkernel = tangents
    y = contract_flat(x, kernel)
    if isinstance(dx, SymbolicZero):
        dy = jnp.zeros_like(y)
    else:
        dy = contract_flat(dx, kernel)
    if not isinstance(dkernel, SymbolicZero):
        if _pays_transposed(x, dkernel):
            # without the barrier XLA takes both transpositions together, to none
            dkernel = lax.optimization_barrier(dkernel.T).T
        dy = dy + jnp.matmul(x.reshape(-1, x.shape[-1]), dkernel).reshape(y.shape)
    return y, dy


def _pays_transposed(x: jax.Array, kernel: jax.Array) -> bool:
    """Whether the gradient of the kernel takes longer than that of its transpose and the
    transposition.
    """
    if not {int}.issuperset(map(type, x.shape + kernel.shape)):  # some may be symbols
        return False
    height, width = kernel.shape
    rows = math.prod(x.shape[:-1])
    return 1 < width < height and width <= rows and x.size >= LEAST


contract_flat.defjvp(_contract_flat_jvp, symbolic_zeros=True)


def einsum_with_kernel(
    equation: str, x: jax.Array, kernel: jax.Array, preferred_element_type: DType | None = None
) -> jax.Array:
    """`jnp.einsum(equation, x, kernel)`; on CPU as `contract_last` where the last axes of x meet
    the first of kernel.

    >>> einsum_with_kernel("abc,cde->abde", jnp.ones((2, 3, 4)), jnp.ones((4, 5, 6))).shape
    (2, 3, 5, 6)
    """
    met = number_that_meet(equation)
    meets = met and x.shape[-met:] == kernel.shape[:met]  # jnp.einsum has the error, and axes of 1
    if not on_cpu() or not meets or preferred_element_type is not None:
        return jnp.einsum(equation, x, kernel, preferred_element_type=preferred_element_type)
    batch = x.shape[: x.ndim - met]
    if met > 1:
        x = x.reshape(*batch, -1)
    contract = _contract_on_cpu if isinstance(x, jax.Array) else contract_last
    y = contract(x, kernel.reshape(math.prod(kernel.shape[:met]), -1))
    return y.reshape(*batch, *kernel.shape[met:])


@functools.cache
def number_that_meet(equation: str) -> int:
    """How many last axes of x an equation sums with as many first ones of the kernel, in this
    order; 0: another form.

    >>> number_that_meet("abc,cde->abde"), number_that_meet("abcd,cde->abe")
    (1, 2)
    >>> number_that_meet("abc,bd->acd"), number_that_meet("ab...,bc->ac...")
    (0, 0)
    """
    if "." in equation:
        return 0
    x, kernel, target = re.split(",|->", equation.replace(" ", ""))
    for met in range(1, min(len(x), len(kernel))):
        if x[-met:] == kernel[:met] and x[:-met] + kernel[met:] == target:
            return met
    return 0
