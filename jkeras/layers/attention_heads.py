"""What attention projects, and the order of its axes."""

import functools
from typing import Any, NamedTuple

import jax


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
