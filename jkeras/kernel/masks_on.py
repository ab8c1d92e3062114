"""Masks that stay on arrays from one call by hand to the next, where no pass is going on."""

import typing
import weakref

import jax

NAME = "_keras_mask"  # the attribute, as in Keras
# those of arrays that take no attribute, by the array's id, as long as it lives
kept: dict[int, tuple[weakref.ref, jax.Array]] = {}


def mask_on(array: typing.Any) -> jax.Array | None:
    """The mask that was set on an array, or None."""
    mask = getattr(array, NAME, None)
    if mask is None and kept:
        _, mask = kept.get(id(array), (None, None))
    return mask


def set_mask_on(array: jax.Array, mask: jax.Array) -> None:
    """Sets the mask of an array.

    Raises:
        TypeError: the arrays of this JAX can have none.

    >>> import numpy as np
    >>> x = jax.numpy.ones((1, 2))
    >>> set_mask_on(x, np.array([[True, False]]))
    >>> mask_on(x)
    array([[ True, False]])
    """
    try:
        setattr(array, NAME, mask)
    except AttributeError:
        key = id(array)
        kept[key] = weakref.ref(array, lambda _: kept.pop(key, None)), mask
