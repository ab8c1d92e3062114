"""Logits taken for probabilities, and the other way round: told once, where the graph of a model
shows it.
"""

import warnings

import numpy as np
import pytest

import jkeras
from jkeras import layers, losses, ops

X = np.ones((8, 4), "float32")
Y = np.arange(8) % 2


def said(make, loss, y=Y, times=1):
    """What is warned of while a model is evaluated."""
    x = jkeras.Input((4,))
    model = jkeras.Model(x, make(x))
    model.compile("sgd", loss, run_eagerly=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(times):
            model.evaluate(X, y, verbose=0)
    return [str(one.message) for one in caught]


def part(*made):
    return jkeras.Sequential([jkeras.Input((4,)), *made])


def sparse(from_logits):
    return losses.SparseCategoricalCrossentropy(from_logits=from_logits)


ENDS = {
    "no activation": (layers.Dense(2), True),
    "linear": (layers.Dense(2, activation="linear"), True),
    "a layer Activation('linear')": (part(layers.Dense(2), layers.Activation("linear")), True),
    "a model in the model": (part(part(layers.Dense(2))), True),
    "another shape": (part(layers.Dense(4), layers.Reshape((2, 2)), layers.Permute((2, 1))), True),
    "at each time": (part(layers.Reshape((2, 2)), layers.TimeDistributed(layers.Dense(2))), True),
    "softmax": (layers.Dense(2, activation="softmax"), False),
    "sigmoid": (layers.Dense(2, activation="sigmoid"), False),
    "a layer Softmax": (part(layers.Dense(2), layers.Softmax()), False),
    "a layer Activation('softmax')": (part(layers.Dense(2), layers.Activation("softmax")), False),
    "an op": (lambda x: ops.softmax(layers.Dense(2)(x)), False),
    "of float32 behind mixed precision": (
        part(layers.Dense(2), layers.Activation("softmax", dtype="float32")),
        False,
    ),
}


@pytest.mark.promise("a loss and the end of the model that do not agree")
@pytest.mark.parametrize("end", ENDS)
def test_an_end_that_the_loss_takes_for_something_else(end):
    make, are_logits = ENDS[end]
    y = np.eye(2, dtype=int)[Y] if end in ("another shape", "at each time") else Y
    (text,) = said(make, sparse(not are_logits), y, times=2)
    assert ("gives logits" in text) == are_logits
    assert ("gives probabilities" in text) != are_logits
    assert "from_logits=True" in text
    assert said(make, sparse(are_logits), y) == []


@pytest.mark.parametrize(
    "loss, words",
    [
        ("sparse_categorical_crossentropy", "losses.SparseCategoricalCrossentropy(from_logits"),
        (losses.sparse_categorical_crossentropy, "activation='softmax'"),
        ("crossentropy", "losses.SparseCategoricalCrossentropy(from_logits"),
        ("binary_crossentropy", "losses.BinaryCrossentropy(from_logits"),
        ("binary_focal_crossentropy", "activation='sigmoid'"),
        ("categorical_crossentropy", "losses.CategoricalCrossentropy(from_logits"),
        ("categorical_focal_crossentropy", "activation='softmax'"),
    ],
)
def test_what_to_write(loss, words):
    takes_classes = "sparse" in str(loss) or loss == "crossentropy"
    y = Y if takes_classes else np.eye(2, dtype="float32")[Y]
    (text,) = said(layers.Dense(2), loss, y)
    assert words in text


class Own(layers.Layer):
    """Nobody knows what it gives."""

    def call(self, x):
        return ops.softmax(x)


class OwnDense(layers.Dense):
    """Of a user's: it may do anything."""


class OwnLoss(jkeras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(y_pred)


@pytest.mark.parametrize(
    "make",
    [
        part(layers.Dense(2), Own()),
        OwnDense(2),
        layers.Dense(2, activation=lambda x: ops.softmax(x)),
        layers.Dense(2, activation="relu"),
        layers.Dense(2, kernel_constraint="non_neg"),
        lambda x: layers.Dense(2)(x) / 2,
        layers.Lambda(lambda x: x[:, :2]),
    ],
    ids=["own layer", "own class", "own function", "relu", "constraint", "arithmetic", "lambda"],
)
def test_nothing_is_guessed(make):
    assert said(make, sparse(False)) == said(make, sparse(True)) == []


class Subclass(jkeras.Model):
    def __init__(self, end=ops.softmax):
        super().__init__()
        self.head, self.end = layers.Dense(2), end

    def call(self, x):
        return self.end(self.head(ops.sigmoid(x)))


@pytest.mark.promise("a loss and the end of the model that do not agree")
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("end", [ops.softmax, ops.sigmoid, jkeras.activations.sigmoid])
def test_an_activation_at_the_end_of_a_call_of_ones_own(end, from_logits):
    """Known while the step is traced; told once for all shapes of batches."""
    model = Subclass(end)
    model.compile("sgd", sparse(from_logits))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model.fit(X, Y, batch_size=3, epochs=2, verbose=0)
    texts = [str(one.message) for one in caught]
    assert len(texts) == from_logits
    words = f"The model: a {end.__name__} at its end gives probabilities"
    assert all(words in text for text in texts)


class Called(jkeras.Model):
    """Gives what its last part gives."""

    def __init__(self, end):
        super().__init__()
        self.end = end

    def call(self, x):
        return self.end(x)


CALLED = {
    "no activation": (layers.Dense(2), True, "(Dense without an activation)"),
    "sigmoid": (layers.Dense(2, "sigmoid"), False, "(sigmoid)"),
    "a model in the model": (part(layers.Dense(3), layers.Dense(2)), True, "without an activation"),
    "a layer of ones own": (Called(layers.Dense(2)), True, "without an activation"),
}


@pytest.mark.promise("a loss and the end of the model that do not agree")
@pytest.mark.parametrize("end", CALLED)
def test_what_a_call_of_ones_own_returns_as_a_layer_gave_it(end):
    made, are_logits, words = CALLED[end]
    model = Called(made)
    model.compile("sgd", sparse(not are_logits))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model.fit(X, Y, batch_size=3, epochs=2, verbose=0)
    (text,) = [str(one.message) for one in caught if "loss of epoch" not in str(one.message)]
    assert words in text and ("gives logits" in text) == are_logits


def test_each_output_of_a_call_of_ones_own_has_its_loss():
    class Two(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = layers.Dense(2), layers.Dense(2)

        def call(self, x):
            c = ops.sigmoid(self.b(x))
            return {"a": self.a(x), "b": ops.softmax(self.b(x)), "c": c, "d": ops.sigmoid(c)}

    model = Two()
    model.compile("sgd", {"a": sparse(False), "b": sparse(False), "c": sparse(True)})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model.fit(X, {"a": Y, "b": Y, "c": Y}, verbose=0)
    texts = [str(one.message) for one in caught]
    assert len([text for text in texts if "without an activation) gives logits" in text]) == 1
    assert len([text for text in texts if "a sigmoid at its end gives" in text]) == 1
    assert len(texts) == 2


def test_nothing_is_guessed_of_models_of_ones_own():
    x = jkeras.Input((4,))
    for model in (Subclass(), OwnLoss(x, layers.Dense(2)(x))):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.evaluate(X, Y, verbose=0)


def test_each_output_has_its_loss():
    x = jkeras.Input((4,))
    outputs = {"b": layers.Dense(2, name="b")(x), "a": layers.Dense(2, "softmax", name="a")(x)}
    model = jkeras.Model(x, outputs)
    labels = {"a": Y, "b": Y}
    model.compile("sgd", {"a": sparse(False), "b": sparse(True)})
    model.evaluate(X, labels, verbose=0)
    model.compile("sgd", {"a": sparse(False), "b": sparse(False)})
    with pytest.warns(
        UserWarning, match="'b' .Dense without an activation. gives logits"
    ) as caught:
        model.fit(X, labels, batch_size=3, epochs=2, verbose=0)
    assert len(caught) == 1 and caught[0].filename == __file__
