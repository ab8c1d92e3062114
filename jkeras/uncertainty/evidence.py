"""The precision of the prior and the noise of labels that make a marginal likelihood largest, with
the trained params and the curvature as they are (MacKay 1992).

With eigenvalues e of the curvature for noise 1, precision p and variance v of the noise, `gamma =
sum(e / (e + p v))` params are determined by the data. At the largest marginal likelihood it is
`p |params|^2`, and `v = squares / (numbers - gamma)`. Each of these has one root, on whose sides
the signs differ, so that halving an interval finds it.
"""

import math
import typing
from collections.abc import Callable

import jax
import jax.numpy as jnp

HALVINGS = 60  # of the interval in which a root is looked for
INTERVAL = 60.0  # its length, in natural logarithms
FARTHEST = 69.0  # what `exp` gives in float32 lies between those of this and its negative


class Residuals(typing.NamedTuple):
    """How far the labels of a regression lie from the outputs.

    Attributes:
        noise: their standard deviation, as it was given or found.
        squares: the sum of the squared distances.
        numbers: how many labels there are, those of several outputs of a row each for itself.

    >>> Residuals(jnp.ones(()), jnp.array(2.0), jnp.array(4.0)).squares.item()
    2.0
    """

    noise: jax.Array
    squares: jax.Array
    numbers: jax.Array

    def log_likelihood(self) -> jax.Array:
        """Of all labels."""
        constants = jnp.log(self.noise) + 0.5 * math.log(2 * math.pi)
        return -0.5 * self.squares / self.noise**2 - self.numbers * constants


def best_precision(values: jax.Array, square: jax.Array) -> jax.Array:
    """That of the prior, for a noise that is known.

    Args:
        values: eigenvalues of the curvature, with the noise in it.
        square: the squared length of the params.

    >>> round(float(best_precision(jnp.array([3.0]), jnp.array(0.75))), 3)  # 3 / (3 + p) = 0.75 p
    1.0
    """
    highest = jnp.log(values.size / square)  # no more than all parameters are determined

    def rises(precision: jax.Array) -> jax.Array:
        return jnp.sum(values / (values + precision)) > precision * square

    return _root(rises, highest - INTERVAL, highest)


def best_variance(values: jax.Array, precision: jax.Array, residuals: Residuals) -> jax.Array:
    """That of the noise, for a precision of the prior that is known.

    Args:
        values: eigenvalues of the curvature for noise 1.

    >>> given = Residuals(jnp.ones(()), jnp.array(9.0), jnp.array(10.0))
    >>> round(float(best_variance(jnp.array([1e9]), jnp.array(1.0), given)), 3)  # 9 / (10 - 1)
    1.0
    """
    squares, numbers = residuals.squares, residuals.numbers

    def rises(variance: jax.Array) -> jax.Array:
        return squares / variance + jnp.sum(values / (values + precision * variance)) > numbers

    lowest = jnp.log(squares / numbers) - 1e-3  # where none is determined; less by rounding
    return _root(rises, lowest, lowest + INTERVAL)


def best_of_both(
    values: jax.Array, square: jax.Array, residuals: Residuals
) -> tuple[jax.Array, jax.Array]:
    """(precision of the prior, variance of the noise), arguments as above. Both follow from their
    product.
    """
    squares, numbers = residuals.squares, residuals.numbers

    def gamma(product: jax.Array) -> jax.Array:
        return jnp.sum(values / (values + product))

    def rises(product: jax.Array) -> jax.Array:
        effective = gamma(product)
        return squares * effective > product * square * (numbers - effective)

    effective = gamma(product := _root(rises, -FARTHEST, FARTHEST))
    variance = squares / (numbers - effective)
    return product / variance, variance


def _root(rises: Callable, low: typing.Any, high: typing.Any) -> jax.Array:
    """The number up to which something rises, whose logarithm lies within an interval."""

    def halve(_: int, interval: tuple) -> tuple:
        low, high = interval
        middle = (low + high) / 2
        is_below = rises(jnp.exp(middle))
        return jnp.where(is_below, middle, low), jnp.where(is_below, high, middle)

    ends = jnp.asarray(low, "float32"), jnp.asarray(high, "float32")
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, ends)
    return jnp.exp((low + high) / 2)
