"""Exponential moving averages of the parameters."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.optimizers.transform.leaves import zeros_like
from jkeras.optimizers.transform.pair import State, Transform, Tree, stepping


def average(
    inner: Transform,
    momentum: float = 0.99,
    overwrite_every: int | None = None,
    calls: int | None = None,
) -> Transform:
    """Keeps averages of what `inner` makes of the parameters, as the state's "ema".

    Args:
        inner: the `Transform` that moves the parameters.
        momentum: share of the old average, in [0, 1].
        overwrite_every: every so many steps the averages replace the parameters.
        calls: how many calls are one step, where `inner` accumulates.
    Returns:
        A `Transform`.
    Raises:
        ValueError: for values outside these ranges.

    >>> from jkeras.optimizers.transform import from_optax, scheduled
    >>> import optax
    >>> sgd = scheduled(average(from_optax(optax.sgd(1.0)), 0.5), 1.0)
    >>> params, state = jnp.zeros(1), sgd.init(jnp.zeros(1))
    >>> for gradient in (1.0, 2.0):
    ...     params, state = sgd.step(jnp.full(1, gradient), state, params)
    ...     print(params, state["ema"])
    [-1.] [-1.]
    [-3.] [-2.]
    """
    if not 0 <= momentum <= 1:
        raise ValueError(f"`ema_momentum` must be in [0, 1]. Received: ema_momentum={momentum}")
    is_count = isinstance(overwrite_every, int) and overwrite_every >= 1
    if overwrite_every and not is_count:
        raise ValueError(
            "`ema_overwrite_frequency` must be an integer, after so many steps, or None for "
            f"never. Received: {overwrite_every}"
        )

    def init(params: Tree, variables: Tree = None) -> State:
        return {**inner.init(params, variables), "ema": zeros_like(params)}

    def step(grads: Tree, state: State, params: Tree, *, count: jax.Array, **extra: Any):
        params, state = inner.step(grads, state, params, count=count, **extra)
        done = count // calls if calls else count

        def mean(a: jax.Array, p: jax.Array) -> jax.Array:
            share = (done != 0).astype(p.dtype) * momentum  # the first step's average is p
            return (share * a + (1 - share) * p).astype(a.dtype)

        averages = jax.tree.map(mean, state["ema"], params)
        if overwrite_every:
            now = (done + 1) % overwrite_every == 0
            params = jax.tree.map(lambda a, p: jnp.where(now, a, p), averages, params)
        return params, {**state, "ema": averages}

    return stepping(init, step)
