"""Products of arrays: matrices, tensors, einsum."""

from typing import Any

import jax.numpy as jnp

from jkeras.core.graph import KerasTensor, infer
from jkeras.core.registry import public
from jkeras.ops.promotion import (
    both_names,
    broadcast_shapes,
    describe,
    numpy_op,
    operand,
    shape_of,
    sized,
    tensor,
)


INT8 = jnp.dtype("int8")

# ---------------------------------------------------------------- symbolic shapes


def _contraction(function, pairs):
    """The spec of a sum over pairs of axes, which must agree; an unknown size is taken from its
    partner.
    """

    def spec(x1, x2, **config):
        left, right = list(shape_of(x1)), list(shape_of(x2))
        for i, j in pairs(len(left), len(right), **config):
            size = right[j] if left[i] is None else left[i]
            if right[j] not in (None, size):
                raise ValueError(
                    f"Axis {i} of x1 and axis {j} of x2 must have the same size. "
                    f"Received: x1.shape={shape_of(x1)}, x2.shape={shape_of(x2)}"
                )
            left[i] = right[j] = size
        return infer(lambda given: function(*given, **config), (sized(x1, left), sized(x2, right)))

    return spec


def _last_and_last_but_one(n1, n2):
    return [(-1, -min(2, n2))] if n1 and n2 else []


def _last_and_last(n1, n2):
    return [(-1, -1)] if n1 and n2 else []


def _matmul_spec(x1, x2):
    """Batch axes broadcast, also where one is unknown."""
    left, right = shape_of(x1), shape_of(x2)
    core = _contraction(_matmul, _last_and_last_but_one)(
        sized(x1, left[-2:]), sized(x2, right[-2:])
    )
    return KerasTensor((*broadcast_shapes(left[:-2], right[:-2]), *core.shape), core.dtype)


def _tensordot_pairs(n1, n2, axes=2):
    if isinstance(axes, int):
        return [(n1 - axes + i, i) for i in range(axes)] if axes <= min(n1, n2) else []
    return zip(*([a] if isinstance(a, int) else a for a in axes))


def _cross_spec(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    if axis is not None:
        axisa = axisb = axisc = axis
    left, right = list(shape_of(x1)), list(shape_of(x2))
    a, b = left.pop(axisa), right.pop(axisb)
    batch = broadcast_shapes(left, right)
    given = sized(x1, (*batch, b if a is None else a)), sized(x2, (*batch, a if b is None else b))
    return infer(lambda given: jnp.cross(*given, axisc=axisc), given)


def _einsum_spec(*operands, subscripts):
    terms = subscripts.replace(" ", "").partition("->")[0].split(",")
    if "." not in subscripts and [len(shape_of(x)) for x in operands] == [len(t) for t in terms]:
        known = {
            c: d for t, x in zip(terms, operands) for c, d in zip(t, shape_of(x)) if d is not None
        }
        operands = [
            sized(x, [known.get(c) if d is None else d for c, d in zip(t, shape_of(x))])
            for t, x in zip(terms, operands)
        ]
    return infer(lambda given: _sum_products(subscripts, given), list(operands))


# ---------------------------------------------------------------- products of two


def _product(name, compute, doc, example, shown, spec=None):
    def function(x1, x2):
        return compute(operand(x1), operand(x2))

    return numpy_op(spec=spec)(describe(function, name, __name__, doc, example, shown))


def _accumulator(*arrays):
    """int8 products are summed in int32, for which hardware has instructions; otherwise jnp
    decides.
    """
    return "int32" if all(a.dtype == INT8 for a in arrays) else None


def _matmul(x1, x2):
    x1, x2 = tensor(x1), tensor(x2)
    return jnp.matmul(x1, x2, preferred_element_type=_accumulator(x1, x2))


matmul = _product(
    "matmul",
    _matmul,
    "Matrix product (..., n, k) x (..., k, m) -> (..., n, m); batch axes broadcast.",
    "[[1, 2]], [[3], [4]]",
    "[[11]]",
    _matmul_spec,
)
dot = _product(
    "dot",
    jnp.dot,
    "Sum over the last axis of x1 and the last but one (or only) of x2.",
    "[1, 2], [3, 4]",
    "11",
    _contraction(jnp.dot, _last_and_last_but_one),
)
inner = _product(
    "inner",
    jnp.inner,
    "Sum over the last axes of both.",
    "[[1, 2]], [[3, 4], [5, 6]]",
    "[[11 17]]",
    _contraction(jnp.inner, _last_and_last),
)
outer = _product(
    "outer",
    jnp.outer,
    "Products of all pairs of elements, both arrays made flat.",
    "[1, 2], [3, 4]",
    "[[3 4]\n [6 8]]",
)
vdot = _product("vdot", jnp.vdot, "Sum of conj(x1) * x2 over all elements.", "[1, 2], [3, 4]", "11")
kron = _product(
    "kron", jnp.kron, "Kronecker product: blocks x1[i] * x2.", "[1, 10], [1, 2]", "[ 1  2 10 20]"
)


@numpy_op(inputs=2, spec=_contraction(jnp.tensordot, _tensordot_pairs))
def tensordot(x1, x2, axes: Any = 2):
    """Sum of products over chosen axes of both.

    Args:
        axes: the number of last axes of x1 and first axes of x2, or two lists of axes.

    >>> print(tensordot([[1, 2], [3, 4]], [1, 1], axes=1))
    [3 7]
    """
    return jnp.tensordot(tensor(x1), tensor(x2), axes=axes)


@numpy_op(inputs=2, spec=_cross_spec)
def cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """Cross product of vectors with 2 or 3 components.

    Args:
        axisa, axisb, axisc: where the components stand in x1, x2 and the result; `axis` sets all
            three.

    >>> print(cross([1, 0, 0], [0, 1, 0]))
    [0 0 1]
    """
    return jnp.cross(tensor(x1), tensor(x2), axisa=axisa, axisb=axisb, axisc=axisc, axis=axis)


def _sum_products(subscripts, operands, **options):
    operands = [tensor(x) for x in operands]
    return jnp.einsum(
        subscripts, *operands, preferred_element_type=_accumulator(*operands), **options
    )


@numpy_op(class_name="Einsum", public_names=False, spec=_einsum_spec)
def _einsum(*operands, subscripts):
    return _sum_products(subscripts, operands)


@public(*both_names("einsum"))
def einsum(subscripts, *operands, **kwargs):
    """Sums of products in Einstein's notation.

    Args:
        subscripts: such as "bij,bjk->bik"; "..." stands for any further axes.
        kwargs: options of `jnp.einsum`, such as `precision` (not in a graph).

    >>> print(einsum("ij,j->i", [[1, 2], [3, 4]], [1, 1]))
    [3 7]
    """
    return (
        _sum_products(subscripts, operands, **kwargs)
        if kwargs
        else _einsum(*operands, subscripts=subscripts)
    )


@numpy_op()
def slogdet(x):
    """Sign and logarithm of the absolute determinant of square matrices.

    >>> sign, log = slogdet([[1.0, 0.0], [0.0, 1.0]])
    >>> print(sign, log)
    1.0 0.0
    """
    return tuple(jnp.linalg.slogdet(tensor(x)))
