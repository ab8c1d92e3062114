"""GPTQ (Frantar et al. 2022, arXiv:2210.17323): the weights of one input after the other are
rounded, and those of later inputs make up for the error, as far as the inputs go together.

Weights are (outputs, inputs). As in Keras 3.15 the inverse of the whole Hessian is used at every
step; in 3.16 it is the upper Cholesky factor of that, as in the paper.
"""

import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.session.keras_version import is_316
from jkeras.quantizers.groups import Grid, fitted, of_groups, restored, rounded

if TYPE_CHECKING:
    from jkeras.quantizers.configs import GPTQConfig

BLOCK = 128  # inputs whose errors reach the inputs behind them in one product


def begin(inputs: int) -> tuple[jax.Array, jax.Array]:
    """The statistics of no inputs: (Hessian, how many rows it is the mean of)."""
    return jnp.zeros((inputs, inputs), "float32"), jnp.zeros((), "float32")


@jax.jit
def update(statistics: tuple[jax.Array, jax.Array], x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The statistics with more inputs, x (rows, inputs); the Hessian of the squared error of a
    product is `2 x.T @ x`, here over the number of rows.

    >>> hessian, count = update(begin(2), jnp.array([[1.0, 2.0], [3.0, 0.0]]))
    >>> hessian.tolist(), float(count)
    ([[10.0, 2.0], [2.0, 4.0]], 2.0)
    """
    hessian, before = statistics
    x = x.astype("float32")
    products = jnp.matmul(x.T, x, precision="highest")
    products = (products + products.T) / 2
    count = before + x.shape[0]
    return hessian * (before / count) + (2 / count) * products, count


def solve(
    weights: jax.Array, statistics: tuple[jax.Array, jax.Array], config: "GPTQConfig"
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """(numbers, scale, zero, group of each input) for weights; see `groups.Groups.packed`.

    Args:
        config: a `GPTQConfig`.

    Groups are written with fractions, as in Keras: their whole part counts.
    """
    inputs = weights.shape[1]
    hessian = damped(statistics[0], config.hessian_damping)
    order = jnp.arange(inputs)
    if config.activation_order:
        order = jnp.argsort(-jnp.diagonal(hessian))
    grid = Grid(config.weight_bits, config.symmetric, config.per_channel, config.group_size)
    inverse = _inverse(hessian, order, is_316())
    numbers, scale, zero = _solve_in_order(weights[:, order], inverse, grid)
    groups = jnp.arange(inputs) / grid.size(inputs)
    back = jnp.argsort(order)
    return numbers[:, back], scale, zero, groups[back]


def _inverse(hessian: jax.Array, order: jax.Array, is_factored: bool) -> jax.Array:
    """What errors are divided and multiplied by, the inputs in order: the inverse of a Hessian, or
    the upper Cholesky factor of it, which knows of later inputs only what earlier ones leave.
    """
    if not is_factored:
        return jnp.linalg.inv(hessian)[order][:, order]
    lower = jnp.linalg.cholesky(hessian[order][:, order])
    inverse = jax.scipy.linalg.cho_solve((lower, True), jnp.eye(len(order), dtype=lower.dtype))
    return jnp.linalg.cholesky((inverse + inverse.T) / 2, upper=True)


@jax.jit
def damped(hessian: jax.Array, damping: jax.Array) -> jax.Array:
    """A Hessian that can be inverted: 1 for inputs that never came, then a share of the mean of the
    diagonal more.

    >>> damped(jnp.diag(jnp.array([3.0, 0.0])), 0.5).tolist()
    [[4.0, 0.0], [0.0, 2.0]]
    """
    diagonal = jnp.diagonal(hessian)
    diagonal = jnp.where(diagonal == 0, 1.0, diagonal)
    diagonal = diagonal + damping * jnp.mean(diagonal)
    return jnp.fill_diagonal(hessian, diagonal, inplace=False)


def _solve_in_order(
    weights: jax.Array, inverse: jax.Array, grid: Grid
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(numbers, scale, zero), the inputs from the first to the last.

    The scale of a group is that of its weights at the beginning of the block in which it begins.
    """
    inputs = weights.shape[1]
    size = grid.size(inputs)
    numbers, groups = [], []
    for start in range(0, inputs, BLOCK):
        width = min(BLOCK, inputs - start)
        for first in range(len(groups) * size, start + width, size):
            group = jax.lax.dynamic_slice_in_dim(weights, first, min(size, inputs - first), 1)
            groups.append(fitted(group, grid))
        first = start // size
        scale, zero = _together(groups[first:])
        of_inputs = np.arange(start, start + width) // size - first
        steps = of_groups(scale, of_inputs), of_groups(zero, of_inputs)
        solved, weights = _solve_block(weights, inverse, start, *steps, grid.top)
        numbers.append(solved)
    return jnp.concatenate(numbers, axis=1), *_together(groups)


def _together(groups: list[tuple[jax.Array, jax.Array]]) -> list[jax.Array]:
    """The scales, and the zeros, of groups side by side."""
    return [jnp.concatenate(parts, axis=1) for parts in zip(*groups)]


@functools.partial(jax.jit, static_argnums=5)
def _solve_block(
    weights: jax.Array,
    inverse: jax.Array,
    start: jax.Array,
    scale: jax.Array,
    zero: jax.Array,
    top: int,
) -> tuple[jax.Array, jax.Array]:
    """(numbers, weights with what later ones make up for) of the block of inputs from `start` on;
    `scale` and `zero` are those of each of its weights.
    """
    width = scale.shape[1]
    rows = jax.lax.dynamic_slice_in_dim(inverse, start, width, 0)
    columns = jnp.arange(width)

    def next_input(
        block: Any, step: tuple[jax.Array, jax.Array, jax.Array, jax.Array]
    ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        column, row, scale, zero = step
        number = rounded(block[:, column], scale, zero, top)
        error = (block[:, column] - restored(number, scale, zero)) / row[column]
        made_up_for = jnp.outer(error, jnp.where(columns > column, row, 0))
        return (block - made_up_for).astype(block.dtype), (number, error)

    block = jax.lax.dynamic_slice_in_dim(weights, start, width, 1)
    among = jax.lax.dynamic_slice_in_dim(rows, start, width, 1)
    _, (numbers, errors) = jax.lax.scan(next_input, block, (columns, among, scale.T, zero.T))
    later = jnp.where(jnp.arange(weights.shape[1]) >= start + width, rows, 0)
    made_up_for = jnp.matmul(errors.T, later, precision="highest")
    return numbers.T, (weights - made_up_for).astype(weights.dtype)
