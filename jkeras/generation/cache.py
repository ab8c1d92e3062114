"""What attention keeps of the tokens before: a pytree of keys and values by the paths of layers,
which a forward pass takes and returns.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.names.registry import public
from jkeras.core.session.positions import positions_now
from jkeras.generation.decoding import Cache, Decoding, forward
from jkeras.generation.judging import check_cached

Tree = Any


@public("jkeras.generation.positions")
def positions(tokens: jax.Array) -> jax.Array:
    """The positions of tokens (batch, time): 0, 1, ...; while tokens are generated with a cache,
    those that the new ones have in the whole.

    For layers of your own, which say `supports_cache = True` where they look at each position
    alone.

    Args:
        tokens: (batch, time); only the shape counts.

    Returns:
        int32 (batch, time).

    >>> positions(jnp.zeros((1, 3)))
    Array([[0, 1, 2]], dtype=int32)
    """
    return positions_now(tokens.shape[:2])


# ---------------------------------------------------------------- passes


def map_rows(function: Callable, cache: Cache, *others: Cache, axis: int = 0) -> Cache:
    """A cache of `function(array, axis of the batch, *arrays of the others)` for each array.

    Args:
        others: of the same structure.
        axis: of the batch; one later for each loop around a layer.
    """
    if set(cache) == {"key", "value"} and not isinstance(cache["key"], dict):
        return {
            name: function(array, axis, *(other[name] for other in others))
            for name, array in cache.items()
        }
    is_layer = {name: set(entry) == {"key", "value"} for name, entry in cache.items()}
    return {
        name: map_rows(
            function,
            entry,
            *(other[name] for other in others),
            axis=axis if is_layer[name] else axis + 1,
        )
        for name, entry in cache.items()
    }


@public("jkeras.generation.init_cache")
def init_cache(model: Any, batch: int, max_length: int) -> Cache:
    """An empty cache: for each attention layer, by its path, keys and values (batch, heads,
    max_length, size) of zeros.

    Args:
        model: a built model.
        batch: the number of rows.
        max_length: how many positions there are for each, at most.

    Returns:
        a dict by the paths of layers, for `cache` of what is called with one.

    Raises:
        ValueError: a layer of the model may look at other positions.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> x = jkeras.layers.Embedding(20, 8)(tokens)
    >>> attend = jkeras.layers.MultiHeadAttention(2, 4, name="attend")
    >>> model = jkeras.Model(tokens, attend(x, x, use_causal_mask=True))
    >>> init_cache(model, 1, 16)["attend"]["key"].shape
    (1, 2, 16, 4)
    """
    check_cached(model, model.params, model.state, batch)
    tokens = jax.ShapeDtypeStruct((batch, 1), "int32")

    def first(params: Tree, state: Tree, tokens: jax.Array) -> Tree:
        decoding = Decoding(max_length, None, None)
        forward(model, params, state, tokens, decoding)
        return decoding.new

    shapes = jax.eval_shape(first, model.params, model.state, tokens)
    return jax.tree_util.tree_map(lambda v: jnp.zeros(v.shape, v.dtype), shapes)
