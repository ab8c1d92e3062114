"""How a weight is stored in integers, and products with weights so stored: pure functions."""

import functools
import math
import typing
from types import MappingProxyType
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.initializers import Constant
from jkeras.ops.kernels import rounds_inputs
from jkeras.quantizers.packing import POWERS, pack_ternary, unpack_ternary
from jkeras.quantizers.quantizers import (
    AbsMaxQuantizer,
    abs_max_quantize_grouped_with_zero_point,
    compute_float8_amax_history,
    compute_float8_scale,
    pack_int4,
    quantize_and_dequantize,
    unpack_int4,
)


class Coding(typing.NamedTuple):
    """How a matrix is stored: its integers, `scale`, and for blocks of 4-bit numbers `zero` and
    `g_idx`.

    Without blocks the matrix is about `integers / scale`, with them `(integers - zero) * scale`,
    where `g_idx` says for each index along the axis in which block it lies.

    Attributes:
        bits: 8 or 4.
        axis: 0 or -1, with 8 bits also several; what lies along it shares a scale.
        pack_axis: along it, two 4-bit numbers are in one byte.
        length: size of the matrix along `pack_axis`.
        block: how many numbers share a scale; None: all along the axis.
        whole: whether the scale is one for each output of a product, by which the product may be
            divided.
    """

    bits: int
    axis: int
    pack_axis: int
    length: int
    block: typing.Any = None
    whole: bool = True
    initializers = MappingProxyType({})

    @property
    def outer(self) -> bool:
        """Whether a product may be made with the integers and divided by the scale."""
        return self.whole and self.block is None

    @property
    def is_packed(self) -> bool:
        """Whether several integers are in one byte."""
        return self.bits < 8

    def encode(self, matrix: jax.Array, quantizer: typing.Any = None) -> dict[str, jax.Array]:
        """The arrays that keep a matrix, by name; `quantizer` instead of dividing by the largest
        magnitude.
        """
        if self.block is None:
            integers, others = self._encode_whole(matrix, quantizer)
        else:
            integers, others = self._encode_blocks(matrix)
        if self.bits == 4:
            integers, _, _ = pack_int4(integers, self.pack_axis)
        return {"integers": integers, **others}

    def _encode_whole(
        self, matrix: jax.Array, quantizer: typing.Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """(integers, {"scale": …}), one scale for all numbers along the axis."""
        value_range = (-127, 127) if self.bits == 8 else (-8, 7)
        quantizer = quantizer or AbsMaxQuantizer(self.axis, value_range)
        integers, scale = quantizer(matrix)
        return integers, {"scale": jnp.squeeze(scale, self.axis)}

    def _encode_blocks(self, matrix: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        """(integers, {"scale": …, "zero": …, "g_idx": …}), a scale and a zero for each block."""
        upright = self._transposed(matrix)
        arrays = abs_max_quantize_grouped_with_zero_point(upright, self.block, to_numpy=True)
        integers, scale, zero = map(self._transposed, arrays)
        positions = jnp.arange(matrix.shape[self.axis], dtype="float32")
        blocks = jnp.floor_divide(positions, self.block)
        return integers, {"scale": scale, "zero": zero, "g_idx": blocks}

    def _transposed(self, matrix: jax.Array) -> jax.Array:
        """The matrix with its blocks along axis 0, and back."""
        if self.axis == -1:
            return matrix.T
        return matrix

    def integers(self, arrays: dict[str, jax.Array]) -> jax.Array:
        """The integers, one in each element."""
        integers = arrays["integers"]
        if self.bits == 8:
            return integers
        return unpack_int4(integers, self.length, self.pack_axis)

    def decode(self, arrays: dict[str, jax.Array], dtype: typing.Any) -> jax.Array:
        """The matrix again, in a float type; also rows of it, in front of any batch axes."""
        integers = self.integers(arrays)
        if self.block is None:
            return integers.astype(dtype) / jnp.expand_dims(arrays["scale"], self.axis)
        groups = arrays["g_idx"].astype("int32")
        scale = jnp.take(arrays["scale"], groups, axis=self.axis)
        zero = jnp.take(arrays["zero"], groups, axis=self.axis)
        return ((integers - zero.astype(scale.dtype)) * scale).astype(dtype)


def ternary(matrix: jax.Array, threshold: float | None = None) -> tuple[jax.Array, jax.Array]:
    """(-1, 0 or 1 for each number, their scale): the sign where the magnitude is over a threshold.

    Args:
        threshold: None: half of the mean magnitude, which then is the scale too; with a given one
            the scale is 1.

    >>> codes, scale = ternary(jnp.array([2.0, -0.5, -3.5]))
    >>> codes.tolist(), float(scale)
    ([1.0, 0.0, -1.0], 2.0)
    """
    magnitude = jnp.abs(matrix).astype("float32")
    scale = jnp.mean(magnitude)
    least = threshold
    if threshold is None:
        least = 0.5 * scale
    else:
        scale = jnp.ones_like(scale)
    return jnp.where(magnitude > least, jnp.sign(matrix), 0), scale


class Trits(typing.NamedTuple):
    """How a matrix of -1, 0 and 1 is stored: five in a byte along the first axis, and one scale.

    Attributes:
        shape: of the matrix.
        threshold: see `ternary`.
    """

    shape: tuple
    threshold: typing.Any = None
    # as `Coding` has them: one scale for everything is multiplied, not divided by
    outer = False
    is_packed = True
    initializers = MappingProxyType({"integers": Constant(sum(POWERS))})  # the byte of five zeros

    def encode(self, matrix: jax.Array, quantizer: typing.Any = None) -> dict[str, jax.Array]:
        """The arrays that keep a matrix, by name."""
        codes, scale = ternary(matrix, self.threshold)
        packed, _, _ = pack_ternary(codes, 0)
        return {"integers": packed, "scale": scale}

    def integers(self, arrays: dict[str, jax.Array]) -> jax.Array:
        """The trits, one in each element."""
        return unpack_ternary(arrays["integers"], self.shape[0], 0)

    def in_own_form(self, integers: typing.Any) -> typing.Any:
        """The packed matrix of a file, or of one along the last axis, as jkeras wrote before."""
        rows, columns = self.shape
        if jnp.shape(integers) != (rows, math.ceil(columns / 5)) or rows == 1:
            return integers
        return pack_ternary(unpack_ternary(integers, columns, -1), 0)[0]

    def decode(self, arrays: dict[str, jax.Array], dtype: str) -> jax.Array:
        """The matrix again, in a float type."""
        return self.integers(arrays).astype(dtype) * arrays["scale"].astype(dtype)


# ---------------------------------------------------------------- products


def integer_product(
    contract: Callable[..., jax.Array], x: jax.Array, kernel: jax.Array
) -> jax.Array:
    """`contract(x, kernel)`, added up in 32 bits where both are integers."""
    both = jnp.issubdtype(x.dtype, jnp.integer) and jnp.issubdtype(kernel.dtype, jnp.integer)
    accumulator = "int32" if both else None
    return contract(x, kernel, preferred_element_type=accumulator)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def straight_through(
    rounded: Callable[..., jax.Array],
    smooth: Callable[..., jax.Array],
    x: jax.Array,
    weights: dict[str, jax.Array],
) -> jax.Array:
    """`rounded(x, weights)` with the gradient for x that `smooth(x, weights)` has; none for the
    weights.
    """
    return rounded(x, weights)


def _straight_forward(
    rounded: Callable[..., jax.Array],
    smooth: Callable[..., jax.Array],
    x: jax.Array,
    weights: dict[str, jax.Array],
) -> tuple[jax.Array, tuple]:
    return rounded(x, weights), (x, weights)


def _straight_backward(
    rounded: Callable[..., jax.Array],
    smooth: Callable[..., jax.Array],
    residuals: tuple,
    upstream: jax.Array,
) -> tuple:
    x, weights = residuals
    _, pull_back = jax.vjp(lambda x: smooth(x, weights), x)
    return *pull_back(upstream), None


straight_through.defvjp(_straight_forward, _straight_backward)


# ---------------------------------------------------------------- products of 8-bit floats


def _next(
    x: jax.Array, scale: jax.Array, history: jax.Array, dtype: str
) -> tuple[jax.Array, jax.Array]:
    """The scale and the history of the next step."""
    largest = float(jnp.finfo(dtype).max)
    next_scale = compute_float8_scale(jnp.max(history), scale, largest)
    return next_scale, compute_float8_amax_history(x, history)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def round_to_float8(
    training: bool, x: jax.Array, scale: jax.Array, history: jax.Array
) -> jax.Array:
    """x rounded to float8_e4m3fn. The "gradients" of scale and history are their next values (zero
    outside training).

    >>> round_to_float8(False, jnp.array([0.3]), jnp.array(1.0), jnp.zeros(2)).tolist()
    [0.3125]
    """
    return quantize_and_dequantize(x, scale, "float8_e4m3fn", x.dtype)


def _round_forward(
    training: bool, x: jax.Array, scale: jax.Array, history: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
    return round_to_float8(training, x, scale, history), (x, scale, history)


def _round_backward(
    training: bool, residuals: tuple[jax.Array, jax.Array, jax.Array], upstream: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, scale, history = residuals
    if not training:
        return upstream, jnp.zeros_like(scale), jnp.zeros_like(history)
    return upstream, *_next(x, scale, history, "float8_e4m3fn")


round_to_float8.defvjp(_round_forward, _round_backward)


@jax.custom_vjp
def round_gradient_to_float8(y: jax.Array, scale: jax.Array, history: jax.Array) -> jax.Array:
    """y as it is; its gradient is rounded to float8_e5m2, and those of scale and history are their
    next values.

    >>> round_gradient_to_float8(jnp.array([0.3]), jnp.array(1.0), jnp.zeros(2)).shape
    (1,)
    """
    return y


def _gradient_forward(
    y: jax.Array, scale: jax.Array, history: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return y, (scale, history)


def _gradient_backward(
    residuals: tuple[jax.Array, jax.Array], upstream: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    scale, history = residuals
    rounded = quantize_and_dequantize(upstream, scale, "float8_e5m2", upstream.dtype)
    return rounded, *_next(upstream, scale, history, "float8_e5m2")


round_gradient_to_float8.defvjp(_gradient_forward, _gradient_backward)


def float8_product(
    contract: Callable[..., jax.Array],
    x: jax.Array,
    kernel: jax.Array,
    w: dict[str, jax.Array],
    training: bool,
) -> jax.Array:
    """`contract(x, kernel)` of both rounded to float8; `w` has their scales and histories by
    name.
    """
    if rounds_inputs():
        x = round_to_float8(training, x, w["inputs_scale"], w["inputs_amax_history"])
    kernel = round_to_float8(training, kernel, w["kernel_scale"], w["kernel_amax_history"])
    y = contract(x, kernel)
    if not rounds_inputs():
        return y
    return round_gradient_to_float8(y, w["outputs_grad_scale"], w["outputs_grad_amax_history"])
