"""Optimizers written the Keras way, with `update_step` or `apply` on variables, as pure transforms.

The values of the variables are those of the state while the subclass's own method runs.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.core import frame
from jkeras.core.variable import Variable
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
        def update(gradients: dict):
            for variable, g in gradients.items():
                optimizer.update_step(g, variable, learning_rate)

        state = {**state, "scalars": optimizer.advance(state["scalars"], count + 1)}
        return _run(optimizer, update, grads, state, params, variables)

    return stepping(_with_own_variables(optimizer, follow(optimizer)), step)


def lifted_apply(optimizer: "Optimizer", whole: Transform) -> Transform:
    """The transform that runs a subclass's own `apply`, which may call on the whole chain."""

    def step(grads: Tree, state: State, params: Tree, variables: Tree = None, **extra: Any):
        def apply(gradients: dict):
            known = optimizer.built_for
            optimizer.apply([gradients.get(v) for v in known], known)

        return _run(optimizer, apply, grads, state, params, variables)

    return stepping(_with_own_variables(optimizer, whole), step)


def _run(
    optimizer: "Optimizer",
    body: Callable[[dict], None],
    grads: Tree,
    state: State,
    params: Tree,
    variables: Tree,
) -> tuple[Tree, State]:
    """What `body` makes of variables that have the values of params and state.

    Args:
        body: takes `{variable: gradient}`, without those that have none.
    """
    leaves, treedef = jax.tree.flatten(params)
    owners = _owners(optimizer, treedef.flatten_up_to(describe(params, variables)))
    where = dict(zip(owners, paths(params)))
    order = [where[v] for v in optimizer.built_for]
    values = dict(zip(optimizer.variables, optimizer.state_to_variables(state, order)))
    values |= zip(owners, leaves)
    gradients = dict(zip(owners, treedef.flatten_up_to(grads)))
    present = {v: g for v, g in gradients.items() if g is not None}
    values = _values_after(lambda: body(present), values)
    new = treedef.unflatten([values[v] for v in owners])
    return new, optimizer.filled(state, [values[v] for v in optimizer.variables], order)


def _values_after(body: Callable[[], None], values: dict[Variable, Any]) -> dict[Variable, Any]:
    """The values of variables after `body`, which begins with the given ones."""
    with frame.Run(values=dict(values)) as run:
        body()
    return {v: run.values[v] for v in values}


def _owners(optimizer: "Optimizer", leaves: list) -> list[Variable]:
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


def _with_own_variables(optimizer: "Optimizer", inner: Transform) -> Callable[..., State]:
    """An `init` that adds the variables which the subclass's `build` made, as scalars."""

    def init(params: Tree, variables: Tree = None) -> State:
        state = inner.init(params, variables)
        if not optimizer.built:
            optimizer.for_stand_ins = variables is None
            stand_ins = jax.tree.map(lambda p: Variable(jnp.zeros(p.shape, p.dtype)), params)
            optimizer.build(jax.tree.leaves(stand_ins if variables is None else variables))
        own = {name: jnp.asarray(v.value) for v, name in optimizer.added_variables().items()}
        return {**state, "scalars": {**state.get("scalars", {}), **own}}

    return init
