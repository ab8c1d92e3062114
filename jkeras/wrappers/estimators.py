"""Models as estimators of scikit-learn: SKLearnClassifier, SKLearnRegressor, SKLearnTransformer."""

import copy
from typing import Any, Self

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from jkeras.core.names.registry import public
from jkeras.models import Model, clone_model


class ModelEstimator(BaseEstimator):
    """Base of the estimators.

    Args: those that all share.
        model: a compiled `Model`, which is cloned before it is fitted, or a function
            `(X, y, **model_kwargs)` that returns one.
        warm_start: go on with the weights of the last `fit`; a given model is not cloned.
        model_kwargs: for the function.
        fit_kwargs: for `model.fit`; those given to `fit` here come first.

    After `fit`, `model_` is the model and `history_` its `History`.
    """

    def __init__(
        self,
        model: Any,
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    def __sklearn_clone__(self) -> Self:
        model = self.model
        if isinstance(model, Model):
            model = copy.deepcopy(model)
        return type(self)(model, self.warm_start, self.model_kwargs, self.fit_kwargs)

    @property
    def epoch_(self) -> int:
        """The number of epochs of the last `fit`."""
        if not hasattr(self, "history_"):
            return 0
        return len(self.history_.epoch)

    def set_fit_request(self, **kwargs: Any) -> Self:
        """Says which metadata `fit` asks a pipeline for: names with True, False, None or an alias.

        Raises:
            RuntimeError: metadata routing is not switched on in scikit-learn.
        """
        if not sklearn.get_config().get("enable_metadata_routing", False):
            raise RuntimeError(
                "scikit-learn has this method where metadata are routed: "
                "`sklearn.set_config(enable_metadata_routing=True)`."
            )
        self._metadata_request = MetadataRequest(owner=self)
        for name, alias in kwargs.items():
            self._metadata_request.fit.add_request(param=name, alias=alias)
        return self

    def _model_for(self, X: Any, y: Any) -> Any:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if not isinstance(self.model, Model):
            return self.model(X=X, y=y, **(self.model_kwargs or {}))
        if self.warm_start:
            return self.model
        clone = clone_model(self.model)
        if self.model.compiled and not clone.compiled:
            clone.compile_from_config(self.model.stored_compile_config())
        return clone

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Self:
        """Fits the model.

        Args:
            X: array (samples, features).
            y: array (samples,).
            **kwargs: for `model.fit`.

        Raises:
            RuntimeError: the model is not compiled.
        """
        X, y = validate_data(self, X, y)
        targets = self._targets(y)
        model = self._model_for(X, targets)
        if not model.compiled or not model.loss or not model.optimizer:
            raise RuntimeError("Expected a compiled model, with a loss and an optimizer.")
        self.history_ = model.fit(X, targets, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def _targets(self, y: Any) -> np.ndarray:
        """Targets as the model is trained on them."""
        kind = type_of_target(y)
        if kind == "unknown":
            raise ValueError(f"Unknown label type for data: {y!r}")
        return y.reshape(-1, 1)

    def _outputs(self, X: Any) -> np.ndarray:
        """What the model predicts."""
        check_is_fitted(self)
        return self.model_.predict(validate_data(self, X, reset=False), verbose=0)

    def predict(self, X: Any) -> np.ndarray:
        """The model's prediction, (samples,) where it is one number for each."""
        outputs = self._outputs(X)
        if outputs.ndim == 2 and outputs.shape[1] == 1:
            return outputs[:, 0]
        return outputs


@public("keras.wrappers.SKLearnClassifier")
class SKLearnClassifier(ClassifierMixin, ModelEstimator):
    """A model as a classifier of scikit-learn: labels are one-hot for the model, which has one
    output for each class.

    Args:
        model: a compiled `Model`, which is cloned before it is fitted, or a function
            `(X, y, **model_kwargs)` that returns one.
        warm_start: go on with the weights of the last `fit`; a given model is not cloned.
        model_kwargs: for the function.
        fit_kwargs: for `model.fit`; those given to `fit` here come first.

    After `fit`, `classes_` are the labels.

    >>> import jkeras
    >>> def make(X, y):
    ...     layer = jkeras.layers.Dense(y.shape[1], "softmax")
    ...     model = jkeras.Sequential([jkeras.Input(X.shape[1:]), layer])
    ...     model.compile("adam", "categorical_crossentropy")
    ...     return model
    >>> classifier = SKLearnClassifier(make, fit_kwargs={"verbose": 0})
    >>> classifier = classifier.fit(np.eye(4), ["a", "b", "a", "b"])
    >>> classifier.classes_.tolist(), classifier.predict(np.eye(4)).shape
    (['a', 'b'], (4,))
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def _targets(self, y: Any) -> np.ndarray:
        kind = type_of_target(y)
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                f"Unknown label type: {kind}. Expected classes: two, or several of which each "
                "row has one."
            )
        self.classes_ = np.unique(y)
        if len(self.classes_) == 1:
            raise ValueError(
                "A classifier learns to tell two classes or more apart; there is one class in `y`."
            )
        return (y[:, None] == self.classes_).astype("float32")

    def decision_function(self, X: Any) -> np.ndarray:
        """The model's outputs, one for each class."""
        return self._outputs(X)

    def predict(self, X: Any) -> np.ndarray:
        """The label with the largest output."""
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(axis=1)]


@public("keras.wrappers.SKLearnRegressor")
class SKLearnRegressor(RegressorMixin, ModelEstimator):
    """A model as a regressor of scikit-learn.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: as for `SKLearnClassifier`.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1)])
    >>> model.compile(jkeras.optimizers.SGD(0.1), "mse")
    >>> regressor = SKLearnRegressor(model, fit_kwargs={"verbose": 0, "epochs": 200})
    >>> regressor = regressor.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> regressor.predict([[3.0]]).round(1).tolist()
    [7.0]
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


@public("keras.wrappers.SKLearnTransformer")
class SKLearnTransformer(TransformerMixin, ModelEstimator):
    """A model whose outputs are new features, as a transformer of scikit-learn.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: as for `SKLearnClassifier`.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(3, "softmax")])
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> transformer = SKLearnTransformer(model, fit_kwargs={"verbose": 0})
    >>> transformer.fit(np.ones((8, 2)), np.arange(8) % 3).transform([[1.0, 1.0]]).shape
    (1, 3)
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def transform(self, X: Any) -> Any:
        """The model's outputs."""
        return self._outputs(X)
