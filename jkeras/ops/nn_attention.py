"""Attention with the heads on the third axis, as Keras's function has them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import ShapeError
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.ops.attention import attention
from jkeras.ops.attention_plain import Form, padding_segments
from jkeras.ops.kernels import on_nvidia_gpu
from jkeras.ops.naming import nn_op
from jkeras.ops.promotion import result_type
from jkeras.core.weights.types import DType, Operand, Sizes, TensorLike

IMPLEMENTATIONS = {None: "auto", True: "flash", False: "xla"}  # by `flash_attention`


def _fits(shape: Sizes, full: Sizes) -> bool:
    return len(shape) == len(full) and all(
        size in (1, full_size) for size, full_size in zip(shape, full)
    )


def _to_heads(name: str, x: TensorLike | None, dtype: DType, full: Sizes) -> Any:
    """A mask or bias with fewer axes as one of four, `full` being (batch, heads, target, source).

    Three axes are (heads, target, source) where that fits, else (batch, heads, source), else
    (batch, target, source). None stays None.
    """
    if x is None:
        return None
    x = jnp.asarray(x, dtype)
    if x.ndim == 3 and not _fits(x.shape, full[1:]):
        missing_axis = 2 if x.shape[1] == full[1] else 1
        x = jnp.expand_dims(x, missing_axis)
    x = x.reshape((1,) * (4 - x.ndim) + x.shape)
    if not _fits(x.shape, full):
        raise ShapeError(
            f"`{name}` must be broadcastable to (batch, heads, target, source) = {full}. Received: "
            f"{name}.shape={x.shape}"
        )
    return x


def _attention_spec(
    query: Operand,
    key: Operand,
    value: Operand,
    bias: Operand | None = None,
    mask: Operand | None = None,
    scale: float | None = None,
    **options: Any,
) -> KerasTensor:
    """Sizes of query and key meet when there are values."""
    _check_axes(query, key, value)
    dtype = result_type(query.dtype, key.dtype, value.dtype)
    return KerasTensor((*query.shape[:3], value.shape[3]), dtype)


@nn_op(inputs=6, spec=_attention_spec)
def dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    bias: TensorLike | None = None,
    mask: TensorLike | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> jax.Array:
    """softmax(query key^T * scale + bias) value, head by head (Vaswani et al. 2017,
    arXiv:1706.03762).

    Args:
        query: (batch, target, heads, depth); heads may be a multiple of the heads of key and value.
        key, value: (batch, source, heads, depth); value may have another depth.
        bias, mask: broadcastable to (batch, heads, target, source), also without some of the first
            axes, or with three axes that stand for batch, heads and source or batch, target and
            source; where the mask is False nothing is seen.
        scale: by default 1 / sqrt(depth).
        is_causal: a target sees only sources that do not come after it.
        flash_attention: by default a fused kernel where the platform has one for these arguments
            and it is the faster: Splash on TPUs from 512 positions on, where what is seen follows
            from `is_causal` and a mask of sources, (batch, 1, 1, source); cuDNN on NVIDIA GPUs for
            16 bits. True demands it, False lets XLA fuse, and can be differentiated in forward
            mode.
        attn_logits_soft_cap: must be None.
    Returns:
        (batch, target, heads, depth of value), in the dtype that all three have together.
    Raises:
        ValueError: not four axes, or shapes that do not fit; a soft cap, which only Keras on TPUs
            has.
        RuntimeError: `flash_attention=True` where there is no such kernel.

    >>> x = jnp.arange(6.0).reshape(1, 3, 1, 2)
    >>> print(dot_product_attention(jnp.zeros_like(x), x, x, is_causal=True)[0, :, 0])
    [[0. 1.]
     [1. 2.]
     [2. 3.]]
    """
    if attn_logits_soft_cap is not None:
        raise ValueError("attn_logits_soft_cap: XLA has it for TPUs. Leave it None.")
    query, key, value = map(jnp.asarray, (query, key, value))
    _check_shapes(query, key, value)
    dtype = jnp.promote_types(jnp.promote_types(query.dtype, key.dtype), value.dtype)
    query, key, value = (x.astype(dtype) for x in (query, key, value))
    batch, target, heads, _ = query.shape
    full = (batch, heads, target, key.shape[1])
    bias = _to_heads("bias", bias, dtype, full)
    mask = _to_heads("mask", mask, bool, full)
    if flash_attention and on_nvidia_gpu():  # cuDNN takes any mask and bias
        return jax.nn.dot_product_attention(
            query, key, value, bias, mask, scale=scale, is_causal=is_causal, implementation="cudnn"
        )
    query, key, value = (jnp.swapaxes(x, 1, 2) for x in (query, key, value))
    segments = None
    if mask is not None and mask.shape[1:3] == (1, 1) != (heads, target):
        sources = jnp.broadcast_to(mask[:, 0, 0], (batch, key.shape[2]))
        mask, segments = None, padding_segments(None, sources, batch, target, key.shape[2])
    if scale is None:
        scale = query.shape[-1] ** -0.5
    y = attention(
        (query, key, value),
        Form(scale, is_causal),
        mask=mask,
        bias=bias,
        segments=segments,
        implementation=IMPLEMENTATIONS[flash_attention],
    )
    return jnp.swapaxes(y, 1, 2)


def _check_axes(query: Operand, key: Operand, value: Operand) -> None:
    if not len(query.shape) == len(key.shape) == len(value.shape) == 4:
        raise ValueError(
            "`dot_product_attention` takes inputs with four axes. Received: "
            f"query.shape={query.shape}, key.shape={key.shape}, value.shape={value.shape}"
        )


def _check_shapes(query: Operand, key: Operand, value: Operand) -> None:
    _check_axes(query, key, value)
    heads = query.shape[2]
    groups = key.shape[2]
    if query.shape[::3] != key.shape[::3] or key.shape[:3] != value.shape[:3] or heads % groups:
        raise ShapeError(
            "The shapes of query, key and value do not fit: batch and depth must agree, key and "
            "value must have the same length and heads, and the query a multiple of these heads. "
            f"Received: query.shape={query.shape}, key.shape={key.shape}, "
            f"value.shape={value.shape}"
        )
