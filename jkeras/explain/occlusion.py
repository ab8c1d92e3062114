"""Occlusion: how a score changes where a window of the input is covered."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.session.settings import settings
from jkeras.explain import baselines
from jkeras.training.data.sizes import in_passes
from jkeras.explain.running import as_array, attribute, numbers_of, variable_like
from jkeras.explain.score import Scored, Structure, Target
from jkeras.explain.several import of_members


@of_members
def occlusion(
    model: Any,
    x: Structure,
    target: Target = None,
    *,
    window: Any,
    strides: Any = None,
    baseline: Structure = 0.0,
    **options: Any,
) -> Structure:
    """What a score loses where a window that moves over the input is set to a baseline, for each
    input the mean over the windows that cover it (Zeiler and Fergus 2014, arXiv:1311.2901).

    Args:
        model, target, options: as for `saliency`.
        x: rows along the first axis; with `at`, the layer's output is covered. Of several arrays
            one is covered at a time.
        window: its sizes, of all axes but the first; or of the places of an image alone, then it
            covers all channels. Of several arrays those of each, in their structure.
        strides: by how much it moves along each axis; by default by its size. The last windows may
            reach over the end of the input.
        baseline: what takes the input's place: a number, a row, or as many rows as `x`.

    Returns:
        As `x`.

    Raises:
        ValueError: a window of other axes, or larger than the input; else as for `saliency`.

    >>> import jax.numpy as jnp
    >>> score = lambda x: x @ jnp.array([[1.0], [-2.0], [0.0], [1.0]])
    >>> occlusion(score, [[1.0, 1.0, 1.0, 1.0]], window=(2,)).tolist()
    [[-1.0, -1.0, 1.0, 1.0]]
    """
    x = as_array(x)
    if options.get("at") is None:
        x = numbers_of(x)
        baselines.check_categories("occlusion", baseline, x)
    windows = _windows(window, strides, variable_like(model, x, **options))
    arrays, shared = baselines.split(baseline, x, model, **options)
    options = {"differentiates": False, "windows": windows, **options}
    return attribute(_occlusion, model, x, target, arrays, shared, **options)


def _windows(window: Any, strides: Any, covered: Structure) -> tuple[tuple, ...]:
    """(window, strides) of each array that is covered."""
    leaves, treedef = jax.tree_util.tree_flatten(covered)
    shapes = [np.shape(leaf)[1:] for leaf in leaves]
    if jax.tree_util.treedef_is_leaf(treedef):
        return (_sizes(window, strides, shapes[0]),)
    if strides is None:
        strides = treedef.unflatten([None] * len(leaves))
    try:
        of_each = zip(treedef.flatten_up_to(window), treedef.flatten_up_to(strides), shapes)
    except ValueError:
        wanted = f"a window for each of {len(leaves)} arrays, in their structure"
        received = f"window={window}, strides={strides}"
        raise ValueError(explain("occlusion", wanted, received)) from None
    return tuple(_sizes(*one) for one in of_each)


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
    if (
        not fits
        or any(not 0 < w <= n for w, n in zip(window, shape))
        or min(strides, default=1) < 1
    ):
        wanted = f"a window within {shape} and strides of 1 or more"
        raise ValueError(explain("occlusion", wanted, f"window={window}, strides={strides}"))
    return window, strides


def _occlusion(
    score: Scored, at_once: int, baseline: Structure, windows: tuple[tuple, ...]
) -> Structure:
    leaves, treedef = jax.tree_util.tree_flatten(score.start)
    others = jax.tree_util.tree_leaves(baselines.filled(baseline, score.start))
    whole = score(score.start)

    def lost(number: int, covered: jax.Array, rows: dict) -> jax.Array:
        """What scores lose where one array is another one, some for each row."""
        count = len(covered) // len(whole)
        given = [jnp.repeat(leaf, count, axis=0) for leaf in leaves]
        given[number] = covered
        return whole[:, None] - score(treedef.unflatten(given), rows).reshape(len(whole), count)

    of_each = [
        _of_array(score, at_once, functools.partial(lost, i), x, before, *sizes)
        for i, (x, before, sizes) in enumerate(zip(leaves, others, windows))
    ]
    return treedef.unflatten(of_each)


def _of_array(
    score: Scored,
    at_once: int,
    lost: Callable[[jax.Array, dict], jax.Array],
    x: jax.Array,
    baseline: jax.Array,
    window: tuple[int, ...],
    strides: tuple[int, ...],
) -> jax.Array:
    starts = _starts(x.shape[1:], window, strides)
    numbers, counts = in_passes(len(starts), at_once)
    rows = score.repeated(numbers.shape[1])

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
        losses = jnp.where(counts, lost(covered.reshape(-1, *x.shape[1:]), rows), 0)
        weights = jnp.where(counts.reshape(-1, *[1] * (x.ndim - 1)), masks, False)
        total = sums[0] + jnp.tensordot(losses, weights.astype(losses.dtype), (1, 0))
        return (total, sums[1] + weights.sum(0)), None

    dtype = jax.eval_shape(score, score.start).dtype
    begin = jnp.zeros(x.shape, dtype), jnp.zeros(x.shape[1:])
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
