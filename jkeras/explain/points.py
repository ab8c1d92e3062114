"""Means of gradients over points: many forward passes of each row, some at a time."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.explain.score import Scored, Structure
from jkeras.training.data.sizes import in_passes


def identity(gradient: jax.Array) -> jax.Array:
    """The gradient itself."""
    return gradient


def mean_over_points(
    score: Scored,
    variable: Callable[[jax.Array], Structure],
    points: jax.Array,
    weights: jax.Array,
    at_once: int,
    moments: Sequence[Callable[[jax.Array], jax.Array]] = (identity,),
    then: Callable[[Structure, jax.Array], Structure] | None = None,
) -> list[Structure]:
    """Weighted sums over points of functions of a score's gradient.

    Args:
        variable: where the gradient is taken for a point, rows along the first axis.
        points, weights: arrays (points,).
        at_once: how many points are looked at in one pass.
        moments: what is summed, elementwise.
        then: what is done with the gradient at a point first.
    """
    numbers, counts = in_passes(len(points), at_once)
    rows = score.repeated(numbers.shape[1])

    def one_pass(sums: list, chosen: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        points, weights = chosen
        each = jax.vmap(variable, out_axes=1)(points)  # (rows, points, ...)
        flat = jax.tree_util.tree_map(lambda v: v.reshape(-1, *v.shape[2:]), each)
        gradients = jax.tree_util.tree_map(
            lambda g, v: g.reshape(v.shape), score.gradient(flat, rows), each
        )
        if then is not None:
            gradients = jax.vmap(then, in_axes=(1, 0), out_axes=1)(gradients, points)
        added = [
            jax.tree_util.tree_map(
                lambda s, g, f=f: s + jnp.tensordot(f(g), weights.astype(g.dtype), (1, 0)),
                s,
                gradients,
            )
            for s, f in zip(sums, moments)
        ]
        return added, None

    start = [jax.tree_util.tree_map(jnp.zeros_like, score.start) for _ in moments]
    by_pass = points[numbers], jnp.where(counts, weights[numbers], 0)
    return jax.lax.scan(one_pass, start, by_pass)[0]
