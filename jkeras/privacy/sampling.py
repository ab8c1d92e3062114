"""Which rows are in a step: each by its own coin, or all in turn."""

import collections.abc
import warnings

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.training.data import ArraySource, take
from jkeras.training.data.source import Batch

OVERFLOW = 1e-9  # probability that any step of a training has more rows than there is room for


def sample(key: jax.Array, size: int, q: float, cap: int) -> tuple[jax.Array, jax.Array]:
    """The rows of one step, each by its own coin; pure, for a loop of your own.

    Args:
        key: of this step alone.
        size: how many rows there are.
        q: the probability of each.
        cap: how many slots there are, see `cap_for`. Rows beyond are left out.

    Returns:
        (numbers of rows (cap,), which of these slots are taken (cap,)).

    >>> rows, valid = sample(jax.random.key(0), size=1000, q=0.01, cap=40)
    >>> rows.shape, 0 < int(valid.sum()) < 40
    ((40,), True)
    """
    # numbers of 23 bits would take q for a multiple of 2 ** -23
    chosen = jax.random.bernoulli(key, q, (size,), mode="high")
    (rows,) = jnp.nonzero(chosen, size=cap, fill_value=0)
    return rows, jnp.arange(cap) < jnp.sum(chosen)


def cap_for(size: int, q: float, steps: int, probability: float = OVERFLOW) -> int:
    """The number of slots with which a step of so many has too few with at most a probability.

    >>> cap_for(60000, 256 / 60000, 3516)
    379
    """
    from scipy import special  # it comes with JAX

    counts = np.arange(size)
    too_few = special.bdtrc(counts, size, q) * max(steps, 1) > probability
    return int(np.argmin(too_few)) if not too_few.all() else size


def overflow(size: int, q: float, cap: int) -> float:
    """The probability that one step has more rows than a cap."""
    from scipy import special

    return float(special.bdtrc(cap, size, q)) if cap < size else 0.0


class SampledSource(ArraySource):
    """The rows of another source in steps of a full size, of which some slots may be empty.

    Args:
        source: of arrays.
        slots: of a step, for rows.

    Attributes:
        full_size: that number.
        expected: how many rows a step has on the average.
        stream: numbers apart from the seed from which the samples follow: those of another training
            have to be others.
        q: the probability with which a row is in a step.
    """

    stream: tuple[int, ...] = ()

    def __init__(self, source: ArraySource, slots: int, expected: int) -> None:
        self.data, self.size = source.data, source.size
        self.batch_size = self.full_size = slots
        self.expected = expected
        self.q = min(expected / source.size, 1.0)
        self.shuffle = source.shuffle
        self.num_batches = source.num_batches
        self.fits_on_device = source.fits_on_device
        self._shapes = source.shapes()
        self._on_device = None

    def rows(self, seed: int, epoch: int) -> list[np.ndarray]:
        """The rows of each step of an epoch."""
        raise NotImplementedError

    def steps(self, seed: int, epoch: int, padded_size: int | None) -> tuple:
        """As of `ArraySource`: slots that are empty have a number past the end."""
        order = np.full((self.num_batches, self.full_size), self.size, "int64")
        for slots, rows in zip(order, self.rows(seed, epoch), strict=True):
            slots[: len(rows)] = rows
        kind = "int64"
        if self.size < 2**31 - 1:
            kind = "int32"
        return order.astype(kind), np.arange(0)

    def batches(
        self, seed: int = 0, epoch: int = 0, skip: int = 0
    ) -> collections.abc.Iterator[Batch]:
        """The batches of an epoch, from number `skip` on, some of which may be empty."""
        for rows in self.rows(seed, epoch)[skip:]:
            yield take(self.data, rows)

    def peek(self) -> Batch:
        """A batch of the full size."""
        return take(self.data, np.arange(self.full_size) % self.size)


class PoissonSource(SampledSource):
    """Each row is in a step by its own coin; rows beyond the slots of a step are left out, which
    happens with a probability that the guarantee has in it.
    """

    def rows(self, seed: int, epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng((seed, epoch, 1, *self.stream))  # 1: not that of an order
        chosen = []
        for _ in range(self.num_batches):
            count = rng.binomial(self.size, self.q)
            if count > self.full_size:
                warnings.warn(
                    f"privacy.DPSGD: a step of {count} rows has {self.full_size} slots, and some "
                    "were left out. The added part of delta is for this.",
                    stacklevel=2,
                )
            chosen.append(rng.choice(self.size, count, replace=False)[: self.full_size])
        return chosen


class TurnsSource(SampledSource):
    """Each row is in one step of an epoch."""

    def rows(self, seed: int, epoch: int) -> list[np.ndarray]:
        return self._cut(self.order(seed, epoch))

    def _cut(self, order: np.ndarray) -> list[np.ndarray]:
        return [order[i : i + self.expected] for i in range(0, self.size, self.expected)]


class CyclicSource(TurnsSource):
    """Each row is in one step of an epoch, the same in each, so that as many steps are between any
    two in which it is.
    """

    def rows(self, seed: int, epoch: int) -> list[np.ndarray]:
        return self._cut(self.order(seed, 0))


SOURCES = {"poisson": PoissonSource, "turns": TurnsSource, "cyclic": CyclicSource}


def sampled(source: ArraySource, sampling: str, steps: int, multiple: int) -> SampledSource:
    """A source of arrays with its rows sampled for a training of so many steps.

    Args:
        multiple: a step has a multiple of so many slots.

    Raises:
        ValueError: another process has some of the rows.
    """
    if jax.process_count() > 1:
        raise ValueError(
            "privacy.DPSGD: expected one process, which has all rows, received "
            f"{jax.process_count()}. To fix it: train in one process, on all of its devices."
        )
    expected = min(source.batch_size, source.size)
    slots = expected
    if sampling == "poisson":
        slots = cap_for(source.size, expected / source.size, steps)
    slots = -(-slots // multiple) * multiple
    return SOURCES[sampling](source, slots, expected)


__all__ = ["cap_for", "sample"]
