"""SWAG: a normal distribution of params from those that a training passes through (Maddox et al.
2019, arXiv:1902.02476). Pure functions: `init`, `update`, `sample`.
"""

import typing
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain

Tree = Any


class State(typing.NamedTuple):
    """What is kept of the params that were seen; a pytree.

    Attributes:
        count: how many they were.
        mean: their mean, a tree like them.
        squares: sums of the squared distances from the mean.
        deviations: of the last ones from the mean as it was then, along a first axis.
    """

    count: jax.Array
    mean: Tree
    squares: Tree
    deviations: Tree

    @property
    def rank(self) -> int:
        """How many deviations are kept."""
        return len(jax.tree_util.tree_leaves(self.deviations)[0])

    @property
    def variance(self) -> Tree:
        """The variance of each number over the params that were seen."""
        count = jnp.maximum(self.count, 1)
        return jax.tree_util.tree_map(lambda squares: squares / count, self.squares)


def init(params: Tree, rank: int = 20) -> State:
    """The state before any params were seen.

    Args:
        params: a tree of the same shapes.
        rank: of the part of the covariance that ties params to each other; 0: a diagonal one
            ("SWAG-diagonal").

    Raises:
        ValueError: a rank of 1, of which no covariance follows, or below 0.

    >>> init({"w": jnp.zeros(3)}, rank=2).deviations["w"].shape
    (2, 3)
    """
    if rank < 0 or rank == 1:
        raise ValueError(explain("swag.init", "a rank of 0, or of 2 or more", f"rank={rank}"))

    def zeros(*before: int) -> Tree:
        return jax.tree_util.tree_map(
            lambda v: jnp.zeros((*before, *v.shape), jnp.promote_types(v.dtype, "float32")), params
        )

    return State(jnp.zeros((), "int32"), zeros(), zeros(), zeros(rank))


def update(state: State, params: Tree) -> State:
    """The state after further params were seen. Runs under `jit` and in `scan`.

    >>> state = init(jnp.zeros(()), rank=2)
    >>> for value in (1.0, 3.0):
    ...     state = update(state, jnp.asarray(value))
    >>> float(state.mean), float(state.variance), state.deviations.tolist()
    (2.0, 1.0, [0.0, 1.0])
    """
    count = state.count + 1
    mean = jax.tree_util.tree_map(lambda mean, v: mean + (v - mean) / count, state.mean, params)
    # by distances from both means, where a difference of two large sums would lose its digits
    squares = jax.tree_util.tree_map(
        lambda squares, before, after, v: squares + (v - before) * (v - after),
        *(state.squares, state.mean, mean, params),
    )
    if not state.rank:
        return State(count, mean, squares, state.deviations)
    slot = state.count % state.rank  # the oldest one's
    deviations = jax.tree_util.tree_map(
        lambda deviations, after, v: deviations.at[slot].set(v - after),
        state.deviations,
        mean,
        params,
    )
    return State(count, mean, squares, deviations)


def sample(state: State, rng: jax.Array, scale: float = 1.0) -> Tree:
    """A sample of params, of the dtype that they are kept in. Several: `jax.vmap` over keys.

    The covariance is `scale` times half the sum of the diagonal one and that of the deviations;
    with a rank of 0, `scale` times the diagonal one.

    Args:
        scale: of the covariance.

    >>> state = init(jnp.zeros(2), rank=0)
    >>> for value in ([1.0, 0.0], [3.0, 0.0]):
    ...     state = update(state, jnp.array(value))
    >>> float(sample(state, jax.random.key(0))[1])  # which did not vary
    0.0
    """
    leaves, treedef = jax.tree_util.tree_flatten(state.mean)
    key, *keys = jax.random.split(rng, len(leaves) + 1)
    share = scale / 2 if state.rank else scale
    used = jnp.minimum(state.count, state.rank)
    weights = jax.random.normal(key, (state.rank,)) / jnp.sqrt(jnp.maximum(used - 1, 1))

    def one(
        key: jax.Array, mean: jax.Array, variance: jax.Array, deviations: jax.Array
    ) -> jax.Array:
        alone = jnp.sqrt(variance) * jax.random.normal(key, mean.shape, mean.dtype)
        together = jnp.tensordot(
            weights.astype(deviations.dtype), deviations, 1, precision="highest"
        )
        return mean + jnp.sqrt(share).astype(mean.dtype) * (alone + together)

    variances = jax.tree_util.tree_leaves(state.variance)
    deviations = jax.tree_util.tree_leaves(state.deviations)
    return treedef.unflatten(list(map(one, keys, leaves, variances, deviations)))


__all__ = ["State", "init", "sample", "update"]
