"""Layers that bring rows together, or keep what they saw: a gradient of one row has no place for
them, and no noise is added to what they keep.
"""

from typing import Any

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.trail import Trail
from jkeras.ops.kernels import traced_for
from jkeras.training.batch_independence import meeting
from jkeras.training.data.source import Batch
from jkeras.training.state import TrainState
from jkeras.training.train_step import TrainStep

SIZE = 11  # rows of the batch that is traced: a prime, so that it is no other size
ADVICE = (
    "use a layer that looks at each row by itself, such as GroupNormalization or "
    "LayerNormalization, or freeze it with `trainable = False`"
)


def check_rows(step: TrainStep, state: TrainState, batch: Batch) -> None:
    """Sees that the model takes the rows of a batch one by one.

    Args:
        step: with its layout.
        batch: (x, y, sample_weight), arrays or shapes.

    Raises:
        ValueError: a layer brings rows together or keeps what it saw of them; it is named.
    """
    trail = Trail()

    def run(x: Any, state: TrainState) -> tuple:
        forward = step.layout.run(state, rng=state.rng, training=True, taps=trail)
        with forward:
            y_pred = forward.forward(x)
        return trail.arrays(), y_pred, step.layout.after(forward)[0]

    def shape(value: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((SIZE, *np.shape(value)[1:]), value.dtype)

    x = jax.tree_util.tree_map(shape, batch[0])
    shapes = jax.tree_util.tree_map(lambda v: jax.ShapeDtypeStruct(np.shape(v), v.dtype), state)
    with traced_for("plain"):
        closed, (_, y_pred, kept) = jax.make_jaxpr(run, return_shape=True)(x, shapes)
    jaxpr = closed.jaxpr
    sizes = [len(jax.tree_util.tree_leaves(part)) for part in (x, y_pred, kept)]
    _check_kept(jaxpr, sizes[0], kept)
    outputs = jaxpr.outvars[len(jaxpr.outvars) - sizes[1] - sizes[2] :][: sizes[1]]
    axes = [0] * sizes[0] + [None] * (len(jaxpr.invars) - sizes[0])
    place = meeting(jaxpr, axes, outputs)
    if place is not None:
        name = jaxpr.eqns[place].primitive.name
        layer = trail.layer_at(jaxpr, place) or f"model '{step.model.name}'"
        received = f"{layer}, which brings the rows of a batch together (`{name}`)"
        raise ValueError(
            explain("privacy.DPSGD", "layers that take each row alone", received, ADVICE)
        )


def _check_kept(jaxpr: Any, inputs: int, kept: Any) -> None:
    """Sees that nothing which the forward pass keeps follows from the rows."""
    reached = set(jaxpr.invars[:inputs])
    for eqn in jaxpr.eqns:
        if any(not hasattr(v, "val") and v in reached for v in eqn.invars):
            reached.update(eqn.outvars)
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(kept)]
    for path, variable in zip(paths[::-1], reversed(jaxpr.outvars)):
        if not hasattr(variable, "val") and variable in reached:
            where = "/".join(str(key.key) for key in path)
            received = f"'{where}', which a layer makes of the rows that it sees"
            raise ValueError(explain("privacy.DPSGD", "no statistics of rows", received, ADVICE))
