"""What trainings with noise reveal of a row: epsilon for a delta, of steps on samples of the data.

Own code for Rényi differential privacy (Mironov 2017, arXiv:1702.07476; of the sampled Gaussian
mechanism Mironov, Talwar and Zhang 2019, arXiv:1908.10530); privacy loss distributions, which give
somewhat less for the same training, through the package dp-accounting.
"""

import functools
import math
import typing
from collections.abc import Sequence
from typing import Any

import numpy as np

from jkeras.core.errors import check_choice, explain

ACCOUNTANTS = ("rdp", "pld")
# orders of the Rényi divergence, among which the best is taken: those that others use, too
ORDERS = (*(1 + i / 10 for i in range(1, 100)), *range(11, 64), 128, 256, 512, 1024)
MOST_TERMS = 1000  # of a series
SMALLEST_TERM = -30.0  # where its terms are below exp of this of their sum, it ends
PRECISION = 1e-6  # relative, of the noise that is looked for
MOST_NOISE = 2.0**20
MOST_NOISE_AFTER = 2.0**10  # where other runs left so little that only such noise would do


class Run(typing.NamedTuple):
    """Steps of one kind on samples of the data.

    Attributes:
        noise_multiplier: standard deviation of the noise, over the bound of a row's gradient.
        q: the probability with which each row is in a step, each by its own coin.
        steps: how many.
        trials: where the run is the best of several, how many there were on the average, see
            `best_of`: the choice reveals, too.

    >>> Run(noise_multiplier=1.1, q=0.004, steps=100).steps
    100
    """

    noise_multiplier: float
    q: float
    steps: int
    trials: float = 1.0


def epsilon(
    noise_multiplier: float | None = None,
    q: float | None = None,
    steps: int | None = None,
    delta: float = 1e-5,
    accountant: str = "rdp",
    *,
    runs: Sequence[Run] | None = None,
) -> float:
    """What a training with noise reveals of any one row, at most: with a probability of all but
    `delta`, no output of it is more than exp(epsilon) times as likely with the row as without.

    That holds where each row is in a step by its own coin, for adding or removing one row.

    Args:
        noise_multiplier: standard deviation of the noise, over the bound of a row's gradient.
        q: the probability with which a row is in a step: the expected size of a batch over the
            number of rows.
        steps: how many steps.
        delta: below 1 over the number of rows.
        accountant: "rdp", or "pld", which takes the package dp-accounting and reveals less; it has
            no rule for the best of several trials, which are taken by "rdp".
        runs: `Run`s, the one after the other, in place of one.

    Raises:
        ValueError: numbers out of range.
        ImportError: "pld" without dp-accounting.

    >>> round(epsilon(noise_multiplier=1.1, q=256 / 60000, steps=3516, delta=1e-5), 4)
    1.2813
    """
    check_choice("accountant", accountant, ACCOUNTANTS, "privacy.epsilon")
    if runs is None:
        runs = [Run(noise_multiplier, q, steps)]
    if not 0 < delta < 1:
        raise ValueError(explain("privacy.epsilon", "a delta between 0 and 1", f"delta={delta}"))
    runs = list(filter(_reveals, runs))
    if not runs:
        return 0.0
    if any(run.noise_multiplier == 0 for run in runs):
        return math.inf
    if accountant == "pld" and all(run.trials == 1 for run in runs):
        return _of_distributions(runs, delta)
    return _of_divergences(runs, delta)


def _reveals(run: Run) -> bool:
    """Whether a run that was checked reveals anything."""
    check_run(run)
    return bool(run.steps and run.q)


def noise_for(
    epsilon: float,
    delta: float,
    q: float,
    steps: int,
    accountant: str = "rdp",
    *,
    after: Sequence[Run] = (),
) -> float:
    """The least noise with which a training reveals no more than `epsilon`; arguments and errors as
    of the function of that name.

    Args:
        after: runs that went before it on the same rows, and count.

    Raises:
        ValueError: also where the runs before reveal as much by themselves.

    >>> noise = noise_for(epsilon=3.0, delta=1e-5, q=256 / 60000, steps=3516)
    >>> 0.72 < noise < 0.8
    True
    """
    if not epsilon > 0:
        raise ValueError(explain("privacy.noise_for", "an epsilon above 0", f"{epsilon}"))

    def is_enough(noise: float, by: str) -> bool:
        runs = [*after, Run(noise, q, steps)]
        return _epsilon(delta=delta, accountant=by, runs=runs) <= epsilon

    least, most = 0.0, 1.0
    while not is_enough(most, "rdp"):
        least, most = most, 2 * most
        if most > (MOST_NOISE_AFTER if after else MOST_NOISE):
            raise ValueError(_no_noise(epsilon, delta, accountant, after))
    least = 0.0 if accountant == "pld" else least  # less noise is enough then
    while most - least > PRECISION * most:
        middle = (least + most) / 2
        least, most = (least, middle) if is_enough(middle, accountant) else (middle, most)
    return most


_epsilon = epsilon  # `noise_for` has an argument of this name


def _no_noise(epsilon: float, delta: float, accountant: Any, after: Sequence[Run]) -> str:
    """The message where there is no noise that is enough."""
    wanted = f"an epsilon and a delta that some noise gives for {len(after)} runs and one more"
    received = f"epsilon={epsilon} and delta={delta}"
    if not after:
        return explain("privacy.noise_for", wanted.partition(" for ")[0], received)
    spent = _epsilon(delta=delta, accountant=accountant, runs=after)
    fix = "raise epsilon, or stop: what has been revealed cannot be taken back"
    return explain("privacy.noise_for", wanted, f"{received}, of which {spent:.4g} is spent", fix)


def check_run(run: Run) -> None:
    """Raises ValueError for numbers that no run has."""
    where = "privacy.epsilon"
    if not (run.noise_multiplier is not None and run.noise_multiplier >= 0):
        received = f"noise_multiplier={run.noise_multiplier}"
        raise ValueError(explain(where, "noise of 0 or more", received))
    if not (run.q is not None and 0 <= run.q <= 1):
        raise ValueError(explain(where, "a probability q from 0 to 1", f"q={run.q}"))
    if not (run.steps is not None and run.steps >= 0):
        raise ValueError(explain(where, "0 steps or more", f"steps={run.steps}"))
    if not 1 <= run.trials < math.inf:
        raise ValueError(explain(where, "1 trial or more", f"trials={run.trials}"))


# ---------------------------------------------------------------- Rényi divergences


def _of_divergences(runs: Sequence[Run], delta: float) -> float:
    total = sum(map(_divergences_of, runs))
    return min(_converted(order, float(v), delta) for order, v in zip(ORDERS, total))


def _divergences_of(run: Run) -> np.ndarray:
    """Those of a run, of all orders; of the best of several trials by theorem 2 of Papernot and
    Steinke 2022 (arXiv:2110.03620), with numbers of trials from a geometric distribution.
    """
    total = run.steps * _divergences(run.q, run.noise_multiplier)
    if run.trials == 1:
        return total
    orders, often = np.array(ORDERS), math.log(run.trials)
    of_choice = 2 * (1 - 1 / orders) * total + 2 * often / orders
    return total + min(of_choice.min(), 2 * often) + often / (orders - 1)


@functools.lru_cache(256)
def _divergences(q: float, noise_multiplier: float) -> np.ndarray:
    """Those of one step, of all orders: an epsilon after each epoch asks for the same ones."""
    return np.array([divergence(q, noise_multiplier, order) for order in ORDERS])


def _converted(order: float, divergence: float, delta: float) -> float:
    """Epsilon for a delta (Canonne, Kamath and Steinke 2020, arXiv:2004.00010, proposition 12)."""
    if math.isinf(divergence):
        return math.inf
    if delta**2 + math.expm1(-divergence) > 0:  # the total variation is at most delta
        return 0.0
    value = divergence + math.log1p(-1 / order) - math.log(delta * order) / (order - 1)
    return max(value, 0.0)


def divergence(q: float, noise_multiplier: float, order: float) -> float:
    """The Rényi divergence of an order between the outputs of one step with and without a row.

    >>> divergence(1.0, 2.0, 8.0)  # without sampling: order / (2 * noise ** 2)
    1.0
    """
    if q == 1.0:
        return order / (2 * noise_multiplier**2)
    if float(order).is_integer():
        moment = _log_moment(q, noise_multiplier, int(order))
    else:
        moment = _log_moment_between(q, noise_multiplier, order)
    return moment / (order - 1)


def _log_moment(q: float, noise: float, order: int) -> float:
    """log E[(p / p0)^order] for an integer order: a sum over how many of so many have the row."""
    from scipy import special  # it comes with JAX

    count = np.arange(order + 1)
    binomial = special.gammaln(order + 1) - special.gammaln(count + 1)
    binomial -= special.gammaln(order - count + 1)
    terms = binomial + count * math.log(q) + (order - count) * math.log1p(-q)
    return special.logsumexp(terms + (count * count - count) / (2 * noise**2))


def _log_moment_between(q: float, noise: float, order: float) -> float:
    """A bound on the same for any order: two series, for outputs on the two sides of where both
    are equally likely, whose terms are taken without their signs, as dp-accounting takes them. So
    no digits cancel, and the bound is never below the moment.
    """
    from scipy import special

    border = noise**2 * math.log(1 / q - 1) + 0.5
    i = np.arange(MOST_TERMS, dtype=float)
    j = order - i
    size = special.gammaln(order + 1) - special.gammaln(i + 1) - special.gammaln(j + 1)
    below = size + i * math.log(q) + j * math.log1p(-q) + (i * i - i) / (2 * noise**2)
    above = size + j * math.log(q) + i * math.log1p(-q) + (j * j - j) / (2 * noise**2)
    below += special.log_ndtr((border - i) / noise)
    above += special.log_ndtr((j - border) / noise)
    totals = np.logaddexp.accumulate(np.logaddexp(below, above))
    falls = (np.diff(below) < 0) & (np.diff(above) < 0)
    small = np.maximum(below, above)[1:] < totals[1:] + SMALLEST_TERM
    ends = np.flatnonzero(falls & small)
    return totals[ends[0] + 1] if len(ends) else math.inf


# ---------------------------------------------------------------- privacy loss distributions


def _of_distributions(runs: Sequence[Run], delta: float) -> float:
    try:
        import dp_accounting
        from dp_accounting import pld
    except ImportError as error:
        raise ImportError(
            "accountant='pld' takes the package dp-accounting: `pip install dp-accounting`, or use "
            "accountant='rdp'."
        ) from error
    accountant: Any = pld.PLDAccountant()
    for run in runs:
        if run.q == 1:  # as one step, without the roundings of many
            once = dp_accounting.GaussianDpEvent(run.noise_multiplier / math.sqrt(run.steps))
            accountant.compose(once)
            continue
        noise = dp_accounting.GaussianDpEvent(run.noise_multiplier)
        step = dp_accounting.PoissonSampledDpEvent(run.q, noise)
        accountant.compose(dp_accounting.SelfComposedDpEvent(step, run.steps))
    return float(accountant.get_epsilon(delta))


__all__ = ["Run", "epsilon", "noise_for"]
