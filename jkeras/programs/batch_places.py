"""Where the batch lies in each value of a program, from where it lies in its inputs."""

import functools
import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from jkeras.kernel.valid_rows import NAME, ROW_BY_ROW
from jkeras.programs import axis_rules
from jkeras.programs.axis_rules import ensure
from jkeras.programs.calls import call_of, inner_jaxprs, scan_counts
from jkeras.programs.primitives import Kind, facts_of
from jkeras.programs.walk import Unreadable, walk

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn


class Lying(NamedTuple):
    """Where the batch lies in a value: along an axis, in which each row may have neighbours of the
    same sizes before and behind it, as where batch and time have become one axis.
    """

    axis: int
    before: int = 1
    behind: int = 1


SIZES = (11, 13)  # of a batch: primes, so that a size that has to do with the batch shows
Places: TypeAlias = list[Lying | None]


def follow(jaxpr: "Jaxpr", places: Places) -> Places:
    """Where the batch lies in a jaxpr's outputs, from where it lies in its inputs.

    Raises:
        Unreadable: it is not known of an operation that it keeps rows apart.
    """
    return walk(jaxpr, places, _visit)


def is_marked(eqn: "JaxprEqn") -> bool:
    """Whether an operation is `over_valid_rows`, which knows which rows are valid."""
    return eqn.params.get("name") == NAME


def _visit(eqn: "JaxprEqn", places: Places, number: int) -> Places:
    if all(place is None for place in places):
        _check_samples(eqn, number)
        return [None] * len(eqn.outvars)
    try:
        return _through(eqn, places)
    except Unreadable as error:
        raise Unreadable(error.name or eqn.primitive.name, number) from error
    except Exception as reason:
        # this JAX writes its programs in a way that is not known here
        raise Unreadable(eqn.primitive.name, number) from reason


def _check_samples(eqn: "JaxprEqn", number: int) -> None:
    """Sees that more rows leave what is drawn for the others as it is: a number follows from its
    index among all, so the rows have to come first.
    """
    for inner in inner_jaxprs(eqn.params):
        for each in inner.eqns:
            _check_samples(each, number)
    if eqn.primitive.name == "random_bits":
        first, *others = (*eqn.params["shape"], 1)
        if math.prod(others) % SIZES[0] == 0 and first % SIZES[0]:
            raise Unreadable(eqn.primitive.name, number)


def _through(eqn: "JaxprEqn", places: Places) -> Places:
    """Where the batch lies in the outputs of an operation."""
    if eqn.params.get("name") == ROW_BY_ROW:
        return _row_by_row(eqn, places)
    if is_marked(eqn):
        return _by_axes(axis_rules.together, eqn, places)
    call = call_of(eqn)
    if call is not None:
        return follow(call.jaxpr, places)
    kind = facts_of(eqn.primitive.name).kind
    if kind in NESTED:
        return NESTED[kind](eqn, places)
    ensure(kind in axis_rules.RULES)
    return _by_axes(axis_rules.RULES[kind], eqn, places)


def _by_axes(rule: axis_rules.Rule, eqn: "JaxprEqn", places: Places) -> Places:
    """By a rule for axes: what keeps the parts of an axis apart keeps rows apart that have
    neighbours in it.
    """
    neighbours = {place[1:] for place in places if place is not None}
    ensure(len(neighbours) == 1)
    axes = [None if place is None else place.axis for place in places]
    (around,) = neighbours
    return [None if axis is None else Lying(axis, *around) for axis in rule(eqn, axes)]


# ---------------------------------------------------------------- operations of whole places


def _reshape(eqn: "JaxprEqn", places: Places) -> Places:
    """The batch may become one axis with its neighbours, and apart from them again."""
    old, new = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    axis, before, behind = places[0]
    rows = old[axis] // (before * behind)
    ahead = math.prod(old[:axis]) * before  # numbers that stand before a row's
    ensure(eqn.params.get("dimensions") is None and rows > 1)
    for i, size in enumerate(new):
        left = math.prod(new[:i])
        if ahead % left == 0 and size % (ahead // left * rows) == 0:
            before = ahead // left
            behind = size // (before * rows)
            # all in one: what comes next is hardly about rows
            ensure(len(new) > 1 or before * behind == 1)
            return [Lying(i, before, behind)]
    raise Unreadable


def _row_by_row(eqn: "JaxprEqn", places: Places) -> Places:
    """What is marked to look at each row by itself."""
    ensure(set(places) <= {Lying(0), None})
    rows = next(v.aval.shape[0] for v, place in zip(eqn.invars, places) if place is not None)
    ensure(all(v.aval.shape[:1] == (rows,) for v in eqn.outvars))
    return [Lying(0)] * len(eqn.outvars)


def _cond(eqn: "JaxprEqn", places: Places) -> Places:
    """Branches between which no row chooses."""
    chooses, *given = places
    ensure(chooses is None)
    branches = [follow(inner, given) for inner in inner_jaxprs(eqn.params)]
    return [functools.reduce(_joined, of_output) for of_output in zip(*branches)]


def _scan(eqn: "JaxprEqn", places: Places) -> Places:
    inner = next(inner_jaxprs(eqn.params))
    counts = scan_counts(inner, [v.aval for v in eqn.invars], [v.aval for v in eqn.outvars])
    if counts is None:
        raise Unreadable
    consts, carries = counts
    carried = consts + carries
    steps = [_moved(place, -1) for place in places[carried:]]
    # not a loop over the rows
    ensure(all(place is None or place.axis >= 0 for place in steps))
    carry = places[consts:carried]
    for _ in range(len(carry) + 1):
        places_out = follow(inner, [*places[:consts], *carry, *steps])
        after = [_joined(a, b) for a, b in zip(carry, places_out)]
        if after == carry:
            return [*carry, *(_moved(place, 1) for place in places_out[carries:])]
        carry = after
    raise Unreadable


def _moved(place: Lying | None, by: int) -> Lying | None:
    return None if place is None else place._replace(axis=place.axis + by)


def _joined(before: Lying | None, after: Lying | None) -> Lying | None:
    ensure(before is None or after is None or before == after)
    return after if before is None else before


NESTED = {Kind.RESHAPE: _reshape, Kind.COND: _cond, Kind.SCAN: _scan}
