"""Masks that stay with arrays from one call by hand to the next, where no pass is going on.

They lie beside the arrays, not on them, since nothing says that arrays of JAX take attributes.
"""

import typing
import weakref

import jax

# of arrays that have a mask, by the array's id, as long as it lives
kept: dict[int, tuple[weakref.ref, jax.Array]] = {}


def mask_on(array: typing.Any) -> jax.Array | None:
    """The mask that was set for an array, or None."""
    entry = kept.get(id(array))
    return None if entry is None else entry[1]


def set_mask_on(array: jax.Array, mask: jax.Array) -> None:
    """Sets the mask of an array.

    >>> import numpy as np
    >>> x = jax.numpy.ones((1, 2))
    >>> set_mask_on(x, np.array([[True, False]]))
    >>> mask_on(x)
    array([[ True, False]])
    >>> mask_on(jax.numpy.ones((1, 2))) is None
    True
    """
    key = id(array)
    kept[key] = weakref.ref(array, lambda _: kept.pop(key, None)), mask
