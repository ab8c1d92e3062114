"""Layers that bring rows together, or keep what they saw: a gradient of one row has no place for
them, and no noise is added to what they keep.
"""

import typing
from typing import Any

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.programs.batch_independence import SIZES, check_apart, of_size
from jkeras.programs.trail import Trail
from jkeras.programs.walk import Unreadable, depends, trace
from jkeras.training.data.source import Batch
from jkeras.training.step.state import TrainState
from jkeras.training.step.layout import StateLayout

REWRITE = (
    "write it such that each row is computed from that row alone, or use a layer that does, such "
    "as GroupNormalization or LayerNormalization in place of BatchNormalization, or freeze it with "
    "`trainable = False` where it then looks at each row alone"
)
STATISTICS = (
    "use a layer that keeps nothing, such as GroupNormalization or LayerNormalization, or freeze "
    "it with `trainable = False`"
)
METRICS = (
    "look at activations from outside, by `model.tap` on data that are not private, or take the "
    "metric out of the layer: its value would tell of the rows without noise"
)


class Traced(typing.NamedTuple):
    """A forward pass of a batch.

    Attributes:
        jaxpr: from (x, state) to (what each layer gives, predictions, what is stored).
        inputs, predictions: how many arrays.
        stored: their shapes.
    """

    jaxpr: Any
    inputs: int
    predictions: int
    stored: Any


def check_rows(layout: StateLayout, state: TrainState, batch: Batch) -> None:
    """Sees that the model takes the rows of a batch one by one.

    Args:
        layout: of the state.
        batch: (x, y, sample_weight), arrays or shapes.

    Raises:
        ValueError: of a layer it is not known that it does, or it keeps what it saw of them; it is
            named, with the operation.
    """
    trails = [Trail() for _ in SIZES]
    traced = [_traced(layout, state, batch, *which) for which in zip(SIZES, trails)]
    first = traced[0]
    _check_stored(layout.model, first)
    behind = first.predictions + len(jax.tree_util.tree_leaves(first.stored))
    outputs = slice(-behind, first.predictions - behind or None)
    try:
        check_apart([t.jaxpr for t in traced], slice(0, first.inputs), outputs)
    except Unreadable as error:
        layer = trails[0].layer_at(first.jaxpr, error.place) or f"model '{layout.model.name}'"
        received = f"{layer}, in which `{error.name}` brings the rows of a batch together, or may"
        wanted = "layers that take each row alone"
        raise ValueError(explain("privacy.DPSGD", wanted, received, REWRITE)) from None


def _traced(layout: StateLayout, state: TrainState, batch: Any, size: int, trail: Trail) -> Traced:
    """A forward pass of a batch of a size."""

    def run(x: Any, state: TrainState) -> tuple:
        forward = layout.run(state, rng=state.rng, training=True, observer=trail)
        with forward:
            y_pred = forward.forward(x)
        return trail.arrays(), y_pred, layout.after(forward)[0]

    x = of_size(batch[0], size)
    shapes = jax.tree_util.tree_map(lambda v: jax.ShapeDtypeStruct(np.shape(v), v.dtype), state)
    closed, (_, y_pred, stored) = trace(run, x, shapes)
    counts = [len(jax.tree_util.tree_leaves(part)) for part in (x, y_pred)]
    return Traced(closed.jaxpr, *counts, stored)


def _check_stored(model: Any, traced: Traced) -> None:
    """Sees that nothing which the forward pass stores follows from the rows."""
    jaxpr = traced.jaxpr
    follow_rows = depends(jaxpr, [i < traced.inputs for i in range(len(jaxpr.invars))])
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(traced.stored)]
    of_metrics = [v.path for metric in model.metrics_of_layers() for v in metric.variables]
    for path, follows_rows in zip(paths[::-1], reversed(follow_rows)):
        if follows_rows:
            where = "/".join(str(key.key) for key in path)
            wanted, fix = "no statistics of rows", STATISTICS
            if any(f"/{where}".endswith(f"/{own}") for own in of_metrics):
                wanted, fix = "no metric of activations in a layer", METRICS
            received = f"'{where}', which a layer makes of the rows that it sees"
            raise ValueError(explain("privacy.DPSGD", wanted, received, fix))
