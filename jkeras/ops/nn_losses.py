"""Crossentropies, connectionist temporal classification (CTC), the signal-to-noise ratio of
images.
"""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.kernel import labels_seen
from jkeras.core.session.settings import settings
from jkeras.ops.kernels_extrema import place_of_largest
from jkeras.ops.naming import nn_op
from jkeras.core.weights.types import Operand, Structure, TensorLike


def _same_shape(target: Operand, output: Operand) -> None:
    if target.shape != output.shape:
        raise ValueError(
            "`target` and `output` must have the same shape. Received: "
            f"target.shape={target.shape}, output.shape={output.shape}"
        )


def _clip_probabilities(p: jax.Array) -> jax.Array:
    return jnp.clip(p, settings.epsilon, 1.0 - settings.epsilon)


def _log_probabilities(output: jax.Array, from_logits: bool, axis: int) -> jax.Array:
    if from_logits:
        return jax.nn.log_softmax(output, axis=axis)
    probabilities = output / jnp.sum(output, axis, keepdims=True)
    return jnp.log(_clip_probabilities(probabilities))


@nn_op()
def binary_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False
) -> jax.Array:
    """-target * log(p) - (1 - target) * log(1 - p) for each element.

    Args:
        target: numbers from 0 to 1, of any shape.
        output: of the same shape: probabilities p, which are kept epsilon away from 0 and 1; or
            with `from_logits` log(p / (1 - p)).
        from_logits: whether the output holds logits.
    Returns:
        Array of that shape.
    Raises:
        ValueError: different shapes.

    >>> binary_crossentropy([1.0], [0.5])
    Array([0.6931472], dtype=float32)
    """
    target = jnp.asarray(target)
    output = jnp.asarray(output)
    _same_shape(target, output)
    if from_logits:
        return -(target * jax.nn.log_sigmoid(output) + (1.0 - target) * jax.nn.log_sigmoid(-output))
    output = _clip_probabilities(output)
    return -(target * jnp.log(output) + (1.0 - target) * jnp.log(1.0 - output))


@nn_op()
def categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> jax.Array:
    """-sum(target * log(p)) along the axis of the classes; p is scaled to the sum 1 first.

    Args:
        target: (..., classes), the probabilities of the classes, mostly one-hot.
        output: of the same shape: p, which is kept epsilon away from 0 and 1; or with `from_logits`
            what gives p by a softmax.
        from_logits: whether the output holds logits.
        axis: that of the classes.
    Returns:
        Array of that shape without the axis of the classes.
    Raises:
        ValueError: different shapes, or scalars.

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
    Array([0.6931472], dtype=float32)
    """
    target = jnp.asarray(target)
    output = jnp.asarray(output)
    _same_shape(target, output)
    if not output.ndim:
        raise ValueError(
            "Arguments `target` and `output` must have at least one axis. Received two scalars."
        )
    return -jnp.sum(target * _log_probabilities(output, from_logits, axis), axis=axis)


@nn_op()
def sparse_categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> jax.Array:
    """-log(p[target]): `categorical_crossentropy` with the number of the true class as target.

    Args:
        target: integers, in the shape of `output` without the axis of the classes (or with a last
            axis of size 1). A class that does not exist, such as -1, has the loss 0.
        output, from_logits, axis: as for `categorical_crossentropy`.
    Returns:
        Array of the shape of `output` without the axis of the classes.
    Raises:
        ValueError: shapes that do not fit, or a scalar.

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]])
    Array([0.6931472], dtype=float32)
    """
    labels = jnp.asarray(target)
    target = labels.astype("int32")
    output = jnp.asarray(output)
    if not output.ndim:
        raise ValueError(
            f"Argument `output` must have at least one axis. Received: output.shape={output.shape}"
        )
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = jnp.squeeze(target, axis=-1)
    labels_seen.note(labels, output.shape[axis], None)
    class_axis = axis % output.ndim
    expected = output.shape[:class_axis] + output.shape[class_axis + 1 :]
    if target.shape != expected:
        raise ValueError(
            "`target` must have the shape of `output` without the axis of the classes, "
            f"{expected}. Received: target.shape={target.shape}, output.shape={output.shape}"
        )
    log_p = _log_probabilities(output, from_logits, axis)
    targets = jax.nn.one_hot(target, output.shape[axis], axis=axis)
    return -jnp.sum(targets * log_p, axis=axis)


# ---------------------------------------------------------------- CTC


def _ctc_loss_spec(
    target: Operand,
    output: Operand,
    target_length: Operand,
    output_length: Operand,
    mask_index: int = 0,
) -> KerasTensor:
    """One number for each row, whatever else the shapes are."""
    is_wide = standardize_dtype(output.dtype) == "float64"
    return KerasTensor(target.shape[:1], "float64" if is_wide else "float32")


@nn_op(class_name="CTCLoss", spec=_ctc_loss_spec)
def ctc_loss(
    target: TensorLike,
    output: TensorLike,
    target_length: TensorLike,
    output_length: TensorLike,
    mask_index: int = 0,
) -> jax.Array:
    """-log P(target | output), summed over all alignments (Graves et al. 2006,
    doi:10.1145/1143844.1143891).

    Args:
        target: labels, (batch, max labels).
        output: logits, (batch, time, classes).
        target_length, output_length: (batch,), how much of each row counts.
        mask_index: the class that stands for "no label".
    Returns:
        (batch,), one number for each row, float32 at least.

    >>> ctc_loss(jnp.array([[1]]), jnp.zeros((1, 1, 2)), jnp.array([1]), jnp.array([1]))
    Array([0.6931472], dtype=float32)
    """
    import optax  # takes long to import, and only this function needs it

    target = jnp.asarray(target, "int32")
    output = jnp.asarray(output)
    output = output.astype(jnp.promote_types(output.dtype, "float32"))

    def padding(lengths: jax.Array, size: int) -> jax.Array:  # 1.0 behind the end of each row
        ends = jnp.asarray(lengths, "int32")[:, None]
        return (jnp.arange(size) >= ends).astype(output.dtype)

    return optax.ctc_loss(
        output,
        padding(output_length, output.shape[1]),
        target,
        padding(target_length, target.shape[1]),
        blank_id=mask_index,
    )


@nn_op(class_name="CTCDecode")
def ctc_decode(
    inputs: TensorLike,
    sequence_lengths: TensorLike,
    strategy: Literal["greedy", "beam_search"] = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[jax.Array, jax.Array]:
    """The most likely label sequences for CTC outputs.

    Args:
        inputs: logits, (batch, time, classes).
        sequence_lengths: (batch,), how many steps of each row count.
        strategy: "greedy", or "beam_search" with `beam_width` beams and `top_paths` results.
        merge_repeated: whether the greedy search takes equal labels in a row as one.
        mask_index: the class that stands for "no label"; the last one for None.
    Returns:
        (labels, scores): labels (paths, batch, time), padded with -1; scores (batch, paths), for
        "greedy" the negative sum of the largest logits, for "beam_search" log-probabilities.
    Raises:
        ValueError: unknown strategy.

    >>> ctc_decode(jnp.array([[[0.0, 3.0], [3.0, 0.0]]]), jnp.array([2]))[0]
    Array([[[ 1, -1]]], dtype=int32)
    """
    inputs = jnp.asarray(inputs)
    lengths = jnp.asarray(sequence_lengths, "int32")
    inputs = inputs.astype(jnp.promote_types(inputs.dtype, "float32"))
    if mask_index is None:
        mask_index = inputs.shape[-1] - 1
    if strategy == "greedy":
        return _greedy_search(inputs, lengths, merge_repeated, mask_index)
    if strategy != "beam_search":
        raise ValueError(f"Invalid strategy {strategy!r}. Expected 'greedy' or 'beam_search'.")

    def search(logits: jax.Array, length: jax.Array) -> tuple[jax.Array, jax.Array]:
        return _beam_search(logits, length, beam_width, top_paths, mask_index)

    return jax.vmap(search, out_axes=(1, 0))(inputs, lengths)


def _greedy_search(
    inputs: jax.Array, lengths: jax.Array, merge_repeated: bool, blank: int
) -> tuple[jax.Array, jax.Array]:
    ended = jnp.arange(inputs.shape[1]) >= lengths[:, None]  # (batch, time)
    labels = jnp.where(ended, blank, place_of_largest(inputs))
    largest = jnp.where(ended, 0.0, jnp.max(inputs, axis=-1))
    scores = -jnp.sum(largest, axis=1, keepdims=True)
    dropped = labels == blank
    if merge_repeated:
        dropped = dropped.at[:, 1:].max(labels[:, 1:] == labels[:, :-1])
    order = jnp.argsort(dropped, axis=-1, stable=True)  # labels that remain first, in their order
    labels = jnp.take_along_axis(jnp.where(dropped, -1, labels), order, axis=-1)
    return labels[None].astype("int32"), scores


def _beam_search(
    logits: jax.Array, length: jax.Array, width: int, top_paths: int, blank: int
) -> tuple[jax.Array, jax.Array]:
    """Prefix beam search over one sequence, (time, classes).

    A beam is a prefix with two log-probabilities: of all alignments that end in its last label, and
        in the blank.
    """
    time, classes = logits.shape
    log_p = jax.nn.log_softmax(logits)

    def step(state: Structure, now: Structure) -> tuple[Structure, None]:
        # (width, time), (width,), (width, 2): ends in label, ends in blank
        prefixes, lengths, scores = state
        x, active = now
        ends = jnp.maximum(lengths - 1, 0)
        last = jnp.take_along_axis(prefixes, ends[:, None], 1)[:, 0]
        last = jnp.where(lengths > 0, last, -1)
        total = jnp.logaddexp(scores[:, 0], scores[:, 1])
        again = jnp.where(last >= 0, scores[:, 0] + x[last], -jnp.inf)
        stay = jnp.stack([again, total + x[blank]], axis=-1)
        labels = jnp.arange(classes)
        # the same label once more is a new one only behind a blank
        source = jnp.where(labels == last[:, None], scores[:, 1:], total[:, None])
        grown = jnp.where(labels == blank, -jnp.inf, source + x)  # (width, classes)
        longer = jnp.repeat(prefixes[:, None], classes, axis=1)
        longer = jnp.where(jnp.arange(time) == lengths[:, None, None], labels[:, None], longer)
        candidates = jnp.concatenate([prefixes, longer.reshape(-1, time)])
        added = jnp.stack([grown.reshape(-1), jnp.full(width * classes, -jnp.inf)], axis=-1)
        merged = _merged(candidates, jnp.concatenate([stay, added]))
        new, new_scores = _best(candidates, merged, width)
        new_state = new, jnp.sum(new >= 0, axis=1), new_scores
        return jax.tree.map(lambda a, b: jnp.where(active, a, b), new_state, state), None

    prefixes = jnp.full((width, time), -1)
    scores = jnp.full((width, 2), -jnp.inf, log_p.dtype).at[0, 1].set(0.0)
    state = prefixes, jnp.zeros(width, int), scores
    active = jnp.arange(time) < jnp.maximum(length, 1)
    (prefixes, _, scores), _ = lax.scan(step, state, (log_p, active))
    prefixes, scores = _best(prefixes, scores, top_paths)
    return prefixes.astype("int32"), jnp.logaddexp(scores[:, 0], scores[:, 1])


def _merged(prefixes: jax.Array, scores: jax.Array) -> jax.Array:
    """The scores where equal prefixes become one, at the index of the first; the others get the
    probability 0.
    """
    _, groups = jnp.unique(prefixes, axis=0, size=len(prefixes), fill_value=-2, return_inverse=True)
    groups = groups.reshape(-1)
    indices = jnp.arange(len(prefixes))
    is_first = jax.ops.segment_min(indices, groups, len(prefixes))[groups] == indices
    largest = jax.ops.segment_max(scores, groups, len(prefixes))
    largest = jnp.where(jnp.isfinite(largest), largest, 0.0)
    shares = jnp.exp(scores - largest[groups])
    sums = jnp.log(jax.ops.segment_sum(shares, groups, len(prefixes))) + largest
    return jnp.where(is_first[:, None], sums[groups], -jnp.inf)


def _best(prefixes: jax.Array, scores: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """The likeliest prefixes, and their scores."""
    total = jnp.logaddexp(scores[:, 0], scores[:, 1])
    chosen = jnp.lexsort((jnp.arange(len(total)), -total))[:count]
    return prefixes[chosen], scores[chosen]


# ---------------------------------------------------------------- images


def _psnr_spec(x1: Operand, x2: Operand, max_val: float) -> KerasTensor:
    """Whether the shapes agree is looked at when there are numbers."""
    shapes = [jax.ShapeDtypeStruct((), standardize_dtype(x.dtype)) for x in (x1, x2)]
    one = jax.eval_shape(lambda x1, x2: psnr(x1, x2, max_val), *shapes)
    return KerasTensor((), one.dtype)


@nn_op(inputs=2, class_name="PSNR", spec=_psnr_spec)
def psnr(x1: TensorLike, x2: TensorLike, max_val: float) -> jax.Array:
    """The peak signal-to-noise ratio 20 log10(max_val) - 10 log10(mean((x1 - x2)**2)), in decibels.

    Args:
        x1, x2: arrays of one shape.
        max_val: the largest value that there can be: 1, or 255.
    Returns:
        One number for all elements together.
    Raises:
        ValueError: different shapes.

    >>> float(psnr(jnp.zeros(4), jnp.ones(4), max_val=10.0))
    20.0
    """
    x1 = jnp.asarray(x1)
    x2 = jnp.asarray(x2)
    if x1.shape != x2.shape:
        raise ValueError(
            f"The shapes of both inputs must agree. Received: x1.shape={x1.shape}, "
            f"x2.shape={x2.shape}"
        )
    peak = jnp.asarray(max_val, x2.dtype)
    return 20 * jnp.log10(peak) - 10 * jnp.log10(jnp.mean(jnp.square(x1 - x2)))
