"""Gradients to which each row adds a bounded amount."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import check_choice, explain
from jkeras.kernel.valid_rows import expand_like
from jkeras.privacy import ghost

CLIPPINGS = ("flat", "per_layer", "automatic")
NORMS = ("ghost", "vmap")
STABILIZER = 0.01  # of automatic clipping, as in its paper

Tree = Any
map_structure = jax.tree_util.tree_map


def clipped_grad(
    loss: Callable,
    clip: float = 1.0,
    *,
    clipping: str = "flat",
    norms: str = "ghost",
    has_aux: bool = False,
) -> Callable:
    """The function that sums the gradients of rows, each scaled down to a length of at most `clip`
    (Abadi et al. 2016, arXiv:1607.00133): no row changes the sum by more.

    Args:
        loss: `(params, x, y) -> scalar` of one row, without the axis of rows.
        clip: the largest Euclidean length of what a row adds, over all params.
        clipping: "flat" scales a row's gradient as one; "per_layer" that of each layer, to `clip`
            over the root of their number; "automatic" brings all to a length close to `clip`, short
            ones too (Bu et al. 2022, arXiv:2206.07136).
        norms: "ghost" finds the lengths without the gradients (Li et al. 2021, arXiv:2110.05679),
            and then the sum in a second pass; "vmap" takes the memory of a gradient for each row.
        has_aux: `loss` gives (scalar, anything else).

    Returns:
        `(params, x, y, mask=None) -> (sum of clipped gradients, norms)`: pure; `mask` (rows,) says
        which rows count, and `norms` (rows,) are the lengths before, 0 where a row does not. A row
        whose gradient is not finite adds nothing. With `has_aux` the third is what else `loss`
        gave, by row.

    Raises:
        ValueError: a bound that is not above 0, or an unknown choice.

    >>> slope = clipped_grad(lambda w, x, y: 0.5 * (w * x - y) ** 2, clip=1.0)
    >>> total, norms = slope(2.0, jnp.array([1.0, 3.0]), jnp.array([1.5, 0.0]))
    >>> float(total), norms.tolist()
    (1.5, [0.5, 18.0])
    """
    where = "privacy.clipped_grad"
    if not clip > 0:
        raise ValueError(explain(where, "a bound above 0", f"clip={clip}"))
    check_choice("clipping", clipping, CLIPPINGS, where)
    check_choice("norms", norms, NORMS, where)
    with_aux = loss if has_aux else lambda *arguments: (loss(*arguments), None)
    summed = _by_rows if norms == "vmap" else _by_ghosts

    def clipped(params: Tree, x: Any, y: Any, mask: jax.Array | None = None) -> tuple:
        total, lengths, aux = summed(with_aux, params, (x, y), mask, clip, clipping)
        return (total, lengths, aux) if has_aux else (total, lengths)

    return clipped


def _by_rows(loss, params, rows, mask, clip, clipping):
    """By a gradient for each row."""
    gradient = jax.grad(loss, has_aux=True)
    gradients, aux = jax.vmap(gradient, (None, 0, 0))(params, *rows)
    squares = map_structure(_squares, gradients)
    counts = _counting(squares, mask)
    factors, groups, lengths = _factors(squares, counts, clip, clipping)

    def weighted(gradient: jax.Array, group: int) -> jax.Array:
        # what is no number in a row that does not count is nothing
        counted = jnp.where(expand_like(counts, gradient), gradient, 0)
        return jnp.tensordot(factors[group].astype(gradient.dtype), counted, (0, 0))

    leaves, treedef = jax.tree_util.tree_flatten(gradients)
    return treedef.unflatten(list(map(weighted, leaves, groups))), lengths, aux


def _by_ghosts(loss, params, rows, mask, clip, clipping):
    """By the rows' lengths alone, and then the gradient of their weighted sum."""
    squares = jax.vmap(lambda x, y: ghost.squares(loss, params, x, y))(*rows)
    counts = _counting(squares, mask)
    factors, groups, lengths = _factors(squares, counts, clip, clipping)
    # zeros in rows that do not count, lest what is no number there come into a sum
    rows = map_structure(lambda v: jnp.where(expand_like(counts, v), v, 0), rows)
    leaves, treedef = jax.tree_util.tree_flatten(params)
    sums, aux = list(leaves), None
    for group, factor in enumerate(factors):  # one pass for all leaves that share a factor
        places = [i for i, other in enumerate(groups) if other == group]

        def total(chosen: list, places: list = places, factor: jax.Array = factor) -> tuple:
            filled = list(leaves)
            for place, value in zip(places, chosen):
                filled[place] = value
            losses, aux = jax.vmap(loss, (None, 0, 0))(treedef.unflatten(filled), *rows)
            return jnp.sum(factor * losses), aux

        found, aux = jax.grad(total, has_aux=True)([leaves[i] for i in places])
        for place, value in zip(places, found):
            sums[place] = value
    return treedef.unflatten(sums), lengths, aux


def _squares(gradient):
    """The squared length of each row, in float32 at least."""
    wide = gradient.astype(jnp.promote_types(gradient.dtype, "float32"))
    return (wide.reshape(len(wide), -1) ** 2).sum(1)


def _counting(squares, mask):
    """Which rows count: those of the mask whose gradient is finite."""
    counts = jnp.isfinite(sum(jax.tree_util.tree_leaves(squares)))
    return counts if mask is None else counts & mask.astype(bool)


def _factors(squares, counts, clip, clipping):
    """(what rows are multiplied by, for each group of leaves; the group of each leaf; the lengths
    of rows), from the squared lengths of each leaf's rows.
    """
    leaves = jax.tree_util.tree_leaves(squares)
    names = _layers(squares) if clipping == "per_layer" else [""] * len(leaves)
    distinct = list(dict.fromkeys(names))
    groups = [distinct.index(name) for name in names]
    share = clip / math.sqrt(len(distinct))

    def length(inside: list) -> jax.Array:
        return jnp.sqrt(jnp.where(counts, sum(inside), 1))

    factors = []
    for group in range(len(distinct)):
        inside = [leaf for leaf, other in zip(leaves, groups) if other == group]
        factors.append(jnp.where(counts, _factor(length(inside), share, clipping), 0))
    return factors, groups, jnp.where(counts, length(leaves), 0)


def _factor(lengths, clip, clipping):
    if clipping == "automatic":
        return clip / (lengths + STABILIZER)
    return clip / jnp.maximum(lengths, clip)  # at most 1, and not NaN for a gradient of zero


def _layers(tree):
    """For each leaf what stands for its layer: its path without the last key."""
    paths = jax.tree_util.tree_leaves_with_path(tree)
    return [jax.tree_util.keystr(path[:-1]) for path, _ in paths]


__all__ = ["clipped_grad"]
