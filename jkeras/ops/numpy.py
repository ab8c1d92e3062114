"""`keras.ops.numpy`: the part of `keras.ops` that numpy has too."""

from jkeras.core.exports import exported
from jkeras.ops.binary import (  # noqa: A004
    add, allclose, arctan2, bitwise_and, bitwise_left_shift, bitwise_or, bitwise_right_shift, bitwise_xor, divide,
    divide_no_nan, equal, floor_divide, fmax, fmin, fmod, gcd, greater, greater_equal, heaviside, hypot, isclose,
    lcm, ldexp, left_shift, less, less_equal, logaddexp, logaddexp2, logical_and, logical_or, logical_xor, maximum,
    minimum, mod, multiply, nextafter, not_equal, power, right_shift, subtract, true_divide,
)
from jkeras.ops.creation import (  # noqa: A004
    arange, array, diag, diagflat, empty, empty_like, eye, full, full_like, geomspace, identity, linspace, logspace,
    meshgrid, ones, ones_like, tri, tril, triu, vander, zeros, zeros_like,
)
from jkeras.ops.elementwise import (  # noqa: A004
    abs, absolute, angle, arccos, arccosh, arcsin, arcsinh, arctan, arctanh, bartlett, bitwise_invert, bitwise_not,
    blackman, cbrt, ceil, clip, conj, conjugate, copy, cos, cosh, deg2rad, exp, exp2, expm1, fabs, floor, hamming,
    hanning, i0, imag, isfinite, isinf, isnan, isneginf, isposinf, isreal, kaiser, log, log10, log1p, log2,
    logical_not, nan_to_num, negative, rad2deg, real, reciprocal, round, sign, signbit, sin, sinc, sinh, sqrt,
    square, tan, tanh, trunc, view,
)
from jkeras.ops.indexing import (  # noqa: A004
    argpartition, argsort, diagonal, digitize, get_item, isin, nonzero, searchsorted, select, sort, take,
    take_along_axis, trace, unique, unravel_index, vectorize, where,
)
from jkeras.ops.products import (  # noqa: A004
    cross, dot, einsum, inner, kron, matmul, outer, slogdet, tensordot, vdot,
)
from jkeras.ops.reductions import (  # noqa: A004
    all, amax, amin, any, argmax, argmin, average, bincount, corrcoef, correlate, count_nonzero, cumprod, cumsum,
    diff, histogram, max, mean, median, min, nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean,
    nanmedian, nanmin, nanpercentile, nanprod, nanquantile, nanstd, nansum, nanvar, percentile, prod, ptp, quantile,
    std, sum, trapezoid, var,
)
from jkeras.ops.shaping import (  # noqa: A004
    append, array_split, broadcast_to, concatenate, dsplit, dstack, expand_dims, flip, fliplr, flipud, hsplit,
    hstack, moveaxis, ndim, pad, ravel, repeat, reshape, roll, rot90, size, split, squeeze, stack, swapaxes, tile,
    transpose, vsplit, vstack,
)

__all__ = exported(globals())
