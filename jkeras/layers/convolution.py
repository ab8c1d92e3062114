"""Convolution layers over 1, 2 and 3 spatial axes: plain, transposed, depthwise and separable."""

import typing
from dataclasses import KW_ONLY
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import ops
from jkeras.core.names import typed
from jkeras.core.errors import check_choice, explain
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import Layer, layer
from jkeras.core.record import HIDDEN, Activation, Constraint, Initializer, Regularizer
from jkeras.core.session.settings import standardize_data_format
from jkeras.core.names.typed import Sizes
from jkeras.layers.base import activated, keeps_shape, shape_of_windows, sizes, spatial_axes
from jkeras.layers.lora import AdaptedWeight, LoraLayer
from jkeras.ops.nn_conv import convolved
from jkeras.core.weights.types import CausalPadding, DataFormat, OwnWeight, Padding
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.run.context import Context
from jkeras.kernel.spec import Spec, Weight


class BaseConvolution(Layer, announces_compute_dtype=True, is_batchwise=True, convolves=True):
    """Base of all convolutions: weights that meet the input at every position, then a bias and an
    activation.
    """

    rank = 2  # the number of spatial axes
    _counts = ()  # names of the arguments that count filters, groups, …
    _paddings = ("valid", "same")
    _stride_or_dilation = True  # at most one of the two may be larger than 1
    _shrinks = True  # with "valid" padding the kernel must fit into the input

    if typing.TYPE_CHECKING:
        bias = OwnWeight()

    def __post_init__(self) -> None:
        super().__post_init__()
        where = self._where
        for name in ("kernel_size", "strides", "dilation_rate"):
            setattr(self, name, sizes(getattr(self, name), self.rank, name, where))
        padding = self.padding
        if isinstance(padding, str):
            padding = padding.lower()
        check_choice("padding", padding, self._paddings, where)
        for name in self._counts:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(
                    f"{where}: Invalid value for argument `{name}`. Expected a strictly positive "
                    f"value. Received {name}={value}."
                )
        if self._stride_or_dilation and max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{where}: `strides > 1` not supported in conjunction with `dilation_rate > 1`. "
                f"Received: strides={self.strides} and dilation_rate={self.dilation_rate}"
            )
        self.padding = self.padding.lower()
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(min_ndim=self.rank + 2)

    @property
    def _channel_axis(self) -> int:
        if self.data_format == "channels_last":
            return -1
        return 1

    def _channels(self, x: Spec) -> int:
        """The number of channels of the input, checked."""
        if x.ndim != self.rank + 2 or x.shape[self._channel_axis] is None:
            raise ValueError(
                explain(
                    self._where,
                    f"an input with batch, channels of known number ({self.data_format}) "
                    f"and {self.rank} spatial axes",
                    f"shape {x.shape}",
                )
            )
        space = [x.shape[axis] for axis in spatial_axes(self.rank, self.data_format)]
        for size, k, dilation in zip(space, self.kernel_size, self.dilation_rate):
            if (
                self._shrinks
                and self.padding == "valid"
                and size is not None
                and size < (k - 1) * dilation + 1
            ):
                raise ValueError(
                    f"{self._where}: Computed output size would be zero or negative. Received an "
                    f"input of shape {x.shape}, into which a kernel of size {self.kernel_size} "
                    f"with dilation {self.dilation_rate} does not fit. To fix it: use a smaller "
                    "kernel or padding='same'."
                )
        return x.shape[self._channel_axis]

    def _new_channels(self, channels: int | None) -> Any:
        """The number of output channels; None where sizes are not those of windows."""
        return None

    def shape_by_rule(self, x: KerasTensor) -> Sizes | None:
        extents = [(k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate)]
        shape = shape_of_windows(self, x.shape, extents, self.strides)
        if shape is None or not keeps_shape(self.activation):
            return None
        new_channels = self._new_channels(shape[self._channel_axis])
        shape[self._channel_axis] = new_channels
        return None if new_channels is None else tuple(shape)

    def attributes_when_built(self, x: Spec) -> dict[str, Any]:
        axes = {self._channel_axis: x.shape[self._channel_axis]}
        return {"input_spec": InputSpec(min_ndim=self.rank + 2, axes=axes)}

    def _with_bias(self, specs: dict[str, Weight], size: int) -> dict[str, Any]:
        if self.use_bias:
            return {**specs, "bias": self.weight("bias", (size,))}
        return specs

    def _options(self) -> dict[str, Any]:
        """What the functions of `ops` take."""
        return {
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
        }

    def _slide(self, w: Mapping[str, Any], x: jax.Array) -> jax.Array:
        """The convolution itself."""
        raise NotImplementedError

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        y = self._slide(w, x)
        if self.use_bias:
            bias = w["bias"]
            if self.data_format != "channels_last":
                bias = bias.reshape(-1, *[1] * self.rank)
            y = y + bias
        return activated(self, y)


# ---------------------------------------------------------------- convolution


@typed.fields
class Convolution(BaseConvolution, LoraLayer):
    """Base of Conv1D, Conv2D and Conv3D."""

    filters: int
    kernel_size: typed.Sizes
    strides: typed.Sizes = 1
    padding: CausalPadding = "valid"
    data_format: DataFormat | None = None
    dilation_rate: typed.Sizes = 1
    groups: int = 1
    activation: Activation = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    _: KW_ONLY
    lora_rank: HIDDEN = None
    lora_alpha: HIDDEN = None
    kernel = AdaptedWeight()
    _counts = ("filters", "groups")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.filters is not None and self.filters % self.groups:
            raise ValueError(
                explain(
                    self._where,
                    "`filters` to be divisible by `groups`",
                    f"filters={self.filters} and groups={self.groups}",
                )
            )

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        channels = self._channels(x)
        if channels % self.groups:
            raise ValueError(
                explain(
                    self._where,
                    f"input channels divisible by groups={self.groups}",
                    f"{channels} channels in shape {x.shape}",
                )
            )
        kernel = self.weight("kernel", (*self.kernel_size, channels // self.groups, self.filters))
        return self._with_bias({"kernel": kernel}, self.filters)

    def _new_channels(self, channels: int | None) -> Any:
        return self.filters

    def convolution_op(self, inputs: jax.Array, kernel: jax.Array) -> jax.Array:
        """The convolution without bias and activation, for subclasses that change the kernel
        first.
        """
        padding = self.padding
        if padding == "causal":
            ahead = (self.dilation_rate[0] * (self.kernel_size[0] - 1), 0)
            widths = [(0, 0), ahead, (0, 0)]
            if self._channel_axis == 1:
                widths = [(0, 0), (0, 0), ahead]
            inputs = jnp.pad(inputs, widths)
            padding = "valid"
        # the op's own way of looking at its arguments is for variables and symbolic tensors
        is_of_arrays = isinstance(inputs, jax.Array) and isinstance(kernel, jax.Array)
        convolve = convolved if is_of_arrays else ops.conv
        return convolve(inputs, kernel, self.strides, padding, self.data_format, self.dilation_rate)

    def _slide(self, w: Mapping[str, Any], x: jax.Array) -> jax.Array:
        return self.convolution_op(x, self.adapted(w))


@layer("keras.layers", "keras.layers.Convolution1D")
class Conv1D(Convolution):
    """Convolution over time: (batch, time, channels) -> (batch, new time, filters).

    The kernel is (kernel_size, channels / groups, filters).

    Args:
        The same as for `Conv2D`: filters, kernel_size, strides, dilation_rate, groups, activation,
            use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, lora_rank, lora_alpha.
        padding: "valid", "same", or "causal": zeros in front only, so that no output sees what is
            later in the input.
        data_format: "channels_last", or "channels_first" for (batch, channels, time).
    Raises:
        ValueError: as for `Conv2D`.

    >>> import numpy as np
    >>> layer = Conv1D(1, 3, padding="causal", kernel_initializer="ones")
    >>> print(layer(np.arange(5.0).reshape(1, 5, 1))[0, :, 0])
    [0. 1. 3. 6. 9.]
    """

    rank, _paddings = 1, ("valid", "same", "causal")


@layer("keras.layers", "keras.layers.Convolution2D")
class Conv2D(Convolution):
    """Convolution over images: (batch, height, width, channels) -> (batch, new height, new width,
    filters).

    The kernel is (*kernel_size, channels / groups, filters).

    Args:
        The same as for `Dense`: kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint.
        filters: the number of output channels.
        kernel_size, strides, dilation_rate: int, or one for each spatial axis; one of the last two
            must be 1.
        padding: "valid" (none) or "same" (zeros around, so that the output has the size of the
            input / strides).
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
        groups: into how many groups the channels are cut; each gives its share of the filters.
        activation: function of the result, by default none.
        use_bias: whether a vector, one number for each filter, is added.
        lora_rank, lora_alpha: train a low-rank change of the kernel only, see `enable_lora`.
    Raises:
        ValueError: sizes that do not fit each other, or the input.

    >>> import numpy as np
    >>> layer = Conv2D(1, 2, strides=2, kernel_initializer="ones")  # sums of 2 x 2 pixels
    >>> print(layer(np.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0])
    [[10. 18.]
     [42. 50.]]
    """

    strides = dilation_rate = (1, 1)


@layer("keras.layers", "keras.layers.Convolution3D")
class Conv3D(Convolution):
    """Convolution over volumes or video: (batch, depth, height, width, channels) -> (batch, *new
    sizes, filters).

    Args:
        The same as for `Conv2D`: filters, kernel_size, strides, padding, dilation_rate, groups,
            activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, lora_rank,
            lora_alpha.
        data_format: "channels_last", or "channels_first" for
            (batch, channels, depth, height, width).
    Raises:
        ValueError: as for `Conv2D`.

    >>> import numpy as np
    >>> Conv3D(4, (1, 3, 3))(np.ones((2, 5, 8, 8, 1))).shape
    (2, 5, 6, 6, 4)
    """

    rank, strides, dilation_rate = 3, (1, 1, 1), (1, 1, 1)


# ---------------------------------------------------------------- transposed convolution


class TransposedConvolution(BaseConvolution):
    """Base of Conv1DTranspose, Conv2DTranspose and Conv3DTranspose."""

    _counts = ("filters",)
    _shrinks = False

    if typing.TYPE_CHECKING:
        kernel = OwnWeight()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output_padding is not None:
            self.output_padding = sizes(
                self.output_padding, self.rank, "output_padding", self._where, zero=True
            )
            if any(p >= s for p, s in zip(self.output_padding, self.strides)):
                raise ValueError(
                    explain(
                        self._where,
                        "`output_padding` smaller than `strides` on each axis",
                        f"output_padding={self.output_padding} and strides={self.strides}",
                    )
                )

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        kernel = self.weight("kernel", (*self.kernel_size, self.filters, self._channels(x)))
        return self._with_bias({"kernel": kernel}, self.filters)

    def _slide(self, w: Mapping[str, Any], x: jax.Array) -> jax.Array:
        return ops.conv_transpose(
            x, w["kernel"], output_padding=self.output_padding, **self._options()
        )


@typed.fields
class FlatTransposedConvolution(TransposedConvolution):
    """Base of those whose `output_padding` comes before `data_format`."""

    filters: int
    kernel_size: typed.Sizes
    strides: typed.Sizes = 1
    padding: Padding = "valid"
    output_padding: Sizes | None = None
    data_format: DataFormat | None = None
    dilation_rate: typed.Sizes = 1
    activation: Activation = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None


@layer("keras.layers", "keras.layers.Convolution1DTranspose")
class Conv1DTranspose(FlatTransposedConvolution):
    """Transposed convolution over time: (batch, time, channels) -> (batch, longer time, filters).

    Args:
        The same as for `Conv2DTranspose`: filters, kernel_size, strides, padding, output_padding,
            dilation_rate, activation, use_bias, kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint.
        data_format: "channels_last", or "channels_first" for (batch, channels, time).
    Raises:
        ValueError: as for `Conv2DTranspose`.

    >>> import numpy as np
    >>> layer = Conv1DTranspose(1, 2, strides=2, kernel_initializer="ones")
    >>> print(layer(np.array([[[1.0], [2.0], [3.0]]]))[0, :, 0])
    [1. 1. 2. 2. 3. 3.]
    """

    rank = 1


@layer("keras.layers", "keras.layers.Convolution2DTranspose")
class Conv2DTranspose(FlatTransposedConvolution):
    """Transposed convolution of images, which makes them larger: what the gradient of a `Conv2D`
    does.

    The kernel is (*kernel_size, filters, channels).

    Args:
        The same as for `Conv2D`: filters, kernel_size, strides, padding, data_format,
            dilation_rate, activation, use_bias, kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint.
        output_padding: extra size on one side, less than `strides`; None: with "same" padding the
            output has the size of the input * strides.
    Raises:
        ValueError: `output_padding` of `strides` or more, or sizes that do not fit each other.

    >>> import numpy as np
    >>> layer = Conv2DTranspose(1, 2, strides=2, kernel_initializer="ones")
    >>> print(layer(np.array([[[[1.0], [2.0]]]]))[0, :, :, 0])
    [[1. 1. 2. 2.]
     [1. 1. 2. 2.]]
    """

    strides = dilation_rate = (1, 1)


@layer("keras.layers", "keras.layers.Convolution3DTranspose")
class Conv3DTranspose(TransposedConvolution):
    """Transposed convolution of volumes or video: (batch, depth, height, width, channels) ->
    (batch, *larger sizes, filters).

    Args:
        The same as for `Conv2DTranspose`: filters, kernel_size, strides, padding, output_padding,
            dilation_rate, activation, use_bias, kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint.
        data_format: "channels_last", or "channels_first" for
            (batch, channels, depth, height, width).
    Raises:
        ValueError: as for `Conv2DTranspose`.

    >>> import numpy as np
    >>> Conv3DTranspose(2, 2, strides=2)(np.ones((2, 3, 4, 4, 1))).shape
    (2, 6, 8, 8, 2)
    """

    filters: int
    kernel_size: typed.Sizes
    strides: typed.Sizes = (1, 1, 1)
    padding: Padding = "valid"
    data_format: DataFormat | None = None
    output_padding: typed.Sizes | None = None
    dilation_rate: typed.Sizes = (1, 1, 1)
    activation: Activation = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    rank = 3


# ---------------------------------------------------------------- channel by channel


@typed.fields
class ChannelByChannel(BaseConvolution):
    """Base of the layers that convolve each channel on its own."""

    kernel_size: typed.Sizes
    strides: typed.Sizes = 1
    padding: Padding = "valid"
    depth_multiplier: int = 1
    data_format: DataFormat | None = None
    dilation_rate: typed.Sizes = 1
    activation: Activation = None
    use_bias: bool = True
    depthwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    depthwise_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    depthwise_constraint: Constraint = None
    bias_constraint: Constraint = None
    _counts = ("depth_multiplier",)
    _stride_or_dilation = False

    if typing.TYPE_CHECKING:
        kernel = OwnWeight()

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        channels = self._channels(x)
        kernel = self.weight("depthwise", (*self.kernel_size, channels, self.depth_multiplier))
        return self._with_bias({"kernel": kernel}, channels * self.depth_multiplier)

    def _new_channels(self, channels: int | None) -> Any:
        return channels * self.depth_multiplier

    def _slide(self, w: Mapping[str, Any], x: jax.Array) -> jax.Array:
        return ops.depthwise_conv(x, w["kernel"], **self._options())


@layer("keras.layers")
class DepthwiseConv1D(ChannelByChannel):
    """Convolution over time of each channel on its own: (batch, time, channels) -> (batch, new
    time, channels * depth_multiplier).

    Args:
        The same as for `DepthwiseConv2D`: kernel_size, strides, padding, depth_multiplier,
            dilation_rate, activation, use_bias, depthwise_initializer, bias_initializer,
            depthwise_regularizer, bias_regularizer, activity_regularizer, depthwise_constraint,
            bias_constraint.
        data_format: "channels_last", or "channels_first" for (batch, channels, time).
    Raises:
        ValueError: as for `Conv2D`.

    >>> import numpy as np
    >>> layer = DepthwiseConv1D(2, depthwise_initializer="ones")
    >>> print(layer(np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]]))[0])
    [[ 3. 30.]
     [ 5. 50.]]
    """

    rank = 1


@layer("keras.layers")
class DepthwiseConv2D(ChannelByChannel):
    """Convolution of each channel of images on its own: nothing mixes the channels.

    The kernel is (*kernel_size, channels, depth_multiplier).

    Args:
        The same as for `Dense`, the kernel's by the name "depthwise": depthwise_initializer,
            bias_initializer, depthwise_regularizer, bias_regularizer, activity_regularizer,
            depthwise_constraint, bias_constraint.
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as for
            `Conv2D`; strides and dilation_rate may both be larger than 1.
        depth_multiplier: how many output channels come from each input channel.
    Raises:
        ValueError: as for `Conv2D`.

    >>> import numpy as np
    >>> layer = DepthwiseConv2D((1, 2), depthwise_initializer="ones")
    >>> print(layer(np.array([[[[1.0, 10.0], [2.0, 20.0]]]])).ravel())
    [ 3. 30.]
    """

    strides = dilation_rate = (1, 1)


@typed.fields
class Separable(BaseConvolution):
    """Base of SeparableConv1D and SeparableConv2D."""

    filters: int
    kernel_size: typed.Sizes
    strides: typed.Sizes = 1
    padding: Padding = "valid"
    data_format: DataFormat | None = None
    dilation_rate: typed.Sizes = 1
    depth_multiplier: int = 1
    activation: Activation = None
    use_bias: bool = True
    depthwise_initializer: Initializer = "glorot_uniform"
    pointwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    depthwise_regularizer: Regularizer = None
    pointwise_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    depthwise_constraint: Constraint = None
    pointwise_constraint: Constraint = None
    bias_constraint: Constraint = None
    _counts = ("depth_multiplier", "filters")

    if typing.TYPE_CHECKING:
        depthwise_kernel = OwnWeight()
        pointwise_kernel = OwnWeight()

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        channels = self._channels(x)
        return self._with_bias(
            {
                "depthwise_kernel": self.weight(
                    "depthwise", (*self.kernel_size, channels, self.depth_multiplier)
                ),
                "pointwise_kernel": self.weight(
                    "pointwise", (*[1] * self.rank, channels * self.depth_multiplier, self.filters)
                ),
            },
            self.filters,
        )

    def _new_channels(self, channels: int | None) -> Any:
        return self.filters

    def _slide(self, w: Mapping[str, Any], x: jax.Array) -> jax.Array:
        return ops.separable_conv(
            x, w["depthwise_kernel"], w["pointwise_kernel"], **self._options()
        )


@layer("keras.layers", "keras.layers.SeparableConvolution1D")
class SeparableConv1D(Separable):
    """Convolution over time of each channel on its own, then a mix of the channels: (batch,
    time, channels) -> (batch, new time, filters).

    Args:
        The same as for `SeparableConv2D`: filters, kernel_size, strides, padding, dilation_rate,
            depth_multiplier, activation, use_bias, depthwise_initializer, pointwise_initializer,
            bias_initializer, depthwise_regularizer, pointwise_regularizer, bias_regularizer,
            activity_regularizer, depthwise_constraint, pointwise_constraint, bias_constraint.
        data_format: "channels_last", or "channels_first" for (batch, channels, time).
    Raises:
        ValueError: as for `Conv2D`.

    >>> import numpy as np
    >>> layer = SeparableConv1D(4, 3)
    >>> layer(np.ones((2, 10, 5))).shape, [w.shape for w in layer.weights]
    ((2, 8, 4), [(3, 5, 1), (1, 5, 4), (4,)])
    """

    rank = 1


@layer("keras.layers", "keras.layers.SeparableConvolution2D")
class SeparableConv2D(Separable):
    """Convolution of each channel of images on its own, then a mix of the channels at each pixel.

    Args:
        The same as for `Dense`, for the kernels of the two steps: depthwise_initializer,
            pointwise_initializer, bias_initializer, depthwise_regularizer, pointwise_regularizer,
            bias_regularizer, activity_regularizer, depthwise_constraint, pointwise_constraint,
            bias_constraint.
        filters: the number of output channels.
        kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier: of the first
            step, as for `DepthwiseConv2D`.
        activation, use_bias: of the second step, as for `Conv2D`.
    Raises:
        ValueError: as for `Conv2D`.

    Chollet 2016, arXiv:1610.02357.

    >>> import numpy as np
    >>> ones = {"depthwise_initializer": "ones", "pointwise_initializer": "ones"}
    >>> layer = SeparableConv2D(1, (1, 2), **ones)
    >>> print(layer(np.array([[[[1.0, 10.0], [2.0, 20.0]]]])).ravel())
    [33.]
    """

    strides = dilation_rate = (1, 1)
