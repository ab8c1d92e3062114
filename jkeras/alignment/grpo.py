"""A model that learns from the rewards of the answers that it writes itself."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.alignment.aligned import Aligned
from jkeras.alignment.group_loss import checked, reduced, token_losses
from jkeras.core.errors import explain
from jkeras.core.names import registry

if TYPE_CHECKING:
    from jkeras.alignment.rollouts import Rollouts


@registry.public("jkeras.alignment.GRPO")
class GRPO(Aligned):
    """Trains a model of language on rewards: of each group of answers to a prompt, those that are
    better than the others become likelier (Shao et al. 2024, arXiv:2402.03300).

    `fit` takes what `rollouts` gives, whose answers the model writes at the beginning of each
    epoch; or a dict of your own: "tokens", (batch, time) with their prompts, "mask", 1 for tokens
    of the answer, "advantages" (batch,), and where they are known "old_logps" (batch, time - 1) of
    the policy that wrote them, "ref_logps" likewise, "rewards" (batch,), which are reported.

    Args:
        model: the model to train; it is the trained one afterwards.
        reference: a frozen model; None: the base under an adapter, where `beta` is not 0.
        beta, epsilon, loss_type, max_completion_length: as of `grpo_loss`. "bnpo" is the mean over
            the tokens of a whole step, in however many microbatches.
        temperature: with which answers are sampled, and by which logits are divided.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> model = jkeras.Model(tokens, jkeras.layers.Dense(9)(jkeras.layers.Embedding(9, 4)(tokens)))
    >>> grpo = GRPO(model)
    >>> grpo.compile("adam")
    >>> def reward(prompts, answers):
    ...     return [float((answer == 5).sum()) for answer in answers]
    >>> rollouts = grpo.rollouts([[1, 2], [3]], reward, num_generations=4, max_length=6)
    >>> history = grpo.fit(rollouts, epochs=2, verbose=0)
    >>> sorted(history.history)
    ['clip_ratio', 'kl', 'loss', 'reward']
    """

    texts: ClassVar = {"tokens": "mask"}
    needed: ClassVar = ("advantages",)
    reported: ClassVar = ("clip_ratio", "kl", "reward")

    def __init__(
        self,
        model: Any,
        reference: Any = None,
        beta: float = 0.0,
        epsilon: tuple[float, float] = (0.2, 0.2),
        loss_type: str = "grpo",
        max_completion_length: int | None = None,
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        checked(beta, epsilon, loss_type, max_completion_length)
        if not temperature > 0:
            raise ValueError(explain("GRPO", "`temperature` above 0", f"{temperature}"))
        super().__init__(model, reference, **kwargs)
        self.beta, self.epsilon, self.loss_type = beta, tuple(epsilon), loss_type
        self.max_completion_length, self.temperature = max_completion_length, temperature

    def call(self, inputs: Any, training: bool | None = None) -> jax.Array:
        """(batch, time - 1), the log-probabilities of the answers' tokens."""
        self._check_names(inputs)
        return self.log_probs(inputs["tokens"], inputs["mask"], training)

    def name_of_reference(self, tokens: str) -> str:
        """The name in the data of what the reference says of a text."""
        return "ref_logps"

    def summed(self, log_probs: Any) -> Any:
        """What is kept of log-probabilities of tokens: all of them."""
        return log_probs

    def values(self, x: Any, y_pred: Any, sample_weight: Any) -> tuple[jax.Array, dict]:
        """(the loss, what is reported by name)."""
        batch = {**x, "mask": x["mask"][:, 1:]}
        if self.beta:
            batch["ref_logps"] = self.reference_of(x, "tokens")
        mask = batch["mask"].astype("float32")
        losses, told = token_losses(y_pred, batch, beta=self.beta, epsilon=self.epsilon)
        loss = reduced(losses, mask, self.loss_type, self.max_completion_length, sample_weight)
        count = jnp.maximum(jnp.sum(mask), 1)
        told = {"kl": jnp.sum(told["kl"]) / count, "clip_ratio": jnp.sum(told["clipped"]) / count}
        if "rewards" in x:
            told["reward"] = x["rewards"]
        return loss, told

    def rollouts(
        self,
        prompts: Sequence[Sequence[int]],
        reward: Callable[[list[np.ndarray], list[np.ndarray]], Sequence[float]],
        *,
        max_length: int,
        num_generations: int = 8,
        batch_size: int | None = None,
        **options: Any,
    ) -> "Rollouts":
        """Answers of the model with their rewards, written anew at the beginning of each epoch.

        Args:
            prompts: lists of tokens.
            reward: function `(prompts, answers) -> numbers`, one for each answer, the larger the
                better; both are lists of arrays of tokens.
            max_length: of a prompt with its answer, in tokens.
            num_generations: answers to a prompt, a group.
            batch_size: answers of a step; None: all of an epoch.
            options: `stop`, tokens that end an answer; `prompts_per_epoch`, as many, drawn
                anew each epoch, None: all; `num_iterations`, how often each answer is trained on;
                `scale_rewards`, as `scale` of `group_advantages`; `seed`; `top_k` and `top_p` of
                the sampler.

        Raises:
            ValueError: a number out of its range; prompts without room for an answer.
        """
        from jkeras.alignment.rollouts import Plan, Rollouts

        prompts = [np.asarray(prompt) for prompt in prompts]
        plan = Plan(max_length, num_generations, batch_size, **options)
        return Rollouts(self, prompts, reward, plan)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "beta": self.beta,
            "epsilon": list(self.epsilon),
            "loss_type": self.loss_type,
            "max_completion_length": self.max_completion_length,
            "temperature": self.temperature,
        }
