"""The plainest of calls: one array of the type that the layer computes in, nothing beside it,
nothing cast. It is run without binding arguments.
"""

import jax

from jkeras.core.adapting import check_own_values
from jkeras.core.context import Context
from jkeras.core.module import Module
from jkeras.core.settings import settings
from jkeras.kernel.spec import Spec


def is_plain_call(layer, scope, args, kwargs) -> bool:
    """Whether a call of a layer is of the plainest kind."""
    flow = scope.flow
    state = vars(layer)
    beside = (kwargs, flow.masks, flow.bare, flow.casting, flow.abstract, settings.distribution)
    special = (layer._is_changed, state["remat_scope"], state["activity_regularizer"])
    if any(beside) or any(special) or len(args) != 1:
        return False
    if isinstance(state.get("activation"), Module) or not isinstance(args[0], jax.Array):
        return False
    if layer.has_children and (scope.is_of_objects or flow.shared):
        return False
    return _is_plain_input(layer, state, scope, args[0])


def _is_plain_input(layer, state, scope, x):
    policy = state["_dtype_policy"]
    if policy.varies:
        policy = policy.of(layer)
    if policy.quantization_mode or policy.compute_dtype != policy.variable_dtype:
        return False
    if x.dtype.name != policy.compute_dtype or hasattr(x, "_keras_mask"):
        return False
    if scope.is_of_objects and not state["built"]:
        return False
    if scope.is_of_objects or scope.flow.is_built:
        input_spec = layer.input_spec
    else:
        input_spec = state.get("_before_build", state)["input_spec"]
    return input_spec is None or input_spec.accepts(x.shape)


def run_plainly(layer, scope, x):
    """`Layer.run_on` for the plainest of calls."""
    values = scope.weights()
    flow = scope.flow
    if not scope.is_of_objects and not flow.is_built:
        specs = layer.weight_specs(Spec(x.shape, x.dtype.name))
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
    finally:
        flow.stack.pop()
        flow.training = outer
    if layer.is_stateful:
        outputs, changed = outputs
        scope.update(changed)
    return outputs
