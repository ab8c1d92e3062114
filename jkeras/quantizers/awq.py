"""AWQ (Lin et al. 2023, arXiv:2306.00978): the weights of inputs that become large are multiplied
by a factor before they are rounded, so that they lose less; products divide by it again.

Weights are (outputs, inputs).
"""

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jkeras.quantizers.groups import Grid, of_groups, on_grid, restored

if TYPE_CHECKING:
    from jkeras.quantizers.configs import AWQConfig


def begin(inputs: int) -> jax.Array:
    """The statistics of no inputs: the largest magnitude of each."""
    return jnp.zeros((inputs,), "float32")


@jax.jit
def update(statistics: jax.Array, x: jax.Array) -> jax.Array:
    """The statistics with more inputs, x (rows, inputs).

    >>> update(begin(2), jnp.array([[1.0, -2.0], [-3.0, 0.0]])).tolist()
    [3.0, 2.0]
    """
    return jnp.maximum(statistics, jnp.abs(x.astype("float32")).max(0))


def solve(weights: jax.Array, statistics: jax.Array, config: "AWQConfig") -> tuple[jax.Array, ...]:
    """(numbers, scale, zero, group of each input, factors) for weights; see
    `groups.Groups.packed`.

    Args:
        config: an `AWQConfig`.
    """
    grid = Grid(config.weight_bits, group=config.group_size)
    return _solve(weights.astype("float32"), statistics, grid, config.num_grid_points)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _solve(
    weights: jax.Array, statistics: jax.Array, grid: Grid, points: int
) -> tuple[jax.Array, ...]:
    """`solve`: of the powers of the magnitudes, that with the smallest error of the products."""
    magnitudes = jnp.where(statistics < 1e-8, 1.0, statistics)

    def loss(ratio: jax.Array) -> jax.Array:
        factors = factors_of(magnitudes, ratio)
        numbers, scale, zero, groups = on_grid(weights * factors, grid)
        decoded = restored(numbers, of_groups(scale, groups), of_groups(zero, groups)) / factors
        return jnp.mean((weights - decoded) ** 2 * magnitudes**2)

    ratios = jnp.arange(points + 1, dtype="float32") / points
    best = factors_of(magnitudes, ratios[jnp.argmin(jax.lax.map(loss, ratios))])
    return *on_grid(weights * best, grid), best


def factors_of(magnitudes: jax.Array, ratio: jax.Array) -> jax.Array:
    """The magnitudes to a power, with 1 in the (geometric) middle of the smallest and the largest.

    >>> factors_of(jnp.array([1.0, 4.0]), 1.0).tolist()
    [0.5, 2.0]
    """
    factors = jnp.maximum(magnitudes**ratio, 1e-4)
    return factors / jnp.maximum(jnp.sqrt(factors.max() * factors.min()), 1e-8)
