"""What a training does about NaN and infinity: a step that brings them in is left out, and somebody
is told.
"""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import check_choice
from jkeras.core.weights.variable import Variable
from jkeras.kernel import tree
from jkeras.optimizers import LossScaleOptimizer
from jkeras.training.data.source import Batch
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs, Structure

if TYPE_CHECKING:
    from jkeras.training.loop.ownership import StateOwner
    from jkeras.training.shell.trainer import Trainer

POLICIES = (None, "raise", "stop", "skip")
COUNT = ("nonfinite", "steps")  # where among the metrics the number of such steps is


def check_policy(value: str | None) -> None:
    """Raises ValueError for what is no policy."""
    check_choice("nonfinite", value, POLICIES)


def counter() -> Variable:
    """The variable that counts such steps."""
    return Variable(jnp.zeros((), "int32"), trainable=False, name="nonfinite_steps", autocast=False)


def guarded(step: Callable, model: "Trainer", logs_of: Callable[[TrainState], Logs]) -> Callable:
    """A training step that leaves the state as it is where the step would bring NaN or infinity
    into it.

    Loss, gradients and the optimizer's numbers all end up in the state: it is enough to look there.
    Where the policy is to end the training, the steps after the first such one do nothing either,
    as several may be in one dispatch.

    Args:
        logs_of: gives the logs of the metrics in a state.
    """
    # it leaves out updates itself, and learns from them
    scaled = isinstance(model.optimizer, LossScaleOptimizer)

    def guarded_step(
        state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        new, logs = step(state, batch) if rows is None else step(state, batch, rows)
        before = tree.get(state.metrics, COUNT)
        fine = ~brings_in(_watched(state, scaled), _watched(new, scaled))
        if model.compilation.nonfinite != "skip":
            fine &= before == 0
        merged = jax.tree_util.tree_map(lambda a, b: jnp.where(fine, b, a), state, new)
        metrics = tree.merge(merged.metrics, tree.unflatten([(COUNT, before + ~fine)]))
        merged = merged.replace(step=new.step, metrics=metrics)
        return merged, _logs_where(fine, logs, logs_of(merged))

    return guarded_step


def _logs_where(fine: jax.Array, logs: Logs, kept: Logs) -> Logs:
    """The logs of a step; those of the metrics as they are kept where it was left out."""
    return {
        name: jnp.where(fine, value, kept[name]) if name in kept else value
        for name, value in logs.items()
    }


def _watched(state: TrainState, scaled: bool) -> tuple:
    if scaled:
        return state.params, state.state
    return state.params, state.state, state.opt_state, state.metrics


def brings_in(old: Structure, new: Structure) -> jax.Array:
    """Whether a number is not finite now that was before; of two structures."""
    brought_in = [
        jnp.any(jnp.isfinite(a) & ~jnp.isfinite(b))
        for a, b in zip(*map(jax.tree_util.tree_leaves, (old, new)))
        if jnp.issubdtype(jnp.asarray(b).dtype, jnp.inexact)
    ]
    return jnp.any(jnp.stack(brought_in)) if brought_in else jnp.zeros((), bool)


def look_at_batch(model: "Trainer", state: TrainState) -> None:
    """Says that a single step was left out.

    Args:
        state: after it, metrics having been reset before.

    Raises:
        FloatingPointError: the policy is "raise".
    """
    if model.compilation.nonfinite is None or not int(tree.get(state.metrics, COUNT)):
        return
    about = (
        f"Model '{model.name}': the batch would have brought in NaN or infinity. The model holds "
        "what it was before this step."
    )
    if model.compilation.nonfinite == "raise":
        raise FloatingPointError(about)
    warnings.warn(about, stacklevel=3)


class Watch:
    """Looks, after each dispatch, whether there was such a step, and does what the model's policy
    says.

    Args:
        owner: of the training.
    """

    def __init__(self, model: "Trainer", owner: "StateOwner") -> None:
        self.model, self.owner = model, owner

    def look(self, epoch: int, done: int) -> None:
        """Ends the training where the policy is to.

        Raises:
            FloatingPointError: the policy is "raise".
        """
        if self.model.compilation.nonfinite not in ("raise", "stop") or not self._count():
            return
        about = (
            f"Model '{self.model.name}'{self._which()}: NaN or infinity at step "
            f"{done - self._most()} of epoch {epoch + 1} (steps count from 0). The model holds "
            "what it was before this step. Look at the data of the step, lower the learning rate, "
            "or clip gradients."
        )
        if self.model.compilation.nonfinite == "raise":
            raise FloatingPointError(about)
        if self.model.end_where(self._counts() > 0):
            warnings.warn(about, stacklevel=7)

    def _which(self) -> str:
        """Which members of an ensemble met such a step."""
        counts = self._counts()
        if not counts.ndim:
            return ""
        return f", members {np.flatnonzero(counts).tolist()} of the ensemble"

    def end_epoch(self, epoch: int, done: int) -> None:
        """Says how many steps were left out."""
        if self.model.compilation.nonfinite == "skip" and (count := self._count()):
            warnings.warn(
                f"Model '{self.model.name}': {count} of {done} steps of epoch {epoch + 1} would "
                "have brought in NaN or infinity, and were left out.",
                stacklevel=7,
            )

    def _counts(self) -> np.ndarray:
        """The number of such steps, of an ensemble (members,)."""
        return np.asarray(tree.get(self.owner.peek().metrics, COUNT))

    def _count(self) -> int:
        return int(self._counts().sum())

    def _most(self) -> int:
        return int(self._counts().max())
