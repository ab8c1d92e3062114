"""Keys and values of the positions before, in a cache: how new ones are written into it, and
which of them a new target sees.

A cache is `{"key": (batch, groups, length, size), "value": ...}`. The key of position p lies in
slot p modulo `length`: with a sliding window a cache need not be longer than the window, it is a
ring.
"""

from __future__ import annotations

import typing

import jax
import jax.numpy as jnp

from jkeras.ops.kernels import on_cpu

Cache = dict[str, jax.Array]


class Sources(typing.NamedTuple):
    """What new targets attend over.

    Args:
        key, value: (batch, groups, source, size).
        mask: bool (batch or 1, 1, target, source), what is seen; None: there is nothing before, so
            that causal attention of the new positions is all.
    """

    key: jax.Array
    value: jax.Array
    mask: jax.Array | None


def empty_cache(
    batch: int, groups: int, length: int, key_size: int, value_size: int, dtype: typing.Any
) -> Cache:
    """A cache of zeros.

    >>> empty_cache(1, 2, 16, 4, 4, "float32")["key"].shape
    (1, 2, 16, 4)
    """
    return {
        "key": jnp.zeros((batch, groups, length, key_size), dtype),
        "value": jnp.zeros((batch, groups, length, value_size), dtype),
    }


def is_ring(length: int, window: int | None) -> bool:
    """Whether a cache of this length serves texts of any length.

    >>> is_ring(8, window=8), is_ring(8, window=9), is_ring(8, None)
    (True, False, False)
    """
    return window is not None and length >= window


def extended(
    cache: Cache,
    position: jax.Array | None,
    key: jax.Array,
    value: jax.Array,
    window: int | None = None,
) -> tuple[Cache, Sources]:
    """`(cache, sources)`: the cache with new positions, and what their targets attend over.

    Args:
        position: how many positions there are before, a number or one for each row; None: none.
        key, value: (batch, groups, time, size), of the new positions.
        window: see only sources that are less than this many positions away.

    >>> one = jnp.ones((1, 1, 1, 2))
    >>> cache, sources = extended(empty_cache(1, 1, 3, 2, 2, "float32"), jnp.array(1), one, one)
    >>> print(cache["key"][0, 0, :, 0], sources.mask[0, 0, 0])
    [0. 1. 0.] [ True  True False]
    """
    new = {"key": key, "value": value}
    if position is None:
        updated = {name: _put_first(cache[name], new[name]) for name in new}
        return updated, Sources(key, value, None)
    updated = {name: _put(cache[name], new[name], position) for name in new}
    length, count = cache["key"].shape[2], key.shape[2]
    first = jnp.atleast_1d(position)[:, None]
    targets = first + jnp.arange(count)
    if is_ring(length, window) and length < window + count - 1:
        # the last of the new positions lie where the first of them still look
        seen_of = {name: jnp.concatenate([cache[name], new[name]], axis=2) for name in new}
        positions = jnp.concatenate([_positions(first - 1, length), targets], axis=1)
    else:
        seen_of, positions = updated, _positions(first + count - 1, length)
    key, value = (seen_of[name].astype(new[name].dtype) for name in ("key", "value"))
    return updated, Sources(key, value, _seen(targets, positions, window))


def _put_first(cached: jax.Array, new: jax.Array) -> jax.Array:
    """Keys or values with those of the first positions."""
    if new.shape[2] > cached.shape[2]:
        return _put(cached, new, jnp.array(0))
    return jax.lax.dynamic_update_slice_in_dim(cached, new.astype(cached.dtype), 0, axis=2)


def _put(cached: jax.Array, new: jax.Array, position: jax.Array) -> jax.Array:
    """Keys or values with those of new positions, from a position on, or one for each row."""
    is_one = position.ndim and len(position) == 1
    if position.ndim and not is_one:
        return jax.vmap(_put)(cached, new, position)
    if is_one:
        position = position[0]
    length, count = cached.shape[-2], new.shape[-2]
    new = new.astype(cached.dtype)
    if count == 1:
        write = _write_alone if is_one else _write
        return write(cached, new, position % length)
    lost = max(count - length, 0)
    slots = (position + jnp.arange(lost, count)) % length
    return cached.at[..., slots, :].set(new[..., lost:, :])


def _write(cached: jax.Array, new: jax.Array, slot: jax.Array) -> jax.Array:
    """Keys or values with those of one position."""
    return jax.lax.dynamic_update_slice_in_dim(cached, new, slot, axis=-2)


def _write_alone(cached: jax.Array, new: jax.Array, slot: jax.Array) -> jax.Array:
    """Keys or values of the only row with those of one position."""
    if not on_cpu():
        return _write(cached, new, slot)
    # a branch, which no operation is fused with: else XLA writes once for each reader, and copies
    # all of the cache for each write
    return jax.lax.cond(slot >= 0, lambda: _write(cached, new, slot), lambda: cached)


def _positions(last: jax.Array, length: int) -> jax.Array:
    """The position that each slot holds, (batch, length), where `last` (batch, 1) is the last one
    written; negative: none.
    """
    return last - (last - jnp.arange(length)) % length


def _seen(targets: jax.Array, sources: jax.Array, window: int | None) -> jax.Array:
    """bool (batch, 1, target, source)"""
    distance = targets[:, :, None] - sources[:, None, :]
    mask = (distance >= 0) & (sources >= 0)[:, None]
    if window is not None:
        mask &= distance < window
    return mask[:, None]
