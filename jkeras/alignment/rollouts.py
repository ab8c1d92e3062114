"""Answers that a model writes while it is trained, with their rewards, as batches for `fit`."""

import base64
import collections.abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.alignment.aligned import ROWS, Frozen, in_batches
from jkeras.alignment.group_loss import group_advantages
from jkeras.core.errors import check_whole, explain
from jkeras.generation import Generator, Sampler

if TYPE_CHECKING:
    from jkeras.alignment.grpo import GRPO

Rows = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Plan:
    """How answers are written and taken; see `GRPO.rollouts`."""

    max_length: int
    num_generations: int = 8
    batch_size: int | None = None
    stop: Sequence[int] | int = ()
    prompts_per_epoch: int | None = None
    num_iterations: int = 1
    scale_rewards: str = "group"
    seed: int = 0
    top_k: int | None = None
    top_p: float | None = None


class Rollouts:
    """An iterable of batches that writes answers at the beginning of each epoch, with the weights
    that the model has then. Its iterators tell where they are, with the answers, so that a
    training goes on from a checkpoint in the middle of an epoch.

    Args:
        grpo: the model that is trained.
        prompts, reward, plan: as of `GRPO.rollouts`.
    """

    def __init__(
        self, grpo: "GRPO", prompts: list[np.ndarray], reward: Callable, plan: Plan
    ) -> None:
        self.grpo, self.prompts, self.reward, self.plan = grpo, prompts, reward, plan
        self._check()
        sampler = Sampler(grpo.temperature, plan.top_k, plan.top_p)
        self.generator = Generator(grpo.model, plan.max_length, sampler, plan.stop)
        self._run = jax.jit(self._log_probs, static_argnums=0)
        self._looked_at = None  # (epoch, weights, rows) of a first look at the data
        self._epoch = 0

    def _check(self) -> None:
        """Raises ValueError where answers cannot be written so."""
        plan = self.plan
        for name in ("max_length", "num_generations", "num_iterations"):
            check_whole(name, getattr(plan, name), at_least=1)
        group_advantages(np.zeros((1, plan.num_generations)), plan.scale_rewards)
        lengths = [len(prompt) for prompt in self.prompts] or [0]
        if min(lengths) < 1 or max(lengths) >= plan.max_length:
            expected = f"prompts of 1 to {plan.max_length - 1} tokens, so that an answer has room"
            raise ValueError(explain("rollouts", expected, f"lengths {sorted(set(lengths))}"))
        count = self.prompts_per_epoch
        if not 1 <= count <= len(self.prompts):
            expected = f"`prompts_per_epoch` of 1 to {len(self.prompts)}"
            raise ValueError(explain("rollouts", expected, f"{count}"))
        if self.size % self.batch_size:
            expected = f"a `batch_size` that {self.size} answers of an epoch are cut into evenly"
            raise ValueError(explain("rollouts", expected, f"{self.batch_size}"))

    @property
    def prompts_per_epoch(self) -> int:
        """How many prompts are answered in an epoch."""
        asked = self.plan.prompts_per_epoch
        return len(self.prompts) if asked is None else asked

    @property
    def size(self) -> int:
        """How many answers are written in an epoch."""
        return self.prompts_per_epoch * self.plan.num_generations

    @property
    def batch_size(self) -> int:
        """Answers of a step."""
        return self.size if self.plan.batch_size is None else self.plan.batch_size

    @property
    def options(self) -> str:
        """In words, what the batches follow from: states fit where it is the same."""
        return f"{len(self.prompts)} prompts, {self.plan}"

    def set_epoch(self, epoch: int) -> None:
        """Tells the number of the epoch, from which the random numbers follow."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self.plan.num_iterations * (self.size // self.batch_size)

    def __iter__(self) -> "RolloutBatches":
        return RolloutBatches(self, self._epoch)

    # ------------------------------------------------------------ answers

    def rows(self, epoch: int) -> Rows:
        """The answers of an epoch. `fit` looks at the first batch before the first epoch, which
        has the same ones if the model is the same.
        """
        weights = [np.array(v.value) for v in self.grpo.trainable_variables]
        before, self._looked_at = self._looked_at, None
        if before is not None and before[0] == epoch and _are_equal(before[1], weights):
            return before[2]
        rows = self.written(epoch)
        self._looked_at = epoch, weights, rows
        return rows

    def written(self, epoch: int) -> Rows:
        """New answers by the model as it is, with all that the loss takes."""
        count, group = self.prompts_per_epoch, self.plan.num_generations
        order = np.random.default_rng((self.plan.seed, epoch)).permutation(len(self.prompts))
        prompts = [self.prompts[i] for i in order[:count] for _ in range(group)]
        starts = np.array([len(prompt) for prompt in prompts])
        padded = np.zeros((len(prompts), starts.max()), "int32")
        for row, prompt in zip(padded, prompts):
            row[: len(prompt)] = prompt
        model = self.grpo.model
        key = jax.random.fold_in(jax.random.key(self.plan.seed), epoch)
        tokens, ends = self.generator(model.params, padded, starts, key)
        tokens, ends = np.asarray(tokens), np.asarray(ends)
        answers = [row[start:end] for row, start, end in zip(tokens, starts, ends)]
        rewards = rewards_of(self.reward(prompts, answers), len(prompts))
        positions = np.arange(tokens.shape[1])
        is_answer = (positions >= starts[:, None]) & (positions < ends[:, None])
        rows = {"tokens": tokens, "mask": is_answer.astype("int32"), "rewards": rewards}
        groups = rewards.reshape(-1, group)
        advantages = group_advantages(groups, self.plan.scale_rewards)
        rows["advantages"] = np.asarray(advantages).reshape(-1)
        return rows | self._log_probs_of(rows)

    def _log_probs_of(self, rows: Rows) -> Rows:
        """What the policy and the reference say of answers now."""
        grpo, model = self.grpo, self.grpo.model
        frozen = {"old_logps": (model, model.params, model.state)}
        if grpo.beta:
            frozen["ref_logps"] = tuple(grpo.frozen())
        arrays = rows["tokens"], rows["mask"]
        return {
            name: in_batches(lambda *part, of=of: self._run(*of, *part), arrays, ROWS)
            for name, of in frozen.items()
        }

    def _log_probs(self, model: Any, params: dict, state: dict, *rows: jax.Array) -> jax.Array:
        return self.grpo.log_probs_of(Frozen(model, params, state), *rows)


class RolloutBatches(collections.abc.Iterator):
    """The batches of an epoch of a `Rollouts`, from its start, or from where a state was taken."""

    def __init__(self, source: Rollouts, epoch: int) -> None:
        self._source, self._epoch = source, epoch
        self._rows, self._at = None, 0

    def __next__(self) -> Rows:
        source = self._source
        if self._at == len(source):
            raise StopIteration
        if self._rows is None:
            self._rows = source.rows(self._epoch)
        iteration, number = divmod(self._at, source.size // source.batch_size)
        seed = source.plan.seed, self._epoch, iteration, 1
        order = np.random.default_rng(seed).permutation(source.size)
        start = number * source.batch_size
        chosen = order[start : start + source.batch_size]
        self._at += 1
        return {name: array[chosen] for name, array in self._rows.items()}

    def get_state(self) -> dict[str, Any]:
        """Where it is, with the answers: JSON data."""
        rows = None
        if self._rows is not None:
            rows = {name: as_text(array) for name, array in self._rows.items()}
        return {
            "options": self._source.options,
            "epoch": self._epoch,
            "at": self._at,
            "rows": rows,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to where a state was taken.

        Raises:
            ValueError: it is of other prompts, or of another plan.
        """
        if state["options"] != self._source.options:
            raise ValueError(f"expected {self._source.options}; it is of {state['options']}")
        self._epoch, self._at = state["epoch"], state["at"]
        self._rows = None
        if state["rows"] is not None:
            self._rows = {name: of_text(text) for name, text in state["rows"].items()}


def rewards_of(values: Any, count: int) -> np.ndarray:
    """What a function of rewards gave, as float32.

    Raises:
        ValueError: not one finite number for each answer.

    >>> rewards_of([1, 2.5], 2).tolist()
    [1.0, 2.5]
    """
    rewards = np.asarray(values, "float32")
    if rewards.shape == (count,) and np.isfinite(rewards).all():
        return rewards
    received = f"shape {rewards.shape}"
    if rewards.shape == (count,):
        number = np.flatnonzero(~np.isfinite(rewards))[0]
        received = f"{rewards[number]} of answer {number}"
    raise ValueError(explain("reward", f"{count} finite numbers, one for each answer", received))


def as_text(array: np.ndarray) -> list:
    """An array as JSON data.

    >>> of_text(as_text(np.arange(3))).tolist()
    [0, 1, 2]
    """
    return [array.dtype.str, list(array.shape), base64.b64encode(array.tobytes()).decode()]


def of_text(text: list) -> np.ndarray:
    """The array that `as_text` wrote."""
    dtype, shape, data = text
    return np.frombuffer(base64.b64decode(data), dtype).reshape(shape)


def _are_equal(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return len(some) == len(others) and all(map(np.array_equal, some, others))
