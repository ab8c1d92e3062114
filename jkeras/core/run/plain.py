"""The plainest of calls: one array, nothing beside it. It is run without binding arguments; the
array and the weights are cast to the type that the layer computes in.
"""

import jax
import jax.numpy as jnp

from jkeras.core.names.dtypes import name_of
from jkeras.core.run.adapting import check_own_values
from jkeras.core.run.context import Context
from jkeras.core.run.tracebacks import is_built_in, name_call
from jkeras.core.session.settings import settings
from jkeras.core.weights.module import Module
from jkeras.kernel import low_rank, masks_on
from jkeras.kernel.spec import Spec


def is_plain_call(layer, scope, args, kwargs, bare) -> bool:
    """Whether a call of a layer is of the plainest kind."""
    flow = scope.flow
    state = vars(layer)
    beside = (kwargs, flow.bare, flow.abstract, settings.distribution)
    # another thread may build it now
    is_adapted = any(map(low_rank.is_part, tuple(state["_own"])))
    special = (layer._is_changed or is_adapted, state["remat_scope"])
    if len(args) != 1 or any(beside) or any(special) or not isinstance(args[0], jax.Array):
        return False
    x = args[0]
    is_apart = not scope.is_of_objects and not flow.shared
    policy = state["_dtype_policy"]
    dtype = policy.plain_dtype
    # a composite keeps its input as it is, and its children are to know what is cast
    casts = dtype is None or x.dtype != dtype or policy.is_mixed or flow.casting
    is_whole = layer.has_children or bare or not state["autocast"]
    unlike = (
        dtype is None or (casts and is_whole),
        bare and state["activity_regularizer"] is not None,
        id(x) in flow.masks and flow.masks[id(x)][1] is not None,
        hasattr(x, masks_on.NAME) or masks_on.kept,
        isinstance(state.get("activation"), Module),
        layer.has_children and not is_apart,
        scope.is_of_objects and not state["built"],
    )
    if any(unlike):
        return False
    if not scope.is_of_objects and not flow.is_built:
        state = state.get("_before_build", state)
    return state["input_spec"] is None or state["input_spec"].accepts(x.shape)


def run_plainly(layer, scope, x):
    """`Layer.run_on` for the plainest of calls."""
    values = scope.weights()
    flow = scope.flow
    policy = layer._dtype_policy
    dtype = policy.plain_dtype
    if x.dtype != dtype and jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(dtype)
    specs = layer._own
    if not scope.is_of_objects and not flow.is_built:
        specs = _specs_for(layer, x)
        check_own_values(layer, scope, values, specs)
    casts = policy.is_mixed or flow.casting
    if casts:
        cast_weights(values, specs, dtype)
    outer = flow.training
    training = outer
    if training is None:
        training = layer.call_context.get("training")
    flow.training = training
    flow.stack.append((layer, policy.compute_dtype if casts else None))
    flow.casting += bool(casts)
    ctx = Context(scope, layer, training, None)
    try:
        inputs = (layer.cursor(scope), x) if layer.has_children else (x,)
        outputs = layer.forward(values, *inputs, ctx=ctx)
        if layer.is_stateful:
            outputs, changed = outputs
            scope.update(changed)
        if layer.activity_regularizer is not None:
            add_activity_losses(layer, flow, outputs)
    except Exception as error:
        if not is_built_in(layer):
            name_call(error, layer, {"inputs": x})
        raise
    finally:
        flow.stack.pop()
        flow.casting -= bool(casts)
        flow.training = outer
    return outputs


def _specs_for(layer, x):
    """The layer's own weights for an input. Those of a layer of ours are cached until an attribute
    of it is set: a class of the user's may ask for anything else.
    """
    asked = x.shape, x.dtype
    cached = vars(layer).get("_cached_specs")
    if cached is not None and cached[0] == asked:
        return cached[1]
    specs = layer.weight_specs(Spec(x.shape, name_of(x.dtype)))
    if is_built_in(layer):
        layer.set_untracked(_cached_specs=(asked, specs))
    return specs


def cast_weights(values, specs, dtype):
    """Casts what is to be cast among weights by name."""
    for name, value in values.items():
        is_cast = name not in specs or specs[name].autocast
        if is_cast and jnp.issubdtype(value.dtype, jnp.floating):
            values[name] = value.astype(dtype)


def add_activity_losses(layer, flow, outputs):
    """Adds the layer's penalty on its outputs, for each row of the batch."""
    for output in jax.tree_util.tree_leaves(outputs):
        loss = layer.activity_regularizer(output)
        if output.ndim and output.shape[0]:
            loss = loss / output.shape[0]
        flow.add_loss(layer, loss)
