"""Whether a compiled function treats the rows of a batch one by one, so that rows may be added and
cut off again.

A function is read as a jaxpr, twice, for two sizes of the batch. Each value in it has the batch
along one axis, or not at all; an operation that brings rows together, or that is not known here,
makes the answer no.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import numpy as np

from jkeras.core.keras_tensor import flatten
from jkeras.core.programs import call_of, inner_jaxprs
from jkeras.kernel.valid_rows import NAME
from jkeras.ops.kernels import traced_for
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Var

Axes: TypeAlias = list[int | None]  # of each value, along which the batch lies; None: it has none
SIZES = (11, 13)  # primes, so that a size that has to do with the batch shows
ELEMENTWISE = frozenset(
    """
    abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e
    bitcast_convert_type cbrt ceil clamp clz complex conj convert_element_type copy cos cosh
    digamma div eq eq_to erf erf_inv erfc exp exp2 expm1 floor ge gt igamma igamma_grad_a igammac
    imag integer_pow is_finite le le_to lgamma log log1p log2 logistic lt lt_to max min mul mulhi
    name ne neg nextafter not one_minus_square optimization_barrier or polygamma polynomial
    population_count pow real reduce_precision regularized_incomplete_beta rem round rsqrt select_n
    sharding_constraint shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt
    square stop_gradient sub tan tanh xor zeta
    """.split()
)
REDUCTIONS = frozenset(
    """
    argmax argmin reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum reduce_xor
    """.split()
)
ALONG_AN_AXIS = {"cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"}
WINDOWS = {"reduce_window", "reduce_window_max", "reduce_window_min", "reduce_window_sum"}


class Mixed(Exception):
    """Rows of the batch come together, or nothing is known of an operation."""


class Meets(Mixed):
    """An operation brings rows of the batch together.

    Attributes:
        place: its number in the jaxpr that was read.
    """

    place = 0


def are_independent(function: Callable, *arguments: Any, batch: Structure) -> bool:
    """Whether each row of the outputs follows from the same row of a batch alone.

    Args:
        function: `(*arguments, batch) -> outputs`, all of whose outputs have the batch first.
        batch: a structure of arrays or shapes with the batch first.

    >>> are_independent(lambda x: jax.nn.softmax(x @ x.T), batch=np.ones((4, 4))), are_independent(
    ...     jax.nn.softmax, batch=np.ones((4, 4)))
    (False, True)
    """
    return _axes_out(function, arguments, batch, 0)


def leaves_out_padding(function: Callable, *arguments: Any, batch: Structure) -> bool:
    """Whether rows come together only where padding is left out, by
    `kernel.valid_rows.over_valid_rows`.

    Args:
        function: `(*arguments, batch) -> outputs`, none of which has the batch in it.

    >>> from jkeras.kernel.valid_rows import over_valid_rows
    >>> total = lambda valid, x: jax.numpy.where(valid, x, 0).sum()
    >>> both = np.ones(4, bool), np.ones(4)
    >>> leaves_out_padding(lambda batch: over_valid_rows(total, *batch), batch=both)
    True
    >>> leaves_out_padding(np.sum, batch=np.ones(4))
    False
    """
    return _axes_out(function, arguments, batch, None)


def _axes_out(function: Callable, arguments: tuple, batch: Structure, wanted: int | None) -> bool:
    """Whether each output of a function has the batch along this axis."""
    try:
        closed = [_jaxpr(function, arguments, batch, size) for size in SIZES]
    except (TypeError, ValueError):  # made for one size of the batch
        return False
    try:
        return _are_along(wanted, closed, len(jax.tree_util.tree_leaves(arguments)))
    except Exception:
        # Rows meet, or this JAX writes its programs in a way that is not known here. Then rows are
        # taken to meet, which is slower and right.
        return False


def _are_along(wanted: int | None, closed: list["ClosedJaxpr"], fixed: int) -> bool:
    """Whether the outputs of a program, traced for two sizes, have the batch along this axis.

    Args:
        fixed: how many of the inputs do not have the batch.
    """
    small, large = closed
    if _outline(small.jaxpr) != _outline(large.jaxpr):
        return False
    axes = [None] * fixed + [0] * (len(small.in_avals) - fixed)
    if any(axis != wanted for axis in _walk(small.jaxpr, axes)):
        return False
    return wanted is None or all(aval.shape[0] == SIZES[0] for aval in small.out_avals)


def meeting(jaxpr: "Jaxpr", axes: Axes, outputs: Sequence["Var"]) -> int | None:
    """The number of the first operation in a jaxpr that certainly brings rows together on the way
    to some of its outputs; None where none is found.

    Args:
        axes: of the inputs, along which the batch lies.

    >>> closed = jax.make_jaxpr(lambda x: (2 * x) / x.sum(0))(np.ones((3, 4)))
    >>> place = meeting(closed.jaxpr, [0], closed.jaxpr.outvars)
    >>> closed.jaxpr.eqns[place].primitive.name
    'reduce_sum'
    """
    needed = {v for v in outputs if not hasattr(v, "val")}
    kept = []
    for place, eqn in reversed(list(enumerate(jaxpr.eqns))):
        if needed.intersection(eqn.outvars):
            needed.update(v for v in eqn.invars if not hasattr(v, "val"))
            kept.append(place)
    places = kept[::-1]
    try:
        _walk(jaxpr.replace(eqns=[jaxpr.eqns[i] for i in places], outvars=list(outputs)), axes)
    except Meets as error:
        return places[error.place]
    except Exception:
        pass  # nothing is known
    return None


def size_of(x: Structure) -> int:
    """The number of rows of a batch."""
    return next(v for v in flatten(x) if v is not None).shape[0]


def padded(batch: Structure, size: int) -> Structure:
    """A batch on the host with its last row repeated up to so many rows; zeros where it has
    none.
    """

    def filled(array: np.ndarray) -> np.ndarray:
        if not len(array):
            return np.zeros((size, *array.shape[1:]), array.dtype)
        return np.concatenate([array, np.repeat(array[-1:], size - array.shape[0], 0)])

    return jax.tree_util.tree_map(filled, batch)


def bucket(rows: int) -> int:
    """The size that a batch is padded to: 1, or the next power of two from 4 on; what compiles for
    4 serves for 2.

    >>> [bucket(n) for n in range(1, 10)]
    [1, 4, 4, 4, 8, 8, 8, 8, 16]
    """
    return 1 if rows == 1 else max(4, 2 ** (rows - 1).bit_length())


def _jaxpr(function: Callable, arguments: tuple, batch: Structure, size: int) -> "ClosedJaxpr":
    shapes = jax.tree_util.tree_map(
        lambda v: jax.ShapeDtypeStruct(
            (size, *np.shape(v)[1:]), jax.dtypes.canonicalize_dtype(v.dtype)
        ),
        batch,
    )
    with traced_for("plain"):
        return jax.make_jaxpr(function)(*arguments, shapes)


def _outline(jaxpr: "Jaxpr") -> list[tuple]:
    """What a jaxpr does, without its sizes: its operations and the numbers in it."""
    return [
        (
            eqn.primitive.name,
            [str(v.val) for v in eqn.invars if hasattr(v, "val")],
            [] if _is_marked(eqn) else [_outline(inner) for inner in inner_jaxprs(eqn.params)],
        )
        for eqn in jaxpr.eqns
    ]


def _is_marked(eqn: "JaxprEqn") -> bool:
    """Whether an operation is `over_valid_rows`, which knows which rows are valid."""
    return eqn.params.get("name") == NAME


def _walk(jaxpr: "Jaxpr", axes: Axes) -> Axes:
    """The axes of the batch of a jaxpr's outputs, None without it, from those of its inputs."""
    known = dict(zip(jaxpr.invars, axes))
    known.update((v, None) for v in jaxpr.constvars)
    read = lambda v: None if hasattr(v, "val") else known[v]  # noqa: E731
    for place, eqn in enumerate(jaxpr.eqns):
        axes_in = [read(v) for v in eqn.invars]
        axes_out = [None] * len(eqn.outvars)
        if any(axis is not None for axis in axes_in):
            try:
                axes_out = _axes_after(eqn, axes_in)
            except Meets as error:
                error.place = place
                raise
        known.update(zip(eqn.outvars, axes_out))
    return [read(v) for v in jaxpr.outvars]


def _axes_after(eqn: "JaxprEqn", axes: Axes) -> Axes:
    """The axes of the batch of an operation's outputs."""
    if _is_marked(eqn):
        return _together(eqn, axes)
    call = call_of(eqn)
    return _walk(call.jaxpr, axes) if call else _rule(eqn.primitive.name)(eqn, axes)


def _rule(name: str) -> Callable[["JaxprEqn", Axes], Axes]:
    if name in ELEMENTWISE:
        return _elementwise
    if name in REDUCTIONS:
        return _reduction
    if name in ALONG_AN_AXIS:
        return _along
    if name in WINDOWS:
        return _window
    if name not in RULES:
        raise Mixed(name)
    return RULES[name]


def _ensure(condition: bool) -> None:
    if not condition:
        raise Mixed


def _apart(condition: bool) -> None:
    """Raises where an operation goes along the batch itself."""
    if not condition:
        raise Meets


def _one(axes: Axes) -> int:
    """The one axis that several values have the batch along."""
    distinct = {axis for axis in axes if axis is not None}
    _ensure(len(distinct) == 1)
    return distinct.pop()


# ---------------------------------------------------------------- a rule for each kind of operation


def _together(eqn: "JaxprEqn", axes: Axes) -> Axes:
    _ensure(set(axes) <= {0, None})
    return [None] * len(eqn.outvars)


def _elementwise(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis, rank = _one(axes), len(eqn.outvars[0].aval.shape)
    _ensure(all(a is None or len(v.aval.shape) == rank for v, a in zip(eqn.invars, axes)))
    return [axis] * len(eqn.outvars)


def _reduction(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis, gone = _one(axes), eqn.params["axes"]
    _apart(axis not in gone)
    return [axis - sum(g < axis for g in gone)] * len(eqn.outvars)


def _along(eqn: "JaxprEqn", axes: Axes) -> Axes:
    _apart(eqn.params["axis"] != axes[0])
    return axes


def _window(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis, params = axes[0], eqn.params
    _ensure(
        axis is not None
        and params["window_dimensions"][axis] == params["window_strides"][axis] == 1
    )
    _ensure(tuple(params["padding"][axis]) == (0, 0))
    return [axis] * len(eqn.outvars)


def _broadcast(eqn: "JaxprEqn", axes: Axes) -> Axes:
    place = eqn.params["broadcast_dimensions"][axes[0]]
    _ensure(eqn.invars[0].aval.shape[axes[0]] == eqn.outvars[0].aval.shape[place])
    return [place]


def _reshape(eqn: "JaxprEqn", axes: Axes) -> Axes:
    """The batch stays where as much stands before it; it may be joined with axes behind it only
    where they are one.
    """
    old, new, axis = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape, axes[0]
    places = [
        i
        for i, size in enumerate(new)
        if math.prod(new[:i]) == math.prod(old[:axis]) and size == old[axis]
    ]
    _ensure(places and eqn.params.get("dimensions") is None)
    return [places[0]]


def _transpose(eqn: "JaxprEqn", axes: Axes) -> Axes:
    return [eqn.params["permutation"].index(axes[0])]


def _squeeze(eqn: "JaxprEqn", axes: Axes) -> Axes:
    gone = eqn.params["dimensions"]
    _ensure(axes[0] not in gone)
    return [axes[0] - sum(g < axes[0] for g in gone)]


def _reverse(eqn: "JaxprEqn", axes: Axes) -> Axes:
    _ensure(axes[0] not in eqn.params["dimensions"])
    return axes


def _sort(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis = _one(axes)
    _apart(eqn.params["dimension"] != axis)
    return [axis] * len(eqn.outvars)


def _top_k(eqn: "JaxprEqn", axes: Axes) -> Axes:
    _ensure(eqn.params.get("axis", -1) % len(eqn.invars[0].aval.shape) != axes[0])
    return [axes[0]] * 2


def _concatenate(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis = _one(axes)
    _ensure(eqn.params["dimension"] != axis)
    return [axis]


def _split(eqn: "JaxprEqn", axes: Axes) -> Axes:
    _ensure(eqn.params["axis"] != axes[0])
    return [axes[0]] * len(eqn.outvars)


def _pad(eqn: "JaxprEqn", axes: Axes) -> Axes:
    _ensure(
        axes[0] is not None
        and axes[1] is None
        and tuple(eqn.params["padding_config"][axes[0]]) == (0, 0, 0)
    )
    return [axes[0]]


def _slice(eqn: "JaxprEqn", axes: Axes) -> Axes:
    _ensure(eqn.outvars[0].aval.shape[axes[0]] == eqn.invars[0].aval.shape[axes[0]])
    return [axes[0]]


def _dynamic_slice(eqn: "JaxprEqn", axes: Axes) -> Axes:
    _ensure(axes[0] is not None and all(axis is None for axis in axes[1:]))
    return _slice(eqn, axes)


def _dot(eqn: "JaxprEqn", axes: Axes) -> Axes:
    (contracted, batched), (left, right) = eqn.params["dimension_numbers"], axes
    _apart(all(axis not in dims for axis, dims in zip(axes, contracted)))
    in_batch = [axis in dims for axis, dims in zip(axes, batched)]
    if any(in_batch):
        _ensure(all(in_batch) and batched[0].index(left) == batched[1].index(right))
        return [batched[0].index(left)]
    _apart(left is None or right is None)
    side = 0 if right is None else 1
    free = [
        [i for i in range(len(v.aval.shape)) if i not in (*c, *b)]
        for v, c, b in zip(eqn.invars, contracted, batched)
    ]
    return [len(batched[0]) + side * len(free[0]) + free[side].index(axes[side])]


def _convolution(eqn: "JaxprEqn", axes: Axes) -> Axes:
    dims = eqn.params["dimension_numbers"]
    _ensure(
        axes[1] is None and axes[0] == dims.lhs_spec[0] and eqn.params["batch_group_count"] == 1
    )
    return [dims.out_spec[0]]


def _gather(eqn: "JaxprEqn", axes: Axes) -> Axes:
    """Rows of a table by indices of the batch, or the same places of each row."""
    operand, indices = axes
    dims, rank = eqn.params["dimension_numbers"], len(eqn.outvars[0].aval.shape)
    outer = [i for i in range(rank) if i not in dims.offset_dims]
    if operand is None:
        return [outer[indices]]
    if operand in dims.operand_batching_dims:
        place = dims.start_indices_batching_dims[dims.operand_batching_dims.index(operand)]
        _ensure(indices in (None, place))
        return [outer[place]]
    _ensure(indices is None and operand not in (*dims.collapsed_slice_dims, *dims.start_index_map))
    _ensure(eqn.params["slice_sizes"][operand] == eqn.invars[0].aval.shape[operand])
    kept = [
        i
        for i in range(len(eqn.invars[0].aval.shape))
        if i not in (*dims.collapsed_slice_dims, *dims.operand_batching_dims)
    ]
    return [dims.offset_dims[kept.index(operand)]]


def _scan(eqn: "JaxprEqn", axes: Axes) -> Axes:
    """A scan runs over what has one axis more outside than inside. So its constants, what it
    carries and what it runs over are told apart by ranks: the parameters that count them have
    other names in each version of JAX.
    """
    inner = next(inner_jaxprs(eqn.params))
    _ensure(len(inner.invars) == len(axes) and len(inner.outvars) == len(eqn.outvars))
    carries = len(eqn.outvars) - _count_longer(eqn.outvars, inner.outvars)
    carried = len(axes) - _count_longer(eqn.invars, inner.invars)
    consts = carried - carries
    _ensure(consts >= 0 and 0 not in axes[carried:])  # not a loop over the rows
    steps = [None if axis is None else axis - 1 for axis in axes[carried:]]
    carry = axes[consts:carried]
    for _ in range(len(carry) + 1):
        axes_out = _walk(inner, [*axes[:consts], *carry, *steps])
        after = [_joined(a, b) for a, b in zip(carry, axes_out)]
        if after == carry:
            return [*carry, *(None if axis is None else axis + 1 for axis in axes_out[carries:])]
        carry = after
    raise Mixed


def _count_longer(outer: list, inner: list) -> int:
    """How many values at the end have one axis more outside a loop than inside; all before them
    have as many.
    """
    more = [len(a.aval.shape) - len(b.aval.shape) for a, b in zip(outer, inner)]
    _ensure(more == sorted(more) and set(more) <= {0, 1})
    return sum(more)


def _joined(before: int | None, after: int | None) -> int | None:
    _ensure(before is None or after is None or before == after)
    return after if before is None else before


RULES = {
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "transpose": _transpose,
    "squeeze": _squeeze,
    "rev": _reverse,
    "sort": _sort,
    "top_k": _top_k,
    "concatenate": _concatenate,
    "split": _split,
    "pad": _pad,
    "slice": _slice,
    "dynamic_slice": _dynamic_slice,
    "dot_general": _dot,
    "conv_general_dilated": _convolution,
    "gather": _gather,
    "scan": _scan,
}
