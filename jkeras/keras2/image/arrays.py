"""Batches out of arrays of images."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

import jkeras
from jkeras.keras2.image.files import Writing
from jkeras.keras2.image.iterator import Iterator

if TYPE_CHECKING:
    from jkeras.keras2.image.generator import ImageDataGenerator


NAMES = 10**4  # Keras's bound of the number that is drawn for a file's name, here another one


class NumpyArrayIterator(Iterator):
    """Batches of an array, changed by an `ImageDataGenerator`: what its `flow` returns.

    Args:
        x: (images, rows, columns, channels), or a pair of it and a list of other arrays, which
            are passed on as they are.
        y, sample_weight: of each image.
        image_data_generator: what changes the images.
        subset: "training" or "validation", where the generator has a `validation_split`: the
            first part of the images is that of validation.
        ignore_class_split: both parts may have other classes.
        save_to_dir, save_prefix, save_format: where each image of a batch is written to.

    Raises:
        ValueError: the arrays have not the same length, `x` is no array of images, or there is no
            such subset.

    >>> from jkeras.keras2.image import ImageDataGenerator
    >>> x, generator = np.ones((5, 4, 4, 1)), ImageDataGenerator()
    >>> batches = NumpyArrayIterator(x, None, generator, batch_size=2)
    >>> [len(batches[i]) for i in range(len(batches))]
    [2, 2, 1]
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: "ImageDataGenerator",
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: Any = None,
    ) -> None:
        self.dtype = dtype or jkeras.config.floatx()
        self.data_format = data_format or jkeras.config.image_data_format()
        self.image_data_generator = image_data_generator
        self._writing = Writing(save_to_dir, save_prefix, save_format, NAMES)
        self.save_to_dir, self.save_prefix, self.save_format, _ = self._writing
        x, more = _image_and_more(x)
        parts = {"y": y, "sample_weight": sample_weight}
        _check_lengths(x, more, parts)
        if subset is not None:
            begin, end = (int(part * len(x)) for part in image_data_generator.split_of(subset))
            rows = slice(begin, end)
            if y is not None and not ignore_class_split:
                _check_classes(y, end if subset == "validation" else begin)
            x, more = x[rows], [part[rows] for part in more]
            y, sample_weight = (None if p is None else p[rows] for p in (y, sample_weight))
        self.x, self.x_misc = np.asarray(x, dtype=self.dtype), more
        self.y, self.sample_weight = map(_as_array, (y, sample_weight))
        if self.x.ndim != 4:
            raise ValueError(
                "NumpyArrayIterator: expected images of rows, columns and channels, of "
                f"rank 4. Received shape {self.x.shape}."
            )
        warn_of_channels(self.x.shape, self.data_format)
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        generator = self.image_data_generator
        images = np.zeros((len(index_array), *self.x.shape[1:]), dtype=self.dtype)
        for place, number in enumerate(index_array):
            images[place] = generator.changed(self.x[number].astype(self.dtype))
        self._writing.write(images, index_array, self.data_format)
        more = [part[index_array] for part in self.x_misc]
        inputs = [images, *more] if more else images
        if self.y is None:
            return inputs
        parts = [part for part in (self.y, self.sample_weight) if part is not None]
        return (inputs, *(part[index_array] for part in parts))


def _as_array(part: Any) -> np.ndarray | None:
    return None if part is None else np.asarray(part)


def warn_of_channels(shape: tuple[int, ...], data_format: str) -> None:
    """Warns of images that have not 1, 3 or 4 channels."""
    axis = 3 if data_format == "channels_last" else 1
    if shape[axis] not in (1, 3, 4):
        warnings.warn(
            f'With data_format="{data_format}" the channels are axis {axis}, of 1, 3 or 4. '
            f"Received images of shape {shape}, with {shape[axis]} channels.",
            stacklevel=4,
        )


def _image_and_more(x: Any) -> tuple[Any, list[np.ndarray]]:
    if not isinstance(x, (tuple, list)):
        return x, []
    x, more = x
    return x, [np.asarray(part) for part in (more if isinstance(more, list) else [more])]


def _check_lengths(x: Any, more: list[np.ndarray], parts: dict[str, Any]) -> None:
    named = {f"x[1][{i}]": part for i, part in enumerate(more)} | parts
    for name, part in named.items():
        if part is not None and len(part) != len(x):
            raise ValueError(
                f"`x` (images) and `{name}` should have the same length. Received: "
                f"x.shape = {np.shape(x)}, {name}.shape = {np.shape(part)}"
            )


def _check_classes(y: Any, count: int) -> None:
    if not np.array_equal(np.unique(y[:count]), np.unique(y[count:])):
        raise ValueError(
            "The rows for training have other classes than those for validation. Shuffle "
            "arrays that are sorted by their labels before, or give `ignore_class_split=True`."
        )
