"""Training against an attack: a link around a gradient, taken at the inputs that the attack makes
of those of the batch.
"""

from typing import Any

import jax

from jkeras.training.data.source import Batch
from jkeras.training.step.batch_loss import BatchLoss, Forward, Gradient
from jkeras.training.step.state import TrainState
from jkeras.training.types import Structure, Tree


def attacked(gradient: Gradient, loss: BatchLoss, attack: Any) -> Gradient:
    """A gradient at the inputs that an attack makes of a batch.

    Args:
        loss: what it makes worse.
        attack: has `perturb(loss_of, x, key)`, as `jkeras.robust.PGD`.
    """

    def gradient_of_attacked(
        params: Tree,
        state: TrainState,
        batch: Batch,
        rng: jax.Array,
        valid_rows: jax.Array | None = None,
        **part: Any,
    ) -> tuple[Tree, Forward]:
        batch = perturbed(attack, loss, state, batch, rng, valid_rows)
        return gradient(params, state, batch, rng, valid_rows=valid_rows, **part)

    return gradient_of_attacked


def perturbed(
    attack: Any,
    loss: BatchLoss,
    state: TrainState,
    batch: Batch,
    rng: jax.Array,
    rows: jax.Array | None,
) -> Batch:
    """The batch with the inputs that an attack makes of its own."""
    x, *targets = batch

    def loss_of(x: Structure) -> jax.Array:
        return loss(state.params, state, (x, *targets), rng, False, valid_rows=rows)[1].loss

    return attack.perturb(loss_of, x, rng), *targets
