"""Steps whose optimizer's state lies in the memory of the host, see `jkeras.distribution.FSDP`."""

import typing
from collections.abc import Callable

import jax

from jkeras.core.session.settings import settings
from jkeras.distribution.strategies import HOST_MEMORY
from jkeras.training.step.layout import LazyLayout
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs, Tree


def is_offloaded() -> bool:
    """Whether the distribution keeps the optimizer's state in the memory of the host."""
    return settings.distribution is not None and settings.distribution.offload == "optimizer"


def on_host(value: typing.Any) -> bool:
    """Whether an array, or a shape with a sharding, lies in the memory of the host.

    >>> on_host(jax.numpy.ones(3))
    False
    """
    sharding = getattr(value, "sharding", None)
    return getattr(sharding, "memory_kind", None) == HOST_MEMORY


def offloaded(
    step: Callable[..., tuple[TrainState, Logs]], lazy_layout: LazyLayout
) -> Callable[..., tuple[TrainState, Logs]]:
    """A training step that brings the optimizer's state to the devices, and takes it back."""

    def offloaded_step(
        state: TrainState, batch: Tree, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        resting = lazy_layout.of(batch).abstract().opt_state
        state = state.replace(opt_state=_moved(state.opt_state, resting, "device"))
        new, logs = step(state, batch) if rows is None else step(state, batch, rows)
        return new.replace(opt_state=_moved(new.opt_state, resting, None)), logs

    return offloaded_step


def _moved(opt_state: Tree, resting: Tree, memory_kind: str | None) -> Tree:
    """The optimizer's state with what rests in the memory of the host in another one.

    Args:
        resting: of the same structure, with shardings.
        memory_kind: as JAX names it; None: that in which it rests.
    """

    def move(value: jax.Array, rest: typing.Any) -> jax.Array:
        if not on_host(rest):
            return value
        sharding = rest.sharding
        if memory_kind is not None:
            sharding = sharding.with_memory_kind(memory_kind)
        return jax.device_put(value, sharding)

    return jax.tree_util.tree_map(move, opt_state, resting)
