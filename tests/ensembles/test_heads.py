"""Ensembles of models with several outputs, outputs per token, and a mean and a variance."""

import numpy as np
import pytest

import jkeras
from jkeras import layers, uncertainty
from jkeras.training import init_train_state

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(20, 4, 3)).astype("float32")
Y = [RANDOM.integers(0, 3, (20, 4)), RANDOM.normal(size=(20, 1)).astype("float32")]
OPTIONS = {"epochs": 2, "batch_size": 8, "verbose": 0}


def build():
    inputs = jkeras.Input((4, 3))
    hidden = layers.Dense(6, "tanh")(inputs)
    tags = layers.Dense(3, "softmax", name="tags")(hidden)
    size = layers.Dense(2, name="size")(layers.GlobalAveragePooling1D()(hidden))
    model = jkeras.Model(inputs, [tags, size])
    loss = uncertainty.losses.GaussianNegativeLogLikelihood()
    metrics = {"tags": "accuracy", "size": uncertainty.metrics.ContinuousRankedProbabilityScore()}
    model.compile("adam", ["sparse_categorical_crossentropy", loss], metrics=metrics)
    return model


@pytest.fixture(scope="module")
def trained():
    model = build()
    return model, model.fit(X, Y, ensemble=3, seed=5, **OPTIONS)


@pytest.mark.promise("are trained as those of one model")
def test_a_member_of_several_heads_is_a_fit_alone(trained):
    model, history = trained
    alone = build()
    alone.load_train_state(init_train_state(alone, 5 + 2))
    of_one = alone.fit(X, Y, seed=5 + 2, **OPTIONS).history
    for name, values in of_one.items():
        members = history.history[f"{name}_members"]
        np.testing.assert_allclose([epoch[2] for epoch in members], values, rtol=1e-4, atol=1e-5)
    found = model.predict(X, members=True, verbose=0)
    for one, other in zip(found, alone.predict(X, verbose=0), strict=True):
        np.testing.assert_allclose(one[2], other, atol=1e-5)


@pytest.mark.promise("that is a mixture, whose variance")
def test_what_members_say_together(trained):
    model, _ = trained
    tags, size = model.predict(X, members=True, verbose=0)
    assert tags.shape == (3, 20, 4, 3) and size.shape == (3, 20, 2)
    mean, variance = uncertainty.as_gaussian(size)
    together = uncertainty.mixture(mean, variance)
    draws = RANDOM.normal(mean, np.sqrt(variance), (40_000, *mean.shape)).reshape(-1, 20, 1)
    np.testing.assert_allclose(together.mean, draws.mean(0), atol=0.03)
    np.testing.assert_allclose(together.variance, draws.var(0), rtol=0.05)
    parts = uncertainty.decomposition(tags)
    assert parts.total.shape == (20, 4)
    _, averaged = model.predict(X, verbose=0)
    assert (np.asarray(together.variance) >= uncertainty.as_gaussian(averaged)[1] - 1e-6).all()
