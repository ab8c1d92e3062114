"""An ensemble from the states of single trainings of one model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jkeras.core.session.settings import default_seed
from jkeras.kernel import tree
from jkeras.ensembles.members import ACTIVE, Members, hand_over
from jkeras.training.step.state import TrainState
from jkeras.training.step.layout import state_layout

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def stack_members(model: "Trainer", states: Sequence[TrainState]) -> None:
    """Makes a model the ensemble whose members have these states."""
    members = Members(len(states), own_order=True)
    hand_over(model, members)
    layout = state_layout(model)
    frozen = [dict(tree.flatten(state.frozen)) for state in states]
    shared = {path: _shared([of_one[path] for of_one in frozen]) for path in frozen[0]}
    active = tree.unflatten([(ACTIVE, jnp.ones((), bool))])
    stacked = jax.tree_util.tree_map(
        lambda *leaves: jnp.stack(leaves),
        *(s.replace(frozen={}, metrics=tree.merge(s.metrics, active)) for s in states),
    )
    layout.scatter(stacked.replace(frozen=tree.unflatten(shared.items())))
    layout.restart(default_seed(), step=None)


def _shared(values: list[jax.Array]) -> jax.Array:
    """One array for all members where theirs are equal, else theirs, stacked."""
    first, *others = values
    if all(bool(jnp.array_equal(first, other)) for other in others):
        return first
    return jnp.stack(values)
