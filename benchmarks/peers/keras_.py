"""Keras and jkeras: `compile`, `fit`, `predict`."""

import jax

from benchmarks.peers import large_keras


def cnn(layers, x, work):
    x = layers.Conv2D(32, 3, activation="relu")(x)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    return layers.Flatten()(layers.MaxPooling2D(2)(x))


def separable(layers, x, work):
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    for filters in (32, 64):
        x = layers.SeparableConv2D(filters, 3, padding="same", activation="relu")(x)
    return layers.GlobalAveragePooling2D()(x)


def resnet(layers, x, work):
    def convolution(x, filters, size=3, strides=1):
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    x = layers.ReLU()(convolution(x, 16))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = layers.ReLU()(convolution(x, filters, strides=strides))
        y = convolution(y, filters)
        if strides > 1:
            x = convolution(x, filters, 1, strides)
        x = layers.ReLU()(layers.add([x, y]))
    return layers.GlobalAveragePooling2D()(x)


def lstm(layers, x, work):
    return layers.LSTM(64)(layers.Embedding(work.vocabulary, 64)(x))


def transformer(layers, x, work):
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.add([x, layers.MultiHeadAttention(4, 32)(y, y)])
        y = layers.Dense(512, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.add([x, layers.Dense(128)(y)])
    return layers.GlobalAveragePooling1D()(x)


def mlp(layers, x, work):
    for units in work.units:
        x = layers.Dense(units, activation="relu")(x)
    return x


def network(library, work):
    """The model of a work."""
    inputs = library.Input(work.shape, dtype="float32" if work.vocabulary is None else "int32")
    if large := getattr(large_keras, work.network, None):
        x = large(library, inputs, work)
    else:
        x = globals()[work.network](library.layers, inputs, work)
    outputs = library.layers.Dense(work.classes, activation="softmax" if work.softmax else None)(x)
    return library.Model(inputs, outputs)


def fit(library, work, x, y):
    model = network(library, work)
    model.compile(
        library.optimizers.Adam(1e-3),
        library.losses.SparseCategoricalCrossentropy(from_logits=not work.softmax),
        metrics=["accuracy"],
    )

    how = dict(batch_size=work.batch, epochs=work.epochs, shuffle=work.shuffle, verbose=0)

    def run():
        history = model.fit(x, y, **how).history
        return {name: values[-1] for name, values in history.items()}

    return run


def predict(library, work):
    model = network(library, work)
    return lambda x: model.predict(x, verbose=0)


# ---------------------------------------------------------------- calls outside of jit


def three_layers(library):
    return library.Sequential(
        [
            library.Input((32,)),
            library.layers.Dense(32, activation="relu"),
            library.layers.Dense(32, activation="relu"),
            library.layers.Dense(10),
        ]
    )


def pure(library):
    """A model's forward pass as a function of rows, its values given with each call."""
    model = three_layers(library)
    if library.__name__ == "jkeras":
        call, values = model.apply, (model.params, model.state)
    else:
        call = model.stateless_call
        variables = model.trainable_variables, model.non_trainable_variables
        values = [[v.value for v in group] for group in variables]
    return lambda x: call(*values, x)[0]


def eager(library, work):
    """`steps` calls one after the other, as a function."""
    make = {
        "dense": lambda library: library.layers.Dense(32),
        "sequential": three_layers,
        "apply": pure,
    }
    call, x = make[work.network](library), jax.numpy.asarray(work.data()[0][: work.batch])

    def run():
        for _ in range(work.steps):
            y = call(x)
        y.block_until_ready()
        return {}

    return run


# ---------------------------------------------------------------- applications


def build(library, work):
    return getattr(library.applications, work.network)(weights=None)


def draw(library, model):
    jax.block_until_ready([variable.value for variable in model.weights])
