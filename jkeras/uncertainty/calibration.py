"""Temperature scaling: logits divided by one number, so that probabilities say what they mean."""

import typing
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.layer import Layer
from jkeras.layers import Rescaling
from jkeras.models import Sequential
from jkeras.uncertainty.outputs import gives_probabilities
from jkeras.uncertainty.checks import (
    OF_SUM,
    as_floats,
    check_numbers,
    is_concrete,
    labels_and_scores,
    of_labels,
)

STEPS = 100  # of Newton's method, at most
REACH = 16.0  # how far log T may be from that of logits of unit size
SMALLEST_STEP = 1e-7


class _Search(typing.NamedTuple):
    """Where Newton's method is: the root lies between `low` and `high`."""

    place: jax.Array
    low: jax.Array
    high: jax.Array
    change: jax.Array
    steps: jax.Array


def temperature(logits: Any, labels: Any) -> jax.Array:
    """The number T for which `softmax(logits / T)` has the lowest negative log-likelihood (Guo et
    al. 2017, arXiv:1706.04599), by Newton's method on log T. Use rows that the model was not
    trained on.

    Args:
        logits: (rows, classes), -inf or very low where a class cannot be; or more axes before that
            of the classes, each place of which counts as a row; (rows, 1) of a sigmoid.
        labels: integers (rows,), or one-hot rows; with as many axes more.

    Returns:
        T; under `jax.jit` and `jax.vmap` nan where there is none, or where the logits are
        probabilities, which are errors elsewhere.

    Raises:
        ValueError: shapes that do not go together, labels that are no classes; probabilities in
            place of logits; no T is best, since the likelihood grows as T goes to 0 (every row is
            predicted rightly) or to infinity (the logits say no more of the labels than chance).

    >>> logits = [[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [0.0, 2.0]]
    >>> found = temperature(logits, [0, 0, 1, 1])  # right in three rows of four
    >>> round(float(jax.nn.softmax(jax.numpy.array([2.0, 0.0]) / found)[0]), 4)
    0.75
    """
    labels, logits = _rows(labels, logits)
    above = logits - of_labels(logits, labels)[:, None]  # the label's own is 0
    if is_concrete(above):
        _check_possible(bool(jnp.max(above) < jnp.inf))
    first = jnp.max(above, axis=-1)
    is_separable = jnp.sum(first) <= 0
    is_possible = above > -jnp.inf
    is_chance = jnp.sum(jnp.mean(above, axis=-1, where=is_possible)) >= 0
    misses = jnp.abs(logits.sum(-1) - 1)  # of probabilities 0, but for rounding
    are_probabilities = jnp.all(logits >= 0) & jnp.all(misses <= OF_SUM)
    if is_concrete(above):
        _check_exists(bool(is_separable), bool(is_chance))
        _check_logits(bool(are_probabilities))
    # by how much labels miss: not by how far below the classes lie that cannot be
    size = jnp.nanmedian(jnp.where(first > 0, first, jnp.nan))
    best = size * jnp.exp(_minimum(above / size))
    return jnp.where(is_separable | is_chance | are_probabilities, jnp.nan, best)


def _rows(labels: Any, logits: Any) -> tuple[jax.Array, jax.Array]:
    """(labels (rows,), logits (rows, classes)); of one sigmoid those of both labels."""
    logits, labels = as_floats(logits), jnp.asarray(labels)
    check_numbers(logits, "temperature", "logits")
    if logits.ndim > 2:
        before = logits.shape[:-1]
        if labels.shape not in (before, (*before, 1), logits.shape):
            wanted = f"`labels` of shape {before}, or one-hot {logits.shape}"
            raise ValueError(explain("temperature", wanted, f"shape {labels.shape}"))
        labels = labels.reshape(-1, *labels.shape[len(before) :])
        logits = logits.reshape(-1, logits.shape[-1])
    if logits.ndim == 2 and logits.shape[1] == 1:
        logits = jnp.concatenate([jnp.zeros_like(logits), logits], axis=1)
    return labels_and_scores(labels, logits, "temperature", "logits")


def _check_possible(are_possible: bool) -> None:
    if not are_possible:
        received = "a label whose logit is -inf"
        raise ValueError(explain("temperature", "labels of classes that may be", received))


def _check_logits(are_probabilities: bool) -> None:
    if are_probabilities:
        fix = "give what goes into the softmax, or `np.log(probabilities)`"
        raise ValueError(explain("temperature", "logits", "probabilities: rows add up to 1", fix))


def _check_exists(is_separable: bool, is_chance: bool) -> None:
    wanted = "logits of which some T is best"
    if is_separable:
        received = "such that the label has the largest in every row: the best T is 0"
        fix = "take rows that the model was not trained on, more of them"
        raise ValueError(explain("temperature", wanted, received, fix))
    if is_chance:
        received = "such that labels have no larger ones than other classes: the best T is infinite"
        fix = "check that rows of labels and logits are the same and classes in the same order"
        raise ValueError(explain("temperature", wanted, received, fix))


def _minimum(above: jax.Array) -> jax.Array:
    """log T where the derivative of the loss is 0. Of `1 / T` the loss is convex, so that there is
    one such place, and the derivative's sign says on which side it is.
    """

    def step(search: _Search) -> _Search:
        slope, curvature = _derivatives(above, search.place)
        low = jnp.where(slope < 0, search.place, search.low)
        high = jnp.where(slope < 0, search.high, search.place)
        newton = search.place - slope / curvature
        is_inside = (curvature > 0) & (newton >= low) & (newton <= high)
        place = jnp.where(is_inside, newton, (low + high) / 2)
        return _Search(place, low, high, jnp.abs(place - search.place), search.steps + 1)

    def goes_on(search: _Search) -> jax.Array:
        return (search.change > SMALLEST_STEP) & (search.steps < STEPS)

    reach = jnp.asarray(REACH, above.dtype)
    start = _Search(jnp.zeros_like(reach), -reach, reach, reach, jnp.asarray(0))
    return jax.lax.while_loop(goes_on, step, start).place


def _derivatives(above: jax.Array, log_temperature: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The first and the second derivative of the mean loss by log T."""
    probabilities = jax.nn.softmax(above * jnp.exp(-log_temperature), axis=-1)
    # what has no probability counts for nothing, were it infinitely far below
    scaled = jnp.where(probabilities > 0, above, 0) * jnp.exp(-log_temperature)
    mean = jnp.sum(probabilities * scaled, axis=-1)
    deviations = scaled - mean[:, None]
    variance = jnp.sum(probabilities * jnp.square(deviations), axis=-1)
    return -jnp.mean(mean), jnp.mean(variance + mean)


def calibrated(model: Layer, temperature: Any) -> Sequential:
    """A model whose logits are those of another one divided by a temperature. It shares the other
    one's weights, and is saved as any model.

    Args:
        model: a model that gives logits.
        temperature: a number above 0, such as `temperature` finds.

    Returns:
        a `Sequential` model that gives logits.

    Raises:
        ValueError: a temperature that is no number above 0; a model that gives probabilities, by
            the loss that it was compiled with or its last activation.

    >>> import numpy as np, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> x = np.ones((1, 3), "float32")
    >>> bool(np.allclose(calibrated(model, 2.0)(x), model(x) / 2))
    True
    """
    divisor = float(temperature)
    if not 0 < divisor < float("inf"):
        raise ValueError(explain("calibrated", "a temperature above 0", f"{divisor}"))
    if gives_probabilities(model):
        fix = "give the model without its softmax or sigmoid"
        received = f"'{model.name}', which gives probabilities"
        raise ValueError(explain("calibrated", "a model that gives logits", received, fix))
    return Sequential([model, Rescaling(1 / divisor, name="temperature")])


__all__ = ["calibrated", "temperature"]
