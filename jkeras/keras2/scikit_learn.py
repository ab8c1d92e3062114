"""`keras.wrappers.scikit_learn`: models as estimators, made by a function of the program's."""

import copy
import inspect
from typing import Any

import numpy as np

import jkeras
from jkeras.keras2 import tables

__all__ = ["BaseWrapper", "KerasClassifier", "KerasRegressor"]

METHODS = ("fit", "predict", "evaluate")


class BaseWrapper:
    """An estimator of scikit-learn around a function that returns a compiled model.

    Args:
        build_fn: function, or object with `__call__`, that makes the model; None: the subclass has
            `__call__`.
        **sk_params: arguments of `build_fn` and of the methods `fit`, `predict` and `evaluate`.
    """

    _estimator_type = None

    def __init__(self, build_fn=None, **sk_params):
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.check_params(sk_params)

    def check_params(self, params):
        """Raises a ValueError for a name that neither the model's methods nor `build_fn` take."""
        legal = set().union(*map(_arguments, METHODS), _names(self._function()))
        for name in params:
            if name not in legal:
                raise ValueError(f"{name} is not a legal parameter")

    def _function(self):
        """What makes the model."""
        return type(self).__call__ if self.build_fn is None else self.build_fn

    def get_params(self, deep=True) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**copy.deepcopy(self.sk_params), "build_fn": self.build_fn}

    def set_params(self, **params):
        """Changes arguments; returns the estimator."""
        params = dict(params)
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.check_params(params)
        self.sk_params.update(params)
        return self

    def fit(self, x, y, **kwargs):
        """Makes a model and trains it; returns its history."""
        options = {
            key: value for key, value in self.sk_params.items() if key in _names(self._function())
        }
        self.model = self(**options) if self.build_fn is None else self.build_fn(**options)
        if _wants_one_hot(self.model.loss) and np.ndim(y) != 2:
            y = jkeras.utils.to_categorical(y)
        return self.model.fit(x, y, **self.filter_sk_params("fit", kwargs))

    def filter_sk_params(self, method, override=None):
        """The arguments for one of the model's methods, from the constructor's and those of now."""
        names = _arguments(method if isinstance(method, str) else method.__name__)
        own = {key: value for key, value in self.sk_params.items() if key in names}
        return own | (override or {})

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model")

    def __sklearn_tags__(self):
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        kind = self._estimator_type
        return Tags(
            estimator_type=kind,
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags() if kind == "classifier" else None,
            regressor_tags=RegressorTags() if kind == "regressor" else None,
            input_tags=InputTags(),
        )


class KerasClassifier(BaseWrapper):
    """A classifier of scikit-learn; classes are numbered in the order of their values."""

    _estimator_type = "classifier"

    def fit(self, x, y, sample_weight=None, **kwargs):
        """Makes a model and trains it on classes or one-hot rows; returns its history."""
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_, numbers = np.unique(y, return_inverse=True)
            y = numbers.reshape(y.shape)
        self.n_classes_ = len(self.classes_)
        if sample_weight is not None:
            kwargs["sample_weight"] = sample_weight
        return super().fit(x, y, **kwargs)

    def predict(self, x, **kwargs):
        """The class of each sample."""
        outputs = self.model.predict(x, **self.filter_sk_params("predict", kwargs))
        if outputs.shape[-1] > 1:
            return self.classes_[outputs.argmax(axis=-1)]
        return self.classes_[(outputs > 0.5).astype("int32")]

    def predict_proba(self, x, **kwargs):
        """The probability of each class, (samples, classes)."""
        outputs = self.model.predict(x, **self.filter_sk_params("predict", kwargs))
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def score(self, x, y, **kwargs):
        """The mean accuracy.

        Raises:
            ValueError: the model was compiled without "accuracy".
        """
        y = np.searchsorted(self.classes_, y)
        if _wants_one_hot(self.model.loss) and y.ndim != 2:
            y = jkeras.utils.to_categorical(y, self.n_classes_)
        options = self.filter_sk_params("evaluate", kwargs)
        results = self.model.evaluate(x, y, **options, return_dict=True)
        for name in ("accuracy", "acc"):
            if name in results:
                return results[name]
        raise ValueError(
            'The model is not configured to compute accuracy. Pass `metrics=["accuracy"]` to '
            "`model.compile()`."
        )


class KerasRegressor(BaseWrapper):
    """A regressor of scikit-learn."""

    _estimator_type = "regressor"

    def predict(self, x, **kwargs):
        """The output of each sample."""
        outputs = self.model.predict(x, **self.filter_sk_params("predict", kwargs))
        return np.squeeze(outputs, axis=-1)

    def score(self, x, y, **kwargs):
        """The loss with its sign turned: more is better."""
        loss = self.model.evaluate(x, y, **self.filter_sk_params("evaluate", kwargs))
        return -(loss[0] if isinstance(loss, list) else loss)


def _wants_one_hot(loss):
    """Whether a compiled loss is the categorical cross entropy."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", "")
    return name == "categorical_crossentropy"


def _arguments(method):
    """The names of arguments that a method of models takes, today's and old ones."""
    return _names(getattr(jkeras.Model, method)) | set(tables.METHOD_ARGUMENTS.get(method, ()))


def _names(function):
    """The names of a function's arguments."""
    return set(inspect.signature(function).parameters) - {"self", "kwargs"}
