"""`keras.ops.nn`: encodings, attention, and everything of the other nn_* files."""

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.core.errors import ShapeError
from jkeras.core.graph import KerasTensor, infer, op
from jkeras.core.policy import standardize_dtype
from jkeras.core.registry import public
from jkeras.ops.naming import nn_op, public_names
from jkeras.ops.nn_activations import (
    celu, elu, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, log_sigmoid, log_softmax,
    relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign, sparse_plus, sparse_sigmoid,
    sparsemax, squareplus, tanh_shrink, threshold,
)
from jkeras.ops.nn_conv import (conv, conv_transpose, depth_to_space, depthwise_conv, fold, separable_conv,
                                space_to_depth, unfold)
from jkeras.ops.nn_losses import (binary_crossentropy, categorical_crossentropy, ctc_decode, ctc_loss,
                                  sparse_categorical_crossentropy)
from jkeras.ops.nn_normalization import (batch_normalization, layer_normalization, moments, normalize,
                                         rms_normalization)
from jkeras.ops.nn_pool import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool

swish, hard_swish = silu, hard_silu


# ---------------------------------------------------------------- encodings

def _sparse(x, entries):
    from jax.experimental.sparse import BCOO  # takes long to import

    return BCOO.fromdense(x, nse=entries)


def _encoded(function):
    """The place in a graph of what `function()`, an op made later, gives: tracing does not know sparse arrays."""
    def spec(x, *args, sparse=False, **options):
        dense = infer(lambda given: function()(given, *args, **options), x)
        return KerasTensor(dense.shape, dense.dtype, sparse=sparse)
    return spec


@nn_op(inputs=1, spec=_encoded(lambda: one_hot))
def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """1 at the place that each integer names, 0 elsewhere; nothing but 0 for an integer out of range.

    Args:
        axis: where the new axis of size `num_classes` goes.
        dtype: floatx by default.
        sparse: return a JAX BCOO array.

    >>> one_hot([2, 0], 3)
    Array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    x = jnp.asarray(x, "int32" if sparse else None)
    result = jax.nn.one_hot(x, num_classes, axis=axis, dtype=standardize_dtype(dtype))
    return _sparse(result, x.size) if sparse else result


@op("keras.src.ops.nn", inputs=1, class_name="MultiHot", spec=_encoded(lambda: _multi_hot))
def _multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False):
    inputs = jnp.asarray(inputs)
    result = one_hot(inputs.astype("int32"), num_classes, axis=axis, dtype=dtype)
    result = jnp.max(result, axis=1 if inputs.ndim > 1 else 0)
    return _sparse(result, inputs.size) if sparse else result


@public(*public_names("nn", "multi_hot"))
def multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs):
    """1 at all places that the integers of a row name, 0 elsewhere: (batch, n) -> (batch, num_classes).

    Args:
        dtype: floatx by default.
        sparse: return a JAX BCOO array.
        num_tokens: older name of `num_classes`.
    Raises:
        ValueError: no `num_classes`.

    >>> multi_hot([[2, 0]], 4)
    Array([[1., 0., 1., 0.]], dtype=float32)
    """
    num_classes = kwargs.pop("num_tokens", None) if num_classes is None else num_classes
    if num_classes is None:
        raise ValueError("Argument `num_classes` must be specified.")
    return _multi_hot(inputs, num_classes=num_classes, axis=axis, dtype=dtype, sparse=sparse)


# ---------------------------------------------------------------- attention

def _fits(shape, full):
    return len(shape) == len(full) and all(size in (1, whole) for size, whole in zip(shape, full))


def _to_heads(name, x, full):
    """A mask or bias with fewer axes as one of four, `full` being (batch, heads, target, source).

    Three axes are (heads, target, source) where that fits, else (batch, heads, source), else (batch, target, source).
    """
    if x.ndim == 3 and not _fits(x.shape, full[1:]):
        x = x[:, :, None] if x.shape[1] == full[1] else x[:, None]
    x = x.reshape((1,) * (4 - x.ndim) + x.shape)
    if not _fits(x.shape, full):
        raise ShapeError(f"`{name}` must be broadcastable to (batch, heads, target, source) = {full}. Received: "
                         f"{name}.shape={x.shape}")
    return x


@nn_op(inputs=6)
def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None,
                          attn_logits_soft_cap=None):
    """softmax(query key^T * scale + bias) value, head by head (Vaswani et al. 2017, arXiv:1706.03762).

    Args:
        query: (batch, target, heads, depth); heads may be a multiple of the heads of key and value.
        key, value: (batch, source, heads, depth); value may have another depth.
        bias, mask: broadcastable to (batch, heads, target, source), also without some of the first axes, or with three
            axes that stand for batch, heads and source or batch, target and source; where the mask is False nothing is
            seen.
        scale: by default 1 / sqrt(depth).
        is_causal: a target sees only sources that do not come after it.
        flash_attention: True demands cuDNN's fused kernel, anything else lets XLA fuse.
    Raises:
        ValueError: not four axes, or shapes that do not fit; a soft cap, which only Keras on TPUs has.
        RuntimeError: `flash_attention=True` where cuDNN has no such kernel.

    >>> x = jnp.ones((1, 3, 2, 4))
    >>> dot_product_attention(x, x, x).shape
    (1, 3, 2, 4)
    """
    if attn_logits_soft_cap is not None:
        raise ValueError("attn_logits_soft_cap is only supported for JAX on TPU. Leave it None.")
    query, key, value = jnp.asarray(query), jnp.asarray(key), jnp.asarray(value)
    if not query.ndim == key.ndim == value.ndim == 4:
        raise ValueError("`dot_product_attention` takes inputs with four axes. Received: "
                         f"query.shape={query.shape}, key.shape={key.shape}, value.shape={value.shape}")
    heads, groups = query.shape[2], key.shape[2]
    if query.shape[::3] != key.shape[::3] or key.shape[:3] != value.shape[:3] or heads % groups:
        raise ShapeError("The shapes of query, key and value do not fit: batch and depth must agree, key and value "
                         "must have the same length and heads, and the query a multiple of these heads. Received: "
                         f"query.shape={query.shape}, key.shape={key.shape}, value.shape={value.shape}")
    dtype = jnp.promote_types(jnp.promote_types(query.dtype, key.dtype), value.dtype)
    query, key, value = (x.astype(dtype) for x in (query, key, value))
    full = (query.shape[0], heads, query.shape[1], key.shape[1])
    bias = None if bias is None else _to_heads("bias", jnp.asarray(bias, dtype), full)
    mask = None if mask is None else _to_heads("mask", jnp.asarray(mask, bool), full)
    if flash_attention:
        return jax.nn.dot_product_attention(query, key, value, bias, mask, scale=scale, is_causal=is_causal,
                                            implementation="cudnn")
    return _attention(query, key, value, bias, mask, scale, is_causal)


def _attention(query, key, value, bias, mask, scale, is_causal):
    (batch, target, heads, depth), (source, groups) = query.shape, key.shape[1:3]
    query = query.reshape(batch, target, groups, heads // groups, depth)
    # summed and normalized in float32, also for half precision
    scores = jnp.einsum("btkgd,bskd->bkgts", query, key,
                        preferred_element_type=jnp.promote_types(query.dtype, "float32"))
    scores = scores.reshape(batch, heads, target, source)
    scores = scores * jnp.asarray(depth ** -0.5 if scale is None else scale, scores.dtype)
    if bias is not None:
        scores = (scores + bias).astype(scores.dtype)
    seen = mask
    if is_causal:
        causal = jnp.tril(jnp.ones((target, source), bool))
        seen = causal if mask is None else mask & causal
    if seen is not None:  # not -inf: a row that sees nothing has equal weights, not NaN
        scores = jnp.where(seen, scores, jnp.asarray(-0.7 * jnp.finfo(scores.dtype).max, scores.dtype))
    weights = jax.nn.softmax(scores.astype("float32"), axis=-1).astype(key.dtype)
    weights = weights.reshape(batch, groups, heads // groups, target, source)
    return jnp.einsum("bkgts,bskd->btkgd", weights, value).reshape(batch, target, heads, value.shape[-1])


# ---------------------------------------------------------------- others

@nn_op(inputs=2, class_name="PSNR")
def psnr(x1, x2, max_val):
    """The peak signal-to-noise ratio 20 log10(max_val) - 10 log10(mean((x1 - x2)**2)), in decibels.

    Raises:
        ValueError: different shapes.

    >>> float(psnr(jnp.zeros(4), jnp.ones(4), max_val=10.0))
    20.0
    """
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    if x1.shape != x2.shape:
        raise ValueError(f"The shapes of both inputs must agree. Received: x1.shape={x1.shape}, x2.shape={x2.shape}")
    peak = jnp.asarray(max_val, x2.dtype)
    return 20 * jnp.log10(peak) - 10 * jnp.log10(jnp.mean(jnp.square(x1 - x2)))


@nn_op()
def polar(abs_, angle):
    """The complex numbers of given absolute values and angles (in radians).

    >>> polar([2.0], [0.0])
    Array([2.+0.j], dtype=complex64)
    """
    abs_, angle = jnp.asarray(abs_), jnp.asarray(angle)
    return lax.complex(abs_ * jnp.cos(angle), abs_ * jnp.sin(angle))


__all__ = [
    "adaptive_average_pool", "adaptive_max_pool", "average_pool", "batch_normalization", "binary_crossentropy",
    "categorical_crossentropy", "celu", "conv", "conv_transpose", "ctc_decode", "ctc_loss", "depth_to_space",
    "depthwise_conv", "dot_product_attention", "elu", "fold", "gelu", "glu", "hard_shrink", "hard_sigmoid",
    "hard_silu", "hard_swish", "hard_tanh", "layer_normalization", "leaky_relu", "log_sigmoid", "log_softmax",
    "max_pool", "moments", "multi_hot", "normalize", "one_hot", "polar", "psnr", "relu", "relu6",
    "rms_normalization", "selu", "separable_conv", "sigmoid", "silu", "soft_shrink", "softmax", "softplus",
    "softsign", "space_to_depth", "sparse_categorical_crossentropy", "sparse_plus", "sparse_sigmoid", "sparsemax",
    "squareplus", "swish", "tanh_shrink", "threshold", "unfold",
]
