"""Indices and values of sparse arrays of JAX (`BCOO`)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.experimental import sparse as jax_sparse
from jax.experimental.sparse import BCOO

from numpy.lib.array_utils import normalize_axis_index

from jkeras.core.weights.types import DType
from jkeras.ops.promotion import result_type


def one_hot(x: jax.Array, num_classes: int, axis: int, dtype: DType) -> BCOO:
    """One entry for each integer, in order; 0 for an integer out of range."""
    axis = normalize_axis_index(axis, x.ndim + 1)
    is_valid = (x >= 0) & (x < num_classes)
    coordinates = list(jnp.indices(x.shape, dtype="int32"))
    coordinates.insert(axis, jnp.where(is_valid, x, 0))
    indices = jnp.stack(list(map(jnp.ravel, coordinates)), axis=-1)  # (entry, axis)
    shape = (*x.shape[:axis], num_classes, *x.shape[axis:])
    return BCOO(
        (jnp.ravel(is_valid).astype(dtype), indices),
        shape=shape,
        indices_sorted=axis == x.ndim,
        unique_indices=True,
    )


def with_values(x: BCOO, values: jax.Array) -> BCOO:
    """x with other values at its indices."""
    return BCOO(
        (values, x.indices),
        shape=x.shape,
        indices_sorted=x.indices_sorted,
        unique_indices=x.unique_indices,
    )


def without_duplicates(x: BCOO) -> BCOO:
    """x with each index named once. In a trace, where their number is unknown, indices beyond the
    array fill up.
    """
    if x.unique_indices:
        return x
    entries = None
    if isinstance(x.indices, jax.core.Tracer):
        entries = x.nse
    return jax_sparse.bcoo_sum_duplicates(x, nse=entries)


def share_indices(x1: BCOO, x2: BCOO) -> bool:
    """Whether two arrays share their indices, the same object: no values are looked at."""
    return x1.indices is x2.indices


def side_by_side(x1: BCOO, x2: BCOO) -> tuple[BCOO, jax.Array, jax.Array]:
    """At the indices of either: (a sparse array that has them, values of x1, values of x2)."""
    x1, x2 = without_batch(x1), without_batch(x2)
    dtype = result_type(x1.dtype, x2.dtype)
    first, second = x1.data.astype(dtype), x2.data.astype(dtype)
    pairs = jnp.concatenate(
        [
            jnp.stack([first, jnp.zeros_like(first)], axis=-1),
            jnp.stack([jnp.zeros_like(second), second], axis=-1),
        ]
    )
    indices = jnp.concatenate([x1.indices, x2.indices])
    both = without_duplicates(BCOO((pairs, indices), shape=(*x1.shape, 2)))
    first, second = both.data[..., 0], both.data[..., 1]
    union = BCOO((first, both.indices), shape=x1.shape, indices_sorted=True, unique_indices=True)
    return union, first, second


def without_batch(x: BCOO) -> BCOO:
    """x with its indices counted over all axes."""
    return jax_sparse.bcoo_update_layout(with_whole_batch(x), n_batch=0, on_inefficient=None)


def with_whole_batch(x: BCOO) -> BCOO:
    """x with entries of its own for each sample, where one row of them stands for all."""
    batch = x.shape[: x.n_batch]
    values, indices = (
        jnp.broadcast_to(part, (*batch, *part.shape[x.n_batch :])) for part in (x.data, x.indices)
    )
    return BCOO(
        (values, indices),
        shape=x.shape,
        indices_sorted=x.indices_sorted,
        unique_indices=x.unique_indices,
    )
