"""Attacks on a training that show how much it reveals at least: shadow trainings on halves of the
rows, all in one compiled program.
"""

import dataclasses
import typing
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.weights.rng import as_key
from jkeras.privacy.sampling import cap_for, sample
from jkeras.privacy.step import PrivateStep
from jkeras.training.step.initial_state import init_train_state
from jkeras.training.step.layout import LazyLayout
from jkeras.training.step.state import TrainState
from jkeras.training.step.step import make_predict_step, make_train_step
from jkeras.training.step.building import require_compiled

FEWEST_MODELS = 4
GUESSES = 0.1  # the share of the rows of a model of which a guess is made
CONFIDENCE = 0.95
MOST_EPSILON = 50.0
SMALLEST = 1e-7  # of a probability, and of a deviation


class Audit(typing.NamedTuple):
    """What shadow trainings have shown.

    Attributes:
        auc: area under the curve of the attack, 0.5 where it knows nothing.
        true_positives: the share of members that it finds while it takes 1 % of the others for
            members.
        epsilon: what the training reveals at least, with a confidence of 95 %.
        scores: (models, rows), above 0 where a row looks like a member.
        included: (models, rows), whether it was one.
    """

    auc: float
    true_positives: float
    epsilon: float
    scores: np.ndarray
    included: np.ndarray


def lira(
    train: Callable,
    x: Any,
    y: Any,
    models: int = 32,
    *,
    delta: float = 1e-5,
    from_logits: bool = True,
    rng: Any = 0,
) -> Audit:
    """The likelihood ratio attack on members of the training data, online and with one variance
    (Carlini et al. 2021, arXiv:2112.03570); and from its guesses a bound that any guarantee has to
    be above (Steinke et al. 2023, arXiv:2305.08846).

    For each of the models every row is a member by its own coin. The score of a row compares how
    sure a model is of its label with how sure the others are that had it, and those that had not.
    The bound is from the second half of the models, which the first half knows nothing of.

    Args:
        train: pure, `(key, x, y, mask) -> outputs`: trains on the rows of the mask from a key, and
            gives scores of classes for all rows, (rows, classes); `trainer` makes one of a model.
        x, y: rows, and the numbers of their classes. Rows with a label that is wrong, or that are
            like no other, are found most easily.
        models: how many are trained, in one `vmap`.
        delta: of the guarantee that is looked at.
        from_logits: False: outputs are probabilities.
        rng: a key or an integer.

    Raises:
        ValueError: fewer than 4 models.

    >>> def train(key, x, y, mask):  # remembers all that it was given
    ...     return jnp.where(mask[:, None], 9.0, -9.0) * jax.nn.one_hot(y, 2)
    >>> x, y = np.zeros((200, 1)), np.arange(200) % 2
    >>> found = lira(train, x, y, models=8)
    >>> found.auc, found.epsilon > 2
    (1.0, True)
    """
    if models < FEWEST_MODELS:
        wanted = f"{FEWEST_MODELS} models or more"
        raise ValueError(explain("privacy.audit.lira", wanted, f"models={models}"))
    x, y = jax.tree_util.tree_map(jnp.asarray, (x, y))
    members, shadows = jax.random.split(as_key(rng))
    included = jax.random.bernoulli(members, 0.5, (models, len(y)))
    keys = jax.random.split(shadows, models)
    outputs = jax.jit(jax.vmap(train, (0, None, None, 0)))(keys, x, y, included)
    sure = np.asarray(_confidences(outputs, y, from_logits), "float64")
    included = np.asarray(included)
    scores = _scores(sure, included, sure, included, leaves_out=True)
    auc, curve = _curve(scores[included], scores[~included])
    half = models // 2
    guessed = _scores(sure[half:], included[half:], sure[:half], included[:half], leaves_out=False)
    return Audit(auc, curve, _bound(guessed, included[half:], delta), scores, included)


def trainer(model: Any, *, steps: int, batch_size: int) -> Callable:
    """The function that `lira` trains with, of a compiled model: from fresh weights, each row of
    the mask in each step by its own coin.

    Args:
        model: compiled, with `privacy` or without, and built.
        steps: how many.
        batch_size: expected rows of a step, were all rows in the mask.

    Returns:
        `(key, x, y, mask) -> outputs` of all rows: pure.
    """
    require_compiled(model, "audit.trainer")
    if model.compilation.privacy is None:
        step = make_train_step(model)
    else:
        model.compilation.privacy.check_model(model)
        privacy = dataclasses.replace(model.compilation.privacy, batch_size=batch_size)
        step = PrivateStep(LazyLayout(model), privacy)
    predict = make_predict_step(model)

    def train(key: jax.Array, x: Any, y: Any, mask: jax.Array) -> Any:
        first, key = jax.random.split(key)
        size = len(mask)
        q = min(batch_size / size, 1.0)
        cap = cap_for(size, q, steps)

        def one(state: TrainState, key: jax.Array) -> tuple[TrainState, None]:
            rows, valid = sample(key, size, q, cap)
            batch = jax.tree_util.tree_map(lambda v: v[rows], (x, y))
            return step(state, batch, valid & mask[rows])[0], None

        state = init_train_state(model, first)
        state, _ = jax.lax.scan(one, state, jax.random.split(key, steps))
        return predict(state, x)

    return train


# ---------------------------------------------------------------- the attack


def _confidences(outputs: jax.Array, y: Any, from_logits: bool) -> jax.Array:
    """How much surer of a row's label than of all others, as a logarithm, (models, rows)."""
    logs = outputs if from_logits else jnp.log(jnp.maximum(outputs, SMALLEST))
    logs = jax.nn.log_softmax(logs.astype("float32"))
    is_label = jax.nn.one_hot(y, logs.shape[-1], dtype=bool)
    right = jnp.sum(jnp.where(is_label, logs, 0), -1)
    return right - jax.nn.logsumexp(jnp.where(is_label, -jnp.inf, logs), -1)


def _scores(
    sure: np.ndarray,
    included: np.ndarray,
    reference: np.ndarray,
    reference_included: np.ndarray,
    leaves_out: bool,
) -> np.ndarray:
    """The logarithm of how much likelier confidences are of a member, (models, rows).

    Args:
        reference, reference_included: of the models that are compared with.
        leaves_out: they are the same models, and each is compared with the others.
    """
    logs = []
    for members in (reference_included, ~reference_included):
        total, count = np.where(members, reference, 0).sum(0), members.sum(0)
        if leaves_out:
            total = total - np.where(members, reference, 0)
            count = count - members
        # of a row that none of them has, or all have: as of all rows
        middle = np.where(count > 0, total / np.maximum(count, 1), reference[members].mean())
        apart = reference - np.broadcast_to(middle, reference.shape)
        deviation = max(apart[members].std(), SMALLEST)
        logs.append(-(((sure - middle) / deviation) ** 2) / 2 - np.log(deviation))
    return logs[0] - logs[1]


def _curve(members: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """(area under the curve, true positives at 1 % false ones) of scores."""
    order = np.sort(others)
    below = np.searchsorted(order, members, "left")
    not_above = np.searchsorted(order, members, "right")
    auc = float((below + not_above).mean() / 2 / len(others))
    return auc, float((members > np.quantile(others, 0.99)).mean())


# ---------------------------------------------------------------- the bound


def _bound(scores: np.ndarray, included: np.ndarray, delta: float) -> float:
    """What the training reveals at least, from guesses of the rows of each model that are the
    surest: as many members as others.
    """
    side = max(int(scores.shape[1] * GUESSES / 2), 1)
    order = np.argsort(scores, axis=1)
    guessed_out = np.take_along_axis(included, order[:, :side], 1)
    guessed_in = np.take_along_axis(included, order[:, -side:], 1)
    right = int((~guessed_out).sum() + guessed_in.sum())
    least, most = 0.0, MOST_EPSILON
    if _chance(right, 2 * guessed_in.size, included.size, least, delta) > 1 - CONFIDENCE:
        return 0.0
    while most - least > 1e-4:
        middle = (least + most) / 2
        chance = _chance(right, 2 * guessed_in.size, included.size, middle, delta)
        least, most = (middle, most) if chance <= 1 - CONFIDENCE else (least, middle)
    return least


def _chance(right: int, guesses: int, rows: int, epsilon: float, delta: float) -> float:
    """How likely it is, at most, that so many guesses are right, of a training that reveals no more
    than epsilon (theorem 5.2 of Steinke et al.).
    """
    from scipy import special  # it comes with JAX

    counts = np.arange(right + 1)
    at_least = special.bdtrc(counts - 1, guesses, special.expit(epsilon))
    at_least[0] = 1.0
    chance = at_least[right]
    fewer = np.arange(1, right + 1)
    between = at_least[right - fewer] - chance
    return chance + 2 * delta * rows * np.max(between / fewer, initial=0.0)


__all__ = ["Audit", "lira", "trainer"]
