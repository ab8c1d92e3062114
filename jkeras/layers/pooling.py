"""Pooling layers over 1, 2 and 3 spatial axes: windows, whole inputs, and windows of a set
number.
"""

from collections.abc import Mapping
from typing import Any

import jax

from jkeras import ops
from jkeras.core.graph import inference
from jkeras.kernel.scope import is_abstract
from jkeras.core.errors import check_choice, explain
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import Layer, layer
from jkeras.core.session.settings import standardize_data_format
from jkeras.core.names.typed import Sizes, fields
from jkeras.layers.base import ReadyLayer, shape_of_windows, sizes, spatial_axes
from jkeras.ops.kernels import is_static
from jkeras.core.weights.types import DataFormat, Padding, Structure
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.run.context import Context

# ---------------------------------------------------------------- windows of a set size


@fields
class Pooling(ReadyLayer):
    """Base of the layers that reduce windows of a set size."""

    pool_size: Sizes
    strides: Sizes | None = None
    padding: Padding = "valid"
    data_format: DataFormat | None = None
    rank = 2  # the number of spatial axes
    supports_masking = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.strides is None:
            self.strides = self.pool_size
        for name in ("pool_size", "strides"):
            setattr(self, name, sizes(getattr(self, name), self.rank, name, self._where))
        if isinstance(self.padding, str):
            self.padding = self.padding.lower()
        check_choice("padding", self.padding, ("valid", "same"), self._where)
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def shape_by_rule(self, x: KerasTensor) -> Sizes | None:
        shape = shape_of_windows(self, x.shape, self.pool_size, self.strides)
        return None if shape is None else tuple(shape)

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        space = [x.shape[axis] for axis in spatial_axes(self.rank, self.data_format)]
        small = any(is_static((n,)) and n < size for n, size in zip(space, self.pool_size))
        if self.padding == "valid" and small:
            shape = inference.shown(x.shape) if is_abstract() else x.shape
            raise ValueError(
                explain(
                    self._where,
                    f"an input that a window of size {self.pool_size} fits into",
                    f"shape {shape}",
                    "use a smaller window, or padding='same'",
                )
            )
        return self._pool(x, self.pool_size, self.strides, self.padding, self.data_format)


class MaxPooling(Pooling):
    """Base of MaxPooling1D, MaxPooling2D and MaxPooling3D."""

    _pool = staticmethod(ops.max_pool)


class AveragePooling(Pooling):
    """Base of AveragePooling1D, AveragePooling2D and AveragePooling3D."""

    _pool = staticmethod(ops.average_pool)


ARGUMENTS = "pool_size strides padding data_format name"


@layer("keras.layers", "keras.layers.MaxPool1D", arguments=ARGUMENTS)
class MaxPooling1D(MaxPooling):
    """The maximum of each window in time: (batch, time, channels) -> (batch, windows, channels).

    Args:
        pool_size, strides, padding: as for `MaxPooling2D`.
        data_format: "channels_last", or "channels_first" for (batch, channels, time).
    Raises:
        ValueError: as for `MaxPooling2D`.

    >>> import numpy as np
    >>> MaxPooling1D(2)(np.arange(6.0).reshape(1, 6, 1))[0, :, 0]
    Array([1., 3., 5.], dtype=float32)
    """

    rank = 1
    pool_size: Sizes = 2


@layer("keras.layers", "keras.layers.MaxPool2D", arguments=ARGUMENTS)
class MaxPooling2D(MaxPooling):
    """The maximum of each window of images: (batch, height, width, channels) -> (batch, rows,
    columns, channels).

    Of equal maxima in a window the first gets the gradient.

    Args:
        pool_size: size of the windows, int or one for each spatial axis.
        strides: from one window to the next; by default windows do not overlap.
        padding: "valid" (whole windows only) or "same" (windows at the edge are cut).
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: with "valid" padding, an input that is smaller than a window.

    >>> import numpy as np
    >>> print(MaxPooling2D()(np.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0])
    [[ 5.  7.]
     [13. 15.]]
    """

    pool_size: Sizes = (2, 2)


@layer("keras.layers", "keras.layers.MaxPool3D", arguments=ARGUMENTS)
class MaxPooling3D(MaxPooling):
    """The maximum of each window of volumes or video.

    Args:
        pool_size, strides, padding: as for `MaxPooling2D`.
        data_format: "channels_last", or "channels_first" for
            (batch, channels, depth, height, width).
    Raises:
        ValueError: as for `MaxPooling2D`.

    >>> import numpy as np
    >>> MaxPooling3D((1, 2, 2))(np.ones((2, 5, 8, 8, 3))).shape
    (2, 5, 4, 4, 3)
    """

    rank = 3
    pool_size: Sizes = (2, 2, 2)


@layer("keras.layers", "keras.layers.AvgPool1D", arguments=ARGUMENTS)
class AveragePooling1D(AveragePooling):
    """The mean of each window in time: (batch, time, channels) -> (batch, windows, channels).

    Args:
        pool_size, strides, padding: as for `MaxPooling2D`.
        data_format: "channels_last", or "channels_first" for (batch, channels, time).
    Raises:
        ValueError: as for `MaxPooling2D`.

    >>> import numpy as np
    >>> AveragePooling1D(2)(np.arange(6.0).reshape(1, 6, 1))[0, :, 0]
    Array([0.5, 2.5, 4.5], dtype=float32)
    """

    rank = 1


@layer("keras.layers", "keras.layers.AvgPool2D", arguments=ARGUMENTS)
class AveragePooling2D(AveragePooling):
    """The mean of each window of images; of a window that "same" padding cuts, the mean of what is
    left.

    Args:
        pool_size, strides, padding, data_format: as for `MaxPooling2D`.
    Raises:
        ValueError: as for `MaxPooling2D`.

    >>> import numpy as np
    >>> layer = AveragePooling2D((1, 2), padding="same")
    >>> print(layer(np.array([[[[1.0], [3.0], [5.0]]]])).ravel())
    [2. 5.]
    """


@layer("keras.layers", "keras.layers.AvgPool3D", arguments=ARGUMENTS)
class AveragePooling3D(AveragePooling):
    """The mean of each window of volumes or video.

    Args:
        pool_size, strides, padding: as for `MaxPooling2D`.
        data_format: "channels_last", or "channels_first" for
            (batch, channels, depth, height, width).
    Raises:
        ValueError: as for `MaxPooling2D`.

    >>> import numpy as np
    >>> AveragePooling3D(2)(np.ones((2, 4, 8, 8, 3))).shape
    (2, 2, 4, 4, 3)
    """

    rank = 3


# ---------------------------------------------------------------- the whole input


@fields
class GlobalPooling(ReadyLayer):
    """Base of the layers that reduce all spatial axes to one value for each channel."""

    data_format: DataFormat | None = None
    keepdims: bool = False
    rank = 2
    supports_masking = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def shape_by_rule(self, x: KerasTensor) -> Sizes | None:
        axes = spatial_axes(self.rank, self.data_format)
        if self.keepdims:
            return tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        return tuple(size for axis, size in enumerate(x.shape) if axis not in axes)

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        axes = spatial_axes(self.rank, self.data_format)
        return self._reduce(x, axis=axes, keepdims=self.keepdims)


class GlobalMax(GlobalPooling):
    """Base of GlobalMaxPooling1D, GlobalMaxPooling2D and GlobalMaxPooling3D."""

    _reduce = staticmethod(ops.max)


class GlobalAverage(GlobalPooling):
    """Base of GlobalAveragePooling1D, GlobalAveragePooling2D and GlobalAveragePooling3D."""

    _reduce = staticmethod(ops.mean)


@layer("keras.layers", "keras.layers.GlobalMaxPool1D")
class GlobalMaxPooling1D(GlobalMax):
    """The maximum over time: (batch, time, channels) -> (batch, channels).

    Args:
        data_format: "channels_last", or "channels_first" for (batch, channels, time).
        keepdims: as for `GlobalMaxPooling2D`.

    >>> import numpy as np
    >>> print(GlobalMaxPooling1D()(np.array([[[1.0, 6.0], [3.0, 4.0]]])))
    [[3. 6.]]
    """

    rank = 1


@layer("keras.layers", "keras.layers.GlobalMaxPool2D")
class GlobalMaxPooling2D(GlobalMax):
    """The maximum of each channel of images: (batch, height, width, channels) -> (batch, channels).

    Args:
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
        keepdims: whether the spatial axes stay, with size 1.

    >>> import numpy as np
    >>> layer = GlobalMaxPooling2D(keepdims=True)
    >>> print(layer(np.arange(4.0).reshape(1, 2, 2, 1)).tolist())
    [[[[3.0]]]]
    """


@layer("keras.layers", "keras.layers.GlobalMaxPool3D")
class GlobalMaxPooling3D(GlobalMax):
    """The maximum of each channel of volumes or video.

    Args:
        data_format: "channels_last", or "channels_first" for
            (batch, channels, depth, height, width).
        keepdims: as for `GlobalMaxPooling2D`.

    >>> import numpy as np
    >>> GlobalMaxPooling3D()(np.ones((2, 4, 8, 8, 3))).shape
    (2, 3)
    """

    rank = 3


@layer("keras.layers", "keras.layers.GlobalAvgPool1D")
class GlobalAveragePooling1D(GlobalAverage, uses_mask=True):
    """The mean over time, of the steps that the mask leaves: (batch, time, channels) -> (batch,
    channels).

    Called with `mask=`, (batch, time), it leaves out the steps where it is False.

    Args:
        data_format: "channels_last", or "channels_first" for (batch, channels, time).
        keepdims: as for `GlobalMaxPooling2D`.

    >>> import numpy as np
    >>> mask = np.array([[True, True, False]])
    >>> GlobalAveragePooling1D()(np.arange(3.0).reshape(1, 3, 1), mask=mask)
    Array([[0.5]], dtype=float32)
    """

    rank = 1
    supports_masking = True
    call_context = {"mask": None}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        if ctx.mask is None:
            return super().forward(w, x, ctx)
        time, channels = (1, 2) if self.data_format == "channels_last" else (2, 1)
        mask = ops.expand_dims(ops.cast(ctx.mask, "bool"), channels)
        total = ops.sum(ops.where(mask, x, 0), axis=time, keepdims=self.keepdims)
        return total / ops.sum(ops.cast(mask, x.dtype), axis=time, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Structure:
        """None: no time axis is left."""
        return None


@layer("keras.layers", "keras.layers.GlobalAvgPool2D")
class GlobalAveragePooling2D(GlobalAverage):
    """The mean of each channel of images: (batch, height, width, channels) -> (batch, channels).

    Args:
        data_format, keepdims: as for `GlobalMaxPooling2D`.

    >>> import numpy as np
    >>> print(GlobalAveragePooling2D()(np.arange(4.0).reshape(1, 2, 2, 1)))
    [[1.5]]
    """


@layer("keras.layers", "keras.layers.GlobalAvgPool3D")
class GlobalAveragePooling3D(GlobalAverage):
    """The mean of each channel of volumes or video.

    Args:
        data_format: "channels_last", or "channels_first" for
            (batch, channels, depth, height, width).
        keepdims: as for `GlobalMaxPooling2D`.

    >>> import numpy as np
    >>> GlobalAveragePooling3D(keepdims=True)(np.ones((2, 4, 8, 8, 3))).shape
    (2, 1, 1, 1, 3)
    """

    rank = 3


# ---------------------------------------------------------------- windows of a set number


@fields
class AdaptivePooling(Layer, announces_compute_dtype=True):
    """Base of the layers that cover each spatial axis evenly with a given number of windows, which
    may overlap.
    """

    output_size: Sizes
    data_format: DataFormat | None = None
    rank = 2

    def __post_init__(self) -> None:
        size = self.output_size
        if not isinstance(size, (int, list, tuple)):
            raise TypeError(
                explain(
                    self._where,
                    f"`output_size` to be an integer or {self.rank} integers",
                    f"output_size={size!r} of type {type(size).__name__}",
                )
            )
        if not isinstance(size, int) and len(size) != self.rank:
            error = ValueError if self.rank == 1 else TypeError  # as Keras has it
            raise error(
                explain(
                    self._where,
                    f"`output_size` to be {self.rank} integers",
                    f"output_size={size!r}",
                )
            )
        if isinstance(size, int):
            size = (size,) * self.rank
        self.output_size = tuple(size)
        self.data_format = standardize_data_format(self.data_format)

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        return self._pool(x, self.output_size, self.data_format)


class AdaptiveMax(AdaptivePooling):
    """Base of AdaptiveMaxPooling1D, AdaptiveMaxPooling2D and AdaptiveMaxPooling3D."""

    _pool = staticmethod(ops.adaptive_max_pool)


class AdaptiveAverage(AdaptivePooling):
    """Base of AdaptiveAveragePooling1D, AdaptiveAveragePooling2D and AdaptiveAveragePooling3D."""

    _pool = staticmethod(ops.adaptive_average_pool)


@layer("keras.layers")
class AdaptiveMaxPooling1D(AdaptiveMax):
    """The maxima of `output_size` windows in time.

    Args:
        output_size: the number of windows.
        data_format: "channels_last", or "channels_first" for (batch, channels, time).
    Raises:
        TypeError: `output_size` of another type.
        ValueError: a tuple of more than one.

    >>> import numpy as np
    >>> AdaptiveMaxPooling1D(2)(np.arange(5.0).reshape(1, 5, 1))[0, :, 0]
    Array([2., 4.], dtype=float32)
    """

    rank = 1


@layer("keras.layers")
class AdaptiveMaxPooling2D(AdaptiveMax):
    """The maxima of `output_size` windows of images.

    Args:
        output_size, data_format: as for `AdaptiveAveragePooling2D`.
    Raises:
        TypeError: as for `AdaptiveAveragePooling2D`.

    >>> import numpy as np
    >>> print(AdaptiveMaxPooling2D((1, 2))(np.arange(10.0).reshape(1, 2, 5, 1)).ravel())
    [7. 9.]
    """


@layer("keras.layers")
class AdaptiveMaxPooling3D(AdaptiveMax):
    """The maxima of `output_size` windows of volumes or video.

    Args:
        output_size: the number of windows, int, or one for each spatial axis.
        data_format: "channels_last", or "channels_first" for
            (batch, channels, depth, height, width).
    Raises:
        TypeError: as for `AdaptiveAveragePooling2D`.

    >>> import numpy as np
    >>> AdaptiveMaxPooling3D(2)(np.ones((2, 5, 7, 8, 4))).shape
    (2, 2, 2, 2, 4)
    """

    rank = 3


@layer("keras.layers")
class AdaptiveAveragePooling1D(AdaptiveAverage):
    """The means of `output_size` windows in time.

    Args:
        output_size: the number of windows.
        data_format: "channels_last", or "channels_first" for (batch, channels, time).
    Raises:
        TypeError: `output_size` of another type.
        ValueError: a tuple of more than one.

    >>> import numpy as np
    >>> AdaptiveAveragePooling1D(2)(np.arange(5.0).reshape(1, 5, 1))[0, :, 0]
    Array([1., 3.], dtype=float32)
    """

    rank = 1


@layer("keras.layers")
class AdaptiveAveragePooling2D(AdaptiveAverage):
    """The means of windows of images, of which there are always as many: window i of k on an axis
    of size n goes from floor(i n / k) to ceil((i + 1) n / k).

    Args:
        output_size: the number of windows, int or one for each spatial axis.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        TypeError: `output_size` that is neither an integer nor one for each spatial axis.

    >>> import numpy as np
    >>> print(AdaptiveAveragePooling2D((1, 2))(np.arange(10.0).reshape(1, 2, 5, 1)).ravel())
    [3.5 5.5]
    """


@layer("keras.layers")
class AdaptiveAveragePooling3D(AdaptiveAverage):
    """The means of `output_size` windows of volumes or video.

    Args:
        output_size: the number of windows, int, or one for each spatial axis.
        data_format: "channels_last", or "channels_first" for
            (batch, channels, depth, height, width).
    Raises:
        TypeError: as for `AdaptiveAveragePooling2D`.

    >>> import numpy as np
    >>> AdaptiveAveragePooling3D((1, 2, 2))(np.ones((2, 5, 7, 8, 4))).shape
    (2, 1, 2, 2, 4)
    """

    rank = 3
