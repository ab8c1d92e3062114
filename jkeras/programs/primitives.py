"""What is known of each of JAX's primitives: the one table that all ask who read programs.

Of a primitive that is not in it, every fact is no; who reads a program then refuses it, or takes
the slow way, which is right for anything.
"""

import dataclasses
import enum

Kind = enum.Enum(
    "Kind",
    "ELEMENTWISE REDUCTION ALONG WINDOW TOP_K FFT CONTRACTION CONVOLUTION RAGGED BROADCAST "
    "TRANSPOSE SQUEEZE RESHAPE REVERSE STACK UNSTACK TILE PAD SLICE GATHER SCATTER CALL COND SCAN "
    "KERNEL OTHER",
)
Derivative = enum.Enum("Derivative", "INSIDE TANGENTS COTANGENTS")


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of a primitive.

    Attributes:
        kind: which axes and parameters it has; `OTHER` where that is told of none.
        is_linear: it is a sum of its inputs, each times something that is not among them; of a
            gather and a slice the places count for nothing.
        is_bilinear: it is linear in each of two factors.
        is_affine: a layer's affine function may go on with it: with one input and constants it
            scales and shifts numbers, and lays them out.
        arranges: it gives the numbers of one input, or copies of them, at other places.
        passes_on: it gives the numbers of its input as they are and in their order, up to
            precision.
        extreme: "max" or "min": it picks the largest or the smallest, of axes or of windows.
        is_cheap: it takes less time to compute it again than to write what it gives and to read
            it.
        derivative: of a call, where it comes from: from what is in it, or from rules for tangents
            or cotangents; None where it is not known.
    """

    kind: Kind
    is_linear: bool = False
    is_bilinear: bool = False
    is_affine: bool = False
    arranges: bool = False
    passes_on: bool = False
    extreme: str = ""
    is_cheap: bool = False
    derivative: Derivative | None = None

    @property
    def is_elementwise(self) -> bool:
        """Whether each number follows from those at the same place, of inputs of one shape."""
        return self.kind is Kind.ELEMENTWISE

    @property
    def is_product(self) -> bool:
        """Whether it sums products: of matrices or of windows."""
        return self.kind in (Kind.CONTRACTION, Kind.CONVOLUTION)


UNKNOWN = Facts(Kind.OTHER)
_LINEAR = {"is_linear": True}
_AFFINE = {"is_linear": True, "is_affine": True}
_ROWS = {
    Facts(Kind.ELEMENTWISE): """
        abs acos acosh and asin asinh atan atan2 atanh bessel_i0e bessel_i1e bitcast_convert_type
        cbrt ceil clamp clz complex conj cos cosh digamma eq eq_to erf erf_inv erfc exp exp2 expm1
        floor ge gt igamma igamma_grad_a igammac imag integer_pow is_finite le le_to lgamma log
        log1p log2 logistic lt lt_to max min mulhi ne nextafter not one_minus_square or polygamma
        polynomial population_count pow real regularized_incomplete_beta rem round rsqrt select_n
        shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square tan tanh
        xor zeta
    """,
    Facts(Kind.ELEMENTWISE, **_AFFINE): "add sub",
    Facts(Kind.ELEMENTWISE, **_LINEAR): "add_any name neg reduce_precision",
    Facts(Kind.ELEMENTWISE, is_bilinear=True, is_affine=True): "mul",
    Facts(Kind.ELEMENTWISE, is_affine=True): "div",
    Facts(Kind.ELEMENTWISE, passes_on=True): "stop_gradient",
    Facts(Kind.ELEMENTWISE, **_LINEAR, passes_on=True): "optimization_barrier sharding_constraint",
    Facts(Kind.ELEMENTWISE, **_AFFINE, passes_on=True): "convert_element_type",
    Facts(Kind.ELEMENTWISE, **_AFFINE, arranges=True, passes_on=True): "copy copy_p",
    Facts(Kind.REDUCTION): "argmax argmin reduce_and reduce_or reduce_prod reduce_xor",
    Facts(Kind.REDUCTION, **_LINEAR): "reduce_sum",
    Facts(Kind.REDUCTION, extreme="max"): "reduce_max",
    Facts(Kind.REDUCTION, extreme="min"): "reduce_min",
    Facts(Kind.ALONG): "cumlogsumexp cummax cummin cumprod sort",
    Facts(Kind.ALONG, **_LINEAR): "concatenate cumsum split",
    Facts(Kind.WINDOW): "reduce_window",
    Facts(Kind.WINDOW, **_LINEAR): "reduce_window_sum",
    Facts(Kind.WINDOW, extreme="max"): "reduce_window_max",
    Facts(Kind.WINDOW, extreme="min"): "reduce_window_min",
    Facts(Kind.CONTRACTION, is_bilinear=True): "dot_general",
    Facts(Kind.CONVOLUTION, is_bilinear=True): "conv_general_dilated",
    Facts(Kind.BROADCAST, **_AFFINE, arranges=True): "broadcast_in_dim",
    Facts(Kind.TRANSPOSE, **_AFFINE, arranges=True): "transpose",
    Facts(Kind.SQUEEZE, **_AFFINE, arranges=True, passes_on=True): "squeeze",
    Facts(Kind.RESHAPE, **_AFFINE, arranges=True, passes_on=True): "reshape",
    Facts(Kind.REVERSE, **_LINEAR, arranges=True): "rev",
    Facts(Kind.PAD, **_LINEAR): "pad",
    Facts(Kind.SLICE, **_LINEAR): "dynamic_slice slice",
    Facts(Kind.GATHER, **_LINEAR): "gather",
    Facts(Kind.SCATTER): "scatter",
    Facts(Kind.SCATTER, **_LINEAR): "scatter-add scatter_add",
    Facts(Kind.RAGGED): "ragged_dot_general",
    Facts(Kind.TOP_K): "top_k",
    Facts(Kind.FFT): "fft",
    Facts(Kind.STACK, **_LINEAR): "stack",
    Facts(Kind.UNSTACK, **_LINEAR): "unstack",
    Facts(Kind.TILE, **_LINEAR): "tile",
    Facts(Kind.COND): "cond",
    Facts(Kind.SCAN): "scan",
    Facts(Kind.CALL, derivative=Derivative.INSIDE): """
        checkpoint closed_call core_call eval_jaxpr jit pjit remat remat2
    """,
    # whose derivative the object says
    Facts(Kind.CALL): "call_hi_primitive",
    Facts(Kind.CALL, derivative=Derivative.TANGENTS): "custom_jvp_call",
    Facts(Kind.CALL, derivative=Derivative.COTANGENTS): "custom_vjp_call custom_vjp_call_jaxpr",
    Facts(Kind.KERNEL): """
        dot_product_attention_fwd dot_product_attention_fwd_wrapper pallas_call
    """,
}
_CHEAP = frozenset(
    "add add_any sub mul neg max min square integer_pow select_n convert_element_type "
    "broadcast_in_dim reshape squeeze slice split concatenate transpose copy".split()
)
PRIMITIVES: dict[str, Facts] = {
    name: dataclasses.replace(facts, is_cheap=name in _CHEAP)
    for facts, names in _ROWS.items()
    for name in names.split()
}


def facts_of(name: str) -> Facts:
    """What is known of a primitive of this name.

    >>> import jax
    >>> eqns = jax.make_jaxpr(lambda x: jax.numpy.tanh(x).sum())(jax.numpy.ones(2)).jaxpr.eqns
    >>> [facts_of(eqn.primitive.name).kind.name for eqn in eqns]
    ['ELEMENTWISE', 'REDUCTION']
    """
    return PRIMITIVES.get(name, UNKNOWN)
