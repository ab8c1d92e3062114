"""Checks of attributions themselves: whether they say what a model does."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.weights.rng import as_key
from jkeras.explain import baselines
from jkeras.explain.running import as_array, attribute, variable_like
from jkeras.explain.score import Scored, Target
from jkeras.kernel import tree


def infidelity(
    model: Any,
    x: Any,
    attributions: Any,
    target: Target = None,
    *,
    samples: int = 50,
    stddev: float = 0.1,
    rng: jax.Array | int | None = None,
    perturbations: Any = None,
    **options: Any,
) -> np.ndarray:
    """How far attributions are from what a score loses by small changes of the input: the mean
    square of the difference between `sum(change * attributions)` and `score(x) - score(x - change)`
    (Yeh et al. 2019, arXiv:1901.09392).

    Args:
        attributions: as `x`, or as the layer's output with `at`; of a method by gradients without
            a factor of `x`.
        samples, stddev: how many changes of each row, normal ones.
        rng: a key or an integer, by default another one each time.
        perturbations: the changes themselves, as `x` with the samples along a first axis.

    Other arguments and errors as of `saliency`.

    Returns:
        (rows,): zero where the attributions tell all; for a linear score those by the gradient do.

    >>> import jax.numpy as jnp, numpy as np
    >>> line, x = (lambda x: x @ jnp.array([[1.0], [-2.0]])), np.ones((1, 2))
    >>> infidelity(line, x, [[1.0, -2.0]], rng=0).round(6).tolist()
    [0.0]
    """
    x = as_array(x)
    attributions = _attributions("infidelity", attributions, model, x, options)
    if perturbations is None:
        perturbations = stddev * jax.random.normal(as_key(rng), (samples, *attributions.shape))
    arrays = {"changes": jnp.moveaxis(jnp.asarray(perturbations), 0, 1), "attributed": attributions}
    return attribute(_infidelity, model, x, target, arrays, **options)


def _attributions(
    where: str, attributions: Any, model: Any, x: Any, options: dict[str, Any]
) -> Any:
    """Attributions as an array, of the shape of what they are of."""
    attributions = np.asarray(attributions, "float32")
    like = variable_like(model, x, **options)
    if len(jax.tree_util.tree_leaves(like)) != 1 or np.shape(like) != attributions.shape:
        shapes = jax.tree_util.tree_map(np.shape, like)
        wanted = f"attributions of one array, in its shape {shapes}"
        raise ValueError(explain(where, wanted, f"shape {attributions.shape}"))
    return attributions


def _infidelity(
    score: Scored, at_once: int, changes: jax.Array, attributed: jax.Array
) -> jax.Array:
    whole = score(score.start)

    def add_one(total: jax.Array, i: jax.Array) -> tuple[jax.Array, None]:
        change = jnp.take(changes, i, axis=1)
        lost = whole - score(score.start - change)
        predicted = (change * attributed).reshape(len(attributed), -1).sum(1)
        return total + (predicted - lost) ** 2, None

    count = changes.shape[1]
    return jax.lax.scan(add_one, jnp.zeros_like(whole), jnp.arange(count))[0] / count


def deletion(
    model: Any,
    x: Any,
    attributions: Any,
    target: Target = None,
    *,
    steps: int = 20,
    baseline: Any = None,
    **options: Any,
) -> np.ndarray:
    """The mean score while inputs are set to a baseline, those with the largest attributions first
    (Petsiuk et al. 2018, arXiv:1806.07421): low where the attributions find what counts.

    Args:
        attributions: as `x`.
        steps: in how many parts the inputs are deleted.
        baseline: what takes their place, as of `integrated_gradients`.

    Other arguments and errors as of `saliency`.

    Returns:
        (rows,): the area below the curve of the score.

    >>> import jax.numpy as jnp, numpy as np
    >>> line, x = (lambda x: x @ jnp.array([[3.0], [1.0]])), np.ones((1, 2))
    >>> deletion(line, x, [[3.0, 1.0]], steps=2), deletion(line, x, [[1.0, 3.0]], steps=2)
    (array([1.5], dtype=float32), array([2.5], dtype=float32))
    """
    way = {"steps": steps, "inserts": False}
    return _area(model, x, attributions, target, baseline, way, options)


def insertion(
    model: Any,
    x: Any,
    attributions: Any,
    target: Target = None,
    *,
    steps: int = 20,
    baseline: Any = None,
    **options: Any,
) -> np.ndarray:
    """The mean score while inputs take the place of a baseline, those with the largest attributions
    first: high where the attributions find what counts. Arguments as of `deletion`.

    >>> import jax.numpy as jnp, numpy as np
    >>> line, x = (lambda x: x @ jnp.array([[3.0], [1.0]])), np.ones((1, 2))
    >>> insertion(line, x, [[3.0, 1.0]], steps=2), insertion(line, x, [[1.0, 3.0]], steps=2)
    (array([2.5], dtype=float32), array([1.5], dtype=float32))
    """
    way = {"steps": steps, "inserts": True}
    return _area(model, x, attributions, target, baseline, way, options)


def _area(
    model: Any,
    x: Any,
    attributions: Any,
    target: Any,
    baseline: Any,
    way: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    x = as_array(x)
    attributions = _attributions("deletion and insertion", attributions, model, x, options)
    arrays, shared = baselines.split(baseline, x, model, **options)
    arrays["attributed"] = attributions
    return attribute(_mean_score, model, x, target, arrays, shared, **way, **options)


def _mean_score(
    score: Scored,
    at_once: int,
    baseline: jax.Array,
    attributed: jax.Array,
    steps: int,
    inserts: bool,
) -> jax.Array:
    x = score.start
    begin = baselines.filled(baseline, x)
    flat = attributed.reshape(len(attributed), -1)
    ranks = (-flat).argsort(1).argsort(1).reshape(attributed.shape)  # 0: the largest

    def score_at(step: jax.Array) -> jax.Array:
        chosen = ranks < jnp.round(step * flat.shape[1] / steps)
        first, second = (x, begin) if inserts else (begin, x)
        return score(jnp.where(chosen, first, second))

    scores = jax.lax.map(score_at, jnp.arange(steps + 1))
    return ((scores[1:] + scores[:-1]) / 2).mean(0)


def randomization(
    method: Callable,
    model: Any,
    x: Any,
    target: Target = None,
    *,
    rng: jax.Array | int | None = None,
    **options: Any,
) -> dict[str, float]:
    """How much attributions stay the same while the layers of a model get random weights, from the
    last to the first, one after the other (Adebayo et al. 2018, arXiv:1810.03292). A method that
    tells what a model has learned gives something else soon.

    Args:
        method: such as `explain.saliency`.
        rng: a key or an integer, of the new weights.
        options: further arguments of the method.

    Returns:
        {path of the layer up to which all are random: the mean over rows of the rank correlation of
        absolute attributions with those of the model itself}.

    >>> import jkeras, numpy as np
    >>> layers = [jkeras.layers.Dense(3, name="a"), jkeras.layers.Dense(2, name="b")]
    >>> model = jkeras.Sequential([jkeras.Input((4,)), *layers])
    >>> list(randomization(jkeras.explain.saliency, model, np.ones((2, 4)), 1, rng=0))
    ['b', 'a']
    """
    x = as_array(x)
    before = np.abs(np.asarray(method(model, x, target, **options)))
    params = model.params
    fresh, _ = model.init(as_key(rng), x)
    values, new = dict(tree.flatten(params)), dict(tree.flatten(fresh))
    owners = list(dict.fromkeys(path[:-1] for path in values))
    found = {}
    for owner in reversed(owners):
        values |= {path: new[path] for path in values if path[:-1] == owner}
        given = {"params": tree.unflatten(values.items()), "state": model.state}
        after = np.abs(np.asarray(method(model, x, target, **given, **options)))
        found["/".join(owner)] = _rank_correlation(before, after)
    return found


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """The mean over rows of Spearman's correlation."""
    ranks = [v.reshape(len(v), -1).argsort(1).argsort(1).astype(float) for v in (one, other)]
    centred = [r - r.mean(1, keepdims=True) for r in ranks]
    sizes = [np.sqrt((r**2).sum(1)) for r in centred]
    return float(np.mean((centred[0] * centred[1]).sum(1) / np.maximum(sizes[0] * sizes[1], 1e-12)))


__all__ = ["deletion", "infidelity", "insertion", "randomization"]
