"""The cache that an attention layer is passed, `layer(x, x, cache=..., position=...)`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.ops.attention_cached import Cache, is_ring

FIX = "make a cache by `layer.init_cache(batch, max_length)`"


class CallerCache:
    """A cache as an argument, which stands where a pass that writes text has its own; see
    `generation.decoding.LayerCache`.

    Args:
        where: the layer, for errors.
        window: how far the layer looks back.
        cache: `{"key", "value"}`.
        position: how many positions there are before, a number or one for each row; None: none.
    """

    def __init__(self, where: str, window: int | None, cache: Cache, position: Any) -> None:
        self.where, self.window = where, window
        self.cache, self.position = cache, position

    def before(
        self, key: jax.Array, value: jax.Array
    ) -> tuple[Cache, jax.Array | None, jax.Array, jax.Array]:
        """`(cache, position, key, value)` for `ops.attention_cached.extended`.

        Args:
            key, value: (batch, heads or groups, time, size), of the new positions.

        Raises:
            ValueError: the cache is not one for them, or has no room for them.
        """
        self._check_shapes({"key": key.shape, "value": value.shape})
        position = self._checked_position(key.shape[0])
        before = 0 if position is None else _largest(position)
        length, count = self.cache["key"].shape[2], key.shape[2]
        if before + count > length and not is_ring(length, self.window):
            expected = f"at most {length} positions, the length of the cache"
            raise ValueError(explain(self.where, expected, f"{before} + {count}", FIX))
        return self.cache, position, key, value

    def keep(self, cache: Cache) -> None:
        """Takes the cache with the new positions."""
        self.cache = cache

    def is_memory(self, *arrays: jax.Array) -> bool:
        """Whether these come from an encoder, which is not known here."""
        return False

    def is_one_text(self, ids: Any) -> bool:
        """Whether ids of segments say nothing; a caller may give any."""
        return False

    def refuse(self, what: str) -> None:
        """Raises the error for attention that has no cache."""
        expected = "with `cache=`, causal attention of (batch, time, features) to itself"
        raise ValueError(explain(self.where, expected, what))

    def _check_shapes(self, new) -> None:
        """Raises ValueError unless the cache has the shapes of new keys and values, and a length of
        its own.
        """
        batch, groups = new["key"][:2]
        sizes = {name: shape[3] for name, shape in new.items()}
        if isinstance(self.cache, dict) and set(self.cache) == set(new):
            shapes = {name: tuple(x.shape) for name, x in self.cache.items()}
            length = (shapes["key"][2:3] or (0,))[0]
            if shapes == {name: (batch, groups, length, size) for name, size in sizes.items()}:
                return
        else:
            shapes = f"{type(self.cache).__name__}: {self.cache!r}"
        each = ", ".join(f"'{k}': ({batch}, {groups}, length, {n})" for k, n in sizes.items())
        raise ValueError(explain(self.where, f"a cache of shapes {{{each}}}", shapes, FIX))

    def _checked_position(self, batch) -> Any:
        """The position as an array; None where nothing is before."""
        if self.position is None:
            return None
        position = jnp.asarray(self.position)
        is_whole = jnp.issubdtype(position.dtype, jnp.integer)
        if is_whole and position.shape in ((), (batch,)):
            return position
        expected = f"as `position` a whole number, or one for each of {batch} rows"
        received = f"{position.dtype}{list(position.shape)}"
        raise ValueError(explain(self.where, expected, received))


def _largest(position) -> Any:
    """The largest position where it is concrete, else 0."""
    if isinstance(position, jax.core.Tracer):
        return 0
    return int(np.max(np.asarray(position)))
