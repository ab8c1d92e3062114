"""The cache of a pass on new tokens, by the paths of attention layers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.run.tap_changes import Changes
from jkeras.core.run.tapping import as_keys, operations_of, tapped
from jkeras.generation import packing
from jkeras.generation.inputs import inputs_of
from jkeras.generation.memory import Memory
from jkeras.kernel.observer import PassCache
from jkeras.kernel.scope import Path
from jkeras.ops.attention_cached import empty_cache

Cache = dict[str, Any]  # by "/".join(path)


class Uncached(ValueError):
    """A model whose layers cannot be run on new tokens alone.

    Args:
        reason: what has no cache, in words.
        fix: what a user can do; "": nothing.
    """

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.fix = fix


class Decoding(PassCache):
    """The cache of a forward pass on new tokens: attention finds the keys and values of the tokens
    before, and leaves those of the new ones.

    Args:
        length: how many positions the cache has.
        cache: as the pass before gave it; None: there are no tokens before.
        positions: (batch,), how many tokens each row has before; None: none.
        memory: what an encoder gave; None: there is none.

    Attributes:
        new: the cache of each layer that ran, with the new tokens.
        heads: the keys and values of each layer that attends to what the encoder gave.
        attention: the paths of the layers that asked for one.
        segments: ids that say that all tokens are of one text, where the model has such an input.
        shape: (batch, time) of the new tokens, once they are there.
        given: positions, as layers got them.
    """

    def __init__(
        self,
        length: int,
        cache: Cache | None,
        positions: jax.Array | None,
        memory: Memory | None = None,
    ) -> None:
        self.memory = memory
        self.heads: Cache = {}
        self.length = length
        self.cache = cache
        self.first = positions
        self.new: Cache = {}
        self.attention: set[Path] = set()
        self.segments: jax.Array | None = None
        self.shape: tuple[int, int] | None = None
        self.given: list[jax.Array] = []

    # ------------------------------------------------------------ what attention asks for

    def cache_of(self, path: Path) -> "LayerCache":
        """The cache of the attention layer at a path."""
        name = "/".join(path)
        if name in self.new or name in self.heads:
            raise Uncached(f"the layer '{name}' is called twice")
        self.attention.add(path)
        return LayerCache(self, name)

    def positions(self, shape: tuple[int, int]) -> jax.Array:
        """The positions of the new tokens, (batch, time).

        Raises:
            Uncached: that is another shape than that of the tokens.
        """
        if self.shape is not None and tuple(shape) != self.shape:
            raise Uncached(f"positions of shape {tuple(shape)} for tokens of shape {self.shape}")
        positions = self._positions(shape)
        self.given.append(positions)
        return positions

    def _positions(self, shape: tuple[int, int]) -> jax.Array:
        """The positions of new tokens of a shape."""
        counted = jnp.broadcast_to(jnp.arange(shape[1]), shape)
        return counted if self.first is None else counted + self.first[:, None]

    def is_positions(self, positions: Any) -> bool:
        """Whether these are positions that `positions` gave."""
        return any(positions is each for each in self.given)

    def refuse(self, what: str) -> None:
        """Raises the error for a layer that has no cache with what it has."""
        raise Uncached(what)

    def after(self, logits: jax.Array) -> Any:
        """The cache with the new tokens.

        Args:
            logits: that the pass gave.
        """
        return self.new

    def remembered(self) -> Memory | None:
        """What the encoder gave, with what attention made of it."""
        return None if self.memory is None else self.memory._replace(heads=self.heads)

    def inputs(self, model: Any, tokens: jax.Array) -> Any:
        """What a model is called with for new tokens (batch, time), all of one text."""
        self.shape = tuple(tokens.shape)
        self.segments = jnp.ones(tokens.shape, "int32")
        positions = self.positions(tokens.shape)
        return inputs_of(model, tokens, positions, self.segments, self.memory)

    # ------------------------------------------------------------ loops and transformations

    def inside(self, path: Path) -> "InBlocks":
        """The caches of the blocks of a loop."""
        return InBlocks(self, "/".join(path))

    def fork(self) -> "Decoding":
        """Of a pass within a transformation, whose caches come out by `join`."""
        inner = self.within(Decoding(self.length, self.cache, self.first, self.memory))
        inner.segments = self.segments
        return inner

    def within(self, inner: "Decoding") -> "Decoding":
        """A pass on the same tokens, in this one, which knows their positions."""
        inner.shape, inner.given = self.shape, self.given
        return inner

    def take(self) -> tuple[Cache, Cache]:
        """What was cached since the fork, of the tokens and of what an encoder gave."""
        return self.new, self.heads

    def join(self, inner: "Decoding", new: tuple[Cache, Cache]) -> None:
        """Takes what an inner pass cached."""
        self.new.update(new[0])
        self.heads.update(new[1])
        self.attention |= inner.attention


class LayerCache:
    """The cache of one attention layer.

    Args:
        decoding: of the pass.
        name: of the layer.
    """

    def __init__(self, decoding: Decoding, name: str) -> None:
        self._decoding = decoding
        self._name = name

    def before(
        self, key: jax.Array, value: jax.Array
    ) -> tuple[Cache, jax.Array | None, jax.Array, jax.Array]:
        """`(cache, position, key, value)` for `ops.attention_cached.extended`.

        Args:
            key, value: (batch, heads or groups, time, size), of the new tokens.
        """
        decoding = self._decoding
        if decoding.cache is not None:
            return decoding.cache[self._name], decoding.first, key, value
        batch, groups, _, size = key.shape
        sizes = batch, groups, decoding.length, size, value.shape[-1]
        return empty_cache(*sizes, key.dtype), None, key, value

    def keep(self, cache: Cache) -> None:
        """Takes the cache with the new tokens."""
        self._decoding.new[self._name] = cache

    def is_memory(self, *arrays: jax.Array) -> bool:
        """Whether these are what an encoder gave, as it came in."""
        memory = self._decoding.memory
        if memory is None:
            return False
        return all(any(x is one for one in memory.encoded.values) for x in arrays)

    def of_memory(
        self, project: Callable[[], tuple[jax.Array, jax.Array]]
    ) -> tuple[jax.Array, jax.Array]:
        """(keys, values) of what an encoder gave, (batch, heads, source, size): those of the pass
        before, or computed.
        """
        decoding = self._decoding
        if decoding.memory is None:
            self.refuse("no encoder to attend to")
        kept = decoding.memory.heads.get(self._name)
        if kept is None:
            kept = dict(zip(("key", "value"), project()))
        decoding.heads[self._name] = kept
        return kept["key"], kept["value"]

    def is_one_text(self, ids: Any) -> bool:
        """Whether ids of segments are those that say so for all tokens, and not others that came
        to be in the model.
        """
        segments = self._decoding.segments
        return segments is not None and all(each is segments for each in ids)

    def refuse(self, what: str) -> None:
        """Raises the error for attention that is not causal."""
        raise Uncached(f"the layer '{self._name}' has {what}")


class InBlocks:
    """The caches of a loop's blocks: those of each layer in a block, of all blocks along the first
    axis.
    """

    def __init__(self, decoding: Decoding, name: str) -> None:
        self._decoding = decoding
        self._name = name

    def before(self) -> Cache:
        """The caches that the loop goes over beside weights."""
        cache = self._decoding.cache
        return {} if cache is None else cache[self._name]

    def of_block(self, cache: Cache) -> Decoding:
        """The cache of one block, from its part of `before`."""
        decoding = self._decoding
        before = None if decoding.cache is None else cache
        return decoding.within(Decoding(decoding.length, before, decoding.first))

    def keep(self, new: Cache) -> None:
        """Takes what the blocks cached."""
        self._decoding.new[self._name] = new


def forward(
    model: Any,
    params: Any,
    state: Any,
    tokens: jax.Array,
    decoding: Decoding,
    at: Any = (),
    changes: Changes = (),
) -> tuple[jax.Array, dict]:
    """A forward pass on new tokens (batch, time): `(logits, seen)`; `decoding` has the cache with
    them.

    Args:
        at: as of `model.tap`.
        changes: what happens at places, of `changes_of`.

    Raises:
        Uncached: attention of the model has no cache.
    """
    inputs = decoding.inputs(model, tokens)
    if not at and not changes:
        return packing.forward(model, params, state, inputs, cache=decoding, rows=tokens.size), {}
    given = packing.unpacked(params), state, (inputs,), {}, as_keys(at), changes
    beyond = None if decoding.memory is not None else operations_of(model)
    y, _, seen = tapped(model, given, beyond=beyond, training=False, cache=decoding)
    return y, seen
