"""Several small integers in one byte: four of 2 bits, or five of {-1, 0, 1}."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.core.names.registry import public

TRITS = 5  # 3 ** 5 = 243 fits a byte
POWERS = (1, 3, 9, 27, 81)


def _fields(arr: jax.Array, axis: int, count: int) -> list[jax.Array]:
    """[the first numbers of all bytes, the second ones, …]: the axis is in front."""
    front = jnp.moveaxis(arr, axis, 0)
    front = jnp.pad(front, [(0, -len(front) % count)] + [(0, 0)] * (front.ndim - 1))
    return [front[offset::count] for offset in range(count)]


def _joined(fields: list[jax.Array], length: int, axis: int) -> jax.Array:
    """What `_fields` took apart."""
    numbers = jnp.stack(fields, axis=1)  # (bytes, numbers in a byte, ...)
    numbers = numbers.reshape(-1, *numbers.shape[2:])[:length]
    return jnp.moveaxis(numbers, 0, axis)


def _check_bytes(dtype: str) -> None:
    if dtype not in ("int8", "uint8"):
        raise ValueError(f"Packed values are int8 or uint8. Received: {dtype}")


@public("keras.quantizers.pack_int2")
def pack_int2(
    arr: Any, axis: int = 0, dtype: str = "int8"
) -> tuple[jax.Array, tuple[int, ...], int]:
    """(packed, its shape, length of the axis): four neighbours along an axis in one byte, the first
    in the lowest bits.

    Args:
        arr: int8 in [-2, 1], or uint8 in [0, 3].
        axis: along which neighbours meet; zeros fill up the last byte.
        dtype: that of `arr`.
    Returns:
        An array of the dtype of `arr` with a quarter of the length along the axis, a tuple, and an
        integer for `unpack_int2`.
    Raises:
        ValueError: another `dtype`.
        TypeError: `arr` has not this dtype.

    >>> packed, shape, length = pack_int2(jnp.array([1, -1, 0, -2, 1], "int8"))
    >>> packed.tolist(), shape, length
    ([-115, 1], (2,), 5)
    """
    _check_bytes(dtype)
    arr = jnp.asarray(arr)
    if str(arr.dtype) != dtype:
        raise TypeError(f"Expected {dtype} tensor for packing, got {arr.dtype}.")
    packed = _int2_packed(arr, axis)
    return packed, tuple(packed.shape), arr.shape[axis]


@functools.partial(jax.jit, static_argnums=1)
def _int2_packed(arr: jax.Array, axis: int) -> jax.Array:
    fields = _fields(arr.astype("uint8") & 0b11, axis, 4)
    packed = fields[0] | fields[1] << 2 | fields[2] << 4 | fields[3] << 6
    return jnp.moveaxis(lax.bitcast_convert_type(packed, arr.dtype), 0, axis)


@public("keras.quantizers.unpack_int2")
def unpack_int2(packed: Any, orig_len: int, axis: int = 0, dtype: str = "int8") -> jax.Array:
    """What `pack_int2` packed.

    Args:
        packed: array of bytes.
        orig_len: length of the axis before.
        axis: as it was packed.
        dtype: of the result: "int8" for [-2, 1], "uint8" for [0, 3].
    Returns:
        Array with the length `orig_len` along the axis.
    Raises:
        ValueError: another `dtype`.
        TypeError: `packed` does not consist of bytes.

    >>> unpack_int2(jnp.array([-115, 1], "int8"), 5).tolist()
    [1, -1, 0, -2, 1]
    """
    _check_bytes(dtype)
    packed = jnp.asarray(packed)
    if str(packed.dtype) not in ("int8", "uint8"):
        raise TypeError(f"Bytes that are packed are int8 or uint8. Received: {packed.dtype}")
    return _int2_unpacked(packed, int(orig_len), axis, dtype)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _int2_unpacked(packed: jax.Array, length: int, axis: int, dtype: str) -> jax.Array:
    front = lax.bitcast_convert_type(jnp.moveaxis(packed, axis, 0), jnp.uint8)
    fields = [(front >> shift & 0b11).astype(dtype) for shift in (0, 2, 4, 6)]
    if dtype == "int8":
        fields = [(numbers ^ 2) - 2 for numbers in fields]  # 2 and 3 stand for -2 and -1
    return _joined(fields, length, axis)


@public("keras.quantizers.pack_ternary")
def pack_ternary(arr: Any, axis: int = 0) -> tuple[jax.Array, tuple[int, ...], int]:
    """(packed, its shape, length of the axis): five neighbours among -1, 0 and 1 in one uint8, as
    digits of base 3, the first with the lowest value.

    Args:
        arr: numbers of any type; they are rounded and clipped to [-1, 1].
        axis: along which neighbours meet.
    Returns:
        A uint8 array with a fifth of the length along the axis, a tuple, and an integer for
        `unpack_ternary`.

    >>> packed, shape, length = pack_ternary(jnp.array([1, -1, 0, 1, 1, -1]))
    >>> packed.tolist(), shape, length
    ([227, 120], (2,), 6)
    """
    arr = jnp.asarray(arr)
    packed = _ternary_packed(arr, axis)
    return packed, tuple(packed.shape), arr.shape[axis]


@functools.partial(jax.jit, static_argnums=1)
def _ternary_packed(arr: jax.Array, axis: int) -> jax.Array:
    fields = _fields(jnp.clip(jnp.round(arr), -1, 1).astype("int32"), axis, TRITS)
    packed = sum((digit + 1) * power for digit, power in zip(fields, POWERS)).astype("uint8")
    return jnp.moveaxis(packed, 0, axis)


@public("keras.quantizers.unpack_ternary")
def unpack_ternary(packed: Any, orig_len: int, axis: int = 0) -> jax.Array:
    """What `pack_ternary` packed, as int8.

    Args:
        packed: array of bytes.
        orig_len: length of the axis before.
        axis: as it was packed.
    Returns:
        int8 array of -1, 0 and 1 with the length `orig_len` along the axis.
    Raises:
        TypeError: `packed` does not consist of bytes.

    >>> unpack_ternary(jnp.array([227, 120], "uint8"), 6).tolist()
    [1, -1, 0, 1, 1, -1]
    """
    packed = jnp.asarray(packed)
    if str(packed.dtype) not in ("int8", "uint8"):
        raise TypeError(
            "`unpack_ternary` expects a `uint8` or `int8` tensor that `pack_ternary` made. "
            f"Received dtype: {packed.dtype}"
        )
    return _ternary_unpacked(packed, int(orig_len), axis)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _ternary_unpacked(packed: jax.Array, length: int, axis: int) -> jax.Array:
    front = lax.bitcast_convert_type(jnp.moveaxis(packed, axis, 0), jnp.uint8).astype("int32")
    fields = [(front // power % 3 - 1).astype("int8") for power in POWERS]
    return _joined(fields, length, axis)
