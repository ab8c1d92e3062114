"""`keras.preprocessing.image`: batches of images, changed at random."""

import pathlib

import numpy as np

import jkeras
from jkeras.preprocessing.image import array_to_img, img_to_array, load_img, save_img

__all__ = [
    "ImageDataGenerator",
    "Iterator",
    "array_to_img",
    "img_to_array",
    "load_img",
    "save_img",
]

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")


class Iterator(jkeras.utils.Sequence):
    """Batches without an end; `len` says how many there are in an epoch.

    Args:
        count: number of examples.
        batch_size: rows of a batch.
        shuffle: whether each epoch has another order.
        seed: of the orders and the changes.
        batch: function of (numbers of examples, random generator) that returns the batch.
    """

    def __init__(self, count, batch_size, shuffle, seed, batch):
        super().__init__()
        self.n = self.samples = count
        self.batch_size, self.shuffle = batch_size, shuffle
        self.random = np.random.default_rng(seed)
        self._batch = batch
        self.reset()

    def reset(self):
        """Begins an epoch."""
        self.batch_index = 0
        self.index_array = self._order()

    def _order(self):
        return self.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def __len__(self):
        return -(-self.n // self.batch_size)

    def __getitem__(self, index):
        indices = self.index_array[index * self.batch_size : (index + 1) * self.batch_size]
        return self._batch(indices, self.random)

    def on_epoch_end(self):
        """Another order."""
        self.index_array = self._order()

    def __iter__(self):
        return self

    def __next__(self):
        if self.batch_index == len(self):
            self.reset()
        batch = self[self.batch_index]
        self.batch_index += 1
        return batch

    next = __next__


class ImageDataGenerator:
    """Makes batches of images, each changed at random.

    Args: as in Keras 2: whether means and deviations are removed, ZCA whitening, ranges of
        rotation, shift, brightness, shear, zoom and channel shift, flips, `rescale`, a function
        `preprocessing_function`, and the part `validation_split` that `subset="validation"` gives.

    >>> x, y = next(ImageDataGenerator(rescale=0.5).flow(np.ones((4, 8, 8, 1)), np.arange(4)))
    >>> float(x.max()), x.shape, y.shape
    (0.5, (4, 8, 8, 1), (4,))
    """

    def __init__(
        self,
        featurewise_center=False,
        samplewise_center=False,
        featurewise_std_normalization=False,
        samplewise_std_normalization=False,
        zca_whitening=False,
        zca_epsilon=1e-6,
        rotation_range=0,
        width_shift_range=0.0,
        height_shift_range=0.0,
        brightness_range=None,
        shear_range=0.0,
        zoom_range=0.0,
        channel_shift_range=0.0,
        fill_mode="nearest",
        cval=0.0,
        horizontal_flip=False,
        vertical_flip=False,
        rescale=None,
        preprocessing_function=None,
        data_format=None,
        validation_split=0.0,
        dtype=None,
        **kwargs,
    ):
        self.featurewise_center = featurewise_center or zca_whitening
        self.samplewise_center = samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.brightness_range, self.channel_shift_range = brightness_range, channel_shift_range
        self.fill_mode, self.cval = fill_mode, cval
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.data_format = data_format or jkeras.config.image_data_format()
        self.validation_split, self.dtype = validation_split, dtype or jkeras.config.floatx()
        self.zoom_range = zoom_range
        if isinstance(zoom_range, (int, float)):
            self.zoom_range = (1 - zoom_range, 1 + zoom_range)
        self.mean = self.std = self.whitening = None

    # ------------------------------------------------------------ one image

    def standardize(self, x):
        """One image or a batch: rescaled, its mean removed, and what else was asked for."""
        x = np.array(x, self.dtype)
        if self.preprocessing_function:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * self.rescale
        if self.samplewise_center:
            x = x - x.mean(keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (x.std(keepdims=True) + 1e-6)
        if self.featurewise_center and self.mean is not None:
            x = x - self.mean
        if self.featurewise_std_normalization and self.std is not None:
            x = x / (self.std + 1e-6)
        if self.zca_whitening and self.whitening is not None:
            x = (x.reshape(-1, x.size) @ self.whitening).reshape(x.shape)
        return x

    def random_transform(self, x, seed=None):
        """One image, changed at random."""
        return self._changed(np.asarray(x, self.dtype), np.random.default_rng(seed))

    def _changed(self, x, random):
        is_first = self.data_format == "channels_first"
        if is_first:
            x = np.moveaxis(x, 0, -1)
        x = self._moved(x, random)
        if self.channel_shift_range:
            shift = random.uniform(-self.channel_shift_range, self.channel_shift_range)
            x = np.clip(x + shift, x.min(), x.max())
        if self.horizontal_flip and random.random() < 0.5:
            x = x[:, ::-1]
        if self.vertical_flip and random.random() < 0.5:
            x = x[::-1]
        if self.brightness_range is not None:
            x = np.clip(x * random.uniform(*self.brightness_range), 0, max(255.0, x.max()))
        return np.moveaxis(x, -1, 0) if is_first else x

    def _moved(self, x, random):
        """An image rotated, shifted, sheared and zoomed about its middle."""
        rows, columns = x.shape[:2]
        angle = np.deg2rad(random.uniform(-self.rotation_range, self.rotation_range))
        shear = np.deg2rad(random.uniform(-self.shear_range, self.shear_range))
        zoom = np.ones(2)
        if self.zoom_range[0] != 1 or self.zoom_range[1] != 1:
            zoom = random.uniform(*self.zoom_range, 2)
        shift = [
            _shift(self.height_shift_range, rows, random),
            _shift(self.width_shift_range, columns, random),
        ]
        return moved(x, angle, shear, zoom, shift, self.fill_mode, self.cval)

    # ------------------------------------------------------------ many

    def fit(self, x, augment=False, rounds=1, seed=None):
        """Takes means and deviations from images."""
        x = np.asarray(x, self.dtype)
        axes = (0, 1, 2) if self.data_format == "channels_last" else (0, 2, 3)
        keep = x.mean(axes, keepdims=True)[0]
        if self.featurewise_center:
            self.mean = keep
            x = x - keep
        if self.featurewise_std_normalization:
            self.std = x.std(axes, keepdims=True)[0]
            x = x / (self.std + 1e-6)
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
            self.whitening = (
                vectors / np.sqrt(np.maximum(values, 0) + self.zca_epsilon)
            ) @ vectors.T

    def flow(
        self,
        x,
        y=None,
        batch_size=32,
        shuffle=True,
        sample_weight=None,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        subset=None,
    ):
        """Batches from arrays."""
        x, y = np.asarray(x), None if y is None else np.asarray(y)
        chosen = self._subset(np.arange(len(x)), subset)

        def batch(indices, random):
            indices = chosen[indices]
            images = np.stack([self.standardize(self._changed(x[i], random)) for i in indices])
            parts = [part[indices] for part in (y, sample_weight) if part is not None]
            return (images, *parts) if parts else images

        return Iterator(len(chosen), batch_size, shuffle, seed, batch)

    def flow_from_directory(
        self,
        directory,
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        follow_links=False,
        subset=None,
        interpolation="nearest",
    ):
        """Batches from files: one folder for each class."""
        root = pathlib.Path(directory)
        names = classes or sorted(path.name for path in root.iterdir() if path.is_dir())
        files = [
            (path, number)
            for number, name in enumerate(names)
            for path in sorted((root / name).rglob("*"))
            if path.suffix.lower() in ENDINGS
        ]
        chosen = self._subset(np.arange(len(files)), subset)
        iterator = self._from_files(
            [files[i][0] for i in chosen],
            _labels(np.array([files[i][1] for i in chosen], int), class_mode, len(names)),
            (target_size, color_mode, interpolation),
            (batch_size, shuffle, seed),
        )
        iterator.classes = np.array([files[i][1] for i in chosen])
        iterator.class_indices = {name: number for number, name in enumerate(names)}
        iterator.num_classes = iterator.nb_class = len(names)
        iterator.filenames = [str(files[i][0].relative_to(root)) for i in chosen]
        print(f"Found {len(chosen)} images belonging to {len(names)} classes.")
        return iterator

    def flow_from_dataframe(
        self,
        dataframe,
        directory=None,
        x_col="filename",
        y_col="class",
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        subset=None,
        interpolation="nearest",
        **more,
    ):
        """Batches from the files that a table names."""
        paths = [pathlib.Path(directory or "", name) for name in dataframe[x_col]]
        labels, names = None, []
        if class_mode is not None:
            values = list(dataframe[y_col])
            names = classes or sorted(set(values))
            labels = np.array([names.index(v) for v in values], int)
            if class_mode in ("raw", "other"):
                labels = np.array(values)
            labels = _labels(labels, class_mode, len(names))
        chosen = self._subset(np.arange(len(paths)), subset)
        iterator = self._from_files(
            [paths[i] for i in chosen],
            None if labels is None else labels[chosen],
            (target_size, color_mode, interpolation),
            (batch_size, shuffle, seed),
        )
        iterator.class_indices = {name: number for number, name in enumerate(names)}
        return iterator

    def _from_files(self, paths, labels, reading, batching):
        size, color, interpolation = reading

        def batch(indices, random):
            images = [
                img_to_array(
                    load_img(
                        paths[i], color_mode=color, target_size=size, interpolation=interpolation
                    ),
                    data_format=self.data_format,
                )
                for i in indices
            ]
            images = np.stack([self.standardize(self._changed(x, random)) for x in images])
            return images if labels is None else (images, labels[indices])

        iterator = Iterator(len(paths), *batching, batch)
        iterator.filepaths = [str(path) for path in paths]
        return iterator

    def _subset(self, indices, subset):
        """The part of the examples that is for training or for validation."""
        held_out = int(self.validation_split * len(indices))
        parts = {"validation": indices[:held_out], "training": indices[held_out:], None: indices}
        return parts[subset]


def moved(x, angle, shear, zoom, shift, fill_mode, cval):
    """An image (rows, columns, channels) turned, sheared, zoomed and shifted about its middle.

    Args:
        angle, shear: in radians.
        zoom: factors of rows and columns.
        shift: of rows and columns, in pixels.
        fill_mode, cval: what stands where there was no image, as in `ImageDataGenerator`.
    """
    rows, columns = x.shape[:2]
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.array([[1, -np.sin(shear)], [0, np.cos(shear)]]) @ np.diag(zoom)
    if np.allclose(matrix, np.eye(2)) and not np.any(shift):
        return x
    middle = (np.array([rows, columns]) - 1) / 2
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1)
    points = (grid - middle + shift) @ matrix.T + middle  # where each pixel comes from
    return _sampled(x, points, fill_mode, cval)


def _labels(numbers, class_mode, count):
    """Labels as a loss wants them."""
    if class_mode in (None, "input"):
        return None
    if class_mode == "categorical":
        return np.eye(count, dtype="float32")[numbers]
    return numbers.astype("float32") if class_mode != "raw" else numbers


def _shift(range_, size, random):
    """A shift in pixels: of a part of the size below 1, else of pixels."""
    if not isinstance(range_, (int, float)):
        return float(random.choice(range_)) * random.choice([-1, 1])
    shift = random.uniform(-range_, range_)
    return shift * size if range_ < 1 else shift


def _sampled(x, points, fill_mode, cval):
    """The pixels at points between pixels, by the nearest four."""
    low = np.floor(points).astype(int)
    part = points - low
    result = 0.0
    for down in (0, 1):
        for right in (0, 1):
            row, column = low[..., 0] + down, low[..., 1] + right
            weight = np.abs(1 - down - part[..., 0]) * np.abs(1 - right - part[..., 1])
            result = result + weight[..., None] * _pixels(x, row, column, fill_mode, cval)
    return result.astype(x.dtype)


def _pixels(x, row, column, fill_mode, cval):
    """The pixels at whole positions, also outside of the image."""
    rows, columns = x.shape[:2]
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    if fill_mode == "wrap":
        return x[row % rows, column % columns]
    if fill_mode == "reflect":
        row, column = _mirrored(row, rows), _mirrored(column, columns)
    pixels = x[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
    if fill_mode == "constant":
        return np.where(inside[..., None], pixels, cval)
    return pixels


def _mirrored(position, size):
    position = position % (2 * size)
    return np.where(position < size, position, 2 * size - 1 - position)
