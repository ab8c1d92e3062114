"""What travels beside arrays in a forward pass: masks, and the logits of probabilities."""

import typing

import jax

from jkeras.kernel.masks_on import mask_on
from jkeras.kernel.scope import current_flow


def mask_beside(array: typing.Any) -> jax.Array | None:
    """The mask that travels beside an array, known to the pass that is going on or set on the
    array; else None.
    """
    flow = current_flow()
    return mask_on(array) if flow is None else flow.mask_of(array)


def note_logits(probabilities: jax.Array, logits: jax.Array, axis: typing.Any) -> None:
    """Lets a loss of this pass know of what probabilities are the softmax."""
    flow = current_flow()
    if flow is not None and isinstance(axis, int):
        flow.logits[id(probabilities)] = probabilities, logits, axis % logits.ndim


def logits_beside(probabilities: jax.Array, axis: int) -> jax.Array | None:
    """The logits whose softmax along an axis these probabilities are, if the pass knows; else
    None.
    """
    flow = current_flow()
    entry = None if flow is None else flow.logits.get(id(probabilities))
    if entry is None or entry[2] != axis % probabilities.ndim:
        return None
    return entry[1]


def log_odds_beside(probabilities: jax.Array) -> jax.Array | None:
    """The numbers whose sigmoid these probabilities are, if the pass was asked to keep them and
    this was one of its last; else None.
    """
    flow = current_flow()
    sigmoids = None if flow is None else flow.sigmoids
    for noted, log_odds in sigmoids or ():
        if noted is probabilities:
            return log_odds
    return None
