"""Images flipped, rotated, shifted, zoomed, sheared, seen from another side and distorted, at
random in training.
"""

import math
import typing

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import random
from jkeras.core.errors import check_choice, explain
from jkeras.core.layer import layer
from jkeras.core.record import Any
from jkeras.core.names.typed import Factor
from jkeras.layers.image_base import ImageLayer, MovingLayer, bounds, chosen, per_image
from jkeras.ops.boxes import clip_to_image_size, convert_format, transform_corners
from jkeras.ops.image_warp import Noise, distort, homography, kernel_size_for, warp
from jkeras.core.weights.types import DataFormat, FillMode, Function, Resampling

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("reflect", "wrap", "constant", "nearest")


@layer("keras.layers", arguments="mode, seed, data_format")
class RandomFlip(ImageLayer):
    """In training each image is flipped with probability 1/2.

    Args:
        mode: "horizontal", "vertical" or "horizontal_and_vertical" (both at once).
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: an unknown `mode`.

    >>> import numpy as np
    >>> images = np.tile(np.arange(3.0)[:, None], (4, 1, 1, 1))
    >>> print(RandomFlip("horizontal", seed=3)(images, training=True)[:, 0, :, 0])
    [[0. 1. 2.]
     [2. 1. 0.]
     [0. 1. 2.]
     [0. 1. 2.]]
    """

    mode: typing.Literal["horizontal", "vertical", "horizontal_and_vertical"] = (
        "horizontal_and_vertical"
    )
    seed: Any = None
    data_format: DataFormat | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(
            "mode", self.mode, ("horizontal", "vertical", "horizontal_and_vertical"), self._where
        )

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        flips = random.uniform((images.shape[0], 1, 1, 1), seed=key()) <= 0.5
        return {"flips": flips, "input_shape": images.shape}  # as Keras names them

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        flipped = images
        if "horizontal" in self.mode:
            flipped = jnp.flip(flipped, self.axes.width)
        if "vertical" in self.mode:
            flipped = jnp.flip(flipped, self.axes.height)
        return jnp.where(samples["flips"], flipped, images)

    def change_masks(self, masks: Any, samples: Any) -> Any:
        return self.change_images(masks, samples)

    def change_boxes(self, bounding_boxes: dict[str, Any], samples: Any) -> Any:
        shape = samples["input_shape"]
        size = shape[self.axes.height], shape[self.axes.width]
        relative = convert_format(bounding_boxes, self.bounding_box_format, "rel_xyxy", *size)
        x1, y1, x2, y2 = jnp.split(relative["boxes"], 4, -1)
        if "horizontal" in self.mode:
            x1, x2 = 1 - x2, 1 - x1
        if "vertical" in self.mode:
            y1, y2 = 1 - y2, 1 - y1
        flipped = jnp.where(
            samples["flips"][..., 0], jnp.concatenate([x1, y1, x2, y2], -1), relative["boxes"]
        )
        clipped = clip_to_image_size({**relative, "boxes": flipped}, bounding_box_format="rel_xyxy")
        return convert_format(clipped, "rel_xyxy", self.bounding_box_format, *size)


class _Warp(MovingLayer):
    """Base of layers that read images at other coordinates, by `samples["matrix"]` (batch, 8); see
    `ops.image_warp`.
    """

    fill_mode = "constant"  # where it is no field
    _choices = {"fill_mode": FILL_MODES, "interpolation": INTERPOLATIONS}

    def move(self, images: jax.Array, samples: dict[str, Any], interpolation: str) -> jax.Array:
        return warp(
            images,
            samples["matrix"],
            interpolation,
            self.fill_mode,
            self.fill_value,
            self.data_format,
        )

    def move_boxes(self, boxes: jax.Array, samples: Any) -> Any:
        matrix = jnp.concatenate(
            [samples["matrix"], jnp.ones_like(samples["matrix"][:, :1])], -1
        ).reshape(-1, 3, 3)
        # images are read through the matrix, boxes go the other way
        inverse = jnp.linalg.inv(matrix)[:, None, None]

        def forth(x: jax.Array, y: jax.Array) -> Any:
            x, y, k = (
                inverse[..., i, 0] * x + inverse[..., i, 1] * y + inverse[..., i, 2]
                for i in range(3)
            )
            return x / k, y / k

        return transform_corners(boxes, forth)


def affine(
    a0: int | jax.Array,
    a1: int | jax.Array,
    a2: int | jax.Array,
    b0: int | jax.Array,
    b1: int | jax.Array,
    b2: int | jax.Array,
) -> jax.Array:
    """Rows of `warp`'s matrices from numbers and arrays (batch,)."""
    parts = jnp.broadcast_arrays(
        *(jnp.asarray(v, "float32") for v in (a0, a1, a2, b0, b1, b2, 0, 0))
    )
    return jnp.stack(parts, -1)


@layer("keras.layers")
class RandomRotation(_Warp):
    """In training each image is rotated about its middle.

    Args:
        factor: range of the angle, in full turns: 0.1 is from -36 to 36 degrees; positive is
            counter-clockwise.
        fill_mode: what lies outside: "reflect", "wrap", "constant" (`fill_value`) or "nearest".
        interpolation: "nearest" or "bilinear".
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> image = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> print(RandomRotation((0.25, 0.25))(image, training=True)[0, :, :, 0].round())
    [[1. 3.]
     [0. 2.]]
    """

    factor: Factor
    fill_mode: FillMode = "reflect"
    interpolation: Resampling = "bilinear"
    seed: Any = None
    fill_value: float = 0.0
    data_format: DataFormat | None = None
    _ranges = {"factor": (-1, 1)}

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        height, width = self.size_of(images)
        degrees = random.uniform((images.shape[0],), *(f * 360.0 for f in self.factor), seed=key())
        cos, sin = jnp.cos(degrees * (math.pi / 180)), jnp.sin(degrees * (math.pi / 180))
        x, y = 0.5 * (width - 1), 0.5 * (height - 1)
        return {
            "matrix": affine(cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos),
            "size": (height, width),
        }


@layer("keras.layers")
class RandomTranslation(_Warp):
    """In training each image is shifted.

    Args:
        height_factor, width_factor: ranges of the shift down and to the right, in shares of the
            size, within [-1, 1].
        fill_mode: what lies outside: "reflect", "wrap", "constant" (`fill_value`) or "nearest".
        interpolation: "nearest" or "bilinear".
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> image = np.arange(1.0, 5.0).reshape(1, 1, 4, 1)
    >>> layer = RandomTranslation(0.0, (0.5, 0.5), fill_mode="constant")
    >>> print(layer(image, training=True).ravel())
    [0. 0. 1. 2.]
    """

    height_factor: Factor
    width_factor: Factor
    fill_mode: FillMode = "reflect"
    interpolation: Resampling = "bilinear"
    seed: Any = None
    fill_value: float = 0.0
    data_format: DataFormat | None = None
    _optional = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height", "width"):
            factor = getattr(self, f"{name}_factor")
            if factor is not None or name not in self._optional:
                lower, upper = bounds(factor, -1.0, 1.0, f"{name}_factor", self._where, strict=True)
                setattr(self, f"{name}_lower", lower)
                setattr(self, f"{name}_upper", upper)

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        shape, (height, width) = (images.shape[0],), self.size_of(images)
        down = height * random.uniform(shape, self.height_lower, self.height_upper, seed=key())
        right = width * random.uniform(shape, self.width_lower, self.width_upper, seed=key())
        return {"matrix": affine(1, 0, -right, 0, 1, -down), "size": (height, width)}


@layer("keras.layers")
class RandomZoom(RandomTranslation):
    """In training each image is zoomed about its middle.

    Args:
        height_factor, width_factor: ranges of the change, within (-1, 1]: positive shows more
            (zooms out), negative shows less. Without `width_factor` the aspect ratio stays.
        fill_mode: what lies outside: "reflect", "wrap", "constant" (`fill_value`) or "nearest".
        interpolation: "nearest" or "bilinear".
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> layer = RandomZoom((1.0, 1.0), fill_mode="constant")
    >>> print(layer(np.ones((1, 4, 4, 1)), training=True)[0, :, :, 0])
    [[0. 0. 0. 0.]
     [0. 1. 1. 0.]
     [0. 1. 1. 0.]
     [0. 0. 0. 0.]]
    """

    width_factor: Factor | None = None
    _optional = ("width",)

    def __post_init__(self) -> None:
        super().__post_init__()
        factors = np.hstack([f for f in (self.height_factor, self.width_factor) if f is not None])
        if factors.min() <= -1:  # the number 1, which stands for (-1, 1), is fine, as in Keras
            raise ValueError(
                explain(
                    self._where,
                    "factors above -1",
                    f"height_factor={self.height_factor} and width_factor={self.width_factor}",
                )
            )

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        shape, (height, width) = (images.shape[0],), self.size_of(images)
        down = across = random.uniform(
            shape, 1.0 + self.height_lower, 1.0 + self.height_upper, seed=key()
        )
        if self.width_factor is not None:
            across = random.uniform(
                shape, 1.0 + self.width_lower, 1.0 + self.width_upper, seed=key()
            )
        return {
            "matrix": affine(
                across, 0, (width - 1) / 2 * (1 - across), 0, down, (height - 1) / 2 * (1 - down)
            ),
            "size": (height, width),
        }


@layer("keras.layers")
class RandomShear(_Warp):
    """In training each image is sheared, from its upper left corner.

    Args:
        x_factor, y_factor: ranges of the shear along the two axes, within [0, 1]; the direction is
            drawn, too.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside: "reflect", "wrap", "constant" (`fill_value`) or "nearest".
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> layer = RandomShear((1.0, 1.0), fill_mode="constant", seed=3)
    >>> print(layer(np.ones((1, 3, 3, 1)), training=True)[0, :, :, 0])
    [[1. 1. 1.]
     [0. 1. 1.]
     [0. 0. 1.]]
    """

    x_factor: Factor = 0.0
    y_factor: Factor = 0.0
    interpolation: Resampling = "bilinear"
    fill_mode: FillMode = "reflect"
    fill_value: float = 0.0
    data_format: DataFormat | None = None
    seed: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("x_factor", "y_factor"):
            value = getattr(self, name)
            if isinstance(value, (tuple, list)):  # a config holds (-f, f)
                lower, upper = bounds(value, -1, 1, name, self._where, strict=True)
            else:
                _, upper = bounds(value, 0, 1, name, self._where, strict=True)
                lower = -upper
            setattr(self, name, (lower, upper))

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        shape = (images.shape[0],)
        sign = jnp.where(
            random.uniform(shape, seed=key(), dtype=self.compute_dtype) > 0.5, -1.0, 1.0
        )
        y = sign * random.uniform(shape, *self.y_factor, seed=key(), dtype=self.compute_dtype)
        x = sign * random.uniform(shape, *self.x_factor, seed=key(), dtype=self.compute_dtype)
        return {"matrix": affine(1, x, 0, y, 1, 0), "size": self.size_of(images)}


@layer("keras.layers")
class RandomPerspective(_Warp):
    """In training images are seen from another side: their corners are moved.

    Args:
        factor: range of the probability that an image is changed.
        scale: how far corners move, in shares of their coordinates, in [0, 1].
        interpolation: "nearest" or "bilinear".
        fill_value: what lies outside.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> layer = RandomPerspective((1.0, 1.0), scale=0.5, seed=3)
    >>> print(layer(np.ones((1, 3, 3, 1)), training=True)[0, :, :, 0].round(1))
    [[1. 1. 1.]
     [1. 1. 1.]
     [1. 1. 0.]]
    """

    factor: Factor = 1.0
    scale: float = 1.0
    interpolation: Resampling = "bilinear"
    fill_value: float = 0.0
    seed: Any = None
    data_format: DataFormat | None = None
    _ranges = {"factor": (0, 1)}
    _choices = {"interpolation": INTERPOLATIONS}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.scale <= 1:
            raise ValueError(explain(self._where, "`scale` between 0 and 1", f"scale={self.scale}"))

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        height, width = self.size_of(images)
        apply = chosen(images, self.factor, key)
        shifts = random.uniform(
            (images.shape[0], 4, 2),
            -0.5 * self.scale,
            0.5 * self.scale,
            seed=key(),
            dtype=self.compute_dtype,
        ).astype("float32")
        corners = jnp.array(
            [[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], "float32"
        )
        corners = jnp.broadcast_to(corners, shifts.shape)
        moved = homography(corners, corners * (1 + shifts))
        return {
            "matrix": jnp.where(apply[:, None], moved, affine(1, 0, 0, 0, 1, 0)),
            "size": (height, width),
        }


@layer("keras.layers")
class RandomElasticTransform(ImageLayer):
    """In training the pixels of images are displaced by smooth random fields (Simard et al. 2003,
    ICDAR).

    Args:
        factor: range of the probability that an image is changed.
        scale: range of the strength, within [0, 1].
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside: "reflect", "wrap", "constant" (`fill_value`), "nearest" or
            "mirror".
        value_range: the range of the values, which results are clipped to.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    >>> import numpy as np
    >>> RandomElasticTransform(seed=3)(np.ones((2, 8, 8, 3)), training=True).shape
    (2, 8, 8, 3)
    """

    factor: Factor = 1.0
    scale: Factor = 1.0
    interpolation: Resampling = "bilinear"
    fill_mode: FillMode = "reflect"
    fill_value: float = 0.0
    value_range: tuple | list = (0, 255)
    seed: Any = None
    data_format: DataFormat | None = None
    _ranges = {"factor": (0, 1), "scale": (0, 1)}
    _choices = {"fill_mode": (*FILL_MODES, "mirror"), "interpolation": INTERPOLATIONS}

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        apply = chosen(images, self.factor, key)
        strength = random.uniform((), *self.scale, seed=key(), dtype=self.compute_dtype)
        return {"apply": apply, "strength": strength, "key": key()}

    def _distort(self, images: jax.Array, samples: dict[str, Any], interpolation: str) -> jax.Array:
        height, width = self.size_of(images)
        noise = Noise(
            0.1 * max(height, width) * samples["strength"],
            0.05 * min(height, width) * samples["strength"] + 1e-6,
            kernel_size_for(0.05 * min(height, width) * self.scale[1]),
        )
        distorted = distort(
            images,
            samples["key"],
            noise,
            interpolation,
            self.fill_mode,
            self.fill_value,
            self.data_format,
        )
        return jnp.where(per_image(samples["apply"]), distorted, images)

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return jnp.clip(self._distort(images, samples, self.interpolation), *self.value_range)

    def change_masks(self, masks: Any, samples: Any) -> Any:
        return self._distort(masks, samples, "nearest")

    def change_boxes(self, bounding_boxes: dict[str, Any], samples: Any) -> Any:
        raise NotImplementedError(
            explain(
                self._where,
                "no 'bounding_boxes'",
                "some",
                "boxes have no shape after this: leave the layer out where there are some",
            )
        )
