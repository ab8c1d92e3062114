"""A layer called by hand on arrays: what stays behind on the objects, as in Keras."""

import jax

from jkeras.core import frame
from jkeras.core.paths import walk


def call_eagerly(layer, args, kwargs):
    """The outputs of a layer on its own arrays; its losses and masks stay for the next call."""
    with frame.Run(layer) as run:
        outputs = run.call(layer, args, kwargs)
    for _, module in walk(layer):
        vars(module).get("_losses", []).clear()
    for owner, value in run.losses:
        if _stays(value):
            owner._losses.append(value)
    for value in jax.tree_util.tree_leaves(outputs):
        mask = run.masks.get(id(value))
        if mask is not None and isinstance(value, jax.Array) and _stays(value):
            value._keras_mask = mask[1]  # for the next layer called by hand
    layer.set_untracked(_state_kept=True)
    return outputs


def _stays(value):
    """Whether a value may stay behind: under a jit of the user's nothing may."""
    return not isinstance(value, jax.core.Tracer)
