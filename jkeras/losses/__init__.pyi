# Written by `python -m tests.make_stubs`.
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.weights.types import Operand, TensorLike
from typing import Any, overload
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

@overload
def binary_crossentropy(
    y_true: KerasTensor,
    y_pred: Operand,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def binary_crossentropy(
    y_true: TensorLike,
    y_pred: KerasTensor,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def binary_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array: ...
@overload
def binary_focal_crossentropy(
    y_true: KerasTensor,
    y_pred: Operand,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def binary_focal_crossentropy(
    y_true: TensorLike,
    y_pred: KerasTensor,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def binary_focal_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array: ...
@overload
def categorical_crossentropy(
    y_true: KerasTensor,
    y_pred: Operand,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def categorical_crossentropy(
    y_true: TensorLike,
    y_pred: KerasTensor,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array: ...
@overload
def categorical_focal_crossentropy(
    y_true: KerasTensor,
    y_pred: Operand,
    alpha: Operand = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def categorical_focal_crossentropy(
    y_true: TensorLike,
    y_pred: KerasTensor,
    alpha: Operand = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def categorical_focal_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    alpha: Operand = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array: ...
@overload
def categorical_generalized_cross_entropy(
    y_true: KerasTensor,
    y_pred: Operand,
    q: float,
) -> KerasTensor: ...
@overload
def categorical_generalized_cross_entropy(
    y_true: TensorLike,
    y_pred: KerasTensor,
    q: float,
) -> KerasTensor: ...
@overload
def categorical_generalized_cross_entropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    q: float,
) -> jax.Array: ...
@overload
def categorical_hinge(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def categorical_hinge(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def categorical_hinge(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def circle(
    y_true: KerasTensor,
    y_pred: Operand,
    ref_labels: Operand | None = None,
    ref_embeddings: Operand | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> KerasTensor: ...
@overload
def circle(
    y_true: TensorLike,
    y_pred: KerasTensor,
    ref_labels: Operand | None = None,
    ref_embeddings: Operand | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> KerasTensor: ...
@overload
def circle(
    y_true: TensorLike,
    y_pred: TensorLike,
    ref_labels: Operand | None = None,
    ref_embeddings: Operand | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> jax.Array: ...
@overload
def cosine_similarity(y_true: KerasTensor, y_pred: Operand, axis: Any = -1) -> KerasTensor: ...
@overload
def cosine_similarity(y_true: TensorLike, y_pred: KerasTensor, axis: Any = -1) -> KerasTensor: ...
@overload
def cosine_similarity(y_true: TensorLike, y_pred: TensorLike, axis: Any = -1) -> jax.Array: ...
@overload
def ctc(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def ctc(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def ctc(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def dice(y_true: KerasTensor, y_pred: Operand, axis: Any = None) -> KerasTensor: ...
@overload
def dice(y_true: TensorLike, y_pred: KerasTensor, axis: Any = None) -> KerasTensor: ...
@overload
def dice(y_true: TensorLike, y_pred: TensorLike, axis: Any = None) -> jax.Array: ...
@overload
def hinge(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def hinge(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def hinge(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def huber(y_true: KerasTensor, y_pred: Operand, delta: float = 1.0) -> KerasTensor: ...
@overload
def huber(y_true: TensorLike, y_pred: KerasTensor, delta: float = 1.0) -> KerasTensor: ...
@overload
def huber(y_true: TensorLike, y_pred: TensorLike, delta: float = 1.0) -> jax.Array: ...
@overload
def kl_divergence(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def kl_divergence(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def kl_divergence(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def log_cosh(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def log_cosh(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def log_cosh(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def mean_absolute_error(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def mean_absolute_error(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def mean_absolute_error(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def mean_absolute_percentage_error(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def mean_absolute_percentage_error(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def mean_absolute_percentage_error(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def mean_squared_error(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def mean_squared_error(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def mean_squared_error(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def mean_squared_logarithmic_error(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def mean_squared_logarithmic_error(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def mean_squared_logarithmic_error(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def poisson(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def poisson(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def poisson(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def sparse_categorical_crossentropy(
    y_true: KerasTensor,
    y_pred: Operand,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def sparse_categorical_crossentropy(
    y_true: TensorLike,
    y_pred: KerasTensor,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def sparse_categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> jax.Array: ...
@overload
def squared_hinge(y_true: KerasTensor, y_pred: Operand) -> KerasTensor: ...
@overload
def squared_hinge(y_true: TensorLike, y_pred: KerasTensor) -> KerasTensor: ...
@overload
def squared_hinge(y_true: TensorLike, y_pred: TensorLike) -> jax.Array: ...
@overload
def tversky(
    y_true: KerasTensor,
    y_pred: Operand,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Any = None,
) -> KerasTensor: ...
@overload
def tversky(
    y_true: TensorLike,
    y_pred: KerasTensor,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Any = None,
) -> KerasTensor: ...
@overload
def tversky(
    y_true: TensorLike,
    y_pred: TensorLike,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Any = None,
) -> jax.Array: ...
