"""Parameters held to the constraints of their variables after each step."""

from typing import Any

import jax

from jkeras.optimizers.transform.leaves import Leaf, describe, over
from jkeras.optimizers.transform.pair import State, Transform, Tree, stepping


def constrain(inner: Transform) -> Transform:
    """Applies the constraint of each variable whose parameter `inner` moved.

    Training does this itself, so that a chain of an optimizer has no such link; `apply` adds it.
    """

    def step(grads: Tree, state: State, params: Tree, variables: Tree = None, **extra: Any):
        new, state = inner.step(grads, state, params, variables=variables, **extra)

        def project(p: jax.Array, g: jax.Array | None, leaf: Leaf) -> jax.Array:
            constraint = getattr(leaf.variable, "constraint", None)
            if g is None or constraint is None:
                return p
            return constraint(p).astype(p.dtype)

        return over(project, new, grads, describe(params, variables)), state

    return stepping(inner.init, step)
