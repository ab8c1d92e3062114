"""What travels beside arrays in a forward pass: masks, the logits of probabilities, and what logits
are made of.
"""

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


class Head(typing.NamedTuple):
    """What makes logits, of each position by itself.

    Attributes:
        inputs: (…, features), one for each position of the logits.
        weights: a pytree of arrays.
        product: `(weights, inputs) -> logits`, of some of the positions.
        chunks: in how many chunks of them the loss is to be computed.
    """

    inputs: jax.Array
    weights: typing.Any
    product: typing.Callable[[typing.Any, jax.Array], jax.Array]
    chunks: int


def note_head(
    flow: typing.Any,
    logits: jax.Array,
    inputs: jax.Array,
    weights: typing.Any,
    product: typing.Callable,
) -> None:
    """Lets a loss of a pass know how logits were made, of which it then takes some at a time."""
    flow.heads.append((logits, Head(inputs, weights, product, flow.loss_chunks)))


def head_beside(logits: typing.Any) -> Head | None:
    """What made logits, if the pass knows, and asks for the loss in chunks; else None."""
    flow = current_flow()
    for noted, head in () if flow is None else flow.heads:
        if noted is logits:
            return head
    return None


def carry_head(logits: typing.Any, cast: typing.Any) -> None:
    """Lets what is known of logits hold for them in another dtype."""
    head = head_beside(logits)
    if head is None or cast is logits:
        return

    def product(weights: typing.Any, inputs: jax.Array) -> jax.Array:
        return head.product(weights, inputs).astype(cast.dtype)

    note_head(current_flow(), cast, head.inputs, head.weights, product)
