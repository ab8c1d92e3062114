"""What beginners pass to `fit` in place of arrays, and classes in place of objects: messages say
what to write.
"""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from tests.test_errors import FIT, data, dense


def pictures(*sizes):
    """Images of Pillow."""
    image = pytest.importorskip("PIL.Image")
    return [image.new("RGB", size) for size in sizes]


def ragged(*shapes):
    """An array of arrays."""
    made = np.empty(len(shapes), object)
    for i, shape in enumerate(shapes):
        made[i] = data(*shape)
    return made


def fit(x, y=None):
    return dense().fit(x, data(4, 2) if y is None else y, **FIT)


class NoConstructor(jkeras.Model):
    """Forgets `super().__init__()`."""

    def __init__(self):
        self.units = 3

    def call(self, x):
        return x


class Forward(jkeras.Model):
    """Has the method of a model of PyTorch's."""

    def forward(self, x):
        return x


class NoReturn(jkeras.Model):
    """Forgets `return`."""

    def call(self, x):
        x + 1


class NoCallback:
    def on_epoch_end(self, epoch, logs):
        pass


def of(loss, metrics=()):
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])
    model.compile("sgd", loss, metrics=list(metrics))
    return model.fit(data(4, 3), data(4, 2), **FIT)


def own(model):
    model.compile("sgd", "mse")
    return model.fit(data(4, 3), data(4, 2), **FIT)


def in_places():
    """A class for each pixel, and labels for whole images."""
    model = jkeras.Sequential([jkeras.Input((4, 4, 1)), layers.Conv2D(3, 3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model.fit(data(4, 4, 4, 1), np.array([0, 1, 2, 0]), **FIT)


STACK = "np.stack([np.asarray(image) for image in images])"
TO_ONE_SIZE = "images by `ops.image.resize`, sequences by `utils.pad_sequences`"

# name: (mistake, words that the message must have, words that it may not have)
MISTAKES = {
    "a class of a callback": (
        lambda: dense().fit(
            data(4, 3), data(4, 2), callbacks=[jkeras.callbacks.EarlyStopping], **FIT
        ),
        ["the class EarlyStopping: write `EarlyStopping()`"],
        [],
    ),
    "a list of images": (
        lambda: fit([data(5, 5, 3)] * 4),
        ["`x` is a list of 4 arrays", "pass `np.stack(x)`"],
        ["resize"],
    ),
    "a list of images of different sizes": (
        lambda: fit([data(5 + i, 5, 3) for i in range(4)]),
        ["`x` is a list of 4 arrays", TO_ONE_SIZE, "`np.stack`"],
        [],
    ),
    "a list of images to predict": (
        lambda: dense().predict([data(5 + i, 5, 3) for i in range(4)], verbose=0),
        ["`x` is a list of 4 arrays", TO_ONE_SIZE],
        [],
    ),
    "a list of sequences": (lambda: fit([[1, 2], [1], [1], [1]]), [TO_ONE_SIZE], [".."]),
    "images of Pillow": (
        lambda: fit(pictures((5, 4), (5, 4), (5, 4), (5, 4))),
        ["4 of the sizes (5, 4). ", f"pass `{STACK}`"],
        ["`y` should not be passed", "others"],
    ),
    "images of Pillow of different sizes": (
        lambda: dense().predict(pictures((5, 4), (6, 4), (7, 4), (8, 4)), verbose=0),
        [
            "(5, 4), (6, 4), (7, 4), others",
            STACK.replace("image)", "image.resize((width, height)))"),
        ],
        ["0x"],
    ),
    "one image of Pillow": (
        lambda: dense().predict(pictures((5, 4))[0], verbose=0),
        ["1 of the sizes (5, 4)", "np.asarray"],
        [],
    ),
    "an array of images of different sizes": (
        lambda: fit(ragged((5, 4, 3), (6, 4, 3), (5, 4, 3), (7, 4, 3))),
        ["arrays of the shapes [(5, 4, 3), (6, 4, 3), (7, 4, 3)]", TO_ONE_SIZE],
        ["array(["],
    ),
    "data and labels in a tuple": (
        lambda: dense().fit((data(4, 3), data(4, 2)), **FIT),
        ["`fit(x, y)`"],
        [],
    ),
    "a metric near none": (
        lambda: jkeras.metrics.get("goodness"),
        ["The nearest names are '", "all are in `metrics`"],
        ["Known names"],
    ),
    "an optimizer": (lambda: jkeras.optimizers.get("adm"), ["Did you mean 'adam'?"], ["Known"]),
    "a package without names on first use": (
        lambda: jkeras.applications.Resnet50V2,
        ["Did you mean 'ResNet50V2'?"],
        [],
    ),
    "one layer in place of a list": (
        lambda: jkeras.Sequential(layers.Dense(3)),
        ["one list of layers", "`Sequential([first, second, …])`"],
        [],
    ),
    "an input in place of a list": (
        lambda: jkeras.Sequential(jkeras.Input((3,))),
        ["one list of layers"],
        [],
    ),
    "a callback that is none": (
        lambda: dense().fit(data(4, 3), data(4, 2), callbacks=[NoCallback()], **FIT),
        ["of type NoCallback", "`class Mine(callbacks.Callback):`"],
        [],
    ),
    "a layer in place of its output": (
        lambda: jkeras.Model(jkeras.Input((3,)), layers.Dense(2)),
        ["must be KerasTensors", "`y = layer(x)`"],
        ["Input(shape"],
    ),
    "a layer on a layer": (
        lambda: layers.Dense(2)(layers.Dense(3)),
        ["`layer(inner(x))`"],
        ["keyword"],
    ),
    "an optimizer's class": (
        lambda: dense().compile(jkeras.optimizers.Adam, "mse"),
        ["Write `Adam()`"],
        [],
    ),
    "a recurrent layer on one that gives the end alone": (
        lambda: jkeras.Sequential([jkeras.Input((5, 3)), layers.LSTM(2), layers.LSTM(2)]),
        ["expected ndim=3, found shape=(None, 2)", "`return_sequences=True`"],
        [],
    ),
    "images without channels": (
        lambda: jkeras.Sequential([jkeras.Input((8, 8)), layers.Conv2D(2, 3)]),
        ["expected min_ndim=4", "`x[..., None]`"],
        [],
    ),
    "too many axes": (
        lambda: layers.LSTM(2)(jkeras.Input((5, 3, 2))),
        ["Check the shape of the data"],
        ["return_sequences"],
    ),
    "predictions of places for labels of rows": (in_places, ["`Flatten` or global pooling"], []),
    "one row": (
        lambda: dense().predict(np.zeros(3), verbose=0),
        ["expected shape=(None, 3), found shape=(3,)", "`x[None]`"],
        [],
    ),
    "weights of classes in an array": (
        lambda: dense().fit(data(4, 3), data(4, 2), class_weight=np.ones(2), **FIT),
        ["`dict(enumerate(weights))`"],
        [],
    ),
    "units in quotes": (lambda: layers.Dense("10"), ["units='10'"], []),
    "a metric that is no list": (
        lambda: dense().compile("sgd", "mse", metrics="mae"),
        ["Write `metrics=[…]`"],
        [],
    ),
    "a loss of one argument": (
        lambda: of(lambda y_pred: y_pred),
        ["takes 1 positional argument but 2 were given", "called with `(y_true, y_pred)`"],
        [],
    ),
    "a metric of one argument": (
        lambda: of("mse", [lambda y_pred: y_pred]),
        ["called with `(y_true, y_pred)`"],
        [],
    ),
    "a loss without a value": (
        lambda: of(lambda y_true, y_pred: None),
        ["expected values for the samples, received None", "`return` them"],
        [],
    ),
    "a model without a value": (
        lambda: own(NoReturn()),
        ["None of its `call`", "`return` them"],
        [],
    ),
    "forward in place of call": (
        lambda: own(Forward()),
        ["received forward(self, x)", "the method `call`"],
        [],
    ),
    "pooled to nothing": (
        lambda: layers.MaxPooling2D()(jkeras.Input((1, 1, 1))),
        ["received shape (None, 1, 1, 1)"],
        ["528"],
    ),
} | {
    f"no constructor: {name}": (
        lambda method=method: method(NoConstructor()),
        ["NoConstructor", "forgot to call `super().__init__()`"],
        [],
    )
    for name, method in {
        "compile": lambda model: model.compile("sgd"),
        "fit": lambda model: model.fit(data(2, 3)),
        "evaluate": lambda model: model.evaluate(data(2, 3)),
        "predict": lambda model: model.predict(data(2, 3)),
        "train_on_batch": lambda model: model.train_on_batch(data(2, 3)),
        "summary": lambda model: model.summary(),
        "save": lambda model: model.save("nowhere.keras"),
    }.items()
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_to_write(name):
    mistake, words, others = MISTAKES[name]
    with pytest.raises((ValueError, TypeError, AttributeError, RuntimeError)) as error:
        mistake()
    message = str(error.value)
    assert [word for word in words if word not in message] == [], message
    assert [word for word in others if word in message] == [], message
    assert len(message) < 500


def test_a_loss_of_numpy_is_told_what_to_take():
    with pytest.raises(jax.errors.TracerArrayConversionError) as error:
        of(lambda y_true, y_pred: np.mean(np.square(y_true - y_pred)))
    assert "take `jkeras.ops` or `jax.numpy`" in error.value.__notes__[0]


def test_an_error_within_a_loss_stays_as_it_is():
    with pytest.raises(TypeError, match="^unsupported operand") as error:
        of(lambda y_true, y_pred: y_pred + {})
    assert "called with" not in str(error.value)
