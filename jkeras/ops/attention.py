"""Attention, heads first: the one function in which a platform's fused kernel is chosen."""

from __future__ import annotations

from typing import Any

import jax

from jkeras.ops.attention_flash import by_cudnn, by_splash
from jkeras.ops.attention_plain import Form, Segments, plain
from jkeras.ops.attention_ring import over_ring
from jkeras.ops.kernels import is_static, on_nvidia_gpu, on_tpu


def attention(
    heads: tuple[jax.Array, jax.Array, jax.Array],
    form: Form,
    *,
    mask: jax.Array | None = None,
    bias: jax.Array | None = None,
    segments: Segments | None = None,
    implementation: str = "auto",
) -> jax.Array:
    """softmax(query key^T * scale + bias) value for each head; scores are summed and normalized in
    float32 at least.

    Args:
        heads: query (..., heads, target, depth), key (..., groups, source, depth), each of whose
            heads serves heads / groups neighbouring heads of the query, and value (..., groups,
            source, width).
        mask: bool, broadcastable to (..., heads, target, source): where it is False nothing is
            seen. A target that sees nothing gets the mean of all values.
        bias: broadcastable like the mask, added to the scores.
        segments: `attention_plain.Segments`; unlike a mask they take no memory of target times
            source.
        implementation: "auto": the fused kernel of the platform where it takes the call and is
            the faster; "flash": the kernel, or an error; "xla": the plain form.

    Returns:
        (..., heads, target, width), in the dtype of `value`.

    Raises:
        RuntimeError: "flash" where there is no kernel for the call.

    >>> import jax
    >>> x = jax.numpy.ones((1, 2, 3, 4))
    >>> attention((x, x, x), Form(0.5, is_causal=True)).shape
    (1, 2, 3, 4)
    """
    query, key, value = heads
    y = None
    if implementation != "xla" and bias is None and mask is None:
        y = _fused(query, key, value, segments, form, implementation == "flash")
    if y is not None:
        return y
    if implementation == "flash":
        raise RuntimeError(
            "Expected a platform with a fused kernel for attention of these arguments: TPUs take "
            "causal masks, windows, paddings and segments; NVIDIA GPUs with cuDNN 16 bits. "
            f"Received: query {query.dtype}{list(query.shape)}, mask {_described(mask)}, bias "
            f"{_described(bias)}. Leave out `flash_attention=True`."
        )
    return plain(query, key, value, form, segments, mask, bias)


def _fused(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    segments: Segments | None,
    form: Form,
    is_demanded: bool,
) -> jax.Array | None:
    """`attention` by a fused kernel, None where there is none for these arguments."""
    if query.ndim != 4 or not is_static(query.shape + key.shape):
        return None
    y = over_ring(query, key, value, segments, form)
    if y is None and on_tpu():
        y = by_splash(query, key, value, segments, form, is_demanded)
    if y is None and on_nvidia_gpu():
        y = by_cudnn(query, key, value, segments, form)
    return y


def _described(value: Any) -> str:
    return "None" if value is None else str(list(value.shape))
