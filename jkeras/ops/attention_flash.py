"""Attention by fused kernels that never hold all scores: Splash on TPUs, cuDNN on NVIDIA GPUs."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from jkeras.ops.attention_plain import (
    HIDDEN_SOURCE,
    HIDDEN_TARGET,
    Form,
    Segments,
    plain,
    seen,
    sees_nothing,
)
from jkeras.ops.kernels import LANES, is_interpreted
from jkeras.ops.mesh_axes import batch_axes, cutting, free_axes, is_one_program, manual_axes
from jkeras.ops.second_order import with_derivatives_of

SHORTEST = 512  # positions; below, XLA's own fusion of the plain form is as fast
LARGEST_BLOCK = 512


# ---------------------------------------------------------------- TPU


def by_splash(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    segments: Segments | None,
    form: Form,
    is_demanded: bool = False,
) -> jax.Array | None:
    """Attention by JAX's Splash kernel, None where the plain form is the better.

    Args:
        query, key, value: (batch, heads, time, size).
        segments: `Segments` or None.
        form: `Form`.
        is_demanded: take the kernel for short sequences too.
    """
    too_short = min(query.shape[2], key.shape[2]) < SHORTEST
    floats = all(jnp.issubdtype(x.dtype, jnp.floating) for x in (query, key, value))
    if not floats:
        return None
    if too_short and not is_demanded:
        return None
    # asked for here: the gradient may be traced when the block `traced_for` is left
    local = functools.partial(_of_device, form=form, interpret=is_interpreted())
    mesh, rows, heads = _cut(query, key)
    if mesh is None and is_demanded:
        return local(query, key, value, segments)
    if is_one_program(mesh):
        return local(query, key, value, segments)
    if mesh is None:
        return None
    return _cut_along(mesh, rows, heads, local)(query, key, value, segments)


def _cut_along(
    mesh: jax.sharding.Mesh, rows: tuple[str, ...], heads: tuple[str, ...], local: Callable
) -> Callable:
    """Attention of all devices of a mesh, from that of one.

    Args:
        rows, heads: the axes that cut these.
        local: takes query, key, value and segments.
    """
    # the kernel is opaque to the compiler, which cannot cut it along the mesh by itself
    x, ids = PartitionSpec(rows or None, heads or None), PartitionSpec(rows or None)
    return jax.shard_map(
        local,
        mesh=None if manual_axes() else mesh,
        in_specs=(x, x, x, ids),
        out_specs=x,
        axis_names=set(free_axes(mesh)),
        check_vma=False,
    )


def _cut(
    query: jax.Array, key: jax.Array
) -> tuple[jax.sharding.Mesh | None, tuple[str, ...], tuple[str, ...]]:
    """(mesh, axes that cut the batch, axes that cut heads) of the session's distribution, None for
    what it does not cut.
    """
    mesh, names = batch_axes(query.shape)
    if mesh is None:
        return None, (), ()
    others = tuple(name for name in mesh.axis_names if name not in names)
    return mesh, cutting(mesh, names, query.shape[0]), cutting(mesh, others, key.shape[1])


def _of_device(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    segments: Segments | None,
    form: Form,
    interpret: bool,
) -> jax.Array:
    """Attention of what one device holds."""
    if not _has_splash():
        return _plain_of(query, key, value, segments, form)
    slow = functools.partial(_plain_of, form=form)
    fast = functools.partial(_splash, form=form, interpret=interpret)
    y = with_derivatives_of(slow, fast)(query, key, value, segments=segments)
    if segments is None:
        return y
    # a target that sees nothing gets the mean, as in the plain form; the kernel leaves such rows
    blind = sees_nothing(form, segments)[:, None, :, None]
    mean = jnp.mean(value, axis=2, keepdims=True)
    mean = jnp.repeat(mean, query.shape[1] // value.shape[1], axis=1)
    return jnp.where(blind, mean, y)


@functools.cache
def _has_splash() -> bool:
    """Whether this JAX has the kernel, which is experimental."""
    try:
        _splash_modules()
    except ImportError:
        return False
    return True


def _splash_modules() -> tuple[types.ModuleType, types.ModuleType]:
    """(kernels, masks) of JAX."""
    from jax.experimental.pallas.ops.tpu.splash_attention import (
        splash_attention_kernel as kernels,
    )
    from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_mask as masks

    return kernels, masks


def _plain_of(
    query: jax.Array, key: jax.Array, value: jax.Array, segments: Segments | None, form: Form
) -> jax.Array:
    return plain(query, key, value, form, segments)


def _splash(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    segments: Segments | None,
    form: Form,
    interpret: bool,
) -> jax.Array:
    """The kernel on inputs that are padded to its block sizes."""
    target, source = query.shape[2], key.shape[2]
    block_q, block_kv = _block(target), _block(source)
    out = value.shape[-1]
    scaled = (query.astype(jnp.promote_types(query.dtype, "float32")) * form.scale).astype(
        query.dtype
    )
    x = (_pad(scaled, block_q), _pad(key, block_kv), _pad(value, block_kv))
    added = x[1].shape[2] - source
    if added and segments is None and not (form.is_causal and target <= source):
        batch = query.shape[0]
        segments = Segments(
            jnp.zeros((batch, target), jnp.int32), jnp.zeros((batch, source), jnp.int32)
        )
    if segments is not None:
        segments = Segments(
            _pad_ids(segments.target, block_q, HIDDEN_TARGET),
            _pad_ids(segments.source, block_kv, HIDDEN_SOURCE),
        )
    y = _call(*x, segments, form, (block_q, block_kv), interpret)
    return y[:, :, :target, :out].astype(value.dtype)


def _call(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    segments: Segments | None,
    form: Form,
    blocks: tuple[int, int],
    interpret: bool,
) -> jax.Array:
    kernels, masks = _splash_modules()
    heads, target = query.shape[1:3]
    block_q, block_kv = blocks
    mask = masks.MultiHeadMask([_lazy_mask(masks, form, (target, key.shape[2]))] * heads)
    kernel = kernels.make_splash_mha(
        mask=mask,
        block_sizes=kernels.BlockSizes(
            block_q=block_q,
            block_kv=block_kv,
            block_q_dkv=block_q,
            block_kv_dkv=block_kv,
            block_kv_dkv_compute=block_kv,
            block_q_dq=block_q,
            block_kv_dq=block_kv,
        ),
        head_shards=1,
        q_seq_shards=1,
        interpret=interpret,
    )
    if segments is None:
        return jax.vmap(kernel)(query, key, value)
    return jax.vmap(kernel)(query, key, value, kernels.SegmentIds(*segments))


def _lazy_mask(masks: types.ModuleType, form: Form, shape: tuple[int, int]) -> Any:
    """The mask of positions as a rule that the kernel evaluates, which takes no memory."""
    if form.window is None and not form.is_causal:
        return masks.FullMask(shape)
    if form.window is None:
        return masks.CausalMask(shape)
    left = form.window - 1
    return masks.LocalMask(shape, (left, 0 if form.is_causal else left), 0)


def _block(length: int) -> int:
    """The block size for so many positions."""
    return min(LARGEST_BLOCK, length + -length % LANES)


def _pad(x: jax.Array, block: int) -> jax.Array:
    """Zeros up to a multiple of the block in time and of the lanes in size."""
    return jnp.pad(x, [(0, 0), (0, 0), (0, -x.shape[2] % block), (0, -x.shape[3] % LANES)])


def _pad_ids(ids: jax.Array, block: int, hidden: int) -> jax.Array:
    return jnp.pad(
        ids.astype(jnp.int32), [(0, 0), (0, -ids.shape[1] % block)], constant_values=hidden
    )


# ---------------------------------------------------------------- NVIDIA GPU


def by_cudnn(
    query: jax.Array, key: jax.Array, value: jax.Array, segments: Segments | None, form: Form
) -> jax.Array | None:
    """Attention by cuDNN's kernel, None where it does not take the call: it takes 16 bits, and
    sizes and a version of cuDNN that JAX checks.
    """
    call = functools.partial(_cudnn, form=form)
    try:
        jax.eval_shape(call, query, key, value, segments)
    except (ImportError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return None
    slow = functools.partial(_plain_of, form=form)
    return with_derivatives_of(slow, call)(query, key, value, segments=segments)


def _cudnn(
    query: jax.Array, key: jax.Array, value: jax.Array, segments: Segments | None, form: Form
) -> jax.Array:
    """JAX's call, time before heads."""
    mask = None
    if segments is not None or form.window is not None:
        positions = form._replace(is_causal=False)
        mask = seen(positions, segments, query.shape[2], key.shape[2])
    y = jax.nn.dot_product_attention(
        *(jnp.swapaxes(x, 1, 2) for x in (query, key, value)),
        mask=None if mask is None else jnp.broadcast_to(mask, _full(mask)),
        scale=form.scale,
        is_causal=form.is_causal,
        implementation="cudnn",
    )
    return jnp.swapaxes(y, 1, 2)


def _full(mask: jax.Array) -> tuple[int, ...]:
    """The shape of a mask with all four axes."""
    return (1,) * (4 - mask.ndim) + mask.shape
