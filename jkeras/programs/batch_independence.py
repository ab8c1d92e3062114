"""Whether a compiled function treats the rows of a batch one by one, so that rows may be added and
cut off again.

A function is read as a jaxpr, twice, for two sizes of the batch. Each value in it has the batch
along one axis, or not at all; an operation that brings rows together, or that is not known here,
makes the answer no. `are_independent` says whether, `check_apart` where.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.core.weights.types import Structure
from jkeras.programs.batch_places import SIZES, Lying, Places, follow, is_marked
from jkeras.programs.calls import inner_jaxprs
from jkeras.programs.walk import Unreadable, is_literal, makers, operations, trace

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, Var


def of_size(batch: Structure, size: int) -> Structure:
    """The shapes of a batch of another size."""

    def shape(value: Any) -> jax.ShapeDtypeStruct:
        dtype = jax.dtypes.canonicalize_dtype(value.dtype)
        return jax.ShapeDtypeStruct((size, *np.shape(value)[1:]), dtype)

    return jax.tree_util.tree_map(shape, batch)


def are_independent(function: Callable, *arguments: Any, batch: Structure) -> bool:
    """Whether each row of the outputs follows from the same row of a batch alone.

    Args:
        function: `(*arguments, batch) -> outputs`, all of whose outputs have the batch first.
        batch: a structure of arrays or shapes with the batch first.

    >>> are_independent(lambda x: jax.nn.softmax(x @ x.T), batch=np.ones((4, 4))), are_independent(
    ...     jax.nn.softmax, batch=np.ones((4, 4)))
    (False, True)
    """
    return programs_apart(function, *arguments, batch=batch) is not None


def programs_apart(function: Callable, *arguments: Any, batch: Structure) -> list["Jaxpr"] | None:
    """The programs of a function for batches of both `SIZES`, without what no output needs; None
    where rows come together in them, or may. Arguments as of `are_independent`.
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
    return _axes_out(function, arguments, batch, None) is not None


def _axes_out(
    function: Callable, arguments: tuple, batch: Structure, wanted: int | None
) -> list["Jaxpr"] | None:
    """The programs of a function each of whose outputs has the batch along this axis, else None."""
    try:
        small, large = (trace(function, *arguments, of_size(batch, n))[0] for n in SIZES)
    except (TypeError, ValueError):  # made for one size of the batch
        return None
    fixed = len(jax.tree_util.tree_leaves(arguments))
    places = [None] * fixed + [Lying(0)] * (len(small.in_avals) - fixed)
    along = None if wanted is None else Lying(wanted)
    try:
        needed = [_needed(each.jaxpr, each.jaxpr.outvars)[0] for each in (small, large)]
        same = _outline(needed[0]) == _outline(needed[1])
        if not same or any(end != along for end in follow(needed[0], places)):
            return None
    except Exception:
        # Rows meet, or this JAX writes its programs in a way that is not known here. Then rows are
        # taken to meet, which is slower and right.
        return None
    if wanted is None or all(aval.shape[0] == SIZES[0] for aval in small.out_avals):
        return needed
    return None


def check_apart(jaxprs: Sequence["Jaxpr"], given: slice, outputs: slice) -> None:
    """Sees that rows are kept apart on the way to some outputs.

    Args:
        jaxprs: of one function, for batches of both `SIZES`.
        given: which of the inputs have the batch first.
        outputs: those that are looked at; each has the batch first, or nothing of it.

    Raises:
        Unreadable: of an operation it is not known that it does; the first one is named.

    >>> closed = [jax.make_jaxpr(lambda x: (2 * x) / x.sum(0))(np.ones((n, 4))) for n in SIZES]
    >>> check_apart([c.jaxpr for c in closed], slice(0, 1), slice(0, 1))
    Traceback (most recent call last):
    jkeras.programs.walk.Unreadable: ('reduce_sum', 1)
    """
    needed = [_needed(jaxpr, jaxpr.outvars[outputs]) for jaxpr in jaxprs]
    small, places = needed[0]
    places_in: list = [None] * len(small.invars)
    places_in[given] = [Lying(0)] * len(places_in[given])
    try:
        _check_ends(small, places_in)
        _check_outlines(*(jaxpr for jaxpr, _ in needed))
    except Unreadable as error:
        raise Unreadable(error.name, places[error.place]) from error


def _needed(jaxpr: "Jaxpr", outputs: Sequence["Var"]) -> tuple["Jaxpr", list[int]]:
    """(the jaxpr of some of the outputs alone, the numbers of its operations in the whole)."""
    needed = {v for v in outputs if not is_literal(v)}
    kept = []
    for place, eqn in reversed(list(enumerate(jaxpr.eqns))):
        # what calls the host is seen, though no output needs it
        if needed.intersection(eqn.outvars) or eqn.effects:
            needed.update(v for v in eqn.invars if not is_literal(v))
            kept.append(place)
    places = kept[::-1]
    return jaxpr.replace(eqns=[jaxpr.eqns[i] for i in places], outvars=list(outputs)), places


def _check_ends(jaxpr: "Jaxpr", places: Places) -> None:
    """Sees that each output has the batch first, or nothing of it."""
    for variable, end in zip(jaxpr.outvars, follow(jaxpr, places)):
        is_first = end == Lying(0) and variable.aval.shape[0] == SIZES[0]
        if end is not None and not is_first:
            raise _unreadable(jaxpr, makers(jaxpr)[variable])


def _check_outlines(small: "Jaxpr", large: "Jaxpr") -> None:
    """Sees that operations are the same ones, with the same numbers, in a larger batch, and that
    none takes rows together and knows which are padding.
    """
    outlines = _outline(small), _outline(large)
    for place, (eqn, one, other) in enumerate(zip(small.eqns, *outlines)):
        if one != other or any(map(is_marked, operations([eqn]))):
            raise _unreadable(small, place)
    if len(outlines[0]) != len(outlines[1]):
        raise _unreadable(small, min(map(len, outlines)) - 1)


def _unreadable(jaxpr: "Jaxpr", place: int) -> Unreadable:
    return Unreadable(jaxpr.eqns[place].primitive.name, place)


def _outline(jaxpr: "Jaxpr") -> list[tuple]:
    """What a jaxpr does, without its sizes: its operations and the numbers in it."""
    return [
        (
            eqn.primitive.name,
            [str(v.val) for v in eqn.invars if is_literal(v)],
            [] if is_marked(eqn) else [_outline(inner) for inner in inner_jaxprs(eqn.params)],
        )
        for eqn in jaxpr.eqns
    ]
