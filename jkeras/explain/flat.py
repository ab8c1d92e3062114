"""Structures of arrays as matrices, a row of numbers for each row, and back."""

import math

import jax
import jax.numpy as jnp

from jkeras.explain.score import Structure


def flat(x: Structure) -> jax.Array:
    """(rows, numbers) of all arrays, one after the other.

    >>> flat({"a": jnp.ones((2, 3)), "b": jnp.ones((2,))}).shape
    (2, 4)
    """
    leaves = jax.tree_util.tree_leaves(x)
    return jnp.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], 1)


def unflat(numbers: jax.Array, like: Structure) -> Structure:
    """The arrays again.

    >>> unflat(jnp.ones((2, 4)), {"a": jnp.ones((2, 3)), "b": jnp.ones((2,))})["b"].tolist()
    [1.0, 1.0]
    """
    leaves, treedef = jax.tree_util.tree_flatten(like)
    parts, begin = [], 0
    for leaf in leaves:
        end = begin + math.prod(leaf.shape[1:])
        parts.append(numbers[:, begin:end].reshape(len(numbers), *leaf.shape[1:]))
        begin = end
    return jax.tree_util.tree_unflatten(treedef, parts)
