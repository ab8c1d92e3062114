"""Intersection over union of classes, from a confusion matrix."""

import typing
import warnings

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.errors import ShapeError, check_whole
from jkeras.core.record import Any, base_record, record
from jkeras.kernel.valid_rows import expand_like
from jkeras.core.session.settings import epsilon
from jkeras.losses.typing import Tensor
from jkeras.metrics.base import Accumulator, State, StateSpec
from jkeras.ops.kernels_extrema import place_of_largest


def confusion_matrix(
    y_true: jax.Array,
    y_pred: jax.Array,
    num_classes: int,
    weights: Tensor = 1,
    dtype: str = "int32",
) -> jax.Array:
    """The weight of samples of class i that were called j, at [i, j]: (N,), (N,) -> (classes,
    classes).

    >>> print(confusion_matrix(jnp.array([0, 1, 1]), jnp.array([0, 0, 1]), 2))
    [[1 0]
     [1 1]]
    """
    return jnp.zeros((num_classes, num_classes), dtype).at[y_true, y_pred].add(weights)


@base_record(
    "keras.metrics",
    arguments="num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_true, "
    "sparse_y_pred, axis",
)
class IoU(Accumulator):
    """Mean over some classes of true positives / (true positives + false positives + false
    negatives).

    Args:
        num_classes: of labels 0 … num_classes - 1; others do not count.
        target_class_ids: the classes to average over.
        ignore_class: a label that does not count.
        sparse_y_true, sparse_y_pred: whether these are class numbers; else scores, whose highest
            along `axis` counts.
        name, dtype: as for `Metric`; int by default, so weights lose their fractions.
    Raises:
        ValueError: a target class that is none of `num_classes`.
        ValueError: on an update, another number of labels than of predictions.

    >>> print(IoU(2, [0])([0, 0, 1, 1], [0, 1, 0, 1]).round(3))
    0.333
    """

    num_classes: int
    target_class_ids: Any
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: typed.Sizes = -1
    default_dtype = "int"
    _direction = "up"

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            num_classes: int,
            target_class_ids: typing.Any,
            name: str | None = None,
            dtype: typing.Any = None,
            ignore_class: int | None = None,
            sparse_y_true: bool = True,
            sparse_y_pred: bool = True,
            axis: typed.Sizes = -1,
        ) -> None: ...

    def __post_init__(self) -> None:
        self.target_class_ids = list(self.target_class_ids)
        if max(self.target_class_ids) >= self.num_classes:
            raise ValueError(
                f"Target class id {max(self.target_class_ids)} is out of range, which is "
                f"[0, {self.num_classes})."
            )
        super().__post_init__()

    def state_specs(self, *args: Any, **kwargs: Any) -> dict[str, StateSpec]:
        """The confusion matrix."""
        return {
            "total_confusion_matrix": StateSpec((self.num_classes,) * 2, self.dtype, "total_cm")
        }

    def weight_of_rows(self, valid_rows: jax.Array, y_true: jax.Array) -> jax.Array:
        """One weight for each label."""
        if not self.sparse_y_true:
            y_true = place_of_largest(jnp.asarray(y_true), self.axis)
        return jnp.broadcast_to(expand_like(valid_rows, y_true), y_true.shape).astype("int32")

    def measure(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Any]:
        """The confusion matrix of this batch."""
        y_true = self._class_numbers(y_true, self.sparse_y_true)
        y_pred = self._class_numbers(y_pred, self.sparse_y_pred)
        if y_true.shape != y_pred.shape:
            raise ShapeError(
                f"{type(self).__name__}: `y_true` and `y_pred` must hold equally many labels. "
                f"Received: {y_true.size} and {y_pred.size}"
            )
        weight = jnp.broadcast_to(self._flat_weight(sample_weight), y_true.shape)
        valid = self._are_classes(y_true) & self._are_classes(y_pred)
        if self.ignore_class is not None:
            valid &= y_true != self.ignore_class
        y_true, y_pred, weight = (jnp.where(valid, a, 0) for a in (y_true, y_pred, weight))
        matrix = confusion_matrix(y_true, y_pred, self.num_classes, weight, self.dtype)
        return {"total_confusion_matrix": matrix}

    def _class_numbers(self, y: Tensor, sparse: bool) -> jax.Array:
        """The classes as a vector of integers; unless they are so already, those of the highest
        scores.
        """
        y = jnp.asarray(y)
        if not sparse:
            y = place_of_largest(y, self.axis)
        return y.astype("int32").reshape(-1)

    def _are_classes(self, labels: jax.Array) -> jax.Array:
        return (labels >= 0) & (labels < self.num_classes)

    def _flat_weight(self, sample_weight: Tensor | None) -> jax.Array:
        """The weights in the metric's dtype: a number, or one for each label."""
        if sample_weight is None:
            sample_weight = 1
        weight = jnp.asarray(sample_weight)
        if jnp.issubdtype(weight.dtype, jnp.floating) and jnp.issubdtype(self.dtype, jnp.integer):
            warnings.warn(
                f"Sample weights are float and {type(self).__name__} counts in {self.dtype}: "
                "casting them loses their fractions. Pass integer weights, or `dtype='float32'` to "
                "the metric.",
                stacklevel=3,
            )
        weight = weight.astype(self.dtype)
        if weight.ndim > 1:
            weight = weight.reshape(-1)
        return weight

    def result_of(self, state: State) -> jax.Array:
        """The mean over the target classes that occur."""
        matrix = state["total_confusion_matrix"]
        ids = jnp.array(self.target_class_ids)
        both = jnp.diag(matrix)
        union = (jnp.sum(matrix, axis=0) + jnp.sum(matrix, axis=1) - both)[ids].astype("float32")
        occurs = union > 1e-9
        iou = jnp.where(occurs, both[ids].astype("float32") / (union + epsilon()), 0)
        return jnp.sum(iou) / (jnp.sum(occurs.astype("float32")) + epsilon())


@record("keras.metrics")
class BinaryIoU(IoU):
    """`IoU` of labels 0 and 1, where scores of at least `threshold` mean 1.

    Args:
        target_class_ids: the classes to average over: (0, 1), (0,) or (1,).
        threshold: from which on a score means 1.
        name, dtype: as for `IoU`.
    Raises:
        ValueError: a target class that is neither 0 nor 1.

    >>> print(BinaryIoU([1], threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]).round(3))
    0.333
    """

    target_class_ids: Any = (0, 1)
    threshold: float = 0.5
    name: typed.Name = None
    dtype: Any = None
    num_classes = 2

    def measure(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Any]:
        """The confusion matrix of this batch."""
        called = jnp.asarray(y_pred, "float32") >= self.threshold
        return super().measure(y_true, called, sample_weight)


@base_record(
    "keras.metrics",
    arguments="num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis",
)
class MeanIoU(IoU):
    """`IoU` averaged over all classes.

    Args:
        num_classes, ignore_class, sparse_y_true, sparse_y_pred, axis, name, dtype: as for `IoU`.
    Raises:
        ValueError: `num_classes` is no whole number.

    >>> print(MeanIoU(2)([0, 1, 1, 1], [0, 0, 1, 1]).round(2))  # 1 / 2 and 2 / 3
    0.58
    """

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            num_classes: int,
            name: str | None = None,
            dtype: typing.Any = None,
            ignore_class: int | None = None,
            sparse_y_true: bool = True,
            sparse_y_pred: bool = True,
            axis: typed.Sizes = -1,
        ) -> None: ...

    def __post_init__(self) -> None:
        check_whole("num_classes", self.num_classes)
        self.target_class_ids = list(range(self.num_classes))
        super().__post_init__()


@record("keras.metrics")
class OneHotIoU(IoU):
    """`IoU` of one-hot targets and scores.

    Args:
        num_classes, target_class_ids, ignore_class, axis, name, dtype: as for `IoU`.
        sparse_y_pred: whether predictions are class numbers; scores by default.
    Raises:
        ValueError: a target class that is none of `num_classes`.
        ValueError: on an update, another number of labels than of predictions.

    >>> print(OneHotIoU(2, [0])([[1, 0], [0, 1]], [[0.9, 0.1], [0.6, 0.4]]).round(2))
    0.5
    """

    num_classes: int
    target_class_ids: Any
    name: typed.Name = None
    dtype: Any = None
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: typed.Sizes = -1
    sparse_y_true = False


@record("keras.metrics")
class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot targets and scores.

    Args:
        num_classes, ignore_class, sparse_y_pred, axis, name, dtype: as for `OneHotIoU`.
    Raises:
        ValueError: `num_classes` is no whole number.

    >>> targets = [[1, 0], [0, 1], [0, 1], [0, 1]]
    >>> scores = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.2, 0.8]]
    >>> print(OneHotMeanIoU(2)(targets, scores).round(2))  # 1 / 2 and 2 / 3
    0.58
    """

    num_classes: int
    name: typed.Name = None
    dtype: Any = None
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: typed.Sizes = -1
    sparse_y_true = False
