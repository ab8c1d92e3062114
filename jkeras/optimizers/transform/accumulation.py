"""One step for the mean gradient of several calls."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.optimizers.transform.leaves import over, zeros_like
from jkeras.optimizers.transform.pair import State, Transform, Tree, stepping


def accumulate(inner: Transform, steps: int) -> Transform:
    """Adds gradients up; every so many calls `inner` moves along their mean.

    The sums are the state's "accumulators". `inner` gets the number of its own steps.

    Args:
        inner: the `Transform` that takes the means.
        steps: number of calls, 2 or more.
    Returns:
        A `Transform`.
    Raises:
        ValueError: for less than two steps.

    >>> from jkeras.optimizers.transform import from_optax, scheduled
    >>> import optax
    >>> sgd = scheduled(accumulate(from_optax(optax.sgd(1.0)), 2), 1.0)
    >>> params, state = jnp.zeros(1), sgd.init(jnp.zeros(1))
    >>> for gradient in (1.0, 2.0):
    ...     params, state = sgd.step(jnp.full(1, gradient), state, params)
    ...     print(params)
    [0.]
    [-1.5]
    """
    if not isinstance(steps, (int, np.integer)) or steps < 2:
        raise ValueError(
            f"`gradient_accumulation_steps` must be an integer >= 2. Received: {steps!r}"
        )

    def init(params: Tree, variables: Tree = None) -> State:
        return {**inner.init(params, variables), "accumulators": zeros_like(params)}

    def step(grads: Tree, state: State, params: Tree, *, count: jax.Array, **extra: Any):
        sums = over(_add, state["accumulators"], grads)

        def move():
            mean = over(lambda a, g: None if g is None else a / steps, sums, grads)
            rest = over(_without_summed, sums, grads)
            new, after = inner.step(mean, state, params, count=count // steps, **extra)
            return new, {**after, "accumulators": rest}

        def wait():
            return params, {**state, "accumulators": sums}

        return jax.lax.cond(is_last(count, steps), move, wait)

    return stepping(init, step)


def is_last(count: jax.Array, steps: int) -> jax.Array:
    """Whether the call after `count` others is the last of so many, which moves the parameters.

    >>> [bool(is_last(count, 2)) for count in range(4)]
    [False, True, False, True]
    """
    return (count + 1) % steps == 0


def _add(total: jax.Array, g: jax.Array | None) -> jax.Array:
    if g is None:
        return total
    return (g + total).astype(total.dtype)


def _without_summed(total: jax.Array, g: jax.Array | None) -> jax.Array:
    """What is left of a sum when its mean has been used."""
    if g is None:
        return total
    return jnp.zeros_like(total)
