"""How many operations on numbers a traced function takes in products and convolutions, and what
these read and write, with loops counted by how often they run.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jkeras.programs.calls import call_of, inner_jaxprs, scan_counts
from jkeras.programs.primitives import Kind, facts_of
from jkeras.programs.walk import is_literal, operations

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn


MOVED = "bytes"  # what counts have beside operations by dtype


def count_operations(jaxpr: Any) -> int:
    """Multiplications and additions of a jaxpr's matrix products and convolutions; what no output
    needs is none, as XLA leaves it out. A `while` whose trips are not known counts as one.

    >>> import jax, numpy as np
    >>> loop = lambda w, x: jax.lax.scan(lambda x, w: (x @ w, None), x, w)[0]
    >>> count_operations(jax.make_jaxpr(loop)(np.ones((5, 4, 4)), np.ones((2, 4))).jaxpr)
    320
    """
    return _operations(_counts(jaxpr))


def operations_by_dtype(jaxpr: Any) -> Counter[str]:
    """The same by the dtype of what is multiplied.

    >>> import jax, numpy as np
    >>> narrow = lambda x, y: x.astype("bfloat16") @ y.astype("bfloat16") + x @ y
    >>> jaxpr = jax.make_jaxpr(narrow)(np.ones((4, 4), "float32"), np.ones((4, 4), "float32"))
    >>> sorted(operations_by_dtype(jaxpr.jaxpr).items())
    [('bfloat16', 128), ('float32', 128)]
    """
    counts = _counts(jaxpr)
    del counts[MOVED]
    return counts


def bytes_of_products(jaxpr: Any) -> int:
    """The bytes of what a jaxpr's matrix products and convolutions take and give, each time that
    they run.

    >>> import jax, numpy as np
    >>> x = np.ones((4, 4), "float32")
    >>> bytes_of_products(jax.make_jaxpr(lambda x: x @ x + x)(x).jaxpr)
    192
    """
    return _counts(jaxpr)[MOVED]


def has_kernels(jaxpr: Any) -> bool:
    """Whether there are kernels in a jaxpr, whose operations cannot be read.

    >>> import jax
    >>> has_kernels(jax.make_jaxpr(lambda x: x + 1)(1.0).jaxpr)
    False
    """
    return any(facts_of(eqn.primitive.name).kind is Kind.KERNEL for eqn in operations(jaxpr.eqns))


class Live(NamedTuple):
    """What the wanted outputs of a program or an operation need.

    Attributes:
        counts: operations by dtype, and the bytes of products as `MOVED`.
        inputs: whether they need each of its inputs.
    """

    counts: Counter[str]
    inputs: list[bool]


def _counts(jaxpr: Any) -> Counter[str]:
    return _of_program(jaxpr, [True] * len(jaxpr.outvars)).counts


def _of_program(jaxpr: "Jaxpr", wanted: Sequence[bool]) -> Live:
    """What some outputs of a program need."""
    needed = set(_values(jaxpr.outvars, wanted))
    counts: Counter[str] = Counter()
    for eqn in reversed(jaxpr.eqns):
        outputs = [output in needed for output in eqn.outvars]
        if not any(outputs) and not eqn.effects:
            continue
        live = _of_operation(eqn, outputs)
        counts.update(live.counts)
        needed.update(_values(eqn.invars, live.inputs))
    return Live(counts, [given in needed for given in jaxpr.invars])


def _values(atoms: Sequence[Any], chosen: Sequence[bool]) -> Iterator[Any]:
    """The chosen ones of what stands for values, numbers left out."""
    for atom, is_chosen in zip(atoms, chosen):
        if is_chosen and not is_literal(atom):
            yield atom


def _of_operation(eqn: "JaxprEqn", wanted: list[bool]) -> Live:
    """What some outputs of an operation need: all of its inputs, but where it is a loop over steps
    or a call, into which one can look.
    """
    kind = facts_of(eqn.primitive.name).kind
    if kind is Kind.SCAN:
        return _of_scan(eqn, wanted)
    call = call_of(eqn)
    if call is not None and len(call.jaxpr.invars) == len(eqn.invars):
        return _of_program(call.jaxpr, wanted)
    if kind is Kind.CONTRACTION:
        counts = _of_dtype(eqn, _of_product(eqn))
    elif kind is Kind.CONVOLUTION:
        counts = _of_dtype(eqn, _of_convolution(eqn))
    elif kind is Kind.RAGGED:
        counts = _of_dtype(eqn, _of_ragged_product(eqn))
    else:
        inner = [_counts(jaxpr) for jaxpr in inner_jaxprs(eqn.params)]
        if kind is Kind.COND:
            counts = max(inner, key=_operations, default=Counter())
        else:
            counts = sum(inner, Counter())
    return Live(counts, [True] * len(eqn.invars))


def _of_scan(eqn: "JaxprEqn", wanted: list[bool]) -> Live:
    """What some outputs of a loop need: what it carries is needed, too, where a later step takes it
    for them.
    """
    body = eqn.params["jaxpr"].jaxpr
    counts = scan_counts(body, [v.aval for v in eqn.invars], [v.aval for v in eqn.outvars])
    consts, carried = counts or (0, 0)
    end = consts + carried
    live = _of_program(body, wanted if counts else [True] * len(wanted))
    while any(live.inputs[consts + i] and not wanted[i] for i in range(carried)):
        both = [one or other for one, other in zip(wanted, live.inputs[consts:end])]
        wanted = [*both, *wanted[carried:]]
        live = _of_program(body, wanted)
    times = eqn.params["length"]
    total = Counter({dtype: times * count for dtype, count in live.counts.items()})
    inputs = [*live.inputs[:consts], *wanted[:carried], *live.inputs[end:]]
    return Live(total, inputs if counts else [True] * len(inputs))


def _of_product(eqn: "JaxprEqn") -> int:
    (contracted, _), _ = eqn.params["dimension_numbers"]
    left = eqn.invars[0].aval.shape
    return 2 * math.prod(left[i] for i in contracted) * eqn.outvars[0].aval.size


def _of_ragged_product(eqn: "JaxprEqn") -> int:
    """Each row meets the matrix of its group alone."""
    numbers = eqn.params["ragged_dot_dimension_numbers"]
    (_, contracted), (_, batch) = numbers.dot_dimension_numbers
    left, right = (given.aval for given in eqn.invars[:2])
    others = {*contracted, *batch, *numbers.rhs_group_dimensions}
    columns = [size for axis, size in enumerate(right.shape) if axis not in others]
    return 2 * left.size * math.prod(columns)


def _of_convolution(eqn: "JaxprEqn") -> int:
    kernel = eqn.invars[1].aval.shape
    outputs = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
    each = math.prod(kernel) // outputs
    return 2 * each * eqn.outvars[0].aval.size // eqn.params["batch_group_count"]


def _of_dtype(eqn: "JaxprEqn", count: int) -> Counter[str]:
    arrays = [value.aval for value in (*eqn.invars, *eqn.outvars)]
    moved = sum(array.size * array.dtype.itemsize for array in arrays)
    return Counter({str(eqn.invars[0].aval.dtype): count, MOVED: moved})


def _operations(counts: Counter[str]) -> int:
    return counts.total() - counts[MOVED]
