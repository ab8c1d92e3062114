"""Losses over many classes without all logits at once: those of some positions after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.kernel.beside import Head


def in_chunks(
    head: Head, labels: jax.Array, values: Callable[[jax.Array, jax.Array], jax.Array]
) -> jax.Array:
    """The values of a loss at each position, whose logits are made in chunks of positions, and made
    again for the gradient.

    Args:
        labels: (batch, …), one for each position.
        values: `(labels, logits) -> values` of some positions.

    >>> head = Head(jnp.eye(4), jnp.arange(8.0).reshape(4, 2), lambda w, x: x @ w, chunks=2)
    >>> in_chunks(head, jnp.zeros(4, "int32"), lambda labels, logits: logits[:, 1] - logits[:, 0])
    Array([1., 1., 1., 1.], dtype=float32)
    """
    axis = min(1, labels.ndim - 1)  # along time, since devices have rows of their own
    weights = jax.tree_util.tree_map(_widened, head.weights)

    def of_chunk(given: tuple[jax.Array, jax.Array]) -> jax.Array:
        inputs, some = given
        own = jax.tree_util.tree_map(lambda a, b: a.astype(b.dtype), weights, head.weights)
        return values(some, head.product(own, inputs))

    cut = [_cut(x, axis, head.chunks) for x in (head.inputs, labels)]
    found = jax.lax.map(jax.checkpoint(of_chunk, prevent_cse=False), tuple(cut))
    joined = jnp.moveaxis(found, 0, axis + 1)  # (batch, positions of a chunk, chunks, …)
    size = labels.shape[axis]
    joined = joined.reshape(*joined.shape[:axis], -1, *joined.shape[axis + 2 :])
    return jax.lax.slice_in_dim(joined, 0, size, axis=axis)


def _widened(weights: Any) -> Any:
    """Weights whose gradients are added up over the chunks in float32."""
    if jnp.finfo(weights.dtype).bits < 32:
        return weights.astype("float32")
    return weights


def _cut(x: jax.Array, axis: int, count: int) -> jax.Array:
    """(chunks, batch, positions of a chunk, …): every `count`-th position is in the same chunk, so
    that rows of all devices are in each; zeros where there are none left.
    """
    added = [(0, 0)] * x.ndim
    added[axis] = (0, -x.shape[axis] % count)
    x = jnp.pad(x, added)
    apart = x.reshape(*x.shape[:axis], -1, count, *x.shape[axis + 1 :])
    return jnp.moveaxis(apart, axis + 1, 0)
