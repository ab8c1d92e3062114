"""User mistakes: each gives one clear message, of the right type, before XLA sees anything."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import Input, Model, Sequential, layers, ops


def data(*shape, dtype="float32"):
    """Numbers that are not all equal."""
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype) % 7


def dense(loss="mse", units=2, metrics=None, **kwargs):
    """A compiled model of one layer: (batch, 3) -> (batch, units)."""
    model = Sequential([Input((3,)), layers.Dense(units, name="head", **kwargs)], name="net")
    model.compile("sgd", loss, metrics=metrics)
    return model


def classifier(classes=3):
    """A compiled model with whole-number labels."""
    return dense("sparse_categorical_crossentropy", classes, activation="softmax")


def two_outputs(loss=None, **kwargs):
    """A compiled model with the outputs "a" and "b"."""
    x = Input((3,), name="x")
    model = Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)], name="net")
    model.compile("sgd", loss or {"a": "mse", "b": "mse"}, **kwargs)
    return model


def two_inputs():
    """A model of the inputs "left" and "right"."""
    left, right = Input((3,), name="left"), Input((2,), name="right")
    return Model({"left": left, "right": right}, layers.Concatenate()([left, right]), name="net")


class NoSuper(layers.Layer):
    """Forgets `super().__init__()`."""

    def __init__(self):
        self.inner = layers.Dense(2)


class NoSuperPlain(layers.Layer):
    """Forgets it and sets nothing that is tracked."""

    def __init__(self):
        self.units = 3

    def call(self, x):
        return x


class NoCall(Model):
    """A subclass without `call`."""


class Forgets(layers.Layer):
    """Uses a layer that is no attribute."""

    def call(self, x):
        return layers.Dense(2, name="stray")(x)


def disconnected():
    a, b = Input((2,), name="a"), Input((2,), name="b")
    return Model(a, layers.Dense(1)(b))


def checkpoint_of_another_model(folder):
    x, y = data(4, 3), data(4, 2)
    dense().fit(x, y, verbose=0, checkpoint=folder)
    dense(units=5).fit(x, data(4, 5), verbose=0, checkpoint=folder)


def endless():
    while True:
        yield data(4, 3), data(4, 2)


def batches(*made):
    yield from made


class Unfinished(Model):
    def __init__(self):
        self.dense = layers.Dense(1)


FIT = dict(verbose=0)

# name: (mistake, exception, words that the message must have)
MISTAKES = {
    # ------------------------------------------------------------ shape, rank, dtype
    "wrong width": (
        lambda: dense().predict(data(2, 4), verbose=0),
        ValueError,
        ["net/head", "axis -1", "value 3", "(2, 4)", "Input"],
    ),
    "wrong width after a first predict": (
        lambda: (lambda model: [model.predict(data(2, width), verbose=0) for width in (3, 4)])(
            dense()
        ),
        ValueError,
        ["net/head", "value 3", "shape=(2, 4)"],
    ),
    "wrong size and no channels": (
        lambda: (lambda image: Model(image, layers.Flatten()(image)))(Input((8, 8, 1))).predict(
            data(2, 9, 9), verbose=0
        ),
        ValueError,
        ["(None, 8, 8, 1)", "received shape (2, 9, 9)."],
    ),
    "wrong width in fit": (
        lambda: dense().fit(data(2, 4), data(2, 2), **FIT),
        ValueError,
        ["net/head", "value 3", "(2, 4)", "Input"],
    ),
    "wrong rank": (
        lambda: dense().predict(data(2, 3, 3), verbose=0),
        ValueError,
        ["net", "(None, 3)", "(2, 3, 3)"],
    ),
    "wrong width of a built layer": (
        lambda: (lambda d: (d(data(2, 3)), d(data(2, 4))))(layers.Dense(2, name="head")),
        ValueError,
        ["head", "axis -1", "3", "(2, 4)"],
    ),
    "too low a rank": (
        lambda: layers.Dense(2, name="head")(data(3)),
        ValueError,
        ["head", "min_ndim=2", "(3,)"],
    ),
    "convolution of a matrix": (
        lambda: layers.Conv2D(2, 3, name="c")(data(4, 5, 1)),
        ValueError,
        ["c", "min_ndim=4", "(4, 5, 1)"],
    ),
    "kernel larger than the image": (
        lambda: layers.Conv2D(2, 5, name="c")(data(1, 3, 3, 1)),
        ValueError,
        ["c", "kernel", "padding"],
    ),
    "pool larger than the image": (
        lambda: layers.MaxPooling2D(5, name="p")(data(1, 3, 3, 1)),
        ValueError,
        ["p", "pool", "padding"],
    ),
    "sequence of a matrix": (
        lambda: layers.LSTM(2, name="r")(data(4, 5)),
        ValueError,
        ["r", "ndim=3", "(4, 5)"],
    ),
    "reshape that does not fit": (
        lambda: layers.Reshape((4, 2), name="r")(data(2, 9)),
        ValueError,
        ["r", "(4, 2)", "9"],
    ),
    "merge of shapes that differ": (
        lambda: layers.Add(name="sum")([data(2, 3), data(2, 4)]),
        ValueError,
        ["sum", "(2, 3)", "(2, 4)"],
    ),
    "merge of one array": (lambda: layers.Add(name="sum")(data(2, 3)), ValueError, ["sum", "list"]),
    "concatenate of shapes that differ": (
        lambda: layers.Concatenate(name="cat")([data(2, 3), data(3, 3)]),
        ValueError,
        ["cat", "(2, 3)", "(3, 3)"],
    ),
    "dot of axes that differ": (
        lambda: layers.Dot(axes=1, name="dot")([data(2, 3), data(2, 4)]),
        ValueError,
        ["dot", "3", "4"],
    ),
    "matmul in a graph": (
        lambda: ops.matmul(Input((3, 4)), Input((3, 4))),
        ValueError,
        ["axis -1", "(3, 4)"],
    ),
    "text as data": (
        lambda: dense().fit(np.array([["a", "b", "c"]]), data(1, 2), **FIT),
        ValueError,
        ["x", "dtype", "number"],
    ),
    "object arrays": (
        lambda: dense().fit(np.array([[1, "b", None]], dtype=object), data(1, 2), **FIT),
        ValueError,
        ["`x`", "object", "numeric"],
    ),
    "ragged lists": (
        lambda: dense().fit([[1.0, 2.0, 3.0], [1.0]], data(2, 2), **FIT),
        ValueError,
        ["`x`", "same shape"],
    ),
    "float indices in a graph of integers": (
        lambda: layers.Embedding(4, 2, name="e")(np.array([["a"]])),
        Exception,
        ["a"],
    ),
    "shape of the labels": (
        lambda: dense().fit(data(4, 3), data(4, 5), **FIT),
        ValueError,
        ["(4, 5)", "(4, 2)"],
    ),
    # ------------------------------------------------------------ ranges
    "label too large": (
        lambda: classifier().fit(data(4, 3), np.array([0, 1, 2, 3]), **FIT),
        ValueError,
        ["label", "3", "[0, 3)"],
    ),
    "label negative": (
        lambda: classifier().fit(data(4, 3), np.array([0, 1, -1, 2]), **FIT),
        ValueError,
        ["label", "-1", "[0, 3)"],
    ),
    "label too large in evaluate": (
        lambda: classifier().evaluate(data(4, 3), np.array([0, 1, 2, 9]), verbose=0),
        ValueError,
        ["label", "9", "[0, 3)"],
    ),
    "label too large in validation": (
        lambda: classifier().fit(
            data(4, 3), np.array([0, 1, 2, 0]), validation_data=(data(1, 3), np.array([7])), **FIT
        ),
        ValueError,
        ["label", "7", "[0, 3)"],
    ),
    "label too large on a batch": (
        lambda: classifier().train_on_batch(data(2, 3), np.array([0, 5])),
        ValueError,
        ["label", "5", "[0, 3)"],
    ),
    "label too large from a generator": (
        lambda: classifier().fit(batches((data(2, 3), np.array([0, 5]))), **FIT),
        ValueError,
        ["label", "5", "[0, 3)"],
    ),
    "rate above 1": (
        lambda: layers.Dropout(1.5, name="d"),
        ValueError,
        ["d", "rate", "1.5", "0", "1"],
    ),
    "negative units": (lambda: layers.Dense(-1), ValueError, ["units", "-1", "positive"]),
    "units that are no integer": (
        lambda: layers.Dense(2.5),
        ValueError,
        ["units", "2.5", "integer"],
    ),
    "units of a recurrent layer": (lambda: layers.LSTM(0), ValueError, ["units", "0", "positive"]),
    "no filters": (lambda: layers.Conv2D(0, 3), ValueError, ["filters", "0"]),
    "kernel of no size": (lambda: layers.Conv2D(2, 0), ValueError, ["kernel_size", "0"]),
    "kernel of another rank": (
        lambda: layers.Conv2D(2, (3, 3, 3)),
        ValueError,
        ["kernel_size", "(3, 3, 3)", "2"],
    ),
    "strides with dilation": (
        lambda: layers.Conv2D(2, 3, strides=2, dilation_rate=2),
        ValueError,
        ["strides", "dilation_rate"],
    ),
    "unknown padding": (
        lambda: layers.Conv2D(2, 3, padding="full"),
        ValueError,
        ["padding", "full", "same", "valid"],
    ),
    "unknown data format": (
        lambda: layers.Conv2D(2, 3, data_format="nhwc"),
        ValueError,
        ["data_format", "nhwc", "channels_last"],
    ),
    "groups that do not divide": (
        lambda: layers.Conv2D(4, 1, groups=3)(data(1, 2, 2, 3)),
        ValueError,
        ["groups", "3", "4"],
    ),
    "no batch axis": (
        lambda: dense().fit(np.float32(3), data(1, 2), **FIT),
        ValueError,
        ["x", "batch"],
    ),
    "batch size 0": (
        lambda: dense().fit(data(4, 3), data(4, 2), batch_size=-1, **FIT),
        ValueError,
        ["batch_size", "-1", "positive"],
    ),
    "validation split too small": (
        lambda: dense().fit(data(1, 3), data(1, 2), validation_split=0.5, **FIT),
        ValueError,
        ["1 rows", "validation_split", "0.5"],
    ),
    "negative learning rate of no kind": (
        lambda: jkeras.optimizers.SGD("fast"),
        ValueError,
        ["learning_rate", "fast"],
    ),
    "steps per execution 0": (
        lambda: dense().compile("sgd", "mse", steps_per_execution=0),
        ValueError,
        ["steps_per_execution", "0"],
    ),
    # ------------------------------------------------------------ compile
    "fit without compile": (
        lambda: Sequential([Input((3,)), layers.Dense(1)], name="net").fit(data(2, 3), data(2, 1)),
        ValueError,
        ["compile", "fit", "net"],
    ),
    "evaluate without compile": (
        lambda: Sequential([layers.Dense(1)]).evaluate(data(2, 3), data(2, 1)),
        ValueError,
        ["compile", "evaluate"],
    ),
    "pure step without compile": (
        lambda: jkeras.training.make_train_step(Sequential([Input((3,)), layers.Dense(1)])),
        ValueError,
        ["compile"],
    ),
    "unknown optimizer": (
        lambda: dense().compile("sgdd", "mse"),
        ValueError,
        ["sgdd", "optimizer"],
    ),
    "unknown loss": (
        lambda: dense("mean_sqared_error").fit(data(2, 3), data(2, 2), **FIT),
        ValueError,
        ["mean_sqared_error", "loss"],
    ),
    "a callback's class": (
        lambda: dense().fit(
            data(2, 3), data(2, 2), callbacks=[jkeras.callbacks.EarlyStopping], **FIT
        ),
        ValueError,
        ["the class EarlyStopping: write `EarlyStopping()`"],
    ),
    "rows in a list": (
        lambda: dense().fit(list(data(9, 3)), data(9, 2), **FIT),
        ValueError,
        ["`x` is a list of 9 arrays", "np.stack(x)", "and 4 more"],
    ),
    "images of different sizes": (
        lambda: dense().fit(
            np.array([np.ones((3, 4)), np.ones((2, 4))], object), data(2, 2), **FIT
        ),
        ValueError,
        ["values such as arrays of the shapes [(2, 4), (3, 4)]"],
    ),
    "validation data without labels": (
        lambda: dense().fit(data(2, 3), data(2, 2), validation_data=data(2, 3), **FIT),
        ValueError,
        ["`validation_data`: an array of shape (2, 3) without labels", "(x, y)"],
    ),
    "an argument of another spelling": (
        lambda: dense().fit(data(2, 3), data(2, 2), epoch=3),
        TypeError,
        ["Trainer.fit() got an unexpected keyword argument 'epoch'. Did you mean 'epochs'?"],
    ),
    "an argument of `evaluate` of another spelling": (
        lambda: dense().evaluate(data(2, 3), data(2, 2), verbos=0),
        ValueError,
        ["Did you mean 'verbose'?"],
    ),
    "an argument of `compile` of another spelling": (
        lambda: dense().compile("sgd", "mse", metric=["mae"]),
        TypeError,
        ["'metric'. Did you mean 'metrics'?"],
    ),
    "x and y in a tuple": (
        lambda: dense().fit((data(2, 3), data(2, 2)), **FIT),
        ValueError,
        ["`fit(x, y)`"],
    ),
    "layers that are no list": (
        lambda: jkeras.Sequential(layers.Dense(3), layers.Dense(2)),
        ValueError,
        ["one list of layers"],
    ),
    "a layer of another spelling": (
        lambda: layers.Conv2d,
        AttributeError,
        ["Did you mean 'Conv2D'?"],
    ),
    "pooled away": (
        lambda: Sequential([Input((1, 1, 1)), layers.MaxPooling2D()]),
        ValueError,
        ["window of size (2, 2)", "shape (None, 1, 1, 1)"],
    ),
    "no constructor": (
        lambda: Unfinished().compile("sgd"),
        RuntimeError,
        ["Unfinished", "forgot to call `super().__init__()`"],
    ),
    "texts as classes": (
        lambda: jkeras.utils.to_categorical(["cat"]),
        ValueError,
        ["to_categorical takes whole numbers", "StringLookup"],
    ),
    "unknown metric": (
        lambda: dense(metrics=["acuracy"]).fit(data(2, 3), data(2, 2), **FIT),
        ValueError,
        ["acuracy", "metric"],
    ),
    "metrics that are no list": (
        lambda: dense().compile("sgd", "mse", metrics="mae"),
        ValueError,
        ["metrics", "mae"],
    ),
    "unknown activation": (
        lambda: layers.Dense(2, activation="rellu"),
        ValueError,
        ["rellu", "activation"],
    ),
    "unknown initializer": (
        lambda: layers.Dense(2, kernel_initializer="glorot"),
        ValueError,
        ["glorot", "initializer"],
    ),
    "unknown regularizer": (
        lambda: layers.Dense(2, kernel_regularizer="l7"),
        ValueError,
        ["l7", "regularizer"],
    ),
    "unknown dtype": (lambda: layers.Dense(2, dtype="float33"), ValueError, ["float33"]),
    "unknown argument of a layer": (
        lambda: layers.Dense(2, activaton="relu"),
        ValueError,
        ["Dense", "activaton"],
    ),
    "unknown argument of an optimizer": (
        lambda: jkeras.optimizers.Adam(momentum=0.9),
        ValueError,
        ["Adam", "momentum", "beta_1"],
    ),
    "two kinds of clipping": (
        lambda: jkeras.optimizers.SGD(clipnorm=1.0, clipvalue=1.0),
        ValueError,
        ["clipnorm", "clipvalue"],
    ),
    # ------------------------------------------------------------ unbuilt
    "params of an unbuilt layer": (
        lambda: layers.Dense(2, name="head").params,
        ValueError,
        ["head", "built", "input"],
    ),
    "counting an unbuilt layer": (
        lambda: layers.Dense(2, name="head").count_params(),
        ValueError,
        ["head", "built"],
    ),
    "kernel of an unbuilt layer": (
        lambda: layers.Dense(2, name="head").kernel,
        AttributeError,
        ["kernel"],
    ),
    "inputs of an unbuilt model": (
        lambda: Sequential([layers.Dense(1)], name="net").inputs,
        AttributeError,
        ["net", "Input"],
    ),
    "state of an unbuilt model": (
        lambda: (lambda m: (m.compile("sgd", "mse"), jkeras.training.init_train_state(m)))(
            Sequential([layers.Dense(1)], name="net")
        ),
        ValueError,
        ["net", "built", "batch="],
    ),
    "a layer made inside call": (
        lambda: (
            Forgets().init(jax.random.key(0), data(2, 3))[0] or Forgets().apply({}, {}, data(2, 3))
        ),
        ValueError,
        ["stray", "attribute"],
    ),
    "model without call": (lambda: NoCall()(data(2, 3)), NotImplementedError, ["NoCall", "call"]),
    "super().__init__ forgotten": (
        lambda: NoSuper()(data(2, 3)),
        RuntimeError,
        ["super().__init__()", "NoSuper"],
    ),
    "super().__init__ forgotten, seen at the call": (
        lambda: NoSuperPlain()(data(2, 3)),
        RuntimeError,
        ["super().__init__()", "NoSuperPlain"],
    ),
    "wrong width of a built recurrent layer": (
        lambda: (lambda r: (r(data(2, 3, 1)), r(data(2, 3, 4))))(layers.LSTM(2, name="memory")),
        ValueError,
        ["memory/lstm_cell", "1 features", "4"],
    ),
    "a matrix for a recurrent layer": (
        lambda: layers.RNN(layers.GRUCell(4), name="memory")(data(2, 3)),
        ValueError,
        ["memory", "min_ndim=3", "(2, 3)"],
    ),
    "wrong width of a built EinsumDense": (
        lambda: (lambda e: (e(data(2, 3)), e(data(2, 4))))(
            layers.EinsumDense("ab,bc->ac", 2, name="head")
        ),
        ValueError,
        ["head", "ab,bc->ac", "(3, 2)", "(2, 4)"],
    ),
    "as many elements in other axes": (
        lambda: (lambda e: (e(data(2, 5, 3, 4)), e(data(2, 5, 4, 3))))(
            layers.EinsumDense("abcd,cde->abe", (None, 2), name="head")
        ),
        ValueError,
        ["head", "(3, 4, 2)", "(2, 5, 4, 3)"],
    ),
    # ------------------------------------------------------------ numbers out of their range
    "noise without an end": (
        lambda: layers.GaussianDropout(1.0, name="noise")(data(2, 3), training=True),
        ValueError,
        ["noise", "below 1"],
    ),
    "a traced learning rate": (
        lambda: jax.jit(lambda rate: jkeras.optimizers.SGD(rate).learning_rate)(0.1),
        ValueError,
        ["sgd", "float", "state has"],
    ),
    "a reduction that there is not": (
        lambda: jkeras.losses.MeanSquaredError(reduction="summ"),
        ValueError,
        ["`reduction`", "'sum'", "reduction='summ'"],
    ),
    # ------------------------------------------------------------ no shape, no config
    "init of a symbolic tensor": (
        lambda: layers.Dense(2, name="head").init(jax.random.key(0), Input((3,), name="x")),
        ValueError,
        ["head", "(None, 3)", "batch"],
    ),
    "a model of JSON that is no object": (
        lambda: jkeras.models.model_from_json("3"),
        ValueError,
        ["config", "3"],
    ),
    # ------------------------------------------------------------ numbers of arrays
    "too few weights": (
        lambda: dense().layers[0].set_weights([data(3, 2)]),
        ValueError,
        ["head", "1", "2"],
    ),
    "weights of another shape": (
        lambda: dense().layers[0].set_weights([data(2, 3), data(2)]),
        ValueError,
        ["head", "(3, 2)", "(2, 3)"],
    ),
    "params of another tree": (
        lambda: setattr(dense(), "params", {"tail": {"kernel": data(3, 2)}}),
        ValueError,
        ["head/kernel", "tail/kernel", "issing", "nexpected"],
    ),
    "apply with a leaf missing": (
        lambda: dense().apply({"head": {"kernel": data(3, 2)}}, {}, data(1, 3)),
        ValueError,
        ["net", "head/bias", "init"],
    ),
    "params of another shape": (
        lambda: dense().apply({"head": {"kernel": data(4, 2), "bias": data(2)}}, {}, data(1, 3)),
        ValueError,
        ["head/kernel", "(3, 2)", "(4, 2)"],
    ),
    "x and y of different lengths": (
        lambda: dense().fit(data(4, 3), data(5, 2), **FIT),
        ValueError,
        ["(4, 3)", "(5, 2)", "different numbers"],
    ),
    "weights of another length": (
        lambda: dense().fit(data(4, 3), data(4, 2), sample_weight=data(3), **FIT),
        ValueError,
        ["sample_weight", "(3,)"],
    ),
    "one array for two inputs": (
        lambda: two_inputs().predict([data(2, 3)], verbose=0),
        ValueError,
        ["net", "2 input", "1", "left", "right"],
    ),
    "two arrays for one input": (
        lambda: dense().predict([data(2, 3), data(2, 3)], verbose=0),
        ValueError,
        ["net", "1 input", "2"],
    ),
    "a missing key": (
        lambda: two_inputs().predict({"left": data(2, 3)}, verbose=0),
        ValueError,
        ["net", "left", "right"],
    ),
    "one array of labels for two outputs": (
        lambda: two_outputs().fit(data(2, 3), data(2, 1), **FIT),
        ValueError,
        ["1 array", "2 output", "'a'", "'b'"],
    ),
    "a list of losses too short": (
        lambda: two_outputs(["mse"]).fit(data(2, 3), [data(2, 1)] * 2, **FIT),
        ValueError,
        ["loss", "1", "2 outputs", "'a'"],
    ),
    "an unknown key of losses": (
        lambda: two_outputs({"a": "mse", "c": "mse"}).fit(data(2, 3), [data(2, 1)] * 2, **FIT),
        (KeyError, ValueError),
        ["'c'", "'a'", "'b'"],
    ),
    "an unknown key of metrics": (
        lambda: two_outputs(metrics={"c": ["mae"]}).fit(data(2, 3), [data(2, 1)] * 2, **FIT),
        ValueError,
        ["'c'", "metrics", "'a'", "'b'"],
    ),
    "an unknown key of labels": (
        lambda: two_outputs().fit(data(2, 3), {"a": data(2, 1), "c": data(2, 1)}, **FIT),
        ValueError,
        ["'c'", "'b'"],
    ),
    "loss weights of another number": (
        lambda: two_outputs(["mse", "mse"], loss_weights=[1.0]).fit(
            data(2, 3), [data(2, 1)] * 2, **FIT
        ),
        ValueError,
        ["loss_weights", "1", "2"],
    ),
    "a weight for one of two losses": (
        lambda: two_outputs({"a": "mse", "b": "mse"}, loss_weights={"a": 1.0}).fit(
            data(2, 3), [data(2, 1)] * 2, **FIT
        ),
        KeyError,
        ["loss_weights", "'b'"],
    ),
    "sample weights of another structure": (
        lambda: two_outputs().fit(
            data(2, 3), [data(2, 1)] * 2, sample_weight={"a": data(2), "b": data(2)}, **FIT
        ),
        ValueError,
        ["sample_weight", "for each", "structure"],
    ),
    "a generator for one batch": (
        lambda: dense().train_on_batch(iter([(data(2, 3), data(2, 2))])),
        TypeError,
        ["on_batch", "fit"],
    ),
    "inputs under another name": (
        lambda: dense().predict({"other": data(2, 3)}, verbose=0),
        ValueError,
        ["other"],
    ),
    "another shape for a built model": (
        lambda: dense().build((None, 7)),
        ValueError,
        ["(None, 3)", "(None, 7)"],
    ),
    "a loss that is no tensor": (
        lambda: dense().add_loss("mse"),
        ValueError,
        ["add_loss", "'mse'"],
    ),
    "weights of a file that is not there": (
        lambda: dense().load_weights("nowhere.weights.h5"),
        FileNotFoundError,
        ["nowhere.weights.h5"],
    ),
    "class weights for two outputs": (
        lambda: two_outputs().fit(data(2, 3), [data(2, 1)] * 2, class_weight={0: 2.0}, **FIT),
        ValueError,
        ["class_weight", "single output"],
    ),
    "class and sample weights": (
        lambda: dense().fit(
            data(2, 3), data(2, 2), class_weight={0: 1.0}, sample_weight=data(2), **FIT
        ),
        ValueError,
        ["class_weight", "sample_weight"],
    ),
    # ------------------------------------------------------------ labels
    "no labels": (lambda: dense().fit(data(2, 3), **FIT), ValueError, ["y", "None", "add_loss"]),
    "no labels in evaluate": (
        lambda: dense().evaluate(data(2, 3), verbose=0),
        ValueError,
        ["y", "None"],
    ),
    "whole numbers for one-hot": (
        lambda: dense("categorical_crossentropy", activation="softmax").fit(
            data(2, 3), np.array([0, 1]), **FIT
        ),
        ValueError,
        ["categorical_crossentropy", "sparse_categorical_crossentropy", "to_categorical"],
    ),
    "one-hot for whole numbers": (
        lambda: classifier().fit(data(2, 3), np.eye(3)[:2], **FIT),
        ValueError,
        ["sparse_categorical_crossentropy", "categorical_crossentropy", "(2, 3)"],
    ),
    # ------------------------------------------------------------ data
    "no data": (lambda: dense().fit(data(0, 3), data(0, 2), **FIT), ValueError, ["empty"]),
    "nothing at all": (lambda: dense().fit(**FIT), ValueError, ["x", "None"]),
    "empty generator": (lambda: dense().fit(batches(), **FIT), ValueError, ["empty"]),
    "exhausted generator": (
        lambda: dense().fit(batches((data(2, 3), data(2, 2))), epochs=2, **FIT),
        ValueError,
        ["no batch", "steps_per_epoch"],
    ),
    "generator and labels": (
        lambda: dense().fit(endless(), data(2, 2), steps_per_epoch=1, **FIT),
        ValueError,
        ["generator", "`y`"],
    ),
    "generator of four": (
        lambda: dense().fit(batches((data(2, 3),) * 4), **FIT),
        ValueError,
        ["4", "(x, y"],
    ),
    "generator of text": (lambda: dense().fit(batches(("a", "b")), **FIT), ValueError, ["x"]),
    "split of a generator": (
        lambda: dense().fit(endless(), validation_split=0.1, **FIT),
        ValueError,
        ["validation_split", "validation_data"],
    ),
    "no kind of data": (lambda: dense().fit(3.5, **FIT), ValueError, ["3.5", "array"]),
    "unknown validation_freq": (
        lambda: dense().fit(
            data(2, 3),
            data(2, 2),
            validation_data=(data(2, 3), data(2, 2)),
            validation_freq="often",
            **FIT,
        ),
        ValueError,
        ["validation_freq", "often"],
    ),
    # ------------------------------------------------------------ graphs
    "text as positional argument": (
        lambda: layers.Dense(2, name="head")("hello"),
        ValueError,
        ["head", "hello"],
    ),
    "a number as second argument": (
        lambda: layers.Dense(2, name="head")(data(1, 3), 5),
        (TypeError, ValueError),
        ["head"],
    ),
    "numpy on a KerasTensor": (lambda: np.mean(Input((3,))), ValueError, ["KerasTensor", "ops"]),
    "jnp on a KerasTensor": (lambda: jnp.sum(Input((3,))), ValueError, ["KerasTensor", "ops"]),
    "if on a KerasTensor": (lambda: bool(Input((3,)) > 0), TypeError, ["KerasTensor", "boolean"]),
    "for on a KerasTensor": (lambda: list(Input((3,))), NotImplementedError, ["KerasTensor"]),
    "graph disconnected": (disconnected, ValueError, ["not connected", "'b'", "'a'"]),
    "output that is an array": (
        lambda: Model(Input((3,)), data(2, 3)),
        ValueError,
        ["outputs", "KerasTensor"],
    ),
    "input that is an array": (
        lambda: Model(inputs=data(2, 3), outputs=layers.Dense(1)(Input((3,)))),
        ValueError,
        ["inputs", "KerasTensor"],
    ),
    "one name twice in Sequential": (
        lambda: Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")]),
        ValueError,
        ["'a'", "unique"],
    ),
    "one name twice in a graph": (
        lambda: (lambda x: Model(x, layers.Dense(1, name="a")(layers.Dense(1, name="a")(x))))(
            Input((3,))
        ),
        ValueError,
        ['"a"', "unique"],
    ),
    "a class instead of a layer": (
        lambda: Sequential([layers.Dense]),
        ValueError,
        ["Layer", "Dense"],
    ),
    "a name with a slash": (lambda: layers.Dense(1, name="a/b"), ValueError, ["name", "a/b"]),
    "no such layer": (lambda: dense().get_layer("tail"), ValueError, ["tail", "head"]),
    "layer number too large": (lambda: dense().get_layer(index=7), ValueError, ["7", "1"]),
    "negative shape": (lambda: Input((-3,)), ValueError, ["-3"]),
    "an int as shape": (lambda: Input(3), ValueError, ["3", "shape"]),
    "stateful without a batch size": (
        lambda: Sequential([Input((5, 3)), layers.LSTM(2, stateful=True, name="r")]),
        ValueError,
        ["r", "batch", "batch_shape"],
    ),
    # ------------------------------------------------------------ the pure interface
    "dropout in training without a key": (
        lambda: layers.Dropout(0.5, name="d").apply({}, {}, data(2, 3), training=True),
        ValueError,
        ["d", "rng=jax.random.key"],
    ),
    "assignment of another shape": (
        lambda: dense().layers[0].bias.assign(data(3)),
        ValueError,
        ["bias", "(2,)", "(3,)"],
    ),
    "state changed under jit": (
        lambda: (
            lambda layer: (
                layer(data(4, 3)),
                jax.jit(lambda x: layer(x, training=True))(data(4, 3)),
            )
        )(layers.BatchNormalization(name="n")),
        RuntimeError,
        ["moving_mean", "apply"],
    ),
    "optimizer for other variables": (
        lambda: (lambda o, a, b: (o.apply([data(2)], [a]), o.apply([data(2)], [b])))(
            jkeras.optimizers.SGD(),
            jkeras.Variable(data(2), name="a"),
            jkeras.Variable(data(2), name="b"),
        ),
        ValueError,
        ["sgd", "b"],
    ),
    # ------------------------------------------------------------ config and files
    "config of an unknown class": (
        lambda: layers.deserialize({"class_name": "Dens", "config": {}}),
        (ValueError, TypeError),
        ["Dens"],
    ),
    "config of a lambda": (
        lambda: layers.Lambda.from_config(layers.Lambda(lambda x: x).get_config()),
        ValueError,
        ["lambda", "safe_mode=False", "register_keras_serializable"],
    ),
    "custom class that is not registered": (
        lambda: jkeras.models.model_from_json(
            '{"module": "mine", "class_name": "Mine", "config": {}, "registered_name": "Mine"}'
        ),
        (ValueError, TypeError),
        ["Mine", "custom_objects"],
    ),
}


@pytest.mark.promise("An error says where, what")
@pytest.mark.promise("The message has both.")
@pytest.mark.promise("`fit` and `evaluate` need")
@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name):
    mistake, exception, words = MISTAKES[name]
    with pytest.raises(exception) as error:
        mistake()
    message = str(error.value)
    missing = [word for word in words if word.lower() not in message.lower()]
    assert not missing, f"the message lacks {missing}: {message}"
    assert type(error.value).__module__.split(".")[0] not in ("jaxlib", "jax"), (
        f"{type(error.value)}: {message}"
    )


VALIDATION = {
    "no labels": lambda: (data(2, 3),),
    "a list": lambda: [data(2, 3)],
    "another width": lambda: (data(2, 5), data(2, 2)),
    "other labels": lambda: (data(2, 3), data(2, 5)),
    "other rows": lambda: (data(2, 3), data(3, 2)),
    "too many": lambda: (data(2, 3),) * 4,
    "no data": lambda: "x",
    "texts": lambda: (np.array([["a", "b", "c"]]), data(1, 2)),
    "batches of another width": lambda: batches((data(2, 5), data(2, 2))),
}


@pytest.mark.promise("error that begins with `validation_data`")
@pytest.mark.parametrize("name", VALIDATION)
def test_a_mistake_in_the_validation_data(name):
    """What is wrong is named as always, and where it came from."""
    with pytest.raises(ValueError, match=r"^`validation_data`: "):
        dense().fit(data(2, 3), data(2, 2), validation_data=VALIDATION[name](), **FIT)


def test_labels_of_the_validation_that_are_no_classes():
    with pytest.raises(ValueError, match=r"^`validation_data`: .* the label 7"):
        classifier().fit(
            data(2, 3), [0, 1], validation_data=(data(2, 3), np.array([7, 0])), verbose=0
        )


def test_checkpoint_folder_of_another_model(tmp_path):
    with pytest.raises(ValueError) as error:
        checkpoint_of_another_model(tmp_path)
    for word in (str(tmp_path), "head/kernel", "(3, 2)", "(3, 5)", "another folder"):
        assert word in str(error.value)


def test_labels_of_a_class_that_is_ignored_are_no_mistake():
    model = dense(
        jkeras.losses.SparseCategoricalCrossentropy(ignore_class=255), 3, activation="softmax"
    )
    assert np.isfinite(
        model.fit(data(4, 3), np.array([0, 1, 255, 2]), verbose=0).history["loss"]
    ).all()
    with pytest.raises(ValueError, match=r"\[0, 3\)"):
        model.fit(data(4, 3), np.array([0, 1, 254, 2]), verbose=0)


def test_a_mistake_leaves_the_model_as_it_was():
    model = classifier()
    before = model.get_weights()
    for mistake in (
        lambda: model.fit(data(4, 3), np.array([0, 1, 2, 3]), verbose=0),
        lambda: model.fit(data(4, 2), np.array([0, 1, 2, 0]), verbose=0),
    ):
        with pytest.raises(ValueError):
            mistake()
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    model.fit(data(4, 3), np.array([0, 1, 2, 0]), verbose=0)
