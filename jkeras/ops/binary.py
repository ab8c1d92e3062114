"""Elementwise functions of two arrays, which are broadcast and brought to a common dtype."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.ops.declaring import numpy_op
from jkeras.ops.promotion import (
    broadcast_shapes,
    broadcasting,
    describe,
    operand,
    promoting,
    shape_of,
    tensor,
    to_floats,
)
from jkeras.core.weights.types import Function, Number, Operand, TensorLike


PROMOTING = promoting()


def _operands(x1: TensorLike, x2: TensorLike) -> tuple[jax.Array | Number, jax.Array | Number]:
    return operand(x1), operand(x2)


_OF_TWO = """

Args:
    {0}: arrays or numbers; shapes are broadcast, dtypes brought to a common one.
Returns:
    Array of the shape that both broadcast to."""


def _binary(
    name: str,
    doc: str,
    example: str,
    shown: str,
    convert: Function = _operands,
    spec: Function | None = None,
    compute: Function | None = None,
) -> Function:
    """An op of x1 and x2 by the function of `jnp` of this name, or by `compute`."""

    compute = compute or getattr(jnp, name)

    def function(x1: TensorLike, x2: TensorLike) -> jax.Array:
        return compute(*convert(x1, x2))

    doc += _OF_TWO.format("x1, x2")
    function = describe(function, name, __name__, doc, example, shown)
    return numpy_op(spec=spec or broadcasting(function))(function)


def _bitwise(
    name: str,
    doc: str,
    example: str,
    shown: str,
    spec: Function = PROMOTING,
    compute: Function | None = None,
) -> Function:
    """An op of two integers, which Keras names x and y, as `_binary`."""

    compute = compute or getattr(jnp, name)

    def function(x: TensorLike, y: TensorLike) -> jax.Array:
        return compute(operand(x), operand(y))

    doc += _OF_TWO.format("x, y")
    function = describe(function, name, __name__, doc, example, shown)
    return numpy_op(spec=spec)(function)


# ---------------------------------------------------------------- arithmetic

add = _binary("add", "x1 + x2.", "[1, 2], 0.5", "[1.5 2.5]")
subtract = _binary("subtract", "x1 - x2.", "[1, 2], 1", "[0 1]")
multiply = _binary("multiply", "x1 * x2.", "[1, 2], [[3], [4]]", "[[3 6]\n [4 8]]")
divide = _binary("divide", "x1 / x2, as floats.", "[1, 2], 2", "[0.5 1. ]")
true_divide = _binary(
    "true_divide", "x1 / x2, as floats.", "[1, 2], 2", "[0.5 1. ]", compute=jnp.divide
)
floor_divide = _binary("floor_divide", "x1 / x2 rounded down.", "[7, -7], 2", "[ 3 -4]")
mod = _binary("mod", "Remainder of x1 / x2 with the sign of x2.", "[7, -7], 3", "[1 2]")
fmod = _binary("fmod", "Remainder of x1 / x2 with the sign of x1.", "[7, -7], 3", "[ 1 -1]")
power = _binary("power", "x1 to the power x2.", "[2, 3], 2", "[4 9]")
maximum = _binary("maximum", "The larger of x1 and x2; NaN where one is.", "[1, 5], 3", "[3 5]")
minimum = _binary("minimum", "The smaller of x1 and x2; NaN where one is.", "[1, 5], 3", "[1 3]")
fmax = _binary(
    "fmax",
    "The larger of x1 and x2; the other one where one is NaN.",
    "[1.0, float('nan')], 3.0",
    "[3. 3.]",
)
fmin = _binary(
    "fmin",
    "The smaller of x1 and x2; the other one where one is NaN.",
    "[1.0, float('nan')], 3.0",
    "[1. 3.]",
)
gcd = _binary("gcd", "Greatest common divisor of integers.", "[12, 18], 8", "[4 2]", spec=PROMOTING)
lcm = _binary("lcm", "Least common multiple of integers.", "[4, 6], 10", "[20 30]", spec=PROMOTING)
hypot = _binary("hypot", "sqrt(x1^2 + x2^2), without overflow.", "[3.0], [4.0]", "[5.]")
heaviside = _binary(
    "heaviside",
    "0 where x1 < 0, x2 where x1 is 0, 1 where x1 > 0.",
    "[-1.0, 0.0, 2.0], 0.5",
    "[0.  0.5 1. ]",
)
nextafter = _binary(
    "nextafter", "The next number after x1 towards x2.", "[1.0], [2.0]", "[1.0000001]"
)
arctan2 = _binary(
    "arctan2",
    "Angle of the point (x2, x1) in radians, in [-pi, pi].",
    "[0, 1], [1, 0]",
    "[0.        1.5707964]",
    convert=to_floats,
)
logaddexp = _binary(
    "logaddexp",
    "log(exp(x1) + exp(x2)), without overflow.",
    "[0.0], [0.0]",
    "[0.6931472]",
    convert=to_floats,
)
logaddexp2 = _binary(
    "logaddexp2", "log2(2^x1 + 2^x2), without overflow.", "[3.0], [3.0]", "[4.]", convert=to_floats
)

# ---------------------------------------------------------------- comparison and logic

equal = _binary("equal", "Whether x1 == x2.", "[1, 2], 2", "[False  True]")
not_equal = _binary("not_equal", "Whether x1 != x2.", "[1, 2], 2", "[ True False]")
less = _binary("less", "Whether x1 < x2.", "[1, 2], 2", "[ True False]")
less_equal = _binary("less_equal", "Whether x1 <= x2.", "[1, 2], 2", "[ True  True]")
greater = _binary("greater", "Whether x1 > x2.", "[1, 2], 1", "[False  True]")
greater_equal = _binary("greater_equal", "Whether x1 >= x2.", "[1, 2], 2", "[False  True]")
logical_and = _binary(
    "logical_and", "Whether both are true (not 0).", "[True, True], [True, False]", "[ True False]"
)
logical_or = _binary(
    "logical_or", "Whether one is true (not 0).", "[True, False], [False, False]", "[ True False]"
)
logical_xor = _binary(
    "logical_xor", "Whether exactly one is true.", "[True, True], [True, False]", "[False  True]"
)

# ---------------------------------------------------------------- bits

_AND = "Bits set in both integers."
_OR = "Bits set in one of the integers."
_XOR = "Bits set in exactly one integer."
_LEFT = "The bits of x moved left by y bits."
_RIGHT = "The bits of x moved right by y bits; the sign stays."
bitwise_and = _bitwise("bitwise_and", _AND, "[6, 5], 4", "[4 4]")
bitwise_or = _bitwise("bitwise_or", _OR, "[6, 5], 1", "[7 5]")
bitwise_xor = _bitwise("bitwise_xor", _XOR, "[6, 5], 4", "[2 1]")
_shift = functools.partial(_bitwise, spec=promoting(int))  # of booleans too it is an integer
bitwise_left_shift = _shift(
    "bitwise_left_shift", _LEFT, "[1, 3], 2", "[ 4 12]", compute=jnp.left_shift
)
bitwise_right_shift = _shift(
    "bitwise_right_shift", _RIGHT, "[8, -8], 2", "[ 2 -2]", compute=jnp.right_shift
)
left_shift = _shift("left_shift", _LEFT, "[1, 3], 2", "[ 4 12]")
right_shift = _shift("right_shift", _RIGHT, "[8, -8], 2", "[ 2 -2]")


# ---------------------------------------------------------------- with something of their own


def _safe_quotient(x1: jax.Array, x2: jax.Array) -> jax.Array:
    zero = jnp.equal(x2, 0)  # the inner `where` keeps the gradient finite
    return jnp.where(zero, 0, jnp.divide(x1, jnp.where(zero, 1, x2)))


divide_no_nan = _binary(
    "divide_no_nan",
    "x1 / x2, and 0 where x2 is 0.",
    "[1.0, 2.0], [0.0, 4.0]",
    "[0.  0.5]",
    compute=_safe_quotient,
)


def _ldexp(x1: jax.Array, x2: jax.Array) -> jax.Array:
    x1 = tensor(x1)
    x2 = tensor(x2)
    if not jnp.issubdtype(x2.dtype, jnp.integer):
        raise TypeError(f"ldexp takes an integer exponent x2. Received: x2 dtype={x2.dtype}")
    return jnp.ldexp(x1, x2)


ldexp = _binary(
    "ldexp",
    "x1 * 2^x2 for integers x2; floats there are a TypeError.",
    "[1.0, 3.0], [2, 1]",
    "[4. 6.]",
    spec=promoting(float),
    compute=_ldexp,
)


def _close_spec(
    x1: Operand, x2: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> KerasTensor:
    return broadcasting(jnp.equal)(x1, x2)


@numpy_op(inputs=4, spec=_close_spec)
def isclose(
    x1: TensorLike, x2: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> jax.Array:
    """Whether |x1 - x2| <= atol + rtol * |x2|, for each element.

    Args:
        x1, x2: arrays or numbers that broadcast.
        rtol, atol: relative and absolute tolerance.
        equal_nan: whether NaN counts as close to NaN.
    Returns:
        Booleans, of the shape that both broadcast to.

    >>> print(isclose([1.0, 2.0], [1.0, 2.1]))
    [ True False]
    """
    return jnp.isclose(tensor(x1), tensor(x2), rtol, atol, equal_nan)


def _all_close_spec(
    x1: Operand, x2: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> KerasTensor:
    broadcast_shapes(shape_of(x1), shape_of(x2))
    return KerasTensor((), "bool")


@numpy_op(inputs=2, class_name="AllClose", spec=_all_close_spec)
def allclose(
    x1: TensorLike, x2: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> jax.Array:
    """Whether all elements are close in the sense of `isclose`; one boolean.

    Args:
        x1, x2, rtol, atol, equal_nan: as for `isclose`.
    Returns:
        Array (), a boolean.

    >>> print(allclose([1.0, 2.0], [1.0, 2.1]))
    False
    """
    return jnp.allclose(tensor(x1), tensor(x2), rtol, atol, equal_nan)
