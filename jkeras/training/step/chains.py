"""Chains of equal layers in a model: each takes what the one before gives, and nobody else does."""

import math
from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any

from jkeras.core.layer.equality import value_key
from jkeras.core.layer import Layer
from jkeras.core.run.tracebacks import is_built_in

# a loop over fewer layers saves little of the compiler's time
FEWEST = 64
# parameters of a layer: a loop copies them in each of its turns, which costs more than it saves
# where they are many
MOST_PARAMETERS = 20_000


def chains_of(model: Any) -> list[list[Layer]]:
    """The chains of equal layers of a `Sequential` or functional model that may run in a loop over
    one layer: as many and as small ones as are worth it, of jkeras's own, whose weights are all
    trainable, that add no losses, sample nothing and do the same in training and outside of it.

    >>> import jkeras
    >>> equal = [jkeras.layers.Dense(4) for _ in range(FEWEST + 1)]
    >>> model = jkeras.Sequential([jkeras.Input((3,)), *equal, jkeras.layers.Dense(1)])
    >>> [len(chain) for chain in chains_of(model)]
    [64]
    """
    lines = model.layers_in_lines()
    counts = Counter(layer for line in lines for layer in line)
    chains = [chain for line in lines for chain in _equal(line, counts)]
    return [chain for chain in chains if len(chain) >= FEWEST]


def _equal(line: list[Any], counts: Counter) -> Iterator[list[Layer]]:
    """What stands in a line side by side, is equal and is there once."""
    chain, last = [], None
    for layer in line:
        key = _key(layer) if counts[layer] == 1 else None
        if key is None or key != last:
            yield chain
            chain = []
        if key is not None:
            chain.append(layer)
        last = key
    yield chain


def _key(layer: Any) -> Hashable:
    """What layers that may run in one loop have in common; None for one that may not."""
    if not isinstance(layer, Layer) or not is_built_in(layer) or not _is_simple(layer):
        return None
    kind, _, arguments = value_key(layer)  # the name plays no part
    return kind, arguments, tuple((v.name, v.shape, v.dtype) for v in layer.weights)


def _is_simple(layer: Layer) -> bool:
    """Whether the layer is a function of its weights and one input alone."""
    special = (
        layer.traits.has_children,
        layer.traits.is_stateful,
        layer.call_context,
        layer.traits.convolves,  # XLA:CPU is slow with these in a loop, see `pace`
        layer.activity_regularizer,
        layer.remat_scope,
        any(v.regularizer or v.constraint or v.layout for v in layer.weights),
    )
    knows = layer.built and layer.traits.is_batchwise and layer.supports_masking
    weights = layer.weights
    learns = bool(weights) and len(layer.trainable_weights) == len(weights)
    is_small = sum(math.prod(v.shape) for v in weights) <= MOST_PARAMETERS
    return knows and learns and is_small and not any(special)
