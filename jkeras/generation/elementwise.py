"""Whether a function of an array gives each number from this number alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax

from jkeras.programs.calls import call_of
from jkeras.programs.primitives import Kind, facts_of

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn

SHAPE = (1, 3, 5)


def is_elementwise(function: Callable) -> bool:
    """Whether a function is made of elementwise ones only; what is not known is not.

    >>> import jax.numpy as jnp
    >>> is_elementwise(lambda x: jnp.square(jax.nn.relu(x)))
    True
    >>> is_elementwise(lambda x: x - x.mean(axis=1, keepdims=True))
    False
    """
    try:
        program = jax.make_jaxpr(function)(jax.ShapeDtypeStruct(SHAPE, "float32"))
    except Exception:  # it is a user's, and takes what it takes
        return False
    results = program.jaxpr.outvars
    return len(results) == 1 and results[0].aval.shape == SHAPE and _are_known(program.jaxpr)


def _are_known(jaxpr: "Jaxpr") -> bool:
    """Whether all equations of a program are elementwise."""
    return not jaxpr.constvars and all(map(_is_known, jaxpr.eqns))


def _is_known(equation: "JaxprEqn") -> bool:
    shapes = {v.aval.shape for v in (*equation.invars, *equation.outvars)} - {()}
    facts = facts_of(equation.primitive.name)
    if facts.kind is Kind.BROADCAST:  # of one number
        return equation.invars[0].aval.shape == ()
    call = call_of(equation)
    if call is not None:
        return not call.consts and _are_known(call.jaxpr)
    return facts.is_elementwise and shapes <= {SHAPE}
