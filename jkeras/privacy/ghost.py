"""The lengths of a row's gradients without the gradients: from what goes into each operation that
takes params, and the gradient of what comes out of it (Goodfellow 2015, arXiv:1510.01799; Li et al.
2021, arXiv:2110.05679; of convolutions Bu et al. 2022, arXiv:2205.10683).

Params that meet an operation without a formula here, or several operations, have their gradient by
row.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.explain.products import product_of
from jkeras.explain.sites import uses

Tree = Any


def squares(loss: Callable, params: Tree, x: Any, y: Any) -> Tree:
    """The squared lengths of the gradients of one row, a tree like the params.

    Args:
        loss: `(params, x, y) -> (scalar, anything)`.

    >>> loss = lambda w, x, y: (((x @ w["kernel"]) ** 2).sum(), None)
    >>> params = {"kernel": jnp.ones((3, 2))}
    >>> squares(loss, params, jnp.ones(3), None)["kernel"]  # each of 6 is 2 * 3
    Array(216., dtype=float32)
    """
    leaves, treedef = jax.tree_util.tree_flatten(params)
    found = uses(lambda params, x, y: loss(params, x, y)[0], params, x, y)
    return treedef.unflatten(list(map(_square_of_leaf, leaves, found)))


# ---------------------------------------------------------------- lengths


def _square_of_leaf(value, found):
    """The squared length of the gradient of one leaf.

    Args:
        found: its uses.
    """
    if len(found) == 1:
        (use,) = found
        product = product_of(use)
        if product is not None:
            return _of_product(product.inputs, product.slopes)
        if use.kind == ("gather", 0):
            square = _of_rows(use.site.entry.params, use.operands, use.slopes[0])
            if square is not None:
                return square
    gradients = [use.gradient(value) for use in found]
    return _square(sum(gradients)) if gradients else jnp.zeros((), "float32")


def _square(array):
    return jnp.sum(_wide(array) ** 2)


def _wide(array):
    return array.astype(jnp.promote_types(array.dtype, "float32"))


def _of_product(left, right):
    """The squared length of left.T @ right, of arrays (positions, …): by whichever is smaller, the
    product or the products of positions with one another.
    """
    left, right = _wide(left), _wide(right)
    positions = left.shape[0]
    if positions == 1:
        return _square(left) * _square(right)
    if 2 * positions**2 <= left.shape[1] * right.shape[1]:
        return jnp.sum((left @ left.T) * (right @ right.T))
    return _square(left.T @ right)


def _of_rows(params: dict, operands: list, slope: jax.Array) -> jax.Array | None:
    """Of a table from which whole rows are taken."""
    table, indices = operands
    dims = params["dimension_numbers"]
    whole = (1, *table.shape[1:])
    if dims.start_index_map != (0,) or dims.collapsed_slice_dims != (0,):
        return None
    if tuple(params["slice_sizes"]) != whole or dims.operand_batching_dims:
        return None
    taken = indices.reshape(-1)
    positions = taken.shape[0]
    outer = [i for i in range(slope.ndim) if i not in dims.offset_dims]
    slope = slope.transpose(*outer, *dims.offset_dims).reshape(positions, -1)
    if positions**2 > table.size:
        return None
    mode = params["mode"]
    if mode == jax.lax.GatherScatterMode.CLIP:
        taken = jnp.clip(taken, 0, table.shape[0] - 1)
    elif mode == jax.lax.GatherScatterMode.FILL_OR_DROP:
        is_there = (taken >= 0) & (taken < table.shape[0])
        slope = jnp.where(is_there[:, None], slope, 0)
    slope = _wide(slope)
    return jnp.sum((slope @ slope.T) * (taken[:, None] == taken))
