"""Gradients of a scaled loss as those of the loss."""

import jax

from jkeras.optimizers.transform.pair import Transform, stateless


def unscale(factor: float | jax.Array) -> Transform:
    """Divides gradients by the factor that the loss was multiplied by.

    Args:
        factor: a number.
    Returns:
        A `Transform`.

    >>> print(unscale(8.0).update({"w": jax.numpy.array([4.0])}, {})[0]["w"])
    [0.5]
    """
    return stateless(lambda grads: jax.tree.map(lambda g: g / factor, grads))
