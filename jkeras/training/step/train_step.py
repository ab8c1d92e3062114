"""One step of training: gradients, update, metrics."""

from collections.abc import Sequence

import jax

from jkeras.kernel import tree
from jkeras.training.data.source import Batch, unpack
from jkeras.training.step.batch_loss import BatchLoss, GradientLink
from jkeras.training.step.layout import LazyLayout, StateLayout
from jkeras.training.step.loss_and_logs import update_loss, update_metrics
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs, Tree


class TrainStep:
    """One step: gradients of `BatchLoss`, the optimizer's update, constraints, metrics.

    Args:
        links: around the gradient, functions `(gradient, loss) -> gradient`, the first innermost.
    """

    def __init__(self, lazy_layout: LazyLayout, links: Sequence[GradientLink] = ()) -> None:
        self.lazy_layout = lazy_layout
        self.model = lazy_layout.model
        self.links = links

    def __call__(
        self, state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        layout = self.lazy_layout.of(batch)
        loss = BatchLoss(layout)
        rng = jax.random.fold_in(state.rng, state.step)
        gradient = jax.grad(loss, has_aux=True)
        for link in self.links:
            gradient = link(gradient, loss)
        grads, forward = gradient(state.params, state, unpack(batch), rng, valid_rows=rows)
        loss_of = loss.of_params(state, forward.batch, rng, rows)
        params, opt_state = layout.update(grads, state, forward.loss, loss_of)
        state = state.replace(
            step=state.step + 1,
            params=constrained(layout, params),
            state=forward.state,
            opt_state=opt_state,
            metrics=forward.metrics,
        )
        run = layout.run(state, valid_rows=rows)
        if forward.logs is None:
            logs = update_metrics(run, forward.loss, forward.batch, forward.y_pred)
        else:
            logs = update_loss(run, forward.loss, forward.batch, forward.logs)
        return layout.updated(state, run), logs


def constrained(layout: StateLayout, params: Tree) -> Tree:
    """New params, with what their constraints make of them."""
    constraints = [(p, v.constraint) for p, v in layout.params if v.constraint is not None]
    if not constraints:
        return params
    leaves = dict(tree.flatten(params))
    for path, constraint in constraints:
        leaves[path] = constraint(leaves[path]).astype(leaves[path].dtype)
    return tree.unflatten(leaves.items())
