"""Values that no gradient moves: the layer computes the new ones itself."""

from typing import Any

import jax.numpy as jnp

from jkeras.optimizers.transform.accumulation import is_last
from jkeras.optimizers.transform.leaves import describe, over
from jkeras.optimizers.transform.pair import State, Transform, Tree, stepping


def overwrite(inner: Transform, every: int | None = None) -> Transform:
    """Leaves whose variable has `overwrite_with_gradient` become their "gradient".

    So the scales of float8 come in. `inner` sees no gradient of them.

    Args:
        inner: the `Transform` of all other leaves.
        every: of so many steps the last one overwrites, that in which `inner` moves along what it
            has accumulated.
    Returns:
        A `Transform`.

    >>> from types import SimpleNamespace
    >>> still = stepping(lambda *_: {}, lambda grads, state, params, **_: (params, state))
    >>> scale = SimpleNamespace(name="scale", path="scale", overwrite_with_gradient=True)
    >>> overwrite(still).step({"s": 2.0}, {}, {"s": 1.0}, variables={"s": scale})[0]
    {'s': 2.0}
    """

    def step(grads: Tree, state: State, params: Tree, variables: Tree = None, **extra: Any):
        leaves = describe(params, variables)
        moving = over(lambda _, g, leaf: None if leaf.overwritten else g, params, grads, leaves)
        new, state = inner.step(moving, state, params, variables=variables, **extra)

        def settle(p: Any, g: Any, leaf: Any) -> Any:
            if not leaf.overwritten or g is None:
                return p
            if every is None:
                return g
            return jnp.where(is_last(extra["count"], every), g, p)

        return over(settle, new, grads, leaves), state

    return stepping(inner.init, step)
