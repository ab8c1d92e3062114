"""A layer called by hand, and its `call`, as in Keras: what stays behind on the objects."""

import jax

from jkeras.core.weights import frame
from jkeras.core.run import running
from jkeras.core.run.call import forward_of
from jkeras.core.run.context import Context
from jkeras.core.weights.paths import walk
from jkeras.kernel.masks_on import set_mask_on


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
            set_mask_on(value, mask[1])  # for the next layer called by hand
    layer.set_untracked(_state_kept=True)
    return outputs


def _stays(value):
    """Whether a value may stay behind: under a jit of the user's nothing may."""
    return not isinstance(value, jax.core.Tracer)


def call(self, *args, training=None, mask=None, **kwargs):
    """Keras's name of the forward pass. On a built-in layer, inside `call` of a subclass: its
    `forward`.
    """
    run = frame.current()
    if run is None or not run.stack or run.stack[-1][0] is not self:
        if training is not None:
            kwargs["training"] = training
        return self(*args, **kwargs)
    target = forward_of(type(self))
    context = {"training": training, "mask": mask}
    if target.own:
        context |= zip(target.context, args[target.own :])
    if context["training"] is None:
        context["training"] = run.training
    ctx = Context(frame.ObjectScope(run, self), self, context["training"], context["mask"])
    return running.run_forward(self, ctx, None, args[: target.own], kwargs)
