"""Images blurred, sharpened, partly erased, or with another distribution of values."""

import jax
import jax.numpy as jnp

from jkeras import random
from jkeras.core.errors import explain
from jkeras.core.layer import layer
from jkeras.core.record import Any
from jkeras.core.names.typed import Factor, Sizes
from jkeras.layers.image_base import ImageLayer, chosen, per_image
from jkeras.layers.image_color import FormattedColorLayer, rescale
from jkeras.ops.image import gaussian_blur
from jkeras.ops.nn import depthwise_conv
from jkeras.core.weights.types import Axis, DataFormat, Function


@layer("keras.layers", arguments="factor, value_range, data_format, seed")
class RandomSharpness(FormattedColorLayer):
    """In training blurs or sharpens each image.

    Args:
        factor: range of the strength, within [0, 1]: 0 blurs, 0.5 changes nothing, 1 sharpens.
        value_range: the range of the values, which results are clipped to.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> image = np.zeros((1, 3, 3, 1))
    >>> image[0, 1, 1] = 130.0
    >>> print(RandomSharpness((0.0, 0.0))(image, training=True)[0, :, :, 0])
    [[10. 10. 10.]
     [10. 50. 10.]
     [10. 10. 10.]]
    """

    _rests = False
    _ranges = {"factor": (0, 1)}
    _keys_at_rest = 1

    def recolor(self, images: jax.Array, factor: jax.Array) -> jax.Array:
        kernel = jnp.full((3, 3, 1, 1), 1 / 13, images.dtype).at[1, 1].set(5 / 13)
        kernel = jnp.tile(kernel, (1, 1, images.shape[self.axes.channels], 1))
        smooth = depthwise_conv(images, kernel, 1, "same", self.data_format)
        return images + (1 - 2 * factor) * (smooth - images)


@layer("keras.layers")
class RandomGaussianBlur(ImageLayer):
    """In training smooths images with a Gaussian.

    Args:
        factor: range of the probability that an image is changed.
        kernel_size: odd number of points, or one along the width and one along the height.
        sigma: range of the standard deviation, within [0, 1]; one is drawn for each axis.
        value_range: the range of the values, which results are clipped to.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> image = np.zeros((1, 3, 3, 1))
    >>> image[0, 1, 1] = 100.0
    >>> layer = RandomGaussianBlur((1.0, 1.0), sigma=(0.5, 0.5))
    >>> print(layer(image, training=True)[0, :, :, 0].round())
    [[ 1.  8.  1.]
     [ 8. 62.  8.]
     [ 1.  8.  1.]]
    """

    factor: Factor = 1.0
    kernel_size: Sizes = 3
    sigma: Factor = 1.0
    value_range: tuple | list = (0, 255)
    data_format: DataFormat | None = None
    seed: Any = None
    _ranges = {"factor": (0, 1), "sigma": (0, 1)}

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.kernel_size
        if not isinstance(size, (tuple, list)):
            size = (size, size)
        if len(size) != 2 or not all(isinstance(n, (int, float)) and n % 2 == 1 for n in size):
            raise ValueError(
                explain(
                    self._where,
                    "`kernel_size` to be one odd number or two",
                    f"kernel_size={self.kernel_size!r}",
                )
            )
        self.kernel_size = tuple(size)

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        apply = chosen(images, self.factor, key)
        sigma = random.uniform((2,), *self.sigma, seed=key(), dtype=self.compute_dtype)
        return {"apply": apply, "sigma": sigma + 1e-6}

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        blurred = gaussian_blur(images, self.kernel_size, samples["sigma"], self.data_format)
        return jnp.clip(jnp.where(per_image(samples["apply"]), blurred, images), *self.value_range)


def sample_interval(
    size: int, share: jax.Array, key: Function, dtype: str
) -> tuple[jax.Array, ...]:
    """(start, end) of an interval of `share * size` somewhere in [0, size), for each share
    (batch,).
    """
    length = share * size
    start = random.uniform(share.shape, seed=key(), dtype=dtype) * (size - length)
    return start, start + length


def sample_rectangle(
    images: jax.Array, axes: Axis, shares: jax.Array | list[jax.Array], key: Function, dtype: str
) -> tuple[jax.Array, ...]:
    """(mask of the pixels inside, area as a share of the image) for random rectangles.

    Args:
        shares: their width and height as shares of the image's, (batch,) each.
    """
    height, width = images.shape[axes.height], images.shape[axes.width]
    (x0, x1), (y0, y1) = (
        sample_interval(n, share, key, dtype) for n, share in zip((width, height), shares)
    )
    inside = []
    for axis, low, high in ((axes.height, y0, y1), (axes.width, x0, x1)):
        shape = [1] * 4
        shape[axis] = images.shape[axis]
        positions = jnp.arange(images.shape[axis], dtype=dtype).reshape(shape)
        inside.append((positions >= per_image(low)) & (positions < per_image(high)))
    return inside[0] & inside[1], (x1 - x0) * (y1 - y0) / (width * height)


@layer("keras.layers")
class RandomErasing(ImageLayer):
    """In training overwrites a rectangle in images (Zhong et al. 2017, arXiv:1708.04896).

    Args:
        factor: range of the probability that an image is changed.
        scale: range of the share of the area, within [0, 1].
        fill_value: a number or one for each of three channels; None: noise.
        value_range: the range of the values, which fillings are clipped to.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> layer = RandomErasing((1.0, 1.0), scale=(0.3, 0.3), fill_value=0.0, seed=3)
    >>> print(layer(np.ones((1, 4, 4, 3)), training=True)[0, :, :, 0])
    [[1. 1. 1. 1.]
     [1. 1. 0. 0.]
     [1. 1. 0. 0.]
     [1. 1. 1. 1.]]
    """

    factor: Factor = 1.0
    scale: Factor = (0.02, 0.33)
    fill_value: float | None = None
    value_range: tuple | list = (0, 255)
    seed: Any = None
    data_format: DataFormat | None = None
    _ranges = {"factor": (0, 1), "scale": (0, 1)}

    def __post_init__(self) -> None:
        super().__post_init__()
        value = self.fill_value
        is_color = isinstance(value, (tuple, list)) and len(value) == 3
        if not is_color and not isinstance(value, (int, float, type(None))):
            raise ValueError(
                explain(
                    self._where,
                    "`fill_value` to be a number, three numbers or None",
                    f"fill_value={value!r}",
                )
            )

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        dtype = self.compute_dtype
        sides = jnp.sqrt(random.uniform((images.shape[0], 2), *self.scale, seed=key(), dtype=dtype))
        mask, _ = sample_rectangle(images, self.axes, sides.T, key, dtype)
        mask = mask & per_image(chosen(images, self.factor, key))
        return {
            "mask": mask,
            "filling": jnp.clip(self._filling(images.shape, key), *self.value_range),
        }

    def _filling(self, shape: tuple[int, ...], key: Function) -> jax.Array:
        if self.fill_value is None:
            return random.normal(shape, dtype=self.compute_dtype, seed=key()) * self.value_range[1]
        value = jnp.asarray(self.fill_value, self.compute_dtype)
        if value.ndim and self.data_format == "channels_first":
            return value.reshape(-1, 1, 1)
        return value

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return jnp.where(samples["mask"], samples["filling"], images)


# ---------------------------------------------------------------- distributions of values


@layer("keras.layers", arguments="value_range")
class AutoContrast(ImageLayer):
    """Each channel of each image stretched to the whole range of values, in training and outside.

    Args:
        value_range: the range of the values.

    >>> import numpy as np
    >>> print(AutoContrast()(np.array([[[[100.0], [120.0], [150.0]]]])).ravel())
    [  0. 102. 255.]
    """

    value_range: tuple | list = (0, 255)
    _always = True

    def change_images(self, images: jax.Array, samples: Any) -> jax.Array:
        wide = rescale(images, self.value_range, (0, 255))
        low, high = (f(wide, self.axes[:2], keepdims=True) for f in (jnp.min, jnp.max))
        scale = 255 / jnp.where(high > low, high - low, 1)
        stretched = rescale(
            jnp.clip(wide * scale - low * scale, 0, 255), (0, 255), self.value_range
        )
        return jnp.where(high > low, stretched, images)


@layer("keras.layers", arguments="value_range, bins, data_format")
class Equalization(ImageLayer):
    """In training spreads values so that all are about equally frequent, in each channel of the
    whole batch.

    Args:
        value_range: the range of the values.
        bins: of the histogram.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).

    >>> import numpy as np
    >>> print(Equalization()(np.array([[[[100.0], [101.0], [102.0]]]]), training=True).ravel())
    [  0. 128. 255.]
    """

    value_range: tuple | list = (0, 255)
    bins: int = 256
    data_format: DataFormat | None = None
    _rests = True

    def change_images(self, images: jax.Array, samples: Any) -> jax.Array:
        channels = jnp.moveaxis(rescale(images, self.value_range, (0, 255)), self.axes.channels, 0)
        equalized = jnp.moveaxis(jax.vmap(self._equalize)(channels), 0, self.axes.channels)
        return rescale(equalized.astype(images.dtype), (0, 255), self.value_range)

    def _equalize(self, values: jax.Array) -> jax.Array:
        top = self.bins - 1
        bins = jnp.clip((values.astype("float32") * top / 255).astype("int32"), 0, top)
        counts = jnp.zeros(self.bins, "int32").at[bins.ravel()].add(1)
        below = jnp.cumsum(counts)
        lowest = below[jnp.argmax(below > 0)]
        table = jnp.round((below - lowest) * 255 / jnp.maximum(below[-1] - lowest, 1))
        equalized = table[jnp.clip(values / 255.0 * top, 0, top).astype("int32")]
        return jnp.where(jnp.count_nonzero(counts) <= 1, values, equalized)


@layer("keras.layers", arguments="value_range, clip_limit, tile_grid_size, data_format")
class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """CLAHE: values equalized in tiles and blended between them, with limited contrast.

    Zuiderveld 1994, Graphics Gems IV.

    Args:
        value_range: the range of the values.
        clip_limit: the most that a bin may hold, in mean bin contents; what is above is spread over
            all bins; 0: no limit.
        tile_grid_size: the number of tiles, (down, across).
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).

    >>> import numpy as np
    >>> layer = ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))
    >>> images = np.array([[100.0, 101.0], [102.0, 103.0]]).reshape(1, 2, 2, 1)
    >>> layer = ContrastLimitedAdaptiveHistogramEqualization(clip_limit=0.0, tile_grid_size=(1, 1))
    >>> print(layer(images).ravel().round())
    [ 64. 128. 191. 255.]
    """

    value_range: tuple | list = (0, 255)
    clip_limit: float = 4.0
    tile_grid_size: tuple | list = (8, 8)
    data_format: DataFormat | None = None
    _always = True
    _gives_float = False

    def change_images(self, images: jax.Array, samples: Any) -> jax.Array:
        planes = jnp.moveaxis(
            rescale(images.astype("float32"), self.value_range, (0, 255)), self.axes.channels, 1
        )
        planes = jax.vmap(jax.vmap(self._equalize))(planes)
        changed = rescale(jnp.moveaxis(planes, 1, self.axes.channels), (0, 255), self.value_range)
        return changed.astype(images.dtype)

    def _equalize(self, plane: jax.Array) -> jax.Array:
        """One channel of one image: (height, width)."""
        (down, across), (height, width) = self.tile_grid_size, plane.shape
        rows, columns = -(-height // down), -(-width // across)  # of a tile
        padded = jnp.pad(
            plane, ((0, rows * down - height), (0, columns * across - width)), mode="symmetric"
        )
        values = jnp.clip(padded, 0, 255).astype("int32")
        tiles = values.reshape(down, rows, across, columns).swapaxes(1, 2).reshape(down, across, -1)
        tables = jnp.pad(
            jax.vmap(jax.vmap(self._table))(tiles), ((1, 1), (1, 1), (0, 0)), mode="edge"
        )

        def neighbors(size: int, length: int) -> tuple[jax.Array, ...]:
            """The tile before each pixel, counted with the padding, and the weight of the one after
            it.
            """
            tile = (jnp.arange(size * length) - length / 2) / length + 1
            return jnp.floor(tile).astype("int32"), tile - jnp.floor(tile)

        (y, wy), (x, wx) = neighbors(down, rows), neighbors(across, columns)
        y, wy = y[:, None], wy[:, None]
        upper, lower = (
            tables[y + i, x, values] * (1 - wx) + tables[y + i, x + 1, values] * wx for i in (0, 1)
        )
        return (upper * (1 - wy) + lower * wy)[:height, :width]

    def _table(self, values: jax.Array) -> jax.Array:
        """The new value for each of 256 values in a tile."""
        counts = jnp.zeros(256, "float32").at[values].add(1)
        if self.clip_limit > 0:
            clipped = jnp.minimum(counts, self.clip_limit * values.size / 256)
            counts = clipped + jnp.sum(counts - clipped) / 256
        below = jnp.cumsum(counts)
        above = values.size - below[0]
        return jnp.clip((below - below[0]) * 255 / jnp.where(above == 0, 1, above), 0, 255)
