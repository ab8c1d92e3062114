"""Attention as matrix products and a softmax, heads first, and what a target may see."""

from __future__ import annotations

import functools
import math
import typing
from collections.abc import Iterable

import jax
import jax.numpy as jnp

from jkeras.core.weights.types import DType
from jkeras.ops.kernels import is_static

# segment ids of positions that are padding; no two of them are equal, so they see nothing
HIDDEN_TARGET = -2
HIDDEN_SOURCE = -1
HALF = (jnp.dtype("bfloat16"), jnp.dtype("float16"))
MANY = 2**24  # scores; fewer stay in the memory of a TPU's core, where XLA's own form is as good


class Form(typing.NamedTuple):
    """What of attention follows from positions alone.

    Args:
        scale: of the scores.
        is_causal: target i sees only the sources up to i.
        window: a target sees only sources less than this many positions away; None: all.
    """

    scale: float
    is_causal: bool = False
    window: int | None = None


class Segments(typing.NamedTuple):
    """To which sequence of a row each position belongs: a target sees sources of its own segment.

    Args:
        target: (batch, target), whole numbers.
        source: (batch, source).
    """

    target: jax.Array
    source: jax.Array


def plain(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    form: Form,
    segments: Segments | None = None,
    mask: jax.Array | None = None,
    bias: jax.Array | None = None,
) -> jax.Array:
    """softmax(query key^T * scale + bias) value for each head; scores are summed and normalized in
    float32 at least. Arguments and result are those of `attention.attention`.

    >>> x = jnp.ones((1, 2, 3, 4))
    >>> plain(x, x, x, Form(0.5)).shape
    (1, 2, 3, 4)
    """
    *lead, heads, target, depth = query.shape
    groups, source = key.shape[-3:-1]
    queries = heads // groups * target  # of all heads that share a key, in one matrix product
    scores = products(query.reshape(*lead, groups, queries, depth), key)
    scores = scores.reshape(*lead, heads, target, source) * form.scale
    if bias is not None:
        scores = scores + bias.astype(scores.dtype)
    positions = seen(form, segments, target, source)
    mask = positions if mask is None else both(mask, positions)
    if mask is not None:
        scores = jnp.where(mask, scores, hidden_score(scores.dtype))
    if value.dtype in HALF and _are_many(scores.shape):
        weights = _narrow_softmax(value.dtype, scores)
    else:
        weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
    y = jnp.matmul(weights.reshape(*lead, groups, queries, source), value)
    return y.reshape(*lead, heads, target, value.shape[-1])


def products(query: jax.Array, key: jax.Array) -> jax.Array:
    """query key^T, summed in float32 at least: (..., query, source).

    Args:
        query, key: (..., groups, query, depth) and (..., groups, source, depth).

    >>> products(jnp.ones((1, 1, 4)), jnp.ones((1, 3, 4)))
    Array([[[4., 4., 4.]]], dtype=float32)
    """
    into = jnp.promote_types(query.dtype, "float32")
    count, depth = query.shape[-2:]
    has_symbols = set(map(type, query.shape)) != {int}  # as while a model is exported
    if not has_symbols and 4 * count <= depth and math.prod(query.shape[:-3]) == 1:
        # of one row XLA on CPUs copies a factor that it has to transpose: while a text is
        # generated the queries are few, and the keys many
        scores = jnp.matmul(key, jnp.swapaxes(query, -1, -2), preferred_element_type=into)
        return jnp.swapaxes(scores, -1, -2)
    if query.dtype in HALF and _are_many((*query.shape[:-1], key.shape[-2])):
        return _products_of_16_bits(query, key)
    return jnp.matmul(query, jnp.swapaxes(key, -1, -2), preferred_element_type=into)


# ---------------------------------------------------------------- gradients in 16 bits
#
# Scores and their exponentials are in float32. What the gradient takes of them is in the type of
# the inputs: JAX would multiply float32 there, of twice the size and at half the speed, and would
# keep a copy of the weights in float32. The kernels of `attention_flash` round alike.


def _are_many(shape: tuple[int, ...]) -> bool:
    """Whether there are more scores than XLA's own form is good for."""
    return is_static(shape) and math.prod(shape) > MANY


@jax.custom_jvp
def _products_of_16_bits(query: jax.Array, key: jax.Array) -> jax.Array:
    return jnp.matmul(query, jnp.swapaxes(key, -1, -2), preferred_element_type=jnp.float32)


def _in_16_bits(query: jax.Array, key: jax.Array) -> jax.Array:
    return jnp.matmul(query, jnp.swapaxes(key, -1, -2)).astype(jnp.float32)


_products_of_16_bits.defjvps(
    lambda tangent, scores, query, key: _in_16_bits(tangent, key),
    lambda tangent, scores, query, key: _in_16_bits(query, tangent),
)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _narrow_softmax(dtype: DType, scores: jax.Array) -> jax.Array:
    return jax.nn.softmax(scores, axis=-1).astype(dtype)


@_narrow_softmax.defjvp
def _narrow_softmax_jvp(
    dtype: DType, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    narrow = _narrow_softmax(dtype, *primals)
    weights, (tangent,) = narrow.astype(primals[0].dtype), tangents
    # rounded weights do not add up to 1, and where one is near 1 the rest is all that counts
    total = jnp.sum(weights, axis=-1, keepdims=True)
    mean = jnp.sum(weights * tangent, axis=-1, keepdims=True) / total
    return narrow, (weights * (tangent - mean)).astype(dtype)


# ---------------------------------------------------------------- what a target sees


def hidden_score(dtype: DType) -> float:
    """The score of what is not seen: its exponential is zero beside any other.

    >>> hidden_score("float32") < -1e38
    True
    """
    return -0.7 * float(jnp.finfo(dtype).max)


def seen(form: Form, segments: Segments | None, target: int, source: int) -> jax.Array | None:
    """bool, broadcastable to (..., heads, target, source): what positions and segments let be seen;
    None: everything.

    >>> print(seen(Form(1.0, window=1), None, 2, 2).astype(int))
    [[1 0]
     [0 1]]
    """
    mask = None
    if form.is_causal:
        mask = causal_mask(target, source)
    if form.window is not None:
        mask = both(mask, window_mask(target, source, form.window))
    if segments is not None:
        same = segments.target[..., :, None] == segments.source[..., None, :]
        mask = both(mask, jnp.expand_dims(same, -3))
    return mask


def padding_segments(
    target_mask: jax.Array | None,
    source_mask: jax.Array | None,
    batch: int,
    target: int,
    source: int,
) -> Segments | None:
    """`Segments` in which padding sees nothing and is not seen; None without a mask.

    Args:
        target_mask, source_mask: bool (batch, time), True for what is no padding; or None.
        batch, target, source: the sizes.

    >>> print(padding_segments(None, jnp.array([[True, False]]), 1, 3, 2).source)
    [[ 0 -1]]
    """
    if target_mask is None and source_mask is None:
        return None
    one = Segments(jnp.zeros((batch, target), jnp.int32), jnp.zeros((batch, source), jnp.int32))
    return without_padding(one, target_mask, source_mask)


def without_padding(
    segments: Segments, target_mask: jax.Array | None, source_mask: jax.Array | None
) -> Segments:
    """`Segments` in which padding sees nothing and is not seen either.

    Args:
        segments: ids from 0 on.
        target_mask, source_mask: as of `padding_segments`.

    >>> ids = jnp.array([[1, 1, 2]])
    >>> print(without_padding(Segments(ids, ids), None, ids > 1).source)
    [[-1 -1  2]]
    """
    target, source = segments
    if target_mask is not None:
        target = jnp.where(target_mask, target, HIDDEN_TARGET)
    if source_mask is not None:
        source = jnp.where(source_mask, source, HIDDEN_SOURCE)
    return Segments(target, source)


def sees_nothing(form: Form, segments: Segments) -> jax.Array:
    """bool (batch, target): the targets to which padding leaves no source.

    >>> ids = padding_segments(None, jnp.array([[False, True]]), 1, 2, 2)
    >>> print(sees_nothing(Form(1.0, is_causal=True), ids))
    [[ True False]]
    """
    target, source = segments.target.shape[-1], segments.source.shape[-1]
    visible = jnp.cumsum(segments.source != HIDDEN_SOURCE, axis=-1)
    before = jnp.pad(visible, [(0, 0)] * (visible.ndim - 1) + [(1, 0)])
    positions = jnp.arange(target)
    first, last = jnp.zeros_like(positions), jnp.full_like(positions, source)
    if form.is_causal:
        last = jnp.minimum(positions + 1, source)
    if form.window is not None:
        first = jnp.clip(positions - form.window + 1, 0, source)
        last = jnp.minimum(last, positions + form.window)
    last = jnp.maximum(first, last)
    count = jnp.take(before, last, axis=-1) - jnp.take(before, first, axis=-1)
    return (count == 0) | (segments.target == HIDDEN_TARGET)


def both(mask: jax.Array | None, other: jax.Array | None) -> jax.Array | None:
    """Where both masks are True; None stands for a mask that is True everywhere.

    >>> print(both(None, jnp.array([True, False])))
    [ True False]
    """
    if mask is None:
        return other
    if other is None:
        return mask
    return jnp.logical_and(mask, other)


def all_of(masks: Iterable[jax.Array | None]) -> jax.Array | None:
    """Where all masks are True, some of which may be None.

    >>> print(all_of([None, jnp.array([True, False]), jnp.array([True, True])]))
    [ True False]
    """
    return functools.reduce(both, masks, None)


def causal_mask(target: int, source: int) -> jax.Array:
    """(target, source): True where a target may look, at the sources up to its own position.

    >>> print(causal_mask(2, 3).astype(int))
    [[1 0 0]
     [1 1 0]]
    """
    return jnp.tril(jnp.ones((target, source), bool))


def window_mask(target: int, source: int, window: int) -> jax.Array:
    """(target, source): True where the positions are less than `window` apart.

    >>> print(window_mask(3, 3, 2).astype(int))
    [[1 1 0]
     [1 1 1]
     [0 1 1]]
    """
    return jnp.abs(jnp.arange(target)[:, None] - jnp.arange(source)) < window
