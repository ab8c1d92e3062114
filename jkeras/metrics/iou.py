"""Intersection over union of classes, from a confusion matrix."""

import typing
import warnings

import jax.numpy as jnp

from jkeras.core import typed
from jkeras.core.errors import ShapeError
from jkeras.core.record import Any, record
from jkeras.kernel.valid_rows import beside
from jkeras.core.settings import epsilon
from jkeras.metrics.base import Accumulator, StateSpec


def confusion_matrix(y_true, y_pred, num_classes, weights=1, dtype="int32"):
    """The weight of samples of class i that were called j, at [i, j]: (N,), (N,) -> (classes,
    classes).

    >>> print(confusion_matrix(jnp.array([0, 1, 1]), jnp.array([0, 0, 1]), 2))
    [[1 0]
     [1 1]]
    """
    return jnp.zeros((num_classes, num_classes), dtype).at[y_true, y_pred].add(weights)


@record(
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
            axis: typed.typed.Sizes = -1,
        ) -> None: ...

    def __post_init__(self):
        self.target_class_ids = list(self.target_class_ids)
        if max(self.target_class_ids) >= self.num_classes:
            raise ValueError(
                f"Target class id {max(self.target_class_ids)} is out of range, which is "
                f"[0, {self.num_classes})."
            )
        super().__post_init__()

    def state_specs(self, *args, **kwargs):
        """The confusion matrix."""
        return {
            "total_confusion_matrix": StateSpec((self.num_classes,) * 2, self.dtype, "total_cm")
        }

    def weight_of_rows(self, rows, y_true):
        """One weight for each label."""
        y_true = y_true if self.sparse_y_true else jnp.argmax(y_true, axis=self.axis)
        return jnp.broadcast_to(beside(rows, y_true), y_true.shape).astype("int32")

    def measure(self, y_true, y_pred, sample_weight=None):
        """The confusion matrix of this batch."""
        y_true = (
            jnp.asarray(y_true)
            if self.sparse_y_true
            else jnp.argmax(jnp.asarray(y_true), axis=self.axis)
        )
        y_pred = (
            jnp.asarray(y_pred)
            if self.sparse_y_pred
            else jnp.argmax(jnp.asarray(y_pred), axis=self.axis)
        )
        y_true, y_pred = (y.astype("int32").reshape(-1) for y in (y_true, y_pred))
        if y_true.shape != y_pred.shape:
            raise ShapeError(
                f"{type(self).__name__}: `y_true` and `y_pred` must hold equally many labels. "
                f"Received: {y_true.size} and {y_pred.size}"
            )
        weight = jnp.asarray(1 if sample_weight is None else sample_weight)
        if jnp.issubdtype(weight.dtype, jnp.floating) and jnp.issubdtype(self.dtype, jnp.integer):
            warnings.warn(
                f"{type(self).__name__} counts in {self.dtype}, so float weights lose their "
                "fractions. Pass integer weights, or `dtype='float32'` to the metric.",
                stacklevel=2,
            )
        weight = weight.astype(self.dtype)
        weight = jnp.broadcast_to(weight.reshape(-1) if weight.ndim > 1 else weight, y_true.shape)
        valid = (
            (y_true >= 0)
            & (y_true < self.num_classes)
            & (y_pred >= 0)
            & (y_pred < self.num_classes)
        )
        if self.ignore_class is not None:
            valid &= y_true != self.ignore_class
        y_true, y_pred, weight = (jnp.where(valid, a, 0) for a in (y_true, y_pred, weight))
        return {
            "total_confusion_matrix": confusion_matrix(
                y_true, y_pred, self.num_classes, weight, self.dtype
            )
        }

    def result_of(self, state):
        """The mean over the target classes that occur."""
        matrix, ids = state["total_confusion_matrix"], jnp.array(self.target_class_ids)
        both = jnp.diag(matrix)
        union = (jnp.sum(matrix, axis=0) + jnp.sum(matrix, axis=1) - both)[ids].astype("float32")
        occurs = union > 1e-9
        iou = jnp.where(occurs, both[ids].astype("float32") / (union + epsilon()), 0)
        return jnp.sum(iou) / (jnp.sum(occurs.astype("float32")) + epsilon())


@record("keras.metrics", arguments="target_class_ids, threshold, name, dtype")
class BinaryIoU(IoU):
    """`IoU` of labels 0 and 1, where scores of at least `threshold` mean 1.

    >>> print(BinaryIoU([1], threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]).round(3))
    0.333
    """

    target_class_ids: Any = (0, 1)
    threshold: float = 0.5
    num_classes = 2

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            target_class_ids: typing.Any = (0, 1),
            threshold: float = 0.5,
            name: str | None = None,
            dtype: typing.Any = None,
        ) -> None: ...

    def measure(self, y_true, y_pred, sample_weight=None):
        """The confusion matrix of this batch."""
        return super().measure(
            y_true, jnp.asarray(y_pred, "float32") >= self.threshold, sample_weight
        )


@record(
    "keras.metrics",
    arguments="num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis",
)
class MeanIoU(IoU):
    """`IoU` averaged over all classes.

    >>> print(MeanIoU(2)([0, 0, 1, 1], [0, 1, 0, 1]).round(3))
    0.333
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
            axis: typed.typed.Sizes = -1,
        ) -> None: ...

    def __post_init__(self):
        self.target_class_ids = list(range(self.num_classes))
        super().__post_init__()


@record(
    "keras.metrics",
    arguments="num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_pred, axis",
)
class OneHotIoU(IoU):
    """`IoU` of one-hot targets and scores.

    >>> print(OneHotIoU(2, [0])([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]]).round(3))
    1.0
    """

    sparse_y_true = False
    sparse_y_pred = False

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            num_classes: int,
            target_class_ids: typing.Any,
            name: str | None = None,
            dtype: typing.Any = None,
            ignore_class: int | None = None,
            sparse_y_pred: bool = False,
            axis: typed.typed.Sizes = -1,
        ) -> None: ...


@record("keras.metrics", arguments="num_classes, name, dtype, ignore_class, sparse_y_pred, axis")
class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot targets and scores.

    >>> print(OneHotMeanIoU(2)([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]]).round(3))
    1.0
    """

    sparse_y_true = False
    sparse_y_pred = False

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            num_classes: int,
            name: str | None = None,
            dtype: typing.Any = None,
            ignore_class: int | None = None,
            sparse_y_pred: bool = False,
            axis: typed.typed.Sizes = -1,
        ) -> None: ...
