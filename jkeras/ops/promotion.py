"""Dtype promotion and symbolic shapes: the rules on which all ops agree.

Keras's lattice is JAX's: bool < int < uint8 int8 … < float < bfloat16 float16 < float32 <
complex64, where `int` and `float` are Python numbers, which never widen an array. What jnp does
with two arrays is therefore already right; the rules here are the ones where Keras wants a float
although the inputs are integers.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.graph import KerasTensor, infer, op
from jkeras.core.policy import standardize_dtype
from jkeras.core.registry import Thing, public
from jkeras.core.settings import settings

MODULE = "keras.src.ops.numpy"
BITS_32 = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}


@public("keras.backend.result_type")
def result_type(*dtypes):
    """The dtype that values of these dtypes are computed in together.

    Args:
        dtypes: names, numpy or JAX dtypes, or `int` and `float` for Python numbers; None is floatx.
    Raises:
        ValueError: for float8 types, which convert to nothing implicitly.

    >>> result_type("bfloat16", int), result_type("int32", float), result_type("int8", "uint8")
    ('bfloat16', 'float32', 'int16')
    """
    if not dtypes:
        return settings.floatx
    strong = [d if d is int or d is float else standardize_dtype(d) for d in dtypes]
    if any(str(d).startswith("float8") for d in strong):
        raise ValueError(
            "There is no implicit conversion from float8 types to others; cast the values first. "
            f"Received: {dtypes}"
        )
    if "uint64" in strong and any(str(d).startswith("int") for d in strong if isinstance(d, str)):
        strong.append(float)  # no integer type holds both
    name = str(jnp.result_type(*(BITS_32.get(d, d) for d in strong)))
    if "float" in name and not any(d is not float and "float" in str(d) for d in strong):
        name = f"float{settings.floatx[-2:]}"  # no array is of a float type: the default precision
    return BITS_32.get(name, name)


def tensor(x):
    """x as an array of JAX. A Python number stays weakly typed, so it will not widen what it meets.

    >>> tensor([1, 2]).dtype
    dtype('int32')
    """
    return x if isinstance(x, jax.Array) else jnp.asarray(x)


@functools.cache  # asked at every call of an op
def is_integer(dtype):
    """Whether a dtype is an integer type or bool."""
    return not jnp.issubdtype(dtype, jnp.inexact)


def operand(x):
    """x as something jnp computes with: arrays and Python numbers as they are, all else as an
    array.
    """
    return x if isinstance(x, (jax.Array, int, float, complex)) else jnp.asarray(x)


def to_float(x):
    """x as an array of a float (or complex) type: integers and booleans in the default float type.

    >>> to_float([1, 2]).dtype, to_float(jnp.ones(2, "bfloat16")).dtype
    (dtype('float32'), dtype(bfloat16))
    """
    x = tensor(x)
    return x.astype(result_type(x.dtype, float)) if is_integer(x.dtype) else x


def in_float32(function, x):
    """`function(x)`, of x's dtype but computed in float32 where that is half precision, whose sums
    overflow.

    >>> float(in_float32(jnp.linalg.norm, jnp.full(4, 300, "float16")))
    600.0
    """
    half = x.dtype in ("float16", "bfloat16")
    return function(x.astype("float32")).astype(x.dtype) if half else function(x)


def to_floats(*xs):
    """Arrays in their common float type."""
    xs = [tensor(x) for x in xs]
    dtype = result_type(*(x.dtype for x in xs), float)
    return [x.astype(dtype) for x in xs]


def optional_dtype(dtype):
    """The name of a dtype, checked; None stays."""
    return None if dtype is None else standardize_dtype(dtype)


# ---------------------------------------------------------------- how ops are declared


def both_names(name):
    """The public names of a function of `keras.ops` that is also in `keras.ops.numpy`."""
    return f"keras.ops.{name}", f"keras.ops.numpy.{name}"


def numpy_op(inputs=None, class_name=None, spec=None, keywords=(), public_names=True):
    """Decorator: an op of `keras.ops` and `keras.ops.numpy`; see `jkeras.core.graph.op`."""

    def decorate(function: Thing) -> Thing:
        names = both_names(function.__name__) if public_names else ()
        return op(
            MODULE, *names, inputs=inputs, class_name=class_name, spec=spec, keywords=keywords
        )(function)

    return decorate


def describe(function: Thing, name, module, doc, example, shown) -> Thing:
    """Gives a function made from a table row its name, place and docstring with an example."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    function.__doc__ = f"{doc}\n\n>>> print({name}({example}))\n{shown}\n"
    return function


# ---------------------------------------------------------------- symbolic shapes


def shape_of(x):
    """The shape of an array, KerasTensor, number or list; None for sizes not known."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def broadcast_shapes(*shapes):
    """The shape that arrays of these shapes have together; an unknown size yields to a known one.

    >>> broadcast_shapes((None, 1), (4,)), broadcast_shapes((None,), (3,))
    ((None, 4), (3,))
    """
    rank = max(map(len, shapes))
    sizes = []
    for column in zip(*((1,) * (rank - len(s)) + tuple(s) for s in shapes)):
        known = {d for d in column if d not in (1, None)}
        if len(known) > 1:
            raise ValueError(
                f"Cannot broadcast shapes {', '.join(map(str, shapes))}: sizes {sorted(known)} "
                "differ."
            )
        sizes.append(known.pop() if known else None if None in column else 1)
    return tuple(sizes)


def sized(x, shape):
    """A stand-in for x with another shape: what dtype inference needs."""
    if isinstance(x, KerasTensor):
        return KerasTensor(shape, x.dtype)
    return x if isinstance(x, (int, float, complex)) else jnp.zeros(shape, tensor(x).dtype)


def broadcasting(function):
    """The spec of an op that broadcasts its arguments; its dtype is that of the op on scalars."""

    def spec(*args, **config):
        shape = broadcast_shapes(*(shape_of(a) for a in args if a is not None))
        scalars = tuple(a if a is None else sized(a, ()) for a in args)
        return KerasTensor(shape, infer(lambda given: function(*given, **config), scalars).dtype)

    return spec
