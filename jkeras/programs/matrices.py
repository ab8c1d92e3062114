"""The matrices of a program: inputs that rows are multiplied by, and the program with products that
are made in another way.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import jax

from jkeras.programs.calls import call_of, evaluate
from jkeras.programs.walk import is_literal, walk

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

Product = Callable[[jax.Array, Any], jax.Array | None]


def matrices_of(program: "ClosedJaxpr") -> set[int]:
    """The numbers of the inputs that rows are multiplied by, somewhere in a program.

    >>> import jax.numpy as jnp
    >>> program = jax.make_jaxpr(lambda x, w, b: x @ w + b)(*map(jnp.ones, ((4, 2), (2, 3), 3)))
    >>> matrices_of(program)
    {1}
    """
    return _found(program.jaxpr, range(len(program.jaxpr.invars)))


def _found(jaxpr: "Jaxpr", numbers: Iterable[int | None]) -> set[int]:
    """What `matrices_of` gives, of a program whose inputs have these numbers."""
    of_inputs = dict(zip(jaxpr.invars, numbers))
    found: set[int | None] = set()
    for eqn in jaxpr.eqns:
        given = [None if is_literal(operand) else of_inputs.get(operand) for operand in eqn.invars]
        if given == [None] * len(given):
            continue
        if is_product(eqn):
            found.add(given[1])
        call = call_of(eqn)
        if call is not None:
            found |= _found(call.jaxpr, given)
    return {number for number in found if number is not None}


def is_product(eqn: "JaxprEqn") -> bool:
    """Whether an operation multiplies the last axis of rows by the first axis of a matrix, in the
    type that both have.
    """
    if eqn.primitive.name != "dot_general":
        return False
    rows, matrix = (v.aval for v in eqn.invars)
    is_plain = rows.dtype == matrix.dtype == eqn.outvars[0].aval.dtype
    axes = (((rows.ndim - 1,), (0,)), ((), ()))
    return is_plain and eqn.params["dimension_numbers"] == axes


def with_products(
    program: "ClosedJaxpr", inputs: Sequence[Any], matrices: Sequence[Any], product: Product
) -> list:
    """The outputs of a program whose products with some matrices are made by a function; there is
    no derivative of it but that of the function.

    Args:
        inputs: of the program.
        matrices: for each of them what stands for it in products; None: it is no matrix.
        product: `(rows, what stands for the matrix) -> rows`, both with two axes; None: as in the
            program.

    >>> import jax.numpy as jnp
    >>> program = jax.make_jaxpr(lambda x, w: jnp.tanh(x @ w))(jnp.ones((4, 2)), jnp.ones((2, 3)))
    >>> inputs = [jnp.ones((4, 2)), jnp.ones((2, 3))]
    >>> (y,) = with_products(program, inputs, [None, 7.0], lambda x, w: w * jnp.zeros((4, 3)))
    >>> y.shape, float(y.max())
    ((4, 3), 0.0)
    """
    return _run(program.jaxpr, program.consts, inputs, matrices, product)


def _run(
    jaxpr: "Jaxpr", consts: Sequence, inputs: Sequence, matrices: Sequence, product: Product
) -> list:
    """See `with_products`."""
    stand = dict(zip(jaxpr.invars, matrices))

    def visit(eqn: "JaxprEqn", values: list, _: int) -> list:
        given = [None if is_literal(operand) else stand.get(operand) for operand in eqn.invars]
        if all(one is None for one in given):
            return evaluate(eqn.primitive, eqn.params, values)
        call = call_of(eqn)
        if call is not None:
            return _run(call.jaxpr, call.consts, values, given, product)
        if given[1:] and given[1] is not None and is_product(eqn):
            rows = values[0].reshape(-1, values[0].shape[-1])
            made = product(rows, given[1])
            if made is not None:
                return [made.reshape(eqn.outvars[0].aval.shape)]
        return evaluate(eqn.primitive, eqn.params, values)

    return walk(jaxpr, inputs, visit, of_number=lambda value: value, consts=consts)
