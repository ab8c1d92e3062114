"""The large networks of `benchmarks.compiled` in Flax NNX, as `nnx.py` has the small ones."""

import jax.numpy as jnp
from flax import nnx

from benchmarks.peers.large_keras import HEAD, WIDTHS, rotary
from benchmarks.peers.large_plain import turned


class Convolved(nnx.Module):
    """A convolution, BatchNorm, and ReLU unless it is the last of a block."""

    def __init__(self, channels, filters, rngs, size=3, strides=1, bias=False, relu=True):
        sizes = (size, size)
        self.conv = nnx.Conv(channels, filters, sizes, strides, use_bias=bias, rngs=rngs)
        self.norm, self.relu = nnx.BatchNorm(filters, rngs=rngs), relu

    def __call__(self, x):
        x = self.norm(self.conv(x))
        return nnx.relu(x) if self.relu else x


class Bottleneck(nnx.Module):
    def __init__(self, channels, filters, strides, is_first, rngs):
        last = dict(size=1, bias=True, relu=False)
        self.a = Convolved(channels, filters, rngs, 1, strides, bias=True)
        self.b = Convolved(filters, filters, rngs, bias=True)
        self.c = Convolved(filters, 4 * filters, rngs, **last)
        widened = Convolved(channels, 4 * filters, rngs, strides=strides, **last)
        self.short = widened if is_first else lambda x: x

    def __call__(self, x):
        return nnx.relu(self.short(x) + self.c(self.b(self.a(x))))


class ResNet50(nnx.Module):
    def __init__(self, work, rngs):
        self.stem = Convolved(3, 64, rngs, 7, 2, bias=True)
        blocks, channels = [], 64
        for i, (filters, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
            for j in range(count):
                blocks.append(Bottleneck(channels, filters, 2 if i and not j else 1, not j, rngs))
                channels = 4 * filters
        self.blocks, self.features = nnx.List(blocks), channels

    def __call__(self, x):
        x = nnx.max_pool(self.stem(x), (3, 3), (2, 2), "SAME")
        for block in self.blocks:
            x = block(x)
        return x.mean((1, 2))


class UNet(nnx.Module):
    def __init__(self, work, rngs):
        def two(channels, filters):
            sizes = ((channels, filters), (filters, filters))
            return nnx.List([Convolved(*pair, rngs) for pair in sizes])

        sizes = (work.shape[-1], *WIDTHS)
        self.down = nnx.List([two(a, b) for a, b in zip(sizes, WIDTHS)])
        pairs = list(zip(WIDTHS[::-1], WIDTHS[-2::-1]))
        self.up = nnx.List([nnx.ConvTranspose(a, b, (2, 2), (2, 2), rngs=rngs) for a, b in pairs])
        self.after = nnx.List([two(2 * b, b) for _, b in pairs])
        self.features = WIDTHS[0]

    def __call__(self, x):
        skipped = []
        for i, convolutions in enumerate(self.down):
            if i:
                x = nnx.max_pool(skipped[-1], (2, 2), (2, 2))
            for convolution in convolutions:
                x = convolution(x)
            skipped.append(x)
        skipped.pop()
        for up, convolutions in zip(self.up, self.after):
            x = jnp.concatenate([skipped.pop(), up(x)], -1)
            for convolution in convolutions:
                x = convolution(x)
        return x


class LSTMs(nnx.Module):
    def __init__(self, work, rngs):
        (units,) = work.units
        self.embedding = nnx.Embed(work.vocabulary, units, rngs=rngs)
        cells = [nnx.OptimizedLSTMCell(units, units, rngs=rngs) for _ in range(2)]
        self.rnns, self.features = nnx.List([nnx.RNN(cell) for cell in cells]), units

    def __call__(self, x):
        x = self.embedding(x)
        for rnn in self.rnns:
            x = rnn(x)
        return x[:, -1]


# ---------------------------------------------------------------- transformers


class Block(nnx.Module):
    def __init__(self, width, causal, rngs):
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(2)])
        self.attention = nnx.MultiHeadAttention(width // HEAD, width, decode=False, rngs=rngs)
        self.up, self.down = (nnx.Linear(*pair, rngs=rngs) for pair in _there_and_back(width))
        self.causal = causal

    def __call__(self, x):
        mask = nnx.make_causal_mask(x[..., 0]) if self.causal else None
        x = x + self.attention(self.norms[0](x), mask=mask)
        return x + self.down(nnx.gelu(self.up(self.norms[1](x)), approximate=False))


def _there_and_back(width):
    return (width, 4 * width), (4 * width, width)


class ViT(nnx.Module):
    def __init__(self, work, rngs):
        width, depth = work.units
        self.patches = nnx.Conv(work.shape[-1], width, (16, 16), 16, padding="VALID", rngs=rngs)
        self.positions = nnx.Param(jnp.zeros(((work.shape[0] // 16) ** 2, width)))
        self.blocks = nnx.List([Block(width, False, rngs) for _ in range(depth)])
        self.norm, self.features = nnx.LayerNorm(width, rngs=rngs), width

    def __call__(self, x):
        x = self.patches(x)
        x = x.reshape(x.shape[0], -1, x.shape[-1]) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.norm(x).mean(1)


class GPT2(nnx.Module):
    def __init__(self, work, rngs):
        width, depth = work.units
        self.embedding = nnx.Embed(work.vocabulary, width, rngs=rngs)
        self.positions = nnx.Param(jnp.zeros((*work.shape, width)))
        self.blocks = nnx.List([Block(width, True, rngs) for _ in range(depth)])
        self.norm, self.features = nnx.LayerNorm(width, rngs=rngs), width

    def __call__(self, x):
        x = self.embedding(x) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class LlamaBlock(nnx.Module):
    def __init__(self, width, hidden, rngs):
        def linear(units, new):
            return nnx.Linear(units, new, use_bias=False, rngs=rngs)

        self.norms = nnx.List([nnx.RMSNorm(width, rngs=rngs) for _ in range(2)])
        self.qkv = nnx.List([linear(width, width) for _ in range(3)])
        self.gate, self.up = linear(width, hidden), linear(width, hidden)
        self.out, self.down = linear(width, width), linear(hidden, width)

    def __call__(self, x):
        y = self.norms[0](x)
        split = [layer(y).reshape(*y.shape[:2], -1, HEAD) for layer in self.qkv]
        split[:2] = (turned(part, *rotary(y.shape[1])) for part in split[:2])
        y = nnx.dot_product_attention(*split, mask=nnx.make_causal_mask(y[..., 0]))
        x = x + self.out(y.reshape(x.shape))
        y = self.norms[1](x)
        return x + self.down(nnx.silu(self.gate(y)) * self.up(y))


class Llama(nnx.Module):
    def __init__(self, work, rngs):
        width, hidden, depth = work.units
        self.embedding = nnx.Embed(work.vocabulary, width, rngs=rngs)
        self.blocks = nnx.List([LlamaBlock(width, hidden, rngs) for _ in range(depth)])
        self.norm, self.features = nnx.RMSNorm(width, rngs=rngs), width

    def __call__(self, x):
        x = self.embedding(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


BODIES = {
    "resnet50": ResNet50,
    "unet": UNet,
    "lstms": LSTMs,
    "vit": ViT,
    "gpt2": GPT2,
    "llama": Llama,
}
