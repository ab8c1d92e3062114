"""The best of several private trainings, with what the choice among them reveals."""

import math
import secrets
import typing
from collections.abc import Callable
from typing import Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.privacy.account import Trained
from jkeras.privacy.accounting import Run, check_run
from jkeras.privacy.carrying import account_of, step_of, take_place

WHERE = "privacy.best_of"


class Best(typing.NamedTuple):
    """The best of several trainings.

    Attributes:
        model: that has the largest score; its account has the choice.
        score: as the trial told it.
        number: of the trial. How many there were is not told: the account is of a secret number.

    >>> Best("model", 0.5, 3).number
    3
    """

    model: Any
    score: float
    number: int


def best_of(
    trial: Callable[[int], tuple[Any, float]],
    trials: float,
    run: Run,
    *,
    seed: int | None = None,
) -> Best:
    """Trains a random number of models and gives the best, whose account is that of the choice, two
    to three times the epsilon of one of them (Papernot and Steinke 2022, arXiv:2110.03620, theorem
    2). Without it, each of them would count.

    The guarantee is of the best model alone: no other model, score or number of trials may be told,
    nor whatever the trials wrote down. A score may be of rows of which it may be known, such as a
    test set that is public, and not of the private ones.

    Args:
        trial: `(number) -> (model, score)`: makes a new model, trains it with `privacy`, and
            scores it; larger is better. What it tries has to follow from the number, and not from
            the data.
        trials: how many are expected; the number is drawn from a geometric distribution with this
            mean.
        run: the most that any trial may do: its noise the least, `q` and `steps` the largest.
        seed: of the number of trials, for tests: it has to be secret.

    Raises:
        ValueError: a trial did more than `run`, or something else than to train a model of its own
            with privacy, or its score is NaN.

    >>> import jkeras
    >>> x, y = np.random.default_rng(0).normal(size=(200, 3)), np.arange(200) % 2.0
    >>> def trial(number):
    ...     model = jkeras.Sequential([jkeras.layers.Dense(1)])
    ...     dp = jkeras.privacy.DPSGD(1.0, 4.0, delta=1e-3)
    ...     model.compile(jkeras.optimizers.SGD(0.1 / (number + 1)), "mse", privacy=dp)
    ...     _ = model.fit(x, y, batch_size=20, epochs=1, verbose=0)
    ...     return model, -model.evaluate(x, y, verbose=0)
    >>> best = best_of(trial, 2, Run(4.0, 0.1, 10), seed=0)
    >>> best.model.privacy_spent().runs
    (Run(noise_multiplier=4.0, q=0.1, steps=10, trials=2.0),)
    """
    if not 1 <= trials < math.inf:
        raise ValueError(explain(WHERE, "1 trial or more on the average", f"trials={trials}"))
    if run.trials != 1:
        raise ValueError(explain(WHERE, "the run of one trial", f"{run}"))
    check_run(run)
    random = np.random.default_rng(secrets.randbits(128) if seed is None else seed)
    count = int(random.geometric(1 / trials))
    best, seen, most_overflow, turn = None, set(), 0.0, 1
    for number in range(count):
        model, score = trial(number)
        own = _check_trial(model, run, seen, number)
        score = float(score)
        if math.isnan(score):
            raise ValueError(explain(WHERE, f"a score of trial {number}", "NaN"))
        most_overflow = max(most_overflow, own.overflow)
        turn = max(turn, own.steps_of_a_turn)
        if best is None or score > best.score:
            best = Best(model, score, number)
    chosen = Trained(
        secrets.token_hex(16),
        run.noise_multiplier,
        run.q,
        run.steps,
        own.delta,
        min(most_overflow * trials, 1.0),
        turn,
        trials=float(trials),
    )
    take_place(best.model, chosen)
    return best


def _check_trial(model: Any, most: Run, seen: set[str], number: int) -> Trained:
    """The run of a trial.

    Raises:
        ValueError: it is none that the account is of.
    """
    where = f"{WHERE}, trial {number}"
    runs = account_of(model).at(step_of(model))
    if len(runs) != 1 or runs[0].trials != 1:
        wanted = "a new model that was trained with privacy in one `fit`"
        raise ValueError(explain(where, wanted, f"one with {len(runs)} trainings"))
    (own,) = runs
    if own.id in seen:
        raise ValueError(explain(where, "a model of its own", "that of an earlier trial"))
    seen.add(own.id)
    is_within = own.noise_multiplier >= most.noise_multiplier and own.q <= most.q * (1 + 1e-12)
    if not is_within or own.steps > most.steps:
        raise ValueError(explain(where, f"at most {most}", f"{own.run}"))
    return own


__all__ = ["Best", "best_of"]
