"""One step of training: gradients, update, metrics."""

import typing
from collections.abc import Callable

import jax

from jkeras.core.run.call import masks_of
from jkeras.kernel import tree
from jkeras.kernel.microbatch import Microbatch
from jkeras.training.data.source import Batch, unpack
from jkeras.training.step.layout import LazyLayout
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


class TrainStep:
    """One step: gradients of `compute_loss`, the optimizer's update, constraints, metrics."""

    def __init__(self, lazy_layout: "LazyLayout") -> None:
        self.lazy_layout = lazy_layout
        self.model = lazy_layout.model

    def __call__(
        self, state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        self.layout = self.lazy_layout.of(batch)
        rng = jax.random.fold_in(state.rng, state.step)
        batch = self._attacked(state, unpack(batch), rng, rows)
        gradient = jax.grad(self.loss, has_aux=True)
        grads, forward = gradient(state.params, state, batch, rng, valid_rows=rows)
        loss_of = self._loss_of(state, batch, rng, rows)
        params, opt_state = self.layout.update(grads, state, forward.loss, loss_of)
        state = state.replace(
            step=state.step + 1,
            params=self._constrain(params),
            state=forward.state,
            opt_state=opt_state,
            metrics=forward.metrics,
        )
        run = self.layout.run(state, valid_rows=rows)
        logs = update_metrics(run, forward.loss, batch, forward.y_pred)
        return self.layout.updated(state, run), logs

    def _attacked(
        self, state: TrainState, batch: Batch, rng: jax.Array, rows: jax.Array | None
    ) -> Batch:
        """The batch with the inputs that an attack makes of its own, where training is against
        one.
        """
        attack = self.model.adversarial
        if attack is None:
            return batch
        x, *targets = batch

        def loss_of(x: Structure) -> jax.Array:
            return self.loss(state.params, state, (x, *targets), rng, False, rows)[1].loss

        return attack.perturb(loss_of, x, rng), *targets

    def _loss_of(
        self, state: TrainState, batch: Batch, rng: jax.Array, rows: jax.Array | None
    ) -> Callable[[Tree], jax.Array]:
        """The loss of a batch as a function of the params, for a line search."""
        return lambda params: self.loss(params, state, batch, rng, valid_rows=rows)[1].loss

    def loss(
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

    def _constrain(self, params: Tree) -> Tree:
        constraints = [(p, v.constraint) for p, v in self.layout.params if v.constraint is not None]
        if not constraints:
            return params
        leaves = dict(tree.flatten(params))
        for path, constraint in constraints:
            leaves[path] = constraint(leaves[path]).astype(leaves[path].dtype)
        return tree.unflatten(leaves.items())
