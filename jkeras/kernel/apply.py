"""`init` and `apply`: functions of a layer's hyper-parameters, its values and its inputs.

A layer is whatever has the members of `kernel.layer.LayerProtocol`.
"""

import typing
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.kernel import spec, tree
from jkeras.kernel.layer import LayerProtocol
from jkeras.kernel.losses import add_losses
from jkeras.kernel.scope import Scope, begin, end


class Structure(typing.NamedTuple):
    """Which weights a layer has for an input, and which losses a call on it adds.

    Attributes:
        weights: `{path: Weight}`.
        losses: `jax.ShapeDtypeStruct`s.
    """

    weights: dict[tuple[str, ...], spec.Weight]
    losses: list[jax.ShapeDtypeStruct]


def structure(layer: LayerProtocol, args: tuple, kwargs: dict | None = None) -> Structure:
    """The structure of a layer for inputs given as arrays or `jax.ShapeDtypeStruct`.

    Raises:
        ValueError: an input that lacks a size, as a symbolic one does.
    """
    declared: dict = {}
    for leaf in jax.tree_util.tree_leaves((args, kwargs)):
        if None in getattr(leaf, "shape", ()):
            raise ValueError(
                f"'{layer.name}': expected inputs with all sizes, the batch's too, received shape "
                f"{leaf.shape}. To fix it: pass an array or a jax.ShapeDtypeStruct."
            )

    def run_once(args: tuple, kwargs: dict) -> list[jax.Array]:
        with layer.flow_type(layer, params={}, state={}, declared=declared) as flow:
            layer.run_on(Scope(flow), args, kwargs)
        return [value for _, value in flow.losses]

    losses = on_shapes(run_once, tuple(args), kwargs or {})
    weights = {
        (*path, name): weight for path, specs in declared.items() for name, weight in specs.items()
    }
    return Structure(weights, losses)


def init(
    layer: LayerProtocol, key: jax.Array, args: tuple, kwargs: dict | None = None
) -> tuple[dict, dict]:
    """New values for an input, from a key alone: `(params, state)`."""
    weights, added = structure(layer, args, kwargs)
    specs = weights.values()
    initializers = [weight.initializer for weight in specs]
    shapes = [weight.shape for weight in specs]
    dtypes = [weight.dtype for weight in specs]
    values = spec.create(initializers, shapes, dtypes, tuple(weights), key)
    places = list(zip(weights.items(), values))
    params = tree.unflatten((path, value) for (path, w), value in places if w.trainable)
    state = tree.unflatten((path, value) for (path, w), value in places if not w.trainable)
    if added:
        state = add_losses(state, [jnp.zeros(loss.shape, loss.dtype) for loss in added])
    return params, state


def apply(
    layer: LayerProtocol,
    params: dict,
    state: dict,
    args: tuple,
    kwargs: dict,
    *,
    bare: bool = False,
    **options,
) -> tuple[typing.Any, dict]:
    """The forward pass on given values: `(outputs, new state)`.

    Args:
        bare: as of `run_on`.
    """
    flow = layer.flow_type(layer, params=params, state=state, **options)
    token = begin(flow)
    try:
        outputs = layer.run_on(Scope(flow), args, kwargs, bare)
    finally:
        end(token)
    return outputs, flow.new_state()


def on_shapes(function: Callable, *structures: typing.Any) -> typing.Any:
    """eval_shape where leaves that are no arrays stay as they are."""
    leaves, treedef = jax.tree_util.tree_flatten(structures, is_leaf=lambda v: v is None)
    flows = [hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in leaves]
    specs = [
        jax.ShapeDtypeStruct(leaf.shape, jax.dtypes.canonicalize_dtype(leaf.dtype))
        for leaf, is_array in zip(leaves, flows)
        if is_array
    ]

    def run(arrays: list[jax.Array]) -> typing.Any:
        remaining = iter(arrays)
        filled = [next(remaining) if f else leaf for leaf, f in zip(leaves, flows)]
        return function(*jax.tree_util.tree_unflatten(treedef, filled))

    return jax.eval_shape(run, specs)
