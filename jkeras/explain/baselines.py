"""Baselines: what inputs are compared with."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.explain.running import variable_like
from jkeras.explain.score import Structure


def split(
    baseline: Structure, x: Structure, model: Any = None, at: Any = None, **options: Any
) -> tuple[dict, dict]:
    """(arrays of rows, arrays for all rows) that a baseline makes, for `attribute`.

    Args:
        baseline: a number, a row, as many rows as `x` has, or None: zeros. Where `at` is given, of
            that layer's output.
        model, at, options: as of `attribute`; without `at` the baseline is one of the inputs.

    Raises:
        ValueError: a baseline of another shape.
    """
    if baseline is None:
        return {}, {"baseline": np.float32(0)}
    baseline = jax.tree_util.tree_map(_as_float, baseline)
    values = jax.tree_util.tree_leaves(baseline)
    if len(values) == 1 and jnp.ndim(values[0]) == 0:
        return {}, {"baseline": values[0]}
    like = variable_like(model, x, at, **options)
    leaves, treedef = jax.tree_util.tree_flatten(like)
    if len(values) == 1:
        values = values * len(leaves)
    elif isinstance(like, dict) and jax.tree_util.tree_structure(baseline) != treedef:
        received = sorted(baseline) if isinstance(baseline, dict) else type(baseline).__name__
        raise ValueError(explain("baseline", f"a dict of {sorted(like)}", f"{received}"))
    if len(values) != len(leaves):
        wanted = f"a number, or one baseline for each of {len(leaves)} arrays"
        raise ValueError(explain("baseline", wanted, f"{len(values)} of them"))
    of_rows = [_rows(value, np.shape(leaf)) for value, leaf in zip(values, leaves)]
    return {"baseline": jax.tree_util.tree_unflatten(treedef, of_rows)}, {}


def _rows(value: np.ndarray, shape: tuple[int, ...]) -> jax.Array:
    ends = zip(reversed(jnp.shape(value)), reversed(shape))
    if jnp.ndim(value) > len(shape) or any(size not in (1, wanted) for size, wanted in ends):
        wanted = f"a number, a row of shape {shape[1:]}, or {shape[0]} such rows"
        raise ValueError(explain("baseline", wanted, f"shape {jnp.shape(value)}"))
    return jnp.broadcast_to(value, shape)


def _as_float(value: Any) -> np.ndarray:
    return value if isinstance(value, jax.Array) else np.asarray(value, "float32")


def check_categories(name: str, baseline: Structure, like: Structure) -> None:
    """Raises ValueError where integers, which stand for categories, have a baseline between two.

    Args:
        baseline: in the structure of `like`, or one number for all.
    """
    leaves = jax.tree_util.tree_leaves(like)
    values = jax.tree_util.tree_leaves(baseline)
    if len(values) == 1:
        values = values * len(leaves)
    for value, leaf in zip(values, leaves):
        if isinstance(value, jax.core.Tracer) or not jnp.issubdtype(leaf.dtype, jnp.integer):
            continue
        if np.any(np.asarray(value) != np.round(np.asarray(value))):
            wanted = f"integers as the baseline of {leaf.dtype}"
            raise ValueError(explain(name, wanted, f"{np.asarray(value).reshape(-1)[:3]}"))


def filled(baseline: Structure, like: Structure) -> Structure:
    """A baseline as rows of a variable."""
    leaves, treedef = jax.tree_util.tree_flatten(like)
    values = jax.tree_util.tree_leaves(baseline)
    if len(values) == 1:
        values = values * len(leaves)
    rows = [jnp.broadcast_to(b, v.shape).astype(v.dtype) for b, v in zip(values, leaves)]
    return jax.tree_util.tree_unflatten(treedef, rows)


def shares(multipliers: jax.Array, now: jax.Array, before: jax.Array) -> jax.Array:
    """What differences make by these multipliers; where there is no difference nothing, also where
    a multiplier is not finite, as the slope of a root at 0.
    """
    return jnp.where(now == before, 0, multipliers * (now - before))


def check_rows(name: str, rows: Structure, start: Structure) -> None:
    """Raises ValueError where rows to compare with are none of the variable that is explained."""
    shapes, wanted = ([v.shape[1:] for v in jax.tree_util.tree_leaves(s)] for s in (rows, start))
    if shapes != wanted:
        advice = "with `at=`, give rows of that layer's output"
        raise ValueError(explain(name, f"rows of shapes {wanted}", f"shapes {shapes}", advice))
