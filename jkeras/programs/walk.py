"""Going through a program, operation by operation, and through the programs in it."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax

from jkeras.ops.kernels import traced_for
from jkeras.programs.calls import inner_jaxprs

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn


class Unreadable(Exception):
    """An operation that a reader of a program has no rule for, or that its rule does not allow.

    Attributes:
        place: the number of the operation in the program that was read.
        name: of the operation, which may be inside of that one.
    """

    def __init__(self, name: str = "", place: int = 0) -> None:
        super().__init__(name, place)
        self.name, self.place = name, place


def trace(function: Callable, *arguments: Any) -> tuple["ClosedJaxpr", Any]:
    """(the program of a function, the shapes of what it returns), in forms that can be
    differentiated in both modes.
    """
    with traced_for("plain"):
        return jax.make_jaxpr(function, return_shape=True)(*arguments)


def is_literal(variable: Any) -> bool:
    """Whether what stands for a value in a program is a number, in its `val`."""
    return hasattr(variable, "val")


def walk(
    jaxpr: "Jaxpr",
    inputs: Sequence[Any],
    visit: Callable[["JaxprEqn", list, int], Sequence[Any]],
    *,
    of_number: Callable[[Any], Any] = lambda value: None,
    consts: Sequence[Any] = (),
    place: int | None = None,
) -> list:
    """What is known of a program's outputs, from what is known of its inputs.

    Args:
        visit: `(operation, of its inputs, its number) -> of its outputs`. Of a call it may walk
            through what `call_of` finds in it.
        of_number: what is known of a number, or an array, in the program.
        consts: the program's arrays; None for those that are not told.
        place: the number that all operations have, as of a call that is gone through; None: each
            its own.

    >>> closed, _ = trace(lambda x: 2 * x + 1, 3.0)
    >>> walk(closed.jaxpr, ["x"], lambda eqn, known, _: [(eqn.primitive.name, *known)],
    ...      of_number=float)
    [('add', ('mul', 2.0, 'x'), 1.0)]
    """
    known = dict(zip(jaxpr.invars, inputs))
    known.update((v, of_number(c)) for v, c in itertools.zip_longest(jaxpr.constvars, consts))

    def read(variable: Any) -> Any:
        return of_number(variable.val) if is_literal(variable) else known[variable]

    for number, eqn in enumerate(jaxpr.eqns):
        at = number if place is None else place
        known.update(zip(eqn.outvars, visit(eqn, [read(v) for v in eqn.invars], at)))
    return [read(v) for v in jaxpr.outvars]


def depends(jaxpr: "Jaxpr", on: Sequence[bool]) -> list[bool]:
    """Of each output whether it may follow from one of these inputs.

    >>> closed, _ = trace(lambda x, y: (x + 1, x * y), 3.0, 3.0)
    >>> depends(closed.jaxpr, [False, True])
    [False, True]
    """
    visit = lambda eqn, given, _: [any(given)] * len(eqn.outvars)  # noqa: E731
    return walk(jaxpr, on, visit, of_number=lambda value: False)


def operations(eqns: Iterable["JaxprEqn"]) -> Iterator["JaxprEqn"]:
    """Operations, each before those of the programs in it.

    >>> closed, _ = trace(jax.jit(lambda x: x + 1), 3.0)
    >>> [eqn.primitive.name for eqn in operations(closed.jaxpr.eqns)][-1]
    'add'
    """
    for eqn in eqns:
        yield eqn
        for inner in inner_jaxprs(eqn.params):
            yield from operations(inner.eqns)


def makers(jaxpr: "Jaxpr") -> dict[Any, int]:
    """{variable: the number of the operation that gives it}."""
    return {v: i for i, eqn in enumerate(jaxpr.eqns) for v in eqn.outvars}
