"""Numbers as integers of few bits with a scale, and the 8-bit floats."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jkeras.core.graph.host_numbers import on_device
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.graph.op import op
from jkeras.core.record import Record
from jkeras.core.names.registry import public
from jkeras.ops.promotion import as_axes

EPSILON = 1e-7
EXACT = ("float32", "float64")  # one program has the numbers of many; narrower ones it rounds less


@public("keras.Quantizer", "keras.quantizers.Quantizer")
class Quantizer(Record):
    """Base of quantizers: a call gives the quantized array; here the array itself.

    Args:
        output_dtype: of the quantized array.
    Raises:
        NotImplementedError: from `get_config`, which a subclass writes.

    >>> Quantizer()(jnp.ones(2)).tolist()
    [1.0, 1.0]
    """

    def __init__(self, output_dtype: str = "int8") -> None:
        self.output_dtype = output_dtype

    def __call__(self, x: Any) -> Any:
        return x

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not implement get_config().")


@public("keras.quantizers.AbsMaxQuantizer")
class AbsMaxQuantizer(Quantizer):
    """Integers from numbers divided by the largest magnitude along some axes; see
    `abs_max_quantize`.

    Args:
        axis: axes that share a scale, the last one by default; better passed in the call.
        value_range: smallest and largest integer.
        epsilon: added to the magnitude.
        output_dtype: of the integers.
    Raises:
        ValueError: a `value_range` beyond int8, with `output_dtype="int8"`.

    >>> q, scale = AbsMaxQuantizer()(jnp.array([[1.0, -4.0]]))
    >>> q.tolist(), scale.tolist()
    ([[32, -127]], [[31.75]])
    """

    def __init__(
        self,
        axis: int | tuple[int, ...] | None = None,
        value_range: Sequence[int] = (-127, 127),
        epsilon: float = EPSILON,
        output_dtype: str = "int8",
    ) -> None:
        super().__init__(output_dtype)
        if isinstance(axis, int):
            axis = (axis,)
        elif axis is not None:
            axis = tuple(axis)
        self.axis = axis
        self.value_range = tuple(value_range)
        self.epsilon = epsilon
        if output_dtype == "int8" and not -128 <= value_range[0] <= value_range[1] <= 127:
            raise ValueError(
                "With output_dtype='int8' there are the numbers from -128 to 127, within which "
                "`value_range` has to lie. "
                f"Received: {value_range}"
            )

    def __call__(
        self, x: Any, axis: int | tuple[int, ...] | None = None, to_numpy: bool = False
    ) -> tuple[Any, Any]:
        if axis is None:
            axis = self.axis
        if axis is None:
            axis = -1
        return abs_max_quantize(
            x, axis, self.value_range, self.output_dtype, self.epsilon, to_numpy
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = {
            "value_range": self.value_range,
            "epsilon": self.epsilon,
            "output_dtype": self.output_dtype,
        }
        if self.axis is not None:
            config["axis"] = self.axis
        return config


def _on_host(function: Callable[..., tuple], inputs: Any, *arguments: Any) -> tuple[Any, ...]:
    """`function(numpy, inputs, *arguments)`, which takes no memory of the device."""
    x = np.asarray(inputs)
    x = x.astype(jax.dtypes.canonicalize_dtype(x.dtype), copy=False)
    with np.errstate(all="ignore"):  # JAX says nothing of NaN and infinity either
        return tuple(map(on_device, function(np, x, *arguments)))


@public("keras.quantizers.abs_max_quantize")
def abs_max_quantize(
    inputs: Any,
    axis: int | tuple[int, ...] | None,
    value_range: Sequence[int] = (-127, 127),
    dtype: str = "int8",
    epsilon: float = EPSILON,
    to_numpy: bool = False,
) -> tuple[Any, Any]:
    """(integers, scale): `round(inputs * scale)` with `scale = value_range[1] / max(abs(inputs))`
    along some axes.

    Args:
        inputs: array of floats.
        axis: axes that share a scale; None: all.
        value_range: smallest and largest integer.
        dtype: of the integers.
        epsilon: added to the largest magnitude.
        to_numpy: compute on the host, to save memory of the device.
    Returns:
        Integers in the shape of `inputs`, and scales of its dtype and rank, of size 1 along
        `axis`.

    >>> q, scale = abs_max_quantize(jnp.array([1.0, -4.0]), axis=0)
    >>> q.tolist(), scale.tolist(), f"{q[0] / scale[0]:.3f}"  # what 1.0 comes back as
    ([32, -127], [31.75], '1.008')
    """
    how = as_axes(axis), tuple(value_range), dtype, epsilon
    if to_numpy and not isinstance(inputs, jax.core.Tracer):
        return _on_host(_abs_max_quantized, inputs, *how)
    x = jnp.asarray(inputs)
    if x.dtype in EXACT:
        return _abs_max_compiled(jnp, x, *how)
    return _abs_max_quantized(jnp, x, *how)


def _abs_max_quantized(
    xp: Any,
    x: Any,
    axis: int | tuple[int, ...] | None,
    value_range: tuple[int, ...],
    dtype: str,
    epsilon: float,
) -> tuple[Any, Any]:
    """What `abs_max_quantize` returns, by `xp`, which is numpy or `jax.numpy`."""
    largest = xp.max(xp.abs(x), axis=axis, keepdims=True)
    scale = value_range[1] / (largest + epsilon)  # in float32 for numpy's bfloat16
    integers = xp.clip(xp.round(x * scale), *value_range).astype(dtype)
    return integers, scale.astype(x.dtype)


_abs_max_compiled = functools.partial(jax.jit, static_argnums=(0, 2, 3, 4, 5))(_abs_max_quantized)


@public("keras.quantizers.abs_max_quantize_grouped_with_zero_point")
def abs_max_quantize_grouped_with_zero_point(
    inputs: Any,
    block_size: int,
    value_range: Sequence[int] = (-8, 7),
    dtype: str = "int8",
    epsilon: float = EPSILON,
    to_numpy: bool = False,
) -> tuple[Any, Any, Any]:
    """(integers, scale, zero point) of a matrix, with a scale and a zero point for each column of
    each block of rows.

    `inputs` is about `(integers - zero_point) * scale` in a block with numbers of both signs. As in
    Keras, the zero point cannot leave `value_range`: where all numbers of a block are far from 0 on
    one side, the farthest are cut off.

    Args:
        inputs: matrix of floats, (rows, columns).
        block_size: rows of a block.
        value_range: smallest and largest integer.
        dtype: of the integers.
        epsilon: added to the distance of the largest number from the smallest.
        to_numpy: compute on the host. As in Keras, the zeros that fill up a last block then count
            as its numbers even where it is the only one, and the scale of equal numbers is nearly
            0.
    Returns:
        Integers (rows, columns); scales, of the dtype of `inputs`, and zero points, int8, both
        (blocks, columns).

    >>> x = jnp.array([[-1.0], [2.0], [-4.0], [3.5]])
    >>> q, scale, zero = abs_max_quantize_grouped_with_zero_point(x, 2)
    >>> zero.tolist(), ((q.reshape(2, 2) - zero) * scale).round(1).tolist()
    ([[-3], [0]], [[-1.0, 2.0], [-4.0, 3.5]])
    """

    def quantize(xp: Any, x: Any) -> tuple[Any, Any, Any]:
        low, high = value_range
        height, width = x.shape
        count = -(-height // block_size)
        padded = xp.pad(x, ((0, count * block_size - height), (0, 0)))
        blocks = padded.reshape(count, block_size, width)
        seen = blocks if count > 1 or to_numpy else x[None]
        smallest = seen.min(1, keepdims=True)
        largest = seen.max(1, keepdims=True)
        flat = (smallest == largest) & (not to_numpy)
        smallest = xp.where(flat, smallest - 1, smallest)
        largest = xp.where(flat, largest + 1, largest)
        scale = (largest - smallest + epsilon) / (high - low)
        zero = xp.clip(xp.round(-smallest / scale) + low, low, high)
        q = xp.clip(xp.round(blocks / scale) + zero, low, high).astype(dtype)
        integers = q.reshape(-1, width)[:height]
        return integers, scale[:, 0].astype(x.dtype), zero[:, 0].astype("int8")

    if to_numpy and not isinstance(inputs, jax.core.Tracer):
        return _on_host(quantize, inputs)
    return quantize(jnp, jnp.asarray(inputs))


# ---------------------------------------------------------------- training with quantized values


def _nudged(
    smallest: jax.Array, largest: jax.Array, bits: int, narrow: bool
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """(smallest, largest, scale, 1 / scale) moved so that 0 is one of the quantized values."""
    wide = jnp.promote_types(smallest.dtype, "float32")
    smallest = smallest.astype(wide)
    largest = largest.astype(wide)
    low = int(narrow)
    high = 2**bits - 1
    scale = (largest - smallest) / (high - low)
    zero = jnp.round(jnp.clip(low - smallest / scale, low, high))
    return (low - zero) * scale, (high - zero) * scale, scale, (high - low) / (largest - smallest)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def _fake_quant(
    x: jax.Array, smallest: jax.Array, largest: jax.Array, bits: int, narrow: bool, axis: int | None
) -> jax.Array:
    low, high, scale, inverse = _nudged(smallest, largest, bits, narrow)
    zero = jnp.floor(-low * inverse + 0.5)
    steps = jnp.floor((jnp.clip(x.astype(low.dtype), low, high) - low) * inverse - zero + 0.5)
    return (steps * scale).astype(x.dtype)


def _fake_quant_forward(
    x: jax.Array, smallest: jax.Array, largest: jax.Array, bits: int, narrow: bool, axis: int | None
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
    return _fake_quant(x, smallest, largest, bits, narrow, axis), (x, smallest, largest)


def _fake_quant_backward(
    bits: int,
    narrow: bool,
    axis: int | None,
    residuals: tuple[jax.Array, jax.Array, jax.Array],
    upstream: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, smallest, largest = residuals
    low, high, _, _ = _nudged(smallest, largest, bits, narrow)
    others = None
    if axis is not None:
        others = tuple(i for i in range(x.ndim) if i != axis)

    def sum_where(mask: jax.Array, bound: jax.Array) -> jax.Array:
        total = jnp.where(mask, upstream, 0).sum(others)
        return total.reshape(bound.shape).astype(bound.dtype)

    inside = jnp.where((x >= low) & (x <= high), upstream, 0).astype(x.dtype)
    return inside, sum_where(x <= low, smallest), sum_where(x >= high, largest)


_fake_quant.defvjp(_fake_quant_forward, _fake_quant_backward)


@op(
    "keras.src.quantizers.quantizers",
    "keras.quantizers.fake_quant_with_min_max_vars",
    inputs=3,
    spec=lambda inputs, *args, **kwargs: KerasTensor(inputs.shape, inputs.dtype),
)
def fake_quant_with_min_max_vars(
    inputs: Any,
    min_vals: Any,
    max_vals: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    axis: int | None = None,
) -> jax.Array:
    """Numbers rounded to the values that `num_bits` bits can tell apart between two bounds (Jacob
    et al. 2017, arXiv:1712.05877).

    The bounds move so that 0 is one of these values. Gradients go through inside the bounds, and to
    a bound from what lies beyond it.

    Args:
        inputs: array of floats.
        min_vals, max_vals: the bounds; numbers, or one for each index of `axis`.
        num_bits: there are 2^num_bits values.
        narrow_range: leave the lowest value out.
        axis: along which the bounds lie; None for two numbers.
    Returns:
        Array of the shape and dtype of `inputs`.

    >>> fake_quant_with_min_max_vars(jnp.array([0.1, 0.4, 2.0]), 0.0, 1.0, num_bits=1).tolist()
    [0.0, 0.0, 1.0]
    """
    x = jnp.asarray(inputs)
    if axis is not None:
        axis = axis % x.ndim
    low, high = map(_bound, (min_vals, max_vals))
    return _fake_quant(x, low, high, int(num_bits), bool(narrow_range), axis)


def _bound(value: Any) -> jax.Array:
    if hasattr(value, "dtype"):
        return jnp.asarray(value)
    return jnp.asarray(value, "float32")


# ---------------------------------------------------------------- 8-bit floats


@public("keras.quantizers.compute_float8_scale")
def compute_float8_scale(amax: Any, scale: Any, dtype_max: float, margin: int = 0) -> jax.Array:
    """The scale with which magnitudes up to `amax` fill a float8 type; the old one where `amax` is
    0 or infinite.

    Args:
        amax: largest magnitude so far.
        scale: the old one.
        dtype_max: largest number of the float8 type.
        margin: leave so many powers of two free above.
    Returns:
        What numbers are divided by: `amax / dtype_max * 2^margin`. (Micikevicius et al. 2022,
        arXiv:2209.05433)

    >>> float(compute_float8_scale(jnp.array(7.0), jnp.array(1.0), 448.0))
    0.015625
    """
    amax = jnp.asarray(amax)
    old = 1 / jnp.asarray(scale)
    new = dtype_max / amax / 2**margin
    return 1 / jnp.where((amax > 0) & jnp.isfinite(amax), new, old)


@public("keras.quantizers.compute_float8_amax_history")
def compute_float8_amax_history(x: Any, amax_history: Any) -> jax.Array:
    """The history of largest magnitudes, moved on by one, with that of `x` in front.

    Args:
        x: array of floats.
        amax_history: (length,), the latest first.
    Returns:
        The new history, of the same shape.

    >>> compute_float8_amax_history(jnp.array([-3.0]), jnp.array([0.0, 1.0, 2.0])).tolist()
    [3.0, 2.0, 0.0]
    """
    history = jnp.asarray(amax_history)
    largest = jnp.max(jnp.abs(x)).astype(history.dtype)
    return jnp.roll(history, -1).at[0].set(largest)


@public("keras.quantizers.quantize_and_dequantize")
def quantize_and_dequantize(
    inputs: Any, scale: Any, quantized_dtype: str, compute_dtype: Any
) -> jax.Array:
    """Numbers as they come back from a float8 type with a scale.

    Args:
        inputs: array of floats.
        scale: what they are divided by before, and multiplied with afterwards.
        quantized_dtype: "float8_e4m3fn" or "float8_e5m2"; numbers beyond it are cut off.
        compute_dtype: of the result.
    Returns:
        Array in the shape of `inputs`.

    >>> quantize_and_dequantize(jnp.array([0.3, 1e3]), 1.0, "float8_e4m3fn", "float32").tolist()
    [0.3125, 448.0]
    """
    scale = jnp.asarray(scale, compute_dtype)
    limit = float(jnp.finfo(quantized_dtype).max)
    x = jnp.clip(jnp.asarray(inputs) / scale, -limit, limit).astype(quantized_dtype)
    return x.astype(compute_dtype) * scale


# ---------------------------------------------------------------- two numbers of 4 bits in a byte


def _check_int4(dtype: str) -> None:
    if dtype not in ("int8", "uint8"):
        raise ValueError(f"Values of four bits lie in int8 or uint8. Received: {dtype}")


@public("keras.quantizers.pack_int4")
def pack_int4(
    arr: Any, axis: int = 0, dtype: str = "int8"
) -> tuple[jax.Array, tuple[int, ...], int]:
    """(packed, its shape, length of the axis): two neighbours along an axis in one byte, the first
    in the low half.

    Args:
        arr: int8 in [-8, 7], or uint8 in [0, 15].
        axis: along which neighbours meet; an odd length is filled up with 0.
        dtype: that of `arr`.
    Returns:
        An array of the dtype of `arr` with half the length along the axis, a tuple, and an
        integer for `unpack_int4`.
    Raises:
        ValueError: another `dtype`.
        TypeError: `arr` has not this dtype.

    >>> packed, shape, length = pack_int4(jnp.array([[-3, 7], [2, -8], [1, 0]], "int8"))
    >>> packed.tolist(), shape, length
    ([[45, -121], [1, 0]], (2, 2), 3)
    """
    _check_int4(dtype)
    arr = jnp.asarray(arr)
    if str(arr.dtype) != dtype:
        raise TypeError(f"Expected {dtype} tensor for packing, got {arr.dtype}.")
    packed = _int4_packed(arr, axis)
    return packed, tuple(packed.shape), arr.shape[axis]


@functools.partial(jax.jit, static_argnums=1)
def _int4_packed(arr: jax.Array, axis: int) -> jax.Array:
    front = jnp.moveaxis(arr, axis, 0).astype("uint8")
    front = jnp.pad(front, [(0, len(front) % 2)] + [(0, 0)] * (front.ndim - 1)) & 0x0F
    packed = lax.bitcast_convert_type(front[::2] | front[1::2] << 4, arr.dtype)
    return jnp.moveaxis(packed, 0, axis)


@public("keras.quantizers.unpack_int4")
def unpack_int4(packed: Any, orig_len: int, axis: int = 0, dtype: str = "int8") -> jax.Array:
    """What `pack_int4` packed.

    Args:
        packed: array of bytes.
        orig_len: length of the axis before.
        axis: as it was packed.
        dtype: of the result: "int8" for [-8, 7], "uint8" for [0, 15].
    Returns:
        Array with the length `orig_len` along the axis.
    Raises:
        ValueError: another `dtype`.
        TypeError: `packed` does not consist of bytes.

    >>> unpack_int4(jnp.array([[45, -121], [1, 0]], "int8"), 3).tolist()
    [[-3, 7], [2, -8], [1, 0]]
    """
    _check_int4(dtype)
    packed = jnp.asarray(packed)
    if str(packed.dtype) not in ("int8", "uint8"):
        raise TypeError(f"Bytes that are packed are int8 or uint8. Received: {packed.dtype}")
    return _int4_unpacked(packed, int(orig_len), axis, dtype)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _int4_unpacked(packed: jax.Array, length: int, axis: int, dtype: str) -> jax.Array:
    front = lax.bitcast_convert_type(jnp.moveaxis(packed, axis, 0), jnp.uint8)
    pairs = jnp.stack([front & 0x0F, front >> 4], axis=1)
    numbers = pairs.reshape(-1, *front.shape[1:])[:length].astype(dtype)
    if dtype == "int8":
        numbers = (numbers ^ 8) - 8  # 8 … 15 stand for -8 … -1
    return jnp.moveaxis(numbers, 0, axis)
