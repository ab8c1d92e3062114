"""The gradients of rows without making them: their lengths, and sums of them with weights, from
what goes into each operation that takes params, and the gradient of what comes out of it
(Goodfellow 2015, arXiv:1510.01799; Li et al. 2021, arXiv:2110.05679; of convolutions Bu et al.
2022, arXiv:2205.10683; both from one backward pass Bu et al. 2023, arXiv:2210.00038).

Lengths and sums are of the same numbers, so that a sum has of a row what its length says, also
where rounding hides digits. Params that meet an operation without a formula here, or several
operations, have their gradient by row.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.explain.products import product_of
from jkeras.explain.sites import Use, reading
from jkeras.kernel.valid_rows import expand_like
from jkeras.privacy import lengths
from jkeras.privacy.lengths import wide

Tree = Any
DOTS = ("dot_general", "conv_general_dilated")
GPU_UNIT, TPU_UNIT = 2.0**-10, 2.0**-8  # of TF32 and bfloat16


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
    plan: list[Use | None] = []  # for each leaf the one operation that it meets, if it has a form

    def of_row(*row: Any) -> tuple:
        found, aux = reading(loss, params, *row)
        met = list(map(_met, leaves, found))
        plan[:] = [use for use, _, _ in met]
        return treedef.unflatten([square for *_, square in met]), [v for _, v, _ in met], aux

    squares, values, aux = jax.vmap(of_row)(*rows)

    def weighted(weights: Sequence[jax.Array], counts: jax.Array) -> list[jax.Array]:
        sums: list = [None] * len(leaves)
        for i, use in reversed(list(enumerate(plan))):  # as a backward pass goes
            given = values[i], weights[i], counts
            sums[i] = _weighted(use, leaves, i, *given) if use else weighted_sum(*given)
        return sums

    return Ghosts(squares, aux, weighted)


def _met(value, found):
    """(the operation that a leaf meets; what of it is kept, or the gradient itself; the squared
    length of the gradient), of one row.
    """
    if len(found) == 1:
        (use,) = found
        square = _square_of(use)
        if square is not None:
            views = use.site.views
            operands = [None if i in views else v for i, v in enumerate(use.operands)]
            return use, (operands, use.slopes[0]), square
    if found:
        gradient = sum(wide(use.gradient(value)) for use in found)
    else:
        gradient = wide(jnp.zeros_like(value))
    return None, gradient, lengths.of_array(gradient)


# ---------------------------------------------------------------- lengths


def _square_of(use):
    """By a formula; None without one."""
    product = product_of(use)
    if product is not None:
        return lengths.of_product(product.inputs, product.slopes, _unit(use))
    if use.kind == ("gather", 0):
        return _of_table(use.site.entry.params, use.operands, use.slopes[0])
    return None


def _unit(use):
    """Of the rounding of what goes into a product: accelerators have less than float32 for it."""
    if use.kind[0] not in DOTS or jax.default_backend() == "cpu":
        return lengths.UNIT
    return TPU_UNIT if jax.default_backend() == "tpu" else GPU_UNIT


def _of_table(params: dict, operands: list, slope: jax.Array) -> jax.Array | None:
    """Of a table from which whole rows are taken."""
    table, indices = operands
    dims = params["dimension_numbers"]
    whole = (1, *table.shape[1:])
    if dims.start_index_map != (0,) or dims.collapsed_slice_dims != (0,):
        return None
    if tuple(params["slice_sizes"]) != whole or dims.operand_batching_dims:
        return None
    taken = indices.reshape(-1)
    positions = taken.shape[0]
    outer = [i for i in range(slope.ndim) if i not in dims.offset_dims]
    slope = slope.transpose(*outer, *dims.offset_dims).reshape(positions, -1)
    if positions**2 > table.size:
        return None
    mode = params["mode"]
    if mode == jax.lax.GatherScatterMode.CLIP:
        taken = jnp.clip(taken, 0, table.shape[0] - 1)
    elif mode == jax.lax.GatherScatterMode.FILL_OR_DROP:
        is_there = (taken >= 0) & (taken < table.shape[0])
        slope = jnp.where(is_there[:, None], slope, 0)
    return lengths.of_rows(taken, slope)


# ---------------------------------------------------------------- sums


def weighted_sum(gradients: jax.Array, weights: jax.Array, counts: jax.Array) -> jax.Array:
    """The sum of the gradients of rows that count, each multiplied by its weight."""
    # what is no number in a row that does not count is nothing
    counted = jnp.where(expand_like(counts, gradients), gradients, 0)
    return jnp.tensordot(weights.astype(gradients.dtype), counted, (0, 0))


def _weighted(use, leaves, leaf, values, weights, counts):
    """The weighted sum of the gradients that one operation gives to a leaf."""
    operands, slopes = jax.tree_util.tree_map(
        lambda v: jnp.where(expand_like(counts, v), v, 0), values
    )
    slopes = wide(slopes) * expand_like(weights, slopes)
    views = {i: view for i, view in use.site.views.items() if i != use.place}
    shared = {i: _as_wide(view.arrange(leaves[view.leaf])) for i, view in views.items()}

    def outputs(value: jax.Array) -> jax.Array:
        taken = {**shared, use.place: use.site.views[use.place].places(value)}

        def of_row(operands: list) -> jax.Array:
            given = [taken[i] if i in taken else _as_wide(v) for i, v in enumerate(operands)]
            (output,) = _widely(use.site.entry).run(*given)
            return output

        return jax.vmap(of_row)(operands)

    _, pull = jax.vjp(outputs, wide(leaves[leaf]))
    return pull(slopes)[0]


def _as_wide(value):
    return wide(value) if jnp.issubdtype(value.dtype, jnp.floating) else value


def _widely(entry):
    """An operation that gives float32 at least, whatever precision it was asked for."""
    asked = entry.params.get("preferred_element_type")
    if asked is None:
        return entry
    preferred = jnp.promote_types(asked, "float32")
    return dataclasses.replace(entry, params={**entry.params, "preferred_element_type": preferred})
