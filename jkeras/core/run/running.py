"""How a layer runs on its slice of a forward pass: inputs cast, weights read, masks passed on."""

import typing

import jax

from jkeras.core.run import remat
from jkeras.core.run.call import Call
from jkeras.core.run.adapting import (
    check_own_values,
    needs_objects,
    run_adapted,
    run_copy,
    runs_as_copy,
)
from jkeras.core.run.context import Context
from jkeras.core.run.derived import specs_for_call
from jkeras.core.run.plain import (
    add_activity_losses,
    cast_weights,
    plain_form,
    run_plainly,
)
from jkeras.core.run.tracebacks import is_built_in_class, name_call_of_user
from jkeras.core.session.settings import settings
from jkeras.kernel import low_rank
from jkeras.kernel.scope import Scope


def run_on(
    layer: typing.Any, scope: Scope, args: tuple, kwargs: dict, bare: bool = False
) -> typing.Any:
    """The outputs of a layer.

    Args:
        scope: where its weights are: by path, or those of objects.
        bare: runs it as Keras's `layer.call` does: in the dtype of the layer around, without
            activity penalty.
    """
    built_in = is_built_in_class(type(layer))
    if not any((scope.is_of_objects, built_in)) and runs_as_copy(layer, scope):
        return run_copy(layer, scope, args, kwargs, bare)
    form = None
    if layer.is_plain(type(layer)):
        form = plain_form(layer, scope, args, kwargs, bare)
    with jax.named_scope(layer.name):  # profiles and programs say which layer it was
        if form is not None:
            outputs = run_plainly(layer, scope, args[0], form)
        elif not scope.is_of_objects and needs_objects(layer, scope):
            return run_adapted(layer, scope, args, kwargs, bare)
        else:
            outputs = _run_bound(layer, scope, args, kwargs, bare)
    observer = scope.flow.observer
    if observer is not None:
        outputs = observer.through(layer, scope, (args, kwargs), outputs)
    return outputs


def _run_bound(
    layer: typing.Any, scope: Scope, args: tuple, kwargs: dict, bare: bool
) -> typing.Any:
    """`run_on` with the arguments bound to names, for calls of any kind."""
    flow = scope.flow
    bare = bare or all((flow.bare, not flow.stack))
    call = layer.bind_call(args, kwargs, cast=not bare)
    scope.enter(layer, call)
    outer = flow.training
    try:
        call.populate(flow, outer)
        flow.training = call.now_training
        dtype = flow.cast_type() if bare else cast_type(layer, flow)
        flow.stack.append((layer, dtype))
        flow.casting += dtype is not None
        try:
            compute = execute
            if any((layer.remat_scope, settings.distribution)):
                compute = _computed
            outputs = compute(layer, scope, call)
            if layer.activity_regularizer is not None and not bare:
                add_activity_losses(layer, flow, outputs)
        finally:
            flow.stack.pop()
            flow.casting -= dtype is not None
    finally:
        scope.leave()
        flow.training = outer
    layer.pass_masks(flow, call, outputs)
    return outputs


def _computed(layer: typing.Any, scope: Scope, call: Call) -> typing.Any:
    if layer.remat_scope is None:
        y = execute(layer, scope, call)
    else:
        y = remat.execute(scope, layer, call, execute)
    if settings.distribution is None:
        return y
    # as the session's distribution wants it
    layout = settings.distribution.get_tensor_layout(f"{layer.path}/output")
    return y if layout is None else jax.lax.with_sharding_constraint(y, layout.backend_layout)


def execute(layer: typing.Any, scope: Scope, call: Call) -> typing.Any:
    """The outputs of a call whose arguments are bound and cast."""
    try:
        if call.target.lifted:
            args, kwargs = call.call_arguments()
            return layer.call(*args, **kwargs)
        args, kwargs = call.forward_arguments()
        ctx = Context(scope, layer, call.now_training, call.mask)
        return run_forward(layer.as_run(scope, call), ctx, call, args, kwargs)
    except Exception as error:
        name_call_of_user(error, layer, call.arguments, scope.flow.abstract)
        raise


def itself(layer, scope, call):
    """The layer that runs a call: itself, but for layers whose weights are in another form."""
    return layer


def run_forward(layer, ctx, call, args, kwargs):
    """`forward` on the layer's own weights; what it changed of them is set.

    Args:
        call: None where the scope is one of objects.
    """
    scope = ctx.scope
    if layer.traits.has_children:
        args = (layer.cursor(scope, call), *args)
    outputs = layer.forward(layer.own_values(scope, call), *args, ctx=ctx, **kwargs)
    if layer.traits.is_stateful:
        outputs, changed = outputs
        scope.update(changed)
    return outputs


def own_values(layer, scope, call, is_called=False):
    """The layer's own weights by name, in the type that it computes in.

    Args:
        is_called: the type follows from its policy, as for a call of it which is not under way.
    """
    values = scope.weights()
    if not values and layer.traits.is_weightless:
        return values
    if low_rank.has_part(values):
        values = low_rank.adapted(values)
    specs = layer._own
    if not scope.is_built:
        specs = specs_for_call(layer, call)
        if scope.flow.declared is None:
            check_own_values(layer, scope, values, specs)
    dtype = cast_type(layer, scope.flow) if is_called else scope.flow.cast_type()
    if dtype is not None:
        cast_weights(values, specs, dtype)
    if layer.traits.uses_weights_whole:
        for name, variable in tuple(layer._own.items()):  # another thread may build it now
            if variable.layout is not None and name in values:
                values[name] = variable.whole(values[name])
    return values


def cast_type(layer, flow):
    """The dtype that a layer's weights are cast to, or None.

    Where no layer around casts, one with `autocast` off does too, as in Keras.
    """
    is_inner = bool(flow.casting)
    if not layer.traits.computes_in_float:
        return None
    if is_inner and not layer.autocast:
        return None
    policy = vars(layer)["_dtype_policy"]
    if policy.is_by_path:
        policy = policy.of(layer)
    return policy.compute_dtype if policy.is_mixed or is_inner else None
