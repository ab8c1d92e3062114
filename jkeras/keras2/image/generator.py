"""What `keras.preprocessing.image.ImageDataGenerator` does to each image."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import jkeras
from jkeras.core.errors import check_choice
from jkeras.keras2.image.arrays import NumpyArrayIterator, warn_of_channels
from jkeras.keras2.image.changes import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    zooms,
)
from jkeras.keras2.image.folders import DirectoryIterator
from jkeras.keras2.image.tables import DataFrameIterator

EPSILON = 1e-6  # what deviations are made larger by
GONE = {
    "has_ext": "names in the table are those of the files, with their endings",
    "sort": "rows stay in their order unless `shuffle` is True",
    "drop_duplicates": "`dataframe.drop_duplicates` does it",
}


class ImageDataGenerator:
    """Makes batches of images, each changed at random by numbers of `np.random`.

    Args:
        featurewise_center, featurewise_std_normalization: subtract the mean of each channel,
            divide by its deviation, over the images that `fit` had.
        samplewise_center, samplewise_std_normalization: those of each image alone.
        zca_whitening, zca_epsilon: whiten by the images that `fit` had.
        rotation_range, shear_range: largest angle, in degrees.
        width_shift_range, height_shift_range: largest shift: a part of the size below 1, pixels
            from 1 on; or the shifts that there are, or a whole number of them.
        brightness_range: two factors.
        zoom_range: two factors, or a number z for (1 - z, 1 + z).
        channel_shift_range: largest number that is added to all channels.
        fill_mode, cval, interpolation_order: `mode`, `cval` and `order` of
            `scipy.ndimage.affine_transform`.
        horizontal_flip, vertical_flip: flip half of the images.
        rescale: what values are multiplied by, after all changes.
        preprocessing_function: of one image, before it is rescaled.
        data_format: where the channels are.
        validation_split: the part that `subset="validation"` gives.
        dtype: of the images.

    Raises:
        ValueError: a range is none, or there is no such format.

    >>> x, y = next(ImageDataGenerator(rescale=0.5).flow(np.ones((4, 8, 8, 1)), np.arange(4)))
    >>> float(x.max()), x.shape, y.shape
    (0.5, (4, 8, 8, 1), (4,))
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ) -> None:
        self.featurewise_center, self.samplewise_center = featurewise_center, samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.zoom_range = _as_zoom_range(zoom_range)
        self.brightness_range = _checked_brightness(brightness_range)
        self.channel_shift_range = channel_shift_range
        self.fill_mode, self.cval = fill_mode, cval
        self.interpolation_order = interpolation_order
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.dtype = dtype or jkeras.config.floatx()
        self.data_format = data_format or jkeras.config.image_data_format()
        check_choice("data_format", self.data_format, ("channels_last", "channels_first"))
        is_last = self.data_format == "channels_last"
        self.row_axis, self.col_axis, self.channel_axis = (1, 2, 3) if is_last else (2, 3, 1)
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(
                "`validation_split`: expected a part of the rows, strictly between 0 and 1. "
                f"Received: {validation_split}"
            )
        self._validation_split = validation_split
        self.mean = self.std = self.zca_whitening_matrix = None
        self._settle_normalization()

    def _settle_normalization(self) -> None:
        """Takes what one normalization implies, and says so."""
        if self.zca_whitening and self.featurewise_std_normalization:
            self._take("zca_whitening", "featurewise_std_normalization", False)
        for name, implied in (
            ("zca_whitening", "featurewise_center"),
            ("featurewise_std_normalization", "featurewise_center"),
            ("samplewise_std_normalization", "samplewise_center"),
        ):
            if getattr(self, name) and not getattr(self, implied):
                self._take(name, implied, True)

    def _take(self, name: str, implied: str, value: bool) -> None:
        setattr(self, implied, value)
        warnings.warn(
            f"This ImageDataGenerator specifies `{name}`, which overrides setting of `{implied}`.",
            stacklevel=4,
        )

    # ------------------------------------------------------------ batches

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches from arrays; the arguments are those of `NumpyArrayIterator`."""
        return NumpyArrayIterator(
            x,
            y,
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            ignore_class_split=ignore_class_split,
            subset=subset,
            dtype=self.dtype,
        )

    def flow_from_directory(
        self,
        directory: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches from files, of one folder for each class; the arguments are those of
        `DirectoryIterator`.
        """
        return DirectoryIterator(
            directory,
            self,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            follow_links=follow_links,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            dtype=self.dtype,
        )

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        **kwargs: Any,
    ) -> DataFrameIterator:
        """Batches from the files that a table names; the arguments are those of
        `DataFrameIterator`, and `class_mode="other"` is "raw" in old programs.
        """
        for name in GONE.keys() & kwargs:
            warnings.warn(f"{name} is deprecated: {GONE[name]}.", DeprecationWarning, stacklevel=2)
        if class_mode == "other":
            words = '`class_mode="raw"` is what "other" is called now.'
            warnings.warn(words, DeprecationWarning, stacklevel=2)
            class_mode = "raw"
        return DataFrameIterator(
            dataframe,
            directory,
            self,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            interpolation=interpolation,
            dtype=self.dtype,
            validate_filenames=validate_filenames,
        )

    def split_of(self, subset: str) -> tuple[float, float]:
        """Where the part "training" or "validation" begins and ends, between 0 and 1.

        Raises:
            ValueError: there is no such part.
        """
        check_choice("subset", subset, ("training", "validation"))
        split = self._validation_split
        return (0.0, split) if subset == "validation" else (split, 1.0)

    # ------------------------------------------------------------ one image

    def changed(self, x: np.ndarray) -> np.ndarray:
        """An image changed at random and then standardized, in its own memory."""
        return self.standardize(self.random_transform(x))

    def random_transform(self, x: np.ndarray, seed: int | None = None) -> np.ndarray:
        """An image changed at random.

        Args:
            x: rank 3.
            seed: of `np.random`; None leaves it as it is.
        """
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def get_random_transform(
        self, img_shape: Sequence[int], seed: int | None = None
    ) -> dict[str, Any]:
        """The numbers of a change, drawn in Keras's order: those of `apply_transform`.

        Args:
            img_shape: of an image, rank 3.
            seed: of `np.random`; None leaves it as it is.
        """
        if seed is not None:
            np.random.seed(seed)
        rows, columns = img_shape[self.row_axis - 1], img_shape[self.col_axis - 1]
        theta = _up_to(self.rotation_range)
        tx = _shift(self.height_shift_range, rows)
        ty = _shift(self.width_shift_range, columns)
        shear = _up_to(self.shear_range)
        zx, zy = zooms(self.zoom_range)
        # drawn whether images are flipped or not
        is_flipped = [np.random.random() < 0.5, np.random.random() < 0.5]
        intensity = _up_to(self.channel_shift_range) if self.channel_shift_range else None
        brightness = None
        if self.brightness_range is not None:
            brightness = np.random.uniform(*self.brightness_range)
        return {
            "theta": theta,
            "tx": tx,
            "ty": ty,
            "shear": shear,
            "zx": zx,
            "zy": zy,
            "flip_horizontal": is_flipped[0] * self.horizontal_flip,
            "flip_vertical": is_flipped[1] * self.vertical_flip,
            "channel_shift_intensity": intensity,
            "brightness": brightness,
        }

    def apply_transform(self, x: np.ndarray, transform_parameters: dict[str, Any]) -> np.ndarray:
        """An image changed by given numbers.

        Args:
            x: rank 3.
            transform_parameters: any of "theta", "tx", "ty", "shear", "zx", "zy" (as in
                `apply_affine_transform`), "flip_horizontal", "flip_vertical",
                "channel_shift_intensity" and "brightness".
        """
        given = transform_parameters
        axes = (self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1)
        affine = {n: given[n] for n in ("theta", "tx", "ty", "shear", "zx", "zy") if n in given}
        x = apply_affine_transform(
            x,
            **affine,
            row_axis=axes[0],
            col_axis=axes[1],
            channel_axis=axes[2],
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
        )
        if given.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, given["channel_shift_intensity"], axes[2])
        if given.get("flip_horizontal"):
            x = np.flip(x, axes[1])
        if given.get("flip_vertical"):
            x = np.flip(x, axes[0])
        if given.get("brightness") is not None:
            x = apply_brightness_shift(x, given["brightness"], scale=False)
        return x

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """An image or a batch: `preprocessing_function`, rescaled, normalized.

        Args:
            x: floats, which are changed in place, as in Keras; give a copy to keep them.
        """
        if self.preprocessing_function:
            x = self.preprocessing_function(x)
        if self.rescale:
            x *= self.rescale
        if self.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + EPSILON
        if self._has("featurewise_center", self.mean):
            x -= self.mean
        if self._has("featurewise_std_normalization", self.std):
            x /= self.std + EPSILON
        if self._has("zca_whitening", self.zca_whitening_matrix):
            flat = x.reshape(-1, int(np.prod(x.shape[-3:])))
            x = (flat @ self.zca_whitening_matrix).reshape(x.shape)
        return x

    def _has(self, name: str, statistic: np.ndarray | None) -> bool:
        """Whether this normalization is asked for and can be done."""
        if getattr(self, name) and statistic is None:
            warnings.warn(
                f"This ImageDataGenerator needs numbers of the images for `{name}`, and hasn't "
                "been fit. Call `.fit(images)` before.",
                stacklevel=3,
            )
        return getattr(self, name) and statistic is not None

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Takes means, deviations and the whitening matrix from images.

        Args:
            x: rank 4.
            augment: take them from changed images.
            rounds: how often each image is changed then.
            seed: of `np.random`; None leaves it as it is.

        Raises:
            ValueError: `x` is no array of images.
        """
        x = np.array(x, dtype=self.dtype)
        if x.ndim != 4:
            raise ValueError(f"Input to `.fit()` should have rank 4. Received shape {x.shape}.")
        warn_of_channels(x.shape, self.data_format)
        if seed is not None:
            np.random.seed(seed)
        if self.rescale:
            x *= self.rescale
        if augment:
            images = [self.random_transform(image) for _ in range(rounds) for image in x]
            x = np.array(images, dtype=self.dtype)
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = np.mean(x, axis=axes, keepdims=True)[0]
            x -= self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axis=axes, keepdims=True)[0]
            x /= self.std + EPSILON
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            vectors, values, _ = np.linalg.svd(flat.T, full_matrices=False)
            inverse = np.sqrt(len(x)) / (values + self.zca_epsilon)
            self.zca_whitening_matrix = (vectors * inverse) @ vectors.T


def _up_to(largest: float) -> float:
    """A number between `-largest` and `largest`; nothing is drawn for 0."""
    return np.random.uniform(-largest, largest) if largest else 0


def _shift(range_: Any, size: int) -> float:
    """A shift in pixels: one of several with a sign, or a number of a range."""
    if np.ndim(range_) == 0 and not range_:
        return 0
    if isinstance(range_, (float, np.floating)):
        shift = np.random.uniform(-range_, range_)
    else:
        shift = np.random.choice(range_) * np.random.choice([-1, 1])
    return shift * size if np.max(range_) < 1 else shift


def _as_zoom_range(zoom_range: Any) -> list[float]:
    if isinstance(zoom_range, (int, float)):
        return [1 - zoom_range, 1 + zoom_range]
    if len(zoom_range) == 2 and all(isinstance(v, (int, float)) for v in zoom_range):
        return list(zoom_range)
    raise ValueError(f"`zoom_range` should be a number or two numbers. Received: {zoom_range}")


def _checked_brightness(brightness_range: Any) -> Any:
    is_range = isinstance(brightness_range, (tuple, list)) and len(brightness_range) == 2
    if brightness_range is not None and not is_range:
        raise ValueError(f"`brightness_range` should be two numbers. Received: {brightness_range}")
    return brightness_range
