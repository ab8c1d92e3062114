"""Where params meet the other values of a function: each operation that takes them, what goes into
it, and the gradient of what comes out of it.

A function of one row is read as a jaxpr. Wherever an operation takes params, a change of zero is
added to what it gives, and the function is differentiated by these changes. So it does not matter
which layer the operation belongs to.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.programs.calls import call_of
from jkeras.programs.primitives import Facts
from jkeras.programs.tape import Entry
from jkeras.programs.walk import trace, walk

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

CAST = "convert_element_type"

Tree = Any


@dataclasses.dataclass(eq=False)
class View:
    """Params as an operation takes them.

    Attributes:
        leaf: the number of the params' leaf.
        steps: operations that make the operand of the leaf: axes in another order, another
            precision.
    """

    leaf: int
    steps: tuple[Entry, ...] = ()

    def arrange(self, leaf: jax.Array) -> jax.Array:
        """The operand of a leaf."""
        for step in self.steps:
            (leaf,) = step.run(leaf)
        return leaf

    def places(self, numbers: jax.Array) -> jax.Array:
        """What lies where in the operand, of an array of the leaf's shape in any precision."""
        for step in self.steps:
            if step.primitive.name != CAST:
                (numbers,) = step.run(numbers)
        return numbers


@dataclasses.dataclass(eq=False)
class Site:
    """An operation that takes params.

    Attributes:
        entry: the operation.
        views: by the place of an operand, those that are params.
    """

    entry: Entry
    views: dict[int, View]


@dataclasses.dataclass(eq=False)
class Use:
    """A leaf of the params in one operation.

    Attributes:
        site, place: the operation, and which operand of it the leaf is.
        operands: all of it, at some params and some row.
        slopes: the gradients of its outputs.
    """

    site: Site
    place: int
    operands: list
    slopes: list

    @property
    def facts(self) -> Facts:
        """What is known of the operation."""
        return self.site.entry.facts

    def gradient(self, value: jax.Array) -> jax.Array:
        """What the gradient of the leaf, which has a value, gets from the operation."""

        def run(leaf: jax.Array) -> list:
            given = list(self.operands)
            given[self.place] = self.site.views[self.place].arrange(leaf)
            outputs = self.site.entry.run(*given)
            return [v for v, slope in zip(outputs, self.slopes) if slope is not None]

        _, pull = jax.vjp(run, value)
        return pull([slope for slope in self.slopes if slope is not None])[0]


def uses(function: Callable, params: Tree, *rows: Any) -> list[list[Use]]:
    """For each leaf of the params the operations that take it, with the gradients of a scalar.

    Args:
        function: `(params, *rows) -> scalar`.

    >>> (kernel,) = uses(lambda w, x: jnp.sum(x @ w), jnp.ones((3, 2)), jnp.ones(3))
    >>> kernel[0].site.entry.primitive, kernel[0].place, kernel[0].slopes[0].tolist()
    (dot_general, 1, [1.0, 1.0])
    """
    return reading(lambda params, *rows: (function(params, *rows), None), params, *rows)[0]


def reading(function: Callable, params: Tree, *rows: Any) -> tuple[list[list[Use]], Any]:
    """(as of `uses`, what else a function gives).

    Args:
        function: `(params, *rows) -> (scalar, anything)`.
    """

    def times_one(params: Tree, *rows: Any) -> tuple:
        # a product, lest the value be one of the params and no operation take it
        value, aux = function(params, *rows)
        return value * 1, aux

    closed, (_, shapes) = trace(times_one, params, *rows)
    leaves = jax.tree_util.tree_leaves(params)
    given = [(leaf, View(i)) for i, leaf in enumerate(leaves)]
    given += [(leaf, None) for leaf in jax.tree_util.tree_leaves(rows)]
    sites: list[Site] = []

    def run(changes: list | None) -> tuple[jax.Array, list]:
        tape = _Reading(changes)
        (value, _), *others = tape.inside(closed, given)
        sites[:] = tape.sites
        return value, (tape.operands, tape.outputs, [value for value, _ in others])

    _, (_, outputs, _) = jax.eval_shape(run, None)
    zeros = [[_zeros(output) for output in of_site] for of_site in outputs]
    slopes, (operands, _, aux) = jax.grad(run, has_aux=True)(zeros)
    met = list(zip(sites, operands, slopes))
    structure = jax.tree_util.tree_structure(shapes)
    return [_uses_of(i, met) for i in range(len(leaves))], structure.unflatten(aux)


def _uses_of(leaf: int, met: list[tuple[Site, list, list]]) -> list[Use]:
    """The uses of one leaf among (site, its operands, slopes of its outputs)."""
    return [
        Use(site, place, operands, slopes)
        for site, operands, slopes in met
        for place, view in site.views.items()
        if view.leaf == leaf
    ]


def _zeros(output: Any) -> jax.Array | None:
    return jnp.zeros(output.shape, output.dtype) if _is_real(output) else None


def _is_real(value: Any) -> bool:
    return jnp.issubdtype(value.dtype, jnp.floating)


class _Reading:
    """Runs a jaxpr with changes at its sites.

    Attributes:
        sites, operands, outputs: of the operations that take params, in order.
    """

    def __init__(self, changes: list | None) -> None:
        self.changes = changes
        self.sites: list[Site] = []
        self.operands: list[list] = []
        self.outputs: list[list] = []

    def inside(self, program: Any, inputs: list) -> list:
        """(value, view) of each output of a jaxpr with its constants."""
        of_number = lambda value: (value, None)  # noqa: E731
        jaxpr, consts = program.jaxpr, program.consts
        return walk(jaxpr, inputs, self._visit, of_number=of_number, consts=consts)

    def _visit(self, eqn: "JaxprEqn", inputs: list, place: int) -> list:
        values = [value for value, _ in inputs]
        views = {i: view for i, (_, view) in enumerate(inputs) if view is not None}
        entry = Entry(eqn.primitive, eqn.params, [], [], [], place)
        if not views:
            return [(value, None) for value in entry.run(*values)]
        call = call_of(eqn)
        if call is not None and call.is_group:  # not one with a derivative of its own
            return self.inside(call, inputs)
        if _keeps_length(entry, eqn):
            view = views[0]
            (value,) = entry.run(*values)
            return [(value, View(view.leaf, (*view.steps, entry)))]
        return [(value, None) for value in self._at_site(Site(entry, views), values)]

    def _at_site(self, site: Site, values: list) -> list:
        outputs = site.entry.run(*values)
        if self.changes is not None:
            changes = self.changes[len(self.sites)]
            outputs = [v if c is None else v + c for v, c in zip(outputs, changes)]
        self.sites.append(site)
        self.operands.append(values)
        self.outputs.append(outputs)
        return outputs


def _keeps_length(entry: Entry, eqn: "JaxprEqn") -> bool:
    """Whether the output is the one input in another arrangement or precision."""
    if len(eqn.invars) != 1 or len(eqn.outvars) != 1:
        return False
    (given,), (gives,) = eqn.invars, eqn.outvars
    if eqn.primitive.name == CAST:
        return _is_real(gives.aval)
    return entry.facts.arranges and given.aval.size == gives.aval.size
