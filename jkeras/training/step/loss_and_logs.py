"""The loss and the logs of a batch, as the model's own methods give them."""

import typing

import jax
import jax.numpy as jnp

from jkeras.core.record import takes
from jkeras.core.graph.keras_tensor import flatten
from jkeras.kernel.scope import Flow
from jkeras.kernel.valid_rows import count_valid_rows, expand_like
from jkeras.training.data.sizes import size_of
from jkeras.training.data.source import Batch
from jkeras.training.types import Logs, Structure

if typing.TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def compute_loss(
    model: "Trainer",
    x: Structure,
    y: Structure,
    y_pred: Structure,
    sample_weight: Structure,
    training: bool,
) -> jax.Array:
    """The model's `compute_loss`, also one written before it had the `training` argument."""
    more = {"training": training} if takes(model.compute_loss, "training") else {}
    loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **more)
    return jnp.zeros(()) if loss is None else loss


def update_metrics(
    run: Flow, loss: jax.Array | None, batch: Batch, y_pred: Structure, masks: Structure = None
) -> dict[str, typing.Any]:
    """The logs after a batch, whose metrics are updated in a run.

    Args:
        loss: for the loss tracker; None: it is left as it is.
        masks: of the outputs; in training only the loss sees masks, as in Keras on JAX.
    """
    model = run.root
    x, y, sample_weight = batch
    with run:
        if masks is not None:
            _set_masks(run, y_pred, masks)
        tracker = model.compilation.loss_tracker
        if tracker is not None and loss is not None:
            tracker.update_state(loss, sample_weight=count_valid_rows(size_of(x)))
        logs = model.compute_metrics(x, y, y_pred, sample_weight)
    return flat_logs(logs)


def update_loss(run: Flow, loss: jax.Array, batch: Batch, logs: Logs) -> Logs:
    """The logs of metrics that are updated, with the mean of the loss, which is not."""
    loss_tracker = run.root.compilation.loss_tracker
    if loss_tracker is None:
        return logs
    with run:
        loss_tracker.update_state(loss, sample_weight=count_valid_rows(size_of(batch[0])))
        return logs | ({"loss": loss_tracker.result()} if "loss" in logs else {})


def _set_masks(run: Flow, y_pred: Structure, masks: Structure) -> None:
    """Lets masks travel beside outputs, without the rows that are not valid."""
    for value, mask in zip(flatten(y_pred), flatten(masks)):
        if mask is None:
            continue
        if run.valid_rows is not None:
            mask = mask & expand_like(run.valid_rows, mask)
        run.set_mask(value, mask)


def flat_logs(logs: Logs) -> dict[str, typing.Any]:
    """Logs as one flat dict in the order of the names; a metric whose result is a dict is taken
    apart.
    """
    flat = {}
    for name in sorted(logs):
        value = logs[name]
        flat |= value if isinstance(value, dict) else {name: value}
    return flat
