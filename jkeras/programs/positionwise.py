"""Whether a function of texts gives each position from this position alone, and all positions in
the same way: read in its program, so that no layer or operation has to be known by its name.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.programs.batch_independence import programs_apart
from jkeras.programs.calls import call_of, inner_jaxprs
from jkeras.programs.primitives import Kind, facts_of
from jkeras.programs.walk import is_literal

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn, Var

Equations = tuple["JaxprEqn", "JaxprEqn"]


def is_positionwise(function: Callable, *texts: Any) -> bool:
    """Whether a function of arrays (batch, time, ...) gives such, each position from the same
    position of the arrays alone, and all positions alike. What cannot be read does not.

    Args:
        texts: the arrays, or what has their shapes and dtypes; of the time only that it is the
            second axis.

    >>> x = jnp.ones((2, 3, 4))
    >>> is_positionwise(lambda x: jax.nn.softmax(jax.nn.relu(x) @ jnp.ones((4, 5))), x)
    True
    >>> is_positionwise(lambda x: x - x.mean(axis=1, keepdims=True), x)
    False
    >>> is_positionwise(lambda x: x + jnp.arange(x.shape[1])[:, None], x)
    False
    """

    def time_first(texts: Sequence[jax.Array]) -> Any:
        outputs = function(*(jnp.swapaxes(x, 0, 1) for x in texts))
        return jax.tree_util.tree_map(lambda y: jnp.swapaxes(y, 0, 1), outputs)

    swapped = [jax.ShapeDtypeStruct((*x.shape[1::-1], *x.shape[2:]), x.dtype) for x in texts]
    try:
        programs = programs_apart(time_first, batch=swapped)
    except Exception:  # a user's function, which takes what it takes
        return False
    return programs is not None and _are_alike(*programs, [True] * len(texts))


def _are_alike(small: "Jaxpr", large: "Jaxpr", is_text: Sequence[bool]) -> bool:
    """Whether nothing in a program differs from position to position, or with their number, but
    what follows from texts: no counting, no table with a row for each.

    Args:
        small, large: the program for two lengths of the time.
        is_text: which of its inputs follow from texts.
    """
    if any(map(_varies, small.constvars, large.constvars)):
        return False
    texts = {atom for atom, follows in zip(small.invars, is_text) if follows}
    for pair in zip(small.eqns, large.eqns):
        follows = [not is_literal(atom) and atom in texts for atom in pair[0].invars]
        if not _inside_is_alike(pair, follows):
            return False
        if any(follows):
            texts.update(pair[0].outvars)
        elif not _repeats(*pair):
            return False
    return True


def _inside_is_alike(pair: Equations, is_text: Sequence[bool]) -> bool:
    """Whether `_are_alike` holds for what an operation runs inside."""
    calls = [call_of(equation) for equation in pair]
    if None not in calls:
        return _are_alike(*(call.jaxpr for call in calls), is_text)
    inside = zip(*(inner_jaxprs(equation.params) for equation in pair))
    return all(_are_alike(*both, [True] * len(both[0].invars)) for both in inside)


def _repeats(small: "JaxprEqn", large: "JaxprEqn") -> bool:
    """Whether an operation without texts has the same numbers for every position, or none for
    positions.
    """
    outputs = list(map(_varies, small.outvars, large.outvars))
    if not any([*outputs, *map(_varies, small.invars, large.invars)]):
        return True
    kind = facts_of(small.primitive.name).kind
    repeats = kind in (Kind.ELEMENTWISE, Kind.BROADCAST) or call_of(small) is not None
    return repeats and all(outputs)


def _varies(small: "Var", large: "Var") -> bool:
    """Whether the size of a value follows from the number of positions."""
    return small.aval.shape != large.aval.shape
