"""Squared lengths of gradients that are products, with all that rounding may hide added: a length
is never too small, and what is not known is taken to be as long as it can be.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names.dtypes import wide

UNIT = float(np.finfo("float32").eps) / 2  # of a rounding to float32
SMALL = 1024  # numbers of a product that are made whatever the number of positions
SMALLEST = float(np.finfo("float32").tiny)
# squared lengths below it have numbers whose squares float32 has no digits for
FAINT = 1e-18
EXACT = jax.lax.Precision.HIGHEST


def of_array(array: jax.Array) -> jax.Array:
    """The squared length of an array."""
    return jnp.sum(wide(array) ** 2)


def takes_pairs(left: jax.Array, right: jax.Array) -> bool:
    """Whether the length of left.T @ right, of arrays (positions, …), is found by products of
    positions with one another, which are fewer numbers than the product has.

    >>> takes_pairs(jnp.ones((4, 64)), jnp.ones((4, 64))), takes_pairs(jnp.ones((50, 64)), jnp.ones(
    ...     (50, 64)))
    (True, False)
    """
    return left.shape[1] * right.shape[1] > max(2 * left.shape[0] ** 2, SMALL)


def of_one(left: jax.Array, right: jax.Array, unit: float = UNIT) -> jax.Array:
    """The squared length of left.T @ right, of arrays (1, …), or a little more.

    Args:
        unit: of the rounding of the product where the gradient itself is made.
    """
    length = longest(left, right)
    return _longer(length**2, unit * length)


def of_pairs(left: jax.Array, right: jax.Array, unit: float = UNIT) -> jax.Array:
    """The squared length of left.T @ right, of arrays (positions, …), or a little more, by the
    products of positions with one another.

    These lose all digits where positions cancel, as the slopes of a softmax do which add to 0. What
    is common to all positions is therefore taken apart first, and the rest of what rounding may
    hide is added.

    Args:
        unit: as of `of_one`.

    >>> ones = jnp.ones((4, 64))
    >>> slopes = jnp.array([[1.0], [-1.0], [2.0], [-2.0]]) * ones
    >>> bool(of_pairs(1e4 * ones, slopes) < 100)  # 0, of terms of 6e13
    True
    """
    square, most = _by_pairs(wide(left), wide(right))
    return _longer(square, math.sqrt(len(left)) * unit * most)


def longest(left: jax.Array, right: jax.Array) -> jax.Array:
    """The length of left.T @ right if all positions went the same way."""
    return jnp.sum(jnp.sqrt(_squares(wide(left))) * jnp.sqrt(_squares(wide(right))))


def _by_pairs(left: jax.Array, right: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(the squared length, by the products of positions with one another and with what rounding may
    hide in them; the length if all positions went the same way).
    """
    positions = len(left)
    common, slope = jnp.mean(left, 0), jnp.sum(right, 0)
    apart = left - common
    # left.T @ right is apart.T @ right and common by slope
    lefts = jnp.matmul(apart, apart.T, precision=EXACT)
    rights = jnp.matmul(right, right.T, precision=EXACT)
    of_left, of_right = _lengths(lefts, left.shape[1]), _lengths(rights, right.shape[1])
    of_common, of_slope = (jnp.sqrt(_squares(v[None])[0]) for v in (common, slope))
    across = jnp.matmul(apart, common, precision=EXACT) * jnp.matmul(right, slope, precision=EXACT)
    square = jnp.sum(lefts * rights) + 2 * jnp.sum(across) + (of_common * of_slope) ** 2
    roundings = (left.shape[1] + right.shape[1]) / 2 + 2 * positions
    hidden = roundings * UNIT * (jnp.sum(of_left * of_right) + of_common * of_slope) ** 2
    most = jnp.sum((of_left + of_common) * of_right)
    faintest = jnp.minimum(jnp.sum(of_left**2) + of_common**2, jnp.sum(of_right**2))
    square = jnp.where(faintest < FAINT, most**2, jnp.maximum(square, 0) + hidden)
    return jnp.minimum(square, most**2), most  # NaN stays


def _lengths(pairs: jax.Array, size: int) -> jax.Array:
    """The length at each position, from the products of positions of a size."""
    return jnp.sqrt(jnp.maximum(jnp.diagonal(pairs), 0) + size * SMALLEST)


def of_rows(taken: jax.Array, slopes: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of the gradient of a table (slopes that add up to it, its squared length or a little more).
    Positions that take the same row of the table have equal shares of what they give it together,
    so that what cancels has done so here.

    Args:
        taken: the rows of the table that positions take.
        slopes: of the positions, (positions, columns).

    >>> shares, square = of_rows(jnp.array([2, 2, 0]), jnp.array([[1.0], [2.0], [4.0]]))
    >>> shares.tolist(), round(float(square), 3)
    ([[1.5], [1.5], [4.0]], 25.0)
    """
    slopes = wide(slopes)
    same = (taken[:, None] == taken).astype(slopes.dtype)
    counts = jnp.sum(same, 1)
    shares = jnp.matmul(same, slopes, precision=EXACT) / counts[:, None]
    lengths = _squares(shares) * counts  # of a row of the table that is taken twice: half of it
    return shares, _longer(jnp.sum(lengths), math.sqrt(len(taken)) * UNIT * jnp.sum(lengths**0.5))


def _longer(square: jax.Array, length: Any) -> jax.Array:
    """The square of a length that is longer by so much."""
    return (jnp.sqrt(square) + length) ** 2


def _squares(array: jax.Array) -> jax.Array:
    """The squared length at each position, with what float32 may have lost of tiny numbers."""
    return jnp.sum(array**2, 1) + array.shape[1] * SMALLEST
