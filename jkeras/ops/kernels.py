"""The platform that is traced for, and max pooling in the form that is fast there, with the numbers
of the plain form.

XLA:CPU is slow at the gradient of `reduce_window` with a maximum. There windows are compared as
shifted parts of the input, which can be differentiated in both modes and any number of times.
Convolutions are in `kernels_conv`.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import typing
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.kernel.scope import current_flow
from jkeras.core.weights.types import Function, Padding, PartialShape, PerAxis, Structure

# along one axis; larger windows, where the plain form catches up, would compile slowly
LARGEST_WINDOW = 16
LANES = 128  # of a TPU, which kernels for it fill up


class _Target(typing.NamedTuple):
    """What functions are traced for.

    Attributes:
        platform: None: the one at hand.
        loops: whether forms may loop.
        rounds: whether layers with weights in few bits round what these are multiplied with.
    """

    platform: str | None = None
    loops: bool = True
    rounds: bool = True


_AT_HAND = _Target()
_target = contextvars.ContextVar("jkeras_target", default=_AT_HAND)


@contextlib.contextmanager
def traced_for(platform: str) -> Iterator[None]:
    """A `with` block in which functions are traced for another platform than the one at hand.

    Args:
        platform: "cpu", "cuda", "rocm", "tpu" or "onnx"; "plain": none, so that only forms are
            taken that can be differentiated in both modes; "interpreter": a TPU whose kernels run
            anywhere, slowly.

    >>> with traced_for("tpu"):
    ...     on_cpu()
    False
    """
    token = _target.set(_target.get()._replace(platform=platform))
    try:
        yield
    finally:
        _target.reset(token)


@contextlib.contextmanager
def rounding(is_on: bool) -> Iterator[None]:
    """A `with` block in which layers with weights in few bits round their inputs to as few, as they
    do, or leave them as they are.

    >>> with rounding(False):
    ...     rounds_inputs()
    False
    """
    token = _target.set(_target.get()._replace(rounds=is_on))
    try:
        yield
    finally:
        _target.reset(token)


def rounds_inputs() -> bool:
    """Whether layers with weights in few bits round their inputs."""
    return _target.get().rounds


def on_cpu() -> bool:
    """Whether what is traced now will run on CPU; not where only shapes are looked for, which the
    plain forms, with fewer operations, give sooner.
    """
    flow = current_flow()
    if flow is not None and flow.abstract:
        return False
    return (_target.get().platform or jax.default_backend()) == "cpu"


def on_accelerator() -> bool:
    """Whether what is traced now will run on TPUs or GPUs.

    >>> with traced_for("tpu"):
    ...     on_accelerator()
    True
    """
    platform = _target.get().platform or jax.default_backend()
    return platform in ("tpu", "interpreter", "gpu", "cuda", "rocm")


def on_tpu() -> bool:
    """Whether what is traced now will run on TPUs.

    >>> with traced_for("tpu"):
    ...     on_tpu()
    True
    """
    return (_target.get().platform or jax.default_backend()) in ("tpu", "interpreter")


def is_interpreted() -> bool:
    """Whether the kernels of TPUs run in the interpreter."""
    return _target.get().platform == "interpreter"


def on_nvidia_gpu() -> bool:
    """Whether what is traced now will run on NVIDIA's GPUs.

    >>> with traced_for("cuda"):
    ...     on_nvidia_gpu()
    True
    """
    platform = _target.get().platform
    if platform is None and jax.default_backend() == "gpu":
        client = getattr(jax.devices()[0], "client", None)
        version = getattr(client, "platform_version", None)
        # where it does not say, kernels of NVIDIA's are not asked for
        return version is not None and "rocm" not in version.lower()
    return platform == "cuda"


def for_onnx() -> bool:
    """Whether what is traced now is converted to ONNX, where windows lie on space alone and loops
    run forwards.

    >>> with traced_for("onnx"):
    ...     for_onnx()
    True
    """
    return _target.get().platform == "onnx"


def _traced_with(function: Function, loops: bool) -> Function:
    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Structure:
        token = _target.set(_target.get()._replace(loops=loops))
        try:
            return function(*args, **kwargs)
        finally:
            _target.reset(token)

    return traced


# A function, traced for running in no loop, where some forms are fast that are not used elsewhere;
# and for running in one, as its body.
outside_loops = functools.partial(_traced_with, loops=False)
inside_loop = functools.partial(_traced_with, loops=True)


def may_loop() -> bool:
    """Whether what is traced now may run in a loop; so it may unless a caller forbids it.

    >>> may_loop(), outside_loops(may_loop)()
    (True, False)
    """
    return _target.get().loops


@functools.cache
def transposes_loops() -> bool:
    """Whether JAX transposes a loop that is linear in a value from outside, as the rule of a
    `custom_jvp` may hold one. It does so since 0.10; before, such a gradient fails inside JAX.
    """

    def loop(factor: jax.Array) -> jax.Array:
        return lax.map(lambda x: factor * x, jnp.ones(2))

    factor = jax.ShapeDtypeStruct((), jnp.float32)
    try:
        jax.eval_shape(lambda: jax.linear_transpose(loop, factor)(jnp.ones(2)))
    except (AssertionError, NotImplementedError, TypeError, ValueError):
        return False
    return True


def computed_again(function: Function) -> Function:
    """A function that is linear in some arguments, as the rule of a `custom_jvp` may hold one,
    whose inner values are computed again for its transpose; they are saved where JAX cannot
    transpose such a function.

    >>> float(computed_again(lambda x, y: x * y)(2.0, 3.0))
    6.0
    """
    if not _transposes_computed_again(getattr(jax.config, "jax_remat3", False)):
        return function
    return jax.checkpoint(function, prevent_cse=False)


@functools.cache
def _transposes_computed_again(is_remat3: bool) -> bool:
    """Whether JAX transposes what it computes again, with its newer form of that or without."""
    factor = jax.ShapeDtypeStruct((), jnp.float32)
    linear = jax.checkpoint(lambda x: 2 * x, prevent_cse=False)
    try:
        jax.eval_shape(lambda: jax.linear_transpose(linear, factor)(jnp.ones(())))
    except (AssertionError, NotImplementedError, TypeError, ValueError):
        return False
    return True


def is_static(shape: PartialShape) -> bool:
    """Whether all sizes are numbers: in a function that is exported some may be symbols, which
    cannot be compared.

    >>> is_static((2, 3)), is_static(jax.export.symbolic_shape("b, 3"))
    (True, False)
    """
    return {int}.issuperset(map(type, shape))


# ---------------------------------------------------------------- max pooling


def max_pool(x: jax.Array, window: Sequence[int], strides: PerAxis, padding: Padding) -> jax.Array:
    """The maximum of windows; the gradient goes to the first maximum of each.

    Args:
        window, strides: one for each axis of x, batch and channels too.
        padding: "VALID" or "SAME".

    >>> max_pool(jnp.arange(6.0).reshape(1, 6, 1), (1, 2, 1), (1, 2, 1), "VALID")[0, :, 0]
    Array([1., 3., 5.], dtype=float32)
    """
    fits = all(map(_fits, window, x.shape)) and 0 not in x.shape
    slices_are_fast = on_cpu() or for_onnx()
    small = max(window) <= LARGEST_WINDOW
    if slices_are_fast and fits and small and jnp.issubdtype(x.dtype, jnp.floating):
        return max_pool_slices(x, window, strides, padding)
    return max_pool_plain(x, window, strides, padding)


def _fits(window: int, size: int) -> bool:
    """Whether a window is no larger than the axis, as far as is static; one of 1 always is."""
    if window == 1:
        return True
    return is_static((size,)) and size >= window


def max_pool_plain(
    x: jax.Array, window: Sequence[int], strides: PerAxis, padding: Padding
) -> jax.Array:
    """`max_pool` by `lax.reduce_window`."""
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding)


def max_pool_slices(
    x: jax.Array, window: Sequence[int], strides: PerAxis, padding: Padding
) -> jax.Array:
    """`max_pool` along one axis after the other, the last first, so that the first maximum in
    reading order wins.
    """
    pads = lax.padtype_to_pads(x.shape, window, strides, padding)
    if any(sum(pad) for pad in pads):
        x = jnp.pad(x, pads, constant_values=-jnp.inf)
    for axis in reversed(range(x.ndim)):
        if window[axis] > 1 or strides[axis] > 1:
            x = _max_along(x, axis, window[axis], strides[axis])
    return x


def _slices(x: jax.Array, axis: int, window: int, stride: int) -> list[jax.Array]:
    """The first elements of all windows along an axis, then the second ones, and so on."""
    span = (x.shape[axis] - window) // stride * stride + 1
    return [lax.slice_in_dim(x, i, i + span, stride, axis) for i in range(window)]


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def _max_along(x: jax.Array, axis: int, window: int, stride: int) -> jax.Array:
    return functools.reduce(jnp.maximum, _slices(x, axis, window, stride))


@_max_along.defjvp
def _max_along_jvp(
    axis: int,
    window: int,
    stride: int,
    primals: tuple[jax.Array, ...],
    tangents: tuple[jax.Array, ...],
) -> tuple[jax.Array, ...]:
    (x,) = primals
    (dx,) = tangents
    best, *others = _slices(x, axis, window, stride)
    # a small residual: the index of the first maximum in its window
    winner = jnp.zeros(best.shape, jnp.int8)
    for offset, candidate in enumerate(others, 1):
        winner = jnp.where(candidate > best, jnp.int8(offset), winner)
        best = jnp.maximum(best, candidate)
    if window == stride:
        return best, _of_blocks(dx, winner, axis, window)
    moved = [
        jnp.where(winner == offset, tangent, 0)
        for offset, tangent in enumerate(_slices(dx, axis, window, stride))
    ]
    return best, functools.reduce(jnp.add, moved)


def _of_blocks(x: jax.Array, positions: jax.Array, axis: int, window: int) -> jax.Array:
    """The value at one position of each of the windows that lie side by side along an axis.

    Its transpose writes every element once, where that of a sum of slices pads each slice to the
    size of x and adds them up.
    """
    count = positions.shape[axis]
    x = lax.slice_in_dim(x, 0, count * window, axis=axis)
    blocks = x.reshape(*x.shape[:axis], count, window, *x.shape[axis + 1 :])
    numbers = lax.broadcasted_iota(positions.dtype, blocks.shape, axis + 1)
    is_chosen = numbers == jnp.expand_dims(positions, axis + 1)
    return jnp.sum(jnp.where(is_chosen, blocks, 0), axis + 1)


# ---------------------------------------------------------------- one value of each row

SHORT = 16  # elements of a row: to look at all costs less than to find one, also to compile


def picked(x: jax.Array, indices: jax.Array, axis: int) -> jax.Array:
    """The values of x at one index along an axis: (…, n, …), whole numbers (…) -> (…).

    >>> picked(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([1, 0]), -1)
    Array([2., 3.], dtype=float32)
    """
    size = x.shape[axis]
    is_short = is_static((size,)) and size <= SHORT
    if on_cpu() and not is_short:
        return picked_by_gather(x, indices, axis)
    return picked_by_comparison(x, indices, axis)


def picked_by_gather(x: jax.Array, indices: jax.Array, axis: int) -> jax.Array:
    """`picked` as a gather, whose gradient touches one element of each row."""
    values = jnp.take_along_axis(x, jnp.expand_dims(indices, axis), axis, mode="clip")
    return jnp.squeeze(values, axis)


def picked_by_comparison(x: jax.Array, indices: jax.Array, axis: int) -> jax.Array:
    """`picked` as a masked sum, which is fused; accelerators are slow to gather single values."""
    numbers = lax.broadcasted_iota("int32", x.shape, axis % x.ndim)
    return jnp.sum(jnp.where(numbers == jnp.expand_dims(indices, axis), x, 0), axis)
