"""`fit` and `evaluate` of models that begin with texts: as on what their layers make of them."""

import functools

import numpy as np
import pytest

import jkeras
from jkeras import layers
from tests.thinning import every

TEXTS = ["the cat sat", "a dog ran", "the dog sat", "cats run fast", "a cat ran", "dogs sat"]
LABELS = np.array([[0.0], [1.0], [1.0], [0.0], [0.0], [1.0]], "float32")
KINDS = {
    "a list": TEXTS,
    "an array": np.array(TEXTS),
    "objects": np.array(TEXTS, dtype=object),
    "a column": np.array(TEXTS)[:, None],
}


def vectorizer():
    layer = layers.TextVectorization(output_sequence_length=4)
    layer.adapt(TEXTS)
    return layer


def tail():
    jkeras.utils.set_random_seed(0)
    return [
        layers.Embedding(20, 3, name="embedding"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1, name="dense"),
    ]


def sequential(begin):
    return jkeras.Sequential([begin, vectorizer(), *tail()])


def functional(begin):
    outputs = vectorizer()(begin)
    for layer in tail():
        outputs = layer(outputs)
    return jkeras.Model(begin, outputs)


MAKERS = {
    "sequential": lambda: sequential(jkeras.Input((1,), dtype="string")),
    "functional": lambda: functional(jkeras.Input((1,), dtype="string")),
    "not built": lambda: jkeras.Sequential([vectorizer(), *tail()]),
}
FIT = dict(batch_size=4, epochs=2, verbose=0, seed=1)


def on_tokens():
    tokens = vectorizer()(np.array(TEXTS))
    model = jkeras.Sequential([jkeras.Input((4,), dtype="int32"), *tail()])
    model.compile("adam", "mse", metrics=["mae"])
    return model, tokens


@functools.cache
def of_tokens():
    """(history, evaluation, predictions) of the model on what the layer makes of the texts."""
    model, tokens = on_tokens()
    fit = model.fit(tokens, LABELS, validation_data=(tokens[:3], LABELS[:3]), **FIT)
    evaluated = model.evaluate(tokens, LABELS, verbose=0)
    return fit.history, evaluated, model.predict(tokens, verbose=0)


@pytest.mark.promise("unless the model begins with a layer that does")
@pytest.mark.promise("`TextVectorization`, `StringLookup` and")
@pytest.mark.parametrize("make", every(2, MAKERS))
@pytest.mark.parametrize("kind", KINDS)
def test_fit_on_texts(make, kind):
    expected, evaluated, predicted = of_tokens()
    model = MAKERS[make]()
    model.compile("adam", "mse", metrics=["mae"])
    x = KINDS[kind]
    history = model.fit(x, LABELS, validation_data=(x[:3], LABELS[:3]), **FIT).history
    assert history.keys() == expected.keys()
    for name, values in history.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(x, LABELS, verbose=0), evaluated, 1e-5)
    np.testing.assert_allclose(model.predict(x, verbose=0), predicted, 1e-5)
    model.train_on_batch(x, LABELS)


def test_validation_split_of_texts():
    model = MAKERS["sequential"]()
    model.compile("adam", "mse")
    history = model.fit(np.array(TEXTS), LABELS, validation_split=0.5, **FIT).history
    assert sorted(history) == ["loss", "val_loss"]


@pytest.mark.promise("run on the host, once, before the training")
def test_texts_are_looked_at_once():
    calls = []
    words = jkeras.layers.TextVectorization(
        standardize=lambda texts: calls.append(1) or texts,
        output_sequence_length=4,
        vocabulary=["a", "b"],
    )
    parts = [words, jkeras.layers.Embedding(5, 2), jkeras.layers.Flatten(), jkeras.layers.Dense(1)]
    model = jkeras.Sequential([jkeras.Input((1,), dtype="string"), *parts])
    model.compile("sgd", "mse")
    x = np.array([["a b"], ["b"], ["b a"], ["c"]])
    calls.clear()
    model.fit(x, np.ones((4, 1)), epochs=3, batch_size=2, verbose=0)
    assert len(calls) == 1


def test_a_model_that_was_called_on_texts_is_built(tmp_path):
    """So that its file is written without a warning, and has the weights."""
    words = layers.TextVectorization(max_tokens=9, output_sequence_length=2)
    words.adapt(["the cat", "a dog"])
    model = jkeras.Sequential([words, layers.Embedding(9, 3), layers.Flatten(), layers.Dense(1)])
    assert not model.built
    texts = np.array([["the dog"]], dtype=object)
    outputs = model(texts)
    assert model.built
    model.save(tmp_path / "texts.keras")
    np.testing.assert_array_equal(
        jkeras.models.load_model(tmp_path / "texts.keras")(texts), outputs
    )


@pytest.mark.parametrize("kind", ["an array", "objects", "a column"])
def test_one_batch_of_texts_is_predicted_as_all_are(kind):
    model = MAKERS["functional"]()
    expected = model.predict(KINDS[kind], verbose=0)
    np.testing.assert_array_equal(model.predict_on_batch(KINDS[kind]), expected)
