"""The gradients of rows without making them: their lengths, and sums of them with weights, from
what goes into each operation that takes params, and the gradient of what comes out of it
(Goodfellow 2015, arXiv:1510.01799; Li et al. 2021, arXiv:2110.05679; of convolutions Bu et al.
2022, arXiv:2205.10683; both from one backward pass Bu et al. 2023, arXiv:2210.00038).

Lengths and sums are of the same numbers, so that a sum has of a row what its length says, also
where rounding hides digits; and what the positions of a row cancel, they cancel before rows are
added, so that no row changes how the others are rounded. Params that meet an operation without a
formula here, or several operations, have their gradient by row.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names.dtypes import wide
from jkeras.kernel.valid_rows import expand_like
from jkeras.privacy import lengths
from jkeras.programs.primitives import Kind
from jkeras.programs.products import Product, product_of
from jkeras.programs.sites import Use, reading
from jkeras.programs.tape import Entry

Tree = Any
GPU_UNIT, TPU_UNIT = 2.0**-10, 2.0**-8  # of TF32 and bfloat16
# how many times as long as its gradient the terms of a row may be that are added with other rows'
REACH = 2.0**10


@dataclasses.dataclass(eq=False)
class Ghosts:
    """The gradients of rows.

    Attributes:
        squares: their squared lengths, a tree like the params with the rows along the first axis;
            never too small.
        aux: what else the loss gave, by row.
        weighted: `(weights of rows for each leaf, which rows count) -> leaves of the sum`, in
            float32 at least.
    """

    squares: Tree
    aux: Any
    weighted: Callable[[Sequence[jax.Array], jax.Array], list[jax.Array]]


def ghosts(loss: Callable, params: Tree, rows: tuple) -> Ghosts:
    """The gradients of rows, a tree like the params.

    Args:
        loss: `(params, *row) -> (scalar, anything)`.
        rows: arrays with the rows along the first axis.

    >>> loss = lambda w, x: (((x @ w["kernel"]) ** 2).sum(), None)
    >>> found = ghosts(loss, {"kernel": jnp.ones((3, 2))}, (jnp.ones((1, 3)),))
    >>> round(float(found.squares["kernel"][0]), 2)  # each of 6 is 2 * 3
    216.0
    >>> found.weighted([jnp.array([0.5])], jnp.array([True]))[0].tolist()
    [[3.0, 3.0], [3.0, 3.0], [3.0, 3.0]]
    """
    leaves, treedef = jax.tree_util.tree_flatten(params)
    plan: list[Callable] = []  # for each leaf how rows are summed

    def of_row(*row: Any) -> tuple:
        uses, aux = reading(loss, params, *row)
        met = list(map(_met, leaves, uses))
        plan[:] = [add for add, _, _ in met]
        return treedef.unflatten([square for *_, square in met]), [v for _, v, _ in met], aux

    squares, values, aux = jax.vmap(of_row)(*rows)

    def weighted(weights: Sequence[jax.Array], counts: jax.Array) -> list[jax.Array]:
        sums: list = [None] * len(leaves)
        for i, add in reversed(list(enumerate(plan))):  # as a backward pass goes
            sums[i] = add(leaves, i, values[i], weights[i], counts)
        return sums

    return Ghosts(squares, aux, weighted)


def _met(value: jax.Array, uses: list[Use]) -> tuple[Callable, Any, jax.Array]:
    """(how rows are summed; what is stored of a row for it; its squared length), of a leaf."""
    if len(uses) == 1:
        met = _by_formula(value, *uses)
        if met is not None:
            return met
    if uses:
        gradient = sum(wide(use.gradient(value)) for use in uses)
    else:
        gradient = wide(jnp.zeros_like(value))
    return _of_gradients, gradient, lengths.of_array(gradient)


def _by_formula(value: jax.Array, use: Use) -> tuple[Callable, Any, jax.Array] | None:
    """As of `_met`, for the one operation that a leaf meets; None without a formula."""
    if use.facts.kind is Kind.GATHER and use.place == 0:
        return _of_table(use)
    product = product_of(use)
    if product is None:
        return None
    left, right = product.inputs, product.slopes
    if len(left) == 1:
        add = functools.partial(_pulled, use)
        return add, _factors(use), lengths.of_one(left, right, _unit(use))
    if not lengths.takes_pairs(left, right):
        # no more numbers than what goes in and out has, and they cancel here
        matrix = jnp.matmul(wide(left).T, wide(right), precision=lengths.EXACT)
        return functools.partial(_of_matrices, use, product), matrix, lengths.of_array(matrix)
    if use.facts.kind is not Kind.CONVOLUTION:
        return functools.partial(_apart, use), _factors(use), lengths.of_pairs(left, right)
    square = lengths.of_pairs(left, right, _unit(use))
    square = jnp.maximum(square, (lengths.longest(left, right) / REACH) ** 2)
    return functools.partial(_pulled, use), _factors(use), square


def _factors(use: Use) -> tuple[list, jax.Array]:
    """(operands but the params, slopes) of a row."""
    return [None if i in use.site.views else v for i, v in enumerate(use.operands)], use.slopes[0]


def _unit(use: Use) -> float:
    """Of the rounding of what goes into a product: accelerators have less than float32 for it."""
    if not use.facts.is_product or jax.default_backend() == "cpu":
        return lengths.UNIT
    return TPU_UNIT if jax.default_backend() == "tpu" else GPU_UNIT


def _of_table(use: Use) -> tuple[Callable, Any, jax.Array] | None:
    """As of `_met`, for a table from which whole rows are taken; None where others are."""
    params, (table, indices) = use.site.entry.params, use.operands
    dims, slopes = params["dimension_numbers"], use.slopes[0]
    whole = (1, *table.shape[1:])
    if dims.start_index_map != (0,) or dims.collapsed_slice_dims != (0,):
        return None
    if tuple(params["slice_sizes"]) != whole or dims.operand_batching_dims:
        return None
    taken = indices.reshape(-1)
    positions = taken.shape[0]
    outer = [i for i in range(slopes.ndim) if i not in dims.offset_dims]
    order = (*outer, *dims.offset_dims)
    arranged = slopes.transpose(order)
    slope = arranged.reshape(positions, -1)
    if positions**2 > table.size:
        return None
    mode = params["mode"]
    if mode == jax.lax.GatherScatterMode.CLIP:
        taken = jnp.clip(taken, 0, table.shape[0] - 1)
    elif mode == jax.lax.GatherScatterMode.FILL_OR_DROP:
        is_there = (taken >= 0) & (taken < table.shape[0])
        slope = jnp.where(is_there[:, None], slope, 0)
    shares, square = lengths.of_rows(taken, slope)
    slopes = shares.reshape(arranged.shape).transpose(np.argsort(order))
    return functools.partial(_pulled, use), (_factors(use)[0], slopes), square


# ---------------------------------------------------------------- sums


def weighted_sum(gradients: jax.Array, weights: jax.Array, counts: jax.Array) -> jax.Array:
    """The sum of the gradients of rows that count, each multiplied by its weight."""
    # what is no number in a row that does not count is nothing
    counted = jnp.where(expand_like(counts, gradients), gradients, 0)
    return jnp.tensordot(weights.astype(gradients.dtype), counted, (0, 0))


def _of_gradients(
    leaves: list[jax.Array], leaf: int, values: jax.Array, weights: jax.Array, counts: jax.Array
) -> jax.Array:
    """The weighted sum of gradients that are there."""
    return weighted_sum(values, weights, counts)


def _of_matrices(
    use: Use,
    product: Product,
    leaves: list[jax.Array],
    leaf: int,
    values: jax.Array,
    weights: jax.Array,
    counts: jax.Array,
) -> jax.Array:
    """The weighted sum of gradients that are there as matrices of a product."""
    return _as_leaf(use, product, leaves[leaf], weighted_sum(values, weights, counts))


def _as_leaf(use: Use, product: Product, leaf: jax.Array, matrix: jax.Array) -> jax.Array:
    """The numbers of a product's matrix where they lie in a leaf."""

    def arranged(leaf: jax.Array) -> jax.Array:
        operand = use.site.views[use.place].places(leaf)
        return operand.transpose(product.axes).reshape(matrix.shape)

    _, pull = jax.vjp(arranged, jnp.zeros(leaf.shape, matrix.dtype))
    return pull(matrix)[0]


def _apart(
    use: Use,
    leaves: list[jax.Array],
    leaf: int,
    values: tuple,
    weights: jax.Array,
    counts: jax.Array,
) -> jax.Array:
    """The weighted sum of products, by what is common to the positions of a row and by the rest:
    where positions cancel, the former is large, and so would its roundings be.
    """
    operands, slopes = _counted(values, counts)
    products: list[Product] = []  # the same for all rows

    def of_row(operands: list, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
        filled = [
            use.site.views[i].arrange(leaves[use.site.views[i].leaf]) if v is None else v
            for i, v in enumerate(operands)
        ]
        product = product_of(dataclasses.replace(use, operands=filled, slopes=[slope]))
        products[:] = [product]
        return wide(product.inputs), wide(product.slopes)

    inputs, slopes = jax.vmap(of_row)(operands, slopes)
    common, total = jnp.mean(inputs, 1), jnp.sum(slopes, 1) * weights[:, None]
    slopes = slopes * expand_like(weights, slopes)
    exact = {"precision": lengths.EXACT}
    matrix = jnp.tensordot(inputs - common[:, None], slopes, ((0, 1), (0, 1)), **exact)
    matrix += jnp.matmul(common.T, total, **exact)
    return _as_leaf(use, products[0], leaves[leaf], matrix)


def _counted(values: Any, counts: jax.Array) -> Any:
    """What is stored of rows, zeros where a row does not count."""
    return jax.tree_util.tree_map(lambda v: jnp.where(expand_like(counts, v), v, 0), values)


def _pulled(
    use: Use,
    leaves: list[jax.Array],
    leaf: int,
    values: tuple,
    weights: jax.Array,
    counts: jax.Array,
) -> jax.Array:
    """The weighted sum of the gradients that one operation gives to a leaf, by its own rule."""
    operands, slopes = _counted(values, counts)
    slopes = wide(slopes) * expand_like(weights, slopes)
    views = {i: view for i, view in use.site.views.items() if i != use.place}
    shared = {i: _as_wide(view.arrange(leaves[view.leaf])) for i, view in views.items()}

    def outputs(value: jax.Array) -> jax.Array:
        taken = {**shared, use.place: use.site.views[use.place].places(value)}

        def of_row(operands: list) -> jax.Array:
            inputs = [taken[i] if i in taken else _as_wide(v) for i, v in enumerate(operands)]
            (output,) = _widely(use.site.entry).run(*inputs)
            return output

        return jax.vmap(of_row)(operands)

    _, pull = jax.vjp(outputs, wide(leaves[leaf]))
    return pull(slopes)[0]


def _as_wide(value: Any) -> Any:
    return wide(value) if jnp.issubdtype(value.dtype, jnp.floating) else value


def _widely(entry: Entry) -> Entry:
    """An operation that gives float32 at least, whatever precision it was asked for."""
    asked = entry.params.get("preferred_element_type")
    if asked is None:
        return entry
    preferred = jnp.promote_types(asked, "float32")
    return dataclasses.replace(entry, params={**entry.params, "preferred_element_type": preferred})
