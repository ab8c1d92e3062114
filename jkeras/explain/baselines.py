"""Baselines: what inputs are compared with."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.explain.running import rows_of
from jkeras.explain.score import Structure


def split(baseline: Structure, x: Structure, at: Any) -> tuple[dict, dict]:
    """(arrays of rows, arrays for all rows) that a baseline makes, for `attribute`.

    Args:
        baseline: a number, a row, as many rows as `x` has, or None: zeros. Where `at` is given, of
            that layer's output, whose shape is not known here.
    """
    if baseline is None:
        return {}, {"baseline": np.float32(0)}
    rows = rows_of(x)
    baseline = jax.tree_util.tree_map(_as_float, baseline)
    leaves, treedef = jax.tree_util.tree_flatten(x)
    given = jax.tree_util.tree_leaves(baseline)
    if at is not None:
        is_of_rows = jnp.ndim(given[0]) and len(given[0]) == rows and rows > 1
        return ({"baseline": baseline}, {}) if is_of_rows else ({}, {"baseline": baseline})
    if len(given) == 1:
        given = given * len(leaves)
    of_rows = [jnp.broadcast_to(b, v.shape) for b, v in zip(given, leaves, strict=True)]
    return {"baseline": jax.tree_util.tree_unflatten(treedef, of_rows)}, {}


def _as_float(value):
    return value if isinstance(value, jax.Array) else np.asarray(value, "float32")


def filled(baseline: Structure, like: Structure) -> Structure:
    """A baseline as rows of a variable."""
    leaves, treedef = jax.tree_util.tree_flatten(like)
    given = jax.tree_util.tree_leaves(baseline)
    if len(given) == 1:
        given = given * len(leaves)
    rows = [jnp.broadcast_to(b, v.shape).astype(v.dtype) for b, v in zip(given, leaves)]
    return jax.tree_util.tree_unflatten(treedef, rows)
