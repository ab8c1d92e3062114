"""A user's own models, losses and metrics, annotated. Nothing runs it: `test_typed.py` gives it to
strict checkers.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import Input, Model, Sequential, activations, constraints, initializers, layers, losses
from jkeras import metrics, ops, optimizers, random, regularizers, tree


def block(x: jkeras.KerasTensor, units: int, activation: str = "relu") -> jkeras.KerasTensor:
    h = layers.Dense(units, activation=activation, kernel_regularizer=regularizers.L2(1e-4))(x)
    h = layers.BatchNormalization()(h)
    h = layers.Dropout(0.2)(h)
    return layers.Concatenate()([x, h])


def conv_net(size: int, channels: int = 3) -> Model:
    inputs = Input((size, size, channels))
    x = layers.Rescaling(1.0 / 255)(inputs)
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = ops.concatenate([x, ops.square(x)], axis=-1)
    x = ops.reshape(x, (-1, x.shape[-1]))
    x = x / ops.maximum(ops.norm(x, axis=-1, keepdims=True), 1e-6)
    return Model(inputs, layers.Dense(10, "softmax")(x))


class Attend(layers.Layer):
    def __init__(self, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = heads
        self.attention = layers.MultiHeadAttention(heads, 8)
        self.norm = layers.LayerNormalization(epsilon=1e-6)
        self.seed = random.SeedGenerator(1)

    def call(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        y = self.norm(x + self.attention(x, x, attention_mask=mask))
        noise = random.normal(ops.shape(y), stddev=0.1, seed=self.seed)
        self.add_loss(ops.mean(ops.abs(y)))
        return y + ops.cast(noise, y.dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask


class Huber(losses.Loss):
    def __init__(self, delta: float = 1.0, name: str = "huber") -> None:
        super().__init__(name=name)
        self.delta = delta

    def call(self, y_true: jax.Array, y_pred: jax.Array) -> jax.Array:
        error = ops.abs(y_true - y_pred)
        small = error < self.delta
        return ops.mean(ops.where(small, 0.5 * error**2, error), axis=-1)


class Largest(metrics.Metric):
    def __init__(self, name: str = "largest", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.most = self.add_variable(shape=(), initializer="zeros", name="most")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.most.assign(ops.maximum(self.most, ops.max(ops.abs(y_true - y_pred))))

    def result(self) -> jax.Array:
        return self.most.value

    def reset_state(self) -> None:
        self.most.assign(0.0)


class Twos(initializers.Initializer):
    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> jax.Array:
        return 2 * jnp.ones(shape, dtype)


class Clip(constraints.Constraint):
    def __call__(self, w: jax.Array) -> jax.Array:
        return ops.clip(w, -1.0, 1.0)


def batches(x: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for i in range(0, len(x), size):
        yield x[i : i + size], x[i : i + size, :1]


x = np.random.rand(16, 4).astype("float32")
inputs = Input((4,), dtype="float32", name="x")
h = block(inputs, 8)
h = block(h, 8, "gelu")
net = Model(inputs, [layers.Dense(1, kernel_initializer=Twos(), kernel_constraint=Clip())(h), h])
schedule = optimizers.schedules.CosineDecay(1e-3, 100)
net.compile(
    optimizers.AdamW(schedule, weight_decay=1e-4),
    loss=[Huber(0.5), None],
    metrics=[[Largest()], []],
)
first, second = net.predict(x)
seq, state_h, state_c = layers.LSTM(4, return_sequences=True, return_state=True)(Input((5, 3)))
text = layers.TextVectorization(max_tokens=10, output_mode="int")
text.adapt(["a b", "b c"])
print(text.get_vocabulary(), text(["a c"]))
norm = layers.Normalization(axis=-1)
norm.adapt(x)
lookup = layers.StringLookup(vocabulary=["a", "b"])
auc = metrics.AUC()
auc.update_state([0, 1], [0.1, 0.9])
print(float(auc.result()), auc.name, tree.map_structure(lambda a: a + 1, {"a": [1, 2]}))
v = jkeras.Variable(np.zeros(3), name="v")
v.assign(v + 1)
print(v * 2 - 1, 3 / v, v[0], float(ops.sum(v)), v.numpy().mean(), activations.get("relu"))
u, s, vt = ops.svd(np.eye(3))
q, r = ops.qr(np.eye(3))
values, indices = ops.top_k(x, 2)
mean, variance = ops.moments(x, axes=[0])
carry, ys = ops.scan(lambda c, e: (c + e, c), 0.0, x[:, 0])
parts = ops.split(x, 2, axis=0)
print(parts[0].shape, ops.unstack(x)[0], ops.one_hot([1, 2], 3), ops.where(x > 0)[0])
print(ops.einsum("ij,kj->ik", x, x), ops.image.resize(np.ones((1, 4, 4, 3)), (2, 2)))
print(
    random.uniform((2,), minval=0, maxval=1, seed=3),
    random.dropout(x, 0.5, seed=random.SeedGenerator(1)),
)
print(
    ops.pad(x, [[0, 0], [1, 1]]), ops.take(x, [0, 1], axis=1), ops.cond(True, lambda: 1, lambda: 2)
)
params, state = net.init(0, x)
y, state = net.apply(params, state, x, training=True, rng=1)
big = conv_net(16)
big.fit(batches(x, 4), steps_per_epoch=2, epochs=1)
wide = Sequential([layers.Embedding(10, 4), layers.Bidirectional(layers.GRU(4)), layers.Dense(1)])
wide.layers[0].trainable = False
print(wide.layers[-1].get_weights()[0].shape, wide.count_params(), wide.trainable_variables[0].path)
