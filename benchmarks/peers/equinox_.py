"""Equinox: modules of one row under `jax.vmap`, channels first, a step under `eqx.filter_jit`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from equinox import nn
from jax.nn import relu

KEYS = 64  # enough for the layers of every network


class MLP(eqx.Module):
    layers: list
    features: int = eqx.field(static=True)

    def __init__(self, work, keys):
        sizes = (*work.shape, *work.units)
        self.layers = [nn.Linear(a, b, key=next(keys)) for a, b in zip(sizes, sizes[1:])]
        self.features = sizes[-1]

    def __call__(self, x, state):
        for layer in self.layers:
            x = relu(layer(x))
        return x, state


class CNN(eqx.Module):
    a: nn.Conv2d
    b: nn.Conv2d
    pool: nn.MaxPool2d
    features: int = eqx.field(static=True)

    def __init__(self, work, keys):
        self.a = nn.Conv2d(work.shape[-1], 32, 3, key=next(keys))
        self.b = nn.Conv2d(32, 64, 3, key=next(keys))
        self.pool, self.features = nn.MaxPool2d(2, 2), ((work.shape[0] - 4) // 2) ** 2 * 64

    def __call__(self, x, state):
        return self.pool(relu(self.b(relu(self.a(x))))).ravel(), state


class Separable(eqx.Module):
    first: nn.Conv2d
    depthwise: list
    point: list
    features: int = eqx.field(static=True, default=64)

    def __init__(self, work, keys):
        self.first = nn.Conv2d(work.shape[-1], 32, 3, padding=1, key=next(keys))
        self.depthwise = [
            nn.Conv2d(32, 32, 3, padding=1, groups=32, use_bias=False, key=next(keys))
            for _ in range(2)
        ]
        self.point = [nn.Conv2d(32, n, 1, key=next(keys)) for n in (32, 64)]

    def __call__(self, x, state):
        x = relu(self.first(x))
        for depthwise, point in zip(self.depthwise, self.point):
            x = relu(point(depthwise(x)))
        return x.mean((1, 2)), state


class Normed(eqx.Module):
    conv: nn.Conv2d
    norm: nn.BatchNorm

    def __init__(self, channels, filters, keys, size=3, stride=1):
        self.conv = nn.Conv2d(
            channels, filters, size, stride, "SAME", use_bias=False, key=next(keys)
        )
        self.norm = nn.BatchNorm(filters, "batch", eps=1e-3, mode="batch")

    def __call__(self, x, state):
        return self.norm(self.conv(x), state)


class Block(eqx.Module):
    a: Normed
    b: Normed
    short: Normed | None

    def __init__(self, channels, filters, stride, keys):
        self.a = Normed(channels, filters, keys, stride=stride)
        self.b = Normed(filters, filters, keys)
        self.short = Normed(channels, filters, keys, 1, stride) if stride > 1 else None

    def __call__(self, x, state):
        y, state = self.a(x, state)
        y, state = self.b(relu(y), state)
        if self.short is not None:
            x, state = self.short(x, state)
        return relu(x + y), state


class ResNet(eqx.Module):
    stem: Normed
    blocks: list
    features: int = eqx.field(static=True, default=64)

    def __init__(self, work, keys):
        self.stem = Normed(work.shape[-1], 16, keys)
        self.blocks = [Block(*sizes, keys) for sizes in ((16, 16, 1), (16, 32, 2), (32, 64, 2))]

    def __call__(self, x, state):
        x, state = self.stem(x, state)
        x = relu(x)
        for block in self.blocks:
            x, state = block(x, state)
        return x.mean((1, 2)), state


class LSTM(eqx.Module):
    embedding: nn.Embedding
    cell: nn.LSTMCell
    features: int = eqx.field(static=True, default=64)

    def __init__(self, work, keys):
        self.embedding = nn.Embedding(work.vocabulary, 64, key=next(keys))
        self.cell = nn.LSTMCell(64, 64, key=next(keys))

    def __call__(self, x, state):
        start = jnp.zeros(64), jnp.zeros(64)
        return jax.lax.scan(
            lambda h, x: (self.cell(x, h), None), start, jax.vmap(self.embedding)(x)
        )[0][0], state


class TransformerBlock(eqx.Module):
    norms: list
    attention: nn.MultiheadAttention
    up: nn.Linear
    down: nn.Linear

    def __init__(self, keys):
        self.norms = [nn.LayerNorm(128, eps=1e-3) for _ in range(2)]
        self.attention = nn.MultiheadAttention(
            4,
            128,
            use_query_bias=True,
            use_key_bias=True,
            use_value_bias=True,
            use_output_bias=True,
            key=next(keys),
        )
        self.up = nn.Linear(128, 512, key=next(keys))
        self.down = nn.Linear(512, 128, key=next(keys))

    def __call__(self, x):
        y = jax.vmap(self.norms[0])(x)
        x = x + self.attention(y, y, y)
        y = jax.nn.gelu(jax.vmap(self.up)(jax.vmap(self.norms[1])(x)), approximate=False)
        return x + jax.vmap(self.down)(y)


class Transformer(eqx.Module):
    blocks: list
    features: int = eqx.field(static=True, default=128)

    def __init__(self, work, keys):
        self.blocks = [TransformerBlock(keys) for _ in range(2)]

    def __call__(self, x, state):
        for block in self.blocks:
            x = block(x)
        return x.mean(0), state


BODIES = {
    "mlp": MLP,
    "cnn": CNN,
    "separable": Separable,
    "resnet": ResNet,
    "lstm": LSTM,
    "transformer": Transformer,
}


class Network(eqx.Module):
    """A body and the last layer."""

    body: eqx.Module
    last: nn.Linear

    def __init__(self, work):
        keys = iter(jax.random.split(jax.random.key(0), KEYS))
        self.body = BODIES[work.network](work, keys)
        self.last = nn.Linear(self.body.features, work.classes, key=next(keys))

    def __call__(self, x, state):
        x, state = self.body(x, state)
        return self.last(x), state


def forward(model, state, x):
    """(logits of a batch, new state)."""
    return jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)


def channels_first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim == 4 else x


def fit(work, x, y):
    model, state = eqx.nn.make_with_state(Network)(work)
    optimizer, x = optax.adam(1e-3), channels_first(x)
    moments = optimizer.init(eqx.filter(model, eqx.is_inexact_array))

    @eqx.filter_jit(donate="all")
    def train_step(model, state, moments, sums, x, y):
        def loss_of(model):
            logits, new = forward(model, state, x)
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
            return loss, (new, jnp.mean(logits.argmax(-1) == y))

        (loss, (new, right)), grads = eqx.filter_value_and_grad(loss_of, has_aux=True)(model)
        updates, moments = optimizer.update(grads, moments)
        return eqx.apply_updates(model, updates), new, moments, sums + jnp.stack([loss, right])

    rng, values = np.random.default_rng(0), (model, state, moments)

    def run():
        nonlocal values
        for _ in range(work.epochs):
            order, now = rng.permutation(len(x)), (*values, jnp.zeros(2))
            batches = [order[i : i + work.batch] for i in range(0, len(x), work.batch)]
            for rows in batches:
                now = train_step(*now, x[rows], y[rows])
            values, sums = now[:3], now[3]
        return dict(zip(("loss", "accuracy"), map(float, np.asarray(sums) / len(batches))))

    return run


def predict(work):
    model, state = eqx.nn.make_with_state(Network)(work)
    model, function = (
        eqx.nn.inference_mode(model),
        eqx.filter_jit(lambda model, x: forward(model, state, x)[0]),
    )
    return lambda x: np.asarray(function(model, channels_first(x)))
