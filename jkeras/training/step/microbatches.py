"""A link around a gradient that takes a batch in microbatches, one after the other: the same in
less memory.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.kernel.microbatch import Microbatch, cut
from jkeras.ops.kernels import inside_loop
from jkeras.training.data.sizes import size_of
from jkeras.training.data.source import Batch
from jkeras.training.step.batch_loss import BatchLoss, Forward, Gradient
from jkeras.training.step.loss_and_logs import update_metrics
from jkeras.training.step.overrides import overrides
from jkeras.training.step.state import TrainState
from jkeras.training.types import Tree


class InMicrobatches:
    """The sum of the gradients of `count` microbatches, which is the gradient of the whole batch.

    What losses divide by, which depends on masks and weights, is computed for all microbatches
    before. A `compute_loss` of the user's own, and losses that are no values by row, are averaged
    over the microbatches. A batch that cannot be cut evenly is taken as a whole.

    Args:
        gradient: of a microbatch.
        loss: what it is the gradient of.
    """

    def __init__(self, gradient: Gradient, loss: BatchLoss, count: int) -> None:
        self.gradient, self.loss, self.count = gradient, loss, count
        self.is_exact = not overrides(loss.model, "compute_loss")

    def __call__(
        self,
        params: Tree,
        state: TrainState,
        batch: Batch,
        rng: jax.Array,
        valid_rows: jax.Array | None = None,
    ) -> tuple[Tree, Forward]:
        size = size_of(batch[0])
        if size % self.count:
            return self.gradient(params, state, batch, rng, valid_rows=valid_rows)
        keys = jax.random.split(jax.random.wrap_key_data(rng), self.count)
        microbatches = cut((*batch, valid_rows), self.count), jax.random.key_data(keys)
        totals = self._denominators(params, state, microbatches)
        batch_size = size if valid_rows is None else jnp.sum(valid_rows)

        def one(carry: tuple, microbatch: tuple) -> tuple:
            grads, total, kept, metrics = carry
            current = state.replace(state=kept, metrics=metrics)
            part = self._part(totals, batch_size)
            more, forward = self._of_one(params, current, microbatch, part)
            grads = jax.tree_util.tree_map(jnp.add, grads, more)
            loss = forward.loss if self.is_exact else forward.loss / self.count
            return (grads, total + loss, forward.state, forward.metrics), forward.logs

        no_grads = jax.tree_util.tree_map(jnp.zeros_like, params)
        start = no_grads, jnp.zeros(()), state.state, state.metrics
        (grads, total, kept, metrics), logs = jax.lax.scan(inside_loop(one), start, microbatches)
        logs = jax.tree_util.tree_map(lambda v: v[-1], logs)
        return grads, Forward(total, None, None, kept, metrics, batch, logs)

    def _of_one(
        self, params: Tree, state: TrainState, microbatch: tuple, part: dict[str, Any]
    ) -> tuple[Tree, Forward]:
        """The gradient of a microbatch, and what it leaves behind, the metrics updated."""
        (*batch, valid_rows), key = microbatch
        grads, forward = self.gradient(params, state, batch, key, valid_rows=valid_rows, **part)
        layout = self.loss.layout
        state = state.replace(state=forward.state, metrics=forward.metrics)
        run = layout.run(state, valid_rows=valid_rows)
        logs = update_metrics(run, None, forward.batch, forward.y_pred)
        kept, metrics = layout.after(run)
        return grads, forward._replace(state=kept, metrics=metrics, logs=logs)

    def _denominators(self, params: Tree, state: TrainState, microbatches: tuple) -> list:
        """What losses divide by, for the whole batch. Only masks and weights are computed for
        it.
        """

        def one(_: None, microbatch: tuple) -> tuple:
            (*batch, valid_rows), key = microbatch
            counting = Microbatch(self.count)
            self.loss(params, state, batch, key, valid_rows=valid_rows, microbatch=counting)
            return None, counting.denominators

        if not self.is_exact:
            return []
        _, denominators = jax.lax.scan(inside_loop(one), None, microbatches)
        return [jnp.sum(v) for v in denominators]

    def _part(self, totals: list, batch_size: jax.Array | int) -> dict[str, Any]:
        """What a microbatch is told: what the losses of the whole batch divide by, or that its own
        is to be divided by their number.
        """
        if not self.is_exact:
            return {"parts": self.count}
        return {"microbatch": Microbatch(self.count, totals, batch_size)}
