"""Convolutions, pooling, padding and resizing of the old backend, by `jkeras.ops`."""

from typing import Any

import numpy as np

import jkeras
from jkeras import ops
from jkeras.core.errors import check_choice, explain
from jkeras.core.session.settings import standardize_data_format

# ---------------------------------------------------------------- convolutions


def _convolution(
    x: Any, kernel: Any, strides: Any, padding: str, data_format: str | None, dilation_rate: Any
) -> Any:
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv1d(
    x: Any,
    kernel: Any,
    strides: int = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int = 1,
) -> Any:
    """`ops.conv` of sequences; with the padding "causal" an output sees no later input."""
    if padding == "causal":
        before = (dilation_rate * (kernel.shape[0] - 1), 0)
        axis = 1 if standardize_data_format(data_format) == "channels_last" else 2
        x = ops.pad(x, [before if i == axis else (0, 0) for i in range(3)])
        padding = "valid"
    return _convolution(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """`ops.conv` of images."""
    return _convolution(x, kernel, strides, padding, data_format, dilation_rate)


def conv3d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1, 1),
) -> Any:
    """`ops.conv` of volumes."""
    return _convolution(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """What the gradient of `conv2d` does, from its outputs to images of a given size.

    Args:
        kernel: (height, width, filters, channels of x).
        output_shape: (batch, height, width, filters), in the order of `data_format`.
        dilation_rate: for images of strides 1 alone.
    Raises:
        ValueError: no convolution of images of that size has outputs of the size of x.

    >>> x, kernel = np.ones((1, 3, 3, 1)), np.ones((3, 3, 2, 1))
    >>> conv2d_transpose(x, kernel, (1, 6, 6, 2), (2, 2), "same").shape
    (1, 6, 6, 2)
    """
    data_format = standardize_data_format(data_format)
    first = 1 if data_format == "channels_last" else 2
    sizes, wanted = x.shape[first : first + 2], tuple(output_shape)[first : first + 2]
    windows = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation_rate)]
    pads = [
        _cut(*numbers, padding, dilation_rate)
        for numbers in zip(sizes, wanted, windows, strides, strict=True)
    ]
    y = ops.conv_transpose(x, kernel, strides, "valid", None, data_format, dilation_rate)
    every = slice(None)
    kept = [slice(before, before + size) for before, size in zip(pads, wanted)]
    y = y[(every,) * first + tuple(kept)]
    missing = [(0, size - n) for size, n in zip(wanted, y.shape[first : first + 2])]
    if not any(after for _, after in missing):
        return y
    around = [(0, 0)] * 4
    around[first : first + 2] = missing
    return ops.pad(y, around)


def _cut(size: int, wanted: int, window: int, stride: int, padding: str, dilation: Any) -> int:
    """How many of the elements that a transposed convolution gives along an axis come before those
    of the result.
    """
    check_choice("padding", padding, ("valid", "same"))
    if stride > 1 and any(rate > 1 for rate in dilation):
        raise ValueError(
            explain(
                "K.conv2d_transpose",
                "strides of 1 where the kernel is dilated",
                f"strides {stride}, dilation_rate {dilation}",
            )
        )
    around = max((size - 1) * stride + window - wanted, 0) if padding == "same" else 0
    if (wanted + around - window) // stride + 1 != size:
        raise ValueError(
            explain(
                "K.conv2d_transpose",
                f"an output_shape whose convolution of window {window} and stride {stride} has "
                f"the size of x along an axis, {size}",
                f"output_shape with {wanted} there, padding {padding!r}",
            )
        )
    return around // 2


def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """`ops.depthwise_conv` of images."""
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, data_format, dilation_rate)


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """`ops.separable_conv` of images."""
    kernels = depthwise_kernel, pointwise_kernel
    return ops.separable_conv(x, *kernels, strides, padding, data_format, dilation_rate)


def local_conv1d(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: str | None = None
) -> Any:
    """A convolution of (batch, steps, channels) with a kernel (steps, window, filters) for each
    step.
    """
    return _local_conv(inputs, kernel, kernel_size, strides, kernel.shape[:1], data_format)


def local_conv2d(
    inputs: Any,
    kernel: Any,
    kernel_size: Any,
    strides: Any,
    output_shape: Any,
    data_format: str | None = None,
) -> Any:
    """A convolution of images with a kernel (positions, window, filters) for each position."""
    return _local_conv(inputs, kernel, kernel_size, strides, output_shape, data_format)


def _local_conv(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, space: Any, data_format: str | None
) -> Any:
    """The products of the windows of each position with its kernel; windows count channels last."""
    if data_format == "channels_first":
        inputs = ops.moveaxis(inputs, 1, -1)
    outputs = []
    for i, position in enumerate(np.ndindex(*space)):
        begin = [at * step for at, step in zip(position, strides)]
        window = (slice(None), *(slice(b, b + k) for b, k in zip(begin, kernel_size)))
        rows = ops.reshape(inputs[window], (-1, kernel.shape[1]))
        outputs.append(ops.matmul(rows, kernel[i]))
    y = ops.reshape(ops.stack(outputs, axis=1), (-1, *space, kernel.shape[-1]))
    return ops.moveaxis(y, -1, 1) if data_format == "channels_first" else y


# ---------------------------------------------------------------- pooling


def _pool(
    x: Any, pool_size: Any, strides: Any, padding: str, data_format: str | None, pool_mode: str
) -> Any:
    check_choice("pool_mode", pool_mode, ("max", "avg"))
    pool = {"max": ops.max_pool, "avg": ops.average_pool}[pool_mode]
    return pool(x, pool_size, strides, padding, data_format)


def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """`ops.max_pool` or, with the mode "avg", `ops.average_pool` of images."""
    return _pool(x, pool_size, strides, padding, data_format, pool_mode)


def pool3d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """`ops.max_pool` or, with the mode "avg", `ops.average_pool` of volumes."""
    return _pool(x, pool_size, strides, padding, data_format, pool_mode)


# ---------------------------------------------------------------- sizes


def temporal_padding(x: Any, padding: Any = (1, 1)) -> Any:
    """Zeros before and after, in time."""
    return ops.pad(x, ((0, 0), tuple(padding), (0, 0)))


def _spatial_padding(x: Any, padding: Any, data_format: str | None) -> Any:
    """Zeros before and after along each axis of space."""
    pads = [(before, after) for before, after in padding]
    if len(pads) != len(x.shape) - 2:
        expected = f"a pair of numbers for each of the {len(x.shape) - 2} axes of space"
        raise ValueError(explain("spatial padding", expected, padding))
    if standardize_data_format(data_format) == "channels_last":
        return ops.pad(x, ((0, 0), *pads, (0, 0)))
    return ops.pad(x, ((0, 0), (0, 0), *pads))


def spatial_2d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Zeros around images."""
    return _spatial_padding(x, padding, data_format)


def spatial_3d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Zeros around volumes."""
    return _spatial_padding(x, padding, data_format)


def resize_images(
    x: Any,
    height_factor: int,
    width_factor: int,
    data_format: str | None = None,
    interpolation: str = "nearest",
) -> Any:
    """Larger images."""
    layer = jkeras.layers.UpSampling2D(
        (height_factor, width_factor), data_format=data_format, interpolation=interpolation
    )
    return layer(x)


def resize_volumes(
    x: Any,
    depth_factor: int,
    height_factor: int,
    width_factor: int,
    data_format: str | None = None,
) -> Any:
    """Larger volumes, of each element several times."""
    first = 1 if standardize_data_format(data_format) == "channels_last" else 2
    for axis, factor in enumerate((depth_factor, height_factor, width_factor), start=first):
        x = ops.repeat(x, factor, axis=axis)
    return x


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """x + bias, which lies along the channels."""
    is_first = standardize_data_format(data_format) == "channels_first"
    if is_first and len(x.shape) > 2 and len(bias.shape) == 1:
        bias = ops.reshape(bias, (1, -1, *(1,) * (len(x.shape) - 2)))
    return x + bias
