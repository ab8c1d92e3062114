"""Squared lengths of gradients that are products, with all that rounding may hide added: a length
is never too small, and what is not known is taken to be as long as it can be.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

UNIT = float(np.finfo("float32").eps) / 2  # of a rounding to float32
SMALL = 1024  # numbers of a product that are made whatever the number of positions
SMALLEST = float(np.finfo("float32").tiny)
# squared lengths below it have numbers whose squares float32 has no digits for
FAINT = 1e-18
EXACT = jax.lax.Precision.HIGHEST


def wide(array: jax.Array) -> jax.Array:
    """An array in float32 at least."""
    return array.astype(jnp.promote_types(array.dtype, "float32"))


def of_array(array: jax.Array) -> jax.Array:
    """The squared length of an array."""
    return jnp.sum(wide(array) ** 2)


def of_product(left: jax.Array, right: jax.Array, unit: float = UNIT) -> jax.Array:
    """The squared length of left.T @ right, of arrays (positions, …), or a little more.

    It is found by whichever is smaller, the product or the products of positions with one another.
    The latter lose all digits where positions cancel, as the slopes of a softmax do which add to 0.
    What is common to all positions is therefore taken apart first, and the rest of what rounding
    may hide is added.

    Args:
        unit: of the rounding of the product where the gradient itself is made.

    >>> ones = jnp.ones((4, 32))
    >>> slopes = jnp.array([[1.0], [-1.0], [2.0], [-2.0]]) * ones
    >>> bool(of_product(1e4 * ones, slopes) < 100)  # 0, of terms of 6e13
    True
    """
    left, right = wide(left), wide(right)
    positions = left.shape[0]
    if positions > 1 and left.shape[1] * right.shape[1] > max(2 * positions**2, SMALL):
        square, most = _by_pairs(left, right)
    else:
        most = jnp.sum(jnp.sqrt(_squares(left)) * jnp.sqrt(_squares(right)))
        square = most**2
        if positions > 1:
            square = of_array(jnp.matmul(left.T, right, precision=EXACT))
    return _longer(square, math.sqrt(positions) * unit * most)


def _by_pairs(left, right):
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


def _lengths(pairs, size):
    """The length at each position, from the products of positions of a size."""
    return jnp.sqrt(jnp.maximum(jnp.diagonal(pairs), 0) + size * SMALLEST)


def of_rows(taken: jax.Array, slopes: jax.Array) -> jax.Array:
    """The squared length of the gradient of a table, or a little more.

    Args:
        taken: the rows of the table that positions take.
        slopes: of the positions, (positions, columns).

    >>> round(float(of_rows(jnp.array([2, 2, 0]), jnp.array([[1.0], [2.0], [4.0]]))), 3)
    25.0
    """
    slopes = wide(slopes)
    same = (taken[:, None] == taken).astype(slopes.dtype)
    # a sum for each position, so that what cancels in a row of the table cancels here
    of_row = jnp.matmul(same, slopes, precision=EXACT)
    square = jnp.sum(jnp.sum(of_row**2, 1) / jnp.sum(same, 1))
    hidden = math.sqrt(len(taken)) * UNIT * jnp.sum(jnp.sqrt(_squares(slopes)))
    return _longer(square, hidden)


def _longer(square, length):
    """The square of a length that is longer by so much."""
    return (jnp.sqrt(square) + length) ** 2


def _squares(array):
    """The squared length at each position, with what float32 may have lost of tiny numbers."""
    return jnp.sum(array**2, 1) + array.shape[1] * SMALLEST
