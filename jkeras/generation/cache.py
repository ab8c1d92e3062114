"""What attention keeps of the tokens before: a pytree of keys and values by the paths of layers,
which a forward pass takes and returns.
"""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.layer import Layer
from jkeras.core.weights.paths import walk
from jkeras.core.session.positions import positions_now
from jkeras.core.names.registry import public
from jkeras.core.run.tracebacks import is_built_in
from jkeras.generation.elementwise import is_elementwise
from jkeras.kernel import apply as kernel
from jkeras.kernel.observer import Observer
from jkeras.kernel.scope import Path
from jkeras.ops.attention_cached import empty_cache

Tree = Any
Cache = dict[str, Any]  # by "/".join(path)

# layers that give each position from this position alone, along whatever axis they normalize
POSITIONWISE = frozenset(
    """
    Activation ActivityRegularization Add AlphaDropout Average BatchNormalization Concatenate
    Dense Dropout ELU EinsumDense Embedding Functional GaussianDropout GaussianNoise
    GroupQueryAttention GroupedQueryAttention Identity InputLayer LayerNormalization LeakyReLU
    Masking Maximum Minimum MultiHeadAttention Multiply PositionEmbedding RMSNormalization ReLU
    Rescaling ReversibleEmbedding Sequential Softmax Stack Subtract TimeDistributed
    UnitNormalization
    """.split()
)
OPERATIONS = frozenset(
    """
    abs absolute add cast clip divide elu equal exp exp2 expm1 gelu glu greater greater_equal
    hard_sigmoid hard_silu hard_swish hard_tanh identity leaky_relu less less_equal log log1p
    log_sigmoid log_softmax logaddexp logical_and logical_not logical_or maximum minimum mod
    multiply negative not_equal one_hot power reciprocal relu relu6 rms_normalization rsqrt
    scale selu sigmoid sign silu sin cos softmax softplus softsign sparsemax sqrt square
    squareplus subtract swish tanh true_divide where
    """.split()
)


class Uncached(ValueError):
    """A model whose layers cannot be run on new tokens alone."""


class Decoding(Observer):
    """Observes a forward pass on new tokens: attention finds what was kept of the tokens
    before, and what it keeps now is collected.

    Args:
        length: how many positions the cache has.
        cache: as the pass before gave it; None: there are no tokens before.
        positions: (batch,), how many tokens each row has before; None: none.
    """

    def __init__(self, length: int, cache: Cache | None, positions: jax.Array | None) -> None:
        self.length = length
        self.cache = cache
        self.first = positions
        self.kept: Cache = {}

    # ------------------------------------------------------------ what attention asks for

    def cache_of(self, path: Path) -> "LayerCache":
        """What an attention layer at a path keeps."""
        name = "/".join(path)
        if name in self.kept:
            raise Uncached(f"the layer '{name}' is called twice")
        return LayerCache(self, name)

    def positions(self, shape: tuple[int, int]) -> jax.Array:
        """The positions of the new tokens, (batch, time)."""
        places = jnp.broadcast_to(jnp.arange(shape[1]), shape)
        return places if self.first is None else places + self.first[:, None]

    # ------------------------------------------------------------ as an observer

    def through(self, layer: Any, scope: Any, outputs: Any) -> Any:
        """Sees that a layer which ran looks at each position alone."""
        if not is_positionwise(layer, outputs):
            raise Uncached(f"the layer '{layer.name}' ({type(layer).__name__}) may look at others")
        return outputs

    def inside(self, path: Path) -> "InBlocks":
        """The caches of the blocks of a loop."""
        return InBlocks(self, "/".join(path))

    def fork(self) -> "Decoding":
        """Of a pass within a transformation, whose caches come out by `join`."""
        return Decoding(self.length, self.cache, self.first)

    def take(self) -> Cache:
        """What was kept since the fork."""
        return self.kept

    def join(self, inner: "Decoding", kept: Cache) -> None:
        """Takes what an inner pass kept."""
        self.kept.update(kept)


class LayerCache:
    """What one attention layer keeps.

    Args:
        decoding: of the pass.
        name: of the layer.
    """

    def __init__(self, decoding: Decoding, name: str) -> None:
        self._decoding = decoding
        self._name = name

    def before(self, key: jax.Array, value: jax.Array) -> tuple[Cache, jax.Array | None]:
        """`(cache, position)` for `ops.attention_cached.extended`.

        Args:
            key, value: (batch, heads or groups, time, size), of the new tokens.
        """
        decoding = self._decoding
        if decoding.cache is not None:
            return decoding.cache[self._name], decoding.first
        batch, groups, _, size = key.shape
        sizes = batch, groups, decoding.length, size, value.shape[-1]
        return empty_cache(*sizes, key.dtype), None

    def keep(self, cache: Cache) -> None:
        """Takes the cache with the new tokens."""
        self._decoding.kept[self._name] = cache

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

    def changes(self, count: int, shape_of: Callable) -> Cache:
        """What the loop goes over beside weights."""
        cache = self._decoding.cache
        return {} if cache is None else cache[self._name]

    def run(
        self, layer: Any, params: Tree, state: Tree, x: Any, cache: Cache, options: dict
    ) -> Any:
        """One block: `(y, state, what it keeps)`.

        Args:
            options: of `layer.apply`.
        """
        outer = self._decoding
        decoding = Decoding(outer.length, None if outer.cache is None else cache, outer.first)
        flow = {"training": options.pop("training"), "rng": options.pop("rng")}
        y, state = kernel.apply(layer, params, state, (x,), options, observer=decoding, **flow)
        return y, state, decoding.kept

    def keep(self, kept: Cache) -> None:
        """Takes what the blocks keep."""
        self._decoding.kept[self._name] = kept


# ---------------------------------------------------------------- what can be cached


def is_positionwise(layer: Any, outputs: Any) -> bool:
    """Whether a layer gives each position (batch, time, ...) from this position alone, or from
    those before by a cache.

    A layer of a user's own says so by an attribute `supports_cache = True`.
    """
    if not is_built_in(layer):
        return getattr(layer, "supports_cache", False)
    if type(layer).__name__ not in POSITIONWISE or not _has_known_activation(layer, outputs):
        return False
    if type(layer).__name__ == "EinsumDense" and not _keeps_positions(layer.equation):
        return False
    axis = getattr(layer, "axis", -1)
    axes = axis if isinstance(axis, (list, tuple)) else (axis,)
    last = getattr(outputs, "ndim", 0) - 1
    return all(a in (-1, last) for a in axes if isinstance(a, int))


def _has_known_activation(layer: Layer, outputs: Any) -> bool:
    """Whether the function of a layer, if it has one, looks at each position alone."""
    function = getattr(layer, "activation", None)
    if function is None:
        return True
    if isinstance(function, Layer):
        return is_positionwise(function, outputs)
    name = getattr(function, "__name__", "")
    is_ours = getattr(function, "__module__", "").startswith(("jkeras.", "jax."))
    is_known = is_ours and name in OPERATIONS
    return is_known or is_elementwise(function)


def _keeps_positions(equation: str) -> bool:
    """Whether the second axis of an einsum's first argument is that of its result, and not one of
    its kernel.

    >>> _keeps_positions("btf,fg->btg"), _keeps_positions("...f,fg->...g")
    (True, True)
    >>> _keeps_positions("btf,ts->bsf")
    False
    """
    inputs, kernel, result = re.split(",|->", equation.replace(" ", "").replace("...", "."))
    first, second = inputs[:2], result[:2]
    if "." in first:
        return first[0] == second[0] == "."
    return first == second and not set(first) & set(kernel)


def check_operations(model: Any) -> None:
    """Raises `Uncached` for operations of functional models that may bring positions together."""
    for _, module in walk(model):
        is_graph = isinstance(getattr(type(module), "operations", None), property)
        for operation in module.operations if is_graph else ():
            if not isinstance(operation, Layer) and not _is_elementwise(operation):
                raise Uncached(f"the operation `{operation.name}` may look at others")


def _is_elementwise(operation: Any) -> bool:
    op = getattr(operation, "op", None)
    name = None if op is None else op.function.__name__
    return name in OPERATIONS and operation.config.get("axis", -1) in (-1, None)


@public("jkeras.generation.positions")
def positions(tokens: jax.Array) -> jax.Array:
    """The positions of tokens (batch, time): 0, 1, ...; while tokens are generated with a cache,
    those that the new ones have in the whole.

    For layers of your own, which say `supports_cache = True` where they look at each position
    alone.

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


def forward(
    model: Any,
    params: Tree,
    state: Tree,
    tokens: jax.Array,
    length: int,
    cache: Cache | None = None,
    position: jax.Array | None = None,
) -> tuple[jax.Array, Cache]:
    """A forward pass on new tokens: `(logits, cache)`.

    Args:
        tokens: (batch, time).
        length: how many positions the cache has.
        cache: as the pass before gave it; None: these are the first tokens.
        position: (batch,), how many tokens each row has before.

    Raises:
        Uncached: a layer may look at other positions.
    """
    decoding = Decoding(length, cache, position)
    y, _ = kernel.apply(model, params, state, (tokens,), {}, training=False, observer=decoding)
    if jnp.shape(y)[:2] != tokens.shape:
        raise Uncached(f"tokens of shape {tokens.shape} give outputs of shape {jnp.shape(y)}")
    return y, decoding.kept


@public("jkeras.generation.init_cache")
def init_cache(model: Any, batch: int, max_length: int) -> Cache:
    """An empty cache: for each attention layer, by its path, keys and values (batch, heads,
    max_length, size) of zeros.

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
    check_operations(model)
    tokens = jax.ShapeDtypeStruct((batch, 1), "int32")

    def first(params: Tree, state: Tree, tokens: jax.Array) -> Tree:
        return forward(model, params, state, tokens, max_length)[1]

    shapes = jax.eval_shape(first, model.params, model.state, tokens)
    return jax.tree_util.tree_map(lambda v: jnp.zeros(v.shape, v.dtype), shapes)
