"""Batches out of a folder of images: one folder in it for each class."""

import itertools
import os
import warnings
from collections.abc import Iterator as AnyIterator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import jkeras
from jkeras.core.errors import check_choice
from jkeras.core.say import console
from jkeras.keras2.image.files import NAMES, BatchFromFilesMixin, Reading, Writing
from jkeras.keras2.image.iterator import Iterator

if TYPE_CHECKING:
    from jkeras.keras2.image.generator import ImageDataGenerator


class DirectoryIterator(BatchFromFilesMixin, Iterator):
    """Batches of the images of a folder: what `ImageDataGenerator.flow_from_directory` returns.

    Args:
        directory: has one folder for each class.
        image_data_generator: what changes the images.
        target_size, color_mode, interpolation, keep_aspect_ratio: as in `load_img`.
        classes: the names of the folders; by default all, in alphabetical order.
        class_mode: the labels: "categorical" (one-hot rows), "binary" or "sparse" (numbers),
            "input" (the images) or None.
        subset: "training" or "validation", where the generator has a `validation_split`: the
            first files of each class are those of validation.
        save_to_dir, save_prefix, save_format: where each image of a batch is written to.
        follow_links: also folders that are links.

    Attributes:
        classes: the number of each image's class.
        class_indices: {name of a class: its number}.
        filenames: relative to the folder.

    Raises:
        ValueError: there is no such mode or subset.

    >>> import tempfile
    >>> from jkeras.keras2.image import ImageDataGenerator
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.mkdir(os.path.join(folder, "cats"))
    ...     DirectoryIterator(folder, ImageDataGenerator()).class_indices
    Found 0 images belonging to 1 classes.
    {'cats': 0}
    """

    allowed_class_modes = {"categorical", "binary", "sparse", "input", None}

    def __init__(
        self,
        directory: Any,
        image_data_generator: "ImageDataGenerator",
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
    ) -> None:
        self._take_options(
            image_data_generator,
            subset,
            Reading(
                target_size,
                color_mode,
                interpolation,
                keep_aspect_ratio,
                data_format or jkeras.config.image_data_format(),
            ),
            Writing(save_to_dir, save_prefix, save_format, NAMES),
        )
        check_choice("class_mode", class_mode, self.allowed_class_modes)
        self.directory, self.class_mode = directory, class_mode
        self.dtype = dtype or jkeras.config.floatx()
        names = list(classes) if classes else _folders(directory)
        self.num_classes = len(names)
        self.class_indices = {name: number for number, name in enumerate(names)}
        files = [self._files_of(name, follow_links) for name in names]
        counts = [len(of_class) for of_class in files]
        self.filenames = list(itertools.chain.from_iterable(files))
        self.classes = np.repeat(np.arange(len(names), dtype="int32"), counts)
        self.samples = len(self.filenames)
        console.say(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        self._filepaths = [os.path.join(directory, name) for name in self.filenames]
        super().__init__(self.samples, batch_size, shuffle, seed)

    @property
    def filepaths(self) -> list[str]:
        """The image files."""
        return self._filepaths

    @property
    def labels(self) -> np.ndarray:
        """The number of each image's class."""
        return self.classes

    @property
    def sample_weight(self) -> None:
        """None: files have no weights."""
        return None

    def _files_of(self, name: str, follow_links: bool) -> list[str]:
        """The images of a class, of the subset, in the order of their names."""
        folder = os.path.join(self.directory, name)
        files = list(_image_files(folder, self.white_list_formats, follow_links))
        begin, end = self.split or (0, 1)
        files = files[int(begin * len(files)) : int(end * len(files))]
        return [os.path.join(name, os.path.relpath(file, folder)) for file in files]


def _folders(directory: Any) -> list[str]:
    names = sorted(os.listdir(directory))
    return [name for name in names if os.path.isdir(os.path.join(directory, name))]


def _image_files(folder: str, endings: tuple[str, ...], follow_links: bool) -> AnyIterator[str]:
    for place, _, names in sorted(os.walk(folder, followlinks=follow_links)):
        for name in sorted(names):
            if name.lower().endswith(".tiff"):
                warnings.warn(
                    f"{os.path.join(place, name)}: a TIFF file of several bands is read wrongly.",
                    stacklevel=2,
                )
            if name.lower().endswith(endings):
                yield os.path.join(place, name)
