"""Gradients to which each row adds a bounded amount."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.names.dtypes import wide
from jkeras.core.errors import check_choice, explain
from jkeras.privacy.ghost import ghosts, weighted_sum

CLIPPINGS = ("flat", "per_layer", "automatic")
NORMS = ("ghost", "vmap")
STABILIZER = 0.01  # of automatic clipping, as in its paper
ROOM = 2.0**-21  # of the bound, for the roundings of a length and of what is scaled by it
LEAST = 1e-9  # of bounds: the squares of much shorter lengths are 0 in float32

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
        norms: "ghost" finds lengths and sum without the gradients (Li et al. 2021,
            arXiv:2110.05679; Bu et al. 2023, arXiv:2210.00038); "vmap" takes the memory of a
            gradient for each row. Both sum in float32 at least.
        has_aux: `loss` gives (scalar, anything else).

    Returns:
        `(params, x, y, mask=None) -> (sum of clipped gradients, norms)`: pure; `mask` (rows,) says
        which rows count, and `norms` (rows,) are the lengths before, 0 where a row does not; by
        ghosts a little too long where rounding hides digits, and never too short. A row whose
        gradient, or the square of its length, is not finite adds nothing. With `has_aux` the third
        is what else `loss` gave, by row.

    Raises:
        ValueError: a bound that is not above 0, or an unknown choice.

    >>> slope = clipped_grad(lambda w, x, y: 0.5 * (w * x - y) ** 2, clip=1.0)
    >>> total, norms = slope(2.0, jnp.array([1.0, 3.0]), jnp.array([1.5, 0.0]))
    >>> round(float(total), 3), norms.tolist()
    (1.5, [0.5, 18.0])
    """
    where = "privacy.clipped_grad"
    check_bound(clip, where)
    check_choice("clipping", clipping, CLIPPINGS, where)
    check_choice("norms", norms, NORMS, where)
    with_aux = loss if has_aux else lambda *arguments: (loss(*arguments), None)
    summed = _by_rows if norms == "vmap" else _by_ghosts

    def clipped(params: Tree, x: Any, y: Any, mask: jax.Array | None = None) -> tuple:
        total, lengths, aux = summed(with_aux, params, (x, y), mask, clip, clipping)
        return (total, lengths, aux) if has_aux else (total, lengths)

    return clipped


def check_bound(clip: float, where: str) -> None:
    """Sees that a bound is one that float32 can hold gradients to.

    Raises:
        ValueError: it is not.
    """
    if not LEAST <= clip < math.inf:
        wanted = f"a bound above 0, which is clip above 0 and at least {LEAST}"
        raise ValueError(explain(where, wanted, f"clip={clip}"))


def _by_rows(
    loss: Callable[..., Any],
    params: Tree,
    rows: tuple,
    mask: jax.Array | None,
    clip: float,
    clipping: str,
) -> tuple[Tree, jax.Array, Any]:
    """By a gradient for each row."""
    gradient = jax.grad(loss, has_aux=True)
    gradients, aux = jax.vmap(gradient, (None, 0, 0))(params, *rows)
    squares = map_structure(_squares, gradients)
    counts = _counting(squares, mask)
    factors, lengths = _factors(squares, counts, clip, clipping)
    leaves, treedef = jax.tree_util.tree_flatten(gradients)
    sums = [weighted_sum(wide(leaf), factor, counts) for leaf, factor in zip(leaves, factors)]
    return treedef.unflatten(sums), lengths, aux


def _by_ghosts(
    loss: Callable[..., Any],
    params: Tree,
    rows: tuple,
    mask: jax.Array | None,
    clip: float,
    clipping: str,
) -> tuple[Tree, jax.Array, Any]:
    """By what the gradients are made of."""
    result = ghosts(loss, params, rows)
    counts = _counting(result.squares, mask)
    factors, lengths = _factors(result.squares, counts, clip, clipping)
    sums = result.weighted(factors, counts)
    return jax.tree_util.tree_structure(params).unflatten(sums), lengths, result.aux


def _squares(gradient: jax.Array) -> jax.Array:
    """The squared length of each row."""
    return (wide(gradient).reshape(len(gradient), -1) ** 2).sum(1)


def _counting(squares: Tree, mask: jax.Array | None) -> jax.Array:
    """Which rows count: those of the mask whose gradient is finite."""
    counts = jnp.isfinite(sum(jax.tree_util.tree_leaves(squares)))
    return counts if mask is None else counts & mask.astype(bool)


def _factors(
    squares: Tree, counts: jax.Array, clip: float, clipping: str
) -> tuple[list[jax.Array], jax.Array]:
    """(what rows are multiplied by, for each leaf; the lengths of rows), from the squared lengths
    of each leaf's rows.
    """
    leaves = jax.tree_util.tree_leaves(squares)
    names = _layers(squares) if clipping == "per_layer" else [""] * len(leaves)
    groups: dict[str, list] = {}
    for name, leaf in zip(names, leaves):
        groups.setdefault(name, []).append(leaf)
    share = clip / math.sqrt(len(groups))

    def length(inside: list) -> jax.Array:
        return jnp.sqrt(jnp.where(counts, sum(inside), 1))

    factors = {
        name: jnp.where(counts, _factor(length(inside), share, clipping), 0)
        for name, inside in groups.items()
    }
    return [factors[name] for name in names], jnp.where(counts, length(leaves), 0)


def _factor(lengths: jax.Array, clip: float, clipping: str) -> jax.Array:
    clip = clip * (1 - ROOM)
    if clipping == "automatic":
        return clip / (lengths + STABILIZER)
    return clip / jnp.maximum(lengths, clip)  # at most 1, and not NaN for a gradient of zero


def _layers(tree: Tree) -> list[str]:
    """For each leaf what stands for its layer: its path without the last key."""
    paths = jax.tree_util.tree_leaves_with_path(tree)
    return [jax.tree_util.keystr(path[:-1]) for path, _ in paths]


__all__ = ["clipped_grad"]
