"""Gradients cut to a length: each alone, all together, or each element."""

import jax
import jax.numpy as jnp

from jkeras.optimizers.transform.pair import Transform, Tree, stateless


def clip_by_norm(limit: float) -> Transform:
    """Each gradient gets a norm of at most `limit`.

    Args:
        limit: the largest Euclidean norm of each gradient.
    Returns:
        A `Transform`.

    >>> print(clip_by_norm(1.0).update({"w": jnp.array([3.0, 4.0])}, {})[0]["w"])
    [0.6 0.8]
    """

    def clip(g: jax.Array) -> jax.Array:
        return g * limit / jnp.maximum(_safe_norm(g), limit)

    return stateless(lambda grads: jax.tree.map(clip, grads))


def clip_by_value(limit: float) -> Transform:
    """Each element gets an absolute value of at most `limit`.

    Args:
        limit: the largest absolute value.
    Returns:
        A `Transform`.

    >>> print(clip_by_value(1.0).update({"w": jnp.array([3.0, -0.5])}, {})[0]["w"])
    [ 1.  -0.5]
    """
    return stateless(lambda grads: jax.tree.map(lambda g: jnp.clip(g, -limit, limit), grads))


def clip_by_global_norm(limit: float) -> Transform:
    """All gradients together get a norm of at most `limit`; NaN where their norm is not finite.

    Args:
        limit: the largest Euclidean norm of all gradients as one vector.
    Returns:
        A `Transform`.

    >>> grads = {"w": jnp.array([3.0]), "b": jnp.array([4.0])}
    >>> print(clip_by_global_norm(1.0).update(grads, {})[0]["b"])
    [0.8]
    """

    def clip(grads: Tree) -> Tree:
        squares = [jnp.sum(jnp.square(g)) for g in jax.tree.leaves(grads)]
        norm = jnp.sqrt(jnp.sum(jnp.stack(squares)))
        # the last term is 0, or NaN for a norm that is not finite
        scale = limit * jnp.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
        return jax.tree.map(lambda g: g * scale, grads)

    return stateless(clip)


def _safe_norm(g: jax.Array) -> jax.Array:
    """The Euclidean norm, with derivative 0 at 0 instead of NaN."""
    square = jnp.sum(jnp.square(g), keepdims=True)
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), square)
