"""Models, and layers as users write them, for `test_values.py`: rows of two inputs each."""

import typing

import jax.numpy as jnp

import jkeras
from jkeras import Input, Model, Sequential, layers, ops
from jkeras.core.layer import Composite, StatefulLayer
from jkeras.kernel.spec import Weight


class Scale(layers.Layer):
    """Written with `weight_specs` and `forward`."""

    def __init__(self, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def weight_specs(self, x):
        first = jkeras.initializers.RandomUniform(0.0, self.start)
        return {"scale": Weight((x.shape[-1],), first)}

    def forward(self, w, x, ctx):
        return x * w["scale"]


class Steps(StatefulLayer):
    """Written with `weight_specs` and `forward`, with a state that counts the calls."""

    def weight_specs(self, x):
        return {"steps": Weight((x.shape[-1],), jkeras.initializers.Zeros(), trainable=False)}

    def forward(self, w, x, ctx):
        return x + w["steps"], {"steps": w["steps"] + 1.0}


class Gate(Composite):
    """Written with `forward` over children that depend on the input."""

    def children(self, x):
        return {"dense": layers.Dense(x.shape[-1], activation="sigmoid")}

    def forward(self, w, sub, x, ctx):
        return x * sub.dense(x)


class Projection(layers.Layer):
    """Written as in Keras, with `build` and `call`."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight((self.units,), initializer="zeros", name="bias")

    def call(self, x):
        return ops.matmul(x, self.kernel) + self.bias

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Counter(layers.Layer):
    """Written as in Keras, with a weight that `call` assigns and a loss that it adds."""

    def build(self, input_shape):
        self.total = self.add_weight((input_shape[-1],), initializer="zeros", trainable=False)

    def call(self, x, training=False):
        if training:
            self.total.assign_add(ops.mean(x, axis=0))
        self.add_loss(1e-2 * ops.mean(ops.square(x)))
        return x + self.total


class Late(layers.Layer):
    """Written as in Keras, with sublayers that `build` makes."""

    def build(self, input_shape):
        self.first = layers.Dense(input_shape[-1] * 2, activation="tanh")
        self.first.build(input_shape)
        self.rest = [layers.Dropout(0.5), Projection(2)]

    def call(self, x, training=None):
        h = self.first(x)
        for layer in self.rest:
            h = layer(h)
        return h


class Cell(layers.Layer):
    """A recurrent cell written as in Keras."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")
        self.recurrent = self.add_weight((self.units, self.units), name="recurrent")

    def call(self, x, states):
        h = ops.tanh(ops.matmul(x, self.kernel) + ops.matmul(states[0], self.recurrent))
        return h, [h]


class Perceptron(Model):
    """A subclassed model, with one layer that is called twice."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.enter = layers.Dense(units)
        self.norm = layers.BatchNormalization()
        self.twice = layers.Dense(units, activation="tanh")
        self.drop = layers.Dropout(0.4)
        self.heads = {"mean": layers.Dense(2), "all": [Projection(1), Scale()]}

    def call(self, x, training=None):
        h = self.norm(self.enter(x), training=training)
        h = self.drop(self.twice(self.twice(h)), training=training)
        for layer in self.heads["all"]:
            h = layer(h)
        return self.heads["mean"](h)


class Ladder(Model):
    """A functional model made by a subclass."""

    def __init__(self, units=3):
        inputs = Input((None, 3))
        super().__init__(inputs, layers.Dense(units)(layers.LSTM(2)(inputs)))


def stack(units=3):
    """A Sequential that is not built: any width."""
    return Sequential(
        [
            layers.Dense(units, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(2),
        ]
    )


def nested(units=3):
    """A Sequential in a Sequential, not built."""
    return Sequential([layers.Dense(4), stack(units), Scale(), layers.Dense(1)])


def built(units=3):
    """A Sequential that is built: any length."""
    rest = [layers.Embedding(9, 4, mask_zero=True), layers.LSTM(units), layers.Dense(2)]
    return Sequential([Input((None,), dtype="int32"), *rest])


def functional(units=3):
    """A functional model with a branch, a state and draws: any length."""
    inputs = Input((None, 3))
    h = layers.Conv1D(units, 2, padding="same")(inputs)
    h = layers.BatchNormalization()(layers.add([h, layers.Dropout(0.4)(ops.relu(h))]))
    return Model(inputs, [layers.Dense(2)(layers.GlobalAveragePooling1D()(h)), h])


def shared(units=3):
    """A functional model of two inputs that one layer and one model see."""
    a, b = Input((None, 3)), Input((None, 3))
    dense, model = layers.Dense(units), functional(units)
    return Model([a, b], [dense(a) + dense(b), model(a)[0] * model(b)[0]])


def written(units=3):
    """A functional model of layers written as in Keras and with `forward`."""
    inputs = Input((None, 3))
    h = Steps()(Scale()(Projection(units)(inputs)))
    return Model(inputs, Late()(Gate()(h)))


def mixed(units=3):
    """A Sequential, not built, of layers written as in Keras and with `forward`."""
    return Sequential([Projection(units), Steps(), Gate(), Late(), Counter(), Perceptron()])


def twice(units=3):
    """A Sequential, not built, that holds one layer by two ways."""
    layer = layers.Dense(units)
    return Sequential([layers.Dense(3), Sequential([layer]), layer])


def groups(units=3):
    """GroupNormalization with as many groups as channels."""
    return layers.GroupNormalization(groups=-1, epsilon=units / 10)


def normalization_of_array(units=3):
    """A Normalization whose constants came as arrays."""
    return layers.Normalization(mean=jnp.full(3, units), variance=jnp.ones(3))


class ModelRow(typing.NamedTuple):
    """A model or layer with two inputs it takes."""

    name: str
    make: typing.Callable  # of `units`, with a default
    inputs: list
    other: list
    ints: int | None = None
    # why `pair()` compares by identity, where it may
    by_identity: str = ""
    pixels: bool = False
    texts: tuple = ()


VECTOR = dict(inputs=[(2, 5)], other=[(3, 7)])
SEQUENCE = dict(inputs=[(2, 4, 3)], other=[(3, 6, 3)])
MODELS = [
    ModelRow("Sequential", stack, **VECTOR),
    ModelRow("nested Sequential", nested, **VECTOR),
    ModelRow("built Sequential", built, [(2, 4)], [(3, 6)], ints=9),
    ModelRow("Sequential of written layers", mixed, **VECTOR),
    ModelRow("Sequential, shared", twice, **VECTOR),
    ModelRow("functional", functional, **SEQUENCE),
    ModelRow("functional, shared", shared, [[(2, 4, 3)] * 2], [[(3, 6, 3)] * 2]),
    ModelRow("functional of written layers", written, **SEQUENCE),
    ModelRow("functional, subclassed", Ladder, **SEQUENCE),
    ModelRow("subclassed model", Perceptron, **VECTOR),
    ModelRow("build and call", lambda units=3: Projection(units), **VECTOR),
    ModelRow(
        "build and call, state and loss", lambda units=3: Counter(trainable=units < 4), **VECTOR
    ),
    ModelRow("build and call, sublayers", lambda units=3: Late(autocast=units < 4), **VECTOR),
    ModelRow("weight_specs and forward", lambda units=3: Scale(units / 2), **VECTOR),
    ModelRow("forward, state", lambda units=3: Steps(autocast=units < 4), **VECTOR),
    ModelRow("forward, children by shape", lambda units=3: Gate(autocast=units < 4), **VECTOR),
    ModelRow(
        "RNN of a written cell", lambda units=3: layers.RNN(Cell(units)), [(2, 4, 3)], [(3, 6, 5)]
    ),
    ModelRow(
        "Bidirectional of RNN",
        lambda units=3: layers.Bidirectional(layers.RNN(Cell(units))),
        [(2, 4, 3)],
        [(3, 6, 5)],
    ),
    ModelRow(
        "TimeDistributed Sequential",
        lambda units=3: layers.TimeDistributed(stack(units)),
        [(2, 4, 3)],
        [(3, 6, 5)],
    ),
    ModelRow("GroupNormalization(-1)", groups, **VECTOR),
    ModelRow(
        "SpectralNormalization of Conv",
        lambda units=3: layers.SpectralNormalization(layers.Conv1D(units, 2)),
        [(2, 4, 3)],
        [(3, 6, 5)],
    ),
    ModelRow("Normalization of arrays", normalization_of_array, **SEQUENCE, by_identity="arrays"),
    ModelRow(
        "Lambda of a new function",
        lambda units=3: layers.Lambda(lambda x: x * units),
        **VECTOR,
        by_identity="a lambda of its own",
    ),
    ModelRow(
        "regularized",
        lambda units=3: layers.Dense(
            units, kernel_regularizer="l2", bias_constraint="non_neg", activity_regularizer="l1"
        ),
        **VECTOR,
    ),
    ModelRow(
        "mixed_bfloat16",
        lambda units=3: layers.LSTM(
            units, dtype="mixed_bfloat16", recurrent_dropout=0.2, unroll=True
        ),
        [(2, 4, 3)],
        [(3, 6, 5)],
    ),
]
