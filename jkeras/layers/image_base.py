"""What layers of images share: one image or a batch, dicts of images with labels, boxes and masks,
ranges of factors.

A layer writes `sample`, which makes random numbers from keys, and some of `change_images`,
`change_labels`, `change_boxes` and `change_masks`, which apply them. All work on batches and are
pure.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import random
from jkeras.core.errors import check_choice, explain, violated
from jkeras.core.graph.keras_tensor import is_symbolic
from jkeras.core.names.dtypes import is_float
from jkeras.core.weights.rng import SeedGenerator, as_key
from jkeras.core.session.settings import standardize_data_format
from jkeras.core.run.tensorflow_graph import also_in_graph, holds_tensors_of_graph
from jkeras.layers.base import DataLayer
from jkeras.ops.boxes import clip_to_image_size, convert_format
from jkeras.ops.image_common import axes_of, check_rank
from jkeras.core.run.context import Context
from jkeras.core.weights.types import Function, Interpolation, Seed, Structure

PARTS = ("images", "labels", "bounding_boxes", "segmentation_masks")


def bounds(
    value: Any, low: float, high: float, name: str, where: str, strict: bool = False
) -> tuple[Any, ...]:
    """(lower, upper) of what is drawn. A number f in [low, high] stands for (-f, f), as far as
    `low` allows.

    Args:
        value: a number or two; two may reach beyond one end of [low, high], unless `strict`.
        name: the argument, for messages.

    >>> bounds(0.2, -1, 1, "factor", "RandomZoom"), bounds((0.3, 0.1), 0, 1, "factor", "RandomHue")
    ((-0.2, 0.2), (0.1, 0.3))
    """
    is_pair = isinstance(value, (tuple, list))
    pair = value if is_pair else (value, value)
    if not _fits(pair, low, high, wholly=strict or not is_pair):
        raise ValueError(
            violated(
                where,
                f"The `{name}` argument should be a number, or the lower and the upper of two, "
                f"within [{low}, {high}]",
                f"{name}={value!r}",
            )
        )
    if is_pair:
        return tuple(sorted(pair))
    return (max(low, -abs(value)), abs(value))


def _fits(pair: tuple[Any, ...], low: float, high: float, wholly: bool) -> bool:
    """Whether two numbers reach into [low, high]; `wholly`: lie in it."""
    if len(pair) != 2 or not all(isinstance(v, (int, float)) for v in pair):
        return False
    if wholly:
        return low <= min(pair) <= max(pair) <= high
    return pair[0] <= high and pair[1] >= low


def densify(bounding_boxes: dict[str, Any]) -> dict[str, Any]:
    """Boxes and labels as arrays. Lists of different lengths are filled up with boxes of zeros and
    labels -1.

    Raises:
        ValueError: not a dict of "boxes" and "labels", or ranks that do not fit.

    >>> densify({"boxes": [[[0, 0, 1, 1]], []], "labels": [[5], []]})["labels"].tolist()
    [[5], [-1]]
    """
    if not isinstance(bounding_boxes, dict) or not {"boxes", "labels"} <= set(bounding_boxes):
        raise ValueError(
            "`bounding_boxes` must be a dict with the keys 'boxes' and 'labels'. Received: "
            f"{type(bounding_boxes).__name__} {bounding_boxes}"
        )
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if hasattr(boxes, "to_tensor"):  # ragged, of TensorFlow
        boxes = boxes.to_tensor(shape=[None] * (boxes.shape.rank - 1) + [4])
        labels = labels.to_tensor(default_value=-1)
        bounding_boxes = {**bounding_boxes, "boxes": boxes, "labels": labels}
    if is_symbolic(boxes) or holds_tensors_of_graph(boxes):
        return bounding_boxes
    if isinstance(boxes, list) and isinstance(labels, list):
        boxes, labels = _filled(boxes, labels)
    boxes, labels = jnp.asarray(boxes, "float32"), jnp.asarray(labels)
    if boxes.ndim not in (2, 3) or boxes.ndim - labels.ndim not in (0, 1):
        raise ValueError(
            "`boxes` must have the shape (boxes, 4) or (batch, boxes, 4), and `labels` fit. "
            f"Received: boxes.shape={boxes.shape}, labels.shape={labels.shape}"
        )
    return {**bounding_boxes, "boxes": boxes, "labels": labels}


def _filled(boxes: list[list[Any]], labels: list[list[Any]]) -> tuple[list[Any], ...]:
    """Lists of boxes and labels, each image with as many as the one with most."""
    if len(boxes) != len(labels):
        raise ValueError(
            "`boxes` and `labels` must have the same length. Received: "
            f"{len(boxes)} and {len(labels)}"
        )
    if len({len(v) for v in labels if isinstance(v, list)}) <= 1:
        return boxes, labels
    most = max(map(len, labels))
    boxes = [[*b, *[[0.0] * 4] * (most - len(b))] for b in boxes]
    labels = [[*v, *[-1] * (most - len(v))] for v in labels]
    return boxes, labels


def images_of(data: Any) -> jax.Array:
    """The images of a dict, or the argument itself, as images."""
    if isinstance(data, dict):
        return data["images"]
    return data


# images are cast by the layer itself, labels and boxes are not
class ImageLayer(DataLayer, is_for_training_alone=True, computes_in_float=False):
    """Base of layers that change images, and what belongs to them in a dict.

    The input is images, or a dict of "images" and any of "labels", "bounding_boxes" ({"boxes",
    "labels"}) and "segmentation_masks"; other entries stay. Images have 3 axes (one image) or 4 (a
    batch).

    Args:
        data_format: "channels_last" or "channels_first".
        bounding_box_format: of the boxes; needed where there are some. See
            `utils.bounding_boxes.convert_format`.
    """

    call_context = {"training": True}
    _always = False  # whether images are changed outside of training, too
    _gives_float = True  # whether integer images become floats
    _rests = False  # whether integer images stay as they are where they are not changed
    _keys_at_rest = 0  # how many keys Keras's layer draws where it changes nothing
    _ranges = {}  # fields that are ranges: name -> (low, high)
    _choices = {}  # fields that are one of several: name -> choices

    def _base_init(
        self, data_format: str | None = None, bounding_box_format: str | None = None, **kwargs: Any
    ) -> None:
        super()._base_init(**kwargs)
        self.data_format, self.bounding_box_format = data_format, bounding_box_format

    def __post_init__(self) -> None:
        self.data_format = standardize_data_format(self.data_format)
        if hasattr(self, "value_range"):
            value = self.value_range
            if not isinstance(value, (tuple, list)) or len(value) != 2:
                raise ValueError(
                    violated(
                        self._where,
                        "The `value_range` argument should be a list of two numbers",
                        f"value_range={value!r}",
                    )
                )
            self.value_range = tuple(sorted(value))
        for name, (low, high) in self._ranges.items():
            setattr(self, name, bounds(getattr(self, name), low, high, name, self._where))
        for name, choices in self._choices.items():
            check_choice(name, getattr(self, name), choices, self._where, NotImplementedError)
        if hasattr(self, "seed"):
            self.generator = SeedGenerator(self.seed)

    seed_generator = property(
        lambda self: self.generator, doc="The generator, under the name it has in other layers."
    )
    axes = property(
        lambda self: axes_of(self.data_format), doc="Which axes are height, width and channels."
    )

    def size_of(self, images: jax.Array) -> tuple[int, ...]:
        """(height, width)."""
        return images.shape[self.axes.height], images.shape[self.axes.width]

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "data_format": self.data_format}
        if self.bounding_box_format is not None:
            config["bounding_box_format"] = self.bounding_box_format
        return config

    # ------------------------------------------------------------ what a layer writes

    def sample(self, images: jax.Array, key: Function) -> Any:
        """The random numbers for a batch of images, as a dict.

        Args:
            key: a function; each `key()` is another key.
        """
        return None

    def change_images(self, images: jax.Array, samples: Any) -> jax.Array:
        """The changed images."""
        return images

    def change_labels(self, labels: Any, samples: Any) -> Any:
        """The labels of the changed images."""
        return labels

    def change_boxes(self, bounding_boxes: dict[str, Any], samples: Any) -> Any:
        """The boxes in the changed images."""
        return bounding_boxes

    def change_masks(self, masks: Any, samples: Any) -> Any:
        """The masks of the changed images."""
        return masks

    # ------------------------------------------------------------ Keras's methods

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: Seed | None = None
    ) -> Any:
        """The random numbers of one call, for the `transform_…` methods.

        Args:
            data: images, or a dict with "images".
            seed: an integer, a key or a `SeedGenerator` instead of the layer's own.
        """
        if not self._changes(training):
            return None
        if seed is None:
            seed = getattr(self, "generator", None)
        return self.sample(jnp.asarray(images_of(data)), keys_from(seed))

    def _changes(self, training: bool) -> bool:
        return self._always or bool(training)

    @also_in_graph
    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> jax.Array:
        """The images as this layer changes them in training."""
        if not self._changes(training):
            return self._cast(images, self._gives_float and not self._rests)
        return self._cast(
            self.change_images(self._cast(images, self._gives_float), transformation),
            self._gives_float,
        )

    def _cast(self, images: jax.Array, gives_float: bool) -> jax.Array:
        images = jnp.asarray(images)
        if gives_float or is_float(images.dtype):
            return images.astype(self.compute_dtype)
        return images

    @also_in_graph
    def transform_labels(
        self, labels: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The labels that belong to the changed images."""
        if self._changes(training):
            return self.change_labels(labels, transformation)
        return labels

    @also_in_graph
    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any = None, training: bool = True
    ) -> dict[str, Any]:
        """The boxes that belong to the changed images."""
        if self._changes(training):
            return self.change_boxes(bounding_boxes, transformation)
        return bounding_boxes

    @also_in_graph
    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The masks that belong to the changed images."""
        if self._changes(training):
            return self.change_masks(segmentation_masks, transformation)
        return segmentation_masks

    # ------------------------------------------------------------ calling

    def __call__(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(data, dict) and "bounding_boxes" in data:
            if not self.bounding_box_format:
                raise ValueError(
                    explain(
                        self._where,
                        "a `bounding_box_format` for 'bounding_boxes'",
                        "none",
                        'pass one to the layer, such as `bounding_box_format="xyxy"`',
                    )
                )
            data = {**data, "bounding_boxes": densify(data["bounding_boxes"])}
        return super().__call__(data, *args, **kwargs)

    def forward(self, w: Mapping[str, Any], data: Any, ctx: Context) -> Structure:
        images = images_of(data)
        check_rank(images)
        if images.ndim == 4:
            return self._run(data, ctx)
        if not isinstance(data, dict):
            return self._run_one(data, ctx)
        return {**data, **self._run_one({k: data[k] for k in PARTS if k in data}, ctx)}

    def _run_one(self, data: Any, ctx: Context) -> Any:
        """`_run` on one image and what belongs to it, as on a batch of one."""
        batch = jax.tree_util.tree_map(lambda v: v[None], data)
        return jax.tree_util.tree_map(lambda v: v[0], self._run(batch, ctx))

    def _run(self, data: Any, ctx: Context) -> jax.Array | dict[str, Any]:
        """Draws, and changes all parts of a batch."""
        images, samples = images_of(data), None
        if self._changes(ctx.training):
            samples = self.sample(images, lambda: ctx.key)
        elif self._keys_at_rest:
            ctx.skip_keys(self._keys_at_rest, images)
        if not isinstance(data, dict):
            return self.transform_images(images, samples, ctx.training)
        if "bounding_boxes" in data:
            data = {**data, "bounding_boxes": _in_floats(data["bounding_boxes"])}
        changed = {
            k: getattr(self, f"transform_{k}")(data[k], samples, ctx.training)
            for k in data
            if k in PARTS
        }
        return {**data, **changed}


def _in_floats(bounding_boxes: dict[str, Any]) -> dict[str, Any]:
    """Boxes as `densify` gives them, also where they come out of a graph of TensorFlow."""
    return {**bounding_boxes, "boxes": bounding_boxes["boxes"].astype("float32")}


def keys_from(seed: jax.Array) -> Function:
    """A function that gives another key each time, from a `SeedGenerator`, a key or an integer."""
    if isinstance(seed, SeedGenerator):
        return seed.next
    if seed is None:
        return lambda: None
    chain = [as_key(seed)]

    def following() -> jax.Array:
        chain[0], key = jax.random.split(chain[0])
        return key

    return following


class MovingLayer(ImageLayer):
    """Base of layers that move pixels: boxes move along, masks are moved with the nearest values.

    A layer writes `move(images, samples, interpolation)` and `move_boxes(boxes, samples)`, which
    takes and gives "xyxy". `sample` puts "size", the (height, width) of the input, into what it
    gives.
    """

    interpolation = "bilinear"

    def move(self, images: jax.Array, samples: Any, interpolation: Interpolation) -> Any:
        """The moved images or masks, in the dtype they come in."""
        raise NotImplementedError

    def move_boxes(self, boxes: jax.Array, samples: Any) -> Any:
        """The moved boxes (batch, boxes, 4)."""
        raise NotImplementedError

    def output_size(self, samples: Any) -> Any:
        """(height, width) of the result."""
        return samples["size"]

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return self.move(images, samples, self.interpolation)

    def change_masks(self, masks: Any, samples: Any) -> Any:
        return self.move(masks, samples, "nearest")

    def change_boxes(self, bounding_boxes: dict[str, Any], samples: Any) -> Any:
        height, width = self.output_size(samples)
        boxes = convert_format(
            bounding_boxes["boxes"], self.bounding_box_format, "xyxy", *samples["size"]
        )
        moved = clip_to_image_size(
            {**bounding_boxes, "boxes": self.move_boxes(boxes, samples)}, height, width
        )
        return convert_format(moved, "xyxy", self.bounding_box_format, height, width)


def per_image(values: jax.Array) -> jax.Array:
    """One number for each image of a batch, with the axes of images."""
    return jnp.reshape(values, (-1, 1, 1, 1))


def chosen(images: jax.Array, factor: tuple[Any, ...], key: Function) -> bool:
    """Which images of a batch are changed: for each a probability from the range `factor`, then a
    coin with it.
    """
    shape = (images.shape[0],)
    probability = random.uniform(shape, *factor, seed=key())
    return random.uniform(shape, seed=key()) < probability
