"""Models that learn which of two answers is better."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jkeras.alignment.aligned import Aligned
from jkeras.alignment.log_probs import lengths_of
from jkeras.alignment.odds_loss import orpo_loss
from jkeras.alignment.pairs_loss import checked, dpo_loss
from jkeras.core.names import registry
from jkeras.losses.reduction import reduce_weighted_values

PAIR = ("chosen", "rejected")


class OfPairs(Aligned):
    """The base of models that take pairs of texts: their log-probabilities, in one pass."""

    texts: ClassVar = {"chosen": "chosen_mask", "rejected": "rejected_mask"}

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, jax.Array]:
        """{"chosen": (batch,), "rejected": (batch,)}, the log-probabilities of the answers."""
        self._check_names(inputs)
        return self.both_sums(inputs, training)

    def lengths(self, x: Any) -> tuple[jax.Array, jax.Array]:
        """The numbers of tokens of both answers."""
        return tuple(lengths_of(x[mask]) for mask in self.texts.values())


@registry.public("jkeras.alignment.DPO")
class DPO(OfPairs):
    """Trains a model of language on pairs of answers, of which one is preferred (direct preference
    optimization, Rafailov et al. 2023, arXiv:2305.18290).

    `fit` takes a dict: texts "chosen" and "rejected", (batch, time) tokens with their prompts, and
    "chosen_mask" and "rejected_mask", 1 for tokens of the answer; `pairs` makes it. The reference
    is, in this order: "ref_chosen_logps" and "ref_rejected_logps" in the data, which
    `with_reference` writes there; the model `reference`; the base under the adapter, where the
    model is trained by `compile(lora=…)`. Both answers go through the model in one pass.

    Args:
        model: the model to train; it is the trained one afterwards.
        reference: a frozen model, or None.
        beta, loss_type, label_smoothing: as of `dpo_loss`.
        reference_free: without a reference.

    Raises:
        ValueError: arguments as of `dpo_loss`; a model that is not built; no reference.

    >>> import jkeras
    >>> from jkeras import alignment
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> model = jkeras.Model(tokens, jkeras.layers.Dense(9)(jkeras.layers.Embedding(9, 4)(tokens)))
    >>> dpo = DPO(model)
    >>> data = alignment.pairs([[1, 2], [3]], [[4], [5, 6]], [[7], [8]])
    >>> dpo.compile("adam", lora={".*kernel": 2})
    >>> history = dpo.fit(data, verbose=0)
    >>> sorted(history.history)
    ['loss', 'reward_accuracy', 'reward_margin']
    """

    reported: ClassVar = ("reward_accuracy", "reward_margin")

    def __init__(
        self,
        model: Any,
        reference: Any = None,
        beta: float = 0.1,
        loss_type: str = "sigmoid",
        label_smoothing: float | None = None,
        reference_free: bool = False,
        **kwargs: Any,
    ) -> None:
        checked(beta, loss_type, label_smoothing)
        super().__init__(model, reference, **kwargs)
        self.beta, self.loss_type, self.label_smoothing = beta, loss_type, label_smoothing
        self.reference_free = reference_free

    def values(self, x: Any, y_pred: Any, sample_weight: Any) -> tuple[jax.Array, dict]:
        """(the loss, the mean rewards by name)."""
        policy, reference = tuple(y_pred[name] for name in PAIR), None
        shift = 0.0
        if not self.reference_free:
            reference = tuple(self.reference_of(x, name) for name in PAIR)
            shift = reference[0] - reference[1]
        losses = dpo_loss(
            policy,
            reference,
            beta=self.beta,
            loss_type=self.loss_type,
            label_smoothing=self.label_smoothing,
            lengths=self.lengths(x),
        )
        margin = self.beta * (policy[0] - policy[1] - shift)
        told = {"reward_margin": margin, "reward_accuracy": margin > 0}
        return reduce_weighted_values(losses, sample_weight), told

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "beta": self.beta,
            "loss_type": self.loss_type,
            "label_smoothing": self.label_smoothing,
            "reference_free": self.reference_free,
        }


@registry.public("jkeras.alignment.ORPO")
class ORPO(OfPairs):
    """Trains a model of language on pairs of answers without a reference: to write the chosen one,
    and that its odds exceed the other's (Hong et al. 2024, arXiv:2403.07691).

    `fit` takes what it does for `DPO`.

    Args:
        model: the model to train; it is the trained one afterwards.
        beta: λ of the paper.

    >>> import jkeras
    >>> from jkeras import alignment
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> model = jkeras.Model(tokens, jkeras.layers.Dense(9)(jkeras.layers.Embedding(9, 4)(tokens)))
    >>> orpo = ORPO(model)
    >>> orpo.compile("adam")
    >>> history = orpo.fit(alignment.pairs([[1]], [[4]], [[7]]), verbose=0)
    """

    reported: ClassVar = ("reward_accuracy", "nll")

    def __init__(self, model: Any, beta: float = 0.1, **kwargs: Any) -> None:
        super().__init__(model, None, **kwargs)
        self.beta = beta

    def values(self, x: Any, y_pred: Any, sample_weight: Any) -> tuple[jax.Array, dict]:
        """(the loss, what is reported by name)."""
        means = [
            y_pred[name] / jnp.maximum(length, 1) for name, length in zip(PAIR, self.lengths(x))
        ]
        losses = orpo_loss(*means, -means[0], beta=self.beta)
        told = {"reward_accuracy": means[0] > means[1], "nll": -means[0]}
        return reduce_weighted_values(losses, sample_weight), told

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data."""
        config = {**super().get_config(), "beta": self.beta}
        del config["reference"]
        return config
