"""Metrics: numbers gathered over batches. Each is a pure `init / update / result_of / merge` and a
Keras object.
"""

from jkeras.core.names.exports import exported
from jkeras.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from jkeras.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from jkeras.metrics.base import Accumulator, Metric, StateSpec
from jkeras.metrics.reduction import Mean, MeanMetricWrapper, Sum
from jkeras.metrics.serialization import deserialize, get, serialize
from jkeras.metrics.wrapped import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    concordance_correlation,
    pearson_correlation,
)

__all__ = exported(
    globals(),
    on_first_use={
        "jkeras.metrics.auc": "AUC",
        "jkeras.metrics.confusion": (
            "FalseNegatives FalsePositives Precision PrecisionAtRecall Recall RecallAtPrecision "
            "SensitivityAtSpecificity SpecificityAtSensitivity TrueNegatives TruePositives"
        ),
        "jkeras.metrics.iou": "BinaryIoU IoU MeanIoU OneHotIoU OneHotMeanIoU",
        "jkeras.metrics.scores": "F1Score FBetaScore R2Score",
    },
)
