"""The loss of group relative policy optimization: answers with rewards, compared in groups."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import check_choice, explain
from jkeras.core.names.registry import public
from jkeras.losses.reduction import reduce_weighted_values

LOSS_TYPES = ("grpo", "bnpo", "dr_grpo")
SCALES = ("group", "batch", "none")
SMALL = 1e-4  # is added to standard deviations, as in trl
FARTHEST = 20.0  # log-ratios beyond it, whose exponentials are no numbers, have no gradient


@public("jkeras.alignment.group_advantages")
def group_advantages(rewards: jax.Array, scale: str = "group") -> jax.Array:
    """How much better each answer is than the others to its prompt.

    Args:
        rewards: (prompts, answers).
        scale: the difference to the group's mean is divided by the standard deviation of the
            "group" (arXiv:2402.03300), of the whole "batch" (arXiv:2508.08221), or by "none"
            (arXiv:2503.20783).

    Returns:
        The same shape, float32. A group of equal rewards has 0.

    Raises:
        ValueError: groups of fewer than two answers, an unknown scale.

    >>> print(group_advantages(jnp.array([[1.0, 3.0], [2.0, 2.0]]), "none"))
    [[-1.  1.]
     [ 0.  0.]]
    """
    check_choice("scale", scale, SCALES, "group_advantages")
    rewards = jnp.asarray(rewards, "float32")
    if rewards.ndim != 2 or rewards.shape[1] < 2:
        expected = "rewards (prompts, answers), with two answers or more to a prompt"
        raise ValueError(explain("group_advantages", expected, f"shape {rewards.shape}"))
    centred = rewards - jnp.mean(rewards, axis=1, keepdims=True)
    if scale == "none":
        return centred
    if scale == "group":
        deviation = jnp.std(rewards, axis=1, keepdims=True, ddof=1)
    else:
        deviation = jnp.std(rewards, ddof=1)
    return centred / (deviation + SMALL)


@public("jkeras.alignment.grpo_loss")
def grpo_loss(
    logps: jax.Array,
    batch: Mapping[str, Any],
    *,
    beta: float = 0.0,
    epsilon: tuple[float, float] = (0.2, 0.2),
    loss_type: str = "grpo",
    max_completion_length: int | None = None,
) -> jax.Array:
    """The clipped loss of answers with advantages (GRPO, Shao et al. 2024, arXiv:2402.03300).

    Args:
        logps: (batch, time), log-probabilities of the tokens.
        batch: "advantages" (batch,); "mask" (batch, time), 1 for tokens of answers; and where they
            are known "old_logps" (batch, time) of the policy that wrote them, and "ref_logps" of
            the reference. Without "old_logps" the policy itself wrote them just now.
        beta: factor of the divergence from the reference.
        epsilon: how far below and above 1 the ratio of new and old probability counts.
        loss_type: the mean over answers of the mean over tokens, "grpo"; over all tokens, "bnpo"
            (arXiv:2503.14476); or "dr_grpo" (arXiv:2503.20783), which divides by the number of
            answers times `max_completion_length`, so that no length is preferred.
        max_completion_length: for "dr_grpo".

    Returns:
        A number.

    Raises:
        ValueError: an unknown loss, what it needs and has not, a number out of its range.

    >>> batch = {"advantages": jnp.array([1.0, -1.0]), "mask": jnp.ones((2, 3))}
    >>> print(grpo_loss(jnp.zeros((2, 3)), batch))
    0.0
    """
    checked(beta, epsilon, loss_type, max_completion_length)
    mask = jnp.asarray(batch["mask"]).astype("float32")
    values, _ = token_losses(logps, batch, beta=beta, epsilon=epsilon)
    return reduced(values, mask, loss_type, max_completion_length)


def token_losses(
    logps: jax.Array, batch: Mapping[str, Any], *, beta: float, epsilon: tuple[float, float]
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """(losses (batch, time), what they were made of: "kl", and "clipped" where the ratio was out of
    range). What the mask leaves out is 0.
    """
    counts = jnp.asarray(batch["mask"]).astype(bool)
    logps = jnp.where(counts, jnp.asarray(logps, "float32"), 0)
    old = batch.get("old_logps")
    if old is None:
        old = jax.lax.stop_gradient(logps)
    ratio = _exp(logps - jnp.where(counts, old, 0))
    advantages = jnp.asarray(batch["advantages"], "float32")[:, None]
    low, high = epsilon
    clipped = jnp.clip(ratio, 1 - low, 1 + high)
    values = -jnp.minimum(ratio * advantages, clipped * advantages)
    is_clipped = (clipped * advantages < ratio * advantages) & counts
    kl = jnp.zeros_like(values)
    if beta:
        kl = _divergence(logps, jnp.where(counts, _reference_of(batch), 0))
        values = values + beta * kl
    return jnp.where(counts, values, 0), {"kl": kl, "clipped": is_clipped.astype("float32")}


def _reference_of(batch: Mapping[str, Any]) -> jax.Array:
    if "ref_logps" not in batch:
        expected = "'ref_logps' in the batch, since `beta` is not 0"
        raise ValueError(explain("grpo_loss", expected, f"{sorted(batch)}"))
    return batch["ref_logps"]


def _divergence(logps: jax.Array, reference: jax.Array) -> jax.Array:
    """The estimate of the divergence that is never below 0 and has little variance (Schulman 2020,
    "k3").
    """
    difference = jnp.asarray(reference, "float32") - logps
    return _exp(difference) - difference - 1


def _exp(difference: jax.Array) -> jax.Array:
    return jnp.exp(jnp.clip(difference, -FARTHEST, FARTHEST))


def reduced(
    values: jax.Array,
    mask: jax.Array,
    loss_type: str,
    max_completion_length: int | None = None,
    sample_weight: jax.Array | None = None,
) -> jax.Array:
    """Losses of tokens as one number."""
    if loss_type == "bnpo":
        weights = mask
        if sample_weight is not None:
            values = values * sample_weight.reshape(-1, 1)
        return reduce_weighted_values(values, weights, None, "mean_with_sample_weight")
    sums = jnp.sum(values * mask, axis=-1)
    if loss_type == "grpo":
        sums = sums / jnp.maximum(jnp.sum(mask, axis=-1), 1)
    else:
        sums = sums / max_completion_length
    return reduce_weighted_values(sums, sample_weight)


def checked(
    beta: float, epsilon: tuple[float, float], loss_type: str, max_completion_length: int | None
) -> None:
    """Raises ValueError as `grpo_loss` does."""
    check_choice("loss_type", loss_type, LOSS_TYPES, "grpo_loss")
    if not beta >= 0:
        raise ValueError(explain("grpo_loss", "`beta` of 0 or more", f"beta={beta}"))
    low, high = epsilon
    if not 0 <= low <= 1 or not high >= 0:
        expected = "`epsilon` of two numbers of 0 or more, the first at most 1"
        raise ValueError(explain("grpo_loss", expected, f"epsilon={epsilon}"))
    if loss_type == "dr_grpo" and not max_completion_length:
        expected = "`max_completion_length` for loss_type='dr_grpo'"
        raise ValueError(explain("grpo_loss", expected, f"{max_completion_length}"))
