"""Metrics: numbers gathered over batches. Each is a pure `init / update / result_of / merge` and a Keras object."""

import inspect

from jkeras.core.registry import Family, public
from jkeras.core.settings import snake_case
from jkeras.losses import (binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy,
                           categorical_focal_crossentropy, categorical_hinge, hinge, huber, kl_divergence, log_cosh,
                           mean_absolute_error, mean_absolute_percentage_error, mean_squared_error,
                           mean_squared_logarithmic_error, poisson, sparse_categorical_crossentropy, squared_hinge)
from jkeras.metrics.accuracy import (Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy,
                                     SparseTopKCategoricalAccuracy, TopKCategoricalAccuracy, binary_accuracy,
                                     categorical_accuracy, sparse_categorical_accuracy,
                                     sparse_top_k_categorical_accuracy, top_k_categorical_accuracy)
from jkeras.metrics.auc import AUC
from jkeras.metrics.base import Accumulator, Metric, StateSpec
from jkeras.metrics.confusion import (FalseNegatives, FalsePositives, Precision, PrecisionAtRecall, Recall,
                                      RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity,
                                      TrueNegatives, TruePositives)
from jkeras.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from jkeras.metrics.reduction import Mean, MeanMetricWrapper, Sum
from jkeras.metrics.scores import F1Score, FBetaScore, R2Score
from jkeras.metrics.wrapped import (BinaryCrossentropy, CategoricalCrossentropy, CategoricalHinge,
                                    ConcordanceCorrelation, CosineSimilarity, Hinge, KLDivergence, LogCoshError,
                                    MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
                                    MeanSquaredLogarithmicError, PearsonCorrelation, Poisson, RootMeanSquaredError,
                                    SparseCategoricalCrossentropy, SquaredHinge, concordance_correlation,
                                    pearson_correlation)

_classes = (AUC, Accuracy, BinaryAccuracy, BinaryCrossentropy, BinaryIoU, CategoricalAccuracy, CategoricalCrossentropy,
            CategoricalHinge, ConcordanceCorrelation, CosineSimilarity, F1Score, FBetaScore, FalseNegatives,
            FalsePositives, Hinge, IoU, KLDivergence, LogCoshError, Mean, MeanAbsoluteError,
            MeanAbsolutePercentageError, MeanIoU, MeanMetricWrapper, MeanSquaredError, MeanSquaredLogarithmicError,
            Metric, OneHotIoU, OneHotMeanIoU, PearsonCorrelation, Poisson, Precision, PrecisionAtRecall, R2Score,
            Recall, RecallAtPrecision, RootMeanSquaredError, SensitivityAtSpecificity, SparseCategoricalAccuracy,
            SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy, SpecificityAtSensitivity, SquaredHinge, Sum,
            TopKCategoricalAccuracy, TrueNegatives, TruePositives)
_functions = (binary_accuracy, binary_crossentropy, binary_focal_crossentropy, categorical_accuracy,
              categorical_crossentropy, categorical_focal_crossentropy, categorical_hinge, concordance_correlation,
              hinge, huber, kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error,
              mean_squared_error, mean_squared_logarithmic_error, pearson_correlation, poisson,
              sparse_categorical_accuracy, sparse_categorical_crossentropy, sparse_top_k_categorical_accuracy,
              squared_hinge, top_k_categorical_accuracy)
_short = {"bce": BinaryCrossentropy, "mse": MeanSquaredError, "mae": MeanAbsoluteError,
          "mape": MeanAbsolutePercentageError, "msle": MeanSquaredLogarithmicError}
_family = Family("metrics", "metric", {**{cls.__name__: cls for cls in _classes},
                                       **{snake_case(cls.__name__): cls for cls in _classes}, **_short,
                                       **{name.upper(): cls for name, cls in _short.items()}})


@public("keras.metrics.get")
def get(identifier):
    """The metric that a name, config, class or function stands for; None for None.

    Args:
        identifier: "mse", "mean_squared_error", "MeanSquaredError", a config, a `Metric`, a function.

    >>> get("AUC").name
    'auc'
    """
    return _family.get(identifier)


@public("keras.metrics.serialize")
def serialize(metric):
    """The config of a metric object or function.

    >>> serialize(Mean())["config"]
    {'name': 'mean', 'dtype': 'float32'}
    """
    return _family.serialize(metric)


@public("keras.metrics.deserialize")
def deserialize(config, custom_objects=None):
    """The metric object or function of a config or name.

    Args:
        custom_objects: dict from names to metrics of yours.

    >>> deserialize(serialize(Mean(name="m"))).name
    'm'
    """
    found = _family.deserialize(config, custom_objects)
    return found() if inspect.isclass(found) else found


__all__ = ["Accumulator", "StateSpec", "deserialize", "get", "serialize", *(f.__name__ for f in _classes + _functions)]
