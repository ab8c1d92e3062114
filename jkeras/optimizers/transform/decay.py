"""Decoupled weight decay: parameters shrink before the rule sees them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.optimizers.transform.leaves import Leaf, describe, over
from jkeras.optimizers.transform.pair import State, Transform, Tree, stepping


def decay_weights(
    inner: Transform,
    rate: float | None | Callable[[Any, Leaf], float | None],
    exclude: Callable[[Leaf], bool] = lambda leaf: False,
) -> Transform:
    """Takes `learning_rate * rate * p` off each parameter p with a gradient, then runs `inner`.

    Args:
        inner: the `Transform` that moves the shrunken parameters.
        rate: a number, or a function of parameter and `Leaf`; None: no decay.
        exclude: whether a `Leaf`, which has a `name` and a `path`, is exempt.
    Returns:
        A `Transform`.

    >>> still = stepping(lambda *_: {}, lambda grads, state, params, **_: (params, state))
    >>> decayed = decay_weights(still, 0.5, lambda leaf: leaf.name == "bias")
    >>> params = {"kernel": jnp.ones(1), "bias": jnp.ones(1)}
    >>> new, _ = decayed.step(params, {}, params, learning_rate=jnp.array(0.1))
    >>> print(new["kernel"], new["bias"])
    [0.95] [1.]
    """

    def share_of(p: jax.Array, leaf: Leaf) -> float | None:
        if callable(rate):
            return rate(p, leaf)
        return rate

    def step(
        grads: Tree,
        state: State,
        params: Tree,
        *,
        learning_rate: jax.Array,
        variables: Tree = None,
        **extra: Any,
    ):
        def shrink(p: jax.Array, g: jax.Array | None, leaf: Leaf) -> jax.Array:
            if g is None or exclude(leaf):
                return p
            share = share_of(p, leaf)
            if share is None:
                return p
            return p - p * jnp.asarray(share, p.dtype) * learning_rate.astype(p.dtype)

        params = over(shrink, params, grads, describe(params, variables))
        extra |= {"learning_rate": learning_rate, "variables": variables}
        return inner.step(grads, state, params, **extra)

    return stepping(inner.init, step)
