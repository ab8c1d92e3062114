"""The gradient of a weight as a matrix product: what goes into its operation, by the gradients of
what comes out.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.explain.sites import Use


@dataclasses.dataclass(eq=False)
class Product:
    """The gradient of a weight is `inputs.T @ slopes`, a matrix of the weight's numbers.

    Attributes:
        inputs: what the operation takes at each position, (positions, rows of the matrix).
        slopes: the gradients of what it gives there, (positions, columns).
        axes: those of the operand in the order of the matrix, its rows before its columns.
    """

    inputs: jax.Array
    slopes: jax.Array
    axes: tuple[int, ...]

    def order(self, use: Use, shape: tuple[int, ...]) -> jax.Array:
        """For each place in the matrix, flat, which number of the weight lies there.

        Args:
            use: that the product is of.
            shape: of the weight.
        """
        numbers = jnp.arange(math.prod(shape)).reshape(shape)
        return use.site.views[use.place].places(numbers).transpose(self.axes).reshape(-1)


def product_of(use: Use) -> Product | None:
    """The gradient that a weight gets from an operation as a product; None: it is not known how.

    >>> from jkeras.explain.sites import uses
    >>> ((use,),) = uses(lambda w, x: jnp.sum(x @ w), jnp.ones((3, 2)), jnp.arange(3.0))
    >>> product = product_of(use)
    >>> product.inputs.tolist(), product.slopes.tolist()
    ([[0.0, 1.0, 2.0]], [[1.0, 1.0]])
    """
    find = PRODUCTS.get(use.kind)
    return find and find(use.site.entry.params, use.operands, use.slopes[0])


def _of_dot(place: int) -> Callable:
    """Of a matrix product whose operand number `place` is the weight."""

    def find(params: dict, operands: list, slope: jax.Array) -> Product | None:
        contracted, batched = params["dimension_numbers"]
        if batched[0]:
            return None
        other = operands[1 - place]
        inner = tuple(contracted[1 - place])
        free = [i for i in range(other.ndim) if i not in inner]
        positions = math.prod(other.shape[i] for i in free)
        inputs = other.transpose(*free, *inner).reshape(positions, -1)
        if place == 0:  # the slope has the axes of the weight first
            slope = jnp.moveaxis(slope, range(slope.ndim - len(free), slope.ndim), range(len(free)))
        rows = tuple(contracted[place])
        columns = tuple(i for i in range(operands[place].ndim) if i not in rows)
        return Product(inputs, slope.reshape(positions, -1), (*rows, *columns))

    return find


def _of_convolution(params: dict, operands: list, slope: jax.Array) -> Product | None:
    if params["feature_group_count"] != 1 or params["batch_group_count"] != 1:
        return None
    dims = params["dimension_numbers"]
    kernel = operands[1].shape
    patches = jax.lax.conv_general_dilated_patches(
        operands[0],
        [kernel[axis] for axis in dims.rhs_spec[2:]],
        params["window_strides"],
        params["padding"],
        params["lhs_dilation"],
        params["rhs_dilation"],
        dimension_numbers=jax.lax.ConvDimensionNumbers(dims.lhs_spec, dims.rhs_spec, dims.out_spec),
    )
    channels = dims.out_spec[1]
    inputs = jnp.moveaxis(patches, channels, -1)
    slope = jnp.moveaxis(slope, channels, -1)
    return Product(
        inputs.reshape(-1, inputs.shape[-1]),
        slope.reshape(-1, slope.shape[-1]),
        (*dims.rhs_spec[1:], dims.rhs_spec[0]),
    )


def _of_broadcast(params: dict, operands: list, slope: jax.Array) -> Product | None:
    """Of a weight that is laid out over positions."""
    return _over_positions(operands[0].shape, params["broadcast_dimensions"], slope)


def _of_sum(place: int) -> Callable:
    """Of a weight that is operand number `place` of a sum, with axes of size 1 for positions."""

    def find(params: dict, operands: list, slope: jax.Array) -> Product | None:
        shape = operands[place].shape
        return _over_positions(shape, range(len(shape)), slope)

    return find


def _over_positions(
    shape: tuple[int, ...], axes: Iterable[int], slope: jax.Array
) -> Product | None:
    """Of a weight of a shape whose axes are some of the slope's; its numbers are the same along all
    others, and along those where it has size 1.
    """
    kept = [axis for axis, size in zip(axes, shape) if size != 1]
    if [slope.shape[axis] for axis in kept] != [size for size in shape if size != 1]:
        return None
    around = [axis for axis in range(slope.ndim) if axis not in kept]
    slopes = slope.transpose(*around, *kept).reshape(-1, math.prod(shape))
    return Product(jnp.ones((len(slopes), 1), slope.dtype), slopes, tuple(range(len(shape))))


PRODUCTS: dict[tuple[str, int], Callable[[dict, list, Any], Product | None]] = {
    ("dot_general", 0): _of_dot(0),
    ("dot_general", 1): _of_dot(1),
    ("conv_general_dilated", 1): _of_convolution,
    ("broadcast_in_dim", 0): _of_broadcast,
    ("add", 0): _of_sum(0),
    ("add", 1): _of_sum(1),
}
