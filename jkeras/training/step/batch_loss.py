"""The loss of a batch as a function of params and state: what steps differentiate."""

import typing
from collections.abc import Callable

import jax

from jkeras.core.run.call import masks_of
from jkeras.core.say.warning import warn
from jkeras.training.data.source import Batch
from jkeras.training.step import call_ends, training_unsaid
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.loss_and_logs import compute_loss
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs, Structure, Tree


NO_CHUNKS = (
    "`loss_chunks` has no effect, since no loss is a sparse crossentropy with `from_logits=True` "
    "of what a `Dense` without an activation or a `ReversibleEmbedding` gives at the model's end, "
    "with weights that are neither adapted nor in few bits. To fix it: change these, or leave it "
    "out."
)


class NoChunks(UserWarning):
    """That a loss in chunks has no effect."""


class Forward(typing.NamedTuple):
    """What a forward pass of a step leaves behind.

    Attributes:
        loss: before it is scaled.
        masks: of the outputs.
        state, metrics: as in `TrainState`.
        batch: of which it is.
        logs: of the metrics, where these have been updated.
    """

    loss: jax.Array
    y_pred: Structure
    masks: Structure
    state: Tree
    metrics: Tree
    batch: Batch
    logs: Logs | None = None


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
        *,
        parts: int = 1,
        **rows: typing.Any,
    ) -> tuple[jax.Array, Forward]:
        """The loss to differentiate, and what the forward pass left behind (`Forward`).

        Args:
            parts: what to divide the loss by that is differentiated.
            rows: `valid_rows` and `microbatch`, as of `kernel.scope.Flow`.
        """
        model = self.model
        x, y, sample_weight = batch
        run = self.layout.run(state.replace(params=params), rng=rng, training=training, **rows)
        run.loss_chunks = model.compilation.loss_chunks
        if training:
            training_unsaid.listen(model, run)
            call_ends.listen(model, run)
        with run:
            y_pred = run.forward(x)
            masks = masks_of(y_pred, run.mask_of)
            loss = scaled = compute_loss(model, x, y, y_pred, sample_weight, training)
            if run.loss_chunks > 1 and not run.is_chunked:
                warn(f"Model '{model.name}': {NO_CHUNKS}", NoChunks)
            if training:
                scaled = model.optimizer.scale_loss(loss, state.opt_state)
            if parts > 1:
                scaled = scaled / parts
        training_unsaid.tell(model, run)
        return scaled, Forward(loss, y_pred, masks, *self.layout.after(run), batch)

    def of_params(
        self, state: TrainState, batch: Batch, rng: jax.Array, rows: jax.Array | None
    ) -> Callable[[Tree], jax.Array]:
        """The loss, not scaled, as a function of the params alone, for a line search."""
        return lambda params: self(params, state, batch, rng, valid_rows=rows)[1].loss


class Gradient(typing.Protocol):
    """The gradient of a `BatchLoss`, or a link around one."""

    def __call__(
        self,
        params: Tree,
        state: TrainState,
        batch: Batch,
        rng: jax.Array,
        *,
        valid_rows: jax.Array | None = None,
        **part: typing.Any,
    ) -> tuple[Tree, Forward]:
        """(gradients, what the forward pass left behind).

        Args:
            part: of a microbatch: `microbatch` or `parts` as of `BatchLoss`.
        """


GradientLink = Callable[[Gradient, BatchLoss], Gradient]
