"""Elementwise functions of one array: one row each."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.session.settings import settings
from jkeras.ops.declaring import numpy_op
from jkeras.ops.promotion import describe, is_integer, optional_dtype, tensor, to_float
from jkeras.core.weights.types import DType, Function, Operand, TensorLike


_OF_ONE = """

Args:
    x: array or nested list of numbers, of any shape{0}.
Returns:
    Array of x's shape."""
_ALSO = {to_float: "; integers and booleans become floats"}


def _unary(
    name: str,
    doc: str,
    example: str,
    shown: str,
    convert: Function = tensor,
    compute: Function | None = None,
    **declared: Any,
) -> Function:
    """An op of x by the function of `jnp` of this name, or by `compute`.

    Args:
        declared: as of `numpy_op`.
    """
    compute = compute or getattr(jnp, name)

    def function(x: TensorLike) -> jax.Array:
        return compute(convert(x))

    doc += _OF_ONE.format(_ALSO.get(convert, ""))
    described = describe(function, name, __name__, doc, example, shown)
    return numpy_op(**declared)(described)


def _as_it_is(x: Operand) -> KerasTensor:
    """Bits are looked at when there are some."""
    return KerasTensor(x.shape, x.dtype)


_float = functools.partial(_unary, convert=to_float)  # integers and booleans become floats first

# ---------------------------------------------------------------- the dtype stays

absolute = _unary("absolute", "Absolute value of each element.", "[-1.0, 2.0]", "[1. 2.]")
negative = _unary("negative", "Each element with the other sign.", "[1.0, -2.0]", "[-1.  2.]")
square = _unary("square", "Square of each element.", "[2.0, 3.0]", "[4. 9.]")
sign = _unary("sign", "-1, 0 or 1: the sign of each element.", "[-3.0, 0.0, 2.0]", "[-1.  0.  1.]")
signbit = _unary(
    "signbit", "Whether the sign bit is set, also for -0.0.", "[-0.0, 1.0]", "[ True False]"
)
copy = _unary("copy", "A copy of the array.", "[1, 2]", "[1 2]")
conjugate = _unary("conjugate", "Complex conjugate of each element.", "[1.0, 2.0]", "[1. 2.]")
real = _unary("real", "Real part of each element.", "[1 + 2j]", "[1.]")
imag = _unary("imag", "Imaginary part of each element; 0 for real arrays.", "[1 + 2j]", "[2.]")
bitwise_invert = _unary(
    "bitwise_invert",
    "Each integer with all its bits flipped.",
    "[0, 5]",
    "[-1 -6]",
    spec=_as_it_is,
    compute=jnp.invert,
)
bitwise_not = _unary(
    "bitwise_not",
    "Each integer with all its bits flipped.",
    "[0, 5]",
    "[-1 -6]",
    spec=_as_it_is,
    compute=jnp.invert,
)
isfinite = _unary(
    "isfinite",
    "Whether each element is neither infinite nor NaN.",
    "[1.0, float('inf')]",
    "[ True False]",
)
isinf = _unary("isinf", "Whether each element is infinite.", "[1.0, float('inf')]", "[False  True]")
isnan = _unary("isnan", "Whether each element is NaN.", "[1.0, float('nan')]", "[False  True]")
isneginf = _unary(
    "isneginf",
    "Whether each element is minus infinity.",
    "[float('inf'), -float('inf')]",
    "[False  True]",
)
isposinf = _unary(
    "isposinf",
    "Whether each element is plus infinity.",
    "[float('inf'), -float('inf')]",
    "[ True False]",
)
isreal = _unary(
    "isreal", "Whether each element has no imaginary part.", "[1 + 0j, 1j]", "[ True False]"
)
logical_not = _unary(
    "logical_not", "Whether each element is zero (False).", "[True, False]", "[False  True]"
)

# ---------------------------------------------------------------- floats come out

reciprocal = _unary("reciprocal", "1 / x for each element.", "[2.0, 4.0]", "[0.5  0.25]")
cbrt = _unary("cbrt", "Cube root of each element.", "[8.0, -27.0]", "[ 2. -3.]")
deg2rad = _unary("deg2rad", "Degrees to radians.", "[0.0, 180.0]", "[0.        3.1415927]")
rad2deg = _unary("rad2deg", "Radians to degrees.", "[0.0, 1.0]", "[ 0.      57.29578]")
sqrt = _float(
    "sqrt", "Non-negative square root of each element; NaN for negative ones.", "[4, 9]", "[2. 3.]"
)
exp = _float("exp", "e to the power of each element.", "[0, 1]", "[1.        2.7182817]")
exp2 = _float("exp2", "2 to the power of each element.", "[0, 3]", "[1. 8.]")
expm1 = _float("expm1", "exp(x) - 1, exact for small x.", "[0.0, 1e-8]", "[0.e+00 1.e-08]")
log = _float("log", "Natural logarithm of each element.", "[1, 2]", "[0.        0.6931472]")
log10 = _float("log10", "Logarithm to base 10.", "[1, 100]", "[0. 2.]")
log1p = _float("log1p", "log(1 + x), exact for small x.", "[0.0, 1e-8]", "[0.e+00 1.e-08]")
log2 = _float("log2", "Logarithm to base 2.", "[1, 8]", "[0. 3.]")
ceil = _float(
    "ceil", "Smallest whole number not below each element, as a float.", "[1.2, -1.2]", "[ 2. -1.]"
)
floor = _float(
    "floor", "Largest whole number not above each element, as a float.", "[1.2, -1.2]", "[ 1. -2.]"
)
angle = _float(
    "angle",
    "Angle of each complex number in radians; 0 or pi for real ones.",
    "[1j, -1]",
    "[1.5707964 3.1415927]",
)
sin = _float("sin", "Sine of each element, in radians.", "[0, 1]", "[0.         0.84147096]")
cos = _float("cos", "Cosine of each element, in radians.", "[0, 1]", "[1.        0.5403023]")
tan = _float("tan", "Tangent of each element, in radians.", "[0, 1]", "[0.        1.5574077]")
arcsin = _float("arcsin", "Inverse sine, in [-pi/2, pi/2].", "[0, 1]", "[0.        1.5707964]")
arccos = _float("arccos", "Inverse cosine, in [0, pi].", "[1, 0]", "[0.        1.5707964]")
arctan = _float("arctan", "Inverse tangent, in [-pi/2, pi/2].", "[0, 1]", "[0.        0.7853981]")
sinh = _float("sinh", "Hyperbolic sine.", "[0, 1]", "[0.        1.1752012]")
cosh = _float("cosh", "Hyperbolic cosine.", "[0, 1]", "[1.        1.5430806]")
tanh = _float("tanh", "Hyperbolic tangent.", "[0, 1]", "[0.        0.7615942]")
arcsinh = _float("arcsinh", "Inverse hyperbolic sine.", "[0, 1]", "[0.         0.88137364]")
arccosh = _float(
    "arccosh", "Inverse hyperbolic cosine, for x >= 1.", "[1, 2]", "[0.       1.316958]"
)
arctanh = _float(
    "arctanh", "Inverse hyperbolic tangent, for |x| < 1.", "[0.0, 0.5]", "[0.         0.54930615]"
)
sinc = _float("sinc", "sin(pi x) / (pi x); 1 at 0.", "[0.0, 2.5]", "[1.         0.12732396]")
i0 = _float(
    "i0",
    "Modified Bessel function of the first kind, order 0.",
    "[0, 1]",
    "[1.0000001 1.266066 ]",
    class_name="I0",
)


# ---------------------------------------------------------------- with something of their own


@numpy_op()
def fabs(x: TensorLike) -> jax.Array:
    """Absolute value of each element, as a float.

    Args:
        x: array or nested list of real numbers, of any shape.
    Returns:
        Array of x's shape.
    Raises:
        TypeError: for complex input.

    >>> print(fabs([-1, 2]))
    [1. 2.]
    """
    x = tensor(x)
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        raise TypeError(
            f"fabs does not support complex inputs, use `absolute`. Received: x.dtype={x.dtype}"
        )
    return jnp.fabs(x)


@numpy_op()
def trunc(x: TensorLike) -> jax.Array:
    """Each element without its fraction; integers stay integers.

    Args:
        x: array or nested list of numbers, of any shape.
    Returns:
        Array of x's shape and dtype.

    >>> print(trunc([1.7, -1.7]))
    [ 1. -1.]
    """
    x = tensor(x)
    if is_integer(x.dtype):
        return x
    return jnp.trunc(x)


@numpy_op(inputs=1)
def round(x: TensorLike, decimals: int = 0) -> jax.Array:
    """Each element rounded, halves to the even neighbour.

    Args:
        x: array or nested list of numbers, of any shape.
        decimals: digits kept after the point; negative: before it.
    Returns:
        Array of x's shape and dtype.

    >>> print(round([0.5, 1.5, 2.51]), round(1234, -2))
    [0. 2. 3.] 1200
    """
    x = tensor(x)
    if is_integer(x.dtype) and decimals < 0:
        scale = jnp.asarray(10.0**decimals, settings.floatx)
        return (jnp.round(x.astype(settings.floatx) * scale) / scale).astype(x.dtype)
    return jnp.round(x, decimals)


def _clip_spec(x: Operand, x_min: Operand, x_max: Operand) -> KerasTensor:
    """The bounds may be arrays: the result is x's, whatever they are."""
    return KerasTensor(x.shape, "int32" if x.dtype == "bool" else x.dtype)


@numpy_op(inputs=1, spec=_clip_spec)
def clip(x: TensorLike, x_min: TensorLike, x_max: TensorLike) -> jax.Array:
    """Each element moved into [x_min, x_max]; booleans become int32.

    Args:
        x: array or nested list of numbers, of any shape.
        x_min, x_max: numbers, or arrays that broadcast to x's shape.
    Returns:
        Array of x's shape.

    >>> print(clip([-1.0, 0.5, 3.0], 0, 1))
    [0.  0.5 1. ]
    """
    x = tensor(x)
    if x.dtype == bool:
        x = x.astype("int32")
    return jnp.clip(x, x_min, x_max)


@numpy_op(inputs=1)
def nan_to_num(
    x: TensorLike, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> jax.Array:
    """NaN replaced by `nan`, infinities by `posinf` and `neginf` (None: the largest and smallest
    finite number).

    Args:
        x: array or nested list of numbers, of any shape.
        nan, posinf, neginf: numbers.
    Returns:
        Array of x's shape and dtype.

    >>> print(nan_to_num([1.0, float("nan"), float("inf")], posinf=9.0))
    [1. 0. 9.]
    """
    return jnp.nan_to_num(tensor(x), nan=nan, posinf=posinf, neginf=neginf)


@numpy_op(inputs=1)
def view(x: TensorLike, dtype: DType | None = None) -> jax.Array:
    """The same bytes read as another dtype; the last axis shrinks or grows with the size of an
    element.

    Args:
        x: array.
        dtype: by default x's own.
    Returns:
        Array of x's shape but for the last axis.

    >>> print(view(jnp.array([1], "int32"), "int8"))
    [1 0 0 0]
    """
    return tensor(x).view(dtype=optional_dtype(dtype))


abs = absolute
conj = conjugate


# ---------------------------------------------------------------- windows


_OF_POINTS = """, of `x` points.

Args:
    x: int, the number of points.
Returns:
    Array (x,) of the default float type: weights between 0 and 1, the largest in the middle."""


def _window(name: str, doc: str, example: str, shown: str) -> Function:
    compute = getattr(jnp, name)

    def function(x: TensorLike) -> jax.Array:
        return compute(x).astype(settings.floatx)

    return numpy_op()(describe(function, name, __name__, doc + _OF_POINTS, example, shown))


bartlett = _window("bartlett", "Bartlett (triangle) window", "5", "[0.  0.5 1.  0.5 0. ]")
blackman = _window(
    "blackman", "Blackman window", "3", "[-1.4901161e-08  9.9999994e-01 -1.4901161e-08]"
)
hamming = _window("hamming", "Hamming window", "3", "[0.08000001 1.         0.08000001]")
hanning = _window("hanning", "Hann window", "3", "[0. 1. 0.]")


@numpy_op(inputs=1)
def kaiser(x: TensorLike, beta: float) -> jax.Array:
    """Kaiser window of `x` points.

    Args:
        x: int, the number of points.
        beta: shape; 0 is a rectangle, larger is narrower.
    Returns:
        Array (x,) of the default float type: weights between 0 and 1, the largest in the middle.

    >>> print(kaiser(3, 0.0), kaiser(3, 5.0).round(3))
    [1. 1. 1.] [0.037 1.    0.037]
    """
    return jnp.kaiser(x, beta).astype(settings.floatx)
