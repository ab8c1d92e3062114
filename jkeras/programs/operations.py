"""How many operations on numbers a traced function takes in products and convolutions, with loops
counted by how often they run.
"""

import collections
import math
from typing import TYPE_CHECKING, Any

from jkeras.programs.calls import inner_jaxprs
from jkeras.programs.primitives import Kind, facts_of
from jkeras.programs.walk import operations

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn


def count_operations(jaxpr: Any) -> int:
    """Multiplications and additions of a jaxpr's matrix products and convolutions. A `while` whose
    trips are not known counts as one.

    >>> import jax, numpy as np
    >>> loop = lambda w, x: jax.lax.scan(lambda x, w: (x @ w, None), x, w)[0]
    >>> count_operations(jax.make_jaxpr(loop)(np.ones((5, 4, 4)), np.ones((2, 4))).jaxpr)
    320
    """
    return operations_by_dtype(jaxpr).total()


def operations_by_dtype(jaxpr: Any) -> collections.Counter[str]:
    """The same by the dtype of what is multiplied.

    >>> import jax, numpy as np
    >>> narrow = lambda x, y: x.astype("bfloat16") @ y.astype("bfloat16") + x @ y
    >>> jaxpr = jax.make_jaxpr(narrow)(np.ones((4, 4), "float32"), np.ones((4, 4), "float32"))
    >>> dict(operations_by_dtype(jaxpr.jaxpr))
    {'bfloat16': 128, 'float32': 128}
    """
    return sum(map(_of_operation, jaxpr.eqns), collections.Counter())


def has_kernels(jaxpr: Any) -> bool:
    """Whether there are kernels in a jaxpr, whose operations cannot be read.

    >>> import jax
    >>> has_kernels(jax.make_jaxpr(lambda x: x + 1)(1.0).jaxpr)
    False
    """
    return any(facts_of(eqn.primitive.name).kind is Kind.KERNEL for eqn in operations(jaxpr.eqns))


def _of_operation(eqn: "JaxprEqn") -> collections.Counter[str]:
    kind = facts_of(eqn.primitive.name).kind
    if kind is Kind.CONTRACTION:
        (contracted, _), _ = eqn.params["dimension_numbers"]
        left = eqn.invars[0].aval.shape
        count = 2 * math.prod(left[i] for i in contracted) * eqn.outvars[0].aval.size
        return _of_dtype(eqn, count)
    if kind is Kind.CONVOLUTION:
        kernel = eqn.invars[1].aval.shape
        outputs = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
        each = math.prod(kernel) // outputs
        count = 2 * each * eqn.outvars[0].aval.size // eqn.params["batch_group_count"]
        return _of_dtype(eqn, count)
    inner = [operations_by_dtype(jaxpr) for jaxpr in inner_jaxprs(eqn.params)]
    if kind is Kind.COND:
        return max(inner, key=collections.Counter.total, default=collections.Counter())
    times = eqn.params["length"] if kind is Kind.SCAN else 1
    every = sum(inner, collections.Counter())
    return collections.Counter({dtype: times * count for dtype, count in every.items()})


def _of_dtype(eqn: "JaxprEqn", count: int) -> collections.Counter[str]:
    return collections.Counter({str(eqn.invars[0].aval.dtype): count})
