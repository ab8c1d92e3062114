"""Whether a step may be given a batch filled up with rows that do not count, so that all batches
have one shape.

The forward pass up to the loss is read as a jaxpr (see `programs.batch_independence`): rows may
come together only in places that leave out what is not valid, which are the reductions of losses
and the statistics of BatchNormalization. Metrics are given the valid rows as weights. What cannot
be shown to keep padding out is not padded: such a step is compiled for two shapes.
"""

from typing import TYPE_CHECKING

import jax
import numpy as np

from jkeras.core.names.registry import public_name
from jkeras.metrics import Metric
from jkeras.metrics.reduction import MeanMetricWrapper
from jkeras.programs.batch_independence import are_independent, leaves_out_padding
from jkeras.training.data.sizes import size_of
from jkeras.training.data.source import Batch
from jkeras.training.step.layout import LazyLayout
from jkeras.training.step.overrides import has_own_step, overrides
from jkeras.training.step.state import TrainState
from jkeras.training.step.batch_loss import BatchLoss
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def may_pad(lazy_layout: LazyLayout, kind: str, state: TrainState, batch: Batch) -> bool:
    """Whether rows that are not valid change nothing in a step of `kind` "train" or "test".

    Args:
        lazy_layout: of the state.
        batch: (x, y, sample_weight), arrays or shapes, as the step will be given it.
    """
    model = lazy_layout.model
    if lazy_layout.layout is None or not model.jit_compile:
        return False
    if _has_own_step(model, kind) or model.metrics_of_layers():
        return False

    loss_of = BatchLoss(lazy_layout.layout)

    def forward(state: TrainState, batch: Batch, valid_rows: jax.Array | None = None) -> tuple:
        rng = jax.random.fold_in(state.rng, state.step)
        training = kind == "train"
        loss, passed = loss_of(state.params, state, batch, rng, training, valid_rows=valid_rows)
        return (loss, passed.state), passed.y_pred

    state = jax.tree_util.tree_map(lambda v: jax.ShapeDtypeStruct(np.shape(v), v.dtype), state)
    valid_rows = np.ones(size_of(batch[0]), bool)
    if not leaves_out_padding(
        lambda state, both: forward(state, *both)[0], state, batch=(batch, valid_rows)
    ):
        return False
    compiled = model.compilation.metrics
    if compiled is None:
        return True
    _, y_pred = jax.eval_shape(forward, state, batch)
    return all(
        _weighs(metric, y_true, prediction)
        for metric, _, y_true, prediction, _ in compiled.compared(batch[1], y_pred)
    )


def _has_own_step(model: "Trainer", kind: str) -> bool:
    own = any(overrides(model, name) for name in ("compute_loss", "compute_metrics"))
    return own or has_own_step(model, kind)


def _weighs(metric: Metric, y_true: Structure, y_pred: Structure) -> bool:
    """Whether a metric counts a row of weight 0 as if it were not there: built-in ones, and means
    of functions by row.

    Args:
        y_true, y_pred: arrays or shapes that it compares.
    """
    cls = type(metric)
    is_known = cls is MeanMetricWrapper or public_name(cls)
    if isinstance(metric, MeanMetricWrapper) and is_known:
        kwargs = metric.fn_kwargs()
        return are_independent(lambda both: metric.fn(*both, **kwargs), batch=(y_true, y_pred))
    return public_name(cls) is not None and hasattr(metric, "weight_of_rows")
