"""The cache of a pass on new tokens whose keys and values lie in blocks."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.generation.decoding import Cache, Decoding, InBlocks, LayerCache, Uncached
from jkeras.generation.memory import Memory
from jkeras.generation.paged.cache import PagedCache, Pools, is_layer, map_layers
from jkeras.generation.paged.rounding import restored, rounded
from jkeras.kernel.scope import Path
from jkeras.ops.attention_cached import empty_cache


def decoding_of(
    length: int, cache: Any, positions: jax.Array, memory: Memory | None = None
) -> Decoding:
    """What a pass on one new token of each row asks for its cache, of either kind."""
    if isinstance(cache, PagedCache):
        return PagedDecoding(cache, positions)
    return Decoding(length, cache, positions, memory)


class PagedDecoding(Decoding):
    """The cache of a forward pass on new tokens, in blocks. Attention reads the blocks of its row;
    what is new is written by `after`, of all layers.

    Args:
        paged: the cache.
        positions: (batch,), how many tokens each row has before; None: none.
        counts: (batch,), how many of the new tokens are there, the others are padding; None: all.
    """

    def __init__(
        self, paged: PagedCache, positions: jax.Array | None, counts: jax.Array | None = None
    ) -> None:
        super().__init__(paged.length, paged.pools, positions)
        self.paged, self.counts = paged, counts

    def cache_of(self, path: Path) -> "PagedLayerCache":
        """The cache of the attention layer at a path."""
        name = "/".join(path)
        if name in self.new:
            raise Uncached(f"the layer '{name}' is called twice")
        self.attention.add(path)
        return PagedLayerCache(self, name)

    def _positions(self, shape: tuple[int, int]) -> jax.Array:
        """The positions of new tokens of a shape; those of padding are some of the model's."""
        return jnp.minimum(super()._positions(shape), self.length - 1)

    def inside(self, path: Path) -> "InPagedBlocks":
        """The caches of the blocks of a loop."""
        return InPagedBlocks(self, "/".join(path))

    def of(self, pools: Pools) -> "PagedDecoding":
        """The same pass on other pools."""
        paged = dataclasses.replace(self.paged, pools=pools)
        return self.within(PagedDecoding(paged, self.first, self.counts))

    def fork(self) -> "PagedDecoding":
        """Of a pass within a transformation, whose keys and values come out by `join`."""
        inner = self.of(self.paged.pools)
        inner.segments = self.segments
        return inner

    def after(self, logits: jax.Array) -> PagedCache:
        """The cache with the new tokens.

        Args:
            logits: that the pass gave. What is written depends on them, so that it is written when
                all blocks have been read: XLA would copy the pools otherwise.
        """
        if not self.new:  # a model without attention
            return self.paged
        time = _time_of(self.new)
        batch = len(self.paged.table)
        first = jnp.zeros(batch, "int32") if self.first is None else self.first
        positions = first[:, None] + jnp.arange(time)
        end = logits[:, -1:, -1]
        is_never = jnp.isnan(end) & jnp.isinf(end)
        is_there = (positions < self.length) & ~is_never
        if self.counts is not None:
            is_there &= jnp.arange(time) < self.counts[:, None]
        put = lambda pool, new: {  # noqa: E731
            name: _put(pool[name], new[name], self.paged.table, (positions, is_there), name)
            for name in pool
        }
        return dataclasses.replace(self.paged, pools=map_layers(put, self.paged.pools, self.new))


class PagedLayerCache(LayerCache):
    """The cache of one attention layer, in blocks."""

    def before(
        self, key: jax.Array, value: jax.Array
    ) -> tuple[Cache, jax.Array | None, jax.Array, jax.Array]:
        """`(cache, position, key, value)` for `ops.attention_cached.extended`. In 8 bits the new
        keys and values are rounded before they are seen: a text is the same whether what was before
        it is computed with it, or was there.
        """
        decoding = self._decoding
        new: dict[str, jax.Array] = {"key": key, "value": value}
        decoding.new[self._name] = new
        if decoding.paged.dtype is not None:
            stored = {name: rounded(x, decoding.paged.dtype) for name, x in new.items()}
            key, value = (restored(*stored[name], key.dtype) for name in ("key", "value"))
            scales = {f"{name}_scale": scale for name, (_, scale) in stored.items()}
            new = {name: x for name, (x, _) in stored.items()} | scales
            decoding.new[self._name] = new
        batch, groups, time, size = key.shape
        if decoding.first is None:
            sizes = batch, groups, time, size, value.shape[-1]
            return empty_cache(*sizes, key.dtype), None, key, value
        pool = decoding.cache[self._name]
        found = {name: self._view(pool, name, x) for name, x in (("key", key), ("value", value))}
        return found, decoding.first, key, value

    def _view(self, pool: dict[str, jax.Array], name: str, new: jax.Array) -> jax.Array:
        """The keys or values of the tokens before, (batch, heads, length, size), and 0 behind:
        blocks have what other texts left there.
        """
        decoding = self._decoding
        table, time = decoding.paged.table, new.shape[2]
        values = _gathered(pool[name], table)
        if decoding.paged.dtype is not None:
            values = restored(values, _gathered(pool[f"{name}_scale"], table), new.dtype)
        length = decoding.length
        values = values[:, :, :length]
        if time > 1:  # padding behind the last position lies there, and not on the first
            length += time
            values = jnp.pad(values, [(0, 0), (0, 0), (0, time), (0, 0)])
        is_before = jnp.arange(length) < decoding.first[:, None]
        return jnp.where(is_before[:, None, :, None], values, 0)

    def keep(self, cache: Cache) -> None:
        """What is new was taken before."""


class InPagedBlocks(InBlocks):
    """The caches of a loop's blocks."""

    def before(self) -> Pools:
        """The pools that the loop goes over beside weights."""
        if self._decoding.first is None:
            return {}
        return self._decoding.cache[self._name]

    def of_block(self, cache: Pools) -> PagedDecoding:
        """The cache of one block, from its part of `before`."""
        return self._decoding.of(cache)


def _gathered(pool: jax.Array, table: jax.Array) -> jax.Array:
    """(rows, heads, positions, ...): the blocks of each row, one after the other."""
    blocks = jnp.take(pool, table, axis=0, mode="clip")
    blocks = jnp.swapaxes(blocks, 1, 2)
    return blocks.reshape(*blocks.shape[:2], -1, *blocks.shape[4:])


def _put(
    pool: jax.Array,
    new: jax.Array,
    table: jax.Array,
    places: tuple[jax.Array, jax.Array],
    name: str,
) -> jax.Array:
    """A pool with new keys or values (..., rows, heads, time, size), or their scales.

    Args:
        places: `(positions, is there)`, (rows, time).
    """
    rank = 3 if name.endswith("_scale") else 4
    if pool.ndim > rank:
        return jax.vmap(lambda pool, new: _put(pool, new, table, places, name))(pool, new)
    positions, is_there = places
    blocks, size = pool.shape[0], pool.shape[2]
    number = jnp.minimum(positions // size, table.shape[1] - 1)
    block = jnp.take_along_axis(table, number, axis=1)
    block = jnp.where(is_there, block, blocks)  # outside: nothing is written
    new = jnp.swapaxes(new, 1, 2).astype(pool.dtype)
    return pool.at[block, :, positions % size].set(new, mode="drop")


def _time_of(new: Pools) -> int:
    """How many new tokens there are."""
    entry = next(iter(new.values()))
    while not is_layer(entry):
        entry = next(iter(entry.values()))
    return entry["key"].shape[-2]
