"""Optimizers written the Keras way, with `update_step` or `apply` on variables, as pure transforms.

The values of the variables are those of the state while the subclass's own method runs.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.core.run.scopes import on_values
from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.weights.variable import Variable
from jkeras.optimizers.transform.leaves import describe, paths
from jkeras.optimizers.transform.pair import State, Transform, Tree, stepping
from jkeras.optimizers.transform.rule import follow

if TYPE_CHECKING:
    from jkeras.optimizers.base import Optimizer


def lifted_update_step(optimizer: "Optimizer") -> Transform:
    """The link that runs a subclass's own `update_step` for each parameter with a gradient."""

    def step(
        grads: Tree,
        state: State,
        params: Tree,
        *,
        learning_rate: jax.Array,
        count: jax.Array,
        variables: Tree = None,
        **extra: Any,
    ):
        def update(gradients: ByVariable):
            for variable, g in gradients:
                optimizer.update_step(g, variable, learning_rate)

        state = {**state, "scalars": optimizer.advance(state["scalars"], count + 1)}
        return _run(optimizer, update, grads, state, params, variables)

    return stepping(_with_own_variables(optimizer, follow(optimizer)), step)


def lifted_apply(optimizer: "Optimizer", whole: Transform) -> Transform:
    """The transform that runs a subclass's own `apply`, which may call on the whole chain."""

    def step(grads: Tree, state: State, params: Tree, variables: Tree = None, **extra: Any):
        def apply(gradients: ByVariable):
            lifted = optimizer.built_for
            optimizer.apply([gradients.find(v) for v in lifted], lifted)

        return _run(optimizer, apply, grads, state, params, variables)

    return stepping(_with_own_variables(optimizer, whole), step)


def _run(
    optimizer: "Optimizer",
    body: Callable[[ByVariable], None],
    grads: Tree,
    state: State,
    params: Tree,
    variables: Tree,
) -> tuple[Tree, State]:
    """What `body` makes of variables that have the values of params and state.

    Args:
        body: takes the gradients by variable, without those that have none.
    """
    leaves, treedef = jax.tree.flatten(params)
    targets = _targets(optimizer, treedef.flatten_up_to(describe(params, variables)))
    order = ByVariable(zip(targets, paths(params))).of(optimizer.built_for)
    slots = zip(optimizer.variables, optimizer.state_to_variables(state, order))
    values = ByVariable([*slots, *zip(targets, leaves)])
    gradients = zip(targets, treedef.flatten_up_to(grads))
    with on_values(values):
        body(ByVariable((v, g) for v, g in gradients if g is not None))
    new = treedef.unflatten(values.of(targets))
    return new, optimizer.filled(state, values.of(optimizer.variables), order)


def _targets(optimizer: "Optimizer", leaves: list) -> list[Variable]:
    """The variables that a subclass's own method is called with."""
    if all(leaf.variable is not None for leaf in leaves):
        return [leaf.variable for leaf in leaves]
    if optimizer.for_stand_ins:
        return optimizer.built_for
    raise ValueError(
        f"{optimizer.name}: {type(optimizer).__name__} has its own `update_step` or `apply`, which "
        "works on variables, and the optimizer was built for variables of a model. Pass "
        "`variables=`, a tree like the parameters of these variables, to `init` and `step`."
    )


def _stand_ins(params: Tree) -> list[Variable]:
    return [Variable(jnp.zeros(p.shape, p.dtype)) for p in jax.tree.leaves(params)]


def _with_own_variables(optimizer: "Optimizer", inner: Transform) -> Callable[..., State]:
    """An `init` that adds the variables which the subclass's `build` made, as scalars."""

    def init(params: Tree, variables: Tree = None) -> State:
        state = inner.init(params, variables)
        if not optimizer.built:
            optimizer.for_stand_ins = variables is None
            optimizer.build(jax.tree.leaves(variables) or _stand_ins(params))
        own = {name: jnp.asarray(v.value) for v, name in optimizer.added_variables()}
        return {**state, "scalars": {**state.get("scalars", {}), **own}}

    return init
