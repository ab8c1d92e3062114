"""Which positions of a text the tokens of a forward pass have."""

import jax
import jax.numpy as jnp

from jkeras.kernel.scope import current_flow


def positions_now(shape: tuple[int, int]) -> jax.Array:
    """The positions (batch, time) of tokens of this shape: 0, 1, ...; while text is generated with
    a cache, those that the new tokens have in the whole.

    >>> positions_now((1, 3))
    Array([[0, 1, 2]], dtype=int32)
    """
    flow = current_flow()
    if flow is not None and flow.cache is not None:
        return flow.cache.positions(shape)
    return jnp.broadcast_to(jnp.arange(shape[1]), shape)


def refuse_cache(what: str) -> None:
    """While text is generated with a cache, says that there is none with what a layer has, so that
    each token takes a pass over the whole text.
    """
    flow = current_flow()
    if flow is not None and flow.cache is not None:
        flow.cache.refuse(what)


def are_of_text(positions: jax.Array) -> bool:
    """Whether positions are those of the text itself: always so, but while text is generated with
    a cache, where only those that the pass has given are known to be.
    """
    flow = current_flow()
    if flow is None or flow.cache is None:
        return True
    return flow.cache.is_positions(positions)


def length_now(time: int) -> int:
    """How long the text is that `time` tokens are of: so long; while text is generated with a
    cache, as long as it may become.

    >>> length_now(3)
    3
    """
    flow = current_flow()
    if flow is not None and flow.cache is not None:
        return flow.cache.length
    return time
