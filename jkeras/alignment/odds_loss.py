"""The loss of odds ratio preference optimization, which needs no reference."""

import math

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid

from jkeras.core.errors import explain
from jkeras.core.names.registry import public

LARGEST = -1e-6  # log-probabilities above it count as this: the odds of 1 are infinite


@public("jkeras.alignment.orpo_loss")
def orpo_loss(
    chosen: jax.Array, rejected: jax.Array, chosen_nll: jax.Array, *, beta: float = 0.1
) -> jax.Array:
    """The losses of pairs of answers: how unlikely the chosen one is, and `beta` times how little
    its odds exceed the other's (ORPO, Hong et al. 2024, arXiv:2403.07691).

    Args:
        chosen, rejected: (batch,), the mean log-probabilities of the answers by token.
        chosen_nll: (batch,), what is minimized beside: the mean of `-log p` over the chosen
            answer, or over the chosen text with its prompt, as trl takes it.
        beta: λ of the paper.

    Returns:
        (batch,) float32.

    Raises:
        ValueError: `beta` below 0.

    >>> log_probs = jnp.log(jnp.array([0.5]))
    >>> loss = orpo_loss(log_probs, log_probs, -log_probs, beta=1.0)
    >>> bool(jnp.allclose(loss, 2 * jnp.log(2.0)))
    True
    """
    if not beta >= 0:
        raise ValueError(explain("orpo_loss", "`beta` of 0 or more", f"beta={beta}"))
    log_odds = _log_odds(chosen) - _log_odds(rejected)
    return jnp.asarray(chosen_nll, "float32") - beta * log_sigmoid(log_odds)


def _log_odds(log_probs: jax.Array) -> jax.Array:
    """log(p / (1 - p)) of log p."""
    log_probs = jnp.minimum(jnp.asarray(log_probs, "float32"), LARGEST)
    is_small = log_probs < -math.log(2)  # each form where it loses no digits
    small = jnp.where(is_small, log_probs, -1.0)
    large = jnp.where(is_small, -0.5, log_probs)
    rest = jnp.where(is_small, jnp.log1p(-jnp.exp(small)), jnp.log(-jnp.expm1(large)))
    return log_probs - rest
