# Written by `python -m tests.make_stubs`.
from typing import Any
import jax
from jkeras.metrics.accuracy import Accuracy as Accuracy
from jkeras.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from jkeras.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from jkeras.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from jkeras.metrics.accuracy import SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy
from jkeras.metrics.accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
from jkeras.metrics.auc import AUC as AUC
from jkeras.metrics.base import Accumulator as Accumulator
from jkeras.metrics.base import Metric as Metric
from jkeras.metrics.base import StateSpec as StateSpec
from jkeras.metrics.confusion import FalseNegatives as FalseNegatives
from jkeras.metrics.confusion import FalsePositives as FalsePositives
from jkeras.metrics.confusion import Precision as Precision
from jkeras.metrics.confusion import PrecisionAtRecall as PrecisionAtRecall
from jkeras.metrics.confusion import Recall as Recall
from jkeras.metrics.confusion import RecallAtPrecision as RecallAtPrecision
from jkeras.metrics.confusion import SensitivityAtSpecificity as SensitivityAtSpecificity
from jkeras.metrics.confusion import SpecificityAtSensitivity as SpecificityAtSensitivity
from jkeras.metrics.confusion import TrueNegatives as TrueNegatives
from jkeras.metrics.confusion import TruePositives as TruePositives
from jkeras.metrics.iou import BinaryIoU as BinaryIoU
from jkeras.metrics.iou import IoU as IoU
from jkeras.metrics.iou import MeanIoU as MeanIoU
from jkeras.metrics.iou import OneHotIoU as OneHotIoU
from jkeras.metrics.iou import OneHotMeanIoU as OneHotMeanIoU
from jkeras.metrics.reduction import Mean as Mean
from jkeras.metrics.reduction import MeanMetricWrapper as MeanMetricWrapper
from jkeras.metrics.reduction import Sum as Sum
from jkeras.metrics.scores import F1Score as F1Score
from jkeras.metrics.scores import FBetaScore as FBetaScore
from jkeras.metrics.scores import R2Score as R2Score
from jkeras.metrics.serialization import deserialize as deserialize
from jkeras.metrics.serialization import get as get
from jkeras.metrics.serialization import serialize as serialize
from jkeras.metrics.wrapped import BinaryCrossentropy as BinaryCrossentropy
from jkeras.metrics.wrapped import CategoricalCrossentropy as CategoricalCrossentropy
from jkeras.metrics.wrapped import CategoricalHinge as CategoricalHinge
from jkeras.metrics.wrapped import ConcordanceCorrelation as ConcordanceCorrelation
from jkeras.metrics.wrapped import CosineSimilarity as CosineSimilarity
from jkeras.metrics.wrapped import Hinge as Hinge
from jkeras.metrics.wrapped import KLDivergence as KLDivergence
from jkeras.metrics.wrapped import LogCoshError as LogCoshError
from jkeras.metrics.wrapped import MeanAbsoluteError as MeanAbsoluteError
from jkeras.metrics.wrapped import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from jkeras.metrics.wrapped import MeanSquaredError as MeanSquaredError
from jkeras.metrics.wrapped import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from jkeras.metrics.wrapped import PearsonCorrelation as PearsonCorrelation
from jkeras.metrics.wrapped import Poisson as Poisson
from jkeras.metrics.wrapped import RootMeanSquaredError as RootMeanSquaredError
from jkeras.metrics.wrapped import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from jkeras.metrics.wrapped import SquaredHinge as SquaredHinge

def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> jax.Array: ...
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array: ...
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array: ...
def categorical_accuracy(y_true: Any, y_pred: Any) -> jax.Array: ...
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array: ...
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array: ...
def categorical_hinge(y_true: Any, y_pred: Any) -> jax.Array: ...
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array: ...
def hinge(y_true: Any, y_pred: Any) -> jax.Array: ...
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> jax.Array: ...
def kl_divergence(y_true: Any, y_pred: Any) -> jax.Array: ...
def log_cosh(y_true: Any, y_pred: Any) -> jax.Array: ...
def mean_absolute_error(y_true: Any, y_pred: Any) -> jax.Array: ...
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> jax.Array: ...
def mean_squared_error(y_true: Any, y_pred: Any) -> jax.Array: ...
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> jax.Array: ...
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array: ...
def poisson(y_true: Any, y_pred: Any) -> jax.Array: ...
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> jax.Array: ...
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> jax.Array: ...
def sparse_top_k_categorical_accuracy(
    y_true: Any,
    y_pred: Any,
    k: int = 5,
    from_sorted_ids: bool = False,
) -> jax.Array: ...
def squared_hinge(y_true: Any, y_pred: Any) -> jax.Array: ...
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> jax.Array: ...
