"""Which part of its inputs an operation needs for one position of each row of its output."""

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from jkeras.programs.axis_rules import RULES, Axes
from jkeras.programs.primitives import Kind, facts_of
from jkeras.programs.walk import Unreadable

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn


class Selection(NamedTuple):
    """One position of each row of a value.

    Attributes:
        rows: the axis of the rows; None: the value is the same for all rows.
        text: the axis of the positions.
    """

    rows: int | None
    text: int


class Needed(NamedTuple):
    """What an operation needs for a selection of its outputs.

    Attributes:
        inputs: of each input a selection; None: all of it.
        params: of the operation on them.
    """

    inputs: list[Selection | None]
    params: dict[str, Any]


def needed_for(eqn: "JaxprEqn", wanted: Selection) -> Needed | None:
    """What an operation needs for a selection of its outputs; None: it needs all, or that is not
    known.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> q, k = jnp.ones((2, 7, 4)), jnp.ones((2, 9, 4))
    >>> program = jax.make_jaxpr(lambda q, k: jnp.einsum("btd,bsd->bts", q, k))(q, k)
    >>> needed_for(program.eqns[0], Selection(0, 1)).inputs
    [Selection(rows=0, text=1), None]
    >>> needed_for(program.eqns[0], Selection(0, 2)).inputs
    [None, Selection(rows=0, text=1)]
    """
    kind = facts_of(eqn.primitive.name).kind
    inputs = _inputs_for(eqn, kind, wanted)
    if inputs is None:
        return None
    is_for_all = any(part is not None and part.rows is None for part in inputs)
    if is_for_all and kind is not Kind.BROADCAST:
        return None
    params = RESIZED.get(kind, _as_they_are)(eqn, wanted, is_for_all)
    if params is None:
        return None
    return Needed(inputs, params)


def _inputs_for(eqn: "JaxprEqn", kind: Kind, wanted: Selection) -> list[Selection | None] | None:
    """The parts of the inputs that an operation needs; None: that is not known."""
    is_sharded = any("sharding" in name and value for name, value in eqn.params.items())
    if is_sharded or kind not in SOURCES or wanted.rows is None:
        return None
    rows, text = SOURCES[kind](eqn, wanted.rows), SOURCES[kind](eqn, wanted.text)
    if rows is None or text is None:
        return None
    each = zip(eqn.invars, rows, text)
    return [_selection(operand.aval.shape, *axes) for operand, *axes in each]


def _selection(shape: tuple, rows: int | None, text: int | None) -> Selection | None:
    """The part of an input; all of it where it has no positions, or one for all."""
    if text is None or shape[text] == 1:
        return None
    return Selection(rows, text)


# ---------------------------------------------------------------- axes


def _of_all(eqn: "JaxprEqn", axis: int) -> Axes | None:
    """Of an operation whose inputs lie like its outputs, but for single numbers."""
    axes = [axis if operand.aval.shape else None for operand in eqn.invars]
    return _if_apart(eqn, axes, axis)


def _of_some(eqn: "JaxprEqn", axis: int) -> Axes | None:
    """Of any operation, by trying."""
    each = [[*range(len(operand.aval.shape)), None] for operand in eqn.invars]
    tried = (_if_apart(eqn, list(axes), axis) for axes in itertools.product(*each))
    return next((axes for axes in tried if axes is not None), None)


def _if_apart(eqn: "JaxprEqn", axes: Axes, axis: int) -> Axes | None:
    """These axes of the inputs, where their parts stay apart along that of the outputs."""
    if not any(one is not None for one in axes):
        return None
    try:
        leads_to = RULES[facts_of(eqn.primitive.name).kind](eqn, axes)
    except (Unreadable, TypeError, ValueError, IndexError):  # a rule for other axes
        return None
    return axes if leads_to == [axis] * len(eqn.outvars) else None


def _of_broadcast(eqn: "JaxprEqn", axis: int) -> Axes:
    dims = eqn.params["broadcast_dimensions"]
    return [dims.index(axis) if axis in dims else None]


def _of_reshape(eqn: "JaxprEqn", axis: int) -> Axes | None:
    """The axis that stays one in a reshape."""
    before, after = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    size = math.prod(after[:axis])
    for number, length in enumerate(before):
        if length == after[axis] and math.prod(before[:number]) == size:
            return [number]
    return None


# Of the kinds that can run on one position: (operation, axis of its outputs) -> the axis of each
# input that it comes from, None for inputs without it; None: it comes from none, or from several.
SOURCES: dict[Kind, Callable[["JaxprEqn", int], Axes | None]] = {
    Kind.ELEMENTWISE: _of_all,
    Kind.ALONG: _of_all,
    Kind.REDUCTION: _of_some,
    Kind.SQUEEZE: _of_some,
    Kind.TRANSPOSE: _of_some,
    Kind.SLICE: _of_some,
    Kind.CONTRACTION: _of_some,
    Kind.BROADCAST: _of_broadcast,
    Kind.RESHAPE: _of_reshape,
}


# ---------------------------------------------------------------- parameters


def _as_they_are(eqn: "JaxprEqn", wanted: Selection, _: bool) -> dict[str, Any]:
    return dict(eqn.params)


def _reshape_of_one(eqn: "JaxprEqn", wanted: Selection, _: bool) -> dict[str, Any] | None:
    if eqn.params["dimensions"] is not None:
        return None
    return {**eqn.params, "new_sizes": _with_one(eqn.params["new_sizes"], wanted.text)}


def _slice_of_one(eqn: "JaxprEqn", wanted: Selection, _: bool) -> dict[str, Any] | None:
    if eqn.primitive.name != "slice":
        return None
    return {**eqn.params, "limit_indices": _with_one(eqn.params["limit_indices"], wanted.text)}


def _broadcast_of_one(eqn: "JaxprEqn", wanted: Selection, is_for_all: bool) -> dict | None:
    """Of an input for all rows that is taken for each, its axis of positions is that of rows."""
    params = {**eqn.params, "shape": _with_one(eqn.params["shape"], wanted.text)}
    if not is_for_all:
        return params
    dims = list(params["broadcast_dimensions"])
    dims[dims.index(wanted.text)] = wanted.rows
    if dims != sorted(dims):
        return None
    return {**params, "broadcast_dimensions": tuple(dims)}


def _with_one(sizes: tuple, axis: int) -> tuple:
    """Sizes, with 1 for this axis."""
    return (*sizes[:axis], 1, *sizes[axis + 1 :])


# (operation, selection of its output, whether its input is the same for all rows) -> parameters on
# one position; None: it has none. Those of other kinds are the same for any.
RESIZED: dict[Kind, Callable[["JaxprEqn", Selection, bool], dict[str, Any] | None]] = {
    Kind.RESHAPE: _reshape_of_one,
    Kind.SLICE: _slice_of_one,
    Kind.BROADCAST: _broadcast_of_one,
}
