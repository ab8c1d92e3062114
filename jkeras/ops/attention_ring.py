"""Attention over sequences that are cut along an axis of a mesh: keys and values go round the
devices of the axis as in a ring, and no device ever holds a whole sequence.
"""

from __future__ import annotations

import functools
import typing

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec

from jkeras.core.names.registry import public
from jkeras.core.session.settings import settings
from jkeras.ops.attention_plain import Form, Segments, both, hidden_score
from jkeras.core.weights.types import Structure

CHUNK = 512  # sources whose scores are held at once


class Ring(typing.NamedTuple):
    """What of ring attention is no array.

    Args:
        axis: the name of the axis of the mesh.
        form: `Form`.
    """

    axis: str
    form: Form


class Block(typing.NamedTuple):
    """The sources that a device holds at one turn.

    Args:
        key, value: (batch, groups, source, size).
        ids: (batch, source), the segments.
        first: the position of the first source in the whole sequence.
    """

    key: jax.Array
    value: jax.Array
    ids: jax.Array
    first: jax.Array


@public("jkeras.ops.ring_attention")
def ring_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    axis_name: str,
    *,
    segments: Segments | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    window: int | None = None,
) -> jax.Array:
    """softmax(query key^T * scale) value, where the devices of a mesh's axis each hold a part of
    the sequence; for use inside of `jax.shard_map`.

    Each device holds its part of the queries; the parts of keys and values go from device to
    device. Memory and operations of a device are those of its part. Sums and normalization are in
    float32 at least, and all numbers are those of attention over the whole sequence.

    Args:
        query: (batch, heads, target, depth), the targets of this device.
        key, value: (batch, groups, source, depth or width); heads are a multiple of groups.
        axis_name: the axis of the mesh.
        segments: (ids of targets, ids of sources), whole numbers (batch, target) and (batch,
            source): a target sees the sources of its own number. A pair of two numbers that are
            never equal hides padding.
        scale: by default 1 / sqrt(depth).
        is_causal: a target sees only sources up to its own position in the whole sequence.
        window: see only sources that are less than this many positions away.

    Returns:
        (batch, heads, target, width), in the dtype of `value`. A target that sees nothing gets the
        mean of all values.

    References: Liu et al. 2023, arXiv:2310.01889.

    >>> mesh = jax.sharding.Mesh(jax.devices()[:1], ("time",))
    >>> cut = jax.sharding.PartitionSpec(None, None, "time")
    >>> attend = lambda x: ring_attention(x, x, x, "time", is_causal=True)
    >>> x = jnp.ones((1, 2, 4, 8))
    >>> jax.shard_map(attend, mesh=mesh, in_specs=cut, out_specs=cut, check_vma=False)(x).shape
    (1, 2, 4, 8)
    """
    form = Form(query.shape[-1] ** -0.5 if scale is None else scale, is_causal, window)
    if segments is None:
        segments = tuple(jnp.zeros((x.shape[0], x.shape[2]), jnp.int32) for x in (query, key))
    return _attend(Ring(axis_name, form), query, key, value, *segments)


def over_ring(
    query: jax.Array, key: jax.Array, value: jax.Array, segments: Segments | None, form: Form
) -> jax.Array | None:
    """`ring_attention` over the axis along which the session's distribution cuts sequences; None
    where it does not.
    """
    axis = getattr(settings.distribution, "sequence_axis", None)
    if axis is None or query.shape[2] != key.shape[2]:
        return None
    distribution = settings.distribution
    mesh = distribution.device_mesh.backend_mesh
    if query.shape[2] % mesh.shape[axis]:
        return None
    batch = distribution.get_data_layout((query.shape[0], query.shape[2])).axes[0]
    if query.shape[0] % distribution.num_model_replicas:
        batch = None
    x, ids = PartitionSpec(batch, None, axis), PartitionSpec(batch, axis)
    if segments is None:
        zeros = jnp.zeros((query.shape[0], query.shape[2]), jnp.int32)
        segments = Segments(zeros, zeros)
    attend = jax.shard_map(
        functools.partial(_attend, Ring(axis, form)),
        mesh=mesh,
        in_specs=(x, x, x, ids, ids),
        out_specs=x,
        check_vma=False,
    )
    return attend(query, key, value, *segments)


# ---------------------------------------------------------------- the turns


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attend(
    ring: Ring,
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    target_ids: jax.Array,
    source_ids: jax.Array,
) -> jax.Array:
    return _forwards(ring, query, key, value, target_ids, source_ids)[0]


def _forwards(
    ring: Ring,
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    target_ids: jax.Array,
    source_ids: jax.Array,
) -> tuple[jax.Array, Structure]:
    """The output, and what the gradient needs: the inputs, and of each target its output, its
    largest score and the logarithm of the sum that normalizes its weights. The last two are apart:
    their sum is not exact where nothing is seen.
    """
    positions = _positions(ring, query.shape[2])
    grouped = _grouped(query, key.shape[1])
    block = _own_block(ring, key, value, source_ids)

    def turn(carry: Structure, _: None) -> tuple[Structure, None]:
        sums, block = carry
        sums = _add(ring, grouped, positions, target_ids, block, sums)
        return (sums, _next(ring, block)), None

    (sums, _), _ = lax.scan(turn, (_no_sums(grouped, value), block), length=_count(ring))
    most, total, mixed = sums
    y = (mixed / total[..., None]).astype(value.dtype).reshape(*query.shape[:3], value.shape[-1])
    saved = (query, key, value, target_ids, source_ids, y, most, jnp.log(total))
    return y, saved


def _backwards(ring: Ring, saved: Structure, cotangent: jax.Array) -> tuple[jax.Array | None, ...]:
    """The gradients; those of keys and values go round together with them."""
    query, key, value, target_ids, source_ids, y, most, normalizer = saved
    positions = _positions(ring, query.shape[2])
    groups = key.shape[1]
    grouped, outer = _grouped(query, groups), _grouped(cotangent, groups)
    wide = normalizer.dtype
    # the share of a weight's gradient that normalization takes back
    taken = jnp.sum(outer.astype(wide) * _grouped(y, groups).astype(wide), axis=-1)
    block = _own_block(ring, key, value, source_ids)
    zeros = (jnp.zeros(key.shape, wide), jnp.zeros(value.shape, wide))

    def turn(carry: Structure, _: None) -> tuple[Structure, None]:
        of_query, block, of_block = carry
        fixed = (grouped, outer, most, normalizer, taken)
        added, of_key, of_value = _gradient(ring, fixed, positions, target_ids, block)
        of_block = (of_block[0] + of_key, of_block[1] + of_value)
        return (of_query + added, _next(ring, block), _next(ring, of_block)), None

    start = (jnp.zeros(grouped.shape, wide), block, zeros)
    (of_query, _, of_block), _ = lax.scan(turn, start, length=_count(ring))
    of_query = of_query.reshape(query.shape).astype(query.dtype)
    return of_query, of_block[0].astype(key.dtype), of_block[1].astype(value.dtype), None, None


_attend.defvjp(_forwards, _backwards)


def _count(ring: Ring) -> int:
    return lax.axis_size(ring.axis)


def _positions(ring: Ring, length: int) -> jax.Array:
    """The positions of this device's targets in the whole sequence."""
    return lax.axis_index(ring.axis) * length + jnp.arange(length)


def _own_block(ring: Ring, key: jax.Array, value: jax.Array, ids: jax.Array) -> Block:
    return Block(key, value, ids, lax.axis_index(ring.axis) * key.shape[2])


def _next(ring: Ring, tree: Structure) -> Structure:
    """What the neighbour in the ring holds."""
    count = _count(ring)
    pairs = [(i, (i + 1) % count) for i in range(count)]
    return jax.tree_util.tree_map(lambda x: lax.ppermute(x, ring.axis, pairs), tree)


def _grouped(x: jax.Array, groups: int) -> jax.Array:
    """(batch, heads, time, size) -> (batch, groups, heads / groups, time, size)."""
    batch, heads, time, size = x.shape
    return x.reshape(batch, groups, heads // groups, time, size)


# ---------------------------------------------------------------- a block of sources


def _no_sums(grouped: jax.Array, value: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(largest score, sum of weights, weighted sum of values) of no source at all."""
    wide = jnp.promote_types(grouped.dtype, "float32")
    shape = grouped.shape[:-1]
    least = jnp.full(shape, hidden_score(wide), wide)
    return least, jnp.zeros(shape, wide), jnp.zeros((*shape, value.shape[-1]), wide)


def _add(
    ring: Ring,
    grouped: jax.Array,
    positions: jax.Array,
    target_ids: jax.Array,
    block: Block,
    sums: tuple[jax.Array, jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The sums with those of a block, whose sources are taken in chunks."""

    def add(
        sums: tuple[jax.Array, jax.Array, jax.Array], chunk: Block
    ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], None]:
        most, total, mixed = sums
        scores = _scores(ring, grouped, positions, target_ids, chunk)
        more = jnp.maximum(most, jnp.max(scores, axis=-1))
        weights = jnp.exp(scores - more[..., None])
        shrunk = jnp.exp(most - more)
        products = jnp.einsum(
            "bghts,bgsv->bghtv",
            weights.astype(chunk.value.dtype),
            chunk.value,
            preferred_element_type=mixed.dtype,
        )
        total = total * shrunk + jnp.sum(weights, axis=-1)
        return (more, total, mixed * shrunk[..., None] + products), None

    return lax.scan(add, sums, _chunks(block))[0]


def _gradient(
    ring: Ring, fixed: Structure, positions: jax.Array, target_ids: jax.Array | None, block: Block
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(gradient of the query by this block, of the block's keys, of its values)."""
    grouped, outer, most, normalizer, taken = fixed
    wide = normalizer.dtype
    product = functools.partial(jnp.einsum, preferred_element_type=wide)

    def of_chunk(
        of_query: jax.Array, chunk: Block
    ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        scores = _scores(ring, grouped, positions, target_ids, chunk)
        weights = jnp.exp(scores - most[..., None] - normalizer[..., None])
        of_value = product("bghts,bghtv->bgsv", weights.astype(outer.dtype), outer)
        of_weights = product("bghtv,bgsv->bghts", outer, chunk.value)
        seen = _seen(ring, positions, target_ids, chunk)
        of_scores = jnp.where(seen, weights * (of_weights - taken[..., None]) * ring.form.scale, 0)
        of_scores = of_scores.astype(grouped.dtype)
        of_key = product("bghts,bghtd->bgsd", of_scores, grouped)
        return of_query + product("bghts,bgsd->bghtd", of_scores, chunk.key), (of_key, of_value)

    zeros = jnp.zeros(grouped.shape, wide)
    of_query, parts = lax.scan(of_chunk, zeros, _chunks(block))
    return of_query, *(_joined(part, block.key.shape[2]) for part in parts)


def _chunks(block: Block) -> Block:
    """The block with its sources in chunks along a new first axis."""
    size = block.key.shape[2]
    length = CHUNK if size % CHUNK == 0 else size
    count = size // length

    def cut(x: jax.Array, axis: int) -> jax.Array:
        x = x.reshape(*x.shape[:axis], count, length, *x.shape[axis + 1 :])
        return jnp.moveaxis(x, axis, 0)

    first = block.first + length * jnp.arange(count)
    return Block(cut(block.key, 2), cut(block.value, 2), cut(block.ids, 1), first)


def _joined(parts: jax.Array, size: int) -> jax.Array:
    """(chunks, batch, groups, length, ...) -> (batch, groups, source, ...)."""
    joined = jnp.moveaxis(parts, 0, 2)
    return joined.reshape(*joined.shape[:2], size, *joined.shape[4:])


def _scores(
    ring: Ring, grouped: jax.Array, positions: jax.Array, target_ids: jax.Array, block: Block
) -> jax.Array:
    scores = jnp.einsum(
        "bghtd,bgsd->bghts",
        grouped,
        block.key,
        preferred_element_type=jnp.promote_types(grouped.dtype, "float32"),
    )
    seen = _seen(ring, positions, target_ids, block)
    return jnp.where(seen, scores * ring.form.scale, hidden_score(scores.dtype))


def _seen(ring: Ring, positions: jax.Array, target_ids: jax.Array, block: Block) -> jax.Array:
    """bool (batch, 1, 1, target, source): which sources of a block each target sees."""
    sources = block.first + jnp.arange(block.key.shape[2])
    mask = target_ids[:, :, None] == block.ids[:, None, :]
    if ring.form.is_causal:
        mask = both(mask, sources <= positions[:, None])
    if ring.form.window is not None:
        mask = both(mask, jnp.abs(sources - positions[:, None]) < ring.form.window)
    return mask[:, None, None]
