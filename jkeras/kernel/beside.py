"""What travels beside arrays in a forward pass: masks, and the logits of probabilities."""

import typing

import jax

from jkeras.kernel.scope import current_flow


def mask_beside(array: typing.Any) -> jax.Array | None:
    """The mask that travels beside an array, known to the pass that is going on or set on the
    array; else None.
    """
    flow = current_flow()
    if flow is None:
        return getattr(array, "_keras_mask", None)
    return flow.mask_of(array)


def note_logits(probabilities: jax.Array, logits: jax.Array, axis: typing.Any) -> None:
    """Lets a loss of this pass know of what probabilities are the softmax."""
    flow = current_flow()
    if flow is not None and isinstance(axis, int):
        flow.logits[id(probabilities)] = probabilities, logits, axis % logits.ndim


def note_log_odds(probabilities: jax.Array, log_odds: jax.Array) -> None:
    """Lets who asks in this pass know of what probabilities are the sigmoid."""
    flow = current_flow()
    if flow is not None:
        flow.logits[id(probabilities)] = probabilities, log_odds, None


def logits_beside(probabilities: jax.Array, axis: int | None) -> jax.Array | None:
    """The logits of which these probabilities are the softmax along an axis, or with `axis=None`
    the sigmoid, if the pass knows; else None.
    """
    flow = current_flow()
    entry = None if flow is None else flow.logits.get(id(probabilities))
    if entry is None:
        return None
    _, logits, noted = entry
    wanted = None if axis is None else axis % probabilities.ndim
    return logits if noted == wanted else None
