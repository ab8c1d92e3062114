"""PagedCache: keys and values in blocks, as a value."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.generation.decoding import Decoding, forward
from jkeras.generation.judging import check_cached
from jkeras.generation.paged.rounding import LARGEST

Tree = Any
Pools = dict[str, Any]  # by path: {"key", "value"}, in 8 bits also {"key_scale", "value_scale"}
BLOCK = 16


@public("jkeras.generation.PagedCache")
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PagedCache:
    """Keys and values in blocks of positions, a pytree. Rows share the blocks of one pool for each
    layer; a table says which blocks are whose (Kwon et al. 2023, arXiv:2309.06180).

    Attributes:
        pools: by the paths of layers, keys and values (blocks, heads, positions of a block, size);
            of blocks in a loop along one more axis before.
        table: int32 (rows, blocks of a row); a number behind the last block: none.
        length: how many positions a row may have.
        dtype: "int8", "float8_e4m3fn" or "float8_e5m2" of what is stored, beside a scale for each
            head and position; None: that of the model.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> x = jkeras.layers.Embedding(20, 8)(tokens)
    >>> attend = jkeras.layers.MultiHeadAttention(2, 4, name="attend")
    >>> model = jkeras.Model(tokens, attend(x, x, use_causal_mask=True))
    >>> cache = init_paged_cache(model, rows=3, max_length=64, blocks=5)
    >>> cache.pools["attend"]["key"].shape, cache.table.shape, cache.nbytes
    ((5, 2, 16, 4), (3, 4), 5120)
    """

    pools: Pools
    table: jax.Array
    length: int = dataclasses.field(metadata={"static": True})
    dtype: str | None = dataclasses.field(default=None, metadata={"static": True})

    @property
    def nbytes(self) -> int:
        """Of the pools."""
        return sum(values.nbytes for values in jax.tree.leaves(self.pools))


def is_layer(entry: Any) -> bool:
    """Whether an entry of pools is of one attention layer, and not of a loop around some."""
    return "key" in entry and not isinstance(entry["key"], dict)


def map_layers(function: Callable, pools: Pools, *others: Pools) -> Pools:
    """Pools of `function(entry, *entries of the others)` for each attention layer."""
    found = {}
    for name, entry in pools.items():
        call = function if is_layer(entry) else lambda *each: map_layers(function, *each)
        found[name] = call(entry, *(other[name] for other in others))
    return found


@public("jkeras.generation.init_paged_cache")
def init_paged_cache(
    model: Any,
    rows: int,
    max_length: int,
    blocks: int | None = None,
    block_size: int = BLOCK,
    dtype: str | None = None,
) -> PagedCache:
    """An empty cache in blocks, in which no row has one.

    Args:
        model: a built model.
        rows: how many texts share it.
        max_length: of a text.
        blocks: of each pool; None: as many as all rows may need.
        block_size: positions of a block.
        dtype: "int8", "float8_e4m3fn" or "float8_e5m2"; None: that of the model.

    Returns:
        `PagedCache`.

    Raises:
        ValueError: a layer of the model may look at other positions; fewer blocks than one text
            may need; another dtype.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> x = jkeras.layers.Embedding(20, 8)(tokens)
    >>> attend = jkeras.layers.MultiHeadAttention(2, 4, name="attend")
    >>> model = jkeras.Model(tokens, attend(x, x, use_causal_mask=True))
    >>> init_paged_cache(model, rows=1, max_length=40, dtype="int8").pools["attend"]["key"].shape
    (3, 2, 16, 4)
    """
    if dtype is not None and dtype not in LARGEST:
        expected = f"`dtype` None or one of {', '.join(map(repr, LARGEST))}"
        raise ValueError(explain("init_paged_cache", expected, f"{dtype!r}"))
    most = -(-max_length // block_size)
    blocks = rows * most if blocks is None else blocks
    if blocks < most:
        expected = f"{most} blocks or more, as many as one text of {max_length} tokens has"
        raise ValueError(explain("init_paged_cache", expected, f"{blocks}"))
    check_cached(model, model.params, model.state, 1)
    tokens = jax.ShapeDtypeStruct((1, 1), "int32")

    def first(params: Tree, state: Tree, tokens: jax.Array) -> Tree:
        decoding = Decoding(block_size, None, None)
        forward(model, params, state, tokens, decoding)
        return decoding.new

    shapes = jax.eval_shape(first, model.params, model.state, tokens)
    pools = map_layers(lambda entry: _empty(entry, blocks, dtype), shapes)
    table = jnp.full((rows, most), blocks, "int32")
    return PagedCache(pools, table, max_length, dtype)


def _empty(entry: dict[str, Any], blocks: int, dtype: str | None) -> dict[str, jax.Array]:
    """The pool of a layer, from the shapes of a cache of one row as long as a block."""
    pool = {}
    for name, values in entry.items():
        *before, _, heads, length, size = values.shape
        shape = (*before, blocks, heads, length, size)
        pool[name] = jnp.zeros(shape, values.dtype if dtype is None else dtype)
        if dtype is not None:
            pool[f"{name}_scale"] = jnp.ones(shape[:-1], "float32")
    return pool
