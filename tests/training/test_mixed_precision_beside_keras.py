"""Which weights are rounded to 16 bits, beside Keras: where a model is called, and in `fit`,
`evaluate`, `predict` and `stateless_call`, which run its `call` alone.
"""

import keras
import numpy as np
import pytest

import jkeras

IDS = np.arange(6).reshape(2, 3)
ROWS = np.linspace(-1, 1, 24, dtype="float32").reshape(2, 3, 4)


def reversed_table(library, inputs):
    embedding = library.layers.ReversibleEmbedding(11, 4)
    return embedding(embedding(inputs), reverse=True)


def graph(library, shape, dtype, apply):
    inputs = library.Input(shape, dtype=dtype)
    return library.Model(inputs, apply(inputs))


def tables(library):
    return graph(library, (3,), "int32", lambda x: reversed_table(library, x))


def nested_tables(library):
    return graph(library, (3,), "int32", tables(library))


def subclassed(library):
    class Own(library.Model):
        def __init__(self):
            super().__init__()
            self.w = self.add_weight(shape=(4, 3), name="w")
            self.dense = library.layers.Dense(2)

        def call(self, x):
            return self.dense(library.ops.matmul(x, self.w))

    return Own()


def nested_subclassed(library):
    return graph(library, (3, 4), "float32", subclassed(library))


def uncast_layer(library):
    class Own(library.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(4, 3), name="w")

        def call(self, x):
            return library.ops.matmul(x, self.w)

    return Own(autocast=False)


def uncast(library):
    return graph(library, (3, 4), "float32", uncast_layer(library))


def groups(library):
    return graph(library, (3, 4), "float32", library.layers.GroupNormalization(2))


CASES = [
    (tables, IDS),
    (nested_tables, IDS),
    (subclassed, ROWS),
    (nested_subclassed, ROWS),
    (uncast, ROWS),
    (groups, ROWS),
]


@pytest.fixture(params=["mixed_bfloat16", "float32"])
def policy(request):
    for library in (keras, jkeras):
        library.config.set_dtype_policy(request.param)
    yield request.param
    for library in (keras, jkeras):
        library.config.set_dtype_policy("float32")


def twins(make, x):
    """The model of each library, with the same weights."""
    models = [make(library) for library in (keras, jkeras)]
    for model in models:
        model(x)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=v.shape) for v in models[0].weights]
    for model in models:
        model.set_weights(weights)
    return models


def values(model):
    return [
        [v.value for v in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]


WAYS = {
    "called": lambda model, x: model(x),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "stateless_call": lambda model, x: model.stateless_call(*values(model), x)[0],
}


@pytest.mark.parametrize("make, x", CASES, ids=lambda case: getattr(case, "__name__", ""))
@pytest.mark.parametrize("way", WAYS)
def test_outputs_have_keras_numbers_and_type(make, x, way, policy):
    expected, given = (WAYS[way](model, x) for model in twins(make, x))
    assert str(given.dtype) == str(expected.dtype)
    np.testing.assert_allclose(
        np.asarray(given, "float32"), np.asarray(expected, "float32"), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("make, x", CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_training_is_keras(make, x, policy):
    losses = []
    for library, model in zip((keras, jkeras), twins(make, x)):
        model.compile(library.optimizers.SGD(0.01), "mse")
        y = np.ones(model(x).shape, "float32")
        history = model.fit(x, y, epochs=3, batch_size=2, shuffle=False, verbose=0)
        losses.append([*history.history["loss"], model.evaluate(x, y, verbose=0)])
    np.testing.assert_allclose(*losses, rtol=3e-4)


def sum_of_rows(library):
    class Plain(library.Model):
        def call(self, x):
            return library.ops.sum(x, -1)

    return Plain(activity_regularizer="l2")


def test_the_activity_of_a_model_is_penalized_where_it_is_called():
    """By a step it is not, as in Keras, which runs its `call`."""
    losses = []
    for library in (keras, jkeras):
        model = sum_of_rows(library)
        model.compile("sgd", "mse")
        y = np.zeros((2, 3), "float32")
        losses.append(model.evaluate(ROWS, y, verbose=0))
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


@pytest.mark.parametrize("library", [jkeras, keras], ids=["jkeras", "keras"])
def test_build_inside_a_model_of_mixed_precision_sees_weights_as_they_are_stored(library):
    class Scaled(library.layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 2), name="kernel")
            self.factor = self.add_weight(shape=(2,), dtype=self.kernel.dtype, name="factor")

        def call(self, x):
            return x @ self.kernel * self.factor

    class Model(library.Model):
        def __init__(self):
            super().__init__(dtype="mixed_bfloat16")
            self.scaled = Scaled(dtype="mixed_bfloat16")
            self.spectral = library.layers.SpectralNormalization(
                library.layers.Dense(2, dtype="mixed_bfloat16"), dtype="mixed_bfloat16"
            )

        def call(self, x, training=None):
            return self.spectral(self.scaled(x), training=training)

    model = Model()
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"), verbose=0)
    assert {str(v.dtype) for v in model.weights} == {"float32"}
