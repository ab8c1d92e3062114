"""Cross-entropies: binary, categorical, with integer labels, focal, generalized."""

import math
from typing import Any
import warnings

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.errors import ArgumentError, ShapeError, check_number
from jkeras.kernel import labels_seen
from jkeras.kernel.beside import head_beside, logits_beside
from jkeras.core.record import record
from jkeras.core.session.keras_version import is_316
from jkeras.core.session.settings import epsilon
from jkeras.kernel.numbers import is_zero
from jkeras.kernel.scope import current_flow
from jkeras.losses.base import LossFunctionWrapper
from jkeras.losses.in_chunks import in_chunks
from jkeras.losses.margin import arrays
from jkeras.losses.reduction import comparison, same_shape
from jkeras.losses.typing import Tensor
from jkeras.ops.kernels import picked
from jkeras.core.weights.types import Reduction


def _clip(probabilities: jax.Array) -> jax.Array:
    return jnp.clip(probabilities, epsilon(), 1 - epsilon())


def log_probabilities(y_pred: jax.Array, from_logits: bool, axis: int) -> jax.Array:
    """Log-probabilities of logits, or of probabilities made to sum to 1 and clipped off 0 and 1.

    Of probabilities that are a softmax in the same run they follow from its logits, which takes a
    fifth of the time.
    """
    if from_logits:
        return jax.nn.log_softmax(y_pred, axis=axis)
    logits = logits_beside(y_pred, axis)
    if logits is None:
        p = y_pred / jnp.sum(y_pred, axis=axis, keepdims=True)
        return jnp.log(_clip(p))
    return _clip_log(jax.nn.log_softmax(logits, axis=axis))


def _clip_log(log_p: jax.Array) -> jax.Array:
    """The logarithm of probabilities clipped away from 0 and 1, from their logarithm."""
    return jnp.clip(log_p, math.log(epsilon()), math.log1p(-epsilon()))


def elementwise_binary_crossentropy(
    y_true: Tensor, y_pred: Tensor, from_logits: bool = False
) -> jax.Array:
    """-y_true log p - (1 - y_true) log(1 - p) for every element; the shapes must be equal."""
    y_true, y_pred = same_shape(y_true, y_pred)
    if from_logits:
        return -y_true * jax.nn.log_sigmoid(y_pred) - (1 - y_true) * jax.nn.log_sigmoid(-y_pred)
    p = _clip(y_pred)
    return -(y_true * jnp.log(p) + (1 - y_true) * jnp.log(1 - p))


def _smooth(y_true: jax.Array, label_smoothing: float, classes: int) -> jax.Array:
    check_number("label_smoothing", label_smoothing)
    if is_zero(label_smoothing):
        return y_true
    return y_true * (1 - label_smoothing) + label_smoothing / classes


def _categorical(
    name: str, y_true: Tensor, y_pred: Tensor, label_smoothing: float, axis: int
) -> tuple[jax.Array, jax.Array]:
    """The arrays, labels smoothed, arguments checked."""
    if isinstance(axis, bool):
        raise ValueError(f"`axis`: expected a whole number. Received: {axis} of type {type(axis)}")
    y_true, y_pred = arrays(y_true, y_pred)
    classes = _number_of_classes(y_pred, axis)
    if classes == 1:
        warnings.warn(
            f"Loss {name}: expected y_pred.shape to be (batch_size, num_classes), with two classes "
            f"or more. Received: {y_pred.shape}. For one output take 'binary_crossentropy'.",
            SyntaxWarning,
            stacklevel=3,
        )
    if not is_zero(label_smoothing):
        y_true = _smooth(y_true, label_smoothing, classes)
    return y_true, y_pred


def _number_of_classes(y_pred: jax.Array, axis: int) -> int:
    """Among how many classes a part of each target is spread: Keras 3.15 looks at the last axis,
    wherever the classes lie.
    """
    if not is_316():
        return (0, *y_pred.shape)[-1]
    if not -y_pred.ndim <= axis < y_pred.ndim:
        raise ArgumentError(
            f"`axis` must be one of the {y_pred.ndim} axes of `y_pred`, of shape {y_pred.shape}. "
            f"Received: axis={axis}"
        )
    return y_pred.shape[axis]


@comparison("keras.metrics.binary_crossentropy", "keras.losses.binary_crossentropy")
def binary_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """Mean over an axis of -y_true log p - (1 - y_true) log(1 - p).

    Args:
        y_true: labels (batch, …, d) in [0, 1].
        y_pred: probabilities p of the same shape, or logits.
        from_logits: whether `y_pred` are logits rather than probabilities.
        label_smoothing: in [0, 1]; targets are drawn towards 0.5 by this part.
        axis: that is averaged.
    Returns:
        The mean losses, in the shape of `y_pred` without `axis`.
    Raises:
        ValueError: different shapes.

    >>> print(binary_crossentropy([[0.0, 1.0]], [[0.0, 0.0]], from_logits=True).round(3))
    [0.693]
    """
    y_true, y_pred = arrays(y_true, y_pred)
    y_true = _smooth(y_true, label_smoothing, 2)
    return jnp.mean(elementwise_binary_crossentropy(y_true, y_pred, from_logits), axis=axis)


@comparison("keras.metrics.binary_focal_crossentropy", "keras.losses.binary_focal_crossentropy")
def binary_focal_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """Binary cross-entropy times (1 - p_t)^gamma, p_t being the probability of the right class;
    averaged over an axis.

    Args:
        y_true, y_pred: as for `binary_crossentropy`.
        apply_class_balancing: weigh class 1 by `alpha` and class 0 by 1 - `alpha`.
        alpha: that weight, in [0, 1].
        gamma: how strongly easy examples lose weight. (Lin et al. 2017, arXiv:1708.02002)
        from_logits, label_smoothing, axis: as in `binary_crossentropy`.
    Returns:
        The mean losses, in the shape of `y_pred` without `axis`.
    Raises:
        ValueError: different shapes.

    >>> print(binary_focal_crossentropy([[1.0], [1.0]], [[0.5], [0.9]]).round(4))  # hard, easy
    [0.1733 0.0011]
    """
    y_true, y_pred = arrays(y_true, y_pred)
    y_true = _smooth(y_true, label_smoothing, 2)
    p = y_pred
    if from_logits:
        p = jax.nn.sigmoid(y_pred)
    values = elementwise_binary_crossentropy(y_true, p)
    p_right = y_true * p + (1 - y_true) * (1 - p)
    values = values * jnp.power(1 - p_right, gamma)
    if apply_class_balancing:
        values = values * (y_true * alpha + (1 - y_true) * (1 - alpha))
    return jnp.mean(values, axis=axis)


@comparison("keras.metrics.categorical_crossentropy", "keras.losses.categorical_crossentropy")
def categorical_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """-sum over the class axis of y_true log p, for one-hot or soft targets: (batch, …, classes) ->
    (batch, …).

    Args:
        y_true: probabilities (batch, …, classes).
        y_pred: probabilities or logits of the same shape.
        from_logits: whether `y_pred` are logits; else they are divided by their sum.
        label_smoothing: in [0, 1]; this part of each target is spread evenly over the classes.
        axis: of the classes.
    Returns:
        One loss for each target, in the shape of `y_pred` without `axis`.
    Raises:
        ValueError: different shapes.

    >>> print(categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(3))
    [0.693]
    """
    y_true, y_pred = _categorical("categorical_crossentropy", y_true, y_pred, label_smoothing, axis)
    y_true, y_pred = same_shape(y_true, y_pred)
    return -jnp.sum(y_true * log_probabilities(y_pred, from_logits, axis), axis=axis)


@comparison(
    "keras.metrics.categorical_focal_crossentropy", "keras.losses.categorical_focal_crossentropy"
)
def categorical_focal_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    alpha: Tensor = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """-sum over the class axis of alpha (1 - p)^gamma y_true log p.

    Args:
        y_true, y_pred: as for `categorical_crossentropy`.
        alpha: weight, a number or one for each class.
        gamma: how strongly easy examples lose weight. (Lin et al. 2017, arXiv:1708.02002)
        from_logits, label_smoothing, axis: as in `categorical_crossentropy`.
    Returns:
        One loss for each target, in the shape of `y_pred` without `axis`.

    >>> print(categorical_focal_crossentropy([[0, 1], [0, 1]], [[0.5, 0.5], [0.1, 0.9]]).round(4))
    [0.0433 0.0003]
    """
    y_true, y_pred = _categorical(
        "categorical_focal_crossentropy", y_true, y_pred, label_smoothing, axis
    )
    if from_logits:
        y_pred = jax.nn.softmax(y_pred, axis=axis)
    p = _clip(y_pred / jnp.sum(y_pred, axis=axis, keepdims=True))
    weights = jnp.power(1 - p, gamma) * jnp.asarray(alpha, p.dtype)
    return jnp.sum(weights * -y_true * jnp.log(p), axis=axis)


@comparison(
    "keras.metrics.sparse_categorical_crossentropy", "keras.losses.sparse_categorical_crossentropy"
)
def sparse_categorical_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> jax.Array:
    """-log p of the right class, for integer labels: (batch, …), (batch, …, classes) -> (batch, …).

    Args:
        y_true: integers in the shape of `y_pred` without `axis`, or with size 1 there. A label that
            is no class gives 0.
        y_pred: probabilities or logits (batch, …, classes).
        from_logits: whether `y_pred` are logits; else they are divided by their sum.
        ignore_class: a label whose entries give 0, and do not count in the mean of a `Loss`.
        axis: of the classes.
    Returns:
        One loss for each label, in the shape of `y_pred` without `axis`.
    Raises:
        ValueError: labels that do not fit the predictions.
        ValueError: `y_pred` is a scalar or lacks `axis`.

    >>> print(sparse_categorical_crossentropy([1, 0], [[0.5, 0.5], [1.0, 0.0]]).round(3))
    [0.693 0.   ]
    """
    y_pred = jnp.asarray(y_pred)
    original = y_true
    y_true = _squeeze_labels(jnp.asarray(y_true), y_pred, axis)
    labels_seen.note(original, y_pred.shape[axis], ignore_class)
    expected = list(y_pred.shape)
    del expected[axis]
    if y_true.shape != tuple(expected):
        fix = "give a label for each of the predictions"
        if y_true.ndim < len(expected):
            fix += ", or one prediction for each row, as behind `Flatten` or global pooling"
        raise ShapeError(
            "Arguments `y_true` and `y_pred` must have the same shape up to the class axis of "
            f"`y_pred`: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}, axis={axis}. "
            f"To fix it: {fix}."
        )

    def of_some(labels: jax.Array, predicted: jax.Array) -> jax.Array:
        if ignore_class is None:
            return _label_crossentropy(labels, predicted, from_logits, axis)
        valid = labels != ignore_class
        predicted = jnp.where(jnp.expand_dims(valid, axis), predicted, 0)
        values = _label_crossentropy(jnp.where(valid, labels, 0), predicted, from_logits, axis)
        return jnp.where(valid, values, 0)

    head = None
    if from_logits and axis % y_pred.ndim == y_pred.ndim - 1:
        head = head_beside(y_pred)
    if head is None:
        return of_some(y_true, y_pred)
    current_flow().is_chunked = True
    return in_chunks(head, y_true, of_some)


def _squeeze_labels(y_true: jax.Array, y_pred: jax.Array, axis: int) -> jax.Array:
    """The labels without the class axis of size 1 that they may have."""
    if y_pred.ndim < 1:
        raise ValueError(
            f"Argument `y_pred` must be at least rank 1. Received: y_pred.shape={y_pred.shape}"
        )
    if not -y_pred.ndim <= axis < y_pred.ndim:
        raise ValueError(
            f"Argument `axis` must be an axis of `y_pred`. Received: axis={axis}, "
            f"y_pred.shape={y_pred.shape}"
        )
    if y_true.ndim == y_pred.ndim and y_true.shape[axis] == 1:
        return jnp.squeeze(y_true, axis)
    return y_true


def _label_crossentropy(
    labels: jax.Array, y_pred: jax.Array, from_logits: bool, axis: int
) -> jax.Array:
    labels = labels.astype("int32")
    log_p = _log_probability_of_labels(labels, y_pred, from_logits, axis)
    exists = (labels >= 0) & (labels < y_pred.shape[axis])
    return jnp.where(exists, -log_p, 0)  # no class, no loss


def _log_probability_of_labels(
    labels: jax.Array, y_pred: jax.Array, from_logits: bool, axis: int
) -> jax.Array:
    logits = y_pred
    if not from_logits:
        logits = logits_beside(y_pred, axis)
    if logits is None:
        p = picked(y_pred, labels, axis) / jnp.sum(y_pred, axis=axis)
        return jnp.log(_clip(p))
    log_p = picked(logits, labels, axis) - jax.nn.logsumexp(logits, axis=axis)
    if from_logits:
        return log_p
    return _clip_log(log_p)


def _not_ignored(
    y_true: Tensor, values: jax.Array, ignore_class: int | None = None, axis: int = -1, **_: Any
) -> jax.Array | None:
    """The mask of the labels that count."""
    if ignore_class is None:
        return None
    return (jnp.asarray(y_true) != ignore_class).reshape(values.shape)


sparse_categorical_crossentropy.output_mask = _not_ignored


@comparison("keras.losses.categorical_generalized_cross_entropy")
def categorical_generalized_cross_entropy(y_true: Tensor, y_pred: Tensor, q: float) -> jax.Array:
    """(1 - p^q) / q of the probability p of the right class, for integer labels; robust against
    wrong labels.

    Args:
        y_true: integers (batch, …).
        y_pred: probabilities (batch, …, classes).
        q: in (0, 1); near 0 it is the cross-entropy, at 1 the absolute error. (Zhang, Sabuncu 2018,
            arXiv:1805.07836)
    Returns:
        One loss for each label, in the shape of `y_true`.

    >>> for q in (0.01, 0.5, 1.0):  # from -log(0.25) = 1.39 to 1 - 0.25
    ...     print(categorical_generalized_cross_entropy([1], [[0.75, 0.25]], q).round(2))
    [1.38]
    [1.]
    [0.75]
    """
    y_pred = jnp.asarray(y_pred)
    labels = jnp.asarray(y_true).astype("int32")
    one_hot = jax.nn.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype)
    p = jnp.sum(y_pred * one_hot, axis=-1)
    return (1 - jnp.power(p, q)) / q


# ---------------------------------------------------------------- classes


@record("keras.losses")
class BinaryCrossentropy(LossFunctionWrapper):
    """Loss of `binary_crossentropy`: -y_true log p - (1 - y_true) log(1 - p), averaged.

    Args:
        from_logits, label_smoothing, axis: as for `binary_crossentropy`.
        reduction, name, dtype: as for `Loss`.

    >>> print(BinaryCrossentropy(from_logits=True)([[0.0, 1.0]], [[0.0, 0.0]]).round(3))
    0.693
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: typed.Sizes = -1
    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = "binary_crossentropy"
    dtype: Any = None
    fn = staticmethod(binary_crossentropy)


@record("keras.losses")
class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Loss of `binary_focal_crossentropy`: binary cross-entropy where easy examples weigh little.

    Args:
        apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis: as for
            `binary_focal_crossentropy`.
        reduction, name, dtype: as for `Loss`.

    >>> print(BinaryFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]).round(2))
    0.17
    """

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: typed.Sizes = -1
    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = "binary_focal_crossentropy"
    dtype: Any = None
    fn = staticmethod(binary_focal_crossentropy)


@record("keras.losses")
class CategoricalCrossentropy(LossFunctionWrapper):
    """Loss of `categorical_crossentropy`: cross-entropy with one-hot or soft targets.

    Args:
        from_logits, label_smoothing, axis: as for `categorical_crossentropy`.
        reduction, name, dtype: as for `Loss`.

    >>> loss = CategoricalCrossentropy(from_logits=True)
    >>> print(loss([[0.0, 1.0]], [[0.0, 0.0]]).round(3), loss([[0.0, 1.0]], [[0.0, 5.0]]).round(3))
    0.693 0.007
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: typed.Sizes = -1
    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = "categorical_crossentropy"
    dtype: Any = None
    fn = staticmethod(categorical_crossentropy)


@record("keras.losses")
class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Loss of `categorical_focal_crossentropy`: cross-entropy where easy examples weigh little.

    Args:
        alpha, gamma, from_logits, label_smoothing, axis: as for `categorical_focal_crossentropy`.
        reduction, name, dtype: as for `Loss`.

    >>> print(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]).round(3))
    0.043
    """

    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: typed.Sizes = -1
    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = "categorical_focal_crossentropy"
    dtype: Any = None
    fn = staticmethod(categorical_focal_crossentropy)


@record("keras.losses")
class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Loss of `sparse_categorical_crossentropy`: cross-entropy with integer labels.

    Args:
        from_logits, ignore_class, axis: as for `sparse_categorical_crossentropy`.
        reduction, name, dtype: as for `Loss`.

    >>> loss = SparseCategoricalCrossentropy(ignore_class=-1)  # the mean is over one label
    >>> print(loss([1, -1], [[0.5, 0.5], [0.9, 0.1]]).round(3))
    0.693
    """

    from_logits: bool = False
    ignore_class: int | None = None
    reduction: Reduction = "sum_over_batch_size"
    axis: typed.Sizes = -1
    name: typed.Name = "sparse_categorical_crossentropy"
    dtype: Any = None
    fn = staticmethod(sparse_categorical_crossentropy)
    _unwritten = ("axis",)


@record("keras.losses")
class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """Loss of `categorical_generalized_cross_entropy`: (1 - p^q) / q of the right class.

    Args:
        q: in (0, 1), as for `categorical_generalized_cross_entropy`.
        reduction, name, dtype: as for `Loss`.
    Raises:
        ValueError: `q` outside (0, 1).

    >>> print(CategoricalGeneralizedCrossEntropy()([[1]], [[0.75, 0.25]]))
    1.0
    """

    q: float = 0.5
    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = "categorical_generalized_cross_entropy"
    dtype: Any = None
    fn = staticmethod(categorical_generalized_cross_entropy)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.q < 1:
            raise ValueError(f"Argument `q` must be in the interval (0, 1). Received: q={self.q}")
