"""AWQ (Lin et al. 2023, arXiv:2306.00978): the weights of inputs that become large are multiplied
by a factor before they are rounded, so that they lose less; products divide by it again.

Weights are (outputs, inputs). Keras 3.15 takes the largest magnitude of each input and raises it to
a power; 3.16 the mean magnitude, against that of the input's weights, as the paper's own code does.
"""

import functools
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.core.session.keras_version import is_316
from jkeras.quantizers.groups import Grid, of_groups, on_grid, restored

if TYPE_CHECKING:
    from jkeras.quantizers.configs import AWQConfig

MOST_ROWS = 512  # of inputs that are kept for clipping
OUTPUTS_AT_ONCE = 64  # whose clipping is tried together
SHRINKS, SMALLEST = 20, 0.5  # how many limits are tried, from the largest weight down to this part


class Seen(NamedTuple):
    """What is known of the inputs of a product.

    Attributes:
        largest, mean: magnitudes of each input.
        count: number of rows.
        rows: the first rows, `MOST_ROWS` at most.
    """

    largest: jax.Array
    mean: jax.Array
    count: int
    rows: jax.Array


def begin(inputs: int) -> Seen:
    """The statistics of no inputs."""
    zeros = jnp.zeros((inputs,), "float32")
    return Seen(zeros, zeros, 0, jnp.zeros((0, inputs), "float32"))


def update(seen: Seen, x: jax.Array) -> Seen:
    """The statistics with more inputs, x (rows, inputs).

    >>> seen = update(begin(2), jnp.array([[1.0, -2.0], [-3.0, 0.0]]))
    >>> seen.largest.tolist(), seen.mean.tolist()
    ([3.0, 2.0], [2.0, 1.0])
    """
    x = x.astype("float32")
    count = seen.count + len(x)
    largest, mean = _moved(seen.largest, seen.mean, x, len(x) / count)
    rows = seen.rows
    if len(rows) < MOST_ROWS:
        rows = jnp.concatenate([rows, x[: MOST_ROWS - len(rows)]])
    return Seen(largest, mean, count, rows)


@jax.jit
def _moved(
    largest: jax.Array, mean: jax.Array, x: jax.Array, share: float
) -> tuple[jax.Array, jax.Array]:
    magnitudes = jnp.abs(x)
    mean = mean + (magnitudes.mean(0) - mean) * share
    return jnp.maximum(largest, magnitudes.max(0)), mean


def solve(weights: jax.Array, seen: Seen, config: "AWQConfig") -> tuple[jax.Array, ...]:
    """(numbers, scale, zero, group of each input, factors) for weights; see
    `groups.Groups.packed`.

    Args:
        config: an `AWQConfig`.
    """
    grid = Grid(config.weight_bits, group=config.group_size)
    weights = weights.astype("float32")
    magnitudes, against = seen.largest, jnp.ones_like(seen.largest)
    if is_316():
        magnitudes, against = seen.mean, _weight_magnitudes(weights, grid)
    factors = _best_factors(weights, magnitudes, against, grid, config.num_grid_points, is_316())
    scaled = weights * factors
    if config.apply_clip:
        scaled = clipped(scaled, seen.rows / factors, grid)
    return *on_grid(scaled, grid), factors


def _weight_magnitudes(weights: jax.Array, grid: Grid) -> jax.Array:
    """The mean magnitude of each input's weights, of which the largest of a group counts as 1."""
    groups = in_groups(jnp.abs(weights), grid)
    parts = groups / (groups.max(-1, keepdims=True) + 1e-6)
    return parts.reshape(weights.shape).mean(0)


def in_groups(weights: jax.Array, grid: Grid) -> jax.Array:
    """Weights (outputs, groups, inputs of one); where groups do not fit, all inputs are one."""
    outputs, inputs = weights.shape
    size = grid.size(inputs)
    if inputs % size:
        size = inputs
    return weights.reshape(outputs, inputs // size, size)


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _best_factors(
    weights: jax.Array,
    magnitudes: jax.Array,
    against: jax.Array,
    grid: Grid,
    points: int,
    is_against_weights: bool,
) -> jax.Array:
    """The factors with the smallest error of the products, among powers of the magnitudes."""
    magnitudes, against = (jnp.where(m < 1e-8, 1.0, m) for m in (magnitudes, against))

    def factors_at(ratio: jax.Array) -> jax.Array:
        if is_against_weights:
            return centered(magnitudes**ratio / against ** (1 - ratio))
        return centered(magnitudes**ratio)

    def loss(ratio: jax.Array) -> jax.Array:
        factors = factors_at(ratio)
        error = weights - _rounded(weights * factors, grid) / factors
        return jnp.mean(error**2 * magnitudes**2)

    ratios = jnp.arange(points + 1, dtype="float32") / points
    return factors_at(ratios[jnp.argmin(jax.lax.map(loss, ratios))])


def _rounded(weights: jax.Array, grid: Grid) -> jax.Array:
    """What is left of weights on a grid."""
    numbers, scale, zero, groups = on_grid(weights, grid)
    return restored(numbers, of_groups(scale, groups), of_groups(zero, groups))


def centered(factors: jax.Array) -> jax.Array:
    """Factors with 1 in the (geometric) middle of the smallest and the largest.

    >>> centered(jnp.array([1.0, 4.0])).tolist()
    [0.5, 2.0]
    """
    factors = jnp.maximum(factors, 1e-4)
    return factors / jnp.maximum(jnp.sqrt(factors.max() * factors.min()), 1e-8)


# ---------------------------------------------------------------- clipping


def clipped(weights: jax.Array, x: jax.Array, grid: Grid) -> jax.Array:
    """Weights with the largest of each group cut off where the products with rows x (rows, inputs)
    are closer to the right ones then.
    """
    parts = [
        _clipped(weights[first : first + OUTPUTS_AT_ONCE], x, grid)
        for first in range(0, len(weights), OUTPUTS_AT_ONCE)
    ]
    return jnp.concatenate(parts)


@functools.partial(jax.jit, static_argnums=2)
def _clipped(weights: jax.Array, x: jax.Array, grid: Grid) -> jax.Array:
    groups = in_groups(weights, grid)  # (outputs, groups, inputs)
    x = in_groups(x, grid)  # (rows, groups, inputs)
    of_group = grid._replace(group=groups.shape[2] if groups.shape[1] > 1 else -1)
    largest = jnp.abs(groups).max(-1, keepdims=True)

    def products(groups: jax.Array) -> jax.Array:
        return jnp.einsum("rgi,ogi->org", x, groups)

    right = products(groups)

    def errors(part: jax.Array) -> jax.Array:  # (outputs, groups)
        cut = jnp.clip(groups, -part * largest, part * largest)
        rounded = _rounded(cut.reshape(weights.shape), of_group).reshape(groups.shape)
        return jnp.mean((products(rounded) - right) ** 2, axis=1)

    parts = jnp.asarray([1 - i * ((1 - SMALLEST) / SHRINKS) for i in range(SHRINKS)], "float32")
    best = parts[jnp.argmin(jax.lax.map(errors, parts), axis=0)][..., None] * largest
    return jnp.clip(groups, -best, best).reshape(weights.shape)
