"""What a decoder looks at beside its own text, as a value: what an encoder made of its inputs, and
the keys and values that attention makes of that, once for a text.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from jkeras.core.graph.halves import Encoded, ForEncoder, halves_of
from jkeras.core.run.tap_changes import Changes
from jkeras.core.run.tapping import run_tapped
from jkeras.kernel import apply as kernel

Source = dict[str, Any]  # the inputs of an encoder by their names, (batch, ...)


class Memory(NamedTuple):
    """A pytree of arrays (batch, ...).

    Attributes:
        encoded: what the encoder gives; of a model without a graph its inputs.
        heads: {layer: {"key", "value"}} of attention to it, (batch, heads, source, size).
    """

    encoded: Encoded
    heads: dict[str, Any]


def encoded(model: Any, params: Any, state: Any, source: Source, changes: Changes = ()) -> Memory:
    """What the encoder of a model gives, pure. A model without a graph has no half that could run
    alone: the inputs are kept.

    Args:
        changes: what happens at places in the encoder, of `changes_of`.
    """
    halves = halves_of(model)
    if halves is None:
        values = tuple(source.values())
        return Memory(Encoded(values, (None,) * len(values)), {})
    x = ForEncoder([source[name] for name in halves.source])
    if not changes:
        return Memory(kernel.apply(model, params, state, (x,), {}, training=False)[0], {})
    given, _, taps = run_tapped(model, params, state, (x,), {}, [], changes, training=False)
    taps.results()  # which sees that each change was made
    return Memory(given, {})


def shapes_of(source: Source, batch: int) -> Source:
    """The inputs of so many rows, by their shapes."""
    return {
        name: jax.ShapeDtypeStruct((batch, *value.shape[1:]), value.dtype)
        for name, value in source.items()
    }


def memory_shapes(model: Any, params: Any, state: Any, source: Mapping[str, Any]) -> Memory:
    """What the encoder gives, by its shapes."""
    return jax.eval_shape(lambda *args: encoded(model, *args), params, state, dict(source))
