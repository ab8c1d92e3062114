"""Images mixed with others of the batch, and augmentation by chains of other layers."""

import jax
import jax.numpy as jnp

from jkeras import random
from jkeras.core.errors import explain
from jkeras.core.layer import layer
from jkeras.core.record import Any
from jkeras.core.names.typed import Factor
from jkeras.layers.image_base import ImageLayer, keys_from
from jkeras.layers.image_color import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    Solarization,
)
from jkeras.layers.image_filter import AutoContrast, Equalization, RandomSharpness, sample_rectangle
from jkeras.layers.image_geometry import RandomRotation, RandomShear, RandomTranslation
from jkeras.core.weights.types import DataFormat, Function, Resampling


def mix(values: jax.Array, samples: dict[str, Any]) -> jax.Array:
    """Each entry of a batch mixed with its partner: `weight * own + (1 - weight) * partner`."""
    weight = jnp.reshape(samples["weight"], (-1,) + (1,) * (values.ndim - 1))
    return weight * values + (1 - weight) * values[samples["order"]]


@layer("keras.layers", arguments="alpha, data_format, seed")
class MixUp(ImageLayer):
    """In training mixes each image, its label and its masks with those of another image (Zhang et
    al. 2017).

    Boxes of both images are kept.

    Args:
        alpha: parameter of the Beta distribution of the weight.
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).

    arXiv:1710.09412

    >>> import numpy as np
    >>> batch = {"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)}
    >>> labels = MixUp(alpha=1.0, seed=3)(batch, training=True)["labels"]
    >>> print(np.asarray(labels).round(2))
    [[0.64 0.36]
     [0.17 0.83]]
    """

    alpha: float = 0.2
    data_format: DataFormat | None = None
    seed: Any = None
    _rests = True
    _keys_at_rest = 2

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        order = random.shuffle(jnp.arange(images.shape[0]), seed=key())
        return {
            "order": order,
            "weight": random.beta((images.shape[0],), self.alpha, self.alpha, seed=key()),
        }

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return mix(images, {**samples, "weight": samples["weight"].astype(images.dtype)})

    def change_labels(self, labels: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return mix(labels, samples)

    def change_masks(self, masks: Any, samples: Any) -> Any:
        return mix(masks, samples)

    def change_boxes(self, bounding_boxes: dict[str, Any], samples: Any) -> Any:
        return {
            k: jnp.concatenate([bounding_boxes[k], bounding_boxes[k][samples["order"]]], 1)
            for k in ("boxes", "labels")
        }


@layer("keras.layers", arguments="factor, seed, data_format")
class CutMix(ImageLayer):
    """In training puts a rectangle of another image into each image, and mixes labels accordingly
    (Yun et al. 2019).

    Single images stay as they are.

    Args:
        factor: range of the parameter of the Beta distribution of the rectangle's area, within [0,
            1].
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    arXiv:1905.04899

    >>> import numpy as np
    >>> batch = {"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)}
    >>> print(np.round(CutMix(seed=3)(batch, training=True)["labels"], 2))
    [[0.83 0.17]
     [0.38 0.62]]
    """

    factor: Factor = 1.0
    seed: Any = None
    data_format: DataFormat | None = None
    _ranges = {"factor": (0, 1)}

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        alpha = random.uniform((), *self.factor, seed=key(), dtype=self.compute_dtype) + 1e-6
        weight = random.beta((images.shape[0],), alpha, alpha, dtype=self.compute_dtype, seed=key())
        mask, area = sample_rectangle(
            images, self.axes, [jnp.sqrt(1 - weight)] * 2, key, self.compute_dtype
        )
        order = random.shuffle(jnp.arange(images.shape[0]), seed=key())
        return {"order": order, "mask": mask, "weight": 1 - area}

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return jnp.where(samples["mask"], images[samples["order"]], images)

    def change_masks(self, masks: Any, samples: Any) -> Any:
        return self.change_images(masks, samples)

    def change_labels(self, labels: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return mix(labels, samples)

    def change_boxes(self, bounding_boxes: dict[str, Any], samples: Any) -> Any:
        raise NotImplementedError(
            explain(
                self._where,
                "no 'bounding_boxes'",
                "some",
                "use MixUp, which keeps the boxes of both images",
            )
        )


GEOMETRIC = ("random_shear", "random_translation", "random_rotation")
COLOR = (
    "random_brightness",
    "random_color_degeneration",
    "random_contrast",
    "random_sharpness",
)
VALUES = ("random_posterization", "solarization", "auto_contrast", "equalization")


class _Chained(ImageLayer):
    """Base of layers that choose among other layers. All draw from this layer's keys; only what is
    chosen runs.
    """

    def _make(self, names: tuple[Any, ...]) -> None:
        """The layers of these names as attributes, in the order in which Keras makes them."""
        factor, interpolation = self.factor, {"interpolation": self.interpolation}
        values, seed = {"value_range": self.value_range}, {"seed": self.seed}
        makers = {
            "random_shear": lambda **k: RandomShear(factor, factor, **interpolation, **seed, **k),
            "random_translation": lambda **k: RandomTranslation(
                factor, factor, **interpolation, **seed, **k
            ),
            "random_rotation": lambda **k: RandomRotation(factor, **interpolation, **seed, **k),
            "random_brightness": lambda **k: RandomBrightness(factor, **values, **seed, **k),
            "random_color_degeneration": lambda **k: RandomColorDegeneration(
                factor, **values, **seed, **k
            ),
            "random_contrast": lambda **k: RandomContrast(factor, **values, **seed, **k),
            "random_sharpness": lambda **k: RandomSharpness(factor, **values, **seed, **k),
            "solarization": lambda **k: Solarization(factor, factor, **values, **seed, **k),
            "random_posterization": lambda **k: RandomPosterization(
                max(1, int(8 * factor[1])), **values, **seed, **k
            ),
            "auto_contrast": lambda **k: AutoContrast(**values, **k),
            "equalization": lambda **k: Equalization(**values, **k),
        }
        for name in names:
            setattr(
                self,
                name,
                makers[name](
                    data_format=self.data_format,
                    dtype=self.dtype_policy,
                    bounding_box_format=self.bounding_box_format,
                ),
            )

    def _apply(
        self,
        index: jax.Array,
        names: tuple[Any, ...],
        numbers_of: Function,
        kind: str,
        values: jax.Array,
    ) -> jax.Array:
        """The layer `names[index]` on one part of the input ("images", "boxes" or "masks"); beyond
        the last: nothing.

        Args:
            numbers_of: `(name, values)` -> the random numbers of that layer.
        """

        def branch(name: str) -> Function:
            return lambda v: getattr(getattr(self, name), f"change_{kind}")(v, numbers_of(name, v))

        return jax.lax.switch(index, [*map(branch, names), lambda v: v], values)


@layer("keras.layers")
class RandAugment(_Chained):
    """In training applies `num_ops` layers, chosen at random for the batch, to all images (Cubuk et
    al. 2019).

    Args:
        value_range: the range of the values.
        num_ops: how many.
        factor: range of their strength, within [0, 1].
        interpolation: "nearest" or "bilinear".
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    arXiv:1909.13719

    >>> import numpy as np
    >>> RandAugment(seed=3)(np.ones((2, 8, 8, 3)), training=True).shape
    (2, 8, 8, 3)
    """

    value_range: tuple | list = (0, 255)
    num_ops: int = 2
    factor: Factor = 0.5
    interpolation: Resampling = "bilinear"
    seed: Any = None
    data_format: DataFormat | None = None
    _ranges = {"factor": (0, 1)}
    _NAMES = (*GEOMETRIC, *COLOR, *VALUES)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._make(
            (
                *GEOMETRIC,
                *COLOR,
                "solarization",
                "random_posterization",
                "auto_contrast",
                "equalization",
            )
        )

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        chosen = random.randint((self.num_ops,), 0, len(self._NAMES), seed=key())
        return {
            "chosen": chosen,
            "numbers": {name: getattr(self, name).sample(images, key) for name in self._NAMES},
        }

    def _chain(self, kind: str, values: jax.Array, samples: dict[str, Any]) -> jax.Array:
        for i in range(self.num_ops):
            values = self._apply(
                samples["chosen"][i],
                self._NAMES,
                lambda name, _: samples["numbers"][name],
                kind,
                values,
            )
        return values

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return self._chain("images", images, samples)

    def change_boxes(self, bounding_boxes: dict[str, Any], samples: Any) -> Any:
        return self._chain("boxes", bounding_boxes, samples)

    def change_masks(self, masks: Any, samples: Any) -> Any:
        return self._chain("masks", masks, samples)


@layer("keras.layers")
class AugMix(_Chained):
    """In training mixes images with several chains of augmentations of themselves (Hendrycks et al.
    2019).

    Args:
        value_range: the range of the values, which results are clipped to.
        num_chains, chain_depth: how many chains of how many layers; layers are chosen at random for
            the batch.
        factor: range of their strength, within [0, 1].
        alpha: parameter of the distributions of the weights.
        all_ops: whether brightness, contrast, color and sharpness are among them.
        interpolation: "nearest" or "bilinear".
        seed: integer.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a factor outside its range.

    arXiv:1912.02781

    >>> import numpy as np
    >>> AugMix(seed=3)(np.ones((2, 8, 8, 3)), training=True).shape
    (2, 8, 8, 3)
    """

    value_range: tuple | list = (0, 255)
    num_chains: int = 3
    chain_depth: int = 3
    factor: Factor = 0.3
    alpha: float = 1.0
    all_ops: bool = True
    interpolation: Resampling = "bilinear"
    seed: Any = None
    data_format: DataFormat | None = None
    _ranges = {"factor": (0, 1)}

    def __post_init__(self) -> None:
        super().__post_init__()
        self._make(
            (
                *GEOMETRIC,
                "solarization",
                "random_posterization",
                "auto_contrast",
                "equalization",
                *(COLOR if self.all_ops else ()),
            )
        )

    def sample(self, images: jax.Array, key: Function) -> dict[str, Any]:
        weights = random.gamma((self.num_chains,), self.alpha, seed=key())
        own = random.beta((), self.alpha, self.alpha, seed=key())
        shape = (self.num_chains, self.chain_depth)
        # the last one: nothing
        chosen = random.randint(shape, 0, len(self._names()) + 1, seed=key())
        return {
            "weights": weights / jnp.sum(weights),
            "own": own,
            "chosen": chosen,
            "keys": jax.random.split(key(), shape),
        }

    def _names(self) -> tuple[str, ...]:
        return (*GEOMETRIC, *VALUES, *(COLOR if self.all_ops else ()))

    def _mixed(self, kind: str, values: jax.Array, samples: dict[str, Any]) -> jax.Array:
        def link(x: jax.Array, step: tuple[jax.Array, ...]) -> tuple[jax.Array | None, ...]:
            index, key = step
            return self._apply(
                index,
                self._names(),
                lambda name, v: getattr(self, name).sample(v, keys_from(key)),
                kind,
                x,
            ), None

        def chain(total: jax.Array, inputs: tuple[Any, ...]) -> tuple[jax.Array | None, ...]:
            weight, steps = inputs
            changed, _ = jax.lax.scan(link, values, steps)
            return total + (weight * changed).astype(total.dtype), None

        dtype = jnp.result_type(values.dtype, self.compute_dtype)
        total, _ = jax.lax.scan(
            chain,
            jnp.zeros(values.shape, dtype),
            (samples["weights"], (samples["chosen"], samples["keys"])),
        )
        own = samples["own"].astype(dtype)
        return own * values + (1 - own) * total

    def change_images(self, images: jax.Array, samples: dict[str, Any]) -> jax.Array:
        return jnp.clip(self._mixed("images", images, samples), *self.value_range)

    def change_masks(self, masks: Any, samples: Any) -> Any:
        return self._mixed("masks", masks, samples)
