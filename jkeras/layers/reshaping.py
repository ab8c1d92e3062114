"""Layers that move entries, add or drop them: flattening, cropping, padding, upsampling."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import ops
from jkeras.core.errors import check_choice, explain, place_of
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import Layer, layer
from jkeras.core.names.dtypes import is_float
from jkeras.core.session.settings import standardize_data_format
from jkeras.core.names.typed import Sizes, fields
from jkeras.layers.base import sizes, spatial_axes
from jkeras.ops.image import resize
from jkeras.core.weights.types import DataFormat, Interpolation, Structure
from jkeras.core.run.context import Context
from jkeras.kernel.spec import Spec, Weight


@layer("keras.layers")
class Flatten(Layer, is_batchwise=True):
    """All axes but the first as one: (batch, ...) -> (batch, product of the others).

    Args:
        data_format: with "channels_first" the channels are moved to the end before.

    >>> import numpy as np
    >>> print(Flatten()(np.array([[[1.0, 2.0], [3.0, 4.0]]])))
    [[1. 2. 3. 4.]]
    """

    data_format: DataFormat | None = None
    keeps_sparse = True

    def __post_init__(self) -> None:
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        if self.data_format == "channels_first" and inputs.ndim > 1:
            inputs = ops.transpose(inputs, (0, *range(2, inputs.ndim), 1))
        return ops.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))


@layer("keras.layers")
class Reshape(Layer, is_batchwise=True):
    """Another shape for the same entries: (batch, ...) -> (batch, *target_shape).

    Args:
        target_shape: the shape without the batch axis; one size may be -1 or None, it follows from
            the others.
    Raises:
        ValueError: a shape that does not fit, or has more than one unknown size.

    >>> import numpy as np
    >>> print(Reshape((-1, 2))(np.arange(4.0).reshape(1, 4))[0])
    [[0. 1.]
     [2. 3.]]
    """

    target_shape: Sizes

    def __post_init__(self) -> None:
        self.target_shape = shape = tuple(self.target_shape)
        if not all(map(_is_size, shape)) or sum(d in (-1, None) for d in shape) > 1:
            raise ValueError(
                explain(
                    self._where,
                    "whole sizes that are not negative, at most one of them -1 or None",
                    f"target_shape={shape}",
                )
            )
        self.built = True

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return ops.reshape(inputs, (inputs.shape[0], *self._resolved(inputs.shape[1:])))

    def _resolved(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The target shape for an input shape without the batch axis."""
        size = math.prod(shape)
        static = math.prod(d for d in self.target_shape if d not in (-1, None))
        if {-1, None} & {*self.target_shape}:
            fits = static and size % static == 0
        else:
            fits = size == static
        if not fits:
            raise ValueError(
                explain(
                    self._where,
                    f"an input whose size fits target_shape={self.target_shape}",
                    f"input shape {(None, *shape)}",
                )
            )
        return tuple(size // static if d in (-1, None) else d for d in self.target_shape)

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Structure:
        # where a size is unknown, so is -1: nothing to trace
        shape, sizes = inputs.shape[1:], self.target_shape
        if None not in shape:
            sizes = self._resolved(shape)
        target = tuple(
            None if d is None or size == -1 else size for d, size in zip(self.target_shape, sizes)
        )
        dtype = inputs.dtype
        if self.autocast and is_float(dtype):
            dtype = self.compute_dtype
        return KerasTensor((inputs.shape[0], *target), dtype, sparse=inputs.sparse)


@layer("keras.layers")
class Permute(Layer, is_batchwise=True):
    """Another order of the axes after the batch axis.

    Args:
        dims: for each axis of the output, which axis of the input it is; counted from 1, without
            the batch axis.
    Raises:
        ValueError: `dims` that do not hold each of 1, 2, … once.

    >>> import numpy as np
    >>> print(Permute((2, 1))(np.array([[[1.0, 2.0], [3.0, 4.0]]]))[0])
    [[1. 3.]
     [2. 4.]]
    """

    dims: tuple | list
    keeps_sparse = True

    def __post_init__(self) -> None:
        self.dims = tuple(self.dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                explain(self._where, "`dims` to hold each of 1, 2, … once", f"dims={self.dims}")
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return ops.transpose(inputs, (0, *self.dims))


def _is_size(value: float) -> bool:
    """Whether a value is a whole size, or -1 or None for one that is left open."""
    if value is None:
        return True
    return hasattr(value, "__index__") and value >= -1


def _positive_integer(layer: Layer, name: str) -> None:
    value = getattr(layer, name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(explain(place_of(layer), f"an integer for `{name}`", f"{name}={value!r}"))
    if value <= 0:
        raise ValueError(
            explain(place_of(layer), f"a positive integer for `{name}`", f"{name}={value}")
        )


@layer("keras.layers")
class RepeatVector(Layer, announces_compute_dtype=True, is_batchwise=True):
    """A vector as the same vector at `n` steps: (batch, features) -> (batch, n, features).

    Args:
        n: the number of steps.

    >>> import numpy as np
    >>> print(RepeatVector(3)(np.array([[1.0, 2.0]]))[0])
    [[1. 2.]
     [1. 2.]
     [1. 2.]]
    """

    n: int

    def __post_init__(self) -> None:
        _positive_integer(self, "n")
        self.input_spec = InputSpec(ndim=2)

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return jnp.repeat(inputs[:, None], self.n, axis=1)


# ---------------------------------------------------------------- along the spatial axes


class _Spatial(Layer, announces_compute_dtype=True, is_batchwise=True):
    """Base of layers that work along the axes between batch and channels."""

    _rank = None  # the number of spatial axes

    def __post_init__(self) -> None:
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=self._rank + 2)

    @property
    def _axes(self) -> tuple[int, ...]:
        return spatial_axes(self._rank, self.data_format)

    def _longer(self, shape: Sizes, added) -> Any:
        """A shape whose spatial sizes have so much added; None where nothing would be left."""
        shape = list(shape)
        for axis, more in zip(self._axes, added):
            if shape[axis] is not None:
                shape[axis] += more
        is_whole = all(size is None or size > 0 for size in shape)
        return tuple(shape) if is_whole else None

    def _pairs(self, name: str) -> tuple[tuple[Any, ...], ...]:
        """The field `name` as (before, after) for each spatial axis, from one integer or one item
        for each axis.
        """
        items = value = getattr(self, name)
        if isinstance(value, int):
            items = sizes(value, self._rank, name, self._where, zero=True)
        if not hasattr(items, "__len__") or len(items) != self._rank:
            raise ValueError(
                explain(
                    self._where,
                    f"`{name}` to be an integer or {self._rank} items, each of them an "
                    "integer or a pair (before, after)",
                    f"{name}={value!r}",
                )
            )
        return tuple(sizes(item, 2, name, self._where, zero=True) for item in items)


@fields
class _Cropping(_Spatial):
    """Drops entries at both ends of the spatial axes."""

    cropping: Sizes
    data_format: DataFormat | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cropping = self._pairs("cropping")

    def _margins(self) -> tuple[tuple[Any, ...], ...]:
        return self.cropping

    def weight_specs(self, inputs: Spec) -> dict[str, Weight]:
        self._check(inputs.shape)
        return {}

    def _check(self, shape: tuple[int, ...]) -> None:
        for axis, pair in zip(self._axes, self._margins()):
            if shape[axis] is not None and sum(pair) >= shape[axis]:
                raise ValueError(
                    explain(
                        self._where,
                        f"`cropping` smaller than the input's axis {axis}",
                        f"cropping={self.cropping} for input shape {tuple(shape)}",
                    )
                )

    def shape_by_rule(self, x: KerasTensor) -> Sizes | None:
        return self._longer(x.shape, [-sum(pair) for pair in self._margins()])

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        self._check(inputs.shape)
        for axis, (before, after) in zip(self._axes, self._margins()):
            inputs = jax.lax.slice_in_dim(inputs, before, inputs.shape[axis] - after, axis=axis)
        return inputs


@layer("keras.layers", arguments="cropping")
class Cropping1D(_Cropping):
    """Drops steps at the beginning and the end: (batch, time, features).

    Args:
        cropping: an integer, or (at the beginning, at the end).
    Raises:
        ValueError: `cropping` of another form, or as large as the input.

    >>> import numpy as np
    >>> print(Cropping1D((1, 2))(np.arange(5.0).reshape(1, 5, 1)).ravel())
    [1. 2.]
    """

    cropping: Sizes = (1, 1)
    data_format = "channels_last"
    _rank = 1

    def _pairs(self, name: str) -> tuple[int, ...]:
        return sizes(self.cropping, 2, name, self._where, zero=True)

    def _margins(self) -> tuple[tuple[Any, ...], ...]:
        return (self.cropping,)


@layer("keras.layers")
class Cropping2D(_Cropping):
    """Drops rows and columns at the edges of an image: (batch, height, width, channels), or
    channels first.

    Args:
        cropping: an integer; (height, width); or ((top, bottom), (left, right)).
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: `cropping` of another form, or as large as the input.

    >>> import numpy as np
    >>> print(Cropping2D(((0, 1), 1))(np.arange(9.0).reshape(1, 3, 3, 1))[0, :, :, 0])
    [[1.]
     [4.]]
    """

    cropping: Sizes = ((0, 0), (0, 0))
    _rank = 2


@layer("keras.layers")
class Cropping3D(_Cropping):
    """Drops entries at the edges of a volume: (batch, depth, height, width, channels), or channels
    first.

    Args:
        cropping: an integer; one for each axis; or a pair (before, after) for each axis.
        data_format: "channels_last", or "channels_first" for (batch, channels, depth, height,
            width).
    Raises:
        ValueError: `cropping` of another form, or as large as the input.

    >>> import numpy as np
    >>> Cropping3D(1)(np.ones((2, 5, 6, 7, 3))).shape
    (2, 3, 4, 5, 3)
    """

    cropping: Sizes = ((1, 1), (1, 1), (1, 1))
    _rank = 3


@fields
class _ZeroPadding(_Spatial):
    """Adds zeros at both ends of the spatial axes."""

    padding: Sizes
    data_format: DataFormat | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.padding = self._pairs("padding")

    def _margins(self) -> tuple[tuple[Any, ...], ...]:
        return self.padding

    def shape_by_rule(self, x: KerasTensor) -> Sizes | None:
        return self._longer(x.shape, [sum(pair) for pair in self._margins()])

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        margins = [(0, 0)] * inputs.ndim
        for axis, pair in zip(self._axes, self._margins()):
            margins[axis] = pair
        return jnp.pad(inputs, margins)


@layer("keras.layers")
class ZeroPadding1D(_ZeroPadding):
    """Adds steps of zeros at the beginning and the end: (batch, time, features), or channels first.

    Args:
        padding: an integer, or (at the beginning, at the end).
        data_format: "channels_last", or "channels_first" for (batch, features, time).
    Raises:
        ValueError: `padding` of another form.

    >>> import numpy as np
    >>> print(ZeroPadding1D((1, 2))(np.ones((1, 2, 1))).ravel())
    [0. 1. 1. 0. 0.]
    """

    padding: Sizes = 1
    _rank = 1

    def _pairs(self, name: str) -> tuple[int, ...]:
        return sizes(self.padding, 2, name, self._where, zero=True)

    def _margins(self) -> tuple[tuple[Any, ...], ...]:
        return (self.padding,)


@layer("keras.layers")
class ZeroPadding2D(_ZeroPadding):
    """Adds rows and columns of zeros around an image: (batch, height, width, channels), or channels
    first.

    Args:
        padding: an integer; (height, width); or ((top, bottom), (left, right)).
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: `padding` of another form.

    >>> import numpy as np
    >>> print(ZeroPadding2D(((0, 1), (2, 0)))(np.ones((1, 1, 2, 1)))[0, :, :, 0])
    [[0. 0. 1. 1.]
     [0. 0. 0. 0.]]
    """

    padding: Sizes = (1, 1)
    _rank = 2


@layer("keras.layers")
class ZeroPadding3D(_ZeroPadding):
    """Adds zeros around a volume: (batch, depth, height, width, channels), or channels first.

    Args:
        padding: an integer; one for each axis; or a pair (before, after) for each axis.
        data_format: "channels_last", or "channels_first" for (batch, channels, depth, height,
            width).
    Raises:
        ValueError: `padding` of another form.

    >>> import numpy as np
    >>> ZeroPadding3D(1)(np.ones((2, 3, 4, 5, 3))).shape
    (2, 5, 6, 7, 3)
    """

    padding: Sizes = ((1, 1), (1, 1), (1, 1))
    _rank = 3


@fields
class _UpSampling(_Spatial):
    """Repeats entries along the spatial axes."""

    size: Sizes
    data_format: DataFormat | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.size = sizes(self.size, self._rank, "size", self._where)

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        for axis, times in zip(self._axes, self.size):
            inputs = jnp.repeat(inputs, times, axis=axis)
        return inputs


@layer("keras.layers", arguments="size")
class UpSampling1D(_UpSampling):
    """Each step `size` times: (batch, time, features) -> (batch, size * time, features).

    Args:
        size: how often each step stands in the output.
    Raises:
        TypeError: `size` that is no integer.

    >>> import numpy as np
    >>> print(UpSampling1D(3)(np.array([[[1.0], [2.0]]])).ravel())
    [1. 1. 1. 2. 2. 2.]
    """

    size: Sizes = 2
    data_format = "channels_last"
    _rank = 1

    def __post_init__(self) -> None:
        _positive_integer(self, "size")
        _Spatial.__post_init__(self)

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return jnp.repeat(inputs, self.size, axis=1)


@layer("keras.layers")
class UpSampling2D(_UpSampling):
    """Enlarges images by whole factors: (batch, height, width, channels), or channels first.

    Args:
        size: the factor, or (of the height, of the width).
        interpolation: "nearest" repeats; "bilinear", "bicubic", "lanczos3" and "lanczos5"
            interpolate.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: `size` of another form, or an unknown `interpolation`.

    >>> import numpy as np
    >>> print(UpSampling2D((2, 3))(np.array([[[[1.0], [2.0]]]]))[0, :, :, 0])
    [[1. 1. 1. 2. 2. 2.]
     [1. 1. 1. 2. 2. 2.]]
    """

    size: Sizes = (2, 2)
    interpolation: Interpolation = "nearest"
    _rank = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.interpolation = self.interpolation.lower()
        check_choice(
            "interpolation",
            self.interpolation,
            ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"),
            self._where,
        )

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        if self.interpolation == "nearest":
            return super().forward(w, inputs, ctx)
        size = [inputs.shape[axis] * factor for axis, factor in zip(self._axes, self.size)]
        return resize(inputs, size, self.interpolation, data_format=self.data_format)


@layer("keras.layers")
class UpSampling3D(_UpSampling):
    """Enlarges volumes by whole factors: (batch, depth, height, width, channels), or channels
    first.

    Args:
        size: the factor, or one for each axis.
        data_format: "channels_last", or "channels_first" for (batch, channels, depth, height,
            width).
    Raises:
        ValueError: `size` of another form.

    >>> import numpy as np
    >>> UpSampling3D(2)(np.ones((1, 2, 3, 4, 5))).shape
    (1, 4, 6, 8, 5)
    """

    size: Sizes = (2, 2, 2)
    _rank = 3
