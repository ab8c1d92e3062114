"""Gradients to which each row adds a bounded amount."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain


def clipped_grad(loss: Callable, clip: float = 1.0) -> Callable:
    """The function that sums the gradients of rows, each scaled down to a length of at most `clip`
    (Abadi et al. 2016, arXiv:1607.00133): no row changes the sum by more.

    Args:
        loss: `(params, x, y) -> scalar` of one row, without the axis of rows.
        clip: the largest Euclidean length of a row's gradient, over all params.

    Returns:
        `(params, x, y, mask=None) -> (sum of clipped gradients, norms)`: pure; `mask` (rows,) says
        which rows count, and `norms` (rows,) are the lengths before, 0 where a row does not.

    Raises:
        ValueError: a bound that is not above 0.

    >>> slope = clipped_grad(lambda w, x, y: 0.5 * (w * x - y) ** 2, clip=1.0)
    >>> total, norms = slope(2.0, jnp.array([1.0, 3.0]), jnp.array([1.5, 0.0]))
    >>> float(total), norms.tolist()
    (1.5, [0.5, 18.0])
    """
    if not clip > 0:
        raise ValueError(explain("privacy.clipped_grad", "a bound above 0", f"clip={clip}"))

    def summed(params: Any, x: Any, y: Any, mask: jax.Array | None = None) -> tuple[Any, jax.Array]:
        gradients = jax.vmap(jax.grad(loss), (None, 0, 0))(params, x, y)
        leaves = jax.tree_util.tree_leaves(gradients)
        norms = jnp.sqrt(sum(_squares(leaf) for leaf in leaves))
        # at most 1, and not NaN for a gradient of zero
        factors = clip / jnp.maximum(norms, clip)
        if mask is not None:
            factors = jnp.where(mask, factors, 0)
            norms = jnp.where(mask, norms, 0)

        def weighted(gradient: jax.Array) -> jax.Array:
            if mask is not None:  # what is no number in a row that does not count is nothing
                gradient = jnp.where(_by_row(mask, gradient), gradient, 0)
            return jnp.tensordot(factors.astype(gradient.dtype), gradient, (0, 0))

        return jax.tree_util.tree_map(weighted, gradients), norms

    return summed


def _squares(gradient):
    """The squared length of each row, in float32 at least."""
    wide = gradient.astype(jnp.promote_types(gradient.dtype, "float32"))
    return (wide.reshape(len(wide), -1) ** 2).sum(1)


def _by_row(mask, gradient):
    return mask.reshape(-1, *[1] * (gradient.ndim - 1))


__all__ = ["clipped_grad"]
