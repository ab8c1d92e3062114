"""Hyper-parameters that may be traced: a rate or a weight that is an argument of a compiled program
rather than a constant in it.

A layer or an optimizer may leave something out where a number of its is 0. It may do so only where
that is known while the program is made.
"""

from typing import Any

import jax


def is_zero(number: Any) -> bool:
    """Whether a number is known to be 0; False for a traced one, which may be anything.

    >>> is_zero(0.0), is_zero(0.5)
    (True, False)
    >>> bool(jax.jit(lambda rate: is_zero(rate))(0.0))
    False
    """
    return not isinstance(number, jax.core.Tracer) and number == 0


def like(number: Any, array: jax.Array) -> Any:
    """A number that does not change the dtype of an array that it is multiplied with: a traced one
    in the array's dtype, a Python number as it is.

    >>> like(0.5, jax.numpy.ones(2))
    0.5
    >>> jax.jit(lambda rate: like(rate, jax.numpy.ones(2, "bfloat16")))(0.5).dtype
    dtype(bfloat16)
    """
    if isinstance(number, jax.core.Tracer):
        return number.astype(array.dtype)
    return number
