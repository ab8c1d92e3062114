"""Where a number that is not finite came from: a program is run operation by operation, and of each
result that is not finite it is remembered what it was made of.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jkeras.debug.marks import BACKWARD, FORWARD, PRIMITIVE
from jkeras.core.errors import explain
from jkeras.programs.calls import call_of, evaluate, inner_programs, scan_counts
from jkeras.programs.walk import is_literal

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn

IGNORED = "debug_callback", "debug_print"  # they give nothing
TRANSPOSED = "transpose"  # in the names of what a gradient is made by


@dataclasses.dataclass(eq=False)
class Origin:
    """An array that is not finite.

    Attributes:
        place: how many operations ran before the one that made it; -1: it was given.
        name: of the operation, or of what was given; "" of a number in the program.
        has_nan: whether it has NaN, rather than infinity alone.
        is_backward: whether the operation is one of a gradient.
        parents: the arrays that are not finite among those that it was made of.
        bad: what of it is not finite.
        turn: of the outermost loop that the operation is in, (number, of how many); None: it is in
            none.
        is_made: whether it was made, or given, rather than being in the program as a number, such
            as the infinity of a mask.
    """

    place: int
    name: str
    has_nan: bool
    bad: np.ndarray
    is_backward: bool = False
    parents: tuple["Origin", ...] = ()
    turn: tuple[int, int] | None = None
    is_made: bool = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        if self.parents:
            self.is_made = all(parent.is_made for parent in self.parents)
        else:
            self.is_made = bool(self.name)


@dataclasses.dataclass(eq=False)
class Value:
    """An array of a program, and where it came from if it is not finite."""

    array: Any
    origin: Origin | None = None


class Mark(NamedTuple):
    """A layer's output, or the gradient of it, came by.

    Attributes:
        place: how many operations ran before.
        is_backward: whether it is the gradient.
        layer: in words.
        is_finite: whether all numbers were finite.
    """

    place: int
    is_backward: bool
    layer: str
    is_finite: bool


class Replay:
    """Runs a program operation by operation.

    Attributes:
        marks: in the order in which they came.
    """

    def __init__(self) -> None:
        self.place = 0
        self.marks: list[Mark] = []
        self._turn: tuple[int, int] | None = None

    def given(self, name: str, array: Any) -> Value:
        """A value that a program is given."""
        bad = _bad(array)
        if bad is None:
            return Value(array)
        return Value(array, Origin(-1, name, _has_nan(array), bad))

    def run(self, jaxpr: "Jaxpr", consts: Sequence[Any], values: Sequence[Value]) -> list[Value]:
        """The outputs of a program."""
        known = dict(zip(jaxpr.constvars, [self.given("", const) for const in consts]))
        known.update(zip(jaxpr.invars, values))

        def read(atom: Any) -> Value:
            return self.given("", atom.val) if is_literal(atom) else known[atom]

        for eqn in jaxpr.eqns:
            known.update(zip(eqn.outvars, self._of(eqn, [read(v) for v in eqn.invars])))
        return [read(v) for v in jaxpr.outvars]

    def _of(self, eqn: "JaxprEqn", values: list[Value]) -> list[Value]:
        """The outputs of an operation."""
        name = eqn.primitive.name
        if name == PRIMITIVE:
            self._note(eqn.params["name"], values[0].origin is None)
            return values
        if name in IGNORED:
            return [self.given("", jnp.zeros(v.aval.shape, v.aval.dtype)) for v in eqn.outvars]
        inner = {"scan": self._scan, "while": self._while, "cond": self._cond}.get(name)
        if inner is not None:
            return inner(eqn, values)
        call = call_of(eqn)
        if call is not None:
            return self.run(call.jaxpr, call.consts, values)
        self.place += 1
        results = evaluate(eqn.primitive, eqn.params, [v.array for v in values])
        return [self._made(eqn, values, result) for result in results]

    def _note(self, label: str, is_finite: bool) -> None:
        for start, is_backward in ((FORWARD, False), (BACKWARD, True)):
            if label.startswith(start):
                layer = label.removeprefix(start)
                self.marks.append(Mark(self.place, is_backward, layer, is_finite))

    def _made(self, eqn: "JaxprEqn", values: list[Value], result: Any) -> Value:
        bad = _bad(result)
        if bad is None:
            return Value(result)
        parents = tuple(v.origin for v in values if v.origin is not None)
        is_backward = TRANSPOSED in str(eqn.source_info.name_stack)
        name, has_nan = eqn.primitive.name, _has_nan(result)
        return Value(
            result, Origin(self.place, name, has_nan, bad, is_backward, parents, self._turn)
        )

    # ------------------------------------------------------------ loops and branches

    def _cond(self, eqn: "JaxprEqn", values: list[Value]) -> list[Value]:
        branch = eqn.params["branches"][int(values[0].array)]
        return self.run(branch.jaxpr, branch.consts, values[1:])

    def _while(self, eqn: "JaxprEqn", values: list[Value]) -> list[Value]:
        params = eqn.params
        ends, body = params["cond_jaxpr"], params["body_jaxpr"]
        of_cond, of_body = params["cond_nconsts"], params["body_nconsts"]
        consts = values[of_cond : of_cond + of_body]
        carried = values[of_cond + of_body :]
        while bool(self.run(ends.jaxpr, ends.consts, values[:of_cond] + carried)[0].array):
            carried = self.run(body.jaxpr, body.consts, consts + carried)
        return carried

    def _scan(self, eqn: "JaxprEqn", values: list[Value]) -> list[Value]:
        (body,), length = inner_programs(eqn.params), eqn.params["length"]
        counts = scan_counts(body.jaxpr, [v.array for v in values], [v.aval for v in eqn.outvars])
        if counts is None:
            raise ValueError(explain("jkeras", "a scan over its last inputs", "another `scan`"))
        begin, count = counts
        consts, carried = values[:begin], values[begin : begin + count]
        stacked = values[begin + count :]
        rows: list[list[Value]] = [[] for _ in body.out_avals[count:]]
        outer = self._turn
        step = 1 - 2 * bool(eqn.params["reverse"])
        for turn in range(length)[::step]:
            self._turn = outer or (turn, length)
            one = [_part(value, turn) for value in stacked]
            outputs = self.run(body.jaxpr, body.consts, [*consts, *carried, *one])
            carried = outputs[:count]
            for row, value in zip(rows, outputs[count:]):
                row.append(value)
        self._turn = outer
        shapes = body.out_avals[count:]
        return carried + [_stacked(row[::step], shape) for row, shape in zip(rows, shapes)]


def _part(value: Value, index: int) -> Value:
    """A slice of a value along its first axis."""
    array = value.array[index]
    if _bad(array) is None:
        return Value(array)
    return Value(array, value.origin)


def _stacked(values: list[Value], shape: Any) -> Value:
    """Values along a new first axis; it comes from where the first that is not finite does."""
    if not values:
        return Value(jnp.zeros((0, *shape.shape), shape.dtype))
    origins = [value.origin for value in values if value.origin is not None]
    array = jnp.stack([value.array for value in values])
    if not origins:
        return Value(array)
    return Value(array, min(origins, key=lambda origin: (not origin.has_nan, origin.place)))


def _bad(array: Any) -> np.ndarray | None:
    """What of an array is not finite; None: all is."""
    if not jnp.issubdtype(jnp.result_type(array), jnp.inexact):
        return None
    finite = np.isfinite(np.asarray(array))  # on the host: nothing is compiled for it
    return None if finite.all() else ~finite


def _has_nan(array: Any) -> bool:
    return bool(np.isnan(np.asarray(array)).any())


# ---------------------------------------------------------------- back to where it began


def root_of(origin: Origin) -> tuple[Origin, Origin]:
    """(the first array that was not finite on the way to one, the first that was NaN on it).

    An infinity that was in the program as a number, as in a mask, is no beginning.
    """
    nan = origin
    while parents := [parent for parent in nan.parents if parent.has_nan or not nan.has_nan]:
        nan = min(parents, key=lambda parent: parent.place)
    first = nan
    while parents := [parent for parent in first.parents if parent.is_made]:
        first = min(parents, key=lambda parent: parent.place)
    return first, nan
