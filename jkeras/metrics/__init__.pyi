# Written by `python -m tests.make_stubs`.
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.weights.types import Operand, TensorLike
from typing import overload
import jax
from jkeras.losses import binary_crossentropy as binary_crossentropy
from jkeras.losses import binary_focal_crossentropy as binary_focal_crossentropy
from jkeras.losses import categorical_crossentropy as categorical_crossentropy
from jkeras.losses import categorical_focal_crossentropy as categorical_focal_crossentropy
from jkeras.losses import categorical_hinge as categorical_hinge
from jkeras.losses import hinge as hinge
from jkeras.losses import huber as huber
from jkeras.losses import kl_divergence as kl_divergence
from jkeras.losses import log_cosh as log_cosh
from jkeras.losses import mean_absolute_error as mean_absolute_error
from jkeras.losses import mean_absolute_percentage_error as mean_absolute_percentage_error
from jkeras.losses import mean_squared_error as mean_squared_error
from jkeras.losses import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from jkeras.losses import poisson as poisson
from jkeras.losses import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from jkeras.losses import squared_hinge as squared_hinge
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

@overload
def binary_accuracy(
    y_true: KerasTensor,
    y_pred: Operand,
    threshold: float = 0.5,
) -> KerasTensor: ...
@overload
def binary_accuracy(
    y_true: TensorLike,
    y_pred: KerasTensor,
    threshold: float = 0.5,
) -> KerasTensor: ...
@overload
def binary_accuracy(
    y_true: TensorLike,
    y_pred: TensorLike,
    threshold: float = 0.5,
) -> jax.Array: ...
@overload
def categorical_accuracy(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def categorical_accuracy(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def concordance_correlation(
    y_true: KerasTensor,
    y_pred: Operand,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def concordance_correlation(
    y_true: TensorLike,
    y_pred: KerasTensor,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def concordance_correlation(
    y_true: TensorLike,
    y_pred: TensorLike,
    axis: int = -1,
) -> jax.Array: ...
@overload
def pearson_correlation(y_true: KerasTensor, y_pred: Operand, axis: int = -1) -> KerasTensor: ...
@overload
def pearson_correlation(y_true: TensorLike, y_pred: KerasTensor, axis: int = -1) -> KerasTensor: ...
@overload
def pearson_correlation(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> jax.Array: ...
@overload
def sparse_categorical_accuracy(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def sparse_categorical_accuracy(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def sparse_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def sparse_top_k_categorical_accuracy(
    y_true: KerasTensor,
    y_pred: Operand,
    k: int = 5,
    from_sorted_ids: bool = False,
) -> KerasTensor: ...
@overload
def sparse_top_k_categorical_accuracy(
    y_true: TensorLike,
    y_pred: KerasTensor,
    k: int = 5,
    from_sorted_ids: bool = False,
) -> KerasTensor: ...
@overload
def sparse_top_k_categorical_accuracy(
    y_true: TensorLike,
    y_pred: TensorLike,
    k: int = 5,
    from_sorted_ids: bool = False,
) -> jax.Array: ...
@overload
def top_k_categorical_accuracy(y_true: KerasTensor, y_pred: Operand, k: int = 5) -> KerasTensor: ...
@overload
def top_k_categorical_accuracy(
    y_true: TensorLike,
    y_pred: KerasTensor,
    k: int = 5,
) -> KerasTensor: ...
@overload
def top_k_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike, k: int = 5) -> jax.Array: ...
