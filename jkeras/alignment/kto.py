"""A model that learns from answers that are good or bad, not in pairs."""

from typing import Any, ClassVar

import jax

from jkeras.alignment.aligned import Aligned
from jkeras.alignment.unpaired_loss import checked, kto_kl, kto_loss
from jkeras.core.names import registry
from jkeras.losses.reduction import reduce_weighted_values


@registry.public("jkeras.alignment.KTO")
class KTO(Aligned):
    """Trains a model of language on answers that are desirable or not (Ethayarajh et al. 2024,
    arXiv:2402.01306).

    `fit` takes a dict, as `unpaired` makes it: "answer", (batch, time) tokens with their prompts,
    "answer_mask", 1 for tokens of the answer; "label", 1 or 0; and "other", "other_mask", the
    prompts with answers to other prompts, by which the point of reference is estimated: in each
    batch, or microbatch, as its own. The reference is as of `DPO`.

    Args:
        model: the model to train; it is the trained one afterwards.
        reference: a frozen model, or None.
        beta, loss_type, weights: as of `kto_loss`.

    >>> import jkeras
    >>> from jkeras import alignment
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> model = jkeras.Model(tokens, jkeras.layers.Dense(9)(jkeras.layers.Embedding(9, 4)(tokens)))
    >>> kto = KTO(model)
    >>> data = alignment.unpaired([[1, 2], [3]], [[4], [5, 6]], [1, 0])
    >>> kto.compile("adam", lora={".*kernel": 2})
    >>> history = kto.fit(data, verbose=0)
    """

    texts: ClassVar = {"answer": "answer_mask", "other": "other_mask"}
    needed: ClassVar = ("label",)
    reported: ClassVar = ("kl",)

    def __init__(
        self,
        model: Any,
        reference: Any = None,
        beta: float = 0.1,
        loss_type: str = "kto",
        weights: tuple[float, float] = (1.0, 1.0),
        **kwargs: Any,
    ) -> None:
        checked(beta, loss_type, weights)
        super().__init__(model, reference, **kwargs)
        self.beta, self.loss_type, self.weights_of_labels = beta, loss_type, tuple(weights)

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, jax.Array]:
        """{"answer": (batch,), "other": (batch,)}, log-probabilities."""
        self._check_names(inputs)
        return self.both_sums(inputs, training)

    def values(self, x: Any, y_pred: Any, sample_weight: Any) -> tuple[jax.Array, dict]:
        """(the loss, what is reported by name)."""
        ratios = {name: y_pred[name] - self.reference_of(x, name) for name in self.texts}
        kl = kto_kl(ratios["other"])
        losses = kto_loss(
            ratios["answer"],
            x["label"],
            kl,
            beta=self.beta,
            loss_type=self.loss_type,
            weights=self.weights_of_labels,
        )
        return reduce_weighted_values(losses, sample_weight), {"kl": kl}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "beta": self.beta,
            "loss_type": self.loss_type,
            "weights": list(self.weights_of_labels),
        }
