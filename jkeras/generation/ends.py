"""The logits behind texts: of their last tokens alone, and nothing of the others but what these
look at. Most of the last block and all of the head runs for one token of each row.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.generation import packing
from jkeras.generation.decoding import Decoding
from jkeras.programs.calls import with_program
from jkeras.programs.selection import run_at_positions

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr

Tree = Any
Values = tuple[Tree, Tree]  # parameters and state


def logits_at(
    model: Any, values: Values, tokens: jax.Array, decoding: Decoding, positions: jax.Array
) -> jax.Array:
    """A forward pass on new tokens (batch, time): the logits (batch, vocabulary) of one position of
    each row; `decoding` has the cache with them.

    Args:
        positions: (batch,).
    """
    params, state = values
    cached = packing.Cached(model, state, decoding.inputs(model, tokens), decoding)
    outputs = packing.by_copies(selected(cached.run, positions), params)
    return cached.joined(outputs)[:, 0]


def selected(function: Callable, positions: jax.Array) -> Callable:
    """A function of parameters whose first output, (batch, time, ...), is computed for one position
    of each row: (batch, 1, ...).

    Args:
        function: `params -> (output, others)`.

    >>> product = lambda w: (jnp.ones((2, 9, 4)) @ w, None)
    >>> selected(product, jnp.array([3, 8]))(jnp.ones((4, 5)))[0].shape
    (2, 1, 5)
    """

    def run(program: "ClosedJaxpr", leaves: list) -> list:
        return run_at_positions(program, leaves, positions)

    return with_program(function, run)


def at_positions(logits: jax.Array, positions: jax.Array) -> jax.Array:
    """(batch, time, vocabulary) at one position of each row."""
    return jnp.take_along_axis(logits, positions[:, None, None], axis=1)[:, 0]
