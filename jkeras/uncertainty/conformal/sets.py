"""`predict_sets`: the classes that a row may be of."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.uncertainty.conformal.fitting import (
    OF_CLASSES,
    OF_ROWS,
    Fitted,
    has_numbers,
    uniforms_of,
)
from jkeras.uncertainty.conformal.groups import check_none, of_groups
from jkeras.uncertainty.conformal.scores import of_classes
from jkeras.uncertainty.checks import as_probabilities


def predict_sets(
    fitted: Fitted,
    probabilities: Any,
    *,
    rng: jax.Array | int | None = None,
    uniforms: Any = None,
    allow_empty: bool = True,
    from_logits: bool = False,
    groups: Any = None,
) -> jax.Array:
    """Which classes are in the set of each row: booleans (rows, classes).

    Args:
        fitted: what `fit` gave, by "lac", "aps" or "raps".
        probabilities: (rows, classes), of the model that it was fitted for.
        rng: a key or an integer, where scores were randomized. Without it each set is the largest
            that any random numbers give, and their share of hits is `1 - alpha` or more.
        uniforms: numbers (rows,) in [0, 1) in place of random ones.
        allow_empty: False puts the most probable class into every set.
        from_logits: whether `probabilities` are logits.
        groups: the group of each row, integers (rows,), where it was fitted by groups of rows.

    Returns:
        booleans (rows, classes).

    Raises:
        ValueError: shapes that do not go together, a `fitted` for intervals, random numbers where
            the fitted scores had none, numbers that are no probabilities, groups where there were
            none or none where there were some.

    >>> from jkeras.uncertainty import conformal
    >>> fitted = conformal.fit([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]], [0, 0, 0], alpha=0.5)
    >>> conformal.predict_sets(fitted, [[0.8, 0.2], [0.65, 0.35], [0.5, 0.5]]).tolist()
    [[True, False], [True, False], [False, False]]
    """
    where = "conformal.predict_sets"
    if fitted.method not in OF_CLASSES:
        wanted = f"a method of classes, {', '.join(OF_CLASSES)}"
        fix = "call `conformal.predict_interval`"
        raise ValueError(explain(where, wanted, f"{fitted.method!r}", fix))
    scores = as_probabilities(probabilities, where, from_logits=from_logits)
    if scores.ndim != 2:
        wanted = "`probabilities` of shape (rows, classes)"
        raise ValueError(explain(where, wanted, f"shape {scores.shape}"))
    if has_numbers(rng, uniforms) and not fitted.is_randomized:
        wanted = "no random numbers, since scores were fitted without"
        raise ValueError(explain(where, wanted, "some", "give `rng=` to `conformal.fit`, too"))
    if scores.shape[1] == 1:
        fix = "give both classes: `np.concatenate([1 - p, p], axis=1)`"
        wanted = "`probabilities` of 2 classes or more"
        raise ValueError(explain(where, wanted, f"shape {scores.shape}", fix))
    otherwise = 0.0
    if fitted.is_randomized:
        otherwise = 1.0
    shares = uniforms_of(scores, rng, uniforms, otherwise, where)
    terms = fitted.penalty, fitted.free_rank
    threshold = _threshold(fitted, groups, scores.shape[0], where)
    sets = of_classes(fitted.method, scores, shares, *terms) <= threshold
    if allow_empty:
        return sets
    return sets | (jnp.arange(scores.shape[1]) == jnp.argmax(scores, axis=-1)[:, None])


def _threshold(fitted: Fitted, groups: Any, rows: int, where: str) -> jax.Array:
    """The largest score of a set: one, or that of each class (classes,) or row (rows, 1)."""
    if fitted.groups == OF_ROWS:
        return of_groups(fitted.threshold, groups, rows, where)[:, None]
    check_none(groups, where)
    return fitted.threshold


__all__ = ["predict_sets"]
