"""Convolutions, their transposes, and what rearranges windows and blocks of images."""

from __future__ import annotations

from typing import Any
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.core.errors import PaddingError, ShapeError, check_choice
from jkeras.core.graph.inference import infer
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.session.settings import standardize_data_format
from jkeras.ops import kernels_conv
from jkeras.ops.naming import nn_op
from jkeras.core.weights.types import DataFormat, Function, Operand, Padding, PerAxis, TensorLike


def per_axis(value: PerAxis, count: int) -> tuple[int, ...]:
    """A number for each spatial axis: one number stands for all.

    Raises:
        ValueError: a sequence of another length.

    >>> per_axis(2, 3), per_axis((1, 2), 2)
    ((2, 2, 2), (1, 2))
    """
    if isinstance(value, int):
        return (value,) * count
    if len(value) != count:
        raise ShapeError(
            f"Expected one number for each of the {count} spatial axes, or one for all. Received: "
            f"{value}"
        )
    return tuple(value)


PADDINGS = {"valid": "VALID", "same": "SAME"}


def padding_type(padding: Padding) -> str:
    """The padding as `lax` names it.

    Raises:
        PaddingError: neither "valid" nor "same".

    >>> padding_type("same")
    'SAME'
    """
    check_choice("padding", padding.lower(), ("valid", "same"), error=PaddingError)
    return padding.upper()


def dimension_numbers(ndim: int, data_format: DataFormat) -> lax.ConvDimensionNumbers:
    """Which axes are batch, channels and space, for `lax`; kernels are (*space, in, out)."""
    if data_format == "channels_last":
        images = (0, ndim - 1, *range(1, ndim - 1))
    else:
        images = tuple(range(ndim))
    kernel = (ndim - 1, ndim - 2, *range(ndim - 2))
    return lax.ConvDimensionNumbers(images, kernel, images)


def channel_axis(data_format: DataFormat) -> int:
    """The axis of the channels.

    >>> channel_axis("channels_last")
    -1
    """
    if data_format == "channels_last":
        return -1
    return 1


def count_channels(x: Operand, data_format: DataFormat) -> int:
    """The size of the channel axis."""
    return x.shape[channel_axis(data_format)]


def check_channels(
    inputs: Operand, expected: int, kernel: Operand, data_format: DataFormat
) -> None:
    """Raises ValueError where the number of channels is not what the kernel takes."""
    channels = count_channels(inputs, data_format)
    if channels != expected:
        raise ValueError(
            f"The number of input channels must match the kernel: {channels} and {expected}. "
            f"Received: "
            f"inputs.shape={inputs.shape}, kernel.shape={kernel.shape}, data_format={data_format!r}"
        )


def check_kernel(inputs: Operand, kernel: Operand) -> None:
    """Raises ShapeError unless the kernel has as many axes as the inputs."""
    if len(kernel.shape) != len(inputs.shape):
        raise ShapeError(
            "A kernel has as many axes as the inputs: two for channels, the others for space. "
            f"Received: inputs.shape={inputs.shape}, kernel.shape={kernel.shape}"
        )


def _with_channels(function: Function, axis: Function | int) -> Function:
    """The spec of a convolution's result; unknown channels of the inputs are those its
    kernel takes.

    Args:
        function: names the op, which is made later.
        axis: of the kernel, that of the channels taken.
    """

    def spec(
        inputs: Operand,
        kernel: Operand,
        *others: Operand,
        data_format: DataFormat | None = None,
        **options: Any,
    ) -> KerasTensor:
        shape = list(inputs.shape)
        channels_axis = channel_axis(standardize_data_format(data_format))
        if shape[channels_axis] is None:
            shape[channels_axis] = kernel.shape[axis]
            inputs = KerasTensor(shape, inputs.dtype)

        def compute(args: Sequence[Any]) -> jax.Array:
            return function()(*args, data_format=data_format, **options)

        return infer(compute, (inputs, kernel, *others))

    return spec


def _lax_arguments(
    inputs: jax.Array,
    strides: PerAxis,
    padding: Padding,
    data_format: DataFormat,
    dilation_rate: PerAxis,
) -> tuple[Any, ...]:
    """(strides, padding, dilation, dimension numbers) as `lax` and `kernels` take them."""
    count = inputs.ndim - 2
    if type(strides) is not tuple or len(strides) != count:  # mostly a layer's own, a tuple
        strides = per_axis(strides, count)
    if type(dilation_rate) is not tuple or len(dilation_rate) != count:
        dilation_rate = per_axis(dilation_rate, count)
    padding = PADDINGS.get(padding) or padding_type(padding)
    return strides, padding, dilation_rate, dimension_numbers(inputs.ndim, data_format)


@nn_op(spec=_with_channels(lambda: conv, -2))
def conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    data_format: DataFormat | None = None,
    dilation_rate: Any = 1,
) -> jax.Array:
    """Cross-correlation over 1, 2 or 3 spatial axes; grouped where the kernel takes fewer channels
    than there are.

    Args:
        inputs: (batch, *space, channels), or (batch, channels, *space) for "channels_first".
        kernel: (*size, channels / groups, filters); the inputs are cast to its dtype.
        strides, dilation_rate: int, or one for each spatial axis.
        padding: "valid" (none) or "same" (zeros, output size = ceil(size / stride)).
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        (batch, *new space, filters), or (batch, filters, *new space) for "channels_first".
    Raises:
        ValueError: a kernel with another number of axes, channels that do not fit it, an unknown
            padding, or an empty result.

    >>> conv(jnp.arange(5.0).reshape(1, 5, 1), jnp.ones((3, 1, 1)))[0, :, 0]
    Array([3., 6., 9.], dtype=float32)
    """
    data_format = standardize_data_format(data_format)
    return convolved(inputs, kernel, strides, padding, data_format, dilation_rate)


def convolved(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: PerAxis,
    padding: Padding,
    data_format: DataFormat,
    dilation_rate: PerAxis,
) -> jax.Array:
    """`conv` of arrays, in a known format."""
    kernel = jnp.asarray(kernel)
    inputs = jnp.asarray(inputs, dtype=kernel.dtype)
    check_kernel(inputs, kernel)
    channels = count_channels(inputs, data_format)
    taken = kernel.shape[-2]
    if channels % taken:
        raise ValueError(
            "The number of input channels must match the kernel or be a multiple of what it takes. "
            f"Received: inputs.shape={inputs.shape}, kernel.shape={kernel.shape}"
        )
    arguments = _lax_arguments(inputs, strides, padding, data_format, dilation_rate)
    result = kernels_conv.convolve(inputs, kernel, *arguments, channels // taken)
    if result.size == 0 and inputs.size:
        raise ValueError(
            f"The convolution has an empty result of shape {result.shape}: inputs of shape "
            f"{inputs.shape} are too small for a kernel of shape {kernel.shape} with "
            f"strides={strides}, dilation_rate={dilation_rate} and padding={padding!r}"
        )
    return result


@nn_op(spec=_with_channels(lambda: depthwise_conv, -2))
def depthwise_conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    data_format: DataFormat | None = None,
    dilation_rate: Any = 1,
) -> jax.Array:
    """A convolution of each channel on its own.

    Args:
        inputs, strides, padding, data_format, dilation_rate: as for `conv`.
        kernel: (*size, channels, multiplier).
    Returns:
        As of `conv`, with channels * multiplier channels.
    Raises:
        ValueError: a kernel with other axes or channels, or an unknown padding.

    >>> x = jnp.arange(6.0).reshape(1, 3, 2)
    >>> depthwise_conv(x, jnp.ones((3, 2, 2)))[0, 0]
    Array([6., 6., 9., 9.], dtype=float32)
    """
    data_format = standardize_data_format(data_format)
    inputs = jnp.asarray(inputs)
    kernel = jnp.asarray(kernel)
    check_kernel(inputs, kernel)
    check_channels(inputs, kernel.shape[-2], kernel, data_format)
    arguments = _lax_arguments(inputs, strides, padding, data_format, dilation_rate)
    return kernels_conv.depthwise(inputs, kernel, *arguments)


def _separable_spec(
    inputs: Operand, depthwise_kernel: Operand, pointwise_kernel: Operand, **options: Any
) -> KerasTensor:
    """The result's spec; the pointwise kernel has size 1 even where that is
    unknown.
    """
    shape = list(pointwise_kernel.shape)
    shape[:-2] = [1] * len(shape[:-2])
    pointwise_kernel = KerasTensor(shape, pointwise_kernel.dtype)
    spec = _with_channels(lambda: separable_conv, -2)
    return spec(inputs, depthwise_kernel, pointwise_kernel, **options)


@nn_op(spec=_separable_spec)
def separable_conv(
    inputs: TensorLike,
    depthwise_kernel: TensorLike,
    pointwise_kernel: TensorLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    data_format: DataFormat | None = None,
    dilation_rate: PerAxis = 1,
) -> jax.Array:
    """A depthwise convolution, then one of size 1 that mixes the channels (Chollet 2017,
    arXiv:1610.02357).

    Args:
        inputs, strides, padding, data_format, dilation_rate: as for `conv`.
        depthwise_kernel: (*size, channels, multiplier).
        pointwise_kernel: (1, ..., channels * multiplier, filters).
    Returns:
        As of `conv`, with `filters` channels.
    Raises:
        ValueError: kernels with other axes or channels, or an unknown padding.

    >>> x = jnp.arange(6.0).reshape(1, 3, 2)
    >>> separable_conv(x, jnp.ones((3, 2, 1)), jnp.ones((1, 2, 1)))[0, 0]
    Array([15.], dtype=float32)
    """
    x = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, 1, "valid", data_format, dilation_rate)


def transposed_padding(
    size: int, stride: int, dilation: int, padding: Padding, output_padding: int | None
) -> tuple[int, int]:
    """Zeros on both sides of a stretched input so that the output has Keras's size.

    That is, for the dilated kernel size k: "valid" (n - 1) * stride + max(k, stride), "same" n *
    stride; with an `output_padding` p, (n - 1) * stride + k + p and (n - 1) * stride + k % 2 + p.
    """
    k = (size - 1) * dilation + 1
    check_choice("padding", padding, ("valid", "same"))
    if padding == "valid":
        if output_padding is None:
            output_padding = max(stride - k, 0)
        return k - 1, k - 1 + output_padding
    if output_padding is None:
        total = k - 2 + stride
    else:
        total = k - 2 + k % 2 + output_padding
    left = min(-(-total // 2), k - 1)
    return left, total - left


@nn_op(spec=_with_channels(lambda: conv_transpose, -1))
def conv_transpose(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    output_padding: PerAxis | None = None,
    data_format: DataFormat | None = None,
    dilation_rate: PerAxis = 1,
) -> jax.Array:
    """The transpose of `conv`: what its gradient does to an output.

    Args:
        inputs, strides, data_format, dilation_rate: as for `conv`; strides make the output larger.
        kernel: (*size, filters, channels).
        padding: "valid" (size (n - 1) * stride + the larger of kernel and stride) or "same" (n *
            stride).
        output_padding: int, one for each spatial axis, or None for Keras's default output size.
    Returns:
        As of `conv`, with `filters` channels.
    Raises:
        ValueError: a kernel with other axes or channels, or an unknown padding.

    >>> x = jnp.array([1.0, 2.0]).reshape(1, 2, 1)
    >>> conv_transpose(x, jnp.ones((3, 1, 1)), strides=2)[0, :, 0]
    Array([1., 1., 3., 2., 2.], dtype=float32)
    """
    data_format = standardize_data_format(data_format)
    inputs = jnp.asarray(inputs)
    kernel = jnp.asarray(kernel)
    check_kernel(inputs, kernel)
    check_channels(inputs, kernel.shape[-1], kernel, data_format)
    count = inputs.ndim - 2
    strides = per_axis(strides, count)
    dilation_rate = per_axis(dilation_rate, count)
    output_paddings = (None,) * count
    if output_padding is not None:
        output_paddings = per_axis(output_padding, count)
    pads = [
        transposed_padding(k, s, d, padding.lower(), p)
        for k, s, d, p in zip(kernel.shape, strides, dilation_rate, output_paddings)
    ]
    return lax.conv_transpose(
        inputs,
        kernel,
        strides,
        pads,
        rhs_dilation=dilation_rate,
        transpose_kernel=True,
        dimension_numbers=dimension_numbers(inputs.ndim, data_format),
    )


# ---------------------------------------------------------------- windows and blocks of images


def check_rank(name: str, x: Operand, rank: int) -> None:
    """Raises ValueError where x does not have `rank` axes."""
    if len(x.shape) != rank:
        raise ValueError(f"`{name}` takes a {rank}D tensor. Received: x.shape={tuple(x.shape)}")


@nn_op(inputs=1)
def unfold(
    x: TensorLike,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: PerAxis = 0,
    stride: PerAxis = 1,
) -> jax.Array:
    """All windows of an image, side by side: (n, c, h, w) -> (n, c * kh * kw, windows).

    Args:
        x: (n, c, h, w).
        kernel_size, dilation, padding, stride: int, or a pair for height and width.
    Returns:
        (n, c * kh * kw, windows).
    Raises:
        ValueError: x has not four axes.

    >>> unfold(jnp.arange(9.0).reshape(1, 1, 3, 3), 2)[0, :, 0]
    Array([0., 1., 3., 4.], dtype=float32)
    """
    x = jnp.asarray(x)
    check_rank("unfold", x, 4)
    kh, kw = per_axis(kernel_size, 2)
    ph, pw = per_axis(padding, 2)
    x = jnp.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    dilations = per_axis(dilation, 2)
    strides = per_axis(stride, 2)
    rows, columns = map(_window_positions, x.shape[2:], (kh, kw), dilations, strides)
    windows = x[:, :, rows[:, None, :, None], columns[None, :, None, :]]  # (n, c, oh, ow, kh, kw)
    n, c, oh, ow = windows.shape[:4]
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, c * kh * kw, oh * ow)


def _window_positions(size: int, kernel_size: int, dilation: int, stride: int) -> jax.Array:
    """Where the elements of all windows lie along an axis: (windows, kernel_size)."""
    count = (size - dilation * (kernel_size - 1) - 1) // stride + 1
    return jnp.arange(count)[:, None] * stride + jnp.arange(kernel_size) * dilation


def _folded_spec(
    x: Operand, output_size: PerAxis, kernel_size: PerAxis, *args: Operand, **options: Any
) -> KerasTensor:
    """The spec of a folded image; how many windows there are may be unknown."""
    check_rank("fold", x, 3)
    kh, kw = per_axis(kernel_size, 2)
    batch, channels, _ = x.shape
    if channels is not None:
        channels = channels // (kh * kw)
    return KerasTensor((batch, channels, *per_axis(output_size, 2)), x.dtype)


@nn_op(inputs=1, spec=_folded_spec)
def fold(
    x: TensorLike,
    output_size: PerAxis,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: PerAxis = 0,
    stride: PerAxis = 1,
) -> jax.Array:
    """The transpose of `unfold`: puts windows back at their positions and adds where they overlap.

    Args:
        x: (n, c * kh * kw, windows).
        output_size: (h, w) of the image, or an int for both.
        kernel_size, dilation, padding, stride: as of the `unfold` that it undoes.
    Returns:
        (n, c, h, w).
    Raises:
        ValueError: x has not three axes, or other sizes than windows of such an image.

    >>> fold(unfold(jnp.ones((1, 1, 2, 3)), (2, 2)), (2, 3), (2, 2))[0, 0, 0]
    Array([1., 2., 1.], dtype=float32)
    """
    x = jnp.asarray(x)
    check_rank("fold", x, 3)
    kh, kw = per_axis(kernel_size, 2)
    if x.shape[1] % (kh * kw):
        raise ShapeError(
            f"The second axis of the input must be divisible by the window size {kh} * {kw}. "
            f"Received: x.shape={x.shape}"
        )
    image = jax.ShapeDtypeStruct(
        (x.shape[0], x.shape[1] // (kh * kw), *per_axis(output_size, 2)), x.dtype
    )

    def windows(v: jax.Array) -> jax.Array:
        return unfold(v, (kh, kw), dilation, padding, stride)

    count = jax.eval_shape(windows, image).shape[2]
    if x.shape[2] != count:
        raise ShapeError(
            f"An image of size {output_size} has {count} windows of size {kernel_size} with "
            f"dilation={dilation}, padding={padding} and stride={stride}. Received: "
            f"x.shape={x.shape}"
        )
    return jax.linear_transpose(windows, image)(x)[0]


def _block_arguments(
    name: str, x: TensorLike, block_size: int, data_format: DataFormat
) -> tuple[jax.Array, str]:
    x = jnp.asarray(x)
    if block_size < 2:
        raise ValueError(f"`block_size` must be at least 2. Received: block_size={block_size}")
    check_rank(name, x, 4)
    return x, standardize_data_format(data_format)


@nn_op(inputs=1)
def depth_to_space(
    x: TensorLike, block_size: int, data_format: DataFormat = "channels_last"
) -> jax.Array:
    """Moves channels into blocks of pixels (pixel shuffle): (n, h, w, c) -> (n, h * b, w * b, c /
    b**2) (Shi et al. 2016, arXiv:1609.05158).

    Args:
        x: images with b**2 times as many channels, (n, h, w, c).
        block_size: b, at least 2.
        data_format: "channels_last" or "channels_first", which has (n, c, h, w).
    Returns:
        (n, h * b, w * b, c / b**2).
    Raises:
        ValueError: x has not four axes, b is below 2, or b**2 does not divide the channels.

    >>> print(depth_to_space(jnp.arange(4.0).reshape(1, 1, 1, 4), 2)[0, :, :, 0])
    [[0. 1.]
     [2. 3.]]
    """
    x, data_format = _block_arguments("depth_to_space", x, block_size, data_format)
    b = block_size
    if count_channels(x, data_format) % b**2:
        raise ShapeError(
            f"A block takes {b**2} channels (block_size**2), and their number is divided by "
            f"that. Received: x.shape={x.shape}"
        )
    if data_format == "channels_last":
        n, h, w, c = x.shape
        x = x.reshape(n, h, w, b, b, c // b**2).transpose(0, 1, 3, 2, 4, 5)  # (n, h, b, w, b, c)
        return x.reshape(n, h * b, w * b, c // b**2)
    n, c, h, w = x.shape
    x = x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)  # (n, c, h, b, w, b)
    return x.reshape(n, c // b**2, h * b, w * b)


@nn_op(inputs=1)
def space_to_depth(
    x: TensorLike, block_size: int, data_format: DataFormat = "channels_last"
) -> jax.Array:
    """The inverse of `depth_to_space`: (n, h, w, c) -> (n, h / b, w / b, c * b**2).

    Args:
        x: images (n, h, w, c).
        block_size, data_format: as for `depth_to_space`.
    Returns:
        (n, h / b, w / b, c * b**2).
    Raises:
        ValueError: x has not four axes, b is below 2, or b does not divide height and width.

    >>> print(space_to_depth(jnp.arange(4.0).reshape(1, 2, 2, 1), 2))
    [[[[0. 1. 2. 3.]]]]
    """
    x, data_format = _block_arguments("space_to_depth", x, block_size, data_format)
    b = block_size
    if data_format == "channels_last":
        n, h, w, c = x.shape
    else:
        n, c, h, w = x.shape
    if h % b or w % b:
        raise ShapeError(
            f"Height and width must be divisible by block_size={b}. Received: x.shape={x.shape}"
        )
    if data_format == "channels_last":
        x = x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)  # (n, h, w, b, b, c)
        return x.reshape(n, h // b, w // b, c * b**2)
    x = x.reshape(n, c, h // b, b, w // b, b).transpose(0, 1, 3, 5, 2, 4)  # (n, c, b, b, h, w)
    return x.reshape(n, c * b**2, h // b, w // b)
