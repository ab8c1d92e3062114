"""Each number that can be searched, traced, gives what it gives as a constant."""

import numpy as np
import pytest

import jkeras
from jkeras import layers, losses, optimizers, regularizers, search
from jkeras.search.numbers import numbers_of
from tests.search.models import assert_same, classes, classifier, dropping, lonely
from jkeras.training.step.building import build_for_training


def embedded(inner):
    """A compiled classifier of series."""
    model = jkeras.Sequential(
        [jkeras.Input((4,)), layers.Reshape((4, 1)), *inner, layers.Dense(3, "softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def attention(rate):
    x = inputs = jkeras.Input((4,))
    x = layers.Dense(4)(layers.Reshape((4, 1))(x))
    x = layers.MultiHeadAttention(2, 2, dropout=rate)(x, x)
    model = jkeras.Model(inputs, layers.Dense(3, "softmax")(layers.Flatten()(x)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def two_outputs(weight):
    x = jkeras.Input((4,))
    outputs = [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)]
    model = jkeras.Model(x, outputs)
    model.compile("sgd", ["mse", "mae"], loss_weights=[1.0, weight])
    return model


def penalized(factor):
    return classifier(inner=[layers.Dense(5, kernel_regularizer=regularizers.L1L2(0.0, factor))])


TABLE = {
    "learning_rate": ((0.1, 1e-3), lambda v: classifier(optimizers.Adam(v))),
    "momentum": ((0.0, 0.9), lambda v: classifier(optimizers.SGD(0.05, momentum=v))),
    "weight_decay": ((0.0, 0.1), lambda v: classifier(optimizers.Adam(0.1, weight_decay=v))),
    "clipnorm": ((0.01, 10.0), lambda v: classifier(optimizers.SGD(0.1, clipnorm=v))),
    "dropout": ((0.0, 0.4), dropping),
    "l2": ((0.0, 0.1), penalized),
    "loss_weights.b": ((0.0, 2.0), two_outputs),
}
SLOW = {
    "beta_1": ((0.5, 0.9), lambda v: classifier(optimizers.Adam(beta_1=v))),
    "rho": ((0.5, 0.9), lambda v: classifier(optimizers.RMSprop(rho=v))),
    "gaussian_dropout.rate": (
        (0.0, 0.4),
        lambda v: classifier(inner=[layers.GaussianDropout(v)]),
    ),
    "stddev": ((0.0, 0.4), lambda v: classifier(inner=[layers.GaussianNoise(v)])),
    "alpha_dropout.rate": ((0.0, 0.4), lambda v: classifier(inner=[layers.AlphaDropout(v)])),
    "batch_normalization.momentum": (
        (0.5, 0.9),
        lambda v: classifier(inner=[layers.BatchNormalization(momentum=v)]),
    ),
    "multi_head_attention.dropout": ((0.0, 0.4), attention),
    "gru.recurrent_dropout": (
        (0.0, 0.4),
        lambda v: embedded([layers.GRU(3, recurrent_dropout=v)]),
    ),
}


def check(name, values, build, y):
    """A sweep over values that no model here is made with is what trainings with them are."""
    x = classes(36)[0]
    data = {"batch_size": 8, "epochs": 2, "validation_data": (x[:10], y[:10])}
    if isinstance(y, list):
        data["validation_data"] = x[:10], [part[:10] for part in y]
    space = {name: list(values), "seed": [3]}
    result = search.sweep(lambda: build(0.25), x, y, space=space, **data)
    assert result.compiles == 1
    for trial, value in enumerate(values):
        assert_same(result, trial, lonely(build(value), x, y, seed=3, **data))
    spreads = [np.ptp(logs[:, -1]) for logs in result.history.values()]
    assert max(spreads) > 1e-4  # the number counts


@pytest.mark.promise("the factor of all regularizers")
@pytest.mark.promise("the rate of all dropout")
@pytest.mark.promise("… | the optimizer's number")
@pytest.mark.parametrize("name", TABLE)
def test_traced_is_as_constant(name):
    values, build = TABLE[name]
    y = classes(36)[1]
    check(name, values, build, [y * 1.0, y * 1.0] if name == "loss_weights.b" else y)


@pytest.mark.promise("one alone, by its path")
@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_traced_is_as_constant_elsewhere(name):
    check(name, *SLOW[name], classes(36)[1])


@pytest.mark.promise("of all losses that were")
def test_label_smoothing():
    x, y = classes(36)
    y = np.eye(3, dtype="float32")[y]

    def build(share):
        return classifier(loss=losses.CategoricalCrossentropy(label_smoothing=share))

    check("label_smoothing", (0.0, 0.2), build, y)


def test_numbers_are_put_back_after_a_trace():
    model = dropping(0.3)
    build_for_training(model)
    before = [number.read() for number in numbers_of(model)]
    search.sweep(lambda: model, *classes(36), space={"dropout": [0.1], "beta_1": [0.5]})
    assert [number.read() for number in numbers_of(model)] == before


@pytest.mark.promise("A name that the model has")
def test_an_unknown_name_lists_what_can_be_searched():
    x, y = classes(36)
    with pytest.raises(ValueError, match=r"'dropuot'.*optimizer.beta_1.*dropout.rate.*mean 'dropo"):
        search.sweep(dropping, x, y, space={"dropuot": [0.1]})


@pytest.mark.promise("A dropout layer must be")
def test_noise_that_is_off_is_refused():
    with pytest.raises(ValueError, match="dropout.rate: expected noise.*rate=0.*any other rate"):
        search.sweep(lambda: dropping(0), *classes(36), space={"dropout": [0.1]})


@pytest.mark.parametrize("value", [-0.1, 1.0, None, "0.1", True])
def test_values_that_cannot_be_a_rate_are_refused(value):
    with pytest.raises(ValueError, match="'dropout'"):
        search.sweep(dropping, *classes(36), space={"dropout": [value]})


def test_a_schedule_has_no_rate_to_search():
    schedule = optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    with pytest.raises(ValueError, match="'learning_rate', which is no number of the model"):
        search.sweep(
            lambda: classifier(optimizers.SGD(schedule)),
            *classes(36),
            space={"learning_rate": [0.1]},
        )


class Choosing(layers.Layer):
    """A layer that decides in Python by a number."""

    def __init__(self, gain=2.0, **options):
        super().__init__(**options)
        self.gain = gain

    def call(self, x):
        return x * self.gain if self.gain > 1 else x


@pytest.mark.promise("Numbers by which a layer")
def test_a_decision_by_a_traced_number_is_explained():
    with pytest.raises(ValueError, match="decides in Python.*argument of the function"):
        search.sweep(
            lambda: classifier(inner=[Choosing()]), *classes(36), space={"gain": [0.5, 2.0]}
        )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"privacy": jkeras.privacy.DPSGD(noise_multiplier=1.0, delta=1e-3)}, "privacy.best_of"),
        ({"run_eagerly": True}, "without `run_eagerly`"),
    ],
)
def test_models_that_a_sweep_does_not_train(options, message):
    def make(rate):
        model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
        model.compile(jkeras.optimizers.SGD(rate), "mse", **options)
        return model

    with pytest.raises(ValueError, match=message):
        jkeras.search.sweep(make, np.ones((4, 2)), np.ones((4, 1)), space={"rate": [0.1, 0.2]})
