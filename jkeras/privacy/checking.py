"""Ghosts against gradients: on a few rows of a training, lengths and sums that are found without
gradients of rows are compared with those of the gradients themselves.
"""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.privacy.clipping import clipped_grad
from jkeras.privacy.step import loss_of_row
from jkeras.training.data.source import Batch, unpack
from jkeras.training.step.batch_loss import BatchLoss
from jkeras.training.step.layout import state_layout
from jkeras.training.step.state import TrainState

ROWS = 8  # that are compared
# by which a check is to be outlasted, in times of what the step took to compile: two programs of a
# few rows take about as long as two steps, and are to cost less than 1 %
PATIENCE = 200
TOLERANCE = {4: 1e-3, 2: 5e-2}  # relative, by the bytes of the numbers that layers compute in
ALL = 1e30  # a bound that nothing reaches
FIX = "train with `norms='vmap'`, and report the model: the epsilon told would be too small"


def check(model: Any, state: TrainState, batch: Batch) -> None:
    """Compares both on the first rows of a batch.

    Raises:
        RuntimeError: a length is too small, or a sum another one.
    """
    x, y, weight = unpack(batch)
    few = jax.tree_util.tree_map(lambda v: jnp.asarray(v[:ROWS]), (x, y, weight))
    count = len(jax.tree_util.tree_leaves(few)[0])
    rng = jnp.asarray(state.rng).reshape(-1, 2)[0]
    keys = jax.random.key_data(jax.random.split(jax.random.wrap_key_data(rng), count))
    layout = state_layout(model)
    state = layout.single(state)
    loss = loss_of_row(BatchLoss(layout.of_step().of(batch)), state)

    @jax.jit
    def both(params: Any, few: Batch, keys: jax.Array) -> list:
        return [
            clipped_grad(loss, ALL, norms=norms, has_aux=True)(params, few, keys)[:2]
            for norms in ("ghost", "vmap")
        ]

    (ghost_sum, ghosts), (sums, lengths) = jax.device_get(both(state.params, few, keys))
    tolerance = TOLERANCE.get(np.dtype(model.compute_dtype).itemsize, TOLERANCE[4])
    where = f"Model '{model.name}', whose gradients were looked at on {count} rows"
    short = ghosts < lengths * (1 - tolerance)
    if short.any():
        row = int(np.argmax(short))
        wanted = f"a length of at least {lengths[row]:.6g} for row {row} by `norms='ghost'`"
        raise RuntimeError(explain(where, wanted, f"{ghosts[row]:.6g}", FIX))
    scale = max(float(np.sum(lengths)), np.finfo("float32").tiny)
    for path, wanted in jax.tree_util.tree_leaves_with_path(sums):
        found = _at(ghost_sum, path)
        difference = float(np.linalg.norm(np.ravel(found - wanted)))
        if not difference <= tolerance * scale:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            expected = f"the sum of the gradients of '{name}' by `norms='ghost'`"
            received = f"one that is {difference / scale:.2g} of all lengths away"
            raise RuntimeError(explain(where, expected, received, FIX))


def _at(tree: Any, path: tuple) -> Any:
    for key in path:
        tree = tree[key.key]
    return tree


class Checking:
    """When a training is checked.

    Args:
        asked: True: before the first step; False: never; None: once it has lasted so long that it
            costs less than 1 %.
    """

    def __init__(self, asked: bool | None, model: Any) -> None:
        self.asked, self.model = asked, model
        self.is_done = asked is False
        self._begun = time.perf_counter()

    def begin(self, state: TrainState, batch: Batch) -> None:
        """Before the first step."""
        self._begun = time.perf_counter()
        if self.asked:
            self._check(state, batch)

    def look(self, state: TrainState, batch: Batch) -> None:
        """After an epoch."""
        lasted = time.perf_counter() - self._begun
        if not self.is_done and lasted > PATIENCE * self.model.compile_seconds:
            self._check(state, batch)

    def _check(self, state: TrainState, batch: Batch) -> None:
        self.is_done = True
        check(self.model, state, batch)
