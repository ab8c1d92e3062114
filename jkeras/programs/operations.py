"""How many operations on numbers a traced function takes in products and convolutions, with loops
counted by how often they run.
"""

import math
from typing import Any

from jkeras.programs.calls import inner_jaxprs
from jkeras.programs.primitives import Kind, facts_of
from jkeras.programs.walk import operations


def count_operations(jaxpr: Any) -> int:
    """Multiplications and additions of a jaxpr's matrix products and convolutions. A `while` whose
    trips are not known counts as one.

    >>> import jax, numpy as np
    >>> loop = lambda w, x: jax.lax.scan(lambda x, w: (x @ w, None), x, w)[0]
    >>> count_operations(jax.make_jaxpr(loop)(np.ones((5, 4, 4)), np.ones((2, 4))).jaxpr)
    320
    """
    return sum(_of_operation(eqn) for eqn in jaxpr.eqns)


def has_kernels(jaxpr: Any) -> bool:
    """Whether there are kernels in a jaxpr, whose operations cannot be read.

    >>> import jax
    >>> has_kernels(jax.make_jaxpr(lambda x: x + 1)(1.0).jaxpr)
    False
    """
    return any(facts_of(eqn.primitive.name).kind is Kind.KERNEL for eqn in operations(jaxpr.eqns))


def _of_operation(eqn):
    kind = facts_of(eqn.primitive.name).kind
    if kind is Kind.CONTRACTION:
        (contracted, _), _ = eqn.params["dimension_numbers"]
        left = eqn.invars[0].aval.shape
        return 2 * math.prod(left[i] for i in contracted) * eqn.outvars[0].aval.size
    if kind is Kind.CONVOLUTION:
        kernel = eqn.invars[1].aval.shape
        outputs = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
        each = math.prod(kernel) // outputs
        return 2 * each * eqn.outvars[0].aval.size // eqn.params["batch_group_count"]
    inner = [count_operations(jaxpr) for jaxpr in inner_jaxprs(eqn.params)]
    if kind is Kind.COND:
        return max(inner, default=0)
    return sum(inner) * (eqn.params["length"] if kind is Kind.SCAN else 1)
