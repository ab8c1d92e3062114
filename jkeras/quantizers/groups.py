"""Matrices stored as whole numbers from 0 on, with a scale and a zero for each group of inputs: the
form that GPTQ and AWQ end in.
"""

import functools
import math
import typing
from types import MappingProxyType

import jax
import jax.numpy as jnp

from jkeras.quantizers.packing import pack_int2, unpack_int2
from jkeras.quantizers.quantizers import pack_int4, unpack_int4

if typing.TYPE_CHECKING:
    import numpy as np


class Grid(typing.NamedTuple):
    """Which numbers the elements of a matrix may be rounded to.

    Attributes:
        bits: of a number.
        symmetric: the zero is in the middle.
        per_channel: each output has a scale of its own.
        group: inputs that share a scale; -1: all.
    """

    bits: int = 4
    symmetric: bool = False
    per_channel: bool = True
    group: int = -1

    @property
    def top(self) -> int:
        """The largest number."""
        return 2**self.bits - 1

    def size(self, inputs: int) -> int:
        """How many of so many inputs are in a group."""
        return inputs if self.group == -1 else self.group

    def count(self, inputs: int) -> int:
        """How many groups there are of so many inputs."""
        return math.ceil(inputs / self.size(inputs))


@functools.partial(jax.jit, static_argnums=1)
def fitted(weights: jax.Array, grid: Grid) -> tuple[jax.Array, jax.Array]:
    """(scale, zero), both (outputs, groups), with which weights (outputs, inputs) fill the grid.

    As in Keras, the zeros that fill up a last group count as its numbers where it is not the only
    one, and the zero of weights of one sign is cut off at what a byte holds.

    >>> scale, zero = fitted(jnp.array([[-1.0, 2.0]]), Grid(bits=2))
    >>> scale.tolist(), zero.tolist()
    ([[1.0]], [[1]])
    """
    low, high = _bounds(weights, grid)
    if grid.symmetric:
        largest = jnp.maximum(jnp.abs(low), high)
        low, high = jnp.where(low < 0, -largest, low), largest
    flat = low == high
    low, high = jnp.where(flat, low - 1, low), jnp.where(flat, high + 1, high)
    scale = (high - low) / grid.top
    scale = jnp.where(scale <= 0, 1e-8, scale)
    zero = jnp.round(-low / scale)
    if grid.symmetric:
        zero = jnp.full_like(scale, (grid.top + 1) / 2)
    return scale, zero.astype("uint8")


def _bounds(weights: jax.Array, grid: Grid) -> list[jax.Array]:
    """The smallest and the largest weight of each group."""
    outputs, inputs = weights.shape
    count = grid.count(inputs) if grid.per_channel else 1
    if count > 1:
        weights = jnp.pad(weights, ((0, 0), (0, -inputs % grid.group)))
    groups = weights.reshape(outputs, count, -1)
    axis = 2 if grid.per_channel else (0, 1, 2)
    bounds = groups.min(axis, keepdims=True), groups.max(axis, keepdims=True)
    return [jnp.broadcast_to(bound[..., 0], (outputs, count)) for bound in bounds]


def rounded(weights: jax.Array, scale: jax.Array, zero: jax.Array, top: int) -> jax.Array:
    """The numbers that stand for weights, as floats; `scale` and `zero` fit the weights' shape.

    >>> rounded(jnp.array([-1.0, 0.4, 9.0]), jnp.array(1.0), jnp.array(1, "uint8"), 3).tolist()
    [0.0, 1.0, 3.0]
    """
    return jnp.clip(jnp.round(weights / scale + zero.astype(scale.dtype)), 0, top)


def on_grid(weights: jax.Array, grid: Grid) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """(numbers, scale, zero, group of each input) of weights, each rounded for itself.

    >>> on_grid(jnp.array([[-1.0, 0.4, 9.0]]), Grid(bits=2))[0].tolist()
    [[0.0, 0.0, 3.0]]
    """
    scale, zero = fitted(weights, grid)
    groups = jnp.arange(weights.shape[1]) // grid.size(weights.shape[1])
    numbers = rounded(weights, of_groups(scale, groups), of_groups(zero, groups), grid.top)
    return numbers, scale, zero, groups


def restored(numbers: jax.Array, scale: jax.Array, zero: jax.Array) -> jax.Array:
    """The weights that numbers stand for.

    >>> restored(jnp.array([0, 3], "uint8"), jnp.array(0.5), jnp.array(1, "uint8")).tolist()
    [-0.5, 1.0]
    """
    return (numbers - zero.astype(scale.dtype)) * scale


def of_groups(array: jax.Array, groups: "jax.Array | np.ndarray") -> jax.Array:
    """What each input's group has in `array` (outputs, groups); `groups` (inputs,) may be floats,
    whose whole part counts.
    """
    return jnp.take(array, groups.astype("int32"), axis=1)


def rows_and_columns(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of a kernel of this shape as a matrix of inputs and outputs, in Keras's way: of
    three axes the first is the inputs where it is the longest, otherwise the last is the outputs.

    Raises:
        NotImplementedError: another number of axes.

    >>> rows_and_columns((8, 2, 3)), rows_and_columns((2, 3, 8))
    ((8, 6), (6, 8))
    """
    if len(shape) not in (2, 3):
        raise NotImplementedError(
            "GPTQ and AWQ quantize kernels of two or three axes only. Received a kernel of shape "
            f"{tuple(shape)}."
        )
    if len(shape) == 3 and shape[0] < max(shape):
        return shape[0] * shape[1], shape[2]
    return shape[0], math.prod(shape[1:])


class Groups(typing.NamedTuple):
    """How a kernel is stored on a grid: transposed, two numbers of 4 bits in a byte.

    Attributes:
        shape: of the kernel; two axes or three, see `rows_and_columns`.
        grid: the grid.
        has_factors: whether inputs were multiplied by factors before they were rounded (AWQ).
        packs_2_bits: whether four numbers of 2 bits are in a byte, as from Keras 3.16 on.
    """

    shape: tuple
    grid: Grid
    has_factors: bool = False
    packs_2_bits: bool = False
    # as `Coding` has them
    outer = False
    initializers = MappingProxyType({"g_idx": "zeros", "factors": "ones"})

    def encode(self, kernel: jax.Array, quantizer: typing.Any = None) -> dict[str, jax.Array]:
        """The arrays that keep a kernel, by name, each weight rounded for itself."""
        weights = kernel.reshape(rows_and_columns(self.shape)).T
        numbers, scale, zero, groups = on_grid(weights, self.grid)
        return self.packed(numbers, scale, zero, groups, jnp.ones(groups.shape, weights.dtype))

    def packed(
        self,
        numbers: jax.Array,
        scale: jax.Array,
        zero: jax.Array,
        groups: jax.Array,
        factors: jax.Array | None = None,
    ) -> dict[str, jax.Array]:
        """The arrays by name, of numbers (outputs, inputs) and what belongs to them."""
        numbers = numbers.astype("uint8")
        if self.grid.bits == 4:
            numbers, _, _ = pack_int4(numbers, 0, "uint8")
        if self.is_in_quarters:
            numbers, _, _ = pack_int2(numbers, 0, "uint8")
        arrays = {"integers": numbers, "scale": scale, "zero": zero}
        if self.has_factors:
            arrays["factors"] = factors
        return {**arrays, "g_idx": groups.astype("float32")}

    def integers(self, arrays: dict[str, jax.Array]) -> jax.Array:
        """The numbers (outputs, inputs), one in each element."""
        _, columns = rows_and_columns(self.shape)
        if self.grid.bits == 4:
            return unpack_int4(arrays["integers"], columns, 0, "uint8")
        if self.is_in_quarters:
            return unpack_int2(arrays["integers"], columns, 0, "uint8")
        return arrays["integers"]

    @property
    def is_in_quarters(self) -> bool:
        """Whether a byte holds four numbers."""
        return self.packs_2_bits and self.grid.bits == 2

    def in_own_form(self, integers: typing.Any) -> typing.Any:
        """Numbers of 2 bits from a file that has one or four in a byte, as they are kept here."""
        _, columns = rows_and_columns(self.shape)
        rows = jnp.shape(integers)[0]
        quarter = math.ceil(columns / 4)
        if self.packs_2_bits and rows == columns > quarter:
            return pack_int2(jnp.asarray(integers).astype("uint8"), 0, "uint8")[0]
        if not self.packs_2_bits and rows == quarter < columns:
            return unpack_int2(integers, columns, 0, "uint8")
        return integers

    def decode(self, arrays: dict[str, jax.Array], dtype: str) -> jax.Array:
        """The kernel again, in a float type."""
        scale, zero = (of_groups(arrays[role], arrays["g_idx"]) for role in ("scale", "zero"))
        kernel = restored(self.integers(arrays), scale, zero).T
        if self.has_factors:
            kernel = kernel / arrays["factors"][:, None]
        return kernel.reshape(self.shape).astype(dtype)
