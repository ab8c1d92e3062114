"""Batches out of image files, and batches written to image files."""

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jkeras.core.errors import check_choice
from jkeras.preprocessing.image import array_to_img, img_to_array, load_img
from jkeras.utils.folders import CHANNELS

if TYPE_CHECKING:
    from jkeras.keras2.image.generator import ImageDataGenerator

NAMES = 10**7  # Keras's bound of the number that is drawn for a file's name


class Reading(NamedTuple):
    """How image files are read: `load_img`'s arguments, and where the channels are."""

    target_size: tuple[int, int]
    color_mode: str
    interpolation: str
    keep_aspect_ratio: bool
    data_format: str

    def image_shape(self) -> tuple[int, ...]:
        """The shape of each image."""
        channels, size = (CHANNELS[self.color_mode],), tuple(self.target_size)
        return size + channels if self.data_format == "channels_last" else channels + size

    def image(self, path: str) -> np.ndarray:
        """The image of a file."""
        *options, data_format = self
        with load_img(path, **dict(zip(self._fields, options))) as image:
            return np.array(img_to_array(image, data_format=data_format))


class Writing(NamedTuple):
    """Where each image of a batch is written to, to be looked at.

    Attributes:
        save_to_dir: a folder; None or "" writes nothing.
        save_prefix: what the files' names begin with.
        save_format: what they end with.
        names: each name has a number below this one, which is drawn.
    """

    save_to_dir: Any
    save_prefix: str
    save_format: str
    names: int

    def write(self, images: np.ndarray, numbers: np.ndarray, data_format: str) -> None:
        """Writes the images of a batch, whose numbers are in the files' names."""
        if not self.save_to_dir:
            return
        for image, number in zip(images, numbers):
            drawn = np.random.randint(self.names)
            name = f"{self.save_prefix}_{number}_{drawn}.{self.save_format}"
            file = os.path.join(self.save_to_dir, name)
            array_to_img(image, data_format, scale=True).save(file)


class BatchFromFilesMixin:
    """Reads the images of a batch. A subclass has `filepaths`, `labels` and `sample_weight`, of
    all images; `classes` are the labels as numbers.
    """

    class_mode: str | None
    data_format: str
    dtype: Any

    def _take_options(
        self,
        image_data_generator: "ImageDataGenerator | None",
        subset: str | None,
        reading: Reading,
        writing: Writing,
    ) -> None:
        """Takes how files are read, and of which part; each option is an attribute, as in Keras.

        Raises:
            ValueError: there is no such mode or subset.
        """
        check_choice("color_mode", reading.color_mode, CHANNELS)
        vars(self).update(reading._asdict())
        self.save_to_dir, self.save_prefix, self.save_format, _ = self._writing = writing
        self._reading, self.image_shape = reading, reading.image_shape()
        self.image_data_generator, self.subset = image_data_generator, subset
        self.split = None if subset is None else image_data_generator.split_of(subset)

    @property
    def filepaths(self) -> list[str]:
        """The image files."""
        raise NotImplementedError(f"{type(self).__name__} must define `filepaths`.")

    @property
    def labels(self) -> Any:
        """What is to be said of the images."""
        raise NotImplementedError(f"{type(self).__name__} must define `labels`.")

    @property
    def sample_weight(self) -> np.ndarray | None:
        """The images' weights."""
        raise NotImplementedError(f"{type(self).__name__} must define `sample_weight`.")

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        images = np.zeros((len(index_array), *self.image_shape), dtype=self.dtype)
        generator, paths = self.image_data_generator, self.filepaths
        for place, number in enumerate(index_array):
            image = self._reading.image(paths[number])
            images[place] = generator.changed(image) if generator else image
        self._writing.write(images, index_array, self.data_format)
        if self.class_mode is None:
            return images
        labels = self._labels(images, index_array)
        weights = self.sample_weight
        return (images, labels) if weights is None else (images, labels, weights[index_array])

    def _labels(self, images: np.ndarray, index_array: np.ndarray) -> Any:
        if self.class_mode == "input":
            return images.copy()
        if self.class_mode == "multi_output":
            return [output[index_array] for output in self.labels]
        if self.class_mode == "raw":
            return self.labels[index_array]
        classes = [self.classes[number] for number in index_array]
        if self.class_mode in ("binary", "sparse"):
            return np.array(classes, dtype=self.dtype)
        hot = np.zeros((len(images), len(self.class_indices)), dtype=self.dtype)
        for row, several in zip(hot, classes):
            row[several] = 1.0
        return hot
