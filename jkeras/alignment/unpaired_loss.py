"""The loss of Kahneman-Tversky optimization: answers that are good or bad, not in pairs."""

import jax
import jax.numpy as jnp
from jax.nn import sigmoid

from jkeras.core.errors import check_choice, explain
from jkeras.core.names.registry import public

LOSS_TYPES = ("kto", "apo_zero_unpaired")


@public("jkeras.alignment.kto_loss")
def kto_loss(
    ratios: jax.Array,
    labels: jax.Array,
    kl: jax.Array | float = 0.0,
    *,
    beta: float = 0.1,
    loss_type: str = "kto",
    weights: tuple[float, float] = (1.0, 1.0),
) -> jax.Array:
    """The losses of answers that are desirable or not (KTO, Ethayarajh et al. 2024,
    arXiv:2402.01306).

    Args:
        ratios: (batch,), log-probabilities of the answers, those of the reference subtracted.
        labels: (batch,), 1 for desirable answers, 0 for undesirable ones.
        kl: the point of reference, as `kto_kl` estimates it; "apo_zero_unpaired" has none.
        beta: how strongly the policy is held to the reference.
        loss_type: "kto", or "apo_zero_unpaired" (arXiv:2408.06266).
        weights: of desirable and of undesirable answers.

    Returns:
        (batch,) float32.

    Raises:
        ValueError: an unknown loss, a number out of its range.

    >>> print(kto_loss(jnp.zeros(2), jnp.array([1, 0])))
    [0.5 0.5]
    """
    checked(beta, loss_type, weights)
    if loss_type == "apo_zero_unpaired":
        kl = 0.0
    margin = beta * (jnp.asarray(ratios, "float32") - jax.lax.stop_gradient(kl))
    desirable, undesirable = weights
    return jnp.where(
        jnp.asarray(labels).astype(bool),
        desirable * sigmoid(-margin),
        undesirable * sigmoid(margin),
    )


def checked(beta: float, loss_type: str, weights: tuple[float, float]) -> None:
    """Raises ValueError as `kto_loss` does."""
    check_choice("loss_type", loss_type, LOSS_TYPES, "kto_loss")
    if not beta > 0:
        raise ValueError(explain("kto_loss", "`beta` above 0", f"beta={beta}"))
    if min(weights) < 0:
        raise ValueError(explain("kto_loss", "`weights` of 0 or more", f"weights={weights}"))


@public("jkeras.alignment.kto_kl")
def kto_kl(ratios: jax.Array) -> jax.Array:
    """How far the policy is from the reference, at least 0 and without a gradient: the mean over a
    batch.

    Args:
        ratios: (batch,) log-ratios of prompts with answers to other prompts.

    >>> print(kto_kl(jnp.array([1.0, 3.0])), kto_kl(jnp.array([-1.0])))
    2.0 0.0
    """
    mean = jnp.mean(jnp.asarray(ratios, "float32"))
    return jax.lax.stop_gradient(jnp.maximum(mean, 0))
