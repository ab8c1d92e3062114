"""How the trials of a sweep are chosen while they are trained: all to the end, the better part at
each rung, or the worse ones in the steps of the better.
"""

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import check_choice, explain, suggestion
from jkeras.search.epochs import Trial
from jkeras.search.space import Range, Space
from jkeras.training.types import Logs


class Rung(typing.NamedTuple):
    """How many trials go on after an epoch."""

    epoch: int
    keep: int


class Limit(typing.NamedTuple):
    """What an entry of the logs has to keep: at least a number, or at most."""

    low: float = -math.inf
    high: float = math.inf

    def violation(self, values: typing.Any) -> typing.Any:
        """By how much values miss it, as a share of the number; 0 where it is kept, infinite for
        what is no number.

        >>> print(Limit(low=2.0).violation(jnp.array([1.0, 2.0, jnp.nan])))
        [0.5 0.  inf]
        """
        numpy = jnp if isinstance(values, jax.Array) else np
        bound = self.low
        if math.isinf(bound):
            bound = self.high
        missed = numpy.maximum(numpy.maximum(self.low - values, values - self.high), 0)
        return numpy.where(numpy.isnan(values), numpy.inf, missed / (abs(bound) or 1.0))


def at_least(number: float) -> Limit:
    """For `constraints`: an entry of the logs has to be a number or above.

    >>> at_least(0.9)
    Limit(low=0.9, high=inf)
    """
    return Limit(low=_finite(number, "at_least"))


def at_most(number: float) -> Limit:
    """For `constraints`: an entry of the logs has to be a number or below.

    >>> at_most(0.1)
    Limit(low=-inf, high=0.1)
    """
    return Limit(high=_finite(number, "at_most"))


def _finite(number: float, where: str) -> float:
    if (
        isinstance(number, bool)
        or not isinstance(number, (int, float))
        or not math.isfinite(number)
    ):
        raise ValueError(explain(where, "a number", repr(number)))
    return float(number)


class Objective(typing.NamedTuple):
    """What is to be reached: an entry of the logs, and whether "min" or "max" of it; and limits
    that other entries have to keep, (name, limit) each.
    """

    name: str
    mode: str
    limits: tuple[tuple[str, Limit], ...] = ()

    def check(self, logs: Mapping[str, typing.Any]) -> None:
        """Raises ValueError unless the logs have it."""
        for name in (self.name, *(limited for limited, _ in self.limits)):
            if name not in logs:
                raise ValueError(
                    f"The objective is {name!r}, which the logs do not have: {sorted(logs)}."
                    f"{suggestion(name, logs)}"
                )

    def values(self, logs: Mapping[str, typing.Any]) -> typing.Any:
        """Higher is better, whatever the limits; what is no number is the worst of all."""
        values = logs[self.name]
        numpy = jnp if isinstance(values, jax.Array) else np
        values = values if self.mode == "max" else -values
        return numpy.where(numpy.isnan(values), -numpy.inf, values)

    def violations(self, logs: Mapping[str, typing.Any]) -> typing.Any:
        """By how much all limits together are missed."""
        return sum(limit.violation(logs[name]) for name, limit in self.limits)

    def scores(self, logs: Mapping[str, typing.Any]) -> typing.Any:
        """Higher is better. With limits they are ranks: what keeps all of them comes before what
        misses one, and of the latter what misses less (Deb 2000).
        """
        self.check(logs)
        values = self.values(logs)
        if not self.limits:
            return values
        numpy = jnp if isinstance(values, jax.Array) else np
        is_nothing = numpy.isneginf(values)
        missed = numpy.where(is_nothing, numpy.inf, self.violations(logs))
        ranks = numpy.argsort(numpy.lexsort((-values, missed)))
        return numpy.where(is_nothing, -numpy.inf, -ranks.astype("float32"))


@dataclasses.dataclass(frozen=True)
class Random:
    """All trials are trained to the end.

    >>> Random().rungs(64, 20)
    [Rung(epoch=20, keep=64)]
    """

    def rungs(self, trials: int, epochs: int) -> list[Rung]:
        """When how many trials go on."""
        return [Rung(epochs, trials)]

    def turns(self, epochs: int) -> list[int]:
        """After which epochs there is a turn."""
        return []

    def turn(self, space: Space, objective: Objective) -> Callable | None:
        """What happens in a turn."""
        return None


@dataclasses.dataclass(frozen=True)
class Halving(Random):
    """Successive halving: at each rung the best part of the trials goes on, and trains longer.

    The last rung is at the last epoch, each one before it at the `factor`-th part of the next, as
    long as that is `first` epochs.

    Args:
        factor: one of so many trials goes on.
        first: epochs before the first rung, at least.

    Reference: Jamieson and Talwalkar, 2015, arXiv:1502.07943; Li et al., 2016, arXiv:1603.06560.

    >>> Halving(factor=4).rungs(64, 20)
    [Rung(epoch=1, keep=16), Rung(epoch=5, keep=4), Rung(epoch=20, keep=4)]
    """

    factor: int = 3
    first: int = 1

    def __post_init__(self) -> None:
        if self.factor < 2 or self.first < 1:
            expected = "a `factor` of at least 2 and a positive `first`"
            raise ValueError(explain("Halving", expected, str(self)))

    def rungs(self, trials: int, epochs: int) -> list[Rung]:
        """When how many trials go on."""
        halvings = 0
        while min(epochs / self.first, trials) >= self.factor ** (halvings + 1):
            halvings += 1
        rungs = []
        for left in range(halvings, 0, -1):
            trials = math.ceil(trials / self.factor)
            rungs.append(Rung(epochs // self.factor**left, trials))
        return [*rungs, Rung(epochs, trials)]


@dataclasses.dataclass(frozen=True)
class PBT(Random):
    """Population-based training: after some epochs the worst trials take the weights, the
    optimizer's state and the numbers of some of the best, and change the numbers a little.

    A number of a range is multiplied by one of the factors, and stays in the range; one of a list
    becomes a neighbour in it; either may be sampled anew. Each trial keeps its own seed.

    Args:
        every: so many epochs.
        share: of the trials that count as the worst, and as the best.
        factors: of the change.
        resample: how probable it is that a number is sampled anew.

    Reference: Jaderberg et al., 2017, arXiv:1711.09846.

    >>> PBT(every=2).turns(6)
    [2, 4]
    """

    every: int = 1
    share: float = 0.25
    factors: tuple[float, ...] = (0.8, 1.2)
    resample: float = 0.25

    def __post_init__(self) -> None:
        if self.every < 1 or not 0 < self.share <= 0.5 or not 0 <= self.resample <= 1:
            expected = "a positive `every`, a `share` in (0, 0.5] and a `resample` in [0, 1]"
            raise ValueError(explain("PBT", expected, str(self)))

    def turns(self, epochs: int) -> list[int]:
        """After which epochs there is a turn: not after the last one, whose weights are judged."""
        return list(range(self.every, epochs, self.every))

    def turn(self, space: Space, objective: Objective) -> Callable[[Trial, Logs, jax.Array], Trial]:
        """What happens in a turn."""

        def turn(trials: Trial, logs: Logs, key: jax.Array) -> Trial:
            to_copy, to_change = jax.random.split(key)
            source, is_new = exploited(objective.scores(logs), self.share, to_copy)
            copied = jax.tree_util.tree_map(lambda v: v[source], trials)
            keys = jax.random.split(to_change, len(trials.numbers))
            numbers = {}
            for key, (name, old) in zip(keys, sorted(trials.numbers.items())):
                new = self.changed(copied.numbers[name], space[name], key)
                numbers[name] = jnp.where(is_new, new, old)
            return Trial(copied.state.replace(rng=trials.state.rng), numbers)

        return turn

    def changed(self, values: jax.Array, among: typing.Any, key: jax.Array) -> jax.Array:
        """Numbers near others, or new ones."""
        to_choose, to_sample, to_change = jax.random.split(key, 3)
        is_new = jax.random.bernoulli(to_choose, self.resample, values.shape)
        new, near = _sampled(among, values, to_sample), self._near(among, values, to_change)
        return jnp.where(is_new, new, near)

    def _near(self, among: typing.Any, values: jax.Array, key: jax.Array) -> jax.Array:
        if isinstance(among, Range):
            factors = jax.random.choice(key, jnp.asarray(self.factors), values.shape)
            return jnp.clip(values * factors, among.low, among.high)
        choices = jnp.asarray(sorted(among), values.dtype)
        steps = jax.random.choice(key, jnp.asarray([-1, 1]), values.shape)
        return choices[jnp.clip(jnp.searchsorted(choices, values) + steps, 0, len(choices) - 1)]


def _sampled(among: typing.Any, like: jax.Array, key: jax.Array) -> jax.Array:
    """Numbers of a range or list, sampled in a program."""
    if not isinstance(among, Range):
        return jax.random.choice(key, jnp.asarray(among, like.dtype), like.shape)
    if among.is_log:
        low, high = math.log(among.low), math.log(among.high)
        return jnp.exp(jax.random.uniform(key, like.shape, like.dtype, low, high))
    return jax.random.uniform(key, like.shape, like.dtype, among.low, among.high)


def exploited(scores: jax.Array, share: float, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(of which trial each one becomes a copy, whether it is another one): the worst become copies
    of the best, chosen at random.

    >>> source, is_new = exploited(jnp.array([3.0, 1.0, 2.0, -jnp.inf]), 0.25, jax.random.key(0))
    >>> source.tolist(), is_new.tolist()
    ([0, 1, 2, 0], [False, False, False, True])
    """
    count = 0
    if len(scores) > 1:
        count = max(1, int(len(scores) * share))
    order = jnp.argsort(-scores)
    best = jax.random.choice(key, order[: max(count, 1)], (count,))
    worst = order[len(scores) - count :]
    source = jnp.arange(len(scores)).at[worst].set(best)
    return source, source != jnp.arange(len(scores))


STRATEGIES = {"random": Random, "halving": Halving, "pbt": PBT}


def strategy_of(strategy: str | Random) -> Random:
    """A strategy from its name."""
    if isinstance(strategy, Random):
        return strategy
    check_choice("strategy", strategy, STRATEGIES)
    return STRATEGIES[strategy]()
