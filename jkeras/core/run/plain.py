"""The plainest of calls: one array of the type that the layer computes in, nothing beside it,
nothing cast. It is run without binding arguments.
"""

import jax

from jkeras.core.run.adapting import check_own_values
from jkeras.core.run.context import Context
from jkeras.core.names.dtypes import name_of
from jkeras.core.weights.module import Module
from jkeras.core.session.settings import settings
from jkeras.core.run.tracebacks import is_built_in, name_call
from jkeras.kernel import low_rank, masks_on
from jkeras.kernel.spec import Spec


def is_plain_call(layer, scope, args, kwargs) -> bool:
    """Whether a call of a layer is of the plainest kind."""
    flow = scope.flow
    state = vars(layer)
    beside = (kwargs, flow.masks, flow.bare, flow.casting, flow.abstract, settings.distribution)
    # another thread may build it now
    is_adapted = any(map(low_rank.is_part, tuple(state["_own"])))
    special = (
        layer._is_changed or is_adapted,
        state["remat_scope"],
        state["activity_regularizer"],
    )
    if len(args) != 1 or any(beside) or any(special) or not isinstance(args[0], jax.Array):
        return False
    x = args[0]
    is_apart = not scope.is_of_objects and not flow.shared
    dtype = state["_dtype_policy"].plain_dtype
    unlike = (
        dtype is None or x.dtype != dtype,
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
    if not scope.is_of_objects and not flow.is_built:
        specs = layer.weight_specs(Spec(x.shape, name_of(x.dtype)))
        check_own_values(layer, scope, values, specs)
    outer = flow.training
    training = outer
    if training is None:
        training = layer.call_context.get("training")
    flow.training = training
    flow.stack.append((layer, None))
    ctx = Context(scope, layer, training, None)
    try:
        if layer.has_children:
            return layer.forward(values, layer.cursor(scope), x, ctx=ctx)
        outputs = layer.forward(values, x, ctx=ctx)
    except Exception as error:
        if not is_built_in(layer):
            name_call(error, layer, {"inputs": x})
        raise
    finally:
        flow.stack.pop()
        flow.training = outer
    if layer.is_stateful:
        outputs, changed = outputs
        scope.update(changed)
    return outputs
