"""What an operation of a jaxpr runs inside: calls, and the jaxprs of loops and branches.

The one place that knows how this or that version of JAX writes a call. Whoever reads jaxprs asks
here, and takes what is not known here for an operation that cannot be read.
"""

import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.extend
import numpy as np

from jkeras.core.errors import explain
from jkeras.programs.primitives import Derivative, Kind, facts_of

if typing.TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

# an operation that is an object, with a method which says what it computes: `HiPrim` of
# `jax.experimental.hijax`; JAX's own ones by class
AS_OBJECT = "call_hi_primitive"
OF_CLASS = {
    "RematTraced": "remat",
    "CustomJVPTraced": "custom_jvp_call",
    "CustomVJPTraced": "custom_vjp_call",
}


class Call(typing.NamedTuple):
    """An operation that runs a jaxpr once, on its own inputs, and gives its outputs.

    Attributes:
        jaxpr, consts: what it runs.
        derivative: where it comes from; None where it is not known.
    """

    jaxpr: "Jaxpr"
    consts: list
    derivative: Derivative | None

    @property
    def is_group(self) -> bool:
        """Whether its gradient is that of what is in it."""
        return self.derivative is Derivative.INSIDE


def call_of(eqn: "JaxprEqn") -> Call | None:
    """An operation as a call; None where it is none, or not known to be one.

    >>> import jax.numpy as jnp
    >>> eqns = jax.make_jaxpr(lambda x: jax.nn.relu(x) + 1)(jnp.ones(3)).jaxpr.eqns
    >>> [call_of(eqn) is not None for eqn in eqns]
    [True, False]
    """
    if eqn.primitive.name == AS_OBJECT:
        return _object_as_call(eqn)
    facts = facts_of(eqn.primitive.name)
    if facts.kind is not Kind.CALL:
        return None
    inner = list(_closed_jaxprs(eqn.params))
    return _checked(eqn, *inner[0], facts.derivative) if inner else None


def evaluate(primitive: Any, params: dict[str, Any], values: Sequence[Any]) -> list:
    """The outputs of an operation, with its own derivative.

    Raises:
        ValueError: this JAX does not say how to run an operation with a derivative of its own.

    >>> (eqn,) = jax.make_jaxpr(jax.nn.relu)(1.0).jaxpr.eqns
    >>> [float(v) for v in evaluate(eqn.primitive, eqn.params, [-2.0])]
    [0.0]
    """
    as_bound = getattr(primitive, "get_bind_params", None)
    derivative = facts_of(primitive.name).derivative
    if as_bound is None and derivative in (Derivative.TANGENTS, Derivative.COTANGENTS):
        # in a jaxpr it holds its functions in another form than when it is called
        fix = "use a JAX that jkeras knows, or call the function without a derivative of its own"
        raise ValueError(explain("jkeras", "operations to run again", f"`{primitive.name}`", fix))
    bound = params if as_bound is None else as_bound(params)
    # with the functions in it apart, before JAX 0.10
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    outputs = primitive.bind(*functions, *values, **params)
    return list(outputs) if primitive.multiple_results else [outputs]


def evaluate_jaxpr(program: "ClosedJaxpr", values: Sequence[Any]) -> list:
    """The outputs of a program.

    >>> [float(y) for y in evaluate_jaxpr(jax.make_jaxpr(lambda x: 2 * x)(1.0), [3.0])]
    [6.0]
    """
    return jax.extend.core.jaxpr_as_fun(program)(*values)


def with_program(function: Callable, run: Callable[["ClosedJaxpr", list], list]) -> Callable:
    """A function of a pytree whose program is run in another way.

    Args:
        run: `(program, inputs) -> outputs`, lists of arrays.

    >>> doubled = lambda program, inputs: [2 * y for y in evaluate_jaxpr(program, inputs)]
    >>> float(with_program(lambda given: given["x"] + 1, doubled)({"x": 3.0}))
    8.0
    """

    def other(given: Any) -> Any:
        program, shapes = jax.make_jaxpr(function, return_shape=True)(given)
        outputs = run(program, jax.tree_util.tree_leaves(given))
        return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(shapes), outputs)

    return other


def scan_counts(
    body: "Jaxpr", inputs: Sequence[Any], outputs: Sequence[Any]
) -> tuple[int, int] | None:
    """(how many constants a scan has, how many values it carries); None where they do not show.

    The parameters that count them have other names in each version of JAX, so ranks tell: what a
    scan runs over has one axis more outside than inside.

    Args:
        inputs, outputs: arrays, or what has their `ndim`: those of the scan.

    >>> import jax.numpy as jnp
    >>> f = lambda c, xs: jax.lax.scan(lambda t, x: (t + c * x, (t, x)), 0.0, xs)
    >>> (eqn,) = jax.make_jaxpr(f)(2.0, jnp.ones(3)).jaxpr.eqns
    >>> ends = [v.aval for v in eqn.invars], [v.aval for v in eqn.outvars]
    >>> scan_counts(next(inner_jaxprs(eqn.params)), *ends)
    (1, 1)
    """
    longer = _count_longer(inputs, body.invars), _count_longer(outputs, body.outvars)
    if None in longer:
        return None
    carried = len(outputs) - longer[1]
    consts = len(inputs) - longer[0] - carried
    return (consts, carried) if consts >= 0 else None


def _count_longer(outside: Sequence[Any], inside: Sequence[Any]) -> int | None:
    """How many values at the end have one axis more outside a loop than inside; None: they are
    not at the end.
    """
    if len(outside) != len(inside):
        return None
    more = [np.ndim(a) - np.ndim(b.aval) for a, b in zip(outside, inside)]
    return sum(more) if more == sorted(more) and set(more) <= {0, 1} else None


def inner_programs(params: dict[str, Any]) -> list["ClosedJaxpr"]:
    """The programs among the parameters of an operation, with their constants."""
    return [jax.extend.core.ClosedJaxpr(*found) for found in _closed_jaxprs(params)]


def inner_jaxprs(params: dict[str, Any]) -> Iterator["Jaxpr"]:
    """The jaxprs among the parameters of an operation: those of calls, loops and branches."""
    for jaxpr, _ in _closed_jaxprs(params):
        yield jaxpr


def _closed_jaxprs(params: dict[str, Any]) -> Iterator[tuple["Jaxpr", list]]:
    """(jaxpr, constants) of each jaxpr among parameters, in whatever they are wrapped."""
    for value in params.values():
        for candidate in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(inside := getattr(candidate, "params", None), dict):
                yield from _closed_jaxprs(inside)  # an operation that is an object
                continue
            consts = []
            for _ in range(3):  # a traced function, a closed jaxpr, a jaxpr
                consts = consts or list(getattr(candidate, "consts", ()))
                candidate = getattr(candidate, "jaxpr", candidate)
            if hasattr(candidate, "eqns"):
                yield candidate, consts


def _object_as_call(eqn):
    """What an operation that is an object expands to."""
    (operation,) = eqn.params.values()
    kind = OF_CLASS.get(type(operation).__name__, AS_OBJECT)
    derivative = facts_of(kind).derivative

    def expanded(*values):
        outputs = operation.expand(*jax.tree_util.tree_unflatten(operation.in_tree, values))
        return jax.tree_util.tree_leaves(outputs)

    shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.invars]
    try:
        closed = jax.make_jaxpr(expanded)(*shapes)
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return None  # another JAX's, or one that does not say what it computes
    return _checked(eqn, getattr(closed, "jaxpr", closed), closed.consts, derivative)


def _checked(eqn, jaxpr, consts, derivative):
    """A call whose jaxpr takes what the operation is given and gives what it gives, else None."""
    same = len(jaxpr.invars) == len(eqn.invars) and len(jaxpr.outvars) == len(eqn.outvars)
    return Call(jaxpr, consts, derivative) if same else None
