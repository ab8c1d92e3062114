"""A training step that takes its batch in microbatches, one after the other: the same gradient in
less memory.
"""

import jax
import jax.numpy as jnp

from jkeras.kernel.microbatch import Microbatch, cut
from jkeras.kernel.valid_rows import count_valid_rows
from jkeras.ops.kernels import inside_loop
from jkeras.training.data.sizes import size_of
from jkeras.training.data.source import Batch, unpack
from jkeras.training.step.loss_and_logs import update_metrics
from jkeras.training.step.overrides import overrides
from jkeras.training.step.state import TrainState
from jkeras.training.step.train_step import BatchLoss, Forward, TrainStep, constrained
from jkeras.training.types import Logs, Tree


class MicrobatchStep(TrainStep):
    """The step of a model with `microbatches`: their gradients are summed, then there is one
    update.

    The sum is the gradient of the whole batch: what losses divide by, which depends on masks and
    weights, is computed for all microbatches before. A `compute_loss` of the user's own, and losses
    that are no values by row, are averaged over the microbatches. A batch that cannot be cut evenly
    is taken as a whole.
    """

    def __call__(
        self, state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        size = size_of(unpack(batch)[0])
        if size % self.model.compilation.microbatches:
            return super().__call__(state, batch, rows)
        layout = self.lazy_layout.of(batch)
        batch_loss = BatchLoss(layout)
        grads, loss, kept, metrics, logs = self._summed(batch_loss, state, batch, rows, size)
        rng = jax.random.fold_in(state.rng, state.step)
        # of the whole batch at once: only a line search asks for it
        loss_of = batch_loss.of_params(state, unpack(batch), rng, rows)
        params, opt_state = layout.update(grads, state, loss, loss_of)
        state = state.replace(
            step=state.step + 1,
            params=constrained(layout, params),
            state=kept,
            opt_state=opt_state,
            metrics=metrics,
        )
        with layout.run(state, valid_rows=rows) as run:
            loss_tracker = self.model.compilation.loss_tracker
            if loss_tracker is not None:
                loss_tracker.update_state(loss, sample_weight=count_valid_rows(size))
                logs |= {"loss": loss_tracker.result()} if "loss" in logs else {}
        return layout.updated(state, run), logs

    def _split(
        self, state: TrainState, batch: Batch, rows: jax.Array | None, size: int
    ) -> tuple[tuple, jax.Array]:
        """(batch and valid rows, keys) of all microbatches, which are the first axis."""
        count = self.model.compilation.microbatches
        microbatches = cut((*unpack(batch), rows), count)
        key = jax.random.wrap_key_data(jax.random.fold_in(state.rng, state.step))
        return microbatches, jax.random.key_data(jax.random.split(key, count))

    def _summed(
        self,
        loss: BatchLoss,
        state: TrainState,
        batch: Batch,
        rows: jax.Array | None,
        size: int,
    ) -> tuple:
        """(gradients, loss, state, metrics, logs) of all microbatches."""
        microbatches = self._split(state, batch, rows, size)
        totals = self._denominators(loss, state, microbatches)
        batch_size = size if rows is None else jnp.sum(rows)
        layout = loss.layout

        def loss_of(
            params: Tree,
            current: TrainState,
            batch: Batch,
            key: jax.Array,
            valid_rows: jax.Array | None,
        ) -> tuple[jax.Array, Forward]:
            microbatch = self._microbatch(totals, batch_size)
            scaled, forward = loss(
                params, current, batch, key, valid_rows=valid_rows, microbatch=microbatch
            )
            return self._part(scaled), forward

        def one(carry: tuple, microbatch: tuple) -> tuple:
            (*batch, valid_rows), key = microbatch
            grads, total, kept, metrics = carry
            current = state.replace(state=kept, metrics=metrics)
            batch = loss.attacked(current, batch, key, valid_rows)
            gradient = jax.grad(loss_of, has_aux=True)
            more, forward = gradient(state.params, current, batch, key, valid_rows)
            current = state.replace(state=forward.state, metrics=forward.metrics)
            run = layout.run(current, valid_rows=valid_rows)
            logs = update_metrics(run, None, batch, forward.y_pred)
            grads = jax.tree_util.tree_map(jnp.add, grads, more)
            return (grads, total + self._part(forward.loss), *layout.after(run)), logs

        no_grads = jax.tree_util.tree_map(jnp.zeros_like, state.params)
        start = no_grads, jnp.zeros(()), state.state, state.metrics
        (grads, total, kept, metrics), logs = jax.lax.scan(inside_loop(one), start, microbatches)
        return grads, total, kept, metrics, jax.tree_util.tree_map(lambda v: v[-1], logs)

    def _denominators(
        self, loss: BatchLoss, state: TrainState, microbatches: tuple
    ) -> list[jax.Array]:
        """What losses divide by, for the whole batch. Only masks and weights are computed for
        it.
        """

        def one(_: None, microbatch: tuple) -> tuple:
            (*batch, valid_rows), key = microbatch
            counting = self._microbatch()
            loss(state.params, state, batch, key, valid_rows=valid_rows, microbatch=counting)
            return None, [] if counting is None else counting.denominators

        _, denominators = jax.lax.scan(inside_loop(one), None, microbatches)
        return [jnp.sum(v) for v in denominators]

    @property
    def _is_exact(self) -> bool:
        return not overrides(self.model, "compute_loss")

    def _microbatch(
        self, totals: list[jax.Array] | None = None, batch_size: jax.Array | int | None = None
    ) -> Microbatch | None:
        if not self._is_exact:
            return None
        return Microbatch(self.model.compilation.microbatches, totals, batch_size)

    def _part(self, loss: jax.Array) -> jax.Array:
        return loss if self._is_exact else loss / self.model.compilation.microbatches
