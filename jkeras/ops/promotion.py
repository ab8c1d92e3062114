"""Dtype promotion and symbolic shapes: the rules on which all ops agree.

Keras's lattice is JAX's: bool < int < uint8 int8 … < float < bfloat16 float16 < float32 <
complex64, where `int` and `float` are Python numbers, which never widen an array. What jnp does
with two arrays is therefore already right; the rules here are the ones where Keras wants a float
although the inputs are integers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.graph.inference import infer
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.names.registry import Thing, public
from jkeras.core.session.settings import settings
from jkeras.core.weights.types import (
    Axis,
    DType,
    Function,
    Number,
    Operand,
    PartialShape,
    Sizes,
    TensorLike,
)

BITS_32 = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}


@public("keras.backend.result_type")
def result_type(*dtypes: DType | None) -> str:
    """The dtype that values of these dtypes are computed in together.

    Args:
        dtypes: names, numpy or JAX dtypes, or `int` and `float` for Python numbers; None is floatx.
    Returns:
        Text, such as "float32".
    Raises:
        ValueError: for float8 types, which convert to nothing implicitly.

    >>> result_type("bfloat16", int), result_type("int32", float), result_type("int8", "uint8")
    ('bfloat16', 'float32', 'int16')
    """
    if not dtypes:
        return settings.floatx
    numbers = [d for d in dtypes if _is_python_type(d)]
    names = [standardize_dtype(d) for d in dtypes if not _is_python_type(d)]
    _check_no_float8(names, dtypes)
    if _have_no_common_integer(names):
        numbers.append(float)
    result = str(jnp.result_type(*map(_in_32_bits, names), *numbers))
    return _in_32_bits(_by_default(result, names, numbers))


def _by_default(result: str, names: Sequence[str], numbers: Sequence[type]) -> str:
    """A common type; in the default precision where it is of Python numbers and no array says
    another.
    """
    kind = None
    if "float" in result and not any("float" in name for name in names):
        kind = "float"
    elif int in numbers and set(names) <= {"bool"} and "int" in result:
        kind = "int"
    return result if kind is None else f"{kind}{settings.floatx[-2:]}"


def _check_no_float8(names: Sequence[str], dtypes: Sequence[DType | None]) -> None:
    if any(name.startswith("float8") for name in names):
        raise ValueError(
            "There is no implicit conversion from float8 types to others; cast the values first. "
            f"Received: {dtypes}"
        )


def _in_32_bits(name: str) -> str:
    return BITS_32.get(name, name)


def _is_python_type(dtype: DType | None) -> bool:
    """Whether it is `int` or `float` itself, to which numpy's dtypes compare equal."""
    return dtype is int or dtype is float


def _have_no_common_integer(names: Sequence[str]) -> bool:
    """Whether no integer type holds the numbers of all these types."""
    return "uint64" in names and any(name.startswith("int") for name in names)


def tensor(x: TensorLike) -> jax.Array:
    """x as an array of JAX. A Python number stays weakly typed, so it will not widen what it meets.

    >>> tensor([1, 2]).dtype
    dtype('int32')
    """
    if isinstance(x, jax.Array):
        return x
    return jnp.asarray(x)


@functools.cache  # asked at every call of an op
def is_integer(dtype: DType) -> bool:
    """Whether a dtype is an integer type or bool."""
    return not jnp.issubdtype(dtype, jnp.inexact)


def operand(x: TensorLike) -> jax.Array | Number:
    """x as something jnp computes with: arrays and Python numbers as they are, all else as an
    array.
    """
    if isinstance(x, (jax.Array, int, float, complex)):
        return x
    return jnp.asarray(x)


def to_float(x: TensorLike) -> jax.Array:
    """x as an array of a float (or complex) type: integers and booleans in the default float type.

    >>> to_float([1, 2]).dtype, to_float(jnp.ones(2, "bfloat16")).dtype
    (dtype('float32'), dtype(bfloat16))
    """
    if not isinstance(x, jax.Array):
        x = jnp.asarray(x)
    if is_integer(x.dtype):
        return x.astype(result_type(x.dtype, float))
    return x


def in_float32(function: Function, x: jax.Array) -> jax.Array:
    """`function(x)`, of x's dtype but computed in float32 where that is half precision, whose sums
    overflow.

    >>> float(in_float32(jnp.linalg.norm, jnp.full(4, 300, "float16")))
    600.0
    """
    if x.dtype in ("float16", "bfloat16"):
        return function(x.astype("float32")).astype(x.dtype)
    return function(x)


def to_floats(*xs: TensorLike) -> list[jax.Array]:
    """Arrays in their common float type."""
    xs = [tensor(x) for x in xs]
    dtype = result_type(*(x.dtype for x in xs), float)
    return [x.astype(dtype) for x in xs]


def optional_dtype(dtype: DType | None) -> str | None:
    """The name of a dtype, checked; None stays."""
    if dtype is None:
        return None
    return standardize_dtype(dtype)


def as_axes(axis: Axis | None) -> Axis | None:
    """An `axis` argument as jnp takes it: a list, which configs of files have, as a tuple.

    >>> as_axes([0, 1]), as_axes(-1), as_axes(None)
    ((0, 1), -1, None)
    """
    if isinstance(axis, list):
        return tuple(axis)
    return axis


# ---------------------------------------------------------------- how ops are declared


def both_names(name: str) -> tuple[str, str]:
    """The public names of a function of `keras.ops` that is also in `keras.ops.numpy`."""
    return f"keras.ops.{name}", f"keras.ops.numpy.{name}"


def describe(function: Thing, name: str, module: str, doc: str, example: str, shown: str) -> Thing:
    """Gives a function made from a table row its name, module and docstring with an example."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    function.__doc__ = f"{doc}\n\n>>> print({name}({example}))\n{shown}\n"
    return function


# ---------------------------------------------------------------- symbolic shapes


def shape_of(x: Operand) -> Sizes:
    """The shape of an array, KerasTensor, number or list; None for unknown sizes."""
    if hasattr(x, "shape"):
        return tuple(x.shape)
    return np.shape(x)


def agreed_size(size: int | None, partner: int | None) -> int | None:
    """A size of an axis; where it is unknown, that of the axis that it must agree with.

    >>> agreed_size(None, 3), agreed_size(2, None)
    (3, 2)
    """
    if size is None:
        return partner
    return size


def broadcast_shapes(*shapes: PartialShape) -> list[int | None]:
    """The shape that arrays of these shapes have together; an unknown size yields to a static one.

    >>> broadcast_shapes((None, 1), (4,)), broadcast_shapes((None,), (3,))
    ([None, 4], [3])
    """
    rank = max(map(len, shapes))
    sizes = []
    for column in zip(*((1,) * (rank - len(s)) + tuple(s) for s in shapes)):
        fixed = {d for d in column if d not in (1, None)}
        if len(fixed) > 1:
            raise ValueError(
                f"Cannot broadcast shapes {', '.join(map(str, shapes))}: sizes {sorted(fixed)} "
                "differ."
            )
        if fixed:
            sizes.append(fixed.pop())
        elif None in column:
            sizes.append(None)
        else:
            sizes.append(1)
    return sizes


def sized(x: Operand, shape: PartialShape) -> Operand:
    """A stand-in for x with another shape: what dtype inference needs."""
    if isinstance(x, KerasTensor):
        return KerasTensor(shape, x.dtype)
    if isinstance(x, (int, float, complex)):
        return x
    return jnp.zeros(shape, tensor(x).dtype)


def broadcasting(function: Function) -> Function:
    """The spec of an op that broadcasts its arguments; its dtype is that of the op on scalars."""

    def spec(*args: Operand, **config: Any) -> KerasTensor:
        shape = broadcast_shapes(*(shape_of(a) for a in args if a is not None))
        scalars = tuple(map(_as_scalar, args))
        return KerasTensor(shape, infer(lambda args: function(*args, **config), scalars).dtype)

    return spec


def promoting(*more: DType) -> Function:
    """The spec of an op that broadcasts its arguments to their common dtype, and that of `more`.

    Nothing is traced: as in Keras, whether the op is for such dtypes is looked at when there are
    values.
    """

    def spec(*args: Operand) -> KerasTensor:
        shape = broadcast_shapes(*map(shape_of, args))
        return KerasTensor(shape, result_type(*map(_dtype_of, args), *more))

    return spec


def _dtype_of(x: Operand) -> DType:
    """The dtype of an array, KerasTensor or list; the type of a Python number."""
    if hasattr(x, "dtype"):
        return x.dtype
    if type(x) in (int, float):
        return type(x)
    return tensor(x).dtype


def _as_scalar(x: Operand | None) -> Operand | None:
    """A stand-in for x without axes; None stays."""
    if x is None:
        return None
    return sized(x, ())
