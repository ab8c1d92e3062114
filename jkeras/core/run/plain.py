"""The plainest of calls: one array, nothing beside it. It is run without binding arguments; the
array and the weights are cast to the type that the layer computes in.
"""

import jax
import jax.numpy as jnp

from jkeras.core.names.dtypes import name_of
from jkeras.core.run.adapting import check_own_values
from jkeras.core.run.context import Context
from jkeras.core.run.derived import specs_for
from jkeras.core.run.tracebacks import is_built_in_class, name_call
from jkeras.core.session.settings import settings
from jkeras.core.weights.module import Module, derived
from jkeras.kernel import low_rank, masks_on
from jkeras.kernel.spec import Spec


def is_plain_call(layer, scope, args, kwargs, bare) -> bool:
    """Whether a call of a layer is of the plainest kind."""
    flow = scope.flow
    state = vars(layer)
    in_force = (settings.distribution, masks_on.kept)
    beside = (kwargs, flow.bare, flow.abstract, state["remat_scope"], *in_force)
    if len(args) != 1 or any(beside) or not isinstance(args[0], jax.Array):
        return False
    x = args[0]
    policy = state["_dtype_policy"]
    facts = derived.get(layer)
    if facts is None or "is_plain" not in facts:
        facts = _ask(layer)
    is_penalized = bare and state["activity_regularizer"] is not None
    if policy.plain_dtype is None or is_penalized or not facts["is_plain"]:
        return False
    if scope.is_of_objects and not (state["built"] and _is_plain_object(layer)):
        return False
    has_children = layer.traits.has_children
    if has_children and flow.shared:
        return False
    # a composite keeps its input as it is, and its children are to know what is cast
    is_whole = any((has_children, bare, not state["autocast"]))
    casts = any((x.dtype != policy.plain_dtype, policy.is_mixed, flow.casting))
    is_masked = flow.masks and flow.mask_of(x) is not None
    if any((is_whole and casts, is_masked, hasattr(x, masks_on.NAME))):
        return False
    if not scope.is_of_objects and not flow.is_built:
        state = state.get("_before_build", state)
    return state["input_spec"] is None or state["input_spec"].accepts(x.shape)


def _ask(layer):
    """What follows from the layer's attributes, with `is_plain`: whether none asks for more."""
    is_plain = not (layer._is_changed or isinstance(vars(layer).get("activation"), Module))
    facts = derived.setdefault(layer, {})
    facts["is_plain"] = is_plain
    return facts


def _is_plain_object(layer):
    """Whether a layer that is run on its own variables has no children among these, and no change
    beside a weight.
    """
    own = tuple(vars(layer)["_own"])  # another thread may build it now
    return not layer.traits.has_children and not low_rank.has_part(own)


def run_plainly(layer, scope, x):
    """`Layer.run_on` for the plainest of calls."""
    values = scope.weights()
    if low_rank.has_part(values):
        values = low_rank.adapted(values)
    flow = scope.flow
    state = vars(layer)
    policy = state["_dtype_policy"]
    dtype = policy.plain_dtype
    if x.dtype != dtype and jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(dtype)
    specs = state["_own"]
    if not scope.is_of_objects and not flow.is_built:
        if (
            layer.traits.has_children
        ):  # mostly none; they may follow from the children, see `derived`
            specs = layer.weight_specs(Spec(x.shape, name_of(x.dtype)))
        else:
            specs = specs_for(layer, x)
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
        inputs = (layer.cursor(scope), x) if layer.traits.has_children else (x,)
        outputs = layer.forward(values, *inputs, ctx=ctx)
        if layer.traits.is_stateful:
            outputs, changed = outputs
            scope.update(changed)
        if layer.activity_regularizer is not None:
            add_activity_losses(layer, flow, outputs)
    except Exception as error:
        if not is_built_in_class(type(layer)):
            name_call(error, layer, {"inputs": x})
        raise
    finally:
        flow.stack.pop()
        flow.casting -= bool(casts)
        flow.training = outer
    return outputs


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
