"""One step of training: gradients, update, metrics."""

import typing
from collections.abc import Callable

import jax

from jkeras.core.run.call import masks_of
from jkeras.kernel import tree
from jkeras.kernel.microbatch import Microbatch
from jkeras.training.data.source import Batch, unpack
from jkeras.training.step.layout import LazyLayout, StateLayout
from jkeras.training.step.loss_and_logs import compute_loss, update_metrics
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs, Structure, Tree


class Forward(typing.NamedTuple):
    """What a forward pass of a step leaves behind.

    Attributes:
        loss: before it is scaled.
        masks: of the outputs.
        state, metrics: as in `TrainState`.
    """

    loss: jax.Array
    y_pred: Structure
    masks: Structure
    state: Tree
    metrics: Tree


class BatchLoss:
    """The loss of a batch as a function of params and state: what steps differentiate.

    Args:
        layout: of the states.
    """

    def __init__(self, layout: StateLayout) -> None:
        self.layout = layout
        self.model = layout.model

    def __call__(
        self,
        params: Tree,
        state: TrainState,
        batch: Batch,
        rng: jax.Array,
        training: bool = True,
        valid_rows: jax.Array | None = None,
        microbatch: Microbatch | None = None,
    ) -> tuple[jax.Array, Forward]:
        """The loss to differentiate, and what the forward pass left behind (`Forward`)."""
        model = self.model
        x, y, sample_weight = batch
        run = self.layout.run(
            state.replace(params=params),
            rng=rng,
            training=training,
            valid_rows=valid_rows,
            microbatch=microbatch,
        )
        with run:
            y_pred = run.forward(x)
            masks = masks_of(y_pred, run.mask_of)
            loss = scaled = compute_loss(model, x, y, y_pred, sample_weight, training)
            if training:
                scaled = model.optimizer.scale_loss(loss, state.opt_state)
        return scaled, Forward(loss, y_pred, masks, *self.layout.after(run))

    def of_params(
        self, state: TrainState, batch: Batch, rng: jax.Array, rows: jax.Array | None
    ) -> Callable[[Tree], jax.Array]:
        """The loss, not scaled, as a function of the params alone, for a line search."""
        return lambda params: self(params, state, batch, rng, valid_rows=rows)[1].loss

    def attacked(
        self, state: TrainState, batch: Batch, rng: jax.Array, rows: jax.Array | None
    ) -> Batch:
        """The batch with the inputs that an attack makes of its own, where training is against
        one.
        """
        attack = self.model.compilation.adversarial
        if attack is None:
            return batch
        x, *targets = batch

        def loss_of(x: Structure) -> jax.Array:
            return self(state.params, state, (x, *targets), rng, False, rows)[1].loss

        return attack.perturb(loss_of, x, rng), *targets


class TrainStep:
    """One step: gradients of `BatchLoss`, the optimizer's update, constraints, metrics."""

    def __init__(self, lazy_layout: LazyLayout) -> None:
        self.lazy_layout = lazy_layout
        self.model = lazy_layout.model

    def __call__(
        self, state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        layout = self.lazy_layout.of(batch)
        loss = BatchLoss(layout)
        rng = jax.random.fold_in(state.rng, state.step)
        batch = loss.attacked(state, unpack(batch), rng, rows)
        gradient = jax.grad(loss, has_aux=True)
        grads, forward = gradient(state.params, state, batch, rng, valid_rows=rows)
        loss_of = loss.of_params(state, batch, rng, rows)
        params, opt_state = layout.update(grads, state, forward.loss, loss_of)
        state = state.replace(
            step=state.step + 1,
            params=constrained(layout, params),
            state=forward.state,
            opt_state=opt_state,
            metrics=forward.metrics,
        )
        run = layout.run(state, valid_rows=rows)
        logs = update_metrics(run, forward.loss, batch, forward.y_pred)
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
