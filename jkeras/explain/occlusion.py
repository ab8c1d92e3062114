"""Occlusion: how a score changes where a window of the input is covered."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.session.settings import settings
from jkeras.explain import baselines
from jkeras.training.data.sizes import in_passes
from jkeras.explain.running import as_array, attribute, variable_like
from jkeras.explain.score import Scored, Target


def occlusion(
    model: Any,
    x: Any,
    target: Target = None,
    *,
    window: tuple[int, ...],
    strides: tuple[int, ...] | int | None = None,
    baseline: Any = 0.0,
    **options: Any,
) -> jax.Array:
    """What a score loses where a window that moves over the input is set to a baseline, for each
    input the mean over the windows that cover it (Zeiler and Fergus 2014, arXiv:1311.2901).

    Args:
        x: one array, rows along the first axis; with `at`, the layer's output is covered.
        window: its sizes, of all axes but the first; or of the places of an image alone, then it
            covers all channels.
        strides: by how much it moves along each axis; by default by its size. The last windows may
            reach over the end of the input.
        baseline: what takes the input's place: a number, a row, or as many rows as `x`.

    Other arguments and errors as of `saliency`.

    Returns:
        As `x`.

    Raises:
        ValueError: a window of other axes, or larger than the input.

    >>> import jax.numpy as jnp
    >>> score = lambda x: x @ jnp.array([[1.0], [-2.0], [0.0], [1.0]])
    >>> occlusion(score, [[1.0, 1.0, 1.0, 1.0]], window=(2,)).tolist()
    [[-1.0, -1.0, 1.0, 1.0]]
    """
    x = as_array(x)
    covered = variable_like(model, x, **options)
    if len(jax.tree_util.tree_leaves(covered)) != 1:
        received = jax.tree_util.tree_map(np.shape, covered)
        raise ValueError(explain("occlusion", "one array to cover", f"{received}"))
    sizes = dict(zip(("window", "strides"), _sizes(window, strides, np.shape(covered)[1:])))
    arrays, shared = baselines.split(baseline, x, model, **options)
    return attribute(_occlusion, model, x, target, arrays, shared, **sizes, **options)


def _sizes(
    window: tuple[int, ...], strides: tuple[int, ...] | int | None, shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(window, strides) along all axes of an input."""
    window = tuple(window)
    strides = window if strides is None else strides
    strides = (strides,) * len(window) if isinstance(strides, int) else tuple(strides)
    if len(window) == len(shape) - 1:  # of an image's places
        axis = 0 if settings.image_data_format == "channels_first" else len(window)
        window = (*window[:axis], shape[axis], *window[axis:])
        strides = (*strides[:axis], shape[axis], *strides[axis:])
    fits = len(window) == len(shape) == len(strides)
    if not fits or any(not 0 < w <= n for w, n in zip(window, shape)) or min(strides) < 1:
        wanted = f"a window within {shape} and strides of 1 or more"
        raise ValueError(explain("occlusion", wanted, f"window={window}, strides={strides}"))
    return window, strides


def _occlusion(
    score: Scored,
    at_once: int,
    baseline: jax.Array,
    window: tuple[int, ...],
    strides: tuple[int, ...],
) -> jax.Array:
    x = score.start
    baseline = baselines.filled(baseline, x)
    starts = _starts(x.shape[1:], window, strides)
    numbers, counts = in_passes(len(starts), at_once)
    at_once = numbers.shape[1]
    rows = score.repeated(at_once)
    whole = score(x)

    def mask_of(start: jax.Array) -> jax.Array:
        inside = jnp.ones(x.shape[1:], bool)
        for axis, (begin, size) in enumerate(zip(start, window)):
            position = jnp.arange(x.shape[1 + axis])
            shape = [1] * (x.ndim - 1)
            shape[axis] = -1
            inside &= ((position >= begin) & (position < begin + size)).reshape(shape)
        return inside

    def one_pass(sums: Any, chosen: Any) -> tuple[Any, None]:
        starts, counts = chosen
        masks = jax.vmap(mask_of)(starts)
        covered = jnp.where(masks[None], baseline[:, None], x[:, None])
        scores = score(covered.reshape(-1, *x.shape[1:]), rows).reshape(len(x), at_once)
        lost = jnp.where(counts, whole[:, None] - scores, 0)
        weights = jnp.where(counts.reshape(-1, *[1] * (x.ndim - 1)), masks, False)
        total = sums[0] + jnp.tensordot(lost, weights.astype(lost.dtype), (1, 0))
        return (total, sums[1] + weights.sum(0)), None

    begin = jnp.zeros_like(whole, shape=x.shape), jnp.zeros(x.shape[1:])
    by_pass = jnp.asarray(starts[numbers]), jnp.asarray(counts)
    (total, coverage), _ = jax.lax.scan(one_pass, begin, by_pass)
    return total / jnp.maximum(coverage, 1).astype(total.dtype)


def _starts(
    shape: tuple[int, ...], window: tuple[int, ...], strides: tuple[int, ...]
) -> np.ndarray:
    """Where windows begin: each as far as the strides go; the last ones reach over the end."""
    along = [
        range(0, stride * -(-(size - w) // stride) + 1, stride)
        for size, w, stride in zip(shape, window, strides)
    ]
    return np.array(list(itertools.product(*along)))


__all__ = ["occlusion"]
