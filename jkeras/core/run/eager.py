"""A layer called by hand, and its `call`, as in Keras: what stays behind on the objects."""

import contextlib
import functools
import inspect
import types

import jax

from jkeras.core.errors import NotBuiltError, explain, place_of
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


class CallOfClass:
    """`Layer.call`, Keras's name of the forward pass: a function with the arguments of the class
    that it is looked up on.
    """

    def __get__(self, layer, cls):
        function = _call_of(cls)
        return function if layer is None else types.MethodType(function, layer)


CALL = CallOfClass()


def is_lifted(cls: type) -> bool:
    """Whether a layer class is written with `call`, as in Keras, rather than with `forward`."""
    for own in map(vars, cls.__mro__):
        if "call" in own:
            return own["call"] is not CALL
    return False


@functools.cache
def _call_of(cls):
    """The `call` of a class that has none of its own, or of what a class's own `call` overrides."""

    def call(self, *args, training=None, mask=None, **kwargs):
        target = forward_of(cls)
        context = {"training": training, "mask": mask}
        if target.own:
            context |= zip(target.context, args[target.own :])
        inputs = args[: target.own]
        for name in target.names[len(inputs) : target.own or 0]:
            if name in kwargs:  # `forward` may call it otherwise
                inputs = (*inputs, kwargs.pop(name))
        run = frame.current()
        is_inside = _is_inside(self, run)
        if not is_inside and not self.is_lifted():  # by hand, or from another layer
            return self(*inputs, **kwargs, **_said(context))
        if not (is_inside or self.built or self.traits.is_weightless):
            raise _not_built(self)
        with contextlib.nullcontext(run) if run is not None else frame.Run(self) as run:
            ctx = _context(self, run, target, **context)
            return running.run_forward(self, ctx, None, inputs, kwargs)

    call.__qualname__ = f"{cls.__qualname__}.call"
    call.__doc__ = "The forward pass, without what a call of the layer does around it."
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    call.__signature__ = inspect.Signature([itself, *forward_of(cls).signature.parameters.values()])
    return call


def _is_inside(layer, run):
    """Whether a layer is the one that runs now."""
    return run is not None and run.stack and run.stack[-1][0] is layer


def _said(context):
    """What of `training` and `mask` a caller says."""
    return {name: value for name, value in context.items() if value is not None}


def _context(layer, run, target, training, mask):
    """What `forward` is told: `training` as said, or as in the run, or as the class has it."""
    if training is None:
        training = run.training
    if training is None:
        training = target.context.get("training")
    return Context(frame.ObjectScope(run, layer), layer, training, mask)


def _not_built(layer):
    return NotBuiltError(
        explain(
            place_of(layer),
            "a layer with weights",
            "`call` of one that is not built",
            "call the layer itself, which builds it, or `build(shape)` first",
        )
    )
