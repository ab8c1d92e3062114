"""Along which axis of its outputs an operation has the batch, from that of its inputs: a rule for
each kind of operation that keeps the parts of an axis apart.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from jkeras.programs.primitives import Kind
from jkeras.programs.walk import Unreadable

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

Axes: TypeAlias = list[int | None]  # of each value, along which the batch lies; None: it has none
Rule: TypeAlias = Callable[["JaxprEqn", Axes], Axes]


def ensure(condition: bool) -> None:
    """Raises `Unreadable` where rows come together, or may."""
    if not condition:
        raise Unreadable


def _one(axes: Axes) -> int:
    """The one axis that several values have the batch along."""
    distinct = {axis for axis in axes if axis is not None}
    ensure(len(distinct) == 1)
    return distinct.pop()


def _parameter(eqn: "JaxprEqn", *names: str) -> Any:
    """The one parameter of an operation that has one of these names."""
    (value,) = (eqn.params[name] for name in names if name in eqn.params)
    return value


def together(eqn: "JaxprEqn", axes: Axes) -> Axes:
    """Of rows that come together, where they are first in all that has them."""
    ensure(set(axes) <= {0, None})
    return [None] * len(eqn.outvars)


def _elementwise(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis, rank = _one(axes), len(eqn.outvars[0].aval.shape)
    ensure(all(a is None or len(v.aval.shape) == rank for v, a in zip(eqn.invars, axes)))
    return [axis] * len(eqn.outvars)


def _along(eqn: "JaxprEqn", axes: Axes) -> Axes:
    """Along one axis, which is another one than the batch's."""
    axis = _one(axes)
    ensure(_parameter(eqn, "axis", "dimension") != axis)
    return [axis] * len(eqn.outvars)


def _without(eqn: "JaxprEqn", axes: Axes) -> Axes:
    """Some axes are gone."""
    axis = _one(axes)
    gone = np.atleast_1d(_parameter(eqn, "axes", "axis", "dimensions")).tolist()
    ensure(axis not in gone)
    return [axis - sum(g < axis for g in gone)] * len(eqn.outvars)


def _slice(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis, *of_starts = axes
    ensure(axis is not None and all(start is None for start in of_starts))
    ensure(eqn.outvars[0].aval.shape[axis] == eqn.invars[0].aval.shape[axis])
    return [axis]


def _window(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis, params = axes[0], eqn.params
    ensure(axis is not None)
    ensure(params["window_dimensions"][axis] == params["window_strides"][axis] == 1)
    ensure(tuple(params["padding"][axis]) == (0, 0))
    return [axis] * len(eqn.outvars)


def _broadcast(eqn: "JaxprEqn", axes: Axes) -> Axes:
    place = eqn.params["broadcast_dimensions"][axes[0]]
    ensure(eqn.invars[0].aval.shape[axes[0]] == eqn.outvars[0].aval.shape[place])
    return [place]


def _transpose(eqn: "JaxprEqn", axes: Axes) -> Axes:
    return [eqn.params["permutation"].index(axes[0])]


def _reverse(eqn: "JaxprEqn", axes: Axes) -> Axes:
    ensure(axes[0] not in eqn.params["dimensions"])
    return axes


def _top_k(eqn: "JaxprEqn", axes: Axes) -> Axes:
    ensure(eqn.params.get("axis", -1) % len(eqn.invars[0].aval.shape) != axes[0])
    return [axes[0]] * 2


def _pad(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis, of_padding = axes
    ensure(axis is not None and of_padding is None)
    ensure(tuple(eqn.params["padding_config"][axis]) == (0, 0, 0))
    return [axis]


def _dot(eqn: "JaxprEqn", axes: Axes) -> Axes:
    (contracted, batched), (left, right) = eqn.params["dimension_numbers"], axes
    ensure(all(axis not in dims for axis, dims in zip(axes, contracted)))
    in_batch = [axis in dims for axis, dims in zip(axes, batched)]
    if any(in_batch):
        ensure(all(in_batch) and batched[0].index(left) == batched[1].index(right))
        return [batched[0].index(left)]
    ensure(left is None or right is None)
    side = 0 if right is None else 1
    free = [
        [i for i in range(len(v.aval.shape)) if i not in (*c, *b)]
        for v, c, b in zip(eqn.invars, contracted, batched)
    ]
    return [len(batched[0]) + side * len(free[0]) + free[side].index(axes[side])]


def _convolution(eqn: "JaxprEqn", axes: Axes) -> Axes:
    dims = eqn.params["dimension_numbers"]
    ensure(axes[1] is None and axes[0] == dims.lhs_spec[0] and eqn.params["batch_group_count"] == 1)
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
        ensure(indices in (None, place))
        return [outer[place]]
    ensure(indices is None and operand not in (*dims.collapsed_slice_dims, *dims.start_index_map))
    ensure(eqn.params["slice_sizes"][operand] == eqn.invars[0].aval.shape[operand])
    kept = [
        i
        for i in range(len(eqn.invars[0].aval.shape))
        if i not in (*dims.collapsed_slice_dims, *dims.operand_batching_dims)
    ]
    return [dims.offset_dims[kept.index(operand)]]


def _fft(eqn: "JaxprEqn", axes: Axes) -> Axes:
    rank = len(eqn.invars[0].aval.shape)
    ensure(axes[0] is not None and axes[0] < rank - len(eqn.params["fft_lengths"]))
    return [axes[0]]


def _stack(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis = _one(axes)
    ensure(len({v.aval.shape for v in eqn.invars}) == 1)
    return [axis + (eqn.params["axis"] <= axis)]


def _tile(eqn: "JaxprEqn", axes: Axes) -> Axes:
    axis, reps = _one(axes), eqn.params["reps"]
    ensure(reps[axis] == 1 and len(reps) == len(eqn.outvars[0].aval.shape))
    return [axis]


def _scatter(eqn: "JaxprEqn", axes: Axes) -> Axes:
    """Into each row its own numbers, at its own places."""
    axis, dims = _one(axes), eqn.params["dimension_numbers"]
    ensure(axis in dims.operand_batching_dims)
    place = dims.operand_batching_dims.index(axis)
    ensure(dims.scatter_indices_batching_dims[place] == axis and not dims.update_window_dims)
    return [axis]


RULES: dict[Kind, Rule] = {
    Kind.ELEMENTWISE: _elementwise,
    Kind.REDUCTION: _without,
    Kind.SQUEEZE: _without,
    Kind.ALONG: _along,
    Kind.WINDOW: _window,
    Kind.BROADCAST: _broadcast,
    Kind.TRANSPOSE: _transpose,
    Kind.REVERSE: _reverse,
    Kind.TOP_K: _top_k,
    Kind.PAD: _pad,
    Kind.SLICE: _slice,
    Kind.CONTRACTION: _dot,
    Kind.CONVOLUTION: _convolution,
    Kind.GATHER: _gather,
    Kind.FFT: _fft,
    Kind.STACK: _stack,
    Kind.UNSTACK: _without,
    Kind.TILE: _tile,
    Kind.SCATTER: _scatter,
}
