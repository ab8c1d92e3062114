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


class Targets(typing.NamedTuple):
    """The targets of a device.

    Args:
        query: (batch, groups, heads of a group, target, size).
        ids: (batch, target), the segments.
        positions: (target,) in the whole sequence.
    """

    query: jax.Array
    ids: jax.Array
    positions: jax.Array


class Block(typing.NamedTuple):
    """The sources that a device holds at one turn.

    Args:
        key, value: (batch, groups, source, size).
        ids: (batch, source), the segments.
        positions: (source,) in the whole sequence.
    """

    key: jax.Array
    value: jax.Array
    ids: jax.Array
    positions: jax.Array


class Slopes(typing.NamedTuple):
    """What the gradient needs of each target.

    Args:
        outer: the gradient of its output, (batch, groups, heads of a group, target, size).
        most: its largest score, without the last axis.
        normalizer: the logarithm of the sum of its weights, likewise.
        taken: the share of a weight's gradient that normalization takes back, likewise.
    """

    outer: jax.Array
    most: jax.Array
    normalizer: jax.Array
    taken: jax.Array


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
    device. Memory and operations of a device are those of its part; of what a causal mask hides
    about half is not computed, where the parts have an even length. Sums and normalization are in
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
    their sum is not exact where nothing is seen. All but the output is as `_shared` puts it.
    """
    shared = _is_shared(ring, query, key)
    inputs = query, key, value, target_ids, source_ids
    if shared:
        inputs = tuple(_shared(ring, x) for x in inputs)
    targets, block = _targets_and_block(ring, shared, *inputs)

    def turn(carry: Structure, _: None) -> tuple[Structure, None]:
        sums, block = carry
        block = _next(ring, block)
        if shared:
            return (_add_seen(ring, targets, block, sums), block), None
        return (_add(ring, targets, block, sums), block), None

    sums = _add(ring, targets, block, _no_sums(targets.query, value))
    (sums, _), _ = lax.scan(turn, (sums, block), length=_count(ring) - 1)
    most, total, mixed = sums
    mixed = mixed / total[..., None]
    if shared:
        mixed = jnp.where(_is_blind(most)[..., None], _mean_of_all(ring, block.value), mixed)
    y = mixed.astype(value.dtype).reshape(*query.shape[:3], value.shape[-1])
    saved = (*inputs, y, most, jnp.log(total))
    if shared:
        return _as_given(ring, y), saved
    return y, saved


def _backwards(ring: Ring, saved: Structure, cotangent: jax.Array) -> tuple[jax.Array | None, ...]:
    """The gradients; those of keys and values go round together with them."""
    *inputs, y, most, normalizer = saved
    query, key, value = inputs[:3]
    shared = _is_shared(ring, query, key)
    if shared:
        cotangent = _shared(ring, cotangent)
    targets, block = _targets_and_block(ring, shared, *inputs)
    groups = key.shape[1]
    outer = _grouped(cotangent, groups)
    if shared:
        outer, of_mean = _without_blind(ring, outer, most)
    wide = normalizer.dtype
    # the share of a weight's gradient that normalization takes back
    taken = jnp.sum(outer.astype(wide) * _grouped(y, groups).astype(wide), axis=-1)
    slopes = Slopes(outer, most, normalizer, taken)
    find = _gradient_seen if shared else _gradient

    def turn(carry: Structure, _: None) -> tuple[Structure, None]:
        of_query, block, of_block = carry
        block, of_block = _next(ring, (block, of_block))
        added, *more = find(ring, targets, slopes, block)
        of_block = tuple(map(jnp.add, of_block, more))
        return (of_query + added, block, of_block), None

    of_query, *of_block = _gradient(ring, targets, slopes, block)
    start = (of_query, block, tuple(of_block))
    (of_query, _, of_block), _ = lax.scan(turn, start, length=_count(ring) - 1)
    of_key, of_value = _next(ring, of_block)  # home
    if shared:
        of_value = of_value + of_mean
    gradients = of_query.reshape(query.shape), of_key, of_value
    if shared:
        gradients = tuple(_as_given(ring, x) for x in gradients)
    narrow = (x.astype(like.dtype) for x, like in zip(gradients, (query, key, value)))
    return *narrow, None, None


_attend.defvjp(_forwards, _backwards)


def _count(ring: Ring) -> int:
    return lax.axis_size(ring.axis)


def _targets_and_block(
    ring: Ring,
    shared: bool,
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    target_ids: jax.Array,
    source_ids: jax.Array,
) -> tuple[Targets, Block]:
    """What a device holds at first."""
    targets = _positions(ring, query.shape[2], shared)
    sources = _positions(ring, key.shape[2], shared)
    grouped = _grouped(query, key.shape[1])
    return Targets(grouped, target_ids, targets), Block(key, value, source_ids, sources)


def _positions(ring: Ring, length: int, shared: bool) -> jax.Array:
    """The positions of this device's part in the whole sequence."""
    own = lax.axis_index(ring.axis)
    if not shared:
        return own * length + jnp.arange(length)
    half = jnp.arange(length // 2)
    last = 2 * _count(ring) - 1 - own
    return jnp.concatenate([own * (length // 2) + half, last * (length // 2) + half])


def _next(ring: Ring, tree: Structure) -> Structure:
    """What the neighbour in the ring holds."""
    count = _count(ring)
    pairs = [(i, (i + 1) % count) for i in range(count)]
    return jax.tree_util.tree_map(lambda x: lax.ppermute(x, ring.axis, pairs), tree)


def _grouped(x: jax.Array, groups: int) -> jax.Array:
    """(batch, heads, time, size) -> (batch, groups, heads / groups, time, size)."""
    batch, heads, time, size = x.shape
    return x.reshape(batch, groups, heads // groups, time, size)


# ---------------------------------------------------------------- half of the work
#
# Where a target sees what is before it, the last device would see all parts, and the first one its
# own. So device i of n takes the parts i and 2 n - 1 - i of 2 n (Brandon et al. 2023,
# arXiv:2311.09431, and the "zigzag" of others): of each block that comes, half is seen, by all
# alike, and the other half is not computed.


def _is_shared(ring: Ring, query: jax.Array, key: jax.Array) -> bool:
    """Whether devices share the work of a causal mask."""
    length = query.shape[2]
    is_even = length == key.shape[2] and length % 2 == 0
    return ring.form.is_causal and is_even and _count(ring) > 1


def _routes(ring: Ring) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """From which device to which one its first and its second half go."""
    count = _count(ring)

    def home(part: int) -> int:
        return min(part, 2 * count - 1 - part)

    return [(i, home(2 * i)) for i in range(count)], [(i, home(2 * i + 1)) for i in range(count)]


def _shared(ring: Ring, x: jax.Array) -> jax.Array:
    """Of a sequence cut into n, the parts i and 2 n - 1 - i of 2 n: along the axis 1 of ids, 2 of
    others.
    """
    axis = min(x.ndim - 1, 2)
    parts = jnp.split(x, 2, axis)
    moved = [lax.ppermute(part, ring.axis, to) for part, to in zip(parts, _routes(ring))]
    return jnp.concatenate(_in_order(ring, *moved), axis)


def _as_given(ring: Ring, x: jax.Array) -> jax.Array:
    """The reverse of `_shared`."""
    axis = min(x.ndim - 1, 2)
    parts = _in_order(ring, *jnp.split(x, 2, axis))
    back = [[(to, i) for i, to in route] for route in _routes(ring)]
    return jnp.concatenate(
        [lax.ppermute(part, ring.axis, to) for part, to in zip(parts, back)], axis
    )


def _in_order(ring: Ring, first: jax.Array, second: jax.Array) -> list[jax.Array]:
    """Both swapped on devices of odd numbers: these get their part of the end from first halves."""
    is_odd = lax.axis_index(ring.axis) % 2 == 1
    return [jnp.where(is_odd, second, first), jnp.where(is_odd, first, second)]


def _comes_before(targets: Targets, block: Block) -> jax.Array:
    """Whether the device of a block has an earlier part than this one: then all targets see the
    first half of the block; else the second half of the targets sees all of it.
    """
    return block.positions[0] < targets.positions[0]


def _halves(tree: Structure, axes: Structure) -> tuple[Structure, Structure]:
    """(first, second) halves of arrays along the axis of each."""
    halves = [jnp.split(x, 2, axis) for x, axis in zip(tree, axes)]
    first, second = zip(*halves)
    make = getattr(type(tree), "_make", tuple)
    return make(first), make(second)


ALONG = Targets(3, 1, 0)  # the axis of positions
OF_BLOCK = Block(2, 2, 1, 0)


def _add_seen(ring: Ring, targets: Targets, block: Block, sums: Structure) -> Structure:
    """`_add` of a block of another device, without what the mask hides."""

    def of_first(sums: Structure) -> Structure:
        return _add(ring, targets, _halves(block, OF_BLOCK)[0], sums)

    def by_second(sums: Structure) -> Structure:
        first, second = _halves(sums, (3, 3, 3))
        second = _add(ring, _halves(targets, ALONG)[1], block, second)
        return tuple(jnp.concatenate(both, 3) for both in zip(first, second))

    return lax.cond(_comes_before(targets, block), of_first, by_second, sums)


def _gradient_seen(ring: Ring, targets: Targets, slopes: Slopes, block: Block) -> Structure:
    """`_gradient` of a block of another device, without what the mask hides."""

    def of_first() -> Structure:
        of_query, *of_block = _gradient(ring, targets, slopes, _halves(block, OF_BLOCK)[0])
        return of_query, *(_with_zeros(x, 2, is_first=True) for x in of_block)

    def by_second() -> Structure:
        second, slope = _halves(targets, ALONG)[1], _halves(slopes, (3, 3, 3, 3))[1]
        of_query, *of_block = _gradient(ring, second, slope, block)
        return _with_zeros(of_query, 3, is_first=False), *of_block

    return lax.cond(_comes_before(targets, block), of_first, by_second)


def _is_blind(most: jax.Array) -> jax.Array:
    """Whether a target sees nothing, by its largest score."""
    return most == hidden_score(most.dtype)


def _mean_of_all(ring: Ring, value: jax.Array) -> jax.Array:
    """What a target gets that sees nothing, (batch, groups, 1, 1, size): by blocks it would be the
    mean of those that are not left out.
    """
    wide = value.astype(jnp.promote_types(value.dtype, "float32"))
    return lax.pmean(jnp.mean(wide, axis=2), ring.axis)[:, :, None, None]


def _without_blind(ring: Ring, outer: jax.Array, most: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(gradients of outputs without those of targets that see nothing, what these give to each
    value, (batch, groups, 1, size)).
    """
    is_blind = _is_blind(most)[..., None]
    wide = jnp.where(is_blind, outer, 0).astype(most.dtype)
    total = lax.psum(jnp.sum(wide, axis=(2, 3)), ring.axis)
    each = total / (_count(ring) * outer.shape[3])
    return jnp.where(is_blind, 0, outer), each[:, :, None]


def _with_zeros(x: jax.Array, axis: int, is_first: bool) -> jax.Array:
    """A half along an axis as the whole, with zeros in the other half."""
    zeros = jnp.zeros_like(x)
    return jnp.concatenate([x, zeros] if is_first else [zeros, x], axis)


# ---------------------------------------------------------------- a block of sources


def _no_sums(grouped: jax.Array, value: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(largest score, sum of weights, weighted sum of values) of no source at all."""
    wide = jnp.promote_types(grouped.dtype, "float32")
    shape = grouped.shape[:-1]
    least = jnp.full(shape, hidden_score(wide), wide)
    return least, jnp.zeros(shape, wide), jnp.zeros((*shape, value.shape[-1]), wide)


def _add(
    ring: Ring, targets: Targets, block: Block, sums: tuple[jax.Array, jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The sums with those of a block, whose sources are taken in chunks."""

    def add(
        sums: tuple[jax.Array, jax.Array, jax.Array], chunk: Block
    ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], None]:
        most, total, mixed = sums
        scores = _scores(ring, targets, chunk)
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
    ring: Ring, targets: Targets, slopes: Slopes, block: Block
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(gradient of the query by this block, of the block's keys, of its values)."""
    outer, most, normalizer, taken = slopes
    grouped = targets.query
    wide = normalizer.dtype
    product = functools.partial(jnp.einsum, preferred_element_type=wide)

    def of_chunk(
        of_query: jax.Array, chunk: Block
    ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        scores = _scores(ring, targets, chunk)
        weights = jnp.exp(scores - most[..., None] - normalizer[..., None])
        of_value = product("bghts,bghtv->bgsv", weights.astype(outer.dtype), outer)
        of_weights = product("bghtv,bgsv->bghts", outer, chunk.value)
        seen = _seen(ring, targets, chunk)
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

    return Block(*(cut(x, axis) for x, axis in zip(block, OF_BLOCK)))


def _joined(parts: jax.Array, size: int) -> jax.Array:
    """(chunks, batch, groups, length, ...) -> (batch, groups, source, ...)."""
    joined = jnp.moveaxis(parts, 0, 2)
    return joined.reshape(*joined.shape[:2], size, *joined.shape[4:])


def _scores(ring: Ring, targets: Targets, block: Block) -> jax.Array:
    scores = jnp.einsum(
        "bghtd,bgsd->bghts",
        targets.query,
        block.key,
        preferred_element_type=jnp.promote_types(targets.query.dtype, "float32"),
    )
    seen = _seen(ring, targets, block)
    return jnp.where(seen, scores * ring.form.scale, hidden_score(scores.dtype))


def _seen(ring: Ring, targets: Targets, block: Block) -> jax.Array:
    """bool (batch, 1, 1, target, source): which sources of a block each target sees."""
    positions, sources = targets.positions[:, None], block.positions
    mask = targets.ids[:, :, None] == block.ids[:, None, :]
    if ring.form.is_causal:
        mask = both(mask, sources <= positions)
    if ring.form.window is not None:
        mask = both(mask, jnp.abs(sources - positions) < ring.form.window)
    return mask[:, None, None]
