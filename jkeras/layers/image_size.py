"""Images of another size, and as many boxes as asked for: Resizing, CenterCrop, RandomCrop,
MaxNumBoundingBoxes.
"""

import jax
import jax.numpy as jnp
from jax import lax

from jkeras import random
from jkeras.core.graph.keras_tensor import KerasTensor, map_tensors
from jkeras.core.layer import layer
from jkeras.core.record import Any
from jkeras.core.session.settings import default_seed
from jkeras.initializers.base import DrawnSeed
from jkeras.layers.image_base import ImageLayer, MovingLayer
from jkeras.ops import image as image_ops
from jkeras.ops.boxes import crop
from jkeras.ops.image_size import aspect_window, take_window
from jkeras.core.weights.types import DataFormat, Function, Interpolation, Structure


class _Sized(MovingLayer):
    """Base of layers that give images of the size `height` times `width`."""

    _always = True

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        return {"size": self.size_of(images)}

    def output_size(self, samples: Any) -> Any:
        return self.height, self.width

    def resize(self, images: jax.Array, **options: Any) -> jax.Array:
        """Images of the layer's size."""
        return image_ops.resize(
            images, (self.height, self.width), data_format=self.data_format, **options
        )


@layer(
    "keras.layers",
    arguments="height, width, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode, "
    "fill_value, antialias, data_format",
)
class Resizing(_Sized):
    """Images of the size `height` times `width`, in their dtype.

    Args:
        height, width: size of the result, in pixels.
        fill_mode: how padding is filled: only "constant", with `fill_value`.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio, pad_to_aspect_ratio: whether to crop, or pad with `fill_value`,
            instead of distorting.
        antialias: whether to blur before making images smaller.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).

    >>> import numpy as np
    >>> print(Resizing(1, 2)(np.array([[[[0.0], [2.0], [4.0], [8.0]]]])).ravel())
    [1. 6.]
    """

    height: int
    width: int
    interpolation: Interpolation = "bilinear"
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    fill_mode: str = "constant"
    fill_value: float = 0.0
    antialias: bool = False
    data_format: DataFormat | None = None
    _gives_float = False

    def move(self, images: jax.Array, samples: dict[str, Any], interpolation: str) -> jax.Array:
        return self.resize(
            images,
            interpolation=interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            fill_mode=self.fill_mode,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_value=self.fill_value,
        )

    def move_boxes(self, boxes: jax.Array, samples: Any) -> Any:
        height, width = samples["size"]
        down, across = self.height / height, self.width / width
        top = left = 0
        if self.pad_to_aspect_ratio:
            down = across = min(down, across)
            top, left = (self.height - height * down) // 2, (self.width - width * across) // 2
        elif self.crop_to_aspect_ratio:
            down = across = max(down, across)
            top, left = -((height * down - self.height) // 2), -((width * across - self.width) // 2)
        moved = boxes * jnp.array([across, down] * 2, boxes.dtype) + jnp.array(
            [left, top] * 2, boxes.dtype
        )
        empty = jnp.all(boxes == -1, -1, keepdims=True) | jnp.all(boxes == 0, -1, keepdims=True)
        return jnp.where(empty, 0, moved)


@layer("keras.layers", arguments="height, width, data_format")
class CenterCrop(_Sized):
    """The middle of images, `height` times `width`. Smaller images are cropped to the aspect ratio
    and resized.

    Args:
        height, width: size of the result, in pixels.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).

    >>> import numpy as np
    >>> print(CenterCrop(2, 2)(np.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0])
    [[ 5.  6.]
     [ 9. 10.]]
    """

    height: int
    width: int
    data_format: DataFormat | None = None

    def move(self, images: jax.Array, samples: dict[str, Any], interpolation: str) -> jax.Array:
        height, width = self.size_of(images)
        if height < self.height or width < self.width:
            return self.resize(images, interpolation=interpolation, crop_to_aspect_ratio=True)
        top, left = (height - self.height) // 2, (width - self.width) // 2
        return take_window(images, top, left, self.height, self.width, self.axes)

    def move_boxes(self, boxes: jax.Array, samples: Any) -> Any:
        height, width = samples["size"]
        window = ((height - self.height) // 2, (width - self.width) // 2, self.height, self.width)
        if height < self.height or width < self.width:
            window = aspect_window(height, width, self.height, self.width)
        scale = jnp.array([self.width / window[3], self.height / window[2]] * 2, boxes.dtype)
        return crop(boxes, *window) * scale


@layer("keras.layers", arguments="height, width, seed, data_format, name")
class RandomCrop(_Sized):
    """In training a random window of images, the same for the whole batch, `height` times `width`.

    Images that are not larger in both directions are resized instead. Outside of training images
    stay as they are, although the layer announces the size `height` times `width`, as in Keras: use
    CenterCrop or Resizing there.

    Args:
        height, width: size of the window, in pixels.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).

    >>> import numpy as np
    >>> images = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> print(RandomCrop(2, 2, seed=1)(images, training=True)[0, :, :, 0])
    [[2. 3.]
     [6. 7.]]
    """

    height: int
    width: int
    seed: Any = None
    data_format: DataFormat | None = None
    _always = False

    def __post_init__(self) -> None:
        # Keras draws this one, then one to use
        if self.seed is None:
            recorded = DrawnSeed(default_seed())
        else:
            recorded = self.seed
        super().__post_init__()
        self.seed = recorded

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        height, width = self.size_of(images)
        if height > self.height and width > self.width:
            spare = float(height - self.height + 1), float(width - self.width + 1)
            top, left = (random.uniform((), 0.0, n, seed=key()).astype("int32") for n in spare)
            return {"size": (height, width), "top": top, "left": left}
        top, left, _, _ = aspect_window(height, width, self.height, self.width)
        return {"size": (height, width), "top": top, "left": left}

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> jax.Array:
        """The window of the images; outside of training they stay as they are, in their dtype."""
        if training:
            return super().transform_images(images, transformation, training)
        return jnp.asarray(images)

    def move(self, images: jax.Array, samples: dict[str, Any], interpolation: str) -> jax.Array:
        height, width = self.size_of(images)
        if height > self.height and width > self.width:
            starts, shape = [0] * images.ndim, list(images.shape)
            starts[self.axes.height], starts[self.axes.width] = samples["top"], samples["left"]
            shape[self.axes.height], shape[self.axes.width] = self.height, self.width
            return lax.dynamic_slice(images, starts, shape)
        window = take_window(
            images, samples["top"], samples["left"], self.height, self.width, self.axes
        )
        return self.resize(window, interpolation=interpolation)

    def move_boxes(self, boxes: jax.Array, samples: Any) -> Any:
        height, width = samples["size"]
        rows, columns = self.height, self.width
        if height <= self.height or width <= self.width:
            rows, columns = (
                min(n, size - start)
                for n, size, start in (
                    (rows, height, samples["top"]),
                    (columns, width, samples["left"]),
                )
            )
        scale = jnp.array([self.width / columns, self.height / rows] * 2, boxes.dtype)
        return crop(boxes, samples["top"], samples["left"], rows, columns) * scale

    def compute_output_spec(self, data: Any, **kwargs: Any) -> Structure:
        def sized(tensor: Any) -> Any:
            shape = list(tensor.shape)
            shape[self.axes.height], shape[self.axes.width] = self.height, self.width
            return KerasTensor(shape, self.compute_dtype)

        if not isinstance(data, dict):
            return sized(data)
        same = {k: map_tensors(lambda t: KerasTensor(t.shape, t.dtype), v) for k, v in data.items()}
        return {
            **same,
            **{k: sized(data[k]) for k in ("images", "segmentation_masks") if k in data},
        }


@layer("keras.layers", arguments="max_number, fill_value")
class MaxNumBoundingBoxes(ImageLayer):
    """The first `max_number` boxes and labels of each image, filled up with `fill_value` where
    there are fewer.

    Args:
        max_number: how many boxes each image has then.
        fill_value: what the boxes and labels that are filled up have.

    >>> import numpy as np
    >>> boxes = {"boxes": np.ones((1, 2, 4)), "labels": np.array([[3, 4]])}
    >>> layer = MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
    >>> batch = {"images": np.ones((1, 4, 4, 3)), "bounding_boxes": boxes}
    >>> print(layer(batch)["bounding_boxes"]["labels"])
    [[ 3  4 -1]]
    """

    max_number: int
    fill_value: int = -1
    _always = True
    _gives_float = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.max_number, self.fill_value = int(self.max_number), int(self.fill_value)

    def change_boxes(self, bounding_boxes: dict[str, Any], samples: Any) -> dict[str, Any]:
        def exactly(x: jax.Array) -> jax.Array:
            x = x[:, : self.max_number]
            margins = [(0, 0), (0, self.max_number - x.shape[1])] + [(0, 0)] * (x.ndim - 2)
            return jnp.pad(x, margins, constant_values=self.fill_value)

        return {**bounding_boxes, **{k: exactly(bounding_boxes[k]) for k in ("boxes", "labels")}}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.fill_value == -1:  # Keras never writes it; without it nothing else would come back
            del config["fill_value"]
        return config
