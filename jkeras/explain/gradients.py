"""Attributions by gradients: which inputs a score depends on, and how much of it each makes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.weights.rng import as_key
from jkeras.explain import baselines
from jkeras.explain.points import identity, mean_over_points
from jkeras.explain.running import as_array, attribute, rows_of
from jkeras.explain.score import Scored, Structure, Target
from jkeras.explain.several import of_members
from jkeras.random.keys import sampling_key

map_structure = jax.tree_util.tree_map


@of_members
def saliency(model: Any, x: Structure, target: Target = None, **options: Any) -> Structure:
    """The size of the gradient of a score by each input (Simonyan et al. 2013, arXiv:1312.6034).

    Args:
        model: a layer or model; or a function of the inputs.
        x: inputs, rows along the first axis; an array, or lists, tuples or dicts of arrays.
        target: which output is the score: a class; one for each row; a tuple of numbers where
            outputs have more axes; a function of the outputs that gives one number for each row. By
            default the class that the model predicts, or its only output.
        options: `at`, `batch_size`, `params` and `state`:
        at: path of a layer, as of `Layer.tap`, whose output takes the place of the inputs: that of
            an embedding, for texts. Or a list of such paths, and of names of inputs where these are
            a dict: the result, and a `baseline`, are a dict by these. None may lie behind another.
        batch_size: how many rows the model sees at once, at most (32).
        params, state: values of the model, by default its own. With them the function is pure.

    Returns:
        As `x`: what each number in it has to do with the score.

    Raises:
        ValueError: integers as inputs without `at`; a target or a layer that is not there.

    >>> import jax.numpy as jnp
    >>> saliency(lambda x: x @ jnp.array([[1.0], [-2.0]]), [[5.0, 5.0]]).tolist()
    [[1.0, 2.0]]
    """
    return attribute(_saliency, model, as_array(x), target, **options)


def _saliency(score: Scored, at_once: int) -> Structure:
    return map_structure(jnp.abs, score.gradient(score.start))


@of_members
def input_x_gradient(model: Any, x: Structure, target: Target = None, **options: Any) -> Structure:
    """Each input times the gradient of the score by it (Shrikumar et al. 2016, arXiv:1605.01713).

    Args:
        model, x, target, options: as for `saliency`.

    Returns:
        As `x`.

    Raises:
        ValueError: as for `saliency`.

    >>> import jax.numpy as jnp
    >>> input_x_gradient(lambda x: x @ jnp.array([[1.0], [-2.0]]), [[5.0, 5.0]]).tolist()
    [[5.0, -10.0]]
    """
    return attribute(_input_x_gradient, model, as_array(x), target, **options)


def _input_x_gradient(score: Scored, at_once: int) -> Structure:
    return map_structure(jnp.multiply, score.start, score.gradient(score.start))


@of_members
def smooth_grad(
    model: Any,
    x: Structure,
    target: Target = None,
    *,
    samples: int = 50,
    stddev: float = 0.1,
    rng: jax.Array | int | None = None,
    noise: Structure = None,
    statistic: str = "mean",
    **options: Any,
) -> Structure:
    """Mean or variance of the gradient of a score around each row: SmoothGrad (Smilkov et al. 2017,
    arXiv:1706.03825) and VarGrad (Adebayo et al. 2018, arXiv:1810.03292).

    Args:
        model, x, target, options: as for `saliency`.
        samples: how many times noise is added to a row.
        stddev: of the normal noise, in the units of `x`.
        rng: a key or an integer, by default another one each time. The noise of a row does not
            depend on `batch_size`.
        noise: what is added in place of normal noise: as `x`, with the samples along a first axis.
        statistic: "mean" or "variance" over the samples.

    Returns:
        As `x`.

    Raises:
        ValueError: as for `saliency`.

    >>> import jax.numpy as jnp
    >>> smooth_grad(lambda x: (x**2).sum(1, keepdims=True), [[1.0]], samples=999, rng=0).round(1)
    array([[2.]], dtype=float32)
    """
    if statistic not in ("mean", "variance"):
        expected = "statistic='mean' or 'variance'"
        raise ValueError(explain("smooth_grad", expected, repr(statistic)))
    x = as_array(x)
    rows = np.arange(rows_of(x))
    arrays = {"row": rows}
    shared = {"normal": (as_key(rng), np.float32(stddev))}
    if noise is not None:
        arrays = {"noise": map_structure(lambda v: np.moveaxis(np.asarray(v), 0, 1), noise)}
        shared = {}
        samples = jax.tree_util.tree_leaves(noise)[0].shape[0]
    return attribute(
        _smooth_grad,
        model,
        x,
        target,
        arrays,
        shared,
        samples=samples,
        statistic=statistic,
        **options,
    )


def _smooth_grad(
    score: Scored,
    at_once: int,
    samples: int,
    statistic: str,
    noise: Structure = None,
    row: jax.Array | None = None,
    normal: tuple[jax.Array, jax.Array] | None = None,
) -> Structure:
    """
    Args:
        noise: what is added, or `row` and `normal`, a key and a standard deviation, to draw it.
    """

    def change(i: jax.Array) -> Structure:
        if noise is not None:
            return map_structure(lambda v: jnp.take(v, i, axis=1), noise)
        key, stddev = normal
        return _normal(key, row, i, score.start, stddev)

    def variable(i: jax.Array) -> Structure:
        return map_structure(jnp.add, score.start, change(i))

    points = jnp.arange(samples)
    weights = jnp.full(samples, 1 / samples)
    if statistic == "mean":
        return mean_over_points(score, variable, points, weights, at_once)[0]
    # around the gradient itself: else the squares of large ones hide the variance
    center = map_structure(_finite, score.gradient(score.start))

    def around(gradient: Structure, i: jax.Array) -> Structure:
        return map_structure(jnp.subtract, gradient, center)

    moments = (identity, jnp.square)
    arguments = (score, variable, points, weights, at_once, moments)
    mean, square = mean_over_points(*arguments, then=around)
    return map_structure(lambda s, m: jnp.maximum(s - m**2, 0), square, mean)


def _finite(array: jax.Array) -> jax.Array:
    return jnp.where(jnp.isfinite(array), array, 0)


def _normal(key: jax.Array, row: Any, i: Any, like: Any, stddev: Any) -> Any:
    """Normal noise of each row, of its own key and number of the sample."""
    leaves, treedef = jax.tree_util.tree_flatten(like)

    def of_row(row: Any) -> list[jax.Array]:
        own = jax.random.fold_in(jax.random.fold_in(key, row), i)
        keys = jax.random.split(own, len(leaves))
        return [
            jax.random.normal(sampling_key(k), leaf.shape[1:], leaf.dtype)
            * stddev.astype(leaf.dtype)
            for k, leaf in zip(keys, leaves)
        ]

    return jax.tree_util.tree_unflatten(treedef, jax.vmap(of_row)(row))


@of_members
def integrated_gradients(
    model: Any,
    x: Structure,
    target: Target = None,
    *,
    baseline: Structure = None,
    steps: int = 50,
    tolerance: float | None = None,
    return_delta: bool = False,
    **options: Any,
) -> Structure:
    """The share of each input in the difference of a score from that of a baseline: the integral of
    the gradient on the straight line between them (Sundararajan et al. 2017, arXiv:1703.01365), by
    Gauss and Legendre's points.

    Args:
        model, x, target, options: as for `saliency`.
        baseline: where the line begins: a number, a row or as many rows as `x`; of the layer's
            output where `at` is given. By default zeros.
        steps: how many points on the line.
        tolerance: the largest share of the difference of scores that the sum of a row's
            attributions may miss; the number of points is doubled until that is so, three times at
            most.
        return_delta: whether to return `(attributions, deltas)`, what each row's sum misses.

    Returns:
        As `x`; with `return_delta` that and (rows,).

    Raises:
        ValueError: as for `saliency`.

    >>> import jax.numpy as jnp
    >>> integrated_gradients(lambda x: x[:, :1] * x[:, 1:], [[2.0, 3.0]]).tolist()
    [[3.0, 3.0]]
    """
    x = as_array(x)
    give = functools.partial(_along_lines, model, x, target, baseline, options)
    for points in (steps, 2 * steps, 4 * steps, 8 * steps):
        attributions, delta, difference = give(points)
        if tolerance is None or np.all(np.abs(delta) <= tolerance * np.abs(difference)):
            break
    return (attributions, delta) if return_delta else attributions


def _along_lines(
    model: Any,
    x: Structure,
    target: int | np.ndarray | None,
    baseline: Any,
    options: dict[str, Any],
    steps: int,
) -> tuple:
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    shared = {"points": (1 + nodes).astype("float32") / 2, "weights": weights.astype("float32") / 2}
    arrays, of_all = baselines.split(baseline, x, model, **options)
    return attribute(
        _integrated_gradients, model, x, target, arrays, {**shared, **of_all}, **options
    )


def _integrated_gradients(
    score: Scored,
    at_once: int,
    points: jax.Array,
    weights: jax.Array,
    baseline: Structure,
) -> Structure:
    begin = baselines.filled(baseline, score.start)
    line = map_structure(jnp.subtract, score.start, begin)

    def variable(point: jax.Array) -> Structure:
        return map_structure(lambda b, d: b + point.astype(b.dtype) * d, begin, line)

    (mean,) = mean_over_points(score, variable, points, weights, at_once)
    attributions = map_structure(baselines.shares, mean, score.start, begin)
    difference = score(score.start) - score(begin)
    sums = [a.reshape(len(a), -1).sum(1) for a in jax.tree_util.tree_leaves(attributions)]
    return attributions, sum(sums) - difference, difference


@of_members
def gradient_shap(
    model: Any,
    x: Structure,
    target: Target = None,
    *,
    baseline: Structure,
    samples: int = 50,
    rng: jax.Array | int | None = None,
    places: tuple[Any, Any] | None = None,
    **options: Any,
) -> Structure:
    """Expected gradients: the mean of `(x - b) * gradient` over baselines `b` and places on the
    line to them, both at random; it estimates Shapley values (Lundberg and Lee 2017,
    arXiv:1705.07874; Erion et al. 2021, arXiv:1906.10670).

    Args:
        model, x, target, options: as for `saliency`.
        baseline: rows to choose from, as `x`.
        samples: how many baselines and places for each row.
        rng: a key or an integer, by default another one each time.
        places: (numbers of baselines, places on the line from 0 to 1), both (samples, rows), in
            place of random ones.

    Returns:
        As `x`.

    Raises:
        ValueError: as for `saliency`.

    >>> import jax.numpy as jnp, numpy as np
    >>> line = lambda x: x @ jnp.array([[1.0], [-2.0]])
    >>> gradient_shap(line, [[5.0, 5.0]], baseline=np.ones((3, 2)), rng=0).round(4).tolist()
    [[4.0, -8.0]]
    """
    x = as_array(x)
    baseline = map_structure(lambda b: np.asarray(b, "float32"), baseline)
    rows = rows_of(x)
    if places is None:
        by_number, by_position = jax.random.split(as_key(rng))
        numbers = jax.random.randint(by_number, (samples, rows), 0, rows_of(baseline))
        places = numbers, jax.random.uniform(by_position, (samples, rows))
    arrays = dict(zip(("numbers", "places"), (jnp.asarray(v).T for v in places)))
    return attribute(_gradient_shap, model, x, target, arrays, {"baseline": baseline}, **options)


def _gradient_shap(
    score: Scored,
    at_once: int,
    numbers: jax.Array,
    places: jax.Array,
    baseline: Structure,
) -> Structure:
    def ends(i: jax.Array) -> Structure:
        chosen = jnp.take(numbers, i, axis=1)
        return map_structure(lambda b: b[chosen], baseline)

    def variable(i: jax.Array) -> Structure:
        position = jnp.take(places, i, axis=1)
        on_line = lambda v, b: b + position.reshape(-1, *[1] * (v.ndim - 1)) * (v - b)  # noqa: E731
        return map_structure(on_line, score.start, ends(i))

    def times_line(gradient: Structure, i: jax.Array) -> Structure:
        return map_structure(baselines.shares, gradient, score.start, ends(i))

    baselines.check_rows("gradient_shap of a `baseline`", baseline, score.start)
    samples = numbers.shape[1]
    weights = jnp.full(samples, 1 / samples)
    (mean,) = mean_over_points(
        score, variable, jnp.arange(samples), weights, at_once, then=times_line
    )
    return mean


__all__ = ["gradient_shap", "input_x_gradient", "integrated_gradients", "saliency", "smooth_grad"]
