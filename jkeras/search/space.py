"""What is searched: for each name a list of values, or a range to sample from."""

import itertools
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jkeras.core.errors import explain


class Range(typing.NamedTuple):
    """Numbers from `low` to `high`, all equally likely; where `is_log`, their logarithms are."""

    low: float
    high: float
    is_log: bool = False

    def sample(self, rng: np.random.Generator, count: int) -> list[float]:
        """So many numbers, which single precision holds as they are."""
        if self.is_log:
            numbers = np.exp(rng.uniform(np.log(self.low), np.log(self.high), count))
        else:
            numbers = rng.uniform(self.low, self.high, count)
        return np.clip(numbers, self.low, self.high).astype("float32").tolist()


Space = Mapping[str, Range | Sequence[Any]]


def uniform(low: float, high: float) -> Range:
    """Numbers from `low` to `high`, all equally likely.

    >>> uniform(0, 0.5)
    Range(low=0, high=0.5, is_log=False)
    """
    _check_order("uniform", low, high)
    return Range(low, high)


def log(low: float, high: float) -> Range:
    """Numbers from `low` to `high` whose logarithms are equally likely: for rates.

    Raises:
        ValueError: `low` is not positive.

    >>> log(1e-4, 1e-1)
    Range(low=0.0001, high=0.1, is_log=True)
    """
    _check_order("log", low, high)
    if low <= 0:
        raise ValueError(explain("log", "positive numbers", f"low={low}"))
    return Range(low, high, is_log=True)


def _check_order(where: str, low: float, high: float) -> None:
    if not low < high:
        raise ValueError(explain(where, "`low` below `high`", f"low={low}, high={high}"))


def sampled(space: Space, trials: int | None, seed: int) -> list[dict[str, Any]]:
    """The values of each trial.

    Where all of the space is lists, no trial comes twice, and None makes one of each
    combination.

    Raises:
        ValueError: an empty space or list, or a number of trials that is missing or impossible.

    >>> sampled({"units": [8, 16], "seed": [0]}, None, seed=0)
    [{'units': 8, 'seed': 0}, {'units': 16, 'seed': 0}]
    """
    _check_space(space)
    rng = np.random.default_rng(seed)
    if not any(isinstance(values, Range) for values in space.values()):
        return _combinations(space, trials, rng)
    if trials is None:
        raise ValueError(
            explain("sweep", "`trials`, since there are ranges to sample from", "trials=None")
        )
    _check_count(trials)
    columns = {name: _column(values, rng, trials) for name, values in space.items()}
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def _column(values: Range | Sequence[Any], rng: np.random.Generator, count: int) -> list:
    if isinstance(values, Range):
        return values.sample(rng, count)
    return [values[i] for i in rng.integers(len(values), size=count)]


def _combinations(space: Space, trials: int | None, rng: np.random.Generator) -> list[dict]:
    """All combinations of lists in their order, or so many of them at random."""
    rows = [dict(zip(space, row)) for row in itertools.product(*space.values())]
    if trials is None:
        return rows
    _check_count(trials)
    if trials > len(rows):
        raise ValueError(
            explain(
                "sweep",
                f"at most {len(rows)} trials, which is how many combinations there are",
                f"trials={trials}",
                "leave `trials` out, or add a list of seeds to the space",
            )
        )
    return [rows[i] for i in rng.permutation(len(rows))[:trials]]


def _check_count(trials: int) -> None:
    if trials < 1:
        raise ValueError(explain("sweep", "a positive number of `trials`", f"trials={trials}"))


def _check_space(space: Space) -> None:
    if not space:
        raise ValueError(explain("sweep", "a `space` with a name in it", f"space={space!r}"))
    for name, values in space.items():
        is_list = isinstance(values, Sequence) and not isinstance(values, str)
        if not is_list or len(values) == 0:
            expected = f"a list of values, `log(low, high)` or `uniform(low, high)` for {name!r}"
            raise ValueError(explain("sweep", expected, repr(values)))
