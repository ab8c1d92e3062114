"""Going backwards through a loop by rules of one's own: the body at each of its steps."""

import typing
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.programs.calls import evaluate_jaxpr, inner_programs, scan_counts
from jkeras.programs.tape import Entry, Given, Recording
from jkeras.programs.walk import depends

Rule = Callable[[Recording, Entry, list], Any]


class _Parts(typing.NamedTuple):
    """What a `scan` takes, or what there is for each of it."""

    consts: list
    carry: list
    sliced: list


class _Loop:
    """A `scan` on a tape.

    Attributes:
        body: the program of a step, `(consts, carry, slices) -> (carry, results)`.
        moves: of each input of the body whether it depends on the variable at some step.
        active: of each whether it is a float that does.
    """

    def __init__(self, tape: Recording, entry: Entry) -> None:
        params = entry.params
        self.entry = entry
        self._options = {key: params[key] for key in ("length", "reverse")}
        (self.body,) = inner_programs(params)
        counts = scan_counts(self.body.jaxpr, tape.inputs(entry), tape.results(entry))
        if counts is None:
            raise ValueError(explain("jkeras", "a scan over its last inputs", "another `scan`"))
        self._counts = counts
        self.moves = self._moving([tape.moves(slot) for slot in entry.inputs])
        floats = [jnp.issubdtype(v.aval.dtype, jnp.floating) for v in self.body.jaxpr.invars]
        self.active = [moves and is_float for moves, is_float in zip(self.moves, floats)]

    def parts(self, of_inputs: Sequence[Any]) -> _Parts:
        """What there is of each input, by what the loop does with it."""
        consts, carry = self._counts
        given = list(of_inputs)
        return _Parts(given[:consts], given[consts : consts + carry], given[consts + carry :])

    def _moving(self, moves: list[bool]) -> list[bool]:
        """Until nothing changes: what moves at one step moves what is carried to the next one."""
        consts, carry = self._counts
        while True:
            after = depends(self.body.jaxpr, moves)[:carry]
            carried = [a or b for a, b in zip(moves[consts : consts + carry], after)]
            now = [*moves[:consts], *carried, *moves[consts + carry :]]
            if now == moves:
                return moves
            moves = now

    def carried(self, values: list) -> list:
        """What is carried into each step, along a first axis."""
        consts, begin, sliced = self.parts(values)

        def step(carry: list, slices: list) -> tuple[list, list]:
            outputs = evaluate_jaxpr(self.body, [*consts, *carry, *slices])
            return outputs[: len(carry)], carry

        return jax.lax.scan(step, list(begin), list(sliced), **self._options)[1]

    def backwards(self, step: Callable, begin: Any, of_steps: Any) -> tuple[Any, Any]:
        """A loop over the steps in the other order."""
        options = {**self._options, "reverse": not self._options["reverse"]}
        return jax.lax.scan(step, begin, of_steps, **options)


def through_loop(tape: Recording, entry: Entry, coming: list, rule_of: Callable) -> list:
    """The cotangents of the active inputs of a `scan`, by the rules for what is in it.

    Args:
        coming: the cotangents of its outputs.
        rule_of: `tape of one step -> rule` for that tape.

    >>> from jkeras.programs.tape import Tape, gradient
    >>> total = lambda x: jax.lax.scan(lambda c, v: (c * v, None), 1.0, x)[0]
    >>> tape = Tape(total, jnp.array([2.0, 3.0, 4.0]))
    >>> through = lambda tape, entry, coming: through_loop(tape, entry, coming, lambda _: gradient)
    >>> tape.backwards(through, jnp.ones(())).tolist()
    [12.0, 8.0, 6.0]
    """
    loop = _Loop(tape, entry)
    now = loop.parts(tape.inputs(entry))
    others = [loop.parts(tape.inputs(entry, i)) for i in range(len(tape.other_values))]
    active = loop.parts(loop.active)
    count = len(now.carry)

    def step(totals: tuple[list, list], of_step: tuple) -> tuple[tuple[list, list], list]:
        of_consts, of_carry = totals
        (carry, slices), *other_steps, results = of_step
        values = [*now.consts, *carry, *slices]
        other_values = [[*o.consts, *c, *s] for o, (c, s) in zip(others, other_steps)]
        given = [
            Given(value, [other[i] for other in other_values], moves)
            for i, (value, moves) in enumerate(zip(values, loop.moves))
        ]
        inner = Recording(loop.body, given, entry.place)
        starts = [*_whole(of_carry, active.carry), *results]
        found = loop.parts(_filled(inner.cotangents(rule_of(inner), starts), values))
        added = [a + b for a, b in zip(of_consts, _chosen(found.consts, active.consts))]
        carried = _chosen(found.carry, active.carry)
        return (added, carried), _chosen(found.sliced, active.sliced)

    begin = (
        [jnp.zeros_like(v) for v in _chosen(now.consts, active.consts)],
        _chosen(_filled(coming[:count], now.carry), active.carry),
    )
    of_steps = [(loop.carried(tape.inputs(entry)), now.sliced)]
    of_steps += [
        (loop.carried(tape.inputs(entry, i)), other.sliced) for i, other in enumerate(others)
    ]
    (consts, carry), sliced = loop.backwards(step, begin, (*of_steps, coming[count:]))
    found = [*_whole(consts, active.consts), *_whole(carry, active.carry)]
    found += _whole(sliced, active.sliced)
    # what moves only from the second step on starts as a constant
    return [cotangent for cotangent, is_active in zip(found, entry.active) if is_active]


def _filled(cotangents: list, values: list) -> list:
    """Zeros where nothing comes back."""
    return [
        jnp.zeros_like(value) if cotangent is None else cotangent
        for cotangent, value in zip(cotangents, values)
    ]


def _chosen(values: list, which: list[bool]) -> list:
    return [value for value, is_chosen in zip(values, which) if is_chosen]


def _whole(values: list, which: list[bool]) -> list:
    """None between the chosen ones."""
    given = iter(values)
    return [next(given) if is_chosen else None for is_chosen in which]
