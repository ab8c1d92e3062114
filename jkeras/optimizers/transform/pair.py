"""A pair of pure functions, as in optax, and how several of them become one."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

Tree = Any  # nested dicts, lists and tuples of arrays
State = dict[str, Any]


class Transform(NamedTuple):
    """What `optax.GradientTransformationExtraArgs` is: `init` and `update`, both pure.

    Args:
        init: `init(params, variables=None) -> state`, a dict.
        update: `update(grads, state, params, **extra) -> (updates, state)`. Entries of the state
            that are not its own it hands on.

    >>> import jax.numpy as jnp
    >>> half = stateless(lambda grads: jax.tree.map(lambda g: g / 2, grads))
    >>> print(half.update({"w": jnp.array([3.0])}, half.init({}))[0]["w"])
    [1.5]
    """

    init: Callable[..., State]
    update: Callable[..., tuple[Tree, State]]

    def step(self, grads: Tree, state: State, params: Tree, **extra: Any):
        """(new params, new state): to the bit what the last link computes."""
        if isinstance(self.update, Difference):
            return self.update.step(grads, state, params, **extra)
        updates, state = self.update(grads, state, params, **extra)
        return jax.tree.map(lambda p, u: (p + u).astype(p.dtype), params, updates), state


class Difference:
    """The update of a step: how far it moves the parameters.

    The step itself stays at hand, as `p + (new - p)` is not always `new`.
    """

    def __init__(self, step: Callable[..., tuple[Tree, State]]):
        self.step = step

    def __call__(self, grads: Tree, state: State, params: Tree = None, **extra: Any):
        if params is None:
            raise ValueError(
                "This transform moves parameters, and `update` was given none. Call "
                "`update(grads, state, params)`."
            )
        new, state = self.step(grads, state, params, **extra)
        return jax.tree.map(lambda a, b: a - b, new, params), state


def stepping(init: Callable[..., State], step: Callable[..., tuple[Tree, State]]) -> Transform:
    """The transform of a step, `step(grads, state, params, **extra) -> (new params, state)`.

    Args:
        init: `init(params, variables=None) -> state`, a dict.
        step: pure, as above; extra arguments are those of `update`.
    Returns:
        A `Transform`; its `update` gives the difference of the parameters, and raises a ValueError
        where it is given none.

    >>> import jax.numpy as jnp
    >>> stop = stepping(lambda params: {}, lambda grads, state, params: (0 * params, state))
    >>> print(stop.update(jnp.ones(1), {}, jnp.full(1, 3.0))[0])
    [-3.]
    """
    return Transform(init, Difference(step))


def stateless(change: Callable[[Tree], Tree]) -> Transform:
    """The transform of a function of the gradients, which keeps nothing.

    Args:
        change: pure, from a tree of gradients to such a tree.
    Returns:
        A `Transform`.

    >>> print(stateless(lambda grads: -grads).update(3.0, {})[0])
    -3.0
    """

    def init(params: Tree, variables: Tree = None) -> State:
        return {}

    def update(grads: Tree, state: State, params: Tree = None, **extra: Any):
        return change(grads), state

    return Transform(init, update)


def chain(*links: Transform) -> Transform:
    """The links one after another, over one dict of all their states.

    Args:
        links: one or more; each gets the updates of the one before as gradients. One that moves
            parameters, such as `follow`, comes last.
    Returns:
        A `Transform` of the whole.

    >>> import jax.numpy as jnp
    >>> double = stateless(lambda grads: 2 * grads)
    >>> print(chain(double, double).update(jnp.ones(1), {})[0])
    [4.]
    """
    *before, last = links

    def init(params: Tree, variables: Tree = None) -> State:
        states = (link.init(params, variables) for link in links)
        return {name: entry for state in states for name, entry in state.items()}

    def ending(function: Callable[..., tuple[Tree, State]]):
        def run(grads: Tree, state: State, params: Tree = None, **extra: Any):
            for link in before:
                grads, state = link.update(grads, state, params, **extra)
            return function(grads, state, params, **extra)

        return run

    if isinstance(last.update, Difference):
        return stepping(init, ending(last.step))
    return Transform(init, ending(last.update))
