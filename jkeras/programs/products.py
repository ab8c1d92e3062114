"""The gradient of a weight as a matrix product: what goes into its operation, by the gradients of
what comes out.
"""

import dataclasses
import math
from collections.abc import Iterable

import jax
import jax.numpy as jnp

from jkeras.programs.primitives import Kind
from jkeras.programs.sites import Use


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

    >>> from jkeras.programs.sites import uses
    >>> ((use,),) = uses(lambda w, x: jnp.sum(x @ w), jnp.ones((3, 2)), jnp.arange(3.0))
    >>> product = product_of(use)
    >>> product.inputs.tolist(), product.slopes.tolist()
    ([[0.0, 1.0, 2.0]], [[1.0, 1.0]])
    """
    find = PRODUCTS.get(use.facts.kind)
    if use.site.entry.primitive.name == "add":
        find = _of_sum
    return find and find(use)


def _of_dot(use: Use) -> Product | None:
    """Of a matrix product."""
    contracted, batched = use.site.entry.params["dimension_numbers"]
    if batched[0]:
        return None
    place, slope = use.place, use.slopes[0]
    other = use.operands[1 - place]
    inner = tuple(contracted[1 - place])
    free = [i for i in range(other.ndim) if i not in inner]
    positions = math.prod(other.shape[i] for i in free)
    inputs = other.transpose(*free, *inner).reshape(positions, -1)
    if place == 0:  # the slope has the axes of the weight first
        slope = jnp.moveaxis(slope, range(slope.ndim - len(free), slope.ndim), range(len(free)))
    rows = tuple(contracted[place])
    columns = tuple(i for i in range(use.operands[place].ndim) if i not in rows)
    return Product(inputs, slope.reshape(positions, -1), (*rows, *columns))


def _of_convolution(use: Use) -> Product | None:
    """Of a kernel that is moved over the other operand."""
    params, operands, slope = use.site.entry.params, use.operands, use.slopes[0]
    groups = params["feature_group_count"], params["batch_group_count"]
    if use.place != 1 or groups != (1, 1):
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


def _of_broadcast(use: Use) -> Product | None:
    """Of a weight that is laid out over positions."""
    axes = use.site.entry.params["broadcast_dimensions"]
    return _over_positions(use.operands[0].shape, axes, use.slopes[0])


def _of_sum(use: Use) -> Product | None:
    """Of a weight in a sum, with axes of size 1 for positions."""
    shape = use.operands[use.place].shape
    return _over_positions(shape, range(len(shape)), use.slopes[0])


def _over_positions(shape: tuple, axes: Iterable[int], slope: jax.Array) -> Product | None:
    """Of a weight of a shape whose axes are some of the slope's; its numbers are the same along all
    others, and along those where it has size 1.
    """
    kept = [axis for axis, size in zip(axes, shape) if size != 1]
    if [slope.shape[axis] for axis in kept] != [size for size in shape if size != 1]:
        return None
    around = [axis for axis in range(slope.ndim) if axis not in kept]
    slopes = slope.transpose(*around, *kept).reshape(-1, math.prod(shape))
    return Product(jnp.ones((len(slopes), 1), slope.dtype), slopes, tuple(range(len(shape))))


PRODUCTS = {
    Kind.CONTRACTION: _of_dot,
    Kind.CONVOLUTION: _of_convolution,
    Kind.BROADCAST: _of_broadcast,
}
