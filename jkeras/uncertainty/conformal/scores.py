"""How badly each class fits a row, by a model's probabilities: the scores of conformal sets."""

import jax
import jax.numpy as jnp


def of_classes(
    method: str, probabilities: jax.Array, uniforms: jax.Array, penalty: float, free_rank: int
) -> jax.Array:
    """The score of each class: (rows, classes) -> (rows, classes)."""
    if method == "lac":
        return 1 - probabilities
    return by_rank(probabilities, uniforms, penalty, free_rank)


def by_rank(
    probabilities: jax.Array, uniforms: jax.Array, penalty: float, free_rank: int
) -> jax.Array:
    """The probability of all classes down to this one, from the most probable on, less a share
    `uniforms` of its own, and the penalty for each rank after `free_rank`: (rows, classes) ->
    (rows, classes).
    """
    order = jnp.argsort(-probabilities, axis=-1)
    in_order = jnp.take_along_axis(probabilities, order, axis=-1)
    ranks = jnp.arange(1, probabilities.shape[-1] + 1)
    scores = jnp.cumsum(in_order, axis=-1) - uniforms[:, None] * in_order
    scores = scores + penalty * jnp.maximum(ranks - free_rank, 0)
    return jnp.take_along_axis(scores, jnp.argsort(order, axis=-1), axis=-1)
