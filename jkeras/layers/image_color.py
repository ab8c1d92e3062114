"""Colors changed at random in training: brightness, contrast, hue, saturation and others, pixel by
pixel.
"""

import numbers

import jax
import jax.numpy as jnp

from jkeras import random
from jkeras.core.names import typed
from jkeras.core.errors import explain
from jkeras.core.layer import layer
from jkeras.core.record import Any
from jkeras.core.session.settings import epsilon
from jkeras.core.names.typed import Factor, fields
from jkeras.layers.image_base import ImageLayer, bounds, chosen, per_image
from jkeras.ops.image import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from jkeras.core.weights.types import DataFormat, Function


def rescale(images: jax.Array, source: tuple[int, ...], target: tuple[int, ...]) -> jax.Array:
    """Values of one range brought to another."""
    if tuple(source) == tuple(target):
        return images
    return (images - source[0]) / (source[1] - source[0]) * (target[1] - target[0]) + target[0]


class ColorLayer(ImageLayer):
    """Base of layers that draw one number for each image from the range `factor`."""

    factor: Factor
    value_range: tuple | list = (0, 255)
    data_format: DataFormat | None = None
    seed: Any = None
    _rests = True
    _ranges = {"factor": (-1, 1)}

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        return {"factor": random.uniform((images.shape[0],), *self.factor, seed=key())}

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        changed = self.recolor(images, per_image(samples["factor"]).astype(images.dtype))
        return jnp.clip(changed, *self.value_range)

    def recolor(self, images: jax.Array, factor: Any) -> Any:
        """The images, by one number for each; what leaves the range of values is clipped
        afterwards.
        """
        raise NotImplementedError


@layer("keras.layers")
class RandomBrightness(ColorLayer):
    """In training adds a number to all values of each image.

    Args:
        factor: range of the number, in shares of the range of the values, within [-1, 1].
        value_range: the range of the values, which results are clipped to.
        seed: integer.
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> print(RandomBrightness((0.1, 0.1))(np.zeros((1, 1, 1, 3)), training=True).ravel())
    [25.5 25.5 25.5]
    """

    factor: typed.Factor
    value_range: tuple | list = (0, 255)
    seed: Any = None

    def recolor(self, images: jax.Array, factor: jax.Array) -> jax.Array:
        return images + factor * (self.value_range[1] - self.value_range[0])


@layer("keras.layers")
class RandomContrast(ColorLayer):
    """In training moves all values of each image away from their mean, channel by channel, or
    towards it.

    Args:
        factor: (a, b): distances from the mean are multiplied by a number from [1 - a, 1 + b]; one
            number f is (0, f).
        value_range: the range of the values, which results are clipped to.
        seed: integer.
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> image = np.array([[[[100.0], [150.0], [200.0]]]])
    >>> print(RandomContrast((0.5, 0.0), seed=0)(image, training=True).ravel().round())
    [ 76. 150. 224.]
    """

    factor: typed.Factor
    value_range: tuple | list = (0, 255)
    seed: Any = None
    _ranges = {"factor": (0, 1)}

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        lower, upper = self.factor
        return {
            "factor": random.uniform(
                (images.shape[0],), 1.0 - lower, 1.0 + upper, seed=key(), dtype=self.compute_dtype
            )
        }

    def recolor(self, images: jax.Array, factor: jax.Array) -> jax.Array:
        mean = jnp.mean(images, self.axes[:2], keepdims=True)
        return (images - mean) * factor + mean


@fields
class FormattedColorLayer(ColorLayer):
    """Base of those that look at the channels, and ask where these are."""

    factor: Factor
    value_range: tuple | list = (0, 255)
    data_format: DataFormat | None = None
    seed: Any = None


class _HSV(FormattedColorLayer):
    """Base of layers that change one of hue, saturation and value."""

    _plane = 0

    def _change_plane(self, images: jax.Array, factor: jax.Array, change: Function) -> jax.Array:
        """RGB images whose hue (0) or saturation (1) is changed by a function."""
        planes = list(jnp.split(rgb_to_hsv(images, self.data_format), 3, self.axes.channels))
        planes[self._plane] = change(planes[self._plane], factor)
        return hsv_to_rgb(jnp.concatenate(planes, self.axes.channels), self.data_format)


@layer("keras.layers")
class RandomHue(_HSV):
    """In training turns the hue of each image, in either direction.

    Args:
        factor: range of the turn, within [0, 1]; 1 is half of the color circle.
        value_range: the range of the values.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> red = np.array([[[[255.0, 0.0, 0.0]]]])
    >>> print(RandomHue((1.0, 1.0), seed=0)(red, training=True).ravel().round())
    [  0. 255. 255.]
    """

    _ranges = {"factor": (0, 1)}
    _keys_at_rest = 2

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        shape = (images.shape[0],)
        sign = jnp.where(random.uniform(shape, seed=key()) > 0.5, -1.0, 1.0)
        return {"factor": sign * random.uniform(shape, *self.factor, seed=key()) * 0.5}

    def recolor(self, images: jax.Array, factor: jax.Array) -> jax.Array:
        turned = self._change_plane(
            rescale(images, self.value_range, (0, 1)), factor, lambda hue, f: (hue + f) % 1.0
        )
        return rescale(jnp.clip(turned, 0, 1), (0, 1), self.value_range)


@layer("keras.layers")
class RandomSaturation(_HSV):
    """In training multiplies the saturation of each image by `f / (1 - f)`: 0.5 keeps it, 0 gives
    gray.

    Args:
        factor: range of f, within [-1, 1].
        value_range: the range of the values.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> image = np.array([[[[200.0, 100.0, 100.0]]]])
    >>> print(RandomSaturation((0.0, 0.0))(image, training=True).ravel().round())
    [200. 200. 200.]
    """

    _plane = 1
    _keys_at_rest = 1

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        factor = super().sample(images, key)["factor"]
        return {"factor": factor / (1 - factor + epsilon())}

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return self._change_plane(
            images,
            per_image(samples["factor"]).astype(images.dtype),
            lambda saturation, f: jnp.clip(saturation * f, *self.value_range),
        )


@layer("keras.layers")
class RandomColorDegeneration(FormattedColorLayer):
    """In training mixes each image with its gray version.

    Args:
        factor: range of the share of gray, within [-1, 1]; negative makes colors stronger.
        value_range: the range of the values, which results are clipped to.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> image = np.array([[[[200.0, 100.0, 100.0]]]])
    >>> print(RandomColorDegeneration((0.5, 0.5))(image, training=True).ravel().round())
    [165. 115. 115.]
    """

    _keys_at_rest = 1

    def recolor(self, images: jax.Array, factor: jax.Array) -> jax.Array:
        return images + factor * (rgb_to_grayscale(images, self.data_format) - images)


@layer("keras.layers")
class RandomPosterization(FormattedColorLayer):
    """In training keeps only some of the 8 bits of every value.

    Args:
        factor: range of the number of bits, from 1 to 8.
        value_range: the range of the values.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> images = np.array([[[[100.0, 200.0, 255.0]]]])
    >>> print(RandomPosterization((1, 1))(images, training=True).ravel())
    [  0. 128. 128.]
    """

    _ranges = {"factor": (1, 8)}

    @property
    def _keys_at_rest(self) -> int:
        low, high = self.factor
        return int(low != high)

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        shape, (low, high) = (images.shape[0],), self.factor
        if low != high:
            bits = random.randint(shape, low, high, "uint8", key())
        else:
            bits = jnp.full(shape, low, "uint8")
        return {"shift": 8 - bits}

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        shift = per_image(samples["shift"])
        bits = rescale(images, self.value_range, (0, 255)).astype("uint8") >> shift << shift
        return rescale(bits.astype(self.compute_dtype), (0, 255), self.value_range)


@layer("keras.layers", arguments="factor, data_format, seed")
class RandomGrayscale(ImageLayer):
    """In training makes images gray, with three equal channels.

    Args:
        factor: probability of that, for each image.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> images = np.array([[[[100.0, 0.0, 0.0]]]])
    >>> print(RandomGrayscale(1.0)(images, training=True).ravel().round(1))
    [29.9 29.9 29.9]
    """

    factor: float = 0.5
    data_format: DataFormat | None = None
    seed: Any = None
    _gives_float = False
    _keys_at_rest = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.factor, numbers.Real):
            raise TypeError(
                explain(
                    self._where, "`factor` to be one number from 0 to 1", f"factor={self.factor!r}"
                )
            )
        bounds(float(self.factor), 0, 1, "factor", self._where)

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        return {"apply": random.uniform((images.shape[0],), seed=key()) < self.factor}

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return jnp.where(
            per_image(samples["apply"]), rgb_to_grayscale(images, self.data_format), images
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.seed is None:  # Keras never writes it; without it a user's would not come back
            del config["seed"]
        return config


@layer("keras.layers")
class RandomInvert(ColorLayer):
    """In training replaces values of images by the largest value minus them.

    Args:
        factor: range of the probability that an image is changed.
        value_range: the range of the values.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> print(RandomInvert((1.0, 1.0))(np.full((1, 1, 1, 3), 55.0), training=True).ravel())
    [200. 200. 200.]
    """

    factor: Factor = 1.0
    value_range: tuple | list = (0, 255)
    seed: Any = None
    data_format: DataFormat | None = None
    _ranges = {"factor": (0, 1)}

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        return {"apply": chosen(images, self.factor, key)}

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return jnp.where(per_image(samples["apply"]), self.value_range[1] - images, images)


@layer("keras.layers", arguments="addition_factor, threshold_factor, value_range, seed")
class Solarization(ImageLayer):
    """In training adds a number to all values of each image, then inverts those above a threshold.

    Args:
        addition_factor, threshold_factor: ranges of both, in shares of 255, within [0, 1]; one
            number f is (0, f).
        value_range: the range of the values.
        seed: integer.
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> print(Solarization()(np.array([[[[0.0, 100.0, 255.0]]]]), training=True).ravel())
    [255. 155.   0.]
    """

    addition_factor: Factor = 0.0
    threshold_factor: Factor = 0.0
    value_range: tuple | list = (0, 255)
    seed: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("addition_factor", "threshold_factor"):
            setattr(self, name, bounds(getattr(self, name), 0, 1, name, self._where, strict=True))

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        return {
            name: random.uniform(
                (images.shape[0],), low, high * 255, seed=key(), dtype=self.compute_dtype
            )
            for name, (low, high) in (
                ("additions", self.addition_factor),
                ("thresholds", self.threshold_factor),
            )
        }

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        lighter = rescale(images, self.value_range, (0, 255)) + per_image(samples["additions"])
        lighter = jnp.clip(lighter, 0, 255)
        changed = jnp.where(lighter < per_image(samples["thresholds"]), lighter, 255 - lighter)
        return rescale(changed, (0, 255), self.value_range)


@layer(
    "keras.layers",
    arguments="value_range, brightness_factor, contrast_factor, saturation_factor, hue_factor, "
    "seed, data_format",
)
class RandomColorJitter(ImageLayer):
    """In training changes brightness, contrast, saturation and hue of each image, in this order.

    Args:
        brightness_factor, contrast_factor, saturation_factor, hue_factor: as `factor` of
            RandomBrightness and so on; None leaves that out.
        value_range: the range of the values.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> layer = RandomColorJitter(brightness_factor=0.2, hue_factor=0.1, seed=3)
    >>> layer = RandomColorJitter(brightness_factor=(0.1, 0.1))
    >>> print(layer(np.full((1, 1, 1, 3), 50.0), training=True).ravel())
    [75.5 75.5 75.5]
    """

    value_range: tuple | list = (0, 255)
    brightness_factor: Factor | None = None
    contrast_factor: Factor | None = None
    saturation_factor: Factor | None = None
    hue_factor: Factor | None = None
    seed: Any = None
    data_format: DataFormat | None = None
    _rests = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for kind in (RandomBrightness, RandomContrast, RandomSaturation, RandomHue):
            what = kind.__name__.removeprefix("Random").lower()
            step, factor = None, getattr(self, f"{what}_factor")
            if factor is not None:
                step = kind(
                    factor,
                    self.value_range,
                    seed=self.seed,
                    data_format=self.data_format,
                    dtype=self.dtype_policy,
                )
            setattr(self, f"random_{what}", step)

    def _steps(self) -> list[Any]:
        steps = (
            self.random_brightness,
            self.random_contrast,
            self.random_saturation,
            self.random_hue,
        )
        return [step for step in steps if step is not None]

    def sample(self, images: jax.Array, key: Function) -> list[dict[str, Any]]:
        return [step.sample(images, key) for step in self._steps()]

    def change_images(self, images: jax.Array, samples: list[dict[str, Any]]) -> jax.Array:
        for step, own in zip(self._steps(), samples):
            images = step.change_images(images, own)
        return images
