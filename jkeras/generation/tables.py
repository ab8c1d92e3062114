"""How many tokens and positions a model has a row for, seen in its traced program: rows of a table
that is not as long are looked up without an error, and are numbers of nothing.

Whole numbers are followed from the tokens, and from counted positions, to where rows are looked
up. What is computed with them in a way without a rule here is followed no further.
"""

import typing

import jax
import numpy as np

from jkeras.programs.calls import call_of, inner_jaxprs, scan_counts
from jkeras.programs.primitives import Kind, facts_of
from jkeras.programs.walk import walk

if typing.TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn


class Numbers(typing.NamedTuple):
    """Whole numbers that an array holds.

    Attributes:
        count: how many there are, one after the other; None of tokens, which may be any.
        first: of those that are counted.
    """

    count: int | None
    first: int = 0


class AreNegative(typing.NamedTuple):
    """An array that says which of these numbers are below 0."""

    numbers: Numbers


TOKENS = Numbers(None)
SIGNS = {"add": 1, "sub": -1}


class Tables(typing.NamedTuple):
    """What lookups in a program say.

    Attributes:
        tokens: how many tokens there is a row for; None where none is looked up.
        too_short: of the tables that counted numbers go beyond, how many of them have a row, and
            how many there are.
    """

    tokens: int | None
    too_short: tuple[tuple[int, int], ...]


def tables_of(program: typing.Any, index: int) -> Tables:
    """What the lookups in a program say.

    Args:
        program: of `jax.make_jaxpr`.
        index: of the tokens among its flat arguments.

    >>> import jax.numpy as jnp
    >>> def model(tokens, table, positions):
    ...     return table[tokens] + positions[jnp.arange(tokens.shape[1])]
    >>> shapes = jnp.zeros((1, 9), int), jnp.ones((20, 2)), jnp.ones((8, 2))
    >>> tables_of(jax.make_jaxpr(model)(*shapes), 0)
    Tables(tokens=20, too_short=((8, 9),))
    """
    jaxpr = program.jaxpr
    sizes: list[int] = []
    short: list[tuple[int, int]] = []
    inputs = [TOKENS if i == index else None for i in range(len(jaxpr.invars))]
    _follow(jaxpr, inputs, sizes, short)
    return Tables(min(sizes, default=None), tuple(short))


def _follow(jaxpr: "Jaxpr", inputs: list, sizes: list[int], short: list) -> list:
    """Goes through a program and those in it; what is inferred of its outputs.

    Args:
        inputs: what is inferred of them, `Numbers`, `AreNegative` or None.
        sizes, short: collect what is inferred.
    """

    def visit(equation: "JaxprEqn", inputs: list, _: int) -> list:
        call = call_of(equation)
        if call is not None:
            return _follow(call.jaxpr, inputs, sizes, short)
        for inner in inner_jaxprs(equation.params):
            _follow(inner, _inputs_of(equation, inner, inputs), sizes, short)
        if facts_of(equation.primitive.name).kind is Kind.GATHER:
            _look(equation, inputs[1], sizes, short)
        outputs: list = [None] * len(equation.outvars)
        return [_result(equation, inputs), *outputs[1:]] if outputs else outputs

    return walk(jaxpr, inputs, visit)


def _result(equation: "JaxprEqn", inputs: list) -> Numbers | AreNegative | None:
    """What an equation gives; None where nothing is inferred."""
    name, result = equation.primitive.name, equation.outvars[0].aval
    if name == "iota":
        return Numbers(result.shape[equation.params["dimension"]])
    first, *others = *inputs, None
    if _keeps(name):  # as floats, too, which an input without a dtype makes of tokens
        return first
    if isinstance(first, AreNegative):
        # a lookup counts negative numbers from the end
        is_wrapped = name == "select_n" and others[0] == first.numbers
        return first.numbers if is_wrapped else None
    if not isinstance(first, Numbers):
        return None
    if name == "lt" and _constant(equation) == 0:
        return AreNegative(first)
    if name in SIGNS:
        return _moved(first, _constant(equation), SIGNS[name])
    return None


def _keeps(name: str) -> bool:
    """Whether a primitive lays out the numbers that it is given, and changes none."""
    facts = facts_of(name)
    return facts.passes_on or facts.kind in (Kind.BROADCAST, Kind.TRANSPOSE)


def _constant(equation: "JaxprEqn") -> int | None:
    """The second argument of an equation, where it is one number in the program."""
    value = np.asarray(getattr(equation.invars[1], "val", None))
    return int(value) if value.ndim == 0 and value.dtype.kind in "iu" else None


def _moved(numbers: Numbers, by: int | None, sign: int) -> Numbers | None:
    """Counted numbers that a constant is added to."""
    if numbers.count is None or by is None:
        return None
    return Numbers(numbers.count, numbers.first + sign * by)


def _look(equation: "JaxprEqn", numbers: Numbers | None, sizes: list[int], short: list) -> None:
    """Takes a lookup of whole rows by inferred numbers."""
    axes = equation.params["dimension_numbers"].start_index_map
    if not isinstance(numbers, Numbers) or len(axes) != 1:
        return
    takes_the_nearest = equation.params["mode"] is jax.lax.GatherScatterMode.CLIP
    if equation.params["slice_sizes"][axes[0]] != 1 or takes_the_nearest:
        return
    rows = equation.invars[0].aval.shape[axes[0]]
    if numbers.count is None:
        sizes.append(rows)
    elif numbers.first + numbers.count > rows:
        short.append((rows - numbers.first, numbers.count))


def _inputs_of(equation: "JaxprEqn", inner: "Jaxpr", inputs: list) -> list:
    """What is inferred of the inputs of a program in an equation: of a loop, of what does not
    change in it.
    """
    count = 0
    if facts_of(equation.primitive.name).kind is Kind.SCAN:
        ends = [v.aval for v in equation.invars], [v.aval for v in equation.outvars]
        count = (scan_counts(inner, *ends) or (0, 0))[0]
    return [*inputs[:count], *[None] * (len(inner.invars) - count)]
