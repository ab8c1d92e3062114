"""Models for the live comparison: functions of a library `k` that return a model, with the shapes
of its inputs.
"""

import numpy as np


def mlp(k):
    return k.Sequential(
        [
            k.Input((6,)),
            k.layers.Dense(8, activation="relu"),
            k.layers.Dense(3, activation="softmax"),
        ]
    )


def regression(k):
    return k.Sequential([k.Input((6,)), k.layers.Dense(5, activation="tanh"), k.layers.Dense(1)])


def probability(k):
    return k.Sequential(
        [
            k.Input((6,)),
            k.layers.Dense(5, activation="relu"),
            k.layers.Dense(1, activation="sigmoid"),
        ]
    )


def regularized(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((6,)),
            layers.Dense(
                8, kernel_regularizer="l2", bias_constraint="non_neg", activity_regularizer="l1"
            ),
            layers.BatchNormalization(momentum=0.8),
            layers.Activation("relu"),
            layers.Dropout(0.0),
            layers.Dense(3, activation="softmax", kernel_constraint=k.constraints.MaxNorm(1.0)),
        ]
    )


def convolution(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((6, 6, 2)),
            layers.Conv2D(4, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(3, 2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )


def text(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((5,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.GRU(3),
            layers.Dense(2),
        ]
    )


def sentences(k):
    """Padded sentences: the mask of the embedding reaches the recurrent layer."""
    return k.Sequential(
        [
            k.Input((5,), dtype="int32"),
            k.layers.Embedding(9, 4, mask_zero=True),
            k.layers.GRU(3),
            k.layers.Dense(2),
        ]
    )


def two_ways(k):
    """Two inputs, two outputs, as lists."""
    layers = k.layers
    a, b = k.Input((6,), name="a"), k.Input((4,), name="b")
    x = layers.Concatenate()(
        [layers.Dense(5, activation="relu", name="left")(a), layers.Dense(3, name="right")(b)]
    )
    return k.Model(
        [a, b],
        [layers.Dense(3, activation="softmax", name="kind")(x), layers.Dense(1, name="size")(x)],
        name="two_ways",
    )


def by_name(k):
    """Two inputs, two outputs, as dicts."""
    layers = k.layers
    a, b = k.Input((6,), name="a"), k.Input((4,), name="b")
    x = layers.Add()([layers.Dense(5)(a), layers.Dense(5)(b)])
    outputs = {
        "kind": layers.Dense(3, activation="softmax", name="kind")(x),
        "size": layers.Dense(1, name="size")(x),
    }
    return k.Model({"a": a, "b": b}, outputs)


def inside_out(k):
    """A list of outputs inside a dict."""
    a, dense = k.Input((6,)), k.layers.Dense
    return k.Model(
        a,
        {
            "pair": [dense(3, activation="softmax", name="kind")(a), dense(1, name="size")(a)],
            "one": dense(1, name="one")(a),
        },
    )


def twice(k):
    """One layer gives both outputs."""
    a, kind = k.Input((6,)), k.layers.Dense(3, activation="softmax", name="kind")
    return k.Model(a, [kind(a), kind(k.layers.Dense(6)(a))])


def shared(k):
    """One layer used on two inputs."""
    layers = k.layers
    a, b = k.Input((6,)), k.Input((6,))
    encode = layers.Dense(4, activation="tanh", name="encode")
    x, y = encode(a), encode(b)
    return k.Model([a, b], layers.Dense(1)(layers.Multiply()([x, y])))


def operations(k):
    """Operators and ops between layers."""
    a = k.Input((4, 6))
    x = k.layers.Dense(6)(a)
    y = k.ops.mean(x * 2.0 - a, axis=1) + k.ops.relu(x[:, 0])
    return k.Model(a, k.layers.Dense(2)(k.ops.concatenate([y, k.ops.abs(y)], axis=-1)))


def nested(k):
    """A sequential and a functional model as layers, one of them used twice."""
    layers = k.layers
    inner = k.Sequential(
        [k.Input((6,)), layers.Dense(4, activation="relu"), layers.BatchNormalization()],
        name="inner",
    )
    a, b = k.Input((6,)), k.Input((6,))
    p, q = k.Input((4,)), k.Input((4,))
    head = k.Model([p, q], layers.Dense(2)(layers.Subtract()([p, q])), name="head")
    return k.Model([a, b], head([inner(a), inner(b)]))


def attention(k):
    layers = k.layers
    a = k.Input((4, 6))
    x = layers.MultiHeadAttention(2, 3)(a, a, use_causal_mask=True)
    x = layers.LayerNormalization()(layers.Add()([a, x]))
    x = layers.TimeDistributed(layers.Dense(4, activation="gelu"))(x)
    return k.Model(a, layers.Dense(2)(layers.Flatten()(x)))


def subclass(k):
    """Layers in attributes, a list and a dict; a weight and a loss of its own."""

    class Scale(k.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

        def call(self, x):
            self.add_loss(0.1 * k.ops.mean(k.ops.square(self.scale)))
            return x * self.scale

    class Net(k.Model):
        def __init__(self):
            super().__init__()
            self.hidden = [k.layers.Dense(5, activation="relu"), k.layers.Dense(4)]
            self.branches = {"scale": Scale(), "norm": k.layers.BatchNormalization()}
            self.head = k.layers.Dense(3, activation="softmax")

        def call(self, x, training=False):
            for layer in self.hidden:
                x = layer(x)
            return self.head(self.branches["norm"](self.branches["scale"](x), training=training))

    return Net()


FLOATS, PAIR = ((6,),), ((6,), (6,))
BUILDERS = {  # function: shapes of its inputs
    mlp: FLOATS,
    regularized: FLOATS,
    convolution: ((6, 6, 2),),
    text: ((5,),),
    two_ways: ((6,), (4,)),
    by_name: ((6,), (4,)),
    shared: PAIR,
    operations: ((4, 6),),
    nested: PAIR,
    attention: ((4, 6),),
    subclass: FLOATS,
}


def inputs_of(builder, rows=5):
    """Arrays for a builder's model, in the structure that it takes."""
    rng = np.random.default_rng(1)
    shapes = BUILDERS.get(builder, FLOATS)
    if builder in (text, sentences):
        return rng.integers(0, 9, (rows, 5))
    arrays = [rng.normal(size=(rows, *shape)).astype("float32") for shape in shapes]
    if builder is by_name:
        return dict(zip("ab", arrays))
    return arrays if len(arrays) > 1 else arrays[0]
