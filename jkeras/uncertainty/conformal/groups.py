"""Groups of rows, each of which is to hold the truth as often as promised: a threshold of its own
for each (Mondrian conformal prediction, Vovk et al. 2005).
"""

import typing
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.uncertainty.checks import is_concrete

OF_LABELS = "classes"  # each row's group is its label


class Groups(typing.NamedTuple):
    """The group of each row.

    Args:
        of_rows: integers (rows,), from 0.
        count: how many groups there are; one that no calibration row belongs to has a threshold
            that lets everything in.

    >>> Groups([0, 1, 0], count=2).count
    2
    """

    of_rows: Any
    count: int


def as_groups(groups: Any, rows: int, where: str) -> Groups:
    """Groups whose numbers have been looked at; without a count it is that of the largest.

    Raises:
        ValueError: another number of rows, numbers that are no integers or not below the count, a
            count that nothing says.
    """
    count = None
    if isinstance(groups, Groups):
        groups, count = groups
    of_rows = jnp.asarray(groups)
    if of_rows.shape != (rows,) or not jnp.issubdtype(of_rows.dtype, jnp.integer):
        wanted = f"`groups` as integers of shape {(rows,)}"
        raise ValueError(explain(where, wanted, f"shape {of_rows.shape} of {of_rows.dtype}"))
    if count is None:
        if not is_concrete(of_rows):
            fix = "give `conformal.Groups(numbers, count)`"
            raise ValueError(explain(where, "the number of groups", "traced numbers alone", fix))
        count = int(of_rows.max(initial=-1)) + 1
    check_groups(of_rows, count, where)
    return Groups(of_rows, count)


def check_groups(of_rows: jax.Array, count: int, where: str) -> None:
    """Raises ValueError where concrete numbers are those of no group."""
    if not is_concrete(of_rows) or not of_rows.size:
        return
    values = np.asarray(of_rows)
    if values.min() < 0 or values.max() >= count:
        received = f"numbers from {values.min()} to {values.max()}"
        raise ValueError(explain(where, f"groups from 0 to {count - 1}", received))


def quantiles(scores: jax.Array, groups: Groups, ranks: np.ndarray) -> jax.Array:
    """For each group the score of a rank in it: (groups,); infinite where it has fewer rows.

    Args:
        ranks: by how many rows a group has, (rows + 1,), counted from 1.

    >>> found = quantiles(jnp.arange(4.0), Groups(jnp.array([1, 0, 1, 1]), 2), np.arange(5))
    >>> print(found)  # the largest of each
    [1. 3.]
    """
    of_rows, count = groups
    counts = jnp.zeros(count, "int32").at[of_rows].add(1)
    in_order = scores[jnp.lexsort((scores, of_rows))]
    begins = jnp.cumsum(counts) - counts
    wanted = jnp.asarray(ranks)[counts]
    found = in_order[jnp.clip(begins + wanted - 1, 0, len(scores) - 1)]
    has_nan = jnp.zeros(count, bool).at[of_rows].max(jnp.isnan(scores))
    return jnp.where(wanted > counts, jnp.inf, jnp.where(has_nan, jnp.nan, found))


def of_groups(threshold: jax.Array, groups: Any, rows: int, where: str) -> jax.Array:
    """The threshold of each row: (rows,). That of no group, where numbers are traced, is infinite.

    Raises:
        ValueError: there are no numbers of groups, or others.
    """
    if groups is None:
        fix = "give `groups=`, the group of each row"
        raise ValueError(explain(where, f"one of {len(threshold)} groups a row", "none", fix))
    if isinstance(groups, Groups):
        groups = groups.of_rows
    of_rows, count = as_groups(Groups(groups, len(threshold)), rows, where)
    is_one = (of_rows >= 0) & (of_rows < count)
    return jnp.where(is_one, threshold[jnp.clip(of_rows, 0, count - 1)], jnp.inf)


def check_none(groups: Any, where: str) -> None:
    """Raises ValueError where there are groups that nothing was fitted by."""
    if groups is not None:
        fix = "give `groups=` to `conformal.fit`, too"
        raise ValueError(
            explain(where, "no groups of rows, since it was fitted without", "some", fix)
        )


__all__ = ["Groups"]
