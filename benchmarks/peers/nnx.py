"""Flax NNX: modules, `nnx.Optimizer`, `nnx.MultiMetric`, a step under `nnx.jit`."""

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from benchmarks.peers import large_nnx


class Network(nnx.Module):
    """A body and the last layer."""

    def __init__(self, work):
        rngs = nnx.Rngs(0)
        self.body = BODIES[work.network](work, rngs)
        self.last = nnx.Linear(self.body.features, work.classes, rngs=rngs)

    def __call__(self, x):
        return self.last(self.body(x))


class MLP(nnx.Module):
    def __init__(self, work, rngs):
        sizes = (*work.shape, *work.units)
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in zip(sizes, sizes[1:])])
        self.features = sizes[-1]

    def __call__(self, x):
        for layer in self.layers:
            x = nnx.relu(layer(x))
        return x


class CNN(nnx.Module):
    def __init__(self, work, rngs):
        self.a = nnx.Conv(work.shape[-1], 32, (3, 3), padding="VALID", rngs=rngs)
        self.b = nnx.Conv(32, 64, (3, 3), padding="VALID", rngs=rngs)
        self.features = ((work.shape[0] - 4) // 2) ** 2 * 64

    def __call__(self, x):
        x = nnx.relu(self.b(nnx.relu(self.a(x))))
        return nnx.max_pool(x, (2, 2), (2, 2)).reshape(x.shape[0], -1)


class Separable(nnx.Module):
    def __init__(self, work, rngs):
        self.first = nnx.Conv(work.shape[-1], 32, (3, 3), rngs=rngs)
        self.depthwise = nnx.List(
            [
                nnx.Conv(32, 32, (3, 3), feature_group_count=32, use_bias=False, rngs=rngs)
                for _ in range(2)
            ]
        )
        self.point = nnx.List([nnx.Conv(32, n, (1, 1), rngs=rngs) for n in (32, 64)])
        self.features = 64

    def __call__(self, x):
        x = nnx.relu(self.first(x))
        for depthwise, point in zip(self.depthwise, self.point):
            x = nnx.relu(point(depthwise(x)))
        return x.mean((1, 2))


class Normed(nnx.Module):
    def __init__(self, channels, filters, rngs, size=3, strides=1):
        self.conv = nnx.Conv(channels, filters, (size, size), strides, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(filters, epsilon=1e-3, rngs=rngs)

    def __call__(self, x):
        return self.norm(self.conv(x))


class Block(nnx.Module):
    def __init__(self, channels, filters, strides, rngs):
        self.a = Normed(channels, filters, rngs, strides=strides)
        self.b = Normed(filters, filters, rngs)
        self.short = Normed(channels, filters, rngs, 1, strides) if strides > 1 else lambda x: x

    def __call__(self, x):
        return nnx.relu(self.short(x) + self.b(nnx.relu(self.a(x))))


class ResNet(nnx.Module):
    def __init__(self, work, rngs):
        self.stem = Normed(work.shape[-1], 16, rngs)
        self.blocks = nnx.List(
            [Block(*sizes, rngs) for sizes in ((16, 16, 1), (16, 32, 2), (32, 64, 2))]
        )
        self.features = 64

    def __call__(self, x):
        x = nnx.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return x.mean((1, 2))


class LSTM(nnx.Module):
    def __init__(self, work, rngs):
        self.embedding = nnx.Embed(work.vocabulary, 64, rngs=rngs)
        self.rnn = nnx.RNN(nnx.OptimizedLSTMCell(64, 64, rngs=rngs))
        self.features = 64

    def __call__(self, x):
        return self.rnn(self.embedding(x))[:, -1]


class TransformerBlock(nnx.Module):
    def __init__(self, rngs):
        self.norms = nnx.List([nnx.LayerNorm(128, epsilon=1e-3, rngs=rngs) for _ in range(2)])
        self.attention = nnx.MultiHeadAttention(4, 128, decode=False, rngs=rngs)
        self.up, self.down = nnx.Linear(128, 512, rngs=rngs), nnx.Linear(512, 128, rngs=rngs)

    def __call__(self, x):
        x = x + self.attention(self.norms[0](x))
        return x + self.down(nnx.gelu(self.up(self.norms[1](x)), approximate=False))


class Transformer(nnx.Module):
    def __init__(self, work, rngs):
        self.blocks, self.features = nnx.List([TransformerBlock(rngs) for _ in range(2)]), 128

    def __call__(self, x):
        for block in self.blocks:
            x = block(x)
        return x.mean(1)


BODIES = {
    "mlp": MLP,
    "cnn": CNN,
    "separable": Separable,
    "resnet": ResNet,
    "lstm": LSTM,
    "transformer": Transformer,
    **large_nnx.BODIES,
}


@nnx.jit
def train_step(model, optimizer, metrics, x, y):
    def loss_of(model):
        logits = model(x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), logits

    (loss, logits), grads = nnx.value_and_grad(loss_of, has_aux=True)(model)
    metrics.update(loss=loss, logits=logits, labels=y)
    optimizer.update(model, grads)


def fit(work, x, y):
    model = Network(work)
    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
    metrics = nnx.MultiMetric(loss=nnx.metrics.Average("loss"), accuracy=nnx.metrics.Accuracy())
    rng = np.random.default_rng(0)
    model.train()

    def run():
        for _ in range(work.epochs):
            metrics.reset()
            order = rng.permutation(len(x))
            for i in range(0, len(x), work.batch):
                rows = order[i : i + work.batch]
                train_step(model, optimizer, metrics, x[rows], y[rows])
        return {name: float(value) for name, value in metrics.compute().items()}

    return run


def predict(work):
    model, function = Network(work), nnx.jit(lambda model, x: model(x))
    model.eval()
    return lambda x: np.asarray(function(model, jnp.asarray(x)))
