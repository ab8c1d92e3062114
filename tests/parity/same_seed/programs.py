"""Keras programs with a seed. Each is a function of the library, real Keras or jkeras, and returns
what it measured: histories, evaluations, sums of predictions.

What Python's and numpy's generators draw next, and where the model's seed generators are, belongs
to it: see `after`.
"""

import random
import tempfile

import numpy as np

PROGRAMS = {}


def program(function):
    """Decorator: adds a program under its name."""
    PROGRAMS[function.__name__] = function
    return function


def rows(count=70, seed=0):
    """(x, y) of shapes (count, 6) and (count, 1)."""
    rng = np.random.RandomState(seed)
    x = rng.randn(count, 6).astype("float32")
    return x, rng.randn(count, 1).astype("float32")


def drawn_batches():
    """Endless batches of rows that numpy's generator draws."""
    x, y = rows()
    while True:
        chosen = np.random.randint(0, 70, 16)
        yield x[chosen], y[chosen]


def images(count=20, shape=(8, 8, 3)):
    """(x, y) of values from 0 to 1."""
    rng = np.random.RandomState(0)
    x = rng.rand(count, *shape).astype("float32")
    return x, rng.rand(count, 1).astype("float32")


def after(model=None, **measured):
    """What was measured, and where all generators are then."""
    measured["numpy"], measured["python"] = float(np.random.rand()), random.random()
    if model is not None:
        seeds = [v for v in model.variables if "seed_generator_state" in v.path]
        measured["seeds"] = [np.asarray(variable).tolist() for variable in seeds]
    return measured


def network(keras, *layers, inputs=6, **compiled):
    """A compiled model of a hidden layer, others behind it, and one output."""
    hidden = [keras.layers.Dense(8, activation="relu"), *layers]
    model = keras.Sequential([keras.Input((inputs,)), *hidden, keras.layers.Dense(1)])
    model.compile(**{"optimizer": "adam", "loss": "mse", **compiled})
    return model


# ---------------------------------------------------------------- dropout and order


@program
def dropout_in_order(keras):
    keras.utils.set_random_seed(1)
    drops = keras.layers.Dropout(0.5, seed=1), keras.layers.Dropout(0.3)
    model = network(keras, *drops, metrics=["mae"])
    history = model.fit(*rows(), batch_size=16, epochs=3, verbose=0, shuffle=False).history
    return after(model, history=history, scores=model.evaluate(*rows(), verbose=0))


@program
def several_fits_and_models(keras):
    keras.utils.set_random_seed(1)
    model = network(keras, metrics=["mae"])
    fits = [
        model.fit(*rows(), batch_size=16, epochs=3, verbose=0, validation_split=0.2),
        model.fit(*rows(), batch_size=16, epochs=2, verbose=0, validation_data=rows(30, 1)),
        network(keras).fit(*rows(), epochs=2, verbose=0),
    ]
    return after(model, histories=[fit.history for fit in fits])


@program
def not_built_before(keras):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential([layers.Dense(8), layers.Dropout(0.5), layers.Dense(1)])
    model.compile("adam", "mse")
    history = model.fit(*rows(), batch_size=16, epochs=3, verbose=0).history
    return after(model, history=history, y=float(model.predict(rows()[0], verbose=0).sum()))


@program
def shuffled_by_batches(keras):
    keras.utils.set_random_seed(3)
    model = network(keras)
    fit = model.fit(*rows(), batch_size=16, epochs=3, verbose=0, shuffle="batch")
    return after(model, history=fit.history)


@program
def fewer_steps_than_batches(keras):
    keras.utils.set_random_seed(3)
    model = network(keras, keras.layers.Dropout(0.2))
    fit = model.fit(*rows(90), batch_size=10, epochs=6, steps_per_epoch=3, verbose=0)
    return after(model, history=fit.history)


@program
def on_batches(keras):
    keras.utils.set_random_seed(3)
    x, y = rows(32)
    model = network(keras, keras.layers.GaussianNoise(0.2), keras.layers.Dropout(0.2))
    losses = [float(np.ravel(model.train_on_batch(x, y))[0]) for _ in range(3)]
    losses.append(float(np.ravel(model.test_on_batch(x, y))[0]))
    history = model.fit(x, y, verbose=0).history
    losses.append(float(np.ravel(model.train_on_batch(x, y))[0]))
    return after(model, losses=losses, history=history)


@program
def several_steps_in_an_execution(keras):
    keras.utils.set_random_seed(1)
    model = network(keras, keras.layers.Dropout(0.5), steps_per_execution=2)
    return after(model, history=model.fit(*rows(80), batch_size=16, epochs=3, verbose=0).history)


@program
def run_eagerly(keras):
    keras.utils.set_random_seed(1)
    model = network(keras, keras.layers.Dropout(0.5), run_eagerly=True)
    return after(model, history=model.fit(*rows(40), batch_size=16, epochs=2, verbose=0).history)


@program
def accumulated_gradients(keras):
    keras.utils.set_random_seed(1)
    optimizer = keras.optimizers.Adam(gradient_accumulation_steps=2, use_ema=True)
    model = network(keras, keras.layers.Dropout(0.5), optimizer=optimizer)
    return after(model, history=model.fit(*rows(40), batch_size=16, epochs=2, verbose=0).history)


@program
def class_weights(keras):
    keras.utils.set_random_seed(1)
    x, y = rows(80)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model = network(keras, keras.layers.Dropout(0.5), loss=loss, metrics=["accuracy"])
    labels = (y > 0).astype("int32")
    weights = {0: 1.0, 1: 3.0}
    fit = model.fit(x, labels, batch_size=16, epochs=3, verbose=0, class_weight=weights)
    return after(model, history=fit.history)


@program
def mixed_precision(keras):
    keras.utils.set_random_seed(1)
    layers, half = keras.layers, {"dtype": "mixed_bfloat16"}
    parts = layers.Dense(8, **half), layers.Dropout(0.5, **half), layers.Dense(1)
    model = keras.Sequential([keras.Input((6,)), *parts])
    model.compile("adam", "mse")
    return after(model, history=model.fit(*rows(32), batch_size=16, epochs=2, verbose=0).history)


@program
def frozen_then_not(keras):
    keras.utils.set_random_seed(1)
    layers = keras.layers
    parts = layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.5)
    base = keras.Sequential([keras.Input((6,)), *parts])
    model = keras.Sequential([base, layers.Dense(1)])
    histories = []
    for trainable in (False, True):
        base.trainable = trainable
        model.compile("adam", "mse")
        histories.append(model.fit(*rows(40), batch_size=16, epochs=2, verbose=0).history)
    return after(model, histories=histories)


@program
def callbacks_that_draw(keras):
    class Drawing(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            np.random.rand()

        def on_epoch_end(self, epoch, logs=None):
            self.model.predict(rows(3)[0], verbose=0)
            random.random()

    keras.utils.set_random_seed(2)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model = network(keras, keras.layers.Dropout(0.4), optimizer=optimizer)
    callbacks = [
        keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(patience=1),
        Drawing(),
    ]
    fit = model.fit(*rows(), epochs=8, verbose=0, validation_split=0.3, callbacks=callbacks)
    return after(model, history=fit.history)


@program
def callbacks_that_draw_before_batches(keras):
    """A callback draws before the order of the data is drawn, and before its batches are made."""

    class Drawing(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            np.random.rand()
            random.random()

    keras.utils.set_random_seed(2)
    model = network(keras)
    how = {"epochs": 2, "verbose": 0, "callbacks": [Drawing()]}
    fits = [
        model.fit(*rows(), batch_size=16, **how),
        model.fit(*rows(), batch_size=16, steps_per_epoch=3, **how),
        model.fit(dataset(keras), **how),
        model.fit(drawn_batches(), steps_per_epoch=3, **how),
    ]
    return after(model, histories=[fit.history for fit in fits])


@program
def cross_validated(keras):
    keras.utils.set_random_seed(9)
    scores = []
    for fold in range(3):
        model = network(keras, keras.layers.Dropout(0.4))
        model.fit(*rows(), verbose=0)
        scores.append(model.evaluate(*rows(30, fold), verbose=0))
    return after(model, scores=scores)


@program
def saved_loaded_cloned(keras):
    keras.utils.set_random_seed(9)
    model = network(keras, keras.layers.Dropout(0.4))
    histories = [model.fit(*rows(), epochs=2, verbose=0).history]
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        model.summary(print_fn=lambda *line, **kwargs: None)
        model = keras.models.load_model(f"{folder}/model.keras")
    histories.append(model.fit(*rows(), epochs=2, verbose=0).history)
    model = keras.models.clone_model(model)
    model.compile("sgd", "mse")
    histories.append(model.fit(*rows(), epochs=2, verbose=0).history)
    keras.backend.clear_session()
    return after(network(keras), histories=histories)


@program
def functions_without_a_seed(keras):
    keras.utils.set_random_seed(1)
    draw = lambda: float(np.asarray(keras.random.normal((2,))).sum())
    numbers = [draw(), draw()]
    network(keras).fit(*rows(16), verbose=0)
    numbers.append(draw())
    return after(numbers=numbers, order=np.asarray(keras.random.shuffle(np.arange(9))).tolist())


# ---------------------------------------------------------------- kinds of models


@program
def several_inputs_and_outputs(keras):
    keras.utils.set_random_seed(9)
    layers = keras.layers
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    x = layers.Concatenate()([layers.Dropout(0.2)(left), layers.Dense(3)(right)])
    value = layers.Dense(1, name="value")(x)
    chance = layers.Dense(1, name="chance", activation="sigmoid")(layers.Dropout(0.5)(x))
    model = keras.Model([left, right], [value, chance])
    losses, metrics = ["mse", "binary_crossentropy"], [["mae"], ["accuracy"]]
    model.compile("rmsprop", losses, loss_weights=[1, 0.5], metrics=metrics)
    x, y = rows()
    labels = {"value": y, "chance": (y > 0).astype("float32")}
    data = {"left": x, "right": x[:, ::-1].copy()}
    return after(model, history=model.fit(data, labels, batch_size=16, epochs=3, verbose=0).history)


@program
def subclassed(keras):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.last = keras.layers.Dense(5), keras.layers.Dense(1)
            self.drop = keras.layers.Dropout(0.4)
            self.seeds = keras.random.SeedGenerator(7)

        def call(self, x, training=False):
            x = self.drop(self.hidden(x), training=training)
            if training:
                x = x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)
            return self.last(x)

    keras.utils.set_random_seed(2)
    model = Own()
    model.compile("adam", "mse")
    history = model.fit(*rows(), batch_size=16, epochs=2, verbose=0).history
    return after(model, history=history, scores=model.evaluate(*rows(), verbose=0))


@program
def own_train_step(keras):
    import jax

    class Own(keras.Model):
        def loss_of(self, trainable, others, x, y):
            y_pred, others = self.stateless_call(trainable, others, x, training=True)
            return self.compute_loss(x, y, y_pred), others

        def train_step(self, state, data):
            trainable, others, slots, metrics = state
            gradient = jax.value_and_grad(self.loss_of, has_aux=True)
            (loss, others), grads = gradient(trainable, others, *data)
            trainable, slots = self.optimizer.stateless_apply(slots, grads, trainable)
            return {"own": loss}, (trainable, others, slots, metrics)

    keras.utils.set_random_seed(2)
    inputs = keras.Input((6,))
    hidden = keras.layers.Dropout(0.4)(keras.layers.Dense(5)(inputs))
    model = Own(inputs, keras.layers.Dense(1)(hidden))
    model.compile("adam", "mse")
    return after(model, history=model.fit(*rows(), batch_size=16, epochs=2, verbose=0).history)


@program
def sampling_outside_of_training(keras):
    class Sampling(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seeds = keras.random.SeedGenerator(3)

        def call(self, x):
            return x + keras.random.normal(keras.ops.shape(x), seed=self.seeds)

    keras.utils.set_random_seed(2)
    x, y = rows()
    model = network(keras, Sampling())
    fit = model.fit(x, y, batch_size=16, epochs=2, verbose=0, validation_data=(x[:20], y[:20]))
    sums = [float(model.predict(x, verbose=0, batch_size=size).sum()) for size in (None, 16)]
    sums.append(float(np.asarray(model(x)).sum()))
    scores = model.evaluate(x, y, verbose=0)
    return after(model, history=fit.history, sums=sums, scores=scores)


@program
def a_generator_of_two_layers(keras):
    class Noise(keras.layers.Layer):
        def __init__(self, seeds, **kwargs):
            super().__init__(**kwargs)
            self.seeds = seeds

        def call(self, x, training=False):
            return x + keras.random.uniform(keras.ops.shape(x), seed=self.seeds) if training else x

    keras.utils.set_random_seed(2)
    seeds, drop = keras.random.SeedGenerator(11), keras.layers.Dropout(0.3)
    inputs = keras.Input((6,))
    hidden = drop(keras.layers.Dense(5)(Noise(seeds)(inputs)))
    model = keras.Model(inputs, keras.layers.Dense(1)(drop(Noise(seeds)(hidden))))
    model.compile("adam", "mse")
    return after(model, history=model.fit(*rows(), batch_size=16, epochs=2, verbose=0).history)


@program
def noise_with_the_batch_behind(keras):
    """A smaller last batch draws other numbers than the first rows of a full one do."""

    class Noise(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.seeds = keras.random.SeedGenerator(3)

        def call(self, x, training=False):
            shape = 8, keras.ops.shape(x)[0]
            noise = keras.ops.transpose(keras.random.normal(shape, seed=self.seeds))
            return x + noise if training else x

    keras.utils.set_random_seed(1)
    model = network(keras, Noise())
    return after(model, history=model.fit(*rows(), batch_size=16, epochs=2, verbose=0).history)


@program
def attention(keras):
    keras.utils.set_random_seed(2)
    layers = keras.layers
    inputs = keras.Input((5, 8))
    x = layers.MultiHeadAttention(2, 4, dropout=0.3)(inputs, inputs)
    x = layers.GroupQueryAttention(4, 2, 1, dropout=0.2)(x, x)
    x = layers.AdditiveAttention(dropout=0.2)([layers.Attention(dropout=0.2)([x, x]), x])
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))
    model.compile("adam", "mse")
    x, y = images(shape=(5, 8))
    return after(model, history=model.fit(x, y, batch_size=8, epochs=2, verbose=0).history)


# ---------------------------------------------------------------- kinds of data


def dataset(keras):
    """A `PyDataset` that mixes its rows after each epoch, adds noise, and notes what it is told."""

    class Rows(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.order, self.asked = np.arange(70), []

        def __len__(self):
            return 5

        def __getitem__(self, number):
            x, y = rows()
            chosen = self.order[number * 16 : (number + 1) * 16]
            noise = np.random.randn(len(chosen), 6).astype("float32")
            return x[chosen] + 0.1 * noise, y[chosen]

        def on_epoch_begin(self):
            self.asked.append("begin")

        def on_epoch_end(self):
            np.random.shuffle(self.order)
            self.asked.append("end")

    return Rows()


@program
def data_set(keras):
    keras.utils.set_random_seed(2)
    train, validation = dataset(keras), dataset(keras)
    model = network(keras, keras.layers.Dropout(0.2))
    fit = model.fit(train, epochs=3, verbose=0, validation_data=validation)
    scores = model.evaluate(validation, verbose=0)
    again = model.fit(train, epochs=2, verbose=0, shuffle=False)
    y = float(model.predict(validation, verbose=0).sum())
    measured = {"history": fit.history, "again": again.history, "scores": scores, "y": y}
    return after(model, asked=[train.asked, validation.asked], **measured)


@program
def data_set_seen_before_training(keras):
    """What `evaluate` and `predict` look at first where something is not built yet."""
    keras.utils.set_random_seed(2)
    data, others = dataset(keras), dataset(keras)
    layers = keras.layers
    model = keras.Sequential([layers.Dense(8), layers.Dropout(0.2), layers.Dense(1)])
    model.compile("adam", "mse")
    y = float(model.predict(data, verbose=0).sum())
    scores = [model.evaluate(data, verbose=0)]
    model.compile("adam", "mse", metrics=["mae"])
    scores += [model.evaluate(others, verbose=0), model.evaluate(others, verbose=0)]
    history = model.fit(data, epochs=2, verbose=0).history
    asked = [data.asked, others.asked]
    return after(model, asked=asked, history=history, y=y, scores=scores)


@program
def generator(keras):
    keras.utils.set_random_seed(2)
    model = network(keras, keras.layers.Dropout(0.2))
    history = model.fit(drawn_batches(), epochs=3, steps_per_epoch=4, verbose=0).history
    return after(model, history=history)


# ---------------------------------------------------------------- layers that draw


def trained_layers(keras, make, shape):
    """A training of some layers on images or sequences, and what they do outside of it."""
    keras.utils.set_random_seed(5)
    layers = make(keras.layers, keras)
    layers = layers if isinstance(layers, list) else [layers]
    ends = keras.layers.Flatten(), keras.layers.Dense(1)
    model = keras.Sequential([keras.Input(shape), *layers, *ends])
    model.compile("sgd", "mse")
    x, y = images(shape=shape)
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=0).history
    return after(model, history=history, scores=model.evaluate(x, y, verbose=0))


def layer_program(name, make, shape):
    """Adds the program of a layer."""
    PROGRAMS[name] = lambda keras: trained_layers(keras, make, shape)


RANGE = {"value_range": (0, 1)}
JITTER = {f"{name}_factor": 0.2 for name in ("brightness", "contrast", "saturation", "hue")}
OF_IMAGES = {
    "RandomFlip": lambda of, _: of.RandomFlip(),
    "RandomRotation": lambda of, _: of.RandomRotation(0.2),
    "RandomZoom": lambda of, _: of.RandomZoom(0.2),
    "RandomTranslation": lambda of, _: of.RandomTranslation(0.2, 0.2),
    "RandomContrast": lambda of, _: of.RandomContrast(0.2),
    "RandomBrightness": lambda of, _: of.RandomBrightness(0.2, **RANGE),
    "RandomShear": lambda of, _: of.RandomShear(0.2, 0.2),
    "RandomPerspective": lambda of, _: of.RandomPerspective(0.5),
    "RandomHue": lambda of, _: of.RandomHue(0.3, **RANGE),
    "RandomSaturation": lambda of, _: of.RandomSaturation(0.3, **RANGE),
    "RandomColorJitter": lambda of, _: of.RandomColorJitter(**RANGE, **JITTER),
    "RandomColorDegeneration": lambda of, _: of.RandomColorDegeneration(0.3, **RANGE),
    "RandomGrayscale": lambda of, _: of.RandomGrayscale(0.5),
    "RandomErasing": lambda of, _: of.RandomErasing(**RANGE),
    "RandomPosterization": lambda of, _: of.RandomPosterization(4, **RANGE),
    "RandomSharpness": lambda of, _: of.RandomSharpness(0.4, **RANGE),
    "RandomGaussianBlur": lambda of, _: of.RandomGaussianBlur(**RANGE),
    "RandomInvert": lambda of, _: of.RandomInvert(0.5, **RANGE),
    "Pipeline": lambda of, _: of.Pipeline([of.RandomFlip(), of.RandomZoom(0.2)]),
    "SpatialDropout2D": lambda of, _: of.SpatialDropout2D(0.4),
    "AlphaDropout": lambda of, _: of.AlphaDropout(0.4),
    "GaussianDropout": lambda of, _: of.GaussianDropout(0.4),
    "convolutions": lambda of, _: [of.Conv2D(4, 3), of.BatchNormalization(), of.Dropout(0.3)],
}
OF_SEQUENCES = {
    "LSTM": lambda of, _: of.LSTM(5, dropout=0.3, recurrent_dropout=0.3),
    "GRU": lambda of, _: of.GRU(5, dropout=0.3, recurrent_dropout=0.2, return_sequences=True),
    "SimpleRNN": lambda of, _: of.SimpleRNN(5, dropout=0.3),
    "Bidirectional": lambda of, _: of.Bidirectional(of.LSTM(5, dropout=0.3)),
    "TimeDistributed": lambda of, keras: of.TimeDistributed(
        keras.Sequential([of.Dense(4), of.Dropout(0.5)])
    ),
    "stacked_cells": lambda of, _: of.RNN(
        [of.LSTMCell(4, dropout=0.2), of.GRUCell(3, dropout=0.2, recurrent_dropout=0.1)]
    ),
    "SpatialDropout1D": lambda of, _: of.SpatialDropout1D(0.4),
    "nested_models": lambda of, keras: keras.Sequential(
        [of.Dense(5), of.Dropout(0.4), keras.Sequential([of.Dropout(0.2)])]
    ),
    "ConvLSTM1D": lambda of, _: [
        of.Reshape((5, 4, 1)),
        of.ConvLSTM1D(3, 2, dropout=0.2, recurrent_dropout=0.2),
    ],
}
for name, make in OF_IMAGES.items():
    layer_program(name, make, (8, 8, 3))
for name, make in OF_SEQUENCES.items():
    layer_program(name, make, (5, 4))
