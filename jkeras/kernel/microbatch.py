"""A batch computed in microbatches: what each of them adds to the loss of the whole batch."""

import typing
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jkeras.kernel.scope import current_flow


class Microbatch:
    """Of one microbatch: numerators of means are divided by the denominators of the whole batch.

    These are computed first, by running all microbatches with `totals=None`: masks and weights
    decide on them, not parameters.

    Args:
        count: how many microbatches the batch has.
        totals: the denominators of the whole batch, in the order in which they are asked for.
        batch_size: number of valid rows of the whole batch.

    Attributes:
        denominators: those of this microbatch, in the same order.

    >>> counting = Microbatch(2)
    >>> _ = counting.mean(6.0, 3)
    >>> [float(v) for v in counting.denominators]
    [3.0]
    >>> float(Microbatch(2, totals=[4.0]).mean(6.0, 3))
    1.5
    """

    def __init__(
        self,
        count: int,
        totals: Sequence[jax.Array | float] | None = None,
        batch_size: jax.Array | int | None = None,
    ) -> None:
        self.count = count
        self.totals = totals
        self.batch_size = batch_size
        self.denominators: list[jax.Array] = []

    def mean(
        self, numerator: jax.Array | float, denominator: jax.Array | float
    ) -> jax.Array | float:
        """What this microbatch adds to a mean."""
        self.denominators.append(jnp.asarray(denominator, "float32"))
        if self.totals is None:
            return numerator
        numerator = jnp.asarray(numerator)
        total = jnp.asarray(self.totals[len(self.denominators) - 1], numerator.dtype)
        return jnp.where(total == 0, 0, numerator / jnp.where(total == 0, 1, total))


def current_microbatch() -> Microbatch | None:
    """The microbatch that is being computed, or None."""
    flow = current_flow()
    return None if flow is None else flow.microbatch


def per_microbatch(value: jax.Array) -> jax.Array:
    """The part of a microbatch in what each of them has as a whole, such as a penalty on
    weights.
    """
    microbatch = current_microbatch()
    return value if microbatch is None else value / microbatch.count


def cut(batch: typing.Any, count: int) -> typing.Any:
    """Arrays (rows, …) as (microbatches, rows of one, …).

    Every microbatch takes rows from all over the batch, so that a batch cut over devices stays so.
    `joined` goes back.

    >>> cut(jnp.arange(6), 2).tolist()
    [[0, 2, 4], [1, 3, 5]]
    """

    def split(array: jax.Array) -> jax.Array:
        return jnp.swapaxes(array.reshape(-1, count, *array.shape[1:]), 0, 1)

    return jax.tree_util.tree_map(split, batch)


def joined(microbatches: typing.Any) -> typing.Any:
    """Arrays (microbatches, rows of one, …) as (rows, …): back from `cut`.

    >>> joined(cut(jnp.arange(6), 2)).tolist()
    [0, 1, 2, 3, 4, 5]
    """

    def join(array: jax.Array) -> jax.Array:
        return jnp.swapaxes(array, 0, 1).reshape(-1, *array.shape[2:])

    return jax.tree_util.tree_map(join, microbatches)
