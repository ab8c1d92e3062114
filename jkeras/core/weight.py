"""Weights as data: a spec says what an array is before it exists; arrays are made from specs and
one key.
"""

import functools
import typing

import jax
import jax.numpy as jnp
import numpy as np


class Weight(typing.NamedTuple):
    """What one weight is. `shape` never depends on the batch size."""

    shape: tuple
    initializer: typing.Any
    dtype: typing.Any = None  # None: the layer's variable dtype
    trainable: bool = True
    regularizer: typing.Any = None
    constraint: typing.Any = None
    autocast: bool = True  # cast to the compute dtype when the layer runs


class Spec(typing.NamedTuple):
    """Shape and dtype of an input; None in the shape is a size not known yet."""

    shape: tuple
    dtype: typing.Any = "float32"

    @property
    def ndim(self):
        """The number of axes."""
        return len(self.shape)


def draw(initializer, key, shape, dtype):
    """One array from an initializer under a given key; an initializer that knows no keys is called
    as it is.
    """
    sample = getattr(initializer, "sample", None)
    value = initializer(shape, dtype=dtype) if sample is None else sample(key, shape, dtype)
    return jnp.asarray(value, dtype=dtype)


def create(initializers, shapes, dtypes, paths, key):
    """The arrays of many weights in one compiled call, each from the key of its path."""
    from jkeras.core.rng import key_of_path

    def make(key):
        return [
            draw(i, key_of_path(key, "/".join(p)), s, d)
            for i, s, d, p in zip(initializers, shapes, dtypes, paths)
        ]

    try:
        compiled = _compiled(tuple(initializers), tuple(shapes), tuple(dtypes), tuple(paths))
    except TypeError:  # an initializer that cannot be hashed
        return jax.jit(make)(key)
    return compiled(key)


@functools.lru_cache(maxsize=256)
def _compiled(initializers, shapes, dtypes, paths):
    from jkeras.core.rng import key_of_path

    return jax.jit(
        lambda key: [
            draw(i, key_of_path(key, "/".join(p)), s, d)
            for i, s, d, p in zip(initializers, shapes, dtypes, paths)
        ]
    )


def size_of(shape):
    """The number of elements of a shape.

    >>> size_of((2, 3)), size_of(())
    (6, 1)
    """
    return int(np.prod(shape, dtype=np.int64))
