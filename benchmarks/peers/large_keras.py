"""The large networks of `benchmarks.compiled` in Keras's API, for Keras and jkeras: functions of
(library, inputs, work), up to the last layer.
"""

import numpy as np

WIDTHS = (64, 128, 256, 512)  # of the U-Net
HEAD = 64  # features of a head of attention


def resnet50(library, x, work):
    make = library.applications.ResNet50
    return make(weights=None, include_top=False, input_tensor=x, pooling="avg").output


def unet(library, x, work):
    layers, skipped = library.layers, []

    def two(x, filters):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return x

    for filters in WIDTHS[:-1]:
        skipped.append(two(x, filters))
        x = layers.MaxPooling2D(2)(skipped[-1])
    x = two(x, WIDTHS[-1])
    for filters in WIDTHS[-2::-1]:
        x = layers.Conv2DTranspose(filters, 2, 2)(x)
        x = two(layers.concatenate([skipped.pop(), x]), filters)
    return x


def lstms(library, x, work):
    layers, (units,) = library.layers, work.units
    x = layers.Embedding(work.vocabulary, units)(x)
    return layers.LSTM(units)(layers.LSTM(units, return_sequences=True)(x))


# ---------------------------------------------------------------- transformers


def vit(library, x, work):
    layers, (width, depth) = library.layers, work.units
    x = layers.Reshape((-1, width))(layers.Conv2D(width, 16, 16)(x))
    x = positions(library)(x)
    for _ in range(depth):
        x = _block(layers, x, width, causal=False)
    return layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))


def gpt2(library, x, work):
    layers, (width, depth) = library.layers, work.units
    x = positions(library)(layers.Embedding(work.vocabulary, width)(x))
    for _ in range(depth):
        x = _block(layers, x, width, causal=True)
    return layers.LayerNormalization()(x)


def _block(layers, x, width, causal):
    y = layers.LayerNormalization()(x)
    y = layers.MultiHeadAttention(width // HEAD, HEAD)(y, y, use_causal_mask=causal)
    x = layers.add([x, y])
    y = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
    return layers.add([x, layers.Dense(width)(y)])


def llama(library, x, work):
    layers, (width, hidden, depth) = library.layers, work.units

    def dense(name, x, units, activation=None):
        return layers.Dense(units, activation, use_bias=False, name=name)(x)

    x = layers.Embedding(work.vocabulary, width)(x)
    for i in range(depth):
        y = layers.RMSNormalization()(x)
        y = [dense(f"{name}_{i}", y, width) for name in ("query", "key", "value")]
        x = layers.add([x, dense(f"out_{i}", rotary_attention(library)(y), width)])
        y = layers.RMSNormalization()(x)
        y = layers.multiply([dense(f"gate_{i}", y, hidden, "silu"), dense(f"up_{i}", y, hidden)])
        x = layers.add([x, dense(f"down_{i}", y, width)])
    return layers.RMSNormalization()(x)


# ---------------------------------------------------------------- layers that Keras lacks


def positions(library):
    """A layer that adds learned positions, as a user of either library writes it."""

    class Positions(library.layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=shape[1:])

        def call(self, x):
            return x + library.ops.cast(self.table, x.dtype)

    return Positions()


def rotary_attention(library):
    """A layer of causal attention over queries, keys and values, with rotary positions."""
    ops = library.ops

    class RotaryAttention(library.layers.Layer):
        def call(self, inputs):
            length, width = inputs[0].shape[1:]
            split = [ops.reshape(x, (-1, length, width // HEAD, HEAD)) for x in inputs]
            turns = [ops.cast(turn, inputs[0].dtype) for turn in rotary(length)]
            query, key = (self.turned(x, *turns) for x in split[:2])
            y = ops.dot_product_attention(query, key, split[2], is_causal=True)
            return ops.reshape(y, (-1, length, width))

        @staticmethod
        def turned(x, cosine, sine):
            a, b = ops.split(x, 2, axis=-1)
            return ops.concatenate([a * cosine - b * sine, b * cosine + a * sine], axis=-1)

    return RotaryAttention()


def rotary(length):
    """Cosines and sines of the angles by which features turn at each position."""
    frequencies = 10_000.0 ** (-np.arange(HEAD // 2) / (HEAD // 2))
    angles = np.arange(length)[:, None, None] * frequencies
    return np.cos(angles).astype("float32"), np.sin(angles).astype("float32")
