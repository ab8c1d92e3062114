"""The losses of direct preference optimization: which of two answers is better."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid, sigmoid

from jkeras.core.errors import check_choice, explain
from jkeras.core.names.registry import public

Pair = tuple[jax.Array, jax.Array]


class Ratios(NamedTuple):
    """What a loss of pairs follows from.

    Attributes:
        chosen, rejected: log-ratios of policy and reference.
        beta, smoothing: as of `dpo_loss`.
    """

    chosen: jax.Array
    rejected: jax.Array
    beta: float
    smoothing: float

    @property
    def margin(self) -> jax.Array:
        """By how much the implicit reward of the chosen answer is larger."""
        return self.beta * (self.chosen - self.rejected)


def _sigmoid(ratios: Ratios) -> jax.Array:
    right, wrong = log_sigmoid(ratios.margin), log_sigmoid(-ratios.margin)
    return -(1 - ratios.smoothing) * right - ratios.smoothing * wrong


def _robust(ratios: Ratios) -> jax.Array:
    right, wrong = log_sigmoid(ratios.margin), log_sigmoid(-ratios.margin)
    share = ratios.smoothing
    return (share * wrong - (1 - share) * right) / (1 - 2 * share)


def _hinge(ratios: Ratios) -> jax.Array:
    return jax.nn.relu(1 - ratios.margin)


def _ipo(ratios: Ratios) -> jax.Array:
    return (ratios.chosen - ratios.rejected - 1 / (2 * ratios.beta)) ** 2


def _exo_pair(ratios: Ratios) -> jax.Array:
    right, wrong = log_sigmoid(ratios.margin), log_sigmoid(-ratios.margin)
    wanted, other = math.log1p(-ratios.smoothing), math.log(ratios.smoothing)
    return jnp.exp(right) * (right - wanted) + jnp.exp(wrong) * (wrong - other)


def _nca_pair(ratios: Ratios) -> jax.Array:
    chosen, rejected = ratios.beta * ratios.chosen, ratios.beta * ratios.rejected
    below = log_sigmoid(-chosen) + log_sigmoid(-rejected)
    return -log_sigmoid(chosen) - 0.5 * below


def _bco_pair(ratios: Ratios) -> jax.Array:
    chosen, rejected = ratios.beta * ratios.chosen, ratios.beta * ratios.rejected
    return -log_sigmoid(chosen) - log_sigmoid(-rejected)


def _sppo_hard(ratios: Ratios) -> jax.Array:
    half = 0.5 / ratios.beta
    return (ratios.chosen - half) ** 2 + (ratios.rejected + half) ** 2


def _apo_zero(ratios: Ratios) -> jax.Array:
    return sigmoid(-ratios.beta * ratios.chosen) + sigmoid(ratios.beta * ratios.rejected)


def _apo_down(ratios: Ratios) -> jax.Array:
    return sigmoid(ratios.beta * ratios.chosen) + sigmoid(-ratios.margin)


LOSSES: Mapping[str, Callable[[Ratios], jax.Array]] = MappingProxyType(
    {
        "sigmoid": _sigmoid,
        "hinge": _hinge,
        "ipo": _ipo,
        "robust": _robust,
        "exo_pair": _exo_pair,
        "nca_pair": _nca_pair,
        "bco_pair": _bco_pair,
        "sppo_hard": _sppo_hard,
        "apo_zero": _apo_zero,
        "apo_down": _apo_down,
        "sigmoid_norm": _sigmoid,
    }
)
OF_MEANS = ("ipo", "sigmoid_norm")  # losses of log-ratios by token
SMOOTHED = MappingProxyType({"sigmoid": 0.0, "robust": 0.0, "exo_pair": 1e-3, "sigmoid_norm": 0.0})


@public("jkeras.alignment.dpo_loss")
def dpo_loss(
    policy: Pair,
    reference: Pair | None,
    *,
    beta: float = 0.1,
    loss_type: str = "sigmoid",
    label_smoothing: float | None = None,
    lengths: Pair | None = None,
) -> jax.Array:
    """The losses of pairs of answers, of which the first is preferred (DPO, Rafailov et al. 2023,
    arXiv:2305.18290).

    Args:
        policy: (chosen, rejected), the log-probabilities of the answers, each (batch,), as
            `answer_log_probs` sums them.
        reference: those of the frozen model; None: reference-free, as if all were equally likely.
        beta: how strongly the policy is held to the reference.
        loss_type: "sigmoid"; "hinge" (SLiC, arXiv:2305.10425); "ipo" (arXiv:2310.12036);
            "robust" (arXiv:2403.00409); "exo_pair" (arXiv:2402.00856); "nca_pair"
            (arXiv:2402.05369); "bco_pair" (arXiv:2404.04656, without its running shift);
            "sppo_hard" (arXiv:2405.00675); "apo_zero", "apo_down" (arXiv:2408.06266);
            "sigmoid_norm", of means by token. They have the names and numbers of trl.
        label_smoothing: the share of pairs that are taken to be the wrong way round; for "sigmoid"
            this is conservative DPO, which trl has no longer. By default 0, for "exo_pair" 0.001.
        lengths: numbers of tokens, (chosen, rejected), which "ipo" and "sigmoid_norm" divide by.

    Returns:
        (batch,) float32.

    Raises:
        ValueError: an unknown loss, a number out of its range, smoothing of a loss that has none,
            no `lengths` where they are needed.

    >>> loss = dpo_loss((jnp.array([-1.0]), jnp.array([-1.0])), None)
    >>> bool(jnp.allclose(loss, jnp.log(2.0)))
    True
    """
    smoothing = checked(beta, loss_type, label_smoothing)
    if reference is None:
        reference = (jnp.zeros(()), jnp.zeros(()))
    chosen, rejected = (
        jnp.asarray(ours, "float32") - jnp.asarray(theirs, "float32")
        for ours, theirs in zip(policy, reference)
    )
    if loss_type in OF_MEANS:
        if lengths is None:
            expected = f"`lengths` of the answers for loss_type={loss_type!r}"
            fix = "pass the counts that `answer_log_probs` gives"
            raise ValueError(explain("dpo_loss", expected, "None", fix))
        chosen, rejected = (
            ratio / jnp.maximum(length, 1) for ratio, length in zip((chosen, rejected), lengths)
        )
    return LOSSES[loss_type](Ratios(chosen, rejected, beta, smoothing))


def checked(beta: float, loss_type: str, label_smoothing: float | None) -> float:
    """The label smoothing of a loss, after all three are checked.

    Raises:
        ValueError: as of `dpo_loss`.
    """
    check_choice("loss_type", loss_type, LOSSES, "dpo_loss")
    if not beta > 0:
        raise ValueError(explain("dpo_loss", "`beta` above 0", f"beta={beta}"))
    default = SMOOTHED.get(loss_type, 0.0)
    smoothing = default if label_smoothing is None else label_smoothing
    if smoothing and loss_type not in SMOOTHED:
        expected = f"no `label_smoothing` for loss_type={loss_type!r}"
        fix = f"take one of {', '.join(SMOOTHED)}"
        raise ValueError(explain("dpo_loss", expected, f"label_smoothing={smoothing}", fix))
    is_low = loss_type == "exo_pair" and smoothing == 0
    if is_low or not 0 <= smoothing < 0.5:
        expected = "`label_smoothing` of at least 0, above it for 'exo_pair', and below a half"
        raise ValueError(explain("dpo_loss", expected, f"label_smoothing={smoothing}"))
    return float(smoothing)
