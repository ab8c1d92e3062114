"""Losses of the old backend, by `jkeras.ops`."""

from typing import Any

import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import ops


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Cross entropy of each row."""
    return ops.categorical_crossentropy(target, output, from_logits, axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Cross entropy of each row, for numbers of classes."""
    if len(target.shape) == len(output.shape):
        target = ops.squeeze(target, -1)
    return ops.sparse_categorical_crossentropy(ops.cast(target, "int32"), output, from_logits, axis)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Cross entropy of each element."""
    return ops.binary_crossentropy(target, output, from_logits)


def binary_focal_crossentropy(
    target: Any,
    output: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
) -> Any:
    """Cross entropy of each element, of less weight where the output is right (Lin et al., 2017).

    Args:
        apply_class_balancing: whether ones weigh alpha and zeros 1 - alpha.
    """
    loss = binary_crossentropy(target, output, from_logits)
    p = ops.sigmoid(output) if from_logits else ops.convert_to_tensor(output)
    loss = loss * ops.power(1.0 - target * p - (1 - target) * (1 - p), gamma)
    if apply_class_balancing:
        loss = loss * (target * alpha + (1 - target) * (1 - alpha))
    return loss


def categorical_focal_crossentropy(
    target: Any,
    output: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    axis: int = -1,
) -> Any:
    """Cross entropy of each row, of less weight where the output is right.

    Args:
        alpha: a weight, or one for each class.
    """
    p = ops.softmax(output, axis) if from_logits else ops.convert_to_tensor(output)
    p = p / ops.sum(p, axis=axis, keepdims=True)
    epsilon = jkeras.config.epsilon()
    p = ops.clip(p, epsilon, 1.0 - epsilon)
    return ops.sum(-target * ops.log(p) * ops.power(1.0 - p, gamma) * alpha, axis=axis)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether the right class is among the k likeliest."""
    return ops.in_top_k(ops.cast(targets, "int32"), predictions, k)


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """The CTC loss of each row: (batch, 1). The last class is the blank.

    Args:
        y_true: (batch, labels) of numbers of classes.
        y_pred: (batch, time, classes) of probabilities.
        input_length, label_length: (batch, 1).
    """
    classes = y_pred.shape[-1]
    # `ops.ctc_loss` has the blank as class 0
    logits = ops.log(y_pred + jkeras.config.epsilon())
    logits = ops.concatenate([logits[..., classes - 1 :], logits[..., : classes - 1]], axis=-1)
    labels = ops.cast(y_true, "int32") + 1
    lengths = [ops.cast(ops.reshape(n, (-1,)), "int32") for n in (label_length, input_length)]
    loss = ops.ctc_loss(labels, logits, *lengths, mask_index=0)
    return ops.expand_dims(loss, 1)


def ctc_decode(
    y_pred: Any,
    input_length: Any,
    greedy: bool = True,
    beam_width: int = 100,
    top_paths: int = 1,
) -> tuple[list[Any], Any]:
    """([label sequences padded by -1], minus log probabilities)."""
    classes = y_pred.shape[-1]
    logits = ops.log(ops.convert_to_tensor(y_pred) + jkeras.config.epsilon())
    decoded, scores = ops.ctc_decode(
        logits,
        ops.cast(input_length, "int32"),
        strategy="greedy" if greedy else "beam_search",
        beam_width=beam_width,
        top_paths=top_paths,
        mask_index=classes - 1,
    )
    return [decoded[i] for i in range(decoded.shape[0])], scores


def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> Any:
    """The labels of each row that count, as a sparse array of the shape of all.

    Args:
        labels: (batch, labels).
        label_lengths: (batch,), how many of each row count.

    >>> ctc_label_dense_to_sparse(np.array([[4, 5], [6, 7]]), [1, 2]).data.tolist()
    [4, 6, 7]
    """
    from jax.experimental.sparse import BCOO  # takes long to import

    labels, lengths = np.asarray(labels), np.asarray(label_lengths)
    counts = np.arange(labels.shape[1]) < lengths[:, None]
    indices = np.argwhere(counts)
    return BCOO((jnp.asarray(labels[counts]), jnp.asarray(indices)), shape=labels.shape)
