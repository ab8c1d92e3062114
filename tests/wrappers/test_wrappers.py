"""The estimators against scikit-learn's own checks, as far as Keras's pass; warm starts and
arguments.
"""

import unittest

import numpy as np
import pytest
import sklearn.base
from sklearn.utils.estimator_checks import estimator_checks_generator

import jkeras
from jkeras import layers
from jkeras.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer
from tests.thinning import every

RANDOM = "assumes that two fits give the same"
FAIL = {
    "SKLearnClassifier": {
        "check_classifiers_one_label_sample_weights": "samples of weight 0 count",
        "check_classifiers_classes": "a model of a few steps may never give a class",
        "check_classifiers_train": "the outputs are probabilities or logits, one for each class",
        "check_classifier_data_not_an_array": RANDOM,
        "check_supervised_y_2d": RANDOM,
        "check_fit_idempotent": RANDOM,
    },
    "SKLearnRegressor": {},
    "SKLearnTransformer": {},
}


def make(X, y, loss, sizes=(10,)):
    x = jkeras.Input((X.shape[1],))
    hidden = x
    for size in sizes:
        hidden = layers.Dense(size, activation="relu")(hidden)
    model = jkeras.Model(
        x, layers.Dense(y.shape[1] if y.ndim > 1 else 1, activation="softmax")(hidden)
    )
    model.compile("rmsprop", loss)
    return model


ESTIMATORS = [
    SKLearnClassifier(
        make,
        model_kwargs={"loss": "categorical_crossentropy", "sizes": (20, 20)},
        fit_kwargs={"epochs": 5, "verbose": 0},
    ),
    SKLearnRegressor(make, model_kwargs={"loss": "mse"}, fit_kwargs={"verbose": 0}),
    SKLearnTransformer(make, model_kwargs={"loss": "mse"}, fit_kwargs={"verbose": 0}),
]


def cases():
    """(estimator, check) with names that are the same in every process."""
    for estimator in ESTIMATORS:
        kind = type(estimator).__name__
        for i, (made, check) in enumerate(estimator_checks_generator(estimator)):
            name = getattr(check, "func", check).__name__
            marks = (
                [pytest.mark.xfail(reason=FAIL[kind][name], strict=False)]
                if name in FAIL[kind]
                else []
            )
            yield pytest.param(made, check, marks=marks, id=f"{kind}-{i}-{name}")


@pytest.mark.promise("Optuna, Ray Tune and the")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("estimator", "check"), every(4, cases(), slow=2))
def test_checks_of_scikit_learn(estimator, check):
    try:
        check(estimator)
    except unittest.SkipTest as skipped:
        pytest.skip(str(skipped))


def test_warm_start_and_clones():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    X, y = np.random.default_rng(0).normal(size=(16, 3)), np.arange(16.0)
    before = model.get_weights()
    cold = SKLearnRegressor(model, fit_kwargs={"verbose": 0, "epochs": 2}).fit(X, y)
    assert (
        cold.model_ is not model
        and np.array_equal(model.get_weights()[0], before[0])
        and cold.epoch_ == 2
    )
    warm = SKLearnRegressor(model, warm_start=True).fit(X, y, verbose=0)
    assert warm.model_ is model and warm.fit(X, y, verbose=0).model_ is model
    copied = sklearn.base.clone(cold)
    assert copied.fit_kwargs == cold.fit_kwargs and copied.model is not model
    uncompiled = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1)])
    with pytest.raises(RuntimeError, match="compiled"):
        SKLearnRegressor(uncompiled).fit(X, y)
    with pytest.raises(RuntimeError, match="routing"):
        cold.set_fit_request(sample_weight=True)
    with sklearn.config_context(enable_metadata_routing=True):
        assert cold.set_fit_request(sample_weight=True).get_metadata_routing().fit.requests == {
            "sample_weight": True
        }
