"""An optax transformation as a link."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.optimizers.transform.leaves import over
from jkeras.optimizers.transform.pair import State, Transform, Tree

OURS = ("variables", "count", "learning_rate")  # what our own links tell one another
SLOW = "slow"  # the entry of the state for the slow parameters of a lookahead


def from_optax(transformation: Any, name: str = "optax") -> Transform:
    """The link of an `optax.GradientTransformation`, which keeps its state under a name.

    A gradient None counts as zeros. What `update` gets besides, `value=` and `value_fn=` for a
    line search, goes to the transformation; `grad=` is the gradients that come to this link.
    `optax.lookahead` has its slow parameters in the state, as "slow".

    Args:
        transformation: an `optax.GradientTransformation`, with extra arguments or without.
        name: of its entry in the state of the chain.
    Returns:
        A `Transform`.
    Raises:
        TypeError: by `update`, for a transformation that needs a `value` and got none.

    >>> import optax
    >>> link, params = from_optax(optax.sgd(0.5)), {"w": jnp.ones(1)}
    >>> print(link.step(params, link.init(params), params)[0]["w"])
    [0.5]
    """
    import optax  # on first use: it takes a quarter of a second

    transformation = optax.with_extra_args_support(transformation)

    def init(params: Tree, variables: Tree = None) -> State:
        state = {name: transformation.init(params)}
        if isinstance(state[name], optax.LookaheadState):
            state[SLOW] = jax.tree.map(lambda p: jnp.array(p, copy=True), params)
        return state

    def update(grads: Tree, state: State, params: Tree, **extra: Any):
        grads = over(lambda p, g: jnp.zeros_like(p) if g is None else g, params, grads)
        extra_args = {key: value for key, value in extra.items() if key not in OURS}
        extra_args.setdefault("grad", grads)
        if not isinstance(state[name], optax.LookaheadState):
            updates, inner = _updated(transformation.update, grads, state[name], params, extra_args)
            return updates, {**state, name: inner}
        pair = optax.LookaheadParams(fast=params, slow=state[SLOW])
        updates, inner = _updated(transformation.update, grads, state[name], pair, extra_args)
        slow = optax.apply_updates(pair.slow, updates.slow)
        return updates.fast, {**state, name: inner, SLOW: slow}

    return Transform(init, update)


def _updated(update: Callable, grads: Tree, state: Any, params: Tree, extra_args: dict[str, Any]):
    """optax's `update`, with an error that says where a value that it misses comes from."""
    try:
        return update(grads, state, params, **extra_args)
    except TypeError as error:
        if "required keyword" not in str(error):
            raise
        raise TypeError(
            f"This optax transformation wants more than gradients ({error}). `fit` and "
            "`make_train_step` pass `value=` and `value_fn=`; in a loop of your own call "
            "`optimizer.step(grads, state, params, value=loss, value_fn=loss_of_params)`."
        ) from error
