"""What attention projects, and the order of its axes."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Asked(NamedTuple):
    """What a call of an attention layer asks for, as of the layers' call arguments."""

    use_causal_mask: bool
    return_attention_scores: bool
    cache: Any = None
    position: Any = None


class Heads(NamedTuple):
    """Projections to heads, each (batch, …, heads, size)."""

    query: jax.Array
    key: jax.Array
    value: jax.Array

    def placed(self, ctx: Any) -> "Heads":
        """Under the names by which they are looked at and changed from outside."""
        names = "queries", "keys", "values"
        return Heads(*(ctx.place(name, x) for name, x in zip(names, self)))

    def first(self, axes: tuple[int, ...]) -> "Heads":
        """(batch, …, times of `axes`, heads, size) -> (batch, …, heads, time, size), all times in
        one axis.
        """
        last = self.query.ndim - 1
        others = _others(last, axes)
        order = (*others, *axes, last)
        moved = []
        for x in self:
            x = x.transpose(order)
            moved.append(x.reshape(*x.shape[: len(others)], -1, x.shape[-1]))
        return Heads(*moved)


def with_results(
    ctx: Any, project: Callable[[jax.Array], jax.Array], heads: jax.Array, output: jax.Array
) -> jax.Array:
    """The output of attention, with what was changed of its `results`: what each head adds to it,
    (batch, ..., heads, features).

    Args:
        project: from heads, (batch, ..., heads, size), to the output; nobody sees it.
    """
    if not ctx.asks_for("results"):
        return output
    count = heads.shape[-2]
    alone = jnp.eye(count, dtype=heads.dtype)[:, :, None] * heads[..., None, :, :]
    alone = jnp.moveaxis(alone, -3, 0)  # (heads, batch, ..., heads, size), of one head each
    rest = project(jnp.zeros_like(heads))
    together = project(alone.reshape(-1, *alone.shape[2:]))
    results = together.reshape(count, *rest.shape) - rest
    results = jnp.moveaxis(results, 0, -2)
    changed = ctx.place("results", results)
    if changed is results:
        return output
    return output + (changed - results).sum(-2)


def sizes(x: jax.Array, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of some axes."""
    return tuple(map(x.shape.__getitem__, axes))


@functools.cache
def _others(count: int, axes: tuple[int, ...]) -> list[int]:
    """Those of the first `count` axes that are not among `axes`."""
    return [axis for axis in range(count) if axis not in axes]


def heads_last(y: jax.Array, axes: tuple[int, ...], shape: tuple[int, ...]) -> jax.Array:
    """Back from `Heads.first` to the order of axes of the query, which had this shape."""
    order = (*_others(len(shape) - 1, axes), *axes, len(shape) - 1)
    y = y.reshape(*map(shape.__getitem__, order[:-1]), y.shape[-1])
    return y.transpose(*map(order.index, range(len(shape))))
