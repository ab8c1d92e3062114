"""A function as a tape of JAX's primitives: run forwards once, backwards by rules of one's own.

So a rule that treats relu otherwise sees every relu of a model, whichever layer, argument or
function of the user's it comes from.
"""

import dataclasses
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.programs.calls import call_of, evaluate
from jkeras.programs.primitives import Derivative, Facts, facts_of
from jkeras.programs.walk import trace, walk

if typing.TYPE_CHECKING:
    from jax.extend.core import JaxprEqn


@dataclasses.dataclass(eq=False)
class Entry:
    """One primitive on the tape.

    Attributes:
        primitive, params: what runs.
        inputs, outputs: slots of values.
        active: for each input whether it depends on the variable and is a float, which something
            can come back by; a gradient ends where floats became integers, a difference does not.
        place: the number of the operation in the function's own jaxpr.
    """

    primitive: Any
    params: dict
    inputs: list[int]
    outputs: list[int]
    active: list[bool]
    place: int

    @property
    def facts(self) -> Facts:
        """What is known of the primitive."""
        return facts_of(self.primitive.name)

    def run(self, *values: jax.Array) -> list:
        """The outputs for other inputs."""
        return evaluate(self.primitive, self.params, values)

    def on_active(self, values: Sequence[jax.Array]) -> tuple[Callable, list]:
        """(the outputs as a function of the active inputs, these inputs)."""
        places = [i for i, is_active in enumerate(self.active) if is_active]

        def run(*given: jax.Array) -> list:
            filled = list(values)
            for place, value in zip(places, given):
                filled[place] = value
            return self.run(*filled)

        return run, [values[i] for i in places]


class Given(typing.NamedTuple):
    """An input of a program that is recorded.

    Attributes:
        value, others: at the variable, and at each of the other values of it.
        moves: whether it depends on the variable.
    """

    value: Any
    others: Sequence[Any]
    moves: bool


class Recording:
    """A program at some values of its inputs.

    Args:
        place: the number that all operations have, as of the body of a loop; None: each its own.

    Attributes:
        entries: primitives in order, with the calls of jitted functions opened.
        values: by slot; `other_values` at each of the other values.
        variables, outputs: the slots of the inputs and of what the program gives.
    """

    def __init__(self, program: Any, given: Sequence[Given], place: int | None = None) -> None:
        self.entries: list[Entry] = []
        self.values: list = []
        self.other_values: list[list] = [[] for _ in given[0].others]
        # by slot: whether it depends on the variable, and whether it is a float that does
        self._moves: list[bool] = []
        self._active: list[bool] = []
        self._makers: dict[int, Entry] = {}
        self.variables = [self._new(one.value, one.moves, one.others) for one in given]
        self.outputs = self._record(program, self.variables, place)

    # ------------------------------------------------------------ forwards

    def _new(self, value: Any, moves: bool = False, others: Iterable[Any] = ()) -> int:
        self.values.append(value)
        for values, other in zip(self.other_values, others or [value] * len(self.other_values)):
            values.append(other)
        self._moves.append(moves)
        self._active.append(moves and jnp.issubdtype(jnp.result_type(value), jnp.floating))
        return len(self.values) - 1

    def _record(self, program: Any, inputs: list[int], place: int | None = None) -> list[int]:
        """Runs a jaxpr with its constants on slots; the slots of its outputs."""
        options = {"of_number": self._new, "consts": program.consts, "place": place}
        return walk(program.jaxpr, inputs, self._visit, **options)

    def _visit(self, eqn: "JaxprEqn", given: list[int], place: int) -> list[int]:
        call = call_of(eqn)
        # one with a rule for cotangents keeps it
        if call is not None and call.derivative in (Derivative.INSIDE, Derivative.TANGENTS):
            return self._record(call, given, place)
        return self._run(eqn, given, place)

    def _run(self, eqn: "JaxprEqn", given: list[int], place: int) -> list[int]:
        active = [self._active[i] for i in given]
        moves = any(self._moves[i] for i in given)
        entry = Entry(eqn.primitive, eqn.params, given, [], active, place)
        results = self._results(entry, self.values)
        others = [results] * len(self.other_values)
        if moves:
            others = [self._results(entry, values) for values in self.other_values]
        for i, result in enumerate(results):
            slot = self._new(result, moves, [other[i] for other in others])
            entry.outputs.append(slot)
            self._makers[slot] = entry
        self.entries.append(entry)
        return entry.outputs

    def _results(self, entry: Entry, values: list) -> list:
        """What an entry gives; a constant for constants, so that rules can look at it."""
        given = [values[i] for i in entry.inputs]
        if any(isinstance(value, jax.core.Tracer) for value in given):
            return entry.run(*given)
        with jax.ensure_compile_time_eval():
            return entry.run(*given)

    # ------------------------------------------------------------ backwards

    def cotangents(self, rule: Callable, starts: Sequence[Any]) -> list:
        """What comes back to each input; None where nothing does.

        Args:
            rule: `(tape, entry, cotangents of its outputs) -> those of its active inputs`, or a
                dict of those of any earlier slots. It is asked of what depends on the variable by
                integers alone, too, where a gradient ends and a difference does not.
            starts: the cotangents of the outputs; None: none.
        """
        found: dict[int, Any] = {}
        for slot, start in zip(self.outputs, starts):
            if start is not None:
                found[slot] = found[slot] + start if slot in found else start
        for entry in reversed(self.entries):
            coming = [found.get(slot) for slot in entry.outputs]
            if any(map(self.moves, entry.inputs)) and any(c is not None for c in coming):
                _add(found, entry, rule(self, entry, coming))
        return [found.get(slot) for slot in self.variables]

    def origin(self, entry: Entry) -> int | None:
        """The only value, of the same shape, that an elementwise operation follows from by others
        of this kind; None where there are more.
        """
        waiting = {slot for slot in entry.inputs if self._moves[slot]}
        while len(waiting) > 1 or not all(self._active[slot] for slot in waiting):
            last = max(waiting)
            before = self._makers.get(last)
            if before is None or not before.facts.is_elementwise:
                return None
            waiting.remove(last)
            waiting.update(slot for slot in before.inputs if self._moves[slot])
        (slot,) = waiting
        same = jnp.shape(self.values[slot]) == jnp.shape(self.values[entry.outputs[0]])
        return slot if same else None

    def since(self, origin: int, entry: Entry) -> Callable:
        """The output of an elementwise operation as a function of its origin."""

        steps, waiting = {}, [entry]
        while waiting:
            step = waiting.pop()
            steps[step.outputs[0]] = step  # slots are in the order in which they are made
            moving = [slot for slot in step.inputs if self._moves[slot] and slot != origin]
            makers = [self._makers[slot] for slot in moving]
            waiting += [maker for maker in makers if maker.outputs[0] not in steps]

        def output(value: jax.Array) -> jax.Array:
            known = {origin: value}
            for _, step in sorted(steps.items()):
                if any(slot in known for slot in step.inputs):
                    given = [known.get(slot, self.values[slot]) for slot in step.inputs]
                    known.update(zip(step.outputs, step.run(*given)))
            return known[entry.outputs[0]]

        return output

    def inputs(self, entry: Entry, other: int | None = None) -> list:
        """The values that an entry took, at the variable or at another one."""
        values = self.values if other is None else self.other_values[other]
        return [values[i] for i in entry.inputs]

    def results(self, entry: Entry, other: int | None = None) -> list:
        """The values that it gave."""
        values = self.values if other is None else self.other_values[other]
        return [values[i] for i in entry.outputs]

    # ------------------------------------------------------------ looking

    def maker(self, slot: int) -> Entry | None:
        """The entry that gives a value; None: it is a constant or an input."""
        return self._makers.get(slot)

    def moves(self, slot: int) -> bool:
        """Whether a value depends on the variable, be it an integer or a boolean."""
        return self._moves[slot]

    def is_zero(self, slot: int) -> bool:
        """Whether a value is the number 0, known without running anything."""
        value = self.values[slot]
        if self._moves[slot] or isinstance(value, jax.core.Tracer):
            return False
        return bool(np.all(np.asarray(value) == 0))


class Tape(Recording):
    """A function of one structure of arrays, at some values of it.

    Args:
        function: gives one array.
        variable: the values; `others` are further ones at which it is run too.

    Attributes:
        output: the slot of what it gives.
    """

    def __init__(self, function: Callable, variable: Any, *others: Any) -> None:
        closed, _ = trace(function, variable)
        leaves, self.treedef = jax.tree_util.tree_flatten(variable)
        others_leaves = [jax.tree_util.tree_leaves(other) for other in others]
        given = [
            Given(leaf, [of_other[i] for of_other in others_leaves], True)
            for i, leaf in enumerate(leaves)
        ]
        super().__init__(closed, given)
        (self.output,) = self.outputs

    def backwards(self, rule: Callable, start: jax.Array) -> Any:
        """What comes back to the variable.

        Args:
            rule: as of `cotangents`.
            start: the cotangent of the output.
        """
        found = self.cotangents(rule, [start])
        results = [
            jnp.zeros_like(self.values[slot]) if cotangent is None else cotangent
            for slot, cotangent in zip(self.variables, found)
        ]
        return jax.tree_util.tree_unflatten(self.treedef, results)


def _add(cotangents: dict[int, Any], entry: Entry, going: Any) -> None:
    """Adds what a rule gives to the cotangents by slot: those of the active inputs in order, which
    may be one value twice, or a dict.
    """
    pairs = going.items() if isinstance(going, dict) else zip(_active_slots(entry), going)
    for slot, cotangent in pairs:
        before = cotangents.get(slot)
        cotangents[slot] = cotangent if before is None else before + cotangent


def _active_slots(entry: Entry) -> list[int]:
    return [slot for slot, active in zip(entry.inputs, entry.active) if active]


def gradient(tape: Recording, entry: Entry, coming: list, at: list | None = None) -> list:
    """The rule of the gradient itself.

    Args:
        at: other values of the entry's inputs.
    """
    run, active = entry.on_active(tape.inputs(entry) if at is None else at)
    if not active:
        return []
    outputs, pull = jax.vjp(run, *active)
    filled = [
        _zeros(output) if cotangent is None else cotangent
        for output, cotangent in zip(outputs, coming)
    ]
    return list(pull(filled))


def _zeros(output: Any) -> jax.Array | np.ndarray:
    if jnp.issubdtype(output.dtype, jnp.inexact):
        return jnp.zeros_like(output)
    return np.zeros(output.shape, jax.dtypes.float0)
