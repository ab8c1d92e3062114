"""A training step that takes its batch in pieces, one after the other: the same gradient in less
memory.
"""

import jax
import jax.numpy as jnp

from jkeras.core import frame
from jkeras.kernel.microbatch import Shares
from jkeras.kernel.valid_rows import count_valid_rows
from jkeras.ops.kernels import inside_loop
from jkeras.training.batch_independence import size_of
from jkeras.training.objective import Objective
from jkeras.training.step import TrainStep, unpack, update_metrics


class StepInPieces(TrainStep):
    """The step of a model with `microbatches`: gradients of the pieces are summed, then there is
    one update.

    The sum is the gradient of the whole batch: what losses divide by, which depends on masks and
    weights, is found for all pieces before. A `compute_loss` of the user's own, and losses that are
    no values by row, are averaged over the pieces. A batch that cannot be cut evenly is taken as a
    whole.
    """

    def __call__(self, state, batch, rows=None):
        self.plan, pieces = self.planned.of(batch), self.model.microbatches
        size = size_of(unpack(batch)[0])
        if size % pieces:
            return super().__call__(state, batch, rows)
        # every piece takes rows from all over the batch, so that a batch cut over devices stays so
        cut = jax.tree_util.tree_map(
            lambda v: jnp.swapaxes(v.reshape(size // pieces, pieces, *v.shape[1:]), 0, 1),
            (*unpack(batch), rows),
        )
        keys = jax.random.split(
            jax.random.wrap_key_data(jax.random.fold_in(state.rng, state.step)), pieces
        )
        grads, loss, kept, metrics, logs = self._summed(
            state, cut, jax.random.key_data(keys), rows, size
        )
        params, opt_state = self.plan.update(grads, state)
        params = self._constrain(params)
        with frame.Run(
            self.model, self.plan.values(params, state.frozen, kept, metrics), valid_rows=rows
        ) as run:
            if self.model._loss_tracker is not None:
                self.model._loss_tracker.update_state(loss, sample_weight=count_valid_rows(size))
                logs |= {"loss": self.model._loss_tracker.result()} if "loss" in logs else {}
        return state._replace(
            step=state.step + 1,
            params=params,
            state=kept,
            opt_state=opt_state,
            metrics=self.plan.read(self.plan.metrics, run),
        ), logs

    def _summed(self, state, cut, keys, rows, size):
        """(gradients, loss, state, metrics, logs) of all pieces."""
        totals = self._denominators(state, cut, keys)
        real = size if rows is None else jnp.sum(rows)

        def one(carry, piece):
            (x, y, sample_weight, rows), key = piece
            grads, total, kept, metrics = carry
            now = state._replace(state=kept, metrics=metrics)

            def loss_of(params):
                scaled, (loss, *rest) = self.loss(
                    now._replace(params=params),
                    x,
                    y,
                    sample_weight,
                    key,
                    valid_rows=rows,
                    shares=self._shares(totals, real),
                )
                return self._part(scaled), (self._part(loss), *rest)

            more, (loss, y_pred, _, kept, metrics) = jax.grad(loss_of, has_aux=True)(state.params)
            values = self.plan.values(state.params, state.frozen, kept, metrics)
            logs, run = update_metrics(
                self.model, values, None, x, y, y_pred, sample_weight, valid_rows=rows
            )
            grads = jax.tree_util.tree_map(jnp.add, grads, more)
            read = self.plan.read
            return (
                grads,
                total + loss,
                read(self.plan.state, run),
                read(self.plan.metrics, run),
            ), logs

        start = (
            jax.tree_util.tree_map(jnp.zeros_like, state.params),
            jnp.zeros(()),
            state.state,
            state.metrics,
        )
        (grads, loss, kept, metrics), logs = jax.lax.scan(inside_loop(one), start, (cut, keys))
        return grads, loss, kept, metrics, jax.tree_util.tree_map(lambda v: v[-1], logs)

    def _denominators(self, state, cut, keys):
        """What losses divide by, for the whole batch. Only masks and weights are computed for
        it.
        """

        def one(_, piece):
            (x, y, sample_weight, rows), key = piece
            shares = self._shares()
            self.loss(state, x, y, sample_weight, key, valid_rows=rows, shares=shares)
            return None, [] if shares is None else shares.found

        _, found = jax.lax.scan(inside_loop(one), None, (cut, keys))
        return [jnp.sum(v) for v in found]

    @property
    def _is_exact(self):
        return type(self.model).compute_loss is Objective.compute_loss

    def _shares(self, totals=None, rows=None):
        return Shares(self.model.microbatches, totals, rows) if self._is_exact else None

    def _part(self, loss):
        return loss if self._is_exact else loss / self.model.microbatches
