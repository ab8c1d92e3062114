"""Products of arrays: matrices, tensors, einsum."""

from __future__ import annotations

from typing import Any
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.graph.inference import infer
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.names.registry import public
from jkeras.ops.declaring import numpy_op
from jkeras.ops.promotion import (
    both_names,
    broadcast_shapes,
    describe,
    agreed_size,
    operand,
    shape_of,
    sized,
    tensor,
)
from jkeras.core.weights.types import Axis, Function, Number, Operand, TensorLike


INT8 = jnp.dtype("int8")

# ---------------------------------------------------------------- symbolic shapes


def _contraction(function: Function, pairs: Function, strict: bool = True) -> Function:
    """The spec of a sum over pairs of axes; an unknown size is taken from its partner.

    Args:
        strict: they must agree; else that is looked at when there are numbers.
    """

    def spec(x1: Operand, x2: Operand, **config: Any) -> KerasTensor:
        left = list(shape_of(x1))
        right = list(shape_of(x2))
        for i, j in pairs(len(left), len(right), **config):
            size = agreed_size(left[i], right[j])
            if strict and right[j] not in (None, size):
                both = i == j == -1
                where = (
                    "The last dimension of x1 and x2"
                    if both
                    else f"Axis {i} of x1 and axis {j} of x2"
                )
                raise ValueError(
                    f"{where} must have the same size. "
                    f"Received: x1.shape={shape_of(x1)}, x2.shape={shape_of(x2)}"
                )
            left[i] = right[j] = size
        factors = (sized(x1, left), sized(x2, right))
        return infer(lambda factors: function(*factors, **config), factors)

    return spec


def _last_and_last_but_one(n1: int, n2: int) -> list[tuple[int, int]]:
    if not n1 or not n2:
        return []
    return [(-1, -min(2, n2))]


def _last_and_last(n1: int, n2: int) -> list[tuple[int, int]]:
    if not n1 or not n2:
        return []
    return [(-1, -1)]


def _matmul_spec(x1: Operand, x2: Operand) -> KerasTensor:
    """Batch axes broadcast, also where one is unknown."""
    left = shape_of(x1)
    right = shape_of(x2)
    core_spec = _contraction(_matmul, _last_and_last_but_one)
    core = core_spec(sized(x1, left[-2:]), sized(x2, right[-2:]))
    return KerasTensor((*broadcast_shapes(left[:-2], right[:-2]), *core.shape), core.dtype)


def _tensordot_pairs(n1: int, n2: int, axes: int | Sequence[Axis] = 2) -> list[tuple[int, int]]:
    if isinstance(axes, int):
        if axes > min(n1, n2):
            return []
        return [(n1 - axes + i, i) for i in range(axes)]
    left, right = axes
    if isinstance(left, int):
        left = [left]
    if isinstance(right, int):
        right = [right]
    return zip(left, right)


def _cross_spec(
    x1: Operand,
    x2: Operand,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> KerasTensor:
    if axis is not None:
        axisa = axisb = axisc = axis
    left = list(shape_of(x1))
    right = list(shape_of(x2))
    left_size = left.pop(axisa)
    right_size = right.pop(axisb)
    batch = broadcast_shapes(left, right)
    x1 = sized(x1, (*batch, agreed_size(left_size, right_size)))
    x2 = sized(x2, (*batch, agreed_size(right_size, left_size)))
    return infer(lambda vectors: _cross(*vectors, axisc), (x1, x2))


def _einsum_spec(*operands: Operand, subscripts: str) -> KerasTensor:
    operands = _with_agreed_sizes(list(operands), subscripts)
    return infer(lambda operands: _sum_products(subscripts, operands), operands)


def _with_agreed_sizes(operands: Sequence[Operand], subscripts: str) -> list[Any]:
    """The operands, where a size is unknown with that of another axis of the same letter. Within
    one operand the first counts: whether they agree is looked at when there are numbers.
    """
    terms = subscripts.replace(" ", "").partition("->")[0].split(",")
    shapes = [shape_of(x) for x in operands]
    axes = [_names_of_axes(term, len(shape)) for term, shape in zip(terms, shapes)]
    if list(map(len, shapes)) != list(map(len, axes)):
        return operands
    sizes = {}
    for names, shape in zip(axes, shapes):
        for name, size in zip(names, shape):
            if size is not None and (size, name[:3]) != (1, "..."):  # of these, 1 fits any
                sizes[name] = size
    completed = []
    for x, names, shape in zip(operands, axes, shapes):
        shape = [agreed_size(size, sizes.get(name)) for name, size in zip(names, shape)]
        shape = [shape[names.index(name)] for name in names]
        completed.append(sized(x, shape))
    return completed


def _names_of_axes(term: str, count: int) -> list[str]:
    """The letter of each of so many axes; of those that "..." stands for, dots and their number
    from the right.
    """
    left, dots, right = term.partition("...")
    if not dots:
        return list(term)
    further = count - len(left + right)
    return [*left, *(f"...{i}" for i in range(further, 0, -1)), *right]


# ---------------------------------------------------------------- products of two


_OF_TWO = """

Args:
    x1: {0}.
    x2: {1}.
Returns:
    {2}."""


def _product(
    name: str,
    doc: str,
    example: str,
    shown: str,
    spec: Function | None = None,
    compute: Function | None = None,
) -> Function:
    """An op of x1 and x2 by the function of `jnp` of this name, or by `compute`."""
    compute = compute or getattr(jnp, name)

    def function(x1: TensorLike, x2: TensorLike) -> jax.Array:
        return compute(operand(x1), operand(x2))

    return numpy_op(spec=spec)(describe(function, name, __name__, doc, example, shown))


def _accumulator(*arrays: jax.Array) -> str | None:
    """int8 products are summed in int32, for which hardware has instructions; otherwise jnp
    decides.
    """
    if all(a.dtype == INT8 for a in arrays):
        return "int32"
    return None


def _matmul(x1: TensorLike, x2: TensorLike) -> jax.Array:
    x1 = tensor(x1)
    x2 = tensor(x2)
    return jnp.matmul(x1, x2, preferred_element_type=_accumulator(x1, x2))


matmul = _product(
    "matmul",
    "Matrix product (..., n, k) x (..., k, m) -> (..., n, m); batch axes broadcast."
    + _OF_TWO.format("(..., n, k)", "(..., k, m)", "Array (..., n, m), of two int8 arrays int32")
    + " A vector counts as one row or column,\n    and that axis is missing from the result.",
    "[[1, 2]], [[3], [4]]",
    "[[11]]",
    _matmul_spec,
    compute=_matmul,
)
dot = _product(
    "dot",
    "Sum over the last axis of x1 and the last but one (or only) of x2."
    + _OF_TWO.format("(..., k)", "(..., k, m) or (k,)", "Array of all other axes, x1's first"),
    "[1, 2], [3, 4]",
    "11",
    _contraction(jnp.dot, _last_and_last_but_one),
)
inner = _product(
    "inner",
    "Sum over the last axes of both."
    + _OF_TWO.format("(..., k)", "(..., k)", "Array of all other axes, x1's first"),
    "[[1, 2]], [[3, 4], [5, 6]]",
    "[[11 17]]",
    _contraction(jnp.inner, _last_and_last),
)
outer = _product(
    "outer",
    "Products of all pairs of elements, both arrays made flat."
    + _OF_TWO.format("array of n elements", "array of m elements", "Array (n, m)"),
    "[1, 2], [3, 4]",
    "[[3 4]\n [6 8]]",
)
vdot = _product(
    "vdot",
    "Sum of conj(x1) * x2 over all elements."
    + _OF_TWO.format("array of n elements", "array of n elements", "One number"),
    "[1, 2], [3, 4]",
    "11",
)
kron = _product(
    "kron",
    "Kronecker product: blocks x1[i] * x2."
    + _OF_TWO.format("array", "array", "Array whose sizes are the products of both arrays' sizes"),
    "[1, 10], [1, 2]",
    "[ 1  2 10 20]",
)


@numpy_op(inputs=2, spec=_contraction(jnp.tensordot, _tensordot_pairs, strict=False))
def tensordot(x1: TensorLike, x2: TensorLike, axes: int | Sequence[Axis] = 2) -> jax.Array:
    """Sum of products over chosen axes of both.

    Args:
        x1, x2: arrays.
        axes: the number of last axes of x1 and first axes of x2, or two lists of axes.
    Returns:
        Array of the axes of x1 that are left, then those of x2.

    >>> print(tensordot([[1, 2], [3, 4]], [1, 1], axes=1))
    [3 7]
    """
    return jnp.tensordot(tensor(x1), tensor(x2), axes=axes)


@numpy_op(inputs=2, spec=_cross_spec)
def cross(
    x1: TensorLike,
    x2: TensorLike,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> jax.Array:
    """Cross product of vectors with 2 or 3 components.

    Args:
        x1, x2: arrays of vectors, whose other axes broadcast.
        axisa, axisb, axisc: where the components stand in x1, x2 and the result; `axis` sets all
            three.
    Returns:
        Array of vectors with 3 components; where both have 2, of numbers.
    Raises:
        ValueError: another number of components.

    >>> print(cross([1, 0, 0], [0, 1, 0]))
    [0 0 1]
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    return _cross(jnp.moveaxis(tensor(x1), axisa, -1), jnp.moveaxis(tensor(x2), axisb, -1), axisc)


def _cross(x1: jax.Array, x2: jax.Array, axisc: int) -> jax.Array:
    """The cross product of vectors along the last axes; `jnp.cross` itself takes vectors in the
    plane up to JAX 0.11 alone.
    """
    sizes = x1.shape[-1], x2.shape[-1]
    if not set(sizes) <= {2, 3}:
        received = f"shapes {x1.shape} and {x2.shape}"
        raise ValueError(
            explain("cross", "2 or 3 components", received, "say where they are by `axis`")
        )
    if sizes == (2, 2):
        return x1[..., 0] * x2[..., 1] - x1[..., 1] * x2[..., 0]
    return jnp.cross(_in_space(x1), _in_space(x2), axisc=axisc)


def _in_space(x: jax.Array) -> jax.Array:
    """Vectors with a third component, 0 where they have two."""
    if x.shape[-1] == 3:
        return x
    return jnp.concatenate([x, jnp.zeros_like(x[..., :1])], axis=-1)


def _sum_products(
    subscripts: str, operands: Sequence[jax.Array | Number], **options: Any
) -> jax.Array:
    operands = [tensor(x) for x in operands]
    accumulator = _accumulator(*operands)
    return jnp.einsum(subscripts, *operands, preferred_element_type=accumulator, **options)


@numpy_op(class_name="Einsum", public_names=False, spec=_einsum_spec)
def _einsum(*operands: TensorLike, subscripts: str) -> jax.Array:
    return _sum_products(subscripts, operands)


@public(*both_names("einsum"))
def einsum(subscripts: str, *operands: TensorLike, **kwargs: Any) -> jax.Array:
    """Sums of products in Einstein's notation.

    Args:
        subscripts: such as "bij,bjk->bik"; "..." stands for any further axes.
        operands: as many arrays as the subscripts have terms.
        kwargs: options of `jnp.einsum`, such as `precision` (not in a graph).
    Returns:
        Array with the axes behind "->"; of int8 arrays only, int32.

    >>> print(einsum("ij,j->i", [[1, 2], [3, 4]], [1, 1]))
    [3 7]
    """
    if kwargs:
        return _sum_products(subscripts, operands, **kwargs)
    return _einsum(*operands, subscripts=subscripts)


@numpy_op()
def slogdet(x: TensorLike) -> tuple[jax.Array, jax.Array]:
    """Sign and logarithm of the absolute determinant of square matrices.

    Args:
        x: (..., n, n).
    Returns:
        (sign, log), two arrays (...); the sign is 0 and the logarithm -inf for a singular matrix.

    >>> sign, log = slogdet([[1.0, 0.0], [0.0, 1.0]])
    >>> print(sign, log)
    1.0 0.0
    """
    return tuple(jnp.linalg.slogdet(tensor(x)))
