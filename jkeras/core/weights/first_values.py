"""First values of variables, without a program for each shape.

`jnp.zeros`, `jnp.ones` and `jnp.asarray` of a number compile a program for each shape and dtype,
which takes some ten milliseconds, and a model has many. What is made by numpy and put on the device
compiles nothing.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

LARGEST = 2**20  # elements up to which an array is made by the host


def put(value: Any, dtype: Any) -> jax.Array:
    """A number, or a small array of numpy, on the device.

    >>> put(3, "float32").dtype
    dtype('float32')
    """
    return jax.device_put(np.array(value, jnp.dtype(dtype)))


def zeros(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Zeros, outside of traces.

    >>> print(zeros((2,), "int32"))
    [0 0]
    """
    return _made(np.zeros, jnp.zeros, shape, dtype)


def first_array(initializer: Callable, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """The array that an initializer gives, outside of traces; by numpy where it can say how, as
    `Zeros` and `Ones` do.

    >>> from jkeras.initializers import Ones
    >>> print(first_array(Ones(), (2,), "float32"))
    [1. 1.]
    """
    by_numpy = np.zeros if initializer is jnp.zeros else getattr(initializer, "by_numpy", None)
    make = lambda shape, dtype: jnp.asarray(initializer(shape, dtype=dtype), dtype)  # noqa: E731
    if by_numpy is None:
        return make(shape, dtype)
    return _made(by_numpy, make, shape, dtype)


def _made(by_numpy: Callable, make: Callable, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    if math.prod(shape) > LARGEST:  # which would have to go to the device
        return make(shape, dtype)
    return jax.device_put(by_numpy(shape, jnp.dtype(dtype)))
