"""The logits behind prompts, without those of all the tokens before: with a large vocabulary they
are most of a pass on a prompt, and of its memory.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.graph.ends import ForEnd, ForPositions, end_of
from jkeras.generation import packing
from jkeras.generation.decoding import Decoding, forward
from jkeras.kernel import apply as kernel
from jkeras.programs.positionwise import is_positionwise

Tree = Any
Values = tuple[Tree, Tree]  # parameters and state


def length_of_end(model: Any, params: Tree, state: Tree, batch: int) -> int:
    """How many operations at the end of a model are known to look at each position alone."""
    count = 0
    for node in reversed(end_of(model)):
        shape = node.input_tensors[0].shape
        if len(shape) < 3 or None in shape[2:]:
            return count
        value = jax.ShapeDtypeStruct((batch, 2, *shape[2:]), node.input_tensors[0].dtype)

        def run(value: jax.Array, count: int = count + 1) -> jax.Array:
            x = ForEnd(value, count)
            return kernel.apply(model, params, state, (x,), {}, training=False)[0]

        if not is_positionwise(run, value):
            return count
        count += 1
    return count


def logits_at(
    model: Any,
    values: Values,
    tokens: jax.Array,
    decoding: Decoding,
    end: tuple[int, jax.Array],
) -> jax.Array:
    """A forward pass on new tokens (batch, time): the logits (batch, vocabulary) of one position of
    each row; `decoding` has the cache with them.

    Args:
        end: (of `length_of_end`, the positions (batch,)).
    """
    count, positions = end
    if not count:
        logits, _ = forward(model, *values, tokens, decoding)
        return at_positions(logits, positions)
    x = ForPositions(decoding.inputs(model, tokens), positions, count)
    return packing.forward(model, *values, x, cache=decoding, rows=tokens.size)[:, 0]


def at_positions(logits: jax.Array, positions: jax.Array) -> jax.Array:
    """(batch, time, vocabulary) at one position of each row."""
    return jnp.take_along_axis(logits, positions[:, None, None], axis=1)[:, 0]
