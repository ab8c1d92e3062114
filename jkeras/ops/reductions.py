"""Reductions over axes, cumulative functions, and statistics.

`axis` is None (all axes), an int, or a tuple or list of ints; `keepdims` keeps reduced axes with
length 1.
"""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp

from jkeras.core.graph.inference import infer
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.ops.kernels_extrema import place_of_largest, place_of_smallest
from jkeras.ops.declaring import numpy_op
from jkeras.ops.promotion import (
    as_axes,
    describe,
    is_integer,
    operand,
    optional_dtype,
    result_type,
    tensor,
    to_float,
    to_floats,
)
from jkeras.core.weights.types import Axis, DType, Function, Operand, TensorLike


_OVER_AXES = """

Args:
    x: array or nested list of numbers.
    axis: int or tuple of ints: what is reduced; None: all axes.
    keepdims: whether reduced axes stay, with size 1."""
_REDUCED = """
Returns:
    Array of x's shape without the reduced axes."""
_PLACE = """

Args:
    x: array or nested list of numbers.
    axis: int; None: of the flat array.
    keepdims: whether the axis stays, with size 1.
Returns:
    int32 indices, of x's shape without the axis."""


def _reduction(
    name: str,
    doc: str,
    example: str,
    shown: str,
    convert: Function = tensor,
    compute: Function | None = None,
    sections: str = _OVER_AXES + _REDUCED,
) -> Function:
    """An op of x and axes by the function of `jnp` of this name, or by `compute`."""
    compute = compute or getattr(jnp, name)

    def function(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array:
        return compute(convert(x), axis=as_axes(axis), keepdims=keepdims)

    described = describe(function, name, __name__, doc + sections, example, shown)
    return numpy_op(inputs=1)(described)


_INITIAL = """
    initial: number that takes part beside the elements, also where there are none."""


def _extremum(name: str, doc: str, example: str, shown: str) -> Function:
    compute = getattr(jnp, name)
    doc += _OVER_AXES + _INITIAL + _REDUCED

    def function(
        x: TensorLike,
        axis: Axis | None = None,
        keepdims: bool = False,
        initial: TensorLike | None = None,
    ) -> jax.Array:
        return compute(tensor(x), axis=as_axes(axis), keepdims=keepdims, initial=initial)

    return numpy_op(inputs=1)(describe(function, name, __name__, doc, example, shown))


# ---------------------------------------------------------------- sums and extrema


sum = _reduction(
    "sum",
    "Sum over axes; small integers and booleans are added up as int32, unsigned ones as uint32.",
    "[[1, 2], [3, 4]], axis=0",
    "[4 6]",
)
max = _extremum("max", "Maximum over axes.", "[[1, 2], [3, 4]], axis=0", "[3 4]")
min = _extremum("min", "Minimum over axes.", "[[1, 2], [3, 4]], axis=1", "[1 3]")
amax = _reduction("amax", "Maximum over axes.", "[[1, 2], [3, 4]], axis=0", "[3 4]")
amin = _reduction("amin", "Minimum over axes.", "[[1, 2], [3, 4]], axis=1", "[1 3]")
ptp = _reduction("ptp", "Maximum minus minimum over axes.", "[[1, 5], [3, 4]], axis=1", "[4 1]")
all = _reduction(
    "all",
    "Whether all elements along axes are true.",
    "[[True, False], [True, True]], axis=1",
    "[False  True]",
)
any = _reduction(
    "any",
    "Whether some element along axes is true.",
    "[[True, False], [False, False]], axis=1",
    "[ True False]",
)


@numpy_op(inputs=1)
def prod(
    x: TensorLike, axis: Axis | None = None, keepdims: bool = False, dtype: DType | None = None
) -> jax.Array:
    """Product over axes.

    Args:
        x, axis, keepdims: as for `sum`.
        dtype: of the product; by default as of `sum`.
    Returns:
        Array of x's shape without the reduced axes.

    >>> print(prod([[1, 2], [3, 4]], axis=1))
    [ 2 12]
    """
    return jnp.prod(tensor(x), axis=as_axes(axis), keepdims=keepdims, dtype=optional_dtype(dtype))


@numpy_op(inputs=1)
def count_nonzero(x: TensorLike, axis: Axis | None = None) -> jax.Array:
    """How many elements along axes are not zero.

    Args:
        x, axis: as for `sum`.
    Returns:
        int32 array of x's shape without the reduced axes.

    >>> print(count_nonzero([[0, 2], [3, 4]], axis=1))
    [1 2]
    """
    return jnp.count_nonzero(operand(x), axis=as_axes(axis)).astype("int32")


# ---------------------------------------------------------------- moments: half precision is summed
# in float32


def _mean(x: jax.Array, axis: Axis | None, keepdims: bool) -> jax.Array:
    dtype = result_type(x.dtype, "float32")
    return jnp.mean(x, axis=axis, keepdims=keepdims, dtype=dtype).astype(_moment_dtype(x))


def _var(x: jax.Array, axis: Axis | None, keepdims: bool) -> jax.Array:
    dtype = result_type(x.dtype, "float32")
    out = jnp.var(x, axis=axis, keepdims=keepdims, dtype=dtype)
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        return out
    return out.astype(_moment_dtype(x))


def _moment_dtype(x: jax.Array) -> str:
    if is_integer(x.dtype):
        return result_type(x.dtype, "float32")
    return x.dtype


mean = _reduction(
    "mean",
    "Mean over axes; of integers as float32.",
    "[[1, 2], [3, 4]], axis=0",
    "[2. 3.]",
    compute=_mean,
)
var = _reduction(
    "var",
    "Variance over axes, divided by n.",
    "[[1, 2], [3, 5]], axis=1",
    "[0.25 1.  ]",
    compute=_var,
)
std = _reduction(
    "std", "Standard deviation over axes, divided by n.", "[[1, 3], [3, 7]], axis=1", "[1. 2.]"
)
median = _reduction("median", "Median over axes.", "[[1, 2, 9], [3, 4, 4]], axis=1", "[2. 4.]")


@numpy_op(inputs=1, keywords=("weights",))
def average(
    x: TensorLike, axis: Axis | None = None, weights: TensorLike | None = None
) -> jax.Array:
    """Weighted mean over axes, as a float.

    Args:
        x, axis: as for `sum`; integers and booleans become floats.
        weights: of x's shape, or a vector along `axis`; None: all equal.
    Returns:
        Array of x's shape without the reduced axes.

    >>> print(average([1.0, 3.0], weights=[3.0, 1.0]))
    1.5
    """
    if weights is None:
        return jnp.average(to_float(x), axis=as_axes(axis))
    x, weights = to_floats(x, weights)
    return jnp.average(x, axis=as_axes(axis), weights=weights)


# ---------------------------------------------------------------- without NaN

nansum = _reduction("nansum", "Sum over axes, NaN counted as 0.", "[1.0, float('nan'), 3.0]", "4.0")
nanprod = _reduction(
    "nanprod", "Product over axes, NaN counted as 1.", "[2.0, float('nan'), 3.0]", "6.0"
)
nanmax = _reduction("nanmax", "Maximum over axes without NaN.", "[1.0, float('nan'), 3.0]", "3.0")
nanmin = _reduction("nanmin", "Minimum over axes without NaN.", "[1.0, float('nan'), 3.0]", "1.0")
nanmean = _reduction("nanmean", "Mean over axes without NaN.", "[1.0, float('nan'), 3.0]", "2.0")
nanvar = _reduction("nanvar", "Variance over axes without NaN.", "[1.0, float('nan'), 3.0]", "1.0")
nanstd = _reduction(
    "nanstd", "Standard deviation over axes without NaN.", "[1.0, float('nan'), 3.0]", "1.0"
)
nanmedian = _reduction(
    "nanmedian", "Median over axes without NaN.", "[1.0, float('nan'), 3.0]", "2.0"
)
nanargmax = _reduction(
    "nanargmax",
    "Index of the maximum without NaN; -1 where all are NaN.",
    "[1.0, float('nan'), 3.0]",
    "2",
    sections=_PLACE,
)
nanargmin = _reduction(
    "nanargmin",
    "Index of the minimum without NaN; -1 where all are NaN.",
    "[1.0, float('nan'), 3.0]",
    "0",
    sections=_PLACE,
)


# ---------------------------------------------------------------- positions of extrema


def _along_an_axis(kernel: Function, plain: Function) -> Function:
    """`plain` (of numpy's arguments), by `kernel` where there is an axis."""

    def function(x: TensorLike, axis: int | None, keepdims: bool) -> jax.Array:
        if axis is None:
            return plain(x, keepdims=keepdims)
        indices = kernel(x, axis)
        return jnp.expand_dims(indices, axis) if keepdims else indices

    return function


def _ordered(x: jax.Array) -> jax.Array:
    """x with -0.0 just below 0.0, so that the two differ."""
    if not jnp.issubdtype(x.dtype, jnp.floating) or not x.ndim:
        return x
    x = x.astype(result_type(x.dtype, "float32"))
    return jnp.where((x == 0) & jnp.signbit(x), -jnp.finfo(x.dtype).tiny, x)


argmax = _reduction(
    "argmax",
    "Index of the first maximum along an axis; None: of the flat array.",
    "[[1, 5], [7, 4]], axis=1",
    "[1 0]",
    lambda x: _ordered(tensor(x)),
    compute=_along_an_axis(place_of_largest, jnp.argmax),
    sections=_PLACE,
)
argmin = _reduction(
    "argmin",
    "Index of the first minimum along an axis; None: of the flat array.",
    "[[1, 5], [7, 4]], axis=1",
    "[0 1]",
    lambda x: _ordered(tensor(x)),
    compute=_along_an_axis(place_of_smallest, jnp.argmin),
    sections=_PLACE,
)


# ---------------------------------------------------------------- quantiles

_QUANTILE = """{0} over axes{1}.

Args:
    x: array or nested list of numbers; integers and booleans become floats.
    q: number or array of numbers between 0 and {2}; its axes come first in the result.
    axis: int or tuple of ints: what is reduced; None: all axes.
    method: "linear", "lower", "higher", "midpoint" or "nearest": what to take between two
        elements.
    keepdims: whether reduced axes stay, with size 1.
Returns:
    Array of q's shape, then x's without the reduced axes."""


def _quantile(name: str, noun: str, nan: str, upper: int, example: str, shown: str) -> Function:
    compute = getattr(jnp, name)

    def function(
        x: TensorLike,
        q: TensorLike,
        axis: Axis | None = None,
        method: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
        keepdims: bool = False,
    ) -> jax.Array:
        return compute(
            to_float(x),
            jnp.asarray(q, "float32"),
            axis=as_axes(axis),
            method=method,
            keepdims=keepdims,
        )

    doc = _QUANTILE.format(noun, nan, upper)
    return numpy_op(inputs=2)(describe(function, name, __name__, doc, example, shown))


_HOLES = " without NaN"
quantile = _quantile("quantile", "Quantiles", "", 1, "[1, 2, 4], 0.5", "2.0")
percentile = _quantile("percentile", "Percentiles", "", 100, "[1, 2, 4], 50", "2.0")
nanquantile = _quantile(
    "nanquantile", "Quantiles", _HOLES, 1, "[1.0, float('nan'), 2.0], 0.5", "1.5"
)
nanpercentile = _quantile(
    "nanpercentile", "Percentiles", _HOLES, 100, "[1.0, float('nan'), 2.0], 50", "1.5"
)


# ---------------------------------------------------------------- cumulative


_RUNNING = """

Args:
    x: array or nested list of numbers.
    axis: int or None.
    dtype: of the result; x's own by default, int32 for booleans.
Returns:
    Array of x's shape; for the axis None a vector."""


def _cumulative(name: str, doc: str, example: str, shown: str, tuples: bool = False) -> Function:
    """An op.

    Args:
        tuples: axes may be a tuple of one; of none, which keeps the shape too, where there are no
            numbers yet.
    """

    compute = getattr(jnp, name)

    def function(x: TensorLike, axis: int | None = None, dtype: DType | None = None) -> jax.Array:
        if tuples and isinstance(axis, tuple) and len(axis) == 1:
            (axis,) = axis
        return compute(tensor(x), axis=axis, dtype=optional_dtype(dtype))

    def spec(x: Operand, axis: int | None = None, dtype: DType | None = None) -> KerasTensor:
        axis = 0 if axis == () else axis
        return infer(lambda x: function(x, axis, dtype), x)

    doc = f"{doc} along an axis; None: of the flat array.{_RUNNING}"
    described = describe(function, name, __name__, doc, example, shown)
    return numpy_op(inputs=1, spec=spec if tuples else None)(described)


cumsum = _cumulative("cumsum", "Running sum", "[1, 2, 3]", "[1 3 6]")
cumprod = _cumulative("cumprod", "Running product", "[1, 2, 3]", "[1 2 6]")
nancumsum = _cumulative(
    "nancumsum",
    "Running sum, NaN counted as 0,",
    "[1.0, float('nan'), 3.0]",
    "[1. 1. 4.]",
    tuples=True,
)
nancumprod = _cumulative(
    "nancumprod",
    "Running product, NaN counted as 1,",
    "[2.0, float('nan'), 3.0]",
    "[2. 2. 6.]",
    tuples=True,
)


@numpy_op(inputs=1)
def diff(a: TensorLike, n: int = 1, axis: int = -1) -> jax.Array:
    """Differences of neighbours along an axis, taken n times.

    Args:
        a: array or nested list of numbers.
        n: how often differences are taken.
        axis: int.
    Returns:
        Array of a's shape, its axis n shorter.

    >>> print(diff([1, 2, 4, 7]))
    [1 2 3]
    """
    return jnp.diff(tensor(a), n=n, axis=axis)


@numpy_op(inputs=2)
def trapezoid(
    y: TensorLike, x: TensorLike | None = None, dx: TensorLike = 1.0, axis: int = -1
) -> jax.Array:
    """Integral by the trapezoidal rule.

    Args:
        y: array of values.
        x: the sample points, of y's shape or a vector along the axis; None: they lie `dx` apart.
        dx: number.
        axis: the axis that is integrated over.
    Returns:
        Array of y's shape without the axis.

    >>> print(trapezoid([1.0, 2.0, 3.0]))
    4.0
    """
    if x is not None:
        x = tensor(x)
    return jnp.trapezoid(tensor(y), x, dx=tensor(dx), axis=axis)


# ---------------------------------------------------------------- counts and correlation


def _bincount_spec(
    x: Operand, weights: Operand | None = None, minlength: int = 0, sparse: bool = False
) -> KerasTensor:
    dtype = "int32"
    if weights is not None:
        dtype = result_type(x.dtype, weights.dtype)
    return KerasTensor((*x.shape[:-1], None), dtype, sparse=sparse)


@numpy_op(inputs=1, spec=_bincount_spec)
def bincount(
    x: TensorLike, weights: TensorLike | None = None, minlength: int = 0, sparse: bool = False
) -> jax.Array:
    """How often each number 0, 1, … occurs in an array of non-negative integers, or in each row of
    a matrix.

    The length depends on the values (largest + 1, at least `minlength`): outside jit only.

    Args:
        x: integers from 0 on, a vector (n,) or a matrix (rows, n).
        weights: array of x's shape: what each occurrence counts.
        minlength: the least length.
        sparse: return a JAX BCOO array.
    Returns:
        Array (length,) or (rows, length); int32, with weights of their dtype.

    >>> print(bincount([1, 1, 3]))
    [0 2 0 1]
    """
    x = tensor(x)
    if sparse:
        from jkeras.ops.sparse_forms import sparse_counts  # takes long to import

        return sparse_counts(x, weights, minlength)
    if x.ndim != 2:
        return jnp.bincount(x, weights=weights, minlength=minlength)
    length = minlength
    if x.size:
        length = int(jnp.maximum(jnp.max(x) + 1, minlength))

    def counts(i: jax.Array) -> jax.Array:
        row_weights = None
        if weights is not None:
            row_weights = tensor(weights)[i]
        return jnp.bincount(x[i], row_weights, minlength=minlength, length=length)

    return jnp.stack([counts(i) for i in range(x.shape[0])])


@numpy_op(inputs=1)
def histogram(
    x: TensorLike, bins: int | TensorLike = 10, range: tuple[float, float] | None = None
) -> tuple[jax.Array, jax.Array]:
    """Counts of the elements of a vector in bins of equal width.

    Args:
        x: vector or number.
        bins: how many.
        range: `(lowest, highest)`; by default those of x.
    Returns:
        (counts, edges), vectors of floats; there is one edge more than bins.
    Raises:
        TypeError: `bins` is no int.
        ValueError: negative `bins`, x with more than one axis, or a `range` that is no rising pair.

    >>> print(histogram([0.0, 0.1, 1.0], bins=2)[0])
    [2. 1.]
    """
    if not isinstance(bins, int):
        raise TypeError(f"`bins` must be an integer. Received: bins={bins}")
    if bins < 0:
        raise ValueError(f"`bins` must not be negative. Received: bins={bins}")
    if range:
        _check_range(range)
        range = tuple(range)
    x = tensor(x)
    if x.ndim > 1:
        raise ValueError(f"histogram takes a vector; `ravel` x first. Received: x.shape={x.shape}")
    return jnp.histogram(x, bins=bins, range=range)


def _check_range(range: Any) -> None:
    if not isinstance(range, (tuple, list)) or len(range) < 2 or range[1] < range[0]:
        raise ValueError(f"`range` must be a tuple (lowest, highest). Received: range={range}")


@numpy_op()
def corrcoef(x: TensorLike) -> jax.Array:
    """Pearson correlation coefficients between the rows of a matrix.

    Args:
        x: (variables, observations), or a vector.
    Returns:
        Array (variables, variables), with ones on the diagonal; 1.0 for a vector.

    >>> print(corrcoef([[1.0, 2.0], [2.0, 1.0]]).round(3))
    [[ 1. -1.]
     [-1.  1.]]
    """
    return jnp.corrcoef(tensor(x))


@numpy_op(inputs=2)
def correlate(
    x1: TensorLike, x2: TensorLike, mode: Literal["valid", "same", "full"] = "valid"
) -> jax.Array:
    """Cross-correlation of two vectors.

    Args:
        x1, x2: vectors of n and m numbers.
        mode: "valid" (full overlap only), "same" (as long as the longer one) or "full" (any
            overlap).
    Returns:
        Vector of floats, of length |n - m| + 1, the larger of n and m, or n + m - 1.

    >>> print(correlate([1, 2, 3], [0, 1]))
    [2. 3.]
    """
    return jnp.correlate(tensor(x1), tensor(x2), mode)
