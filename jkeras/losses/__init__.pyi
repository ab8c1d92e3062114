# Written by `python -m tests.make_stubs`.
from typing import Any
import jax
from jkeras.losses.base import Loss as Loss
from jkeras.losses.crossentropy import BinaryCrossentropy as BinaryCrossentropy
from jkeras.losses.crossentropy import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from jkeras.losses.crossentropy import CategoricalCrossentropy as CategoricalCrossentropy
from jkeras.losses.crossentropy import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from jkeras.losses.crossentropy import CategoricalGeneralizedCrossEntropy as CategoricalGeneralizedCrossEntropy
from jkeras.losses.crossentropy import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from jkeras.losses.margin import CategoricalHinge as CategoricalHinge
from jkeras.losses.margin import Hinge as Hinge
from jkeras.losses.margin import KLDivergence as KLDivergence
from jkeras.losses.margin import Poisson as Poisson
from jkeras.losses.margin import SquaredHinge as SquaredHinge
from jkeras.losses.regression import CosineSimilarity as CosineSimilarity
from jkeras.losses.regression import Huber as Huber
from jkeras.losses.regression import LogCosh as LogCosh
from jkeras.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from jkeras.losses.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from jkeras.losses.regression import MeanSquaredError as MeanSquaredError
from jkeras.losses.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from jkeras.losses.serialization import deserialize as deserialize
from jkeras.losses.serialization import get as get
from jkeras.losses.serialization import serialize as serialize
from jkeras.losses.structured import CTC as CTC
from jkeras.losses.structured import Circle as Circle
from jkeras.losses.structured import Dice as Dice
from jkeras.losses.structured import Tversky as Tversky

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
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> jax.Array: ...
def categorical_hinge(y_true: Any, y_pred: Any) -> jax.Array: ...
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> jax.Array: ...
def cosine_similarity(y_true: Any, y_pred: Any, axis: Any = -1) -> jax.Array: ...
def ctc(y_true: Any, y_pred: Any) -> jax.Array: ...
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> jax.Array: ...
def hinge(y_true: Any, y_pred: Any) -> jax.Array: ...
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> jax.Array: ...
def kl_divergence(y_true: Any, y_pred: Any) -> jax.Array: ...
def log_cosh(y_true: Any, y_pred: Any) -> jax.Array: ...
def mean_absolute_error(y_true: Any, y_pred: Any) -> jax.Array: ...
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> jax.Array: ...
def mean_squared_error(y_true: Any, y_pred: Any) -> jax.Array: ...
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> jax.Array: ...
def poisson(y_true: Any, y_pred: Any) -> jax.Array: ...
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> jax.Array: ...
def squared_hinge(y_true: Any, y_pred: Any) -> jax.Array: ...
def tversky(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Any = None,
) -> jax.Array: ...
