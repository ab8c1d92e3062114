"""A program that is run again, where operations are looked at and changed: its own, and those in
the steps of its scans.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jax

from jkeras.core.run.tap_changes import Changes
from jkeras.programs.calls import evaluate, inner_programs, scan_counts
from jkeras.programs.walk import walk

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, JaxprEqn

Key = tuple[int, ...]  # the number of an operation, behind those of the scans that it is in


def as_one(outputs: Sequence) -> Any:
    """What an operation gives: an array, or a list of several."""
    return outputs[0] if len(outputs) == 1 else list(outputs)


class Steps(NamedTuple):
    """What a scan does.

    Attributes:
        program: of a step.
        length: how many steps there are.
        consts, carried: how many of its first inputs are the same in all steps, how many behind
            them go from one to the next.
    """

    program: "ClosedJaxpr"
    length: int
    consts: int
    carried: int


def steps_of(eqn: "JaxprEqn") -> Steps | None:
    """The steps of a scan; None: it is another operation, or a scan that cannot be told apart into
    constants, carry and steps.

    >>> import jax.numpy as jnp
    >>> f = lambda xs: jax.lax.scan(lambda t, x: (t + x, t), 0.0, xs)
    >>> (eqn,) = jax.make_jaxpr(f)(jnp.ones(3)).jaxpr.eqns
    >>> steps_of(eqn)[1:]
    (3, 0, 1)
    """
    if eqn.primitive.name != "scan":
        return None
    (body,) = inner_programs(eqn.params)
    ends = [v.aval for v in eqn.invars], [v.aval for v in eqn.outvars]
    counts = scan_counts(body.jaxpr, *ends)
    return counts and Steps(body, eqn.params["length"], *counts)


def rerun(
    program: "ClosedJaxpr",
    inputs: Sequence[Any],
    changes: Mapping[Key, Changes],
    wanted: Collection[Key],
) -> tuple[list, dict[Key, Any]]:
    """(outputs of a program, what the wanted operations give); of those in scans with an axis of
    steps in front, for each scan.

    Args:
        changes: (place, `Change`) pairs by operation; the values of those in scans have the axes of
            steps, too.

    >>> program = jax.make_jaxpr(lambda x: 2 * (x + 1))(1.0)
    >>> outputs, seen = rerun(program, [1.0], {}, [(0,)])
    >>> float(outputs[0]), float(seen[0,])
    (4.0, 2.0)
    """
    seen: dict[Key, Any] = {}

    def visit(eqn: "JaxprEqn", values: list, number: int) -> list:
        here = _of(number, changes), _of(number, dict.fromkeys(wanted))
        outputs, looked_at = _evaluated(eqn, values, *here)
        seen.update({(number, *key): value for key, value in looked_at.items()})
        return outputs

    jaxpr, consts = program.jaxpr, program.consts
    outputs = walk(jaxpr, inputs, visit, of_number=lambda value: value, consts=consts)
    return outputs, seen


def _of(number: int, by_key: Mapping[Key, Any]) -> dict[Key, Any]:
    """What is of one operation and those in its steps, by their keys in it."""
    return {key[1:]: of for key, of in by_key.items() if key[0] == number}


def _evaluated(
    eqn: "JaxprEqn", values: list, changes: dict[Key, Changes], wanted: dict[Key, None]
) -> tuple[list, dict[Key, Any]]:
    """The outputs of an operation, which is () among the keys, see `rerun`."""
    own, is_wanted = changes.pop((), ()), () in wanted
    wanted = {key: None for key in wanted if key}
    if changes or wanted:
        outputs, seen = _scanned(eqn, values, changes, wanted)
    else:
        outputs, seen = evaluate(eqn.primitive, eqn.params, values), {}
    for place, change in own:
        changed = change.of(place, as_one(outputs))
        outputs = changed if isinstance(changed, list) else [changed]
    if is_wanted:
        seen[()] = as_one(outputs)
    return outputs, seen


def _scanned(
    eqn: "JaxprEqn", values: list, changes: Mapping[Key, Changes], wanted: Collection[Key]
) -> tuple[list, dict[Key, Any]]:
    """A scan, see `rerun`."""
    body, length, first, carried = cast(Steps, steps_of(eqn))  # which has operations
    consts, carry, xs = values[:first], values[first : first + carried], values[first + carried :]
    given = {key: [change.value for _, change in each] for key, each in changes.items()}

    def step(carry: list, of_step: tuple[list, dict]) -> tuple[list, tuple[list, dict]]:
        xs, given = of_step
        here = {key: list(_with_values(changes[key], given[key])) for key in changes}
        outputs, seen = rerun(body, [*consts, *carry, *xs], here, wanted)
        return outputs[:carried], (outputs[carried:], seen)

    carry, (ys, seen) = jax.lax.scan(
        step, carry, (xs, given), length, reverse=eqn.params["reverse"]
    )
    return [*carry, *ys], seen


def _with_values(changes: Changes, values: list) -> Iterator[tuple[Any, Any]]:
    """The changes with these values."""
    for (place, change), value in zip(changes, values):
        yield place, change._replace(value=value)
