"""Other shapes of the same elements: reshape, join, split, repeat, pad, flip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jkeras.core.errors import ShapeError, check_choice
from jkeras.core.graph.inference import infer
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.names.registry import public
from jkeras.ops.declaring import numpy_op
from jkeras.ops.promotion import (
    as_axes,
    both_names,
    broadcast_shapes,
    describe,
    shape_of,
    sized,
    tensor,
)
from jkeras.core.weights.types import (
    Axis,
    Function,
    Operand,
    PadMode,
    PerAxis,
    Shape,
    Sizes,
    TensorLike,
)

# ---------------------------------------------------------------- axes


def _reshape_spec(x: Operand, newshape: Shape) -> KerasTensor:
    if None in x.shape:
        return KerasTensor(tuple(None if d == -1 else d for d in newshape), x.dtype)
    static_elements = abs(int(np.prod(newshape)))  # without a size to be worked out
    can_be_worked_out = -1 in newshape and static_elements > 0 and x.size % static_elements == 0
    if x.size != static_elements and not can_be_worked_out:
        raise ValueError(
            f"Shape {x.shape} cannot be reshaped to {newshape}: the number of elements differs."
        )
    return infer(lambda x: jnp.reshape(x, newshape), x)


@numpy_op(inputs=1, class_name="Reshape", spec=_reshape_spec, public_names=False)
def _reshape(x: TensorLike, newshape: Shape) -> jax.Array:
    return jnp.reshape(tensor(x), newshape)


@public(*both_names("reshape"))
def reshape(x: TensorLike, newshape: Shape) -> jax.Array:
    """The elements in their order, in another shape.

    Args:
        x: array.
        newshape: int or tuple; one size may be -1, to be worked out from the others.
    Returns:
        Array of this shape.
    Raises:
        ValueError: a size below -1 or None, more than one -1, or, of a symbolic tensor, another
            number of elements.
        TypeError: another number of elements.

    >>> print(reshape([1, 2, 3, 4], (2, -1)))
    [[1 2]
     [3 4]]
    """
    if isinstance(newshape, (int, np.integer)):
        newshape = (newshape,)
    newshape = tuple(newshape)
    sizes = [d for d in newshape if isinstance(d, (int, np.integer))]
    if None in newshape or any(d < -1 for d in sizes):
        raise ValueError(
            "`newshape` must hold non-negative integers, of which one may be -1 (worked out). "
            f"Received: newshape={newshape}"
        )
    if sizes.count(-1) > 1:
        raise ValueError(
            f"`newshape` may have at most one unknown dimension, -1. Received: newshape={newshape}"
        )
    return _reshape(x, newshape)


@numpy_op()
def ravel(x: TensorLike) -> jax.Array:
    """All elements as a vector.

    Args:
        x: array.
    Returns:
        Vector, row by row.

    >>> print(ravel([[1, 2], [3, 4]]))
    [1 2 3 4]
    """
    return jnp.ravel(tensor(x))


def _check_permutation(axes: Sequence[int] | None, ndim: int) -> None:
    positions = [axis + ndim if axis < 0 else axis for axis in axes]
    if sorted(positions) != list(range(ndim)):
        raise ShapeError(
            f"`axes` must be a valid permutation of the {ndim} axes: each once. "
            f"Received: axes={list(axes)}"
        )


@numpy_op(inputs=1)
def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> jax.Array:
    """The axes in another order; None: reversed.

    Args:
        x: array.
        axes: for each axis of the result, which of x's it is.
    Returns:
        Array with the same axes in that order.
    Raises:
        ValueError: `axes` does not name each axis once.

    >>> print(transpose([[1, 2], [3, 4]]))
    [[1 3]
     [2 4]]
    """
    x = tensor(x)
    if axes is not None:
        _check_permutation(axes, x.ndim)
    return jnp.transpose(x, axes=axes)


@numpy_op(inputs=1)
def swapaxes(x: TensorLike, axis1: int, axis2: int) -> jax.Array:
    """Two axes exchanged.

    Args:
        x: array.
        axis1, axis2: ints.
    Returns:
        Array with the same axes, these two exchanged.
    Raises:
        ValueError: an axis that x does not have.

    >>> swapaxes(jnp.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    x = tensor(x)
    for axis in (axis1, axis2):
        normalize_axis_index(axis, x.ndim)  # JAX's own message misleads
    return jnp.swapaxes(x, axis1, axis2)


@numpy_op(inputs=1)
def moveaxis(x: TensorLike, source: Axis, destination: Axis) -> jax.Array:
    """Axes moved to new positions, the others in their order.

    Args:
        x: array.
        source: int or tuple: axes of x.
        destination: int or tuple: where they stand in the result.
    Returns:
        Array with the same axes in that order.

    >>> moveaxis(jnp.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return jnp.moveaxis(tensor(x), source, destination)


@numpy_op(inputs=1)
def expand_dims(x: TensorLike, axis: Axis) -> jax.Array:
    """New axes of length 1 at these positions of the result.

    Args:
        x: array.
        axis: int or tuple.
    Returns:
        Array of the same elements.

    >>> expand_dims(jnp.zeros((2, 3)), (0, -1)).shape
    (1, 2, 3, 1)
    """
    return jnp.expand_dims(tensor(x), axis)


@numpy_op(inputs=1)
def squeeze(x: TensorLike, axis: Axis | None = None) -> jax.Array:
    """Without axes of length 1; None: all of them.

    Args:
        x: array.
        axis: int or tuple of axes of length 1, or None.
    Returns:
        Array of the same elements.

    >>> squeeze(jnp.zeros((1, 2, 1)), axis=0).shape
    (2, 1)
    """
    return jnp.squeeze(tensor(x), axis=as_axes(axis))


def _broadcast_to_spec(x: Operand, shape: Shape) -> KerasTensor:
    broadcast_shapes(x.shape, shape)
    return KerasTensor(shape, x.dtype)


@numpy_op(inputs=1, spec=_broadcast_to_spec)
def broadcast_to(x: TensorLike, shape: Shape) -> jax.Array:
    """x repeated along axes of length 1 and new leading axes, up to a shape.

    Args:
        x: array.
        shape: tuple of ints.
    Returns:
        Array of this shape.

    >>> print(broadcast_to([1, 2], (2, 2)))
    [[1 2]
     [1 2]]
    """
    return jnp.broadcast_to(tensor(x), shape)


@numpy_op(spec=lambda x: KerasTensor((), "int32"))
def size(x: TensorLike) -> int:
    """The number of elements.

    Args:
        x: array or nested list.
    Returns:
        int.

    >>> size([[1, 2], [3, 4]])
    4
    """
    return jnp.size(tensor(x))


@numpy_op(spec=lambda x: KerasTensor((x.ndim,)))
def ndim(x: TensorLike) -> int:
    """The number of axes.

    Args:
        x: array or nested list.
    Returns:
        int.

    >>> ndim([[1, 2], [3, 4]])
    2
    """
    return jnp.ndim(tensor(x))


# ---------------------------------------------------------------- joining


def _concatenate_spec(xs: Sequence[Operand], axis: int = 0) -> KerasTensor:
    shapes = [shape_of(x) for x in xs]
    if not any(None in s for s in shapes):
        return infer(lambda xs: jnp.concatenate(xs, axis=axis), list(xs))
    return _joined(xs, shapes, axis)


def _joined(xs: Sequence[Operand], shapes: Sequence[Sizes], axis: int) -> KerasTensor:
    """Arrays taken as of these shapes, joined. An unknown size stands beside a static one; the
    first array's count.
    """
    joined = list(shapes[0])
    index = normalize_axis_index(axis, len(joined))
    for shape in shapes:
        if not _agree(shape, joined, index):
            raise ValueError(
                f"Arrays to concatenate must agree on all axes but axis {axis}. Received shapes: "
                f"{shapes}"
            )
    sizes = [shape[index] for shape in shapes]
    joined[index] = None
    if None not in sizes:
        joined[index] = sum(sizes)
    return KerasTensor(joined, infer(jnp.concatenate, [sized(x, (1,)) for x in xs]).dtype)


def _agree(shape: Sizes, other: Sizes, index: int) -> bool:
    """Whether two shapes can be the same but for one axis."""
    if len(shape) != len(other):
        return False
    pairs = list(zip(shape, other))
    del pairs[index]
    return all(a == b or None in (a, b) for a, b in pairs)


@numpy_op(inputs=1, spec=_concatenate_spec)
def concatenate(xs: Sequence[TensorLike], axis: int = 0) -> jax.Array:
    """Arrays joined along an axis that they have.

    Args:
        xs: list or tuple of arrays that agree on all other axes.
        axis: int.
    Returns:
        Array, as long along the axis as all together.

    >>> print(concatenate([[1, 2], [3]]))
    [1 2 3]
    """
    return jnp.concatenate([tensor(x) for x in xs], axis=axis)


def _stack_spec(x: Sequence[Operand], axis: int = 0) -> KerasTensor:
    shapes = [shape_of(v) for v in x]
    if not any(None in s for s in shapes):
        return infer(lambda xs: jnp.stack(xs, axis=axis), list(x))
    index = normalize_axis_index(axis, len(shapes[0]) + 1)
    return _joined(x, [(*s[:index], 1, *s[index:]) for s in shapes], axis)


@numpy_op(inputs=1, spec=_stack_spec)
def stack(x: Sequence[TensorLike], axis: int = 0) -> jax.Array:
    """Arrays of one shape joined along a new axis.

    Args:
        x: list or tuple of arrays.
        axis: where the new axis stands in the result.
    Returns:
        Array of one axis more, whose size is the number of arrays.

    >>> print(stack([[1, 2], [3, 4]], axis=1))
    [[1 3]
     [2 4]]
    """
    return jnp.stack([tensor(v) for v in x], axis=axis)


_OF_SEVERAL = """

Args:
    xs: list or tuple of arrays that agree on all axes but the one they are joined along.
Returns:
    One array."""


def _stacking(
    name: str, compute: Function, axis: Any, padded: Function, doc: str, example: str, shown: str
) -> Function:
    def function(xs: Sequence[TensorLike]) -> jax.Array:
        return compute([tensor(x) for x in xs])

    def spec(xs: Sequence[Operand]) -> KerasTensor:
        shapes = [padded(shape_of(x)) for x in xs]
        if not any(None in s for s in shapes):
            return infer(compute, list(xs))
        return _joined(xs, shapes, min(axis, len(shapes[0]) - 1))

    doc += _OF_SEVERAL
    return numpy_op(spec=spec)(describe(function, name, __name__, doc, example, shown))


def _with_1_axis(shape: Sizes) -> Sizes:
    return shape or (1,)


def _with_2_axes(shape: Sizes) -> Sizes:
    return (1,) * (2 - len(shape)) + shape


def _with_3_axes(shape: Sizes) -> Sizes:
    if len(shape) == 1:
        return (1, *shape, 1)
    return (*shape, *(1,) * (3 - len(shape)))


hstack = _stacking(
    "hstack",
    jnp.hstack,
    1,
    _with_1_axis,
    "Arrays joined along their second axis, vectors along their only one.",
    "[[1, 2], [3]]",
    "[1 2 3]",
)
vstack = _stacking(
    "vstack",
    jnp.vstack,
    0,
    _with_2_axes,
    "Arrays joined along their first axis, vectors as rows.",
    "[[1, 2], [3, 4]]",
    "[[1 2]\n [3 4]]",
)
dstack = _stacking(
    "dstack",
    jnp.dstack,
    2,
    _with_3_axes,
    "Arrays joined along their third axis.",
    "[[1, 2], [3, 4]]",
    "[[[1 3]\n  [2 4]]]",
)


def _as_columns(shape: Sizes) -> Sizes:
    return (*shape, *(1,) * (2 - len(shape)))


column_stack = _stacking(
    "column_stack",
    jnp.column_stack,
    1,
    _as_columns,
    "Arrays joined along their second axis, vectors as columns.",
    "[[1, 2], [3, 4]]",
    "[[1 3]\n [2 4]]",
)


def _append_spec(x1: Operand, x2: Operand, axis: int | None = None) -> KerasTensor:
    if axis is None:
        return infer(lambda pair: jnp.append(*map(tensor, pair)), (x1, x2))
    return _concatenate_spec((x1, x2), axis)


@numpy_op(inputs=2, spec=_append_spec)
def append(x1: TensorLike, x2: TensorLike, axis: int | None = None) -> jax.Array:
    """x2 after x1 along an axis; None: both made flat.

    Args:
        x1, x2: arrays, which agree on all axes but that one.
        axis: int or None.
    Returns:
        Array; for the axis None a vector.

    >>> print(append([1, 2], [[3], [4]]))
    [1 2 3 4]
    """
    return jnp.append(tensor(x1), tensor(x2), axis=axis)


# ---------------------------------------------------------------- splitting


def _split_spec(x: Operand, indices_or_sections: PerAxis, axis: int = 0) -> list[KerasTensor]:
    """A number of sections of an unknown size; sizes between explicit indices stay static."""
    index = normalize_axis_index(axis, x.ndim)
    if x.shape[index] is not None:
        return infer(lambda x: jnp.split(x, indices_or_sections, axis=axis), x)
    if isinstance(indices_or_sections, int):
        sizes = [None] * indices_or_sections
    else:
        starts = [0, *indices_or_sections]
        sizes = [end - start for start, end in zip(starts, indices_or_sections)] + [None]
    before = x.shape[:index]
    after = x.shape[index + 1 :]
    return [KerasTensor((*before, size, *after), x.dtype) for size in sizes]


@numpy_op(inputs=1, spec=_split_spec)
def split(x: TensorLike, indices_or_sections: PerAxis, axis: int = 0) -> list[jax.Array]:
    """The parts of an array along an axis, as a list.

    Args:
        x: array.
        indices_or_sections: the number of equal parts, or where to cut.
        axis: int.
    Returns:
        List of arrays.
    Raises:
        ValueError: parts that are not equal.

    >>> [part.tolist() for part in split([1, 2, 3, 4], [1, 3])]
    [[1], [2, 3], [4]]
    """
    return jnp.split(tensor(x), indices_or_sections, axis=axis)


@numpy_op(inputs=1)
def array_split(x: TensorLike, indices_or_sections: PerAxis, axis: int = 0) -> list[jax.Array]:
    """Like `split` into a number of parts, of which the first may be longer by one.

    Args:
        x: array.
        indices_or_sections: the number of parts, an int.
        axis: int.
    Returns:
        List of arrays.
    Raises:
        TypeError: `indices_or_sections` or `axis` is no int.
        ValueError: no part.

    >>> [part.tolist() for part in array_split([1, 2, 3], 2)]
    [[1, 2], [3]]
    """
    if not isinstance(indices_or_sections, int) or not isinstance(axis, int):
        raise TypeError(
            "`indices_or_sections` and `axis` must be integers. "
            f"Received: indices_or_sections={indices_or_sections}, axis={axis}"
        )
    if indices_or_sections <= 0:
        raise ValueError(f"`indices_or_sections` must be positive. Received: {indices_or_sections}")
    return jnp.array_split(tensor(x), indices_or_sections, axis=axis)


_IN_PARTS = """

Args:
    x: array.
    indices_or_sections: the number of equal parts, or where to cut.
Returns:
    List of arrays."""


def _splitting(
    name: str, compute: Function, axis: int, least: int, words: str, example: str, shown: str
) -> Function:
    def function(x: TensorLike, indices_or_sections: PerAxis) -> list[jax.Array]:
        return compute(tensor(x), indices_or_sections)

    def spec(x: Operand, indices_or_sections: PerAxis) -> list[KerasTensor]:
        if x.ndim < least:
            raise ValueError(
                f"{name} takes an array with {least} or more axes. Received: x.shape={x.shape}"
            )
        return _split_spec(x, indices_or_sections, min(axis, x.ndim - 1))

    doc = f"The parts of an array along its {words} axis, as a list; see `split`.{_IN_PARTS}"
    return numpy_op(inputs=1, spec=spec)(describe(function, name, __name__, doc, example, shown))


hsplit = _splitting(
    "hsplit",
    jnp.hsplit,
    1,
    1,
    "second (of a vector: only)",
    "[1, 2], 2",
    "[Array([1], dtype=int32), Array([2], dtype=int32)]",
)
vsplit = _splitting(
    "vsplit",
    jnp.vsplit,
    0,
    2,
    "first",
    "[[1], [2]], 2",
    "[Array([[1]], dtype=int32), Array([[2]], dtype=int32)]",
)
dsplit = _splitting(
    "dsplit",
    jnp.dsplit,
    2,
    3,
    "third",
    "[[[1, 2]]], 2",
    "[Array([[[1]]], dtype=int32), Array([[[2]]], dtype=int32)]",
)


# ---------------------------------------------------------------- repeating, padding, turning


@numpy_op(inputs=1)
def tile(x: TensorLike, repeats: PerAxis) -> jax.Array:
    """The whole array repeated along each axis.

    Args:
        x: array.
        repeats: int, along the last axis; or a tuple, one for each axis, the last for the last.
    Returns:
        Array, each axis so many times as long.

    >>> print(tile([1, 2], 2))
    [1 2 1 2]
    """
    return jnp.tile(tensor(x), repeats)


def _repeat_spec(x: Operand, repeats: TensorLike, axis: int | None = None) -> KerasTensor:
    """One number of repeats for each element of an unknown size gives an unknown size."""
    if np.size(repeats) > 1 and not _knows_size(x, axis):
        shape = x.shape
        if axis is None:
            shape = (None,)
        return KerasTensor(shape, x.dtype)
    return infer(lambda x: repeat.__wrapped__(x, repeats, axis), x)


def _knows_size(x: Operand, axis: int | None) -> bool:
    """Whether the size of an axis is static; for None that of the flat array."""
    if axis is None:
        return None not in x.shape
    return x.shape[normalize_axis_index(axis, x.ndim)] is not None


@numpy_op(inputs=1, spec=_repeat_spec)
def repeat(x: TensorLike, repeats: TensorLike, axis: int | None = None) -> jax.Array:
    """Each element repeated along an axis; None: of the flat array.

    Args:
        x: array.
        repeats: a number for all, or one for each element.
        axis: int or None.
    Returns:
        Array, its axis as long as the repeats together; for the axis None a vector.

    >>> print(repeat([1, 2], [1, 3]))
    [1 2 2 2]
    """
    if isinstance(repeats, (list, tuple)):
        repeats = np.asarray(repeats)
    return jnp.repeat(tensor(x), repeats, axis=axis)


PAD_MODES = (
    "constant",
    "edge",
    "reflect",
    "symmetric",
    "wrap",
    "linear_ramp",
    "maximum",
    "mean",
    "minimum",
    "median",
    "empty",
)


@numpy_op(inputs=1, keywords=("constant_values",))
def pad(
    x: TensorLike,
    pad_width: int | Sequence[int] | Sequence[Sequence[int]],
    mode: PadMode | Function = "constant",
    constant_values: TensorLike | None = None,
) -> jax.Array:
    """Elements added at both ends of each axis.

    Args:
        x: array.
        pad_width: `((before, after), …)` for each axis, one pair or one number for all.
        mode: "constant", "edge", "reflect", "symmetric", "wrap", "linear_ramp", "maximum", "mean",
            "minimum", "median", "empty", or a function as `numpy.pad` takes it.
        constant_values: what to add in mode "constant", by default 0.
    Returns:
        Array, each axis longer by what is added.
    Raises:
        NotImplementedError: an unknown mode.
        ValueError: `constant_values` with another mode.

    >>> print(pad([1, 2], (1, 2), constant_values=9))
    [9 1 2 9 9]
    """
    if not callable(mode):
        check_choice("mode", mode, PAD_MODES, error=NotImplementedError)
    if constant_values is None:
        return jnp.pad(tensor(x), pad_width, mode=mode)
    if mode != "constant":
        raise ValueError(
            "Argument `constant_values` can only be provided when `mode == 'constant'`. "
            f"Received: mode={mode}"
        )
    return jnp.pad(tensor(x), pad_width, mode=mode, constant_values=constant_values)


@numpy_op(inputs=1)
def flip(x: TensorLike, axis: Axis | None = None) -> jax.Array:
    """The elements in reverse order along axes; None: all.

    Args:
        x: array.
        axis: int, tuple or None.
    Returns:
        Array of x's shape.

    >>> print(flip([[1, 2], [3, 4]], axis=1))
    [[2 1]
     [4 3]]
    """
    return jnp.flip(tensor(x), axis=as_axes(axis))


@numpy_op()
def fliplr(x: TensorLike) -> jax.Array:
    """The columns in reverse order.

    Args:
        x: array of two axes or more.
    Returns:
        Array of x's shape.

    >>> print(fliplr([[1, 2]]))
    [[2 1]]
    """
    return jnp.fliplr(tensor(x))


@numpy_op()
def flipud(x: TensorLike) -> jax.Array:
    """The rows in reverse order.

    Args:
        x: array of one axis or more.
    Returns:
        Array of x's shape.

    >>> print(flipud([1, 2]))
    [2 1]
    """
    return jnp.flipud(tensor(x))


@numpy_op(inputs=1)
def roll(x: TensorLike, shift: PerAxis, axis: Axis | None = None) -> jax.Array:
    """The elements moved round along an axis; None: of the flat array.

    Args:
        x: array.
        shift: by how many places, towards higher indices; what leaves at the end comes back at the
            beginning. A tuple: one for each axis.
        axis: int, tuple or None.
    Returns:
        Array of x's shape.

    >>> print(roll([1, 2, 3], 1))
    [3 1 2]
    """
    return jnp.roll(tensor(x), shift, axis=axis)


@numpy_op(inputs=1)
def rot90(array: TensorLike, k: int = 1, axes: Sequence[int] = (0, 1)) -> jax.Array:
    """The array turned k times by 90 degrees in the plane of two axes, from the first to the
    second.

    Args:
        array: array of two axes or more.
        k: int; negative: the other way round.
        axes: two axes.
    Returns:
        Array; for an odd k the two axes have exchanged their sizes.
    Raises:
        ValueError: fewer than two axes, or `axes` that are not two different ones.

    >>> print(rot90([[1, 2], [3, 4]]))
    [[2 4]
     [1 3]]
    """
    array = tensor(array)
    if array.ndim < 2:
        raise ValueError(
            f"rot90 takes an array with 2 or more axes. Received: array.ndim={array.ndim}"
        )
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ValueError(f"`axes` must be two different axes. Received: axes={axes}")
    return jnp.rot90(array, k=k, axes=tuple(axes))
