"""A program of which one position of each row is wanted: what lies before it is computed for all
positions only where the others need it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.programs.calls import Call, call_of, evaluate
from jkeras.programs.selection_rules import Needed, Selection, needed_for
from jkeras.programs.walk import is_literal

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

Want = Selection | str | None  # of a value: one position of each row, "all", or nothing
ALL = "all"


class Value(NamedTuple):
    """An array, or one position of each row of it.

    Attributes:
        array: the numbers.
        selection: what of it they are; None: all.
    """

    array: Any
    selection: Selection | None = None


def run_at_positions(program: "ClosedJaxpr", inputs: Sequence[Any], positions: jax.Array) -> list:
    """The outputs of a program, the first of them for one position of each row, (rows, 1, ...).

    What is not known to give a position from this position alone, with what else it reads, runs
    for all; so does what has a derivative of its own.

    Args:
        positions: (rows,), of the second axis of that output.

    >>> w = jnp.ones((4, 3))
    >>> program = jax.make_jaxpr(lambda x: (jnp.tanh(x @ w), x.sum()))(jnp.ones((2, 9, 4)))
    >>> y, total = run_at_positions(program, [jnp.ones((2, 9, 4))], jnp.array([3, 8]))
    >>> y.shape, float(total)
    ((2, 1, 3), 72.0)
    """
    wants: list[Want] = [Selection(0, 1), *[ALL] * (len(program.jaxpr.outvars) - 1)]
    given = [Value(value) for value in inputs]
    outputs = _Run(positions).run(program.jaxpr, program.consts, given, wants)
    return [value.array for value in outputs]


# ---------------------------------------------------------------- what is wanted


class Plan(NamedTuple):
    """How the operations of a program run.

    Attributes:
        needs: of each operation that runs for a selection what it needs.
        calls: the calls that are gone through.
        values: what is wanted of each value.
    """

    needs: dict[int, Needed]
    calls: dict[int, Call]
    values: dict[Any, Want]


class _Planner:
    """Plans for so many rows, each made once."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._plans: dict[tuple, Plan] = {}

    def plan(self, jaxpr: "Jaxpr", wants: Sequence[Want]) -> Plan:
        """How a program runs of whose outputs this is wanted."""
        key = jaxpr, *wants
        if key not in self._plans:
            self._plans[key] = self._planned(jaxpr, wants)
        return self._plans[key]

    def _planned(self, jaxpr: "Jaxpr", wants: Sequence[Want]) -> Plan:
        """See `plan`."""
        plan = Plan({}, {}, {})
        self._add_wants(plan, jaxpr.outvars, wants)
        for number, eqn in reversed(list(enumerate(jaxpr.eqns))):
            of_outputs = [plan.values.get(atom) for atom in eqn.outvars]
            self._add_wants(plan, eqn.invars, self._wants_before(plan, number, eqn, of_outputs))
        return plan

    def _wants_before(
        self, plan: Plan, number: int, eqn: "JaxprEqn", wants: list[Want]
    ) -> list[Want]:
        """What an operation wants of its inputs; how it runs goes into the plan."""
        distinct = set(wants) - {None}
        if eqn.effects or distinct == {ALL}:
            return [ALL] * len(eqn.invars)
        if not distinct:
            return [None] * len(eqn.invars)
        call = call_of(eqn)
        if call is None or not _is_as_inside(call):
            return self._wants_of_part(plan, number, eqn, distinct)
        plan.calls[number] = call
        inner = self.plan(call.jaxpr, wants)
        return [inner.values.get(atom) for atom in call.jaxpr.invars]

    def _wants_of_part(
        self, plan: Plan, number: int, eqn: "JaxprEqn", wants: set[Want]
    ) -> list[Want]:
        """The same of an operation that runs for one position, where it can."""
        wanted, *others = wants
        needed = None
        if isinstance(wanted, Selection) and not others:
            needed = needed_for(eqn, wanted)
        if needed is None:
            return [ALL] * len(eqn.invars)
        plan.needs[number] = needed
        return [part or ALL for part in needed.inputs]

    def _add_wants(self, plan: Plan, atoms: Sequence[Any], wants: Sequence[Want]) -> None:
        """Adds what is wanted of some values: of one of which two things are wanted all is.

        One position of a value that is the same for all rows is taken of all of it.
        """
        for atom, want in zip(atoms, wants):
            if is_literal(atom) or want is None:
                continue
            if isinstance(want, Selection) and not self._has_rows(atom, want):
                want = ALL
            if plan.values.setdefault(atom, want) != want:
                plan.values[atom] = ALL

    def _has_rows(self, atom: Any, selection: Selection) -> bool:
        """Whether a value has a row for each position that is wanted."""
        return selection.rows is not None and atom.aval.shape[selection.rows] == self._rows


def _is_as_inside(call: Call) -> bool:
    """Whether the derivative of a call is that of what it runs: it has no rule of its own, or it is
    a product, whose rules differ in nothing but speed.
    """
    names = [eqn.primitive.name for eqn in call.jaxpr.eqns]
    return call.is_group or names == ["dot_general"]


# ---------------------------------------------------------------- running


class _Run:
    """A run for these positions (rows,)."""

    def __init__(self, positions: jax.Array) -> None:
        self._positions = positions
        self._planner = _Planner(len(positions))

    def run(
        self, jaxpr: "Jaxpr", consts: Sequence, given: Sequence[Value], wants: Sequence[Want]
    ) -> list[Value]:
        """The outputs of a program of which this is wanted."""
        plan = self._planner.plan(jaxpr, wants)
        values = dict(zip(jaxpr.constvars, map(Value, consts)))
        values.update(zip(jaxpr.invars, given))
        for number, eqn in enumerate(jaxpr.eqns):
            if eqn.effects or any(plan.values.get(atom) is not None for atom in eqn.outvars):
                values.update(zip(eqn.outvars, self._evaluated(eqn, number, plan, values)))
        return [self._read(values, atom, want) for atom, want in zip(jaxpr.outvars, wants)]

    def _evaluated(
        self, eqn: "JaxprEqn", number: int, plan: Plan, values: dict[Any, Value]
    ) -> Sequence[Value]:
        """The outputs of an operation, as the plan says."""
        if number in plan.calls:
            wants = [plan.values.get(atom) for atom in eqn.outvars]
            return self._called(plan.calls[number], eqn, wants, values)
        needed = plan.needs.get(number)
        if needed is None:
            inputs = [self._read(values, atom, ALL).array for atom in eqn.invars]
            return [Value(y) for y in evaluate(eqn.primitive, eqn.params, inputs)]
        inputs = [
            self._read(values, atom, part or ALL).array
            for atom, part in zip(eqn.invars, needed.inputs)
        ]
        outputs = evaluate(eqn.primitive, needed.params, inputs)
        selections = [plan.values.get(atom) for atom in eqn.outvars]
        (selection,) = {want for want in selections if isinstance(want, Selection)}
        return [Value(y, selection) for y in outputs]

    def _called(
        self, call: Call, eqn: "JaxprEqn", wants: Sequence[Want], values: dict[Any, Value]
    ) -> list[Value]:
        """The outputs of what a call runs; of those that nothing follows from, any."""
        wanted = self._planner.plan(call.jaxpr, wants).values
        given = [
            self._read(values, outer, wanted.get(inner))
            for outer, inner in zip(eqn.invars, call.jaxpr.invars)
        ]
        return self.run(call.jaxpr, call.consts, given, wants)

    def _read(self, values: dict[Any, Value], atom: Any, want: Want) -> Value:
        """A value, or what is wanted of it."""
        if want is None:
            return Value(None)
        value = Value(atom.val) if is_literal(atom) else values[atom]
        if want == ALL or value.selection is not None:
            return value
        return Value(self._taken(value.array, want), want)

    def _taken(self, array: jax.Array, selection: Selection) -> jax.Array:
        """One position of each row."""
        if selection.rows is None:
            return jnp.take(array, self._positions, axis=selection.text)
        axes = selection.rows, selection.text
        shape = [1] * array.ndim
        shape[axes[0]] = len(self._positions)
        return jnp.take_along_axis(array, self._positions.reshape(shape), axis=axes[1])
