"""An optax transformation as a link."""

from typing import Any

import jax.numpy as jnp

from jkeras.optimizers.transform.leaves import over
from jkeras.optimizers.transform.pair import State, Transform, Tree


def from_optax(transformation: Any, name: str = "optax") -> Transform:
    """The link of an `optax.GradientTransformation`, which keeps its state under a name.

    A gradient None counts as zeros.

    >>> import optax
    >>> link, params = from_optax(optax.sgd(0.5)), {"w": jnp.ones(1)}
    >>> print(link.step(params, link.init(params), params)[0]["w"])
    [0.5]
    """

    def init(params: Tree, variables: Tree = None) -> State:
        return {name: transformation.init(params)}

    def update(grads: Tree, state: State, params: Tree, **extra: Any):
        grads = over(lambda p, g: jnp.zeros_like(p) if g is None else g, params, grads)
        updates, inner = transformation.update(grads, state[name], params)
        return updates, {**state, name: inner}

    return Transform(init, update)
