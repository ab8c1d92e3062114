"""`keras.ops`: functions of arrays, symbolic tensors and variables under Keras's names, over jnp and lax."""

from jkeras.ops import numpy
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
from jkeras.ops import image, linalg, nn
from jkeras.ops.core import (  # noqa: A004
    associative_scan, cast, cond, convert_to_numpy, convert_to_tensor, custom_gradient, dtype, fori_loop,
    is_tensor, map, saturate_cast, scan, scatter, scatter_update, shape, slice, slice_update, stop_gradient,
    switch, unstack, vectorized_map, while_loop,
)
from jkeras.ops.einops import rearrange
from jkeras.ops.linalg import (
    cholesky, cholesky_inverse, det, eig, eigh, inv, jvp, lstsq, lu_factor, matrix_rank, norm, pinv, qr, solve,
    solve_triangular, svd,
)
from jkeras.ops.math import (
    cdist, erf, erfc, erfinv, extract_sequences, fft, fft2, ifft2, in_top_k, irfft, istft, logdet, logsumexp, rfft,
    rsqrt, segment_max, segment_min, segment_prod, segment_sum, stft, top_k, view_as_complex, view_as_real,
)
from jkeras.ops.nn import (
    adaptive_average_pool, adaptive_max_pool, average_pool, batch_normalization, binary_crossentropy,
    categorical_crossentropy, celu, conv, conv_transpose, ctc_decode, ctc_loss, depth_to_space, depthwise_conv,
    dot_product_attention, elu, fold, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_swish, hard_tanh,
    layer_normalization, leaky_relu, log_sigmoid, log_softmax, max_pool, moments, multi_hot, normalize, one_hot,
    polar, psnr, relu, relu6, rms_normalization, selu, separable_conv, sigmoid, silu, soft_shrink, softmax,
    softplus, softsign, space_to_depth, sparse_categorical_crossentropy, sparse_plus, sparse_sigmoid, sparsemax,
    squareplus, swish, tanh_shrink, threshold, unfold,
)

__all__ = [
    "numpy",
    "abs", "absolute", "add", "all", "allclose", "amax", "amin", "angle", "any", "append", "arange", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argpartition", "argsort",
    "array", "array_split", "average", "bartlett", "bincount", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "blackman",
    "broadcast_to", "cbrt", "ceil", "clip", "concatenate", "conj", "conjugate", "copy", "corrcoef", "correlate",
    "cos", "cosh", "count_nonzero", "cross", "cumprod", "cumsum", "deg2rad", "diag", "diagflat", "diagonal", "diff",
    "digitize", "divide", "divide_no_nan", "dot", "dsplit", "dstack", "einsum", "empty", "empty_like", "equal",
    "exp", "exp2", "expand_dims", "expm1", "eye", "fabs", "flip", "fliplr", "flipud", "floor", "floor_divide",
    "fmax", "fmin", "fmod", "full", "full_like", "gcd", "geomspace", "get_item", "greater", "greater_equal",
    "hamming", "hanning", "heaviside", "histogram", "hsplit", "hstack", "hypot", "i0", "identity", "imag", "inner",
    "isclose", "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf", "isreal", "kaiser", "kron", "lcm",
    "ldexp", "left_shift", "less", "less_equal", "linspace", "log", "log10", "log1p", "log2", "logaddexp",
    "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor", "logspace", "matmul", "max", "maximum",
    "mean", "median", "meshgrid", "min", "minimum", "mod", "moveaxis", "multiply", "nan_to_num", "nanargmax",
    "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nansum", "nanvar", "ndim", "negative", "nextafter", "nonzero", "not_equal", "ones",
    "ones_like", "outer", "pad", "percentile", "power", "prod", "ptp", "quantile", "rad2deg", "ravel", "real",
    "reciprocal", "repeat", "reshape", "right_shift", "roll", "rot90", "round", "searchsorted", "select", "sign",
    "signbit", "sin", "sinc", "sinh", "size", "slogdet", "sort", "split", "sqrt", "square", "squeeze", "stack",
    "std", "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "trace",
    "transpose", "trapezoid", "tri", "tril", "triu", "true_divide", "trunc", "unique", "unravel_index", "vander",
    "var", "vdot", "vectorize", "view", "vsplit", "vstack", "where", "zeros", "zeros_like",
]
__all__ += [
    "image", "linalg", "nn",
    "adaptive_average_pool", "adaptive_max_pool", "associative_scan", "average_pool", "batch_normalization",
    "binary_crossentropy", "cast", "categorical_crossentropy", "cdist", "celu", "cholesky", "cholesky_inverse",
    "cond", "conv", "conv_transpose", "convert_to_numpy", "convert_to_tensor", "ctc_decode", "ctc_loss",
    "custom_gradient", "depth_to_space", "depthwise_conv", "det", "dot_product_attention", "dtype", "eig", "eigh",
    "elu", "erf", "erfc", "erfinv", "extract_sequences", "fft", "fft2", "fold", "fori_loop", "gelu", "glu",
    "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "ifft2", "in_top_k", "inv", "irfft",
    "is_tensor", "istft", "jvp", "layer_normalization", "leaky_relu", "log_sigmoid", "log_softmax", "logdet",
    "logsumexp", "lstsq", "lu_factor", "map", "matrix_rank", "max_pool", "moments", "multi_hot", "norm",
    "normalize", "one_hot", "pinv", "polar", "psnr", "qr", "rearrange", "relu", "relu6", "rfft",
    "rms_normalization", "rsqrt", "saturate_cast", "scan", "scatter", "scatter_update", "segment_max",
    "segment_min", "segment_prod", "segment_sum", "selu", "separable_conv", "shape", "sigmoid", "silu", "slice",
    "slice_update", "soft_shrink", "softmax", "softplus", "softsign", "solve", "solve_triangular",
    "space_to_depth", "sparse_categorical_crossentropy", "sparse_plus", "sparse_sigmoid", "sparsemax",
    "squareplus", "stft", "stop_gradient", "svd", "swish", "switch", "tanh_shrink", "threshold", "top_k", "unfold",
    "unstack", "vectorized_map", "view_as_complex", "view_as_real", "while_loop",
]
