"""Shapley values: what each feature adds to a score, on average over all orders of adding them."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.weights.rng import as_key
from jkeras.training.data.sizes import in_passes
from jkeras.explain import baselines
from jkeras.explain.flat import unflat
from jkeras.explain.running import as_array, attribute, numbers_of, rows_of, variable_like
from jkeras.explain.score import Scored, Structure, Target
from jkeras.explain.several import of_members

MOST_FEATURES = 16  # of which all coalitions are looked at: 65,536


@of_members
def shapley_values(
    model: Any,
    x: Any,
    target: Target = None,
    *,
    baseline: Any,
    groups: Any = None,
    **options: Any,
) -> jax.Array:
    """Exact Shapley values (Shapley 1953; Lundberg and Lee 2017, arXiv:1705.07874): the model is
    run on all coalitions of features, 2 ** features times for each row of the baseline. The
    features that are not in a coalition are those of the baseline, and the mean is taken over its
    rows.

    Args:
        model, target, options: as for `saliency`.
        x: (rows, features) or (rows,), numbers of any kind, or a structure of such arrays; or of
            any shape with `groups`. With `at`, the layer's output has the features, and `baseline`
            and `groups` are of it.
        baseline: rows of the data to compare with.
        groups: (as a row of `x`) integers from 0: which inputs count as one feature, of all arrays
            together.

    Returns:
        As `x`, with `groups` (rows, features); a row's sum is the difference of its score from the
        baseline's mean.

    Raises:
        ValueError: more than 16 features; else as for `saliency`.

    >>> import jax.numpy as jnp
    >>> product = lambda x: x[:, :1] * x[:, 1:]
    >>> shapley_values(product, [[2.0, 3.0]], baseline=[[0.0, 0.0]]).tolist()
    [[3.0, 3.0]]
    """
    x, baseline, numbers = _features(model, x, baseline, groups, options)
    features = _count(numbers)
    if features > MOST_FEATURES:
        wanted = f"{MOST_FEATURES} features at most, for all their coalitions"
        raise ValueError(
            explain("shapley_values", wanted, f"{features}", "use `kernel_shap`, or `groups=`")
        )
    masks = _all_coalitions(features)
    shared = {"masks": masks, "projection": _weights_of_differences(masks)}
    shared |= {"baseline": baseline, "numbers": numbers}
    options = {"differentiates": False, "as_x": groups is None, **options}
    return attribute(_projected, model, x, target, None, shared, **options)


@of_members
def kernel_shap(
    model: Any,
    x: Any,
    target: Target = None,
    *,
    baseline: Any,
    groups: Any = None,
    samples: int = 2048,
    rng: jax.Array | int | None = None,
    **options: Any,
) -> jax.Array:
    """Shapley values from a sample of coalitions, by weighted least squares (Lundberg and Lee 2017,
    arXiv:1705.07874), each coalition paired with its complement (Covert and Lee 2021,
    arXiv:2012.01536). Where there are no more coalitions than samples, all are taken, and the
    values are exact.

    Args:
        model, x, target, baseline, groups, options: as for `shapley_values`.
        samples: how many coalitions are looked at.
        rng: a key or an integer, by default another one each time; all rows have the same
            coalitions.

    Returns:
        As `shapley_values`.

    >>> import jax.numpy as jnp
    >>> product = lambda x: x[:, :1] * x[:, 1:]
    >>> kernel_shap(product, [[2.0, 3.0]], baseline=[[0.0, 0.0]]).round(4).tolist()
    [[3.0, 3.0]]
    """
    x, baseline, numbers = _features(model, x, baseline, groups, options)
    features = _count(numbers)
    masks, weights = _coalitions(features, samples, rng)
    shared = {"masks": masks, "projection": _least_squares(masks, weights)}
    shared |= {"baseline": baseline, "numbers": numbers}
    options = {"differentiates": False, "as_x": groups is None, **options}
    return attribute(_projected, model, x, target, None, shared, **options)


def _features(model: Any, x: Any, baseline: Any, groups: Any, options: dict[str, Any]) -> tuple:
    """(x, baseline, the number of the feature that each input counts as) as arrays that go
    together.
    """
    x, baseline = as_array(x), as_array(baseline)
    if options.get("at") is None:
        x = numbers_of(x)
    shapes, treedef = _shapes(variable_like(model, x, **options))
    others, of_baseline = _shapes(baseline)
    if others != shapes or of_baseline != treedef or not rows_of(baseline):
        wanted = f"a baseline of rows of shape {_told(shapes, treedef)}"
        received = f"shape {_told(others, of_baseline)}"
        raise ValueError(explain("Shapley values", wanted, received))
    if options.get("at") is None:
        baselines.check_categories("Shapley values", baseline, x)
    if groups is None:
        return x, baseline, treedef.unflatten(_numbered(shapes))
    try:
        given = treedef.flatten_up_to(groups)
    except ValueError:
        wanted = f"groups of shape {_told(shapes, treedef)}"
        raise ValueError(explain("Shapley values", wanted, f"{groups!r}")) from None
    numbers = [np.broadcast_to(np.asarray(one), shape) for one, shape in zip(given, shapes)]
    return x, baseline, treedef.unflatten(numbers)


def _shapes(x: Structure) -> tuple[list[tuple[int, ...]], Any]:
    """(the shape of a row of each array, their structure)."""
    leaves, treedef = jax.tree_util.tree_flatten(x)
    return [np.shape(leaf)[1:] for leaf in leaves], treedef


def _told(shapes: list[tuple[int, ...]], treedef: Any) -> Structure:
    return treedef.unflatten(shapes)


def _numbered(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Each number in the rows of arrays as a feature of its own."""
    if any(len(shape) > 1 for shape in shapes):
        advice = "say which inputs count as one feature: `groups=`"
        wanted = "features of (rows, features)"
        received = f"rows of shape {', '.join(map(str, shapes))}"
        raise ValueError(explain("Shapley values", wanted, received, advice))
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    return [
        np.arange(end - math.prod(shape), end).reshape(shape) for end, shape in zip(ends, shapes)
    ]


def _count(numbers: Structure) -> int:
    """How many features there are."""
    return max(int(np.max(one)) for one in jax.tree_util.tree_leaves(numbers)) + 1


# ---------------------------------------------------------------- the model on coalitions


def _projected(
    score: Scored,
    at_once: int,
    masks: jax.Array,
    projection: jax.Array,
    baseline: Structure,
    numbers: Structure,
    as_x: bool,
) -> Structure:
    values = _values(score, at_once, masks, baseline, numbers)
    # what all and no features give is taken off first: sums of large numbers lose digits
    values = values - values[:, :1]
    found = jnp.matmul(values, projection.astype(values.dtype), precision="highest")
    return unflat(found, score.start) if as_x else found


def _values(
    score: Scored, at_once: int, masks: jax.Array, baseline: Structure, numbers: Structure
) -> jax.Array:
    """(rows, coalitions): the mean score with the features of a coalition, over the baseline."""
    x, count, others = score.start, rows_of(score.start), rows_of(baseline)
    pairs, _ = in_passes(len(masks) * others, at_once)
    at_once = pairs.shape[1]
    rows = score.repeated(at_once)

    def mixed(x: jax.Array, baseline: jax.Array, numbers: jax.Array, pairs: jax.Array) -> jax.Array:
        """Each row with each coalition's other features from the baseline."""
        taken = masks[pairs // others][:, numbers]
        before = baseline[pairs % others].astype(x.dtype)
        return jnp.where(taken[None], x[:, None], before[None]).reshape(-1, *x.shape[1:])

    def one_pass(_: None, pairs: Any) -> tuple[None, Any]:
        given = jax.tree_util.tree_map(lambda *of: mixed(*of, pairs), x, baseline, numbers)
        return None, score(given, rows).reshape(count, at_once)

    scores = jax.lax.scan(one_pass, None, jnp.asarray(pairs))[1]  # (passes, rows, at once)
    scores = jnp.moveaxis(scores, 1, 0).reshape(count, -1)[:, : len(masks) * others]
    return scores.reshape(count, len(masks), others).mean(-1)


# ---------------------------------------------------------------- coalitions and their weights


def _all_coalitions(features: int) -> np.ndarray:
    """Booleans (2 ** features, features); the first has none of them, the last has all."""
    numbers = np.arange(2**features)[:, None]
    return (numbers >> np.arange(features)) % 2 == 1


def _weights_of_differences(masks: np.ndarray) -> np.ndarray:
    """(coalitions, features): what each coalition's value counts in each feature's."""
    features = masks.shape[1]
    sizes = masks.sum(1)
    of_size = np.array(
        [1 / (features * math.comb(features - 1, size)) for size in range(features)] + [0.0]
    )
    with_it = of_size[sizes - 1]
    return np.where(masks, with_it[:, None], -of_size[sizes][:, None]).astype("float32")


def _coalitions(features: int, samples: int, rng: Any) -> tuple[Any, Any]:
    """(coalitions, their weights); the first has no feature, the last has all."""
    if 2**features > max(samples, 2):
        return _sampled_coalitions(features, max(samples // 2, features), as_key(rng))
    masks = _all_coalitions(features)
    sizes = masks[1:-1].sum(1)
    counts = np.array([math.comb(features, size) for size in sizes], float)
    weights = (features - 1) / (counts * sizes * (features - sizes))
    return masks, np.array([0.0, *weights, 0.0])


def _sampled_coalitions(features: int, pairs: int, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Coalitions of sizes as the kernel weighs them, each with its complement."""
    by_size, by_member = jax.random.split(key)
    sizes = np.arange(1, features)
    shares = 1 / (sizes * (features - sizes))
    chosen = jax.random.choice(by_size, sizes, (pairs,), p=shares / shares.sum())
    ranks = jax.random.uniform(by_member, (pairs, features)).argsort(1).argsort(1)
    half = ranks < chosen[:, None]
    none = jnp.zeros((1, features), bool)
    masks = jnp.concatenate([none, half, ~half, ~none])
    return masks, jnp.ones(len(masks)).at[jnp.array([0, -1])].set(0.0)


def _least_squares(masks: Any, weights: Any) -> Any:
    """(coalitions, features): the solution of the weighted least squares whose values sum up to the
    difference between all features and none, as a matrix.
    """
    library = jnp if isinstance(masks, jax.Array) else np  # numpy computes in float64
    z = masks.astype(weights.dtype)
    if z.shape[1] == 1:  # one feature makes the whole difference
        return z.astype("float32")
    inverse = library.linalg.pinv((z.T * weights) @ z)
    # values are relative to those of no feature; the sum is that of all features, the last
    own = inverse @ (z.T * weights)
    spread = inverse.sum(1) / inverse.sum()
    last = (library.arange(len(z)) == len(z) - 1).astype(z.dtype)
    projection = own + library.outer(spread, last - own.sum(0))
    return projection.T.astype("float32")


__all__ = ["kernel_shap", "shapley_values"]
