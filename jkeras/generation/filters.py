"""Which tokens may be sampled: functions of logits (..., vocabulary) that leave -inf where a token
is left out. What they are told is one number, or one for each row, (..., 1).
"""

import jax
import jax.numpy as jnp

FEW = 64  # so many of the likeliest are found faster than all are sorted

Number = jax.Array | float


def keep_top_k(logits: jax.Array, count: jax.Array | int) -> jax.Array:
    """The `count` likeliest tokens, and those as likely as the last of them."""
    vocabulary = logits.shape[-1]
    if isinstance(count, int):
        count = min(count, vocabulary)
        least = jax.lax.top_k(logits, count)[0][..., -1:]
    else:
        least = _least_of(logits, count)
    return jnp.where(logits < least, -jnp.inf, logits)


def _least_of(logits: jax.Array, count: jax.Array) -> jax.Array:
    """The logit of the `count`-th likeliest token; -inf where there are no more."""
    vocabulary = logits.shape[-1]
    few = min(FEW, vocabulary)
    is_cut = count < vocabulary

    def of_few() -> jax.Array:
        best = jax.lax.top_k(logits, few)[0]
        return jnp.take_along_axis(best, jnp.minimum(count, few) - 1, axis=-1)

    def of_all() -> jax.Array:
        place = jnp.maximum(vocabulary - count, 0)
        return jnp.take_along_axis(jnp.sort(logits, axis=-1), place, axis=-1)

    are_few = (jnp.where(is_cut, count, 1) <= few).all()
    return jnp.where(is_cut, jax.lax.cond(are_few, of_few, of_all), -jnp.inf)


def keep_top_p(logits: jax.Array, tail: Number) -> jax.Array:
    """The fewest tokens whose probabilities add up to more than 1 - tail."""
    order = jnp.argsort(logits, axis=-1)
    ascending = jnp.take_along_axis(logits, order, axis=-1)
    below = jnp.cumsum(jax.nn.softmax(ascending, axis=-1), axis=-1)
    is_out = (below <= tail).at[..., -1].set(False)
    is_out = jnp.take_along_axis(is_out, jnp.argsort(order, axis=-1), axis=-1)
    return jnp.where(is_out & (jnp.asarray(tail) > 0), -jnp.inf, logits)


def keep_min_p(logits: jax.Array, share: Number) -> jax.Array:
    """The tokens with this share of the likeliest one's probability or more."""
    probabilities = jax.nn.softmax(logits, axis=-1)
    most = jnp.max(probabilities, axis=-1, keepdims=True)
    return jnp.where(probabilities < share * most, -jnp.inf, logits)


def keep_typical(logits: jax.Array, mass: Number) -> jax.Array:
    """The fewest tokens that have this mass together, of those whose information is nearest to the
    entropy, and those as near as the last of them (Meister et al. 2022, arXiv:2202.00666).
    """
    logs = jax.nn.log_softmax(logits, axis=-1)
    probabilities = jnp.exp(logs)
    entropy = -jnp.where(probabilities > 0, logs * probabilities, 0.0).sum(-1, keepdims=True)
    distance = jnp.abs(-logs - entropy)
    order = jnp.argsort(distance, axis=-1)
    nearest_first = jnp.take_along_axis(distance, order, axis=-1)
    together = jnp.cumsum(jnp.take_along_axis(probabilities, order, axis=-1), axis=-1)
    last = (together < mass).sum(-1, keepdims=True)
    last = jnp.minimum(last, logits.shape[-1] - 1)
    farthest = jnp.take_along_axis(nearest_first, last, axis=-1)
    is_out = (distance > farthest) & (jnp.asarray(mass) < 1)
    return jnp.where(is_out, -jnp.inf, logits)
