"""The large networks of `benchmarks.compiled` in plain JAX, as `plain.py` has the small ones."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import gelu, relu, silu

from benchmarks.peers.large_keras import HEAD, WIDTHS, rotary
from benchmarks.peers.plain import Weights, batch_norm, bias, convolution, dense, layer_norm, ones


def resnet50(w, x, work):
    def normed(name, x, filters, size=1, strides=1):
        x = convolution(w, name, x, filters, size, strides, "VALID" if size == 1 else "SAME")
        return batch_norm(w, name, bias(w, name, x))

    x = jnp.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)))
    x = convolution(w, "stem", x, 64, 7, 2, "VALID")
    x = relu(batch_norm(w, "stem", bias(w, "stem", x)))
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = _max_pool(x, 3)
    for i, (filters, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for j in range(blocks):
            name, strides = f"{i}{j}", 2 if i and not j else 1
            short = x if j else normed(f"{name}short", x, 4 * filters, 1, strides)
            x = relu(normed(f"{name}a", x, filters, 1, strides))
            x = relu(normed(f"{name}b", x, filters, 3))
            x = w.laid(relu(short + normed(f"{name}c", x, 4 * filters)))
    return x.mean((1, 2))


def unet(w, x, work):
    skipped = []

    def two(name, x, filters):
        for i in range(2):
            x = relu(batch_norm(w, f"{name}{i}", convolution(w, f"{name}{i}", x, filters)))
        return x

    for filters in WIDTHS[:-1]:
        skipped.append(two(f"down{filters}", x, filters))
        x = _max_pool(skipped[-1], 2)
    x = two("middle", x, WIDTHS[-1])
    for filters in WIDTHS[-2::-1]:
        kernel = w(f"up{filters}/kernel", 2, 2, x.shape[-1], filters)
        dimensions = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=dimensions)
        x = bias(w, f"up{filters}", x)
        x = two(f"after{filters}", jnp.concatenate([skipped.pop(), x], -1), filters)
    return x


def _max_pool(x, size):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, 2, 2, 1), "VALID")


def lstms(w, x, work):
    (units,) = work.units
    x = w("embedding", work.vocabulary, units)[x].swapaxes(0, 1)
    for i in range(2):
        x = _lstm(w, i, x, units)
    return x[-1]


def _lstm(w, i, x, units):
    """Steps come first; all products with the inputs are one, before the loop."""
    x = dense(w, f"{i}", x, 4 * units)
    recurrent = w(f"{i}/recurrent", units, 4 * units)

    def step(carry, x):
        h, c = carry
        i, f, g, o = jnp.split(x + h @ recurrent, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    start = jnp.zeros((x.shape[1], units), x.dtype)
    return lax.scan(step, (start, start), x)[1]


# ---------------------------------------------------------------- transformers


def vit(w, x, work):
    width, depth = work.units
    x = bias(w, "patches", convolution(w, "patches", x, width, 16, 16, "VALID"))
    x = x.reshape(x.shape[0], -1, width)
    x = x + w("positions", *x.shape[1:])
    for i in range(depth):
        x = _block(w, i, x, causal=False)
    return layer_norm(w, "last norm", x).mean(1)


def gpt2(w, x, work):
    width, depth = work.units
    x = w("embedding", work.vocabulary, width)[x]
    x = w.laid(x + w("positions", *x.shape[1:]))
    for i in range(depth):
        x = _block(w, i, x, causal=True)
    return layer_norm(w, "last norm", x)


def _block(w, i, x, causal):
    width = x.shape[-1]
    y = layer_norm(w, f"{i}norm", x)
    y = _attention(*(dense(w, f"{i}{name}", y, width) for name in "qkv"), causal)
    x = w.laid(x + dense(w, f"{i}out", y, width))
    y = gelu(dense(w, f"{i}up", layer_norm(w, f"{i}norm2", x), 4 * width), approximate=False)
    return w.laid(x + dense(w, f"{i}down", y, width))


def _attention(query, key, value, causal, turns=None):
    split = [x.reshape(*x.shape[:2], -1, HEAD) for x in (query, key, value)]
    if turns is not None:
        split[:2] = (turned(x, *turns) for x in split[:2])
    return jax.nn.dot_product_attention(*split, is_causal=causal).reshape(query.shape)


def llama(w, x, work):
    width, hidden, depth = work.units

    def linear(name, x, units):
        return x @ w(name, x.shape[-1], units)

    x = w.laid(w("embedding", work.vocabulary, width)[x])
    turns = [turn.astype(x.dtype) for turn in rotary(x.shape[1])]
    for i in range(depth):
        y = _rms_norm(w, f"{i}norm", x)
        y = _attention(*(linear(f"{i}{n}", y, width) for n in "qkv"), causal=True, turns=turns)
        x = w.laid(x + linear(f"{i}out", y, width))
        y = _rms_norm(w, f"{i}norm2", x)
        y = silu(linear(f"{i}gate", y, hidden)) * linear(f"{i}up", y, hidden)
        x = w.laid(x + linear(f"{i}down", y, width))
    return _rms_norm(w, "last norm", x)


def turned(x, cosine, sine):
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cosine - b * sine, b * cosine + a * sine], -1)


def _rms_norm(w: Weights, name, x):
    x = x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-6)
    return x * w(name, x.shape[-1], make=ones)
