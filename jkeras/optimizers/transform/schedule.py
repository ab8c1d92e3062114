"""Counting calls, and the learning rate of each."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.names.dtypes import standardize_dtype
from jkeras.optimizers.schedules import LearningRateSchedule
from jkeras.optimizers.transform.pair import State, Transform, Tree, stepping


def wrong_rate(rate: Any, owner: str) -> ValueError:
    """The error for a learning rate that is neither a function nor a number."""
    fix = ""
    if isinstance(rate, jax.core.Tracer):
        fix = ". To trace a rate, replace the number that the optimizer's state has for "
        fix += '"learning_rate"'
    return ValueError(
        f"{owner}: `learning_rate` should be a float, a LearningRateSchedule, or a callable "
        f"without arguments. Received: learning_rate={rate!r}{fix}"
    )


def rate_of(learning_rate: Any, state: State) -> jax.Array:
    """The learning rate of the call that comes after a state."""
    if isinstance(learning_rate, LearningRateSchedule):
        return jnp.asarray(learning_rate(state["iterations"]))
    if callable(learning_rate):
        return jnp.asarray(learning_rate())
    return state["learning_rate"]


def scheduled(inner: Transform, learning_rate: Any, owner: str = "transform") -> Transform:
    """Tells the links inside the number of earlier calls, `count`, and the `learning_rate`.

    The state's "iterations" are the calls; its "learning_rate", where that is a number, can be
    replaced between two calls.

    Args:
        inner: the `Transform` that is told.
        learning_rate: a number, `LearningRateSchedule`, or a callable without arguments.
        owner: whom an error names.
    Returns:
        A `Transform`.
    Raises:
        ValueError: by `update`, where no parameter has a gradient.

    >>> from jkeras.optimizers import SGD
    >>> from jkeras.optimizers.transform import follow
    >>> sgd, params = scheduled(follow(SGD()), 0.5), jnp.ones(1)
    >>> params, state = sgd.step(jnp.ones(1), sgd.init(params), params)
    >>> print(params, state["iterations"], state["learning_rate"])
    [0.5] 1 0.5
    """

    def init(params: Tree, variables: Tree = None) -> State:
        state = {"iterations": jnp.zeros((), "int32"), **inner.init(params, variables)}
        if not callable(learning_rate):
            # a copy: may be donated
            state["learning_rate"] = jnp.array(learning_rate, standardize_dtype(None))
        return state

    def step(grads: Tree, state: State, params: Tree, **extra: Any):
        if not jax.tree.leaves(grads):
            raise ValueError(f"{owner}: No gradients provided for any variable.")
        count = state["iterations"]
        extra |= {"count": count, "learning_rate": rate_of(learning_rate, state)}
        params, state = inner.step(grads, state, params, **extra)
        return params, {**state, "iterations": count + 1}

    return stepping(init, step)
