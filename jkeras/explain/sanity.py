"""Checks of attributions themselves: whether they say what a model does."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.weights.rng import as_key
from jkeras.explain import baselines
from jkeras.explain.flat import flat, unflat
from jkeras.explain.running import as_array, attribute, values_of, variable_like
from jkeras.explain.score import Scored, Structure, Target
from jkeras.explain.several import of_members
from jkeras.kernel import tree

map_structure = jax.tree_util.tree_map


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
        model, x, target, options: as for `saliency`.
        attributions: as `x`, or as the layer's output with `at`; of a method by gradients without
            a factor of `x`.
        samples, stddev: how many changes of each row, normal ones.
        rng: a key or an integer, by default another one each time.
        perturbations: the changes themselves, as `x` with the samples along a first axis.

    Returns:
        (rows,): zero where the attributions tell all; for a linear score those by the gradient do.
    Raises:
        ValueError: as for `saliency`.

    >>> import jax.numpy as jnp, numpy as np
    >>> line, x = (lambda x: x @ jnp.array([[1.0], [-2.0]])), np.ones((1, 2))
    >>> infidelity(line, x, [[1.0, -2.0]], rng=0).round(6).tolist()
    [0.0]
    """
    x = as_array(x)
    attributions = _attributions("infidelity", attributions, model, x, options)
    if perturbations is None:
        perturbations = _normal(as_key(rng), samples, stddev, attributions)
    changes = map_structure(lambda v: jnp.moveaxis(jnp.asarray(v), 0, 1), as_array(perturbations))
    arrays = {"changes": changes, "attributed": attributions}
    return attribute(_infidelity, model, x, target, arrays, **options)


def _normal(key: jax.Array, samples: int, stddev: float, like: Structure) -> Structure:
    """Normal changes in the structure of some arrays, the samples along a first axis."""
    leaves, treedef = jax.tree_util.tree_flatten(like)
    keys = [key] if len(leaves) == 1 else jax.random.split(key, len(leaves))
    drawn = [stddev * jax.random.normal(k, (samples, *leaf.shape)) for k, leaf in zip(keys, leaves)]
    return treedef.unflatten(drawn)


def _attributions(
    where: str, attributions: Any, model: Any, x: Any, options: dict[str, Any]
) -> Any:
    """Attributions as arrays, in the structure and the shapes of what they are of."""
    wanted = map_structure(np.shape, variable_like(model, x, **options))
    attributions = map_structure(lambda v: np.asarray(v, "float32"), as_array(attributions))
    shapes = map_structure(np.shape, attributions)
    if shapes != wanted:
        raise ValueError(explain(where, f"attributions of shape {wanted}", f"shape {shapes}"))
    return attributions


def _infidelity(
    score: Scored, at_once: int, changes: Structure, attributed: Structure
) -> jax.Array:
    whole = score(score.start)

    def add_one(total: jax.Array, i: jax.Array) -> tuple[jax.Array, None]:
        change = map_structure(lambda v: jnp.take(v, i, axis=1), changes)
        lost = whole - score(map_structure(jnp.subtract, score.start, change))
        predicted = flat(map_structure(jnp.multiply, change, attributed)).sum(1)
        return total + (predicted - lost) ** 2, None

    count = jax.tree_util.tree_leaves(changes)[0].shape[1]
    return jax.lax.scan(add_one, jnp.zeros_like(whole), jnp.arange(count))[0] / count


@of_members
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
        model, x, target, options: as for `saliency`.
        attributions: as `x`; of several arrays the numbers of all are in one order.
        steps: in how many parts the inputs are deleted.
        baseline: what takes their place, as of `integrated_gradients`.

    Returns:
        (rows,): the area below the curve of the score.
    Raises:
        ValueError: as for `saliency`.

    >>> import jax.numpy as jnp, numpy as np
    >>> line, x = (lambda x: x @ jnp.array([[3.0], [1.0]])), np.ones((1, 2))
    >>> deletion(line, x, [[3.0, 1.0]], steps=2), deletion(line, x, [[1.0, 3.0]], steps=2)
    (array([1.5], dtype=float32), array([2.5], dtype=float32))
    """
    way = {"steps": steps, "inserts": False}
    return _area(model, x, attributions, target, baseline, way, options)


@of_members
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
    first: high where the attributions find what counts.

    Args:
        model, x, attributions, target, steps, baseline, options: as for `deletion`.

    Returns:
        (rows,): the area below the curve of the score.

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
    baseline: Structure,
    attributed: Structure,
    steps: int,
    inserts: bool,
) -> jax.Array:
    x = score.start
    begin = baselines.filled(baseline, x)
    numbers = flat(attributed)
    ranks = unflat((-numbers).argsort(1).argsort(1), attributed)  # 0: the largest
    first, second = (x, begin) if inserts else (begin, x)

    def score_at(step: jax.Array) -> jax.Array:
        count = jnp.round(step * numbers.shape[1] / steps)
        return score(
            map_structure(lambda r, a, b: jnp.where(r < count, a, b), ranks, first, second)
        )

    scores = jax.lax.map(score_at, jnp.arange(steps + 1))
    return ((scores[1:] + scores[:-1]) / 2).mean(0)


@of_members
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
        model, x, target: as for `saliency`.
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
    given = options.pop("params", None), options.pop("state", None)
    params, state = values_of(model, x, *given)
    before = _sizes(method(model, x, target, params=params, state=state, **options))
    fresh, _ = model.init(as_key(rng), x)
    values, new = dict(tree.flatten(params)), dict(tree.flatten(fresh))
    owners = list(dict.fromkeys(path[:-1] for path in values))
    found = {}
    for owner in reversed(owners):
        values |= {path: new[path] for path in values if path[:-1] == owner}
        changed = {"params": tree.unflatten(values.items()), "state": state}
        after = _sizes(method(model, x, target, **changed, **options))
        found["/".join(owner)] = _rank_correlation(before, after)
    return found


def _sizes(attributions: Structure) -> np.ndarray:
    """(rows, numbers)."""
    return np.abs(np.asarray(flat(attributions)))


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """The mean over rows of Spearman's correlation."""
    ranks = [v.argsort(1).argsort(1).astype(float) for v in (one, other)]
    centred = [r - r.mean(1, keepdims=True) for r in ranks]
    sizes = [np.sqrt((r**2).sum(1)) for r in centred]
    return float(np.mean((centred[0] * centred[1]).sum(1) / np.maximum(sizes[0] * sizes[1], 1e-12)))


__all__ = ["deletion", "infidelity", "insertion", "randomization"]
