"""Whether a compiled function treats the rows of a batch one by one, so that rows may be added and
cut off again.

A function is read as a jaxpr, twice, for two sizes of the batch. Each value in it has the batch
along one axis, or not at all; an operation that brings rows together, or that is not known here,
makes the answer no. `are_independent` says whether, `meeting` where.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import jax
import numpy as np

from jkeras.core.graph.keras_tensor import flatten
from jkeras.core.run.programs import call_of, inner_jaxprs
from jkeras.kernel.valid_rows import NAME, ROW_BY_ROW
from jkeras.ops.kernels import traced_for
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Var


class Lying(NamedTuple):
    """Where the batch lies in a value: along an axis, in which each row may have neighbours of the
    same sizes before and behind it, as where batch and time have become one axis.
    """

    axis: int
    before: int = 1
    behind: int = 1


Axes: TypeAlias = list[int | None]  # of each value, along which the batch lies; None: it has none
Places: TypeAlias = list[Lying | None]
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
    """Rows of the batch come together, or nothing is known of an operation.

    Attributes:
        place: the number of the operation in the jaxpr that was read.
        name: of the operation, which may be inside of that one.
    """

    place = 0
    name = ""


class Meeting(NamedTuple):
    """Where rows come together, or may.

    Attributes:
        place: the number of the operation in the jaxpr.
        name: of it, or of that inside of it.
    """

    place: int
    name: str


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
    small = closed[0]
    jaxprs = [_needed(each.jaxpr, each.jaxpr.outvars)[0] for each in closed]
    if _outline(jaxprs[0]) != _outline(jaxprs[1]):
        return False
    places = [None] * fixed + [Lying(0)] * (len(small.in_avals) - fixed)
    along = None if wanted is None else Lying(wanted)
    if any(place != along for place in _walk(jaxprs[0], places)):
        return False
    return wanted is None or all(aval.shape[0] == SIZES[0] for aval in small.out_avals)


def meeting(jaxprs: Sequence["Jaxpr"], given: slice, outputs: slice) -> Meeting | None:
    """The first operation on the way to some outputs of which it is not known that it keeps rows
    apart; None where all of them do.

    Args:
        jaxprs: of one function, for batches of both `SIZES`.
        given: which of the inputs have the batch first.
        outputs: those that are looked at; each has the batch first, or nothing of it.

    >>> closed = [jax.make_jaxpr(lambda x: (2 * x) / x.sum(0))(np.ones((n, 4))) for n in SIZES]
    >>> meeting([c.jaxpr for c in closed], slice(0, 1), slice(0, 1))
    Meeting(place=1, name='reduce_sum')
    """
    needed = [_needed(jaxpr, jaxpr.outvars[outputs]) for jaxpr in jaxprs]
    small, places = needed[0]
    places_in: list = [None] * len(small.invars)
    places_in[given] = [Lying(0)] * len(places_in[given])
    found = _mixed(small, places_in) or _other_outline(*(jaxpr for jaxpr, _ in needed))
    return found and found._replace(place=places[found.place])


def _needed(jaxpr: "Jaxpr", outputs: Sequence["Var"]) -> tuple["Jaxpr", list[int]]:
    """(the jaxpr of some of the outputs alone, the numbers of its operations in the whole)."""
    needed = {v for v in outputs if not hasattr(v, "val")}
    kept = []
    for place, eqn in reversed(list(enumerate(jaxpr.eqns))):
        if needed.intersection(eqn.outvars):
            needed.update(v for v in eqn.invars if not hasattr(v, "val"))
            kept.append(place)
    places = kept[::-1]
    return jaxpr.replace(eqns=[jaxpr.eqns[i] for i in places], outvars=list(outputs)), places


def _other_outline(small: "Jaxpr", large: "Jaxpr") -> Meeting | None:
    """The first operation that is another one, or has other numbers, in a larger batch; or that
    takes rows together and knows which are padding.
    """
    outlines = _outline(small), _outline(large)
    for place, (eqn, one, other) in enumerate(zip(small.eqns, *outlines)):
        if one != other or _has_marked(eqn):
            return Meeting(place, eqn.primitive.name)
    if len(outlines[0]) != len(outlines[1]):
        place = min(map(len, outlines)) - 1
        return Meeting(place, small.eqns[place].primitive.name)
    return None


def _mixed(jaxpr: "Jaxpr", places: Places) -> Meeting | None:
    """Where `_walk` does not go on, or ends with the batch elsewhere."""
    try:
        ends = _walk(jaxpr, places)
    except Mixed as error:
        return Meeting(error.place, error.name)
    made = {v: i for i, eqn in enumerate(jaxpr.eqns) for v in eqn.outvars}
    for variable, end in zip(jaxpr.outvars, ends):
        is_first = end == Lying(0) and variable.aval.shape[0] == SIZES[0]
        if end is not None and not is_first:
            place = made[variable]
            return Meeting(place, jaxpr.eqns[place].primitive.name)
    return None


def size_of(x: Structure) -> int:
    """The number of rows of a batch."""
    first = next((v for v in flatten(x) if v is not None), None)
    if first is None:
        raise ValueError("A batch has no arrays. Expected some.")
    return first.shape[0]


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


def _has_marked(eqn: "JaxprEqn") -> bool:
    """Whether an operation is `over_valid_rows`, or has it inside."""
    inner = (eqn for jaxpr in inner_jaxprs(eqn.params) for eqn in jaxpr.eqns)
    return _is_marked(eqn) or any(map(_has_marked, inner))


def _walk(jaxpr: "Jaxpr", places: Places) -> Places:
    """Where the batch lies in a jaxpr's outputs, from where it lies in its inputs.

    Raises:
        Mixed: it is not known of an operation that it keeps rows apart.
    """
    known = dict(zip(jaxpr.invars, places))
    known.update((v, None) for v in jaxpr.constvars)
    read = lambda v: None if hasattr(v, "val") else known[v]  # noqa: E731
    for number, eqn in enumerate(jaxpr.eqns):
        places_in = [read(v) for v in eqn.invars]
        places_out: Places = [None] * len(eqn.outvars)
        if any(place is not None for place in places_in):
            try:
                places_out = _through(eqn, places_in)
            except Mixed as error:
                error.place, error.name = number, error.name or eqn.primitive.name
                raise
            except Exception as reason:
                # this JAX writes its programs in a way that is not known here
                error = Mixed()
                error.place, error.name = number, eqn.primitive.name
                raise error from reason
        known.update(zip(eqn.outvars, places_out))
    return [read(v) for v in jaxpr.outvars]


def _through(eqn: "JaxprEqn", places: Places) -> Places:
    """Where the batch lies in the outputs of an operation."""
    name = eqn.primitive.name
    if eqn.params.get("name") == ROW_BY_ROW:
        return _row_by_row(eqn, places)
    if not _is_marked(eqn):
        call = call_of(eqn)
        if call is not None:
            return _walk(call.jaxpr, places)
        if name in NESTED:
            return NESTED[name](eqn, places)
    # an operation that keeps the parts of an axis apart keeps rows apart that have neighbours in it
    neighbours = {place[1:] for place in places if place is not None}
    _ensure(len(neighbours) == 1)
    axes = [None if place is None else place.axis for place in places]
    rule = _together if _is_marked(eqn) else _rule(name)
    (around,) = neighbours
    return [None if axis is None else Lying(axis, *around) for axis in rule(eqn, axes)]


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
        raise Mixed
    return RULES[name]


def _ensure(condition: bool) -> None:
    if not condition:
        raise Mixed


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
    _ensure(axis not in gone)
    return [axis - sum(g < axis for g in gone)] * len(eqn.outvars)


def _along(eqn: "JaxprEqn", axes: Axes) -> Axes:
    _ensure(eqn.params["axis"] != axes[0])
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
    _ensure(eqn.params["dimension"] != axis)
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
    _ensure(all(axis not in dims for axis, dims in zip(axes, contracted)))
    in_batch = [axis in dims for axis, dims in zip(axes, batched)]
    if any(in_batch):
        _ensure(all(in_batch) and batched[0].index(left) == batched[1].index(right))
        return [batched[0].index(left)]
    _ensure(left is None or right is None)
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


def _fft(eqn: "JaxprEqn", axes: Axes) -> Axes:
    rank = len(eqn.invars[0].aval.shape)
    _ensure(axes[0] is not None and axes[0] < rank - len(eqn.params["fft_lengths"]))
    return [axes[0]]


def _stack(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis = _one(axes)
    _ensure(len({v.aval.shape for v in eqn.invars}) == 1)
    return [axis + (eqn.params["axis"] <= axis)]


def _scatter(eqn: "JaxprEqn", axes: Axes) -> Axes:
    """Into each row its own numbers, at its own places."""
    operand, indices, updates = axes
    dims = eqn.params["dimension_numbers"]
    axis = next(iter({a for a in (operand, indices, updates) if a is not None}))
    _ensure(axis in dims.operand_batching_dims)
    place = dims.operand_batching_dims.index(axis)
    _ensure(dims.scatter_indices_batching_dims[place] == axis and not dims.update_window_dims)
    _ensure({operand, indices, updates} <= {axis, None})
    return [axis]


# ---------------------------------------------------------------- operations of whole places


def _reshape(eqn: "JaxprEqn", places: Places) -> Places:
    """The batch may become one axis with its neighbours, and apart from them again."""
    old, new = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    axis, before, behind = places[0]
    rows = old[axis] // (before * behind)
    ahead = math.prod(old[:axis]) * before  # numbers that stand before a row's
    _ensure(eqn.params.get("dimensions") is None and rows > 1)
    for i, size in enumerate(new):
        left = math.prod(new[:i])
        if ahead % left == 0 and size % (ahead // left * rows) == 0:
            before = ahead // left
            behind = size // (before * rows)
            # all in one: what comes next is hardly about rows
            _ensure(len(new) > 1 or before * behind == 1)
            return [Lying(i, before, behind)]
    raise Mixed


def _row_by_row(eqn: "JaxprEqn", places: Places) -> Places:
    """What is marked to look at each row by itself."""
    _ensure(set(places) <= {Lying(0), None})
    rows = next(v.aval.shape[0] for v, place in zip(eqn.invars, places) if place is not None)
    _ensure(all(v.aval.shape[:1] == (rows,) for v in eqn.outvars))
    return [Lying(0)] * len(eqn.outvars)


def _cond(eqn: "JaxprEqn", places: Places) -> Places:
    """Branches between which no row chooses."""
    chooses, *given = places
    _ensure(chooses is None)
    branches = [_walk(inner, given) for inner in inner_jaxprs(eqn.params)]
    return [functools.reduce(_joined, of_output) for of_output in zip(*branches)]


def _scan(eqn: "JaxprEqn", places: Places) -> Places:
    """A scan runs over what has one axis more outside than inside. So its constants, what it
    carries and what it runs over are told apart by ranks: the parameters that count them have
    other names in each version of JAX.
    """
    inner = next(inner_jaxprs(eqn.params))
    _ensure(len(inner.invars) == len(places) and len(inner.outvars) == len(eqn.outvars))
    carries = len(eqn.outvars) - _count_longer(eqn.outvars, inner.outvars)
    carried = len(places) - _count_longer(eqn.invars, inner.invars)
    consts = carried - carries
    steps = [_moved(place, -1) for place in places[carried:]]
    # not a loop over the rows
    _ensure(consts >= 0 and all(place is None or place.axis >= 0 for place in steps))
    carry = places[consts:carried]
    for _ in range(len(carry) + 1):
        places_out = _walk(inner, [*places[:consts], *carry, *steps])
        after = [_joined(a, b) for a, b in zip(carry, places_out)]
        if after == carry:
            return [*carry, *(_moved(place, 1) for place in places_out[carries:])]
        carry = after
    raise Mixed


def _moved(place: Lying | None, by: int) -> Lying | None:
    return None if place is None else place._replace(axis=place.axis + by)


def _count_longer(outer: list, inner: list) -> int:
    """How many values at the end have one axis more outside a loop than inside; all before them
    have as many.
    """
    more = [len(a.aval.shape) - len(b.aval.shape) for a, b in zip(outer, inner)]
    _ensure(more == sorted(more) and set(more) <= {0, 1})
    return sum(more)


def _joined(before: Lying | None, after: Lying | None) -> Lying | None:
    _ensure(before is None or after is None or before == after)
    return after if before is None else before


RULES = {
    "broadcast_in_dim": _broadcast,
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
    "fft": _fft,
    "stack": _stack,
    **dict.fromkeys(("scatter", "scatter-add", "scatter_add"), _scatter),
}
NESTED = {
    "reshape": _reshape,
    "cond": _cond,
    "scan": _scan,
}
