"""Numbers of the host on their way to a device, which has 32 bits: those that it cannot hold are
refused, or rounded where a float is expected, but never wrap.
"""

import functools
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names.dtypes import is_float

WIDEST = "float32"  # what whole numbers beyond 32 bits become where a float is expected
SMALL = 2**20  # bytes, which a host copies in less time than XLA compiles


class Ids(NamedTuple):
    """What stands for the dtype of whole numbers that are rows of a table.

    Attributes:
        count: of rows; ids are from 0 on, below it.
        dtype: that they go to; None: unknown.
    """

    count: int
    dtype: str | None = None


def fitted(array: np.ndarray, what: str = "x", dtype: str | Ids | None = None) -> np.ndarray:
    """An array of numpy whose numbers a device holds as they are, up to the rounding of floats.

    Arrays of types that a device has are not looked at.

    Args:
        what: the array is called in messages.
        dtype: of what takes the numbers; None: unknown, then they stay of their own kind.

    Raises:
        ValueError: a number does not fit; the message says where it is.

    >>> fitted(np.array([2**40]), dtype="float32"), fitted(np.array([3], ">i2")).dtype.isnative
    (array([1.0995116e+12], dtype=float32), True)
    >>> fitted(np.array([[1, 300]]), "ages", "int8")
    Traceback (most recent call last):
    ValueError: `ages` holds 300 at row 0, column 1: expected whole numbers of int8, from -128 to \
127. To fix it: pass a wider dtype to `Input`, or smaller numbers.
    """
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if isinstance(dtype, Ids):
        held = fitted(array, what, dtype.dtype)
        warn_of_ids(array, what, dtype)
        return held
    if array.dtype == WIDEST and dtype in (None, WIDEST):
        return array
    target = None if dtype in (None, "string") else jax.dtypes.canonicalize_dtype(dtype)
    if array.dtype.kind in "iu":
        return _whole(array, what, target)
    if array.dtype.kind == "f" and target is not None and target.kind in "iu":
        _check_whole(array, what, target)
    elif array.dtype.kind in "fc":
        return narrowed(array, what, _smallest(array.dtype, target))
    return array


def on_device(array: np.ndarray) -> jax.Array:
    """An array of numpy as one of JAX, which does not follow what is written to it later.

    From JAX 0.10 on `jnp.asarray` compiles a program for each shape that it has not met, unless it
    is told the dtype; then it shares aligned memory with numpy, here with our own copy.

    >>> on_device(np.arange(3, dtype="float32"))
    Array([0., 1., 2.], dtype=float32)
    """
    is_numeric = array.dtype.kind in "biufcV"
    if not is_numeric or array.nbytes > SMALL or is_wider(array.dtype):
        return jnp.asarray(array)
    return jnp.asarray(np.array(array), array.dtype)


def is_wider(dtype: np.dtype) -> bool:
    """Whether a device has a narrower type in place of this one."""
    return jax.dtypes.canonicalize_dtype(dtype) != dtype


def warn_of_ids(array: np.ndarray, what: str, ids: Ids) -> None:
    """Warns of numbers that are no row of a table. What is made of them is what Keras makes: `take`
    counts negative ones from the end, cuts fractions off, and gives NaN for rows that are not
    there.
    """
    if not array.size or array.dtype.kind not in "iuf":
        return
    fits = array.min() >= 0 and array.max() < ids.count  # NaN does not
    if fits and array.dtype.kind == "f":
        fits = bool((array == np.floor(array)).all())
    if fits:
        return
    # the same words and the same line for each batch, so that Python says them once
    warnings.warn(
        f"`{what}` holds numbers that are no row of an `Embedding` with `input_dim={ids.count}`. "
        "As in Keras, negative ones count from the end, fractions are cut off, and rows that are "
        "not there give NaN. To fix it: number the ids from 0 on, or give the `Embedding` a larger "
        "`input_dim`.",
        stacklevel=1,
    )


def plain(dtype: str | Ids | None) -> str | None:
    """The dtype that numbers go to.

    >>> plain(Ids(10, "int32")), plain("int8")
    ('int32', 'int8')
    """
    return dtype.dtype if isinstance(dtype, Ids) else dtype


def fits_as_it_is(dtype: np.dtype, target: str | Ids | None) -> bool:
    """Whether numbers of a dtype need no look at whether a device holds them.

    >>> fits_as_it_is(np.dtype("int32"), "float32"), fits_as_it_is(np.dtype("int32"), "int8")
    (True, False)
    """
    if dtype.kind not in "fiub" or dtype.itemsize > 4 or not dtype.isnative:
        return False
    target = plain(target)
    if target in (None, "string"):
        return True
    if is_float(target) and target != "float16":
        return True
    return np.can_cast(dtype, target)


def type_for_all(dtype: np.dtype, target: str | Ids | None) -> np.dtype:
    """The dtype in which several arrays of one dtype can be stored, once `fitted`: whole numbers of
    64 bits may have become floats in some.
    """
    held, target = jax.dtypes.canonicalize_dtype(dtype), plain(target)
    if dtype.kind in "iu" and held != dtype and target is not None and is_float(target):
        return np.dtype(WIDEST)
    return held


def narrowed(array: np.ndarray, what: str, dtype: np.dtype | str) -> np.ndarray:
    """Floats in a type of fewer bits; those of as few, or fewer, as they are.

    Raises:
        ValueError: a finite number would become infinity.
    """
    if np.dtype(dtype).itemsize >= array.dtype.itemsize:
        return array
    try:
        with np.errstate(over="raise", under="ignore"):
            return array.astype(dtype)
    except FloatingPointError:
        with np.errstate(over="ignore"):
            outside = np.isfinite(array) & ~np.isfinite(array.astype(dtype))
    largest = f"numbers of {dtype}, up to {jnp.finfo(dtype).max:.3g}"
    raise _misfit(array, outside, what, largest, "scale them, or take the logarithm") from None


class InputTypes(NamedTuple):
    """The dtypes that the arrays of a structure go to.

    >>> InputTypes(("int8", "float32"), {"age": "int8"}).at("age")
    'int8'
    """

    by_position: tuple[str | Ids | None, ...]
    by_name: dict[str, str | Ids | None] = {}

    def at(self, key: int | str) -> str | Ids | None:
        """That of a position, or of a name; None: it is unknown."""
        if isinstance(key, int):
            return self.by_position[key] if key < len(self.by_position) else None
        return self.by_name.get(key)


def part_at(types: InputTypes | str | Ids | None, key: int | str) -> str | Ids | None:
    """The dtype for a part of a structure; a string is that of all."""
    return types.at(key) if isinstance(types, InputTypes) else types


def of_one(types: InputTypes | str | Ids | None) -> str | Ids | None:
    """The dtype for a structure that is one array."""
    return types.at(0) if isinstance(types, InputTypes) else types


def refuse_masked(value: object, what: str) -> None:
    """Raises ValueError for a masked array of numpy with masked entries, which would count."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(
            f"`{what}` is a masked array with {np.ma.count_masked(value)} of {value.size} entries "
            "masked, and jkeras would see what lies under the mask. To fix it: pass "
            "`array.filled(value)`, and weights of 0 in `sample_weight` for what is not to count."
        )


def _whole(array, what, target):
    held = jax.dtypes.canonicalize_dtype(array.dtype)
    if target is not None and is_float(target):
        if array.dtype != held and not _is_within(array, limits_of(held)):
            array = array.astype(WIDEST)
        return narrowed(array, what, target) if target == "float16" else array
    if target is None or target.kind not in "iu":
        target = held
    if np.can_cast(array.dtype, target) or _is_within(array, limits_of(target)):
        return array
    if target == held:
        fix = (
            "pass them as floats, `.astype('float32')`, if they are quantities; number ids anew. "
            "`jax_enable_x64` keeps 64 bits"
        )
    else:
        fix = "pass a wider dtype to `Input`, or smaller numbers"
    raise _misfit(array, _outside(array, limits_of(target)), what, _span(target), fix)


def _check_whole(array, what, target):
    """Raises for floats that are no number of an integer type, not even when they are cut."""
    limits = limits_of(target)
    below = array < limits.max + 1.0
    outside = ~((array > limits.min - 1.0) & below)  # NaN is
    if outside.any():
        fix = "pass numbers that fit, or a float dtype to `Input` where they are no ids"
        raise _misfit(array, outside, what, _span(target), fix)


def _smallest(dtype, target):
    """The type in which floats arrive."""
    if target == "float16" and dtype.kind == "f":
        return target
    return jax.dtypes.canonicalize_dtype(dtype)


@functools.cache
def limits_of(dtype: np.dtype) -> Any:
    """The smallest and largest number of an integer type, which takes a while to find."""
    return np.iinfo(dtype)


def _is_within(array, limits):
    if not array.size:
        return True
    return limits.min <= array.min() and array.max() <= limits.max


def _outside(array, limits):
    return (array < limits.min) | (array > limits.max)


def _span(dtype):
    limits = limits_of(dtype)
    return f"whole numbers of {dtype}, from {limits.min} to {limits.max}"


def _misfit(array, outside, what, expected, fix):
    """The error for numbers that do not fit."""
    indices = np.argwhere(outside)
    first = tuple(indices[0].tolist())
    more = f", and {len(indices) - 1} more such" if len(indices) > 1 else ""
    return ValueError(
        f"`{what}` holds {array[first]}{_at(first)}{more}: expected {expected}. To fix it: {fix}."
    )


def _at(index):
    """Where an element is, in words.

    >>> _at((3,)), _at((3, 0)), _at((3, 0, 2))
    (' at row 3', ' at row 3, column 0', ' at row 3, (0, 2)')
    """
    if not index:
        return ""
    row, *rest = index
    text = f" at row {row}"
    if not rest:
        return text
    return f"{text}, column {rest[0]}" if len(rest) == 1 else f"{text}, {tuple(rest)}"
