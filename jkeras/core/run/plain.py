"""The plainest of calls: one array, nothing beside it. It is run without binding arguments; the
array and the weights are cast to the type that the layer computes in.
"""

import typing

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.run.adapting import check_own_values
from jkeras.core.run.context import Context
from jkeras.core.run.derived import specs_for
from jkeras.core.run.tracebacks import name_call_of_user
from jkeras.core.session.settings import settings
from jkeras.core.weights.module import Module, derived
from jkeras.kernel import low_rank, masks_on
from jkeras.kernel.scope import Scope


class Form(typing.NamedTuple):
    """What follows from a layer's attributes for its plain calls.

    Attributes:
        dtype: that the layer computes in.
        is_mixed: whether weights are cast to it.
        is_whole: whether an input of another type has to be taken as it is.
        has_children: whether there are layers below it.
        is_penalized: whether outputs have a penalty.
    """

    dtype: np.dtype
    is_mixed: bool
    is_whole: bool
    has_children: bool
    is_penalized: bool


NOT_ASKED = object()  # where it is not known yet whether a layer has a plain form


def plain_form(
    layer: typing.Any, scope: Scope, args: tuple, kwargs: dict, bare: bool
) -> Form | None:
    """The form of a layer's plain calls; None where this call is of another kind."""
    flow = scope.flow
    form = derived.get(layer, {}).get("plain form", NOT_ASKED)
    if form is NOT_ASKED:
        form = _ask(layer)
    unlike = (
        form is None,
        len(args) != 1,
        kwargs,
        flow.bare,
        flow.abstract,
        settings.distribution,
    )
    if any(unlike) or not isinstance(args[0], jax.Array):
        return None
    x = args[0]
    casts = any((x.dtype != form.dtype, form.is_mixed, flow.casting))
    more = (
        casts & (form.is_whole | bare),
        any((flow.masks, masks_on.kept)) and flow.mask_of(x) is not None,
        form.is_penalized & bare,
        all((form.has_children, flow.shared)),
    )
    if any(more):
        return None
    state = vars(layer)
    if scope.is_of_objects:
        own = tuple(state["_own"])  # another thread may build it now
        if any((not state["built"], form.has_children, low_rank.has_part(own))):
            return None
    elif not scope.is_built:
        state = state.get("_before_build", state)
    input_spec = state["input_spec"]
    return form if input_spec is None or input_spec.accepts(x.shape) else None


def _ask(layer: typing.Any) -> Form | None:
    """The plain form that follows from the layer's attributes; None where it has none. It is kept
    with what else follows from them.
    """
    state, policy = vars(layer), layer.dtype_policy
    unlike = (
        policy.plain_dtype is None,
        state["remat_scope"],
        layer._is_changed,
        isinstance(state.get("activation"), Module),
    )
    has_children = layer.traits.has_children
    form = None
    if not any(unlike):
        # a composite keeps its input as it is, and its children are to know what is cast
        is_whole = has_children or not state["autocast"]
        is_penalized = state["activity_regularizer"] is not None
        form = Form(policy.plain_dtype, policy.is_mixed, is_whole, has_children, is_penalized)
    derived.setdefault(layer, {})["plain form"] = form
    return form


def run_plainly(layer: typing.Any, scope: Scope, x: jax.Array, form: Form) -> typing.Any:
    """`Layer.run_on` for the plainest of calls."""
    values, flow = scope.weights(), scope.flow
    if low_rank.has_part(values):
        values = low_rank.adapted(values)
    if x.dtype != form.dtype and jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(form.dtype)
    specs = vars(layer)["_own"]
    if not scope.is_built:
        specs = specs_for(layer, x)
        check_own_values(layer, scope, values, specs)
    casts = bool(form.is_mixed or flow.casting)
    cast_to = None
    if casts:
        cast_weights(values, specs, form.dtype)
        cast_to = form.dtype.name
    outer = flow.training
    training = outer
    if training is None:
        training = layer.call_context.get("training")
    flow.training = training
    flow.stack.append((layer, cast_to))
    flow.casting += casts
    ctx = Context(scope, layer, training, None)
    try:
        inputs = (layer.cursor(scope), x) if form.has_children else (x,)
        outputs = layer.forward(values, *inputs, ctx=ctx)
        if layer.traits.is_stateful:
            outputs, changed = outputs
            scope.update(changed)
        if form.is_penalized:
            add_activity_losses(layer, flow, outputs)
    except Exception as error:
        name_call_of_user(error, layer, {"inputs": x})
        raise
    finally:
        flow.stack.pop()
        flow.casting -= casts
        flow.training = outer
    return outputs


def cast_weights(
    values: dict[str, typing.Any], specs: dict[str, typing.Any], dtype: typing.Any
) -> None:
    """Casts what is to be cast among weights by name."""
    for name, value in values.items():
        is_cast = name not in specs or specs[name].autocast
        if is_cast and jnp.issubdtype(value.dtype, jnp.floating):
            values[name] = value.astype(dtype)


def add_activity_losses(layer: typing.Any, flow: typing.Any, outputs: typing.Any) -> None:
    """Adds the layer's penalty on its outputs, for each row of the batch."""
    for output in jax.tree_util.tree_leaves(outputs):
        loss = layer.activity_regularizer(output)
        if output.ndim and output.shape[0]:
            loss = loss / output.shape[0]
        flow.add_loss(layer, loss)
