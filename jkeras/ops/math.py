"""Segments, rankings, Fourier transforms, special functions."""

from __future__ import annotations

from typing import Any
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jkeras.core.errors import ShapeError
from jkeras.core.graph.inference import infer
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.graph.op import knows_last, op
from jkeras.ops import linalg
from jkeras.ops.promotion import (
    as_axes,
    broadcast_shapes,
    in_float32,
    agreed_size,
    shape_of,
    sized,
)
from jkeras.core.names.registry import Thing
from jkeras.core.weights.types import Axis, DType, Function, Operand, TensorLike


def math_op(
    inputs: int | None = None, class_name: str | None = None, spec: Function | None = None
) -> Callable[[Thing], Thing]:
    """`op` for a function of this file, which is public under its own name."""

    def decorate(function: Thing) -> Thing:
        return op(
            "keras.src.ops.math",
            f"keras.ops.{function.__name__}",
            inputs=inputs,
            class_name=class_name,
            spec=spec,
        )(function)

    return decorate


# ---------------------------------------------------------------- segments


def _check_ids(ids_shape: tuple[int, ...], data_shape: tuple[int, ...]) -> None:
    if len(ids_shape) != 1:
        raise ShapeError(
            "Argument `segment_ids` should be an 1-D vector, one id a row. Received: "
            f"segment_ids.shape={ids_shape}, data.shape={data_shape}"
        )


def _segments(
    reduce: Function,
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None,
    sorted: bool,
) -> jax.Array:
    data = jnp.asarray(data)
    segment_ids = jnp.asarray(segment_ids)
    shapes = f"Received: segment_ids.shape={segment_ids.shape}, data.shape={data.shape}"
    _check_ids(segment_ids.shape, data.shape)
    if segment_ids.shape != data.shape[:1]:
        raise ShapeError(
            "Argument `segment_ids` and `data` should have same leading dimension. " + shapes
        )
    if num_segments is None:
        raise ValueError(
            "Argument `num_segments` must be set when using the JAX backend. The size of the "
            "result has to be known."
        )
    return reduce(data, segment_ids, num_segments, indices_are_sorted=sorted)


def _segments_spec(
    data: Operand, segment_ids: Operand, num_segments: int | None = None, sorted: bool = False
) -> KerasTensor:
    """A length that only one of the two knows is that of the other."""
    _check_ids(shape_of(segment_ids), shape_of(data))
    if num_segments is None:
        return KerasTensor((None, *shape_of(data)[1:]), data.dtype)
    length, *trailing = shape_of(data)
    ids_length, *more = shape_of(segment_ids)
    data = sized(data, (agreed_size(length, ids_length), *trailing))
    segment_ids = sized(segment_ids, (agreed_size(ids_length, length), *more))

    def sums(arrays: Sequence[jax.Array]) -> jax.Array:
        return _segments(jax.ops.segment_sum, *arrays, num_segments, sorted)

    return infer(sums, (data, segment_ids))


@math_op(inputs=2, spec=_segments_spec)
def segment_sum(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The sum of all rows with the same id: row i of the result is that of id i. Rows with ids out
    of range are left out.

    Args:
        data: (n, ...); segment_ids: (n,), integers.
        num_segments: the number of rows of the result; is required.
        sorted: whether the ids come in rising order, which is faster.
    Returns:
        Array (num_segments, ...).
    Raises:
        ValueError: no `num_segments`, ids that are no vector, or another number of ids than rows.

    >>> segment_sum([1.0, 2.0, 4.0], [0, 1, 0], num_segments=2)
    Array([5., 2.], dtype=float32)
    """
    return _segments(jax.ops.segment_sum, data, segment_ids, num_segments, sorted)


@math_op(inputs=2, spec=_segments_spec)
def segment_max(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The maximum of all rows with the same id; -inf for an id without rows, of integers the
    smallest number.

    Args:
        data, segment_ids, num_segments, sorted: as for `segment_sum`.
    Returns:
        Array (num_segments, ...).
    Raises:
        ValueError: as for `segment_sum`.

    >>> segment_max([1.0, 2.0, 4.0], [0, 1, 0], num_segments=2)
    Array([4., 2.], dtype=float32)
    """
    return _segments(jax.ops.segment_max, data, segment_ids, num_segments, sorted)


@math_op(inputs=2, spec=_segments_spec)
def segment_min(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The minimum of all rows with the same id; inf for an id without rows, of integers the largest
    number.

    Args:
        data, segment_ids, num_segments, sorted: as for `segment_sum`.
    Returns:
        Array (num_segments, ...).
    Raises:
        ValueError: as for `segment_sum`.

    >>> segment_min([1.0, 2.0, 4.0], [0, 1, 0], num_segments=2)
    Array([1., 2.], dtype=float32)
    """
    return _segments(jax.ops.segment_min, data, segment_ids, num_segments, sorted)


@math_op(inputs=2, spec=_segments_spec)
def segment_prod(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The product of all rows with the same id; 1 for an id without rows.

    Args:
        data, segment_ids, num_segments, sorted: as for `segment_sum`.
    Returns:
        Array (num_segments, ...).
    Raises:
        ValueError: as for `segment_sum`.

    >>> segment_prod([3.0, 2.0, 4.0], [0, 1, 0], num_segments=2)
    Array([12.,  2.], dtype=float32)
    """
    return _segments(jax.ops.segment_prod, data, segment_ids, num_segments, sorted)


# ---------------------------------------------------------------- rankings, distances, special
# functions


@math_op(inputs=1, class_name="TopK")
def top_k(
    x: TensorLike, k: int, sorted: bool = True, *, is_stable: bool = True
) -> tuple[jax.Array, jax.Array]:
    """The k largest entries along the last axis and where they stand, largest first, of equal ones
    the first.

    Args:
        x: (..., n).
        k: int, at most n.
        sorted, is_stable: False asks for less order and makes no difference; the second is Keras
            3.16's.
    Returns:
        (values, int32 indices), both (..., k).

    >>> top_k(jnp.array([1.0, 3.0, 2.0]), 2)[1]
    Array([1, 2], dtype=int32)
    """
    return tuple(lax.top_k(jnp.asarray(x), k))


@math_op(
    inputs=2,
    class_name="InTopK",
    spec=lambda targets, predictions, k: KerasTensor(targets.shape, "bool"),
)
def in_top_k(targets: TensorLike, predictions: TensorLike, k: int) -> jax.Array:
    """Whether fewer than k classes have a larger prediction than the target; a target with NaN
    comes last.

    Args:
        targets: (batch,), integers; predictions: (batch, classes).
        k: int.
    Returns:
        Booleans (batch,).

    >>> in_top_k(jnp.array([1]), jnp.array([[0.1, 0.5, 0.4]]), 1)
    Array([ True], dtype=bool)
    """
    targets = jnp.asarray(targets)
    predictions = jnp.asarray(predictions)
    own = jnp.take_along_axis(predictions, targets[..., None], axis=-1)
    own = jnp.where(jnp.isnan(own), -jnp.inf, own)
    return jnp.sum(predictions > own, axis=-1) < k


@math_op()
def logsumexp(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array:
    """log(sum(exp(x))) over some axes, without overflow.

    Args:
        x: array; half precision is summed in float32.
        axis: int, tuple, or None for all.
        keepdims: whether reduced axes stay, with size 1.
    Returns:
        Array of x's shape without the reduced axes.

    >>> float(logsumexp([100.0, -100.0]))
    100.0
    """
    axes = as_axes(axis)
    return in_float32(lambda x: jax.nn.logsumexp(x, axis=axes, keepdims=keepdims), jnp.asarray(x))


def _cdist_spec(x: Operand, y: Operand) -> KerasTensor:
    *x_batch, x_points, x_size = shape_of(x)
    *y_batch, y_points, y_size = shape_of(y)
    if None not in (x_size, y_size) and x_size != y_size:
        raise ValueError(
            f"The last axes must agree. Received: x.shape={shape_of(x)}, y.shape={shape_of(y)}"
        )
    one_of_each = (sized(x, (1, 1)), sized(y, (1, 1)))
    dtype = infer(lambda points: cdist.__wrapped__(*points), one_of_each).dtype
    return KerasTensor((*broadcast_shapes(x_batch, y_batch), x_points, y_points), dtype)


@math_op(class_name="CDist", spec=_cdist_spec)
def cdist(x: TensorLike, y: TensorLike) -> jax.Array:
    """All Euclidean distances between the rows of two matrices: (..., n, d), (..., m, d) -> (...,
    n, m).

    Args:
        x: (..., n, d).
        y: (..., m, d); what comes before the rows broadcasts.
    Returns:
        Array (..., n, m).
    Raises:
        ValueError: fewer than two axes, or rows of different length.

    >>> cdist(jnp.zeros((1, 2)), jnp.array([[3.0, 4.0]]))
    Array([[5.]], dtype=float32)
    """
    x = linalg.matrix(x)
    y = linalg.matrix(y)
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"The last axes must agree. Received: x.shape={x.shape}, y.shape={y.shape}"
        )
    differences = x[..., :, None, :] - y[..., None, :, :]
    return jnp.sqrt(jnp.sum(jnp.square(differences), axis=-1))


@math_op()
def rsqrt(x: TensorLike) -> jax.Array:
    """1 / sqrt(x).

    Args:
        x: array of floats.
    Returns:
        Array of x's shape.

    >>> rsqrt([4.0])
    Array([0.5], dtype=float32)
    """
    return lax.rsqrt(jnp.asarray(x))


@math_op()
def erf(x: TensorLike) -> jax.Array:
    """The error function.

    Args:
        x: array of floats.
    Returns:
        Array of x's shape.

    >>> erf([0.0, 0.5, 10.0])
    Array([0.       , 0.5204999, 1.       ], dtype=float32)
    """
    return lax.erf(jnp.asarray(x))


@math_op()
def erfc(x: TensorLike) -> jax.Array:
    """1 - erf(x), without cancellation.

    Args:
        x: array of floats.
    Returns:
        Array of x's shape.

    >>> print(erfc([0.0, 5.0]), 1 - erf([5.0]))
    [1.0000000e+00 1.5374597e-12] [0.]
    """
    return jax.scipy.special.erfc(jnp.asarray(x))


@math_op()
def erfinv(x: TensorLike) -> jax.Array:
    """The inverse of `erf`, for x in (-1, 1).

    Args:
        x: array of floats; 1 and -1 give inf and -inf.
    Returns:
        Array of x's shape.

    >>> erfinv([0.0, 1.0])
    Array([ 0., inf], dtype=float32)
    """
    return jax.scipy.special.erfinv(jnp.asarray(x))


@math_op(inputs=2)
def gammainc(x1: TensorLike, x2: TensorLike) -> jax.Array:
    """The regularized lower incomplete gamma function: the integral of t^(x1 - 1) exp(-t) from 0 to
    x2, by gamma(x1).

    Args:
        x1: positive numbers, an array of floats.
        x2: numbers from 0 on, of a shape that broadcasts.
    Returns:
        Array of numbers from 0 to 1.

    >>> print(gammainc(1.0, jnp.array([0.0, 1.0])).round(4), 1 - jnp.exp(-1.0).round(4))
    [0.     0.6321] 0.6321
    """
    return jax.scipy.special.gammainc(jnp.asarray(x1), jnp.asarray(x2))


@math_op()
def logdet(x: TensorLike) -> jax.Array:
    """log(|det(x)|) of square matrices.

    Args:
        x: (..., n, n).
    Returns:
        Array (...).

    >>> print(logdet(2.0 * jnp.eye(3)), 3 * jnp.log(2.0))
    2.0794415 2.0794415
    """
    return jnp.linalg.slogdet(jnp.asarray(x))[1]


# ---------------------------------------------------------------- Fourier transforms


def _check_rank(x: jax.Array, rank: int) -> None:
    """Raises a ShapeError unless an array has as many axes, or more."""
    if x.ndim < rank:
        raise ShapeError(f"Input should have rank >= {rank}. Received: an array of shape {x.shape}")


def _complex(x: Sequence[TensorLike], rank: int = 1) -> jax.Array:
    """A pair (real, imaginary) as one complex array, checked."""
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(
            "Input `x` should be a tuple of two tensors: what is real, and what is imaginary. "
            f"Received: {x}"
        )
    real, imaginary = map(jnp.asarray, x)
    if real.shape != imaginary.shape:
        raise ValueError(
            "Both the real and imaginary parts should have the same shape. They have: "
            f"{real.shape} and {imaginary.shape}"
        )
    _check_rank(real, rank)
    if not all(jnp.issubdtype(v.dtype, jnp.floating) for v in (real, imaginary)):
        raise ValueError(
            f"Both parts should be of a float type. Received: {real.dtype} and {imaginary.dtype}"
        )
    return lax.complex(real, imaginary)


def _parts(z: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.real(z), jnp.imag(z)


@knows_last(1)
@math_op(class_name="FFT")
def fft(x: Sequence[TensorLike]) -> tuple[jax.Array, jax.Array]:
    """The Fourier transform along the last axis; input and output are pairs (real, imaginary).

    Args:
        x: a pair of float arrays (..., n).
    Returns:
        A pair of arrays (..., n).
    Raises:
        ValueError: no pair, parts of different shapes or of integers, or too few axes.

    >>> fft((jnp.ones(2), jnp.zeros(2)))[0]
    Array([2., 0.], dtype=float32)
    """
    return _parts(jnp.fft.fft(_complex(x)))


@knows_last(2)
@math_op(class_name="FFT2")
def fft2(x: Sequence[TensorLike]) -> tuple[jax.Array, jax.Array]:
    """The Fourier transform over the last two axes; input and output are pairs (real, imaginary).

    Args:
        x: a pair of float arrays (..., n, m).
    Returns:
        A pair of arrays (..., n, m).
    Raises:
        ValueError: no pair, parts of different shapes or of integers, or too few axes.

    >>> fft2((jnp.ones((1, 2)), jnp.zeros((1, 2))))[0]
    Array([[2., 0.]], dtype=float32)
    """
    return _parts(jnp.fft.fft2(_complex(x, rank=2)))


@knows_last(2)
@math_op(class_name="IFFT2")
def ifft2(x: Sequence[TensorLike]) -> tuple[jax.Array, jax.Array]:
    """The inverse of `fft2`.

    Args:
        x: a pair of float arrays (..., n, m).
    Returns:
        A pair of arrays (..., n, m).
    Raises:
        ValueError: no pair, parts of different shapes or of integers, or too few axes.

    >>> ifft2((jnp.array([[2.0, 0.0]]), jnp.zeros((1, 2))))[0]
    Array([[1., 1.]], dtype=float32)
    """
    return _parts(jnp.fft.ifft2(_complex(x, rank=2)))


@math_op(class_name="RFFT")
def rfft(x: TensorLike, fft_length: int | None = None) -> tuple[jax.Array, jax.Array]:
    """The non-redundant half of the Fourier transform of real numbers, as a pair (real, imaginary).

    Args:
        x: (..., n), real numbers.
        fft_length: x is cut or filled with zeros to this length first.
    Returns:
        A pair of arrays (..., n // 2 + 1), n being `fft_length` where it is given.
    Raises:
        ValueError: x without axes.

    >>> rfft(jnp.ones(2))[0]
    Array([2., 0.], dtype=float32)
    """
    x = jnp.asarray(x)
    _check_rank(x, 1)
    return _parts(jnp.fft.rfft(x, n=fft_length))


@math_op(class_name="IRFFT")
def irfft(x: Sequence[TensorLike], fft_length: int | None = None) -> jax.Array:
    """The inverse of `rfft`.

    Args:
        x: a pair of float arrays (..., bins).
        fft_length: the length of the result, by default 2 (bins - 1); an odd one has to be given.
    Returns:
        Array (..., fft_length).
    Raises:
        ValueError: no pair, parts of different shapes or of integers, or too few axes.

    >>> irfft((jnp.array([2.0, 0.0]), jnp.zeros(2)))
    Array([1., 1.], dtype=float32)
    """
    return jnp.fft.irfft(_complex(x), n=fft_length)


def _frames(x: jax.Array, length: int, stride: int) -> jax.Array:
    """All windows of the last axis: (..., n) -> (..., windows, length)."""
    starts = jnp.arange(max(0, 1 + (x.shape[-1] - length) // stride)) * stride
    return x[..., starts[:, None] + jnp.arange(length)]


@math_op(inputs=1)
def extract_sequences(x: TensorLike, sequence_length: int, sequence_stride: int) -> jax.Array:
    """All windows of the last axis: (..., n) -> (..., windows, sequence_length).

    Args:
        x: (..., n).
        sequence_length: of a window.
        sequence_stride: steps from one window to the next.
    Returns:
        Array; windows that would go beyond the end are left out.
    Raises:
        ValueError: a length or stride that is not positive.

    >>> extract_sequences(jnp.arange(4), 2, 1).tolist()
    [[0, 1], [1, 2], [2, 3]]
    """
    if sequence_length <= 0 or sequence_stride <= 0:
        raise ShapeError(
            "`sequence_length` and `sequence_stride` must be positive. Received: "
            f"sequence_length={sequence_length}, sequence_stride={sequence_stride}"
        )
    x = jnp.asarray(x)
    _check_rank(x, 1)
    return _frames(x, sequence_length, sequence_stride)


def _window(window: Any, length: int, fft_length: int, dtype: DType) -> jax.Array:
    """The window, zeros around it up to `fft_length`; a name stands for a periodic window, None for
    all ones.
    """
    if window is None:
        return jnp.ones(fft_length, dtype)
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ValueError(
                "If a string is passed to `window`, it is 'hann' or 'hamming'. Received: "
                f"window={window!r}"
            )
        window = _named_window(window, length)
    window = jnp.asarray(window, dtype)
    if window.shape != (length,):
        raise ValueError(
            f"The shape of `window` must be equal to [sequence_length], ({length},). Received: "
            f"{window.shape}"
        )
    left = (fft_length - length) // 2
    return jnp.pad(window, (left, fft_length - length - left))


def _named_window(name: str, length: int) -> np.ndarray:
    if length <= 1:
        return np.ones(1)
    floor = {"hann": 0.5, "hamming": 0.54}[name]
    angle = 2 * np.pi * np.arange(length) / length
    return floor - (1 - floor) * np.cos(angle)


def _check_stride(stride: int) -> None:
    if not isinstance(stride, int) or stride <= 0:
        raise ValueError(
            f"`sequence_stride` must be a positive integer. Received: sequence_stride={stride}"
        )


@math_op(inputs=1, class_name="STFT")
def stft(
    x: TensorLike,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: str | TensorLike | None = "hann",
    center: bool = True,
) -> tuple[jax.Array, jax.Array]:
    """The short-time Fourier transform: `rfft` of windows of the last axis, (..., n) -> (...,
    windows, bins).

    Args:
        x: (..., n), float32 or float64.
        sequence_length: of a window, at most `fft_length`; zeros fill the rest.
        sequence_stride: steps from one window to the next.
        fft_length: of the transform; there are fft_length // 2 + 1 bins.
        window: "hann", "hamming", a tensor, or None for a rectangle.
        center: reflect `fft_length // 2` values at both ends first.
    Returns:
        A pair (real, imaginary).
    Raises:
        TypeError: x of another dtype.
        ValueError: a stride that is no positive int, an unknown window or one of another length,
            `fft_length` below `sequence_length`, or a signal shorter than it.

    >>> stft(jnp.ones(16), 4, 2, 8)[0].shape
    (9, 5)
    """
    _check_stride(sequence_stride)
    x = jnp.asarray(x)
    if x.dtype not in ("float32", "float64"):
        raise TypeError(f"`stft` takes `float32` or `float64`. Received: {x.dtype}")
    if fft_length < sequence_length:
        raise ValueError(
            "`fft_length` must equal or be larger than `sequence_length`. Received: "
            f"fft_length={fft_length}, "
            f"sequence_length={sequence_length}"
        )
    window = _window(window, sequence_length, fft_length, x.dtype)
    if center:
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(fft_length // 2,) * 2], mode="reflect")
    if x.shape[-1] < fft_length:
        raise ValueError(
            "`stft` takes signals at least as long as `fft_length`. Received: "
            f"fft_length={fft_length}, a signal of length {x.shape[-1]}"
        )
    return _parts(jnp.fft.rfft(_frames(x, fft_length, sequence_stride) * window))


def _overlap_add(frames: jax.Array, stride: int) -> jax.Array:
    """Windows put back at their positions and added: (..., windows, length) -> (..., n)."""
    count, length = frames.shape[-2:]
    positions = jnp.arange(count)[:, None] * stride + jnp.arange(length)
    return (
        jnp.zeros((*frames.shape[:-2], (count - 1) * stride + length), frames.dtype)
        .at[..., positions]
        .add(frames)
    )


@math_op(inputs=1, class_name="ISTFT")
def istft(
    x: Sequence[TensorLike],
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: str | TensorLike | None = "hann",
    center: bool = True,
) -> jax.Array:
    """The inverse of `stft` with the same arguments, in the sense of least squares (Griffin and Lim
    1984, doi:10.1109/TASSP.1984.1164317).

    Args:
        x: a pair (real, imaginary), (..., windows, bins).
        sequence_length, sequence_stride, fft_length, window, center: as for `stft`.
        length: of the result, which is cut to it.
    Returns:
        Array (..., length).
    Raises:
        ValueError: no pair, parts of different shapes or of integers, or arguments as for `stft`.

    >>> [float(v) for v in istft(stft(jnp.ones(8), 4, 2, 4), 4, 2, 4).round(4)[:3]]
    [1.0, 1.0, 1.0]
    """
    _check_stride(sequence_stride)
    x = _complex(x, rank=2)
    weights = _window(window, sequence_length, fft_length, jnp.real(x).dtype)
    frames = jnp.fft.irfft(x, n=fft_length)
    squares = jnp.broadcast_to(jnp.square(weights), frames.shape[-2:])
    total = _overlap_add(squares, sequence_stride)
    signal = _overlap_add(frames * weights, sequence_stride) / jnp.where(total > 1e-10, total, 1.0)
    if window is None:  # Keras scales a rectangle by its overlap
        signal = signal * (fft_length / sequence_stride)
    start = 0
    if center:
        start = fft_length // 2
    if length is None:
        length = signal.shape[-1] - 2 * start
    return signal[..., start : start + length]


# ---------------------------------------------------------------- complex numbers and pairs of real
# ones


def _view_as_complex_spec(x: Operand) -> KerasTensor:
    if x.shape and x.shape[-1] is None:
        x = sized(x, (*x.shape[:-1], 2))
    return infer(view_as_complex.__wrapped__, x)


@math_op(spec=_view_as_complex_spec)
def view_as_complex(x: TensorLike) -> jax.Array:
    """Complex numbers from real and imaginary parts in a last axis of size 2.

    Args:
        x: (..., 2).
    Returns:
        complex64 array (...).
    Raises:
        ValueError: a last axis of another size.

    >>> view_as_complex([[1.0, 2.0]])
    Array([1.+2.j], dtype=complex64)
    """
    x = jnp.asarray(x)
    if x.ndim < 1 or x.shape[-1] != 2:
        raise ValueError(
            "Last dimension of input must be size 2: what is real, and what is imaginary. "
            f"Received: x.shape={x.shape}"
        )
    return x[..., 0].astype("complex64") + 1j * x[..., 1].astype("complex64")


@math_op()
def view_as_real(x: TensorLike) -> jax.Array:
    """The real and imaginary parts in a new last axis.

    Args:
        x: complex array (...).
    Returns:
        Array of floats (..., 2).

    >>> view_as_real([1.0 + 2.0j])
    Array([[1., 2.]], dtype=float32)
    """
    return jnp.stack(_parts(jnp.asarray(x)), axis=-1)
