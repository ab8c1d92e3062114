"""The names of dtypes."""

import collections.abc
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import ArgumentError, DtypeError, suggestion
from jkeras.core.session.settings import settings

ALLOWED_DTYPES = (
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "int4",
    "uint4",
    "float8_e4m3fn",
    "float8_e5m2",
)
PYTHON_DTYPES = {bool: "bool", int: "int32", float: "float32", complex: "complex64", str: "string"}


@functools.cache
def name_of(dtype: np.dtype) -> str:
    """The name of a dtype of numpy's, which takes it a while to find.

    >>> name_of(np.dtype("float32"))
    'float32'
    """
    return dtype.name


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype, from a name, a numpy or JAX dtype, or a Python type; floatx for None.

    Args:
        dtype: name, dtype of numpy, JAX or PyTorch, Python type, or None.
    Returns:
        Text, such as "float32".
    Raises:
        ValueError: no dtype that there is.

    >>> standardize_dtype(None), standardize_dtype(int), standardize_dtype(np.float16)
    ('float32', 'int32', 'float16')
    """
    if dtype is None:
        return settings.floatx
    if isinstance(dtype, str):
        name = {"float": "float32", "int": "int32"}.get(dtype, dtype)
    elif isinstance(dtype, collections.abc.Hashable) and dtype in PYTHON_DTYPES:
        name = PYTHON_DTYPES[dtype]
        name = settings.floatx if name == "float32" else name
    else:
        name = getattr(dtype, "name", None) or _numpy_name(dtype)
    if name not in ALLOWED_DTYPES and name != "string":
        raise DtypeError(f"Invalid dtype: {dtype}.{suggestion(name, ALLOWED_DTYPES)}")
    return name


def _numpy_name(dtype):
    try:
        return np.dtype(dtype).name
    except TypeError:
        if str(dtype).startswith("torch."):
            return str(dtype).removeprefix("torch.")
        raise DtypeError(f"Invalid dtype: {dtype}") from None


def is_float(dtype: Any) -> bool:
    """Whether a dtype is a float type (half precision and float8 too).

    Args:
        dtype: name of a dtype, or a dtype of numpy or JAX; of None and "string" False.
    Returns:
        bool.

    >>> is_float("bfloat16"), is_float("int32"), is_float("string")
    (True, False, False)
    """
    if dtype is None or dtype == "string":  # of layers on the host, which JAX has no type for
        return False
    return jnp.issubdtype(
        np.dtype(dtype) if not isinstance(dtype, str) else jnp.dtype(dtype), jnp.floating
    )


def as_numbers(value: Any, argument: str) -> np.ndarray | jax.Array:
    """The value of an argument as an array.

    Raises:
        ValueError: a text, or something else that is no number.

    >>> as_numbers([1.0, 2.0], "value").shape
    (2,)
    """
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"`{argument}` must be a number or an array of numbers. Received: {argument}={value!r}"
        ) from error


def wide(array: jax.Array) -> jax.Array:
    """An array in float32 at least.

    >>> wide(jnp.zeros(2, "bfloat16")).dtype, wide(jnp.zeros(2, "int8")).dtype
    (dtype('float32'), dtype('float32'))
    """
    return array.astype(jnp.promote_types(array.dtype, "float32"))
