"""Data sets from folders of files: images, texts, sounds, with one folder for each class."""

import concurrent.futures
import dataclasses
import os
from typing import Any
from collections.abc import Callable, Iterator

import numpy as np

from jkeras.core.say import console
from jkeras.core.errors import check_choice
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.system.own_files import check_regular
from jkeras.core.names.registry import public
from jkeras.core.session.settings import standardize_data_format
from jkeras.utils import images
from jkeras.utils.datasets import Dataset, check_format, in_format, stack
from jkeras.utils.tensorflow_data import image_of, kind_of, tensorflow

IMAGE_FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
THREADS = 8


@dataclasses.dataclass(eq=False)
class Folder:
    """The files of a folder with their labels, and the data sets made from them.

    Args: those that all functions of this file share.
        labels: "inferred" (by the names of subfolders), None, or a label for each file.
        label_mode: "int" int32, "binary" float32 (batch, 1), "categorical" one-hot float32, or
            None.
        class_names: names of the subfolders, in the order of the labels.
        subset: "training", "validation" or "both", of a `validation_split`.
    """

    directory: str | os.PathLike
    labels: Any
    label_mode: str | None
    class_names: list[str] | None
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool
    formats: tuple[str, ...]
    what: str

    def __post_init__(self) -> None:
        labels, class_names = self.labels, self.class_names
        self.directory = os.fsdecode(self.directory)
        _check_labels(labels, self.label_mode, class_names)
        _check_split(self.validation_split, self.subset, self.shuffle, self.seed)
        if self.seed is None:
            self.seed = np.random.randint(1_000_000)
        if labels is None or self.label_mode is None:
            labels = self.label_mode = None
        self.class_names = None
        self.labels = None
        if labels == "inferred":
            self._infer_labels(class_names)
        else:
            self._take_labels(labels)
        if self.label_mode == "binary" and len(self.class_names) != 2:
            raise ValueError(
                'With `label_mode="binary"` there must be two classes. Received: '
                f"{self.class_names}"
            )
        if self.verbose:
            self._report()
        if self.shuffle:
            np.random.RandomState(self.seed).shuffle(self.paths)
            if self.labels is not None:
                np.random.RandomState(self.seed).shuffle(self.labels)

    def _report(self) -> None:
        classes = ""
        if self.labels is not None:
            classes = f" belonging to {len(self.class_names)} classes"
        console.say(f"Found {len(self.paths)} files{classes}.")

    def _infer_labels(self, class_names: list[str] | None) -> None:
        """Finds the files of the subfolders; the label of each is its subfolder's index."""
        folders = self._subfolders()
        if class_names is not None:
            if not set(class_names) <= set(folders):
                raise ValueError(
                    f"`class_names` must be names of subfolders: {folders}. Received: {class_names}"
                )
            folders = list(class_names)
        files = [list(self._files(os.path.join(self.directory, name))) for name in folders]
        self.paths = [path for paths in files for path in paths]
        self.class_names = folders
        numbers = np.arange(len(folders), dtype="int32")
        self.labels = np.repeat(numbers, [len(paths) for paths in files])

    def _take_labels(self, labels: Any) -> None:
        """Finds the files, and gives each its label of a list, if there is one."""
        self.paths = list(self._files(os.path.join(self.directory, "")))
        if labels is None:
            return
        if len(labels) != len(self.paths):
            raise ValueError(
                f"The number of `labels` should match the number of files in {self.directory}, "
                f"{len(self.paths)}. Received: {len(labels)} labels"
            )
        self.class_names = [str(label) for label in sorted(set(labels))]
        self.labels = np.array(labels)

    def _subfolders(self) -> list[str]:
        names = [name for name in os.listdir(self.directory) if not name.startswith(".")]
        return sorted(name for name in names if os.path.isdir(os.path.join(self.directory, name)))

    def _files(self, folder: str) -> Iterator[str]:
        walk = os.walk(folder, followlinks=self.follow_links)
        for root, _, names in sorted(walk, key=lambda entry: entry[0]):
            for name in sorted(names):
                if name.lower().endswith(self.formats):
                    yield os.path.join(root, name)

    def datasets(
        self,
        load: Callable[[str], Any],
        sample: Any,
        format: str = "tf",
        collate: Callable[[list], Any] = stack,
        is_ragged: bool = False,
    ) -> Any:
        """The data set, or [training, validation] for the subset "both".

        Args:
            load: path -> sample. collate: list of samples -> batch.
            sample, format, is_ragged: as `in_format` takes them.
        """

        def made(subset: str | None) -> Any:
            dataset, labels = self._dataset(subset, load, collate)
            both = sample if labels is None else (sample, kind_of(labels))
            return in_format(format, dataset, both, is_ragged)

        if self.subset == "both":
            return [made(subset) for subset in ("training", "validation")]
        return made(self.subset)

    def _dataset(
        self, subset: str | None, load: Callable[[str], Any], collate: Callable[[list], Any]
    ) -> tuple[Dataset, np.ndarray | None]:
        """(the `Dataset` of a subset, its labels)."""
        rows = slice(None)
        if subset is not None:
            rows = self._rows(subset)
            console.say(f"Using {len(self.paths[rows])} files for {subset}.")
        paths = self.paths[rows]
        labels = None
        if self.labels is not None:
            labels = self._encoded(self.labels[rows])
        if not paths:
            things = f"{subset} {self.what}" if subset else self.what
            raise ValueError(
                f"No {things} found in directory {self.directory}. "
                f"Formats: {', '.join(self.formats)}"
            )

        def gather(numbers: np.ndarray) -> Any:
            batch = collate(_loaded(load, [paths[i] for i in numbers]))
            if labels is None:
                return batch
            return batch, labels[numbers]

        keeps_order = self.subset == "both" and subset == "validation"
        dataset = Dataset(
            gather,
            np.arange(len(paths)),
            self.batch_size,
            self.shuffle and not keeps_order,
            self.seed,
            class_names=self.class_names,
            file_paths=paths,
        )
        return dataset, labels

    def _rows(self, subset: str | None) -> slice:
        """Which files are for training, or for validation."""
        count = len(self.paths) - int(self.validation_split * len(self.paths))
        if subset == "training":
            return slice(None, count)
        return slice(count, None)

    def _encoded(self, labels: np.ndarray) -> np.ndarray:
        if self.label_mode == "binary":
            return labels.astype("float32")[:, None]
        if self.label_mode == "categorical":
            return np.eye(len(self.class_names), dtype="float32")[labels]
        if labels.dtype.kind in "iu":
            return labels.astype("int32")
        return labels


def _loaded(load: Callable[[str], Any], paths: list[str]) -> list:
    """The samples of files, which several threads load."""
    for path in paths:
        check_regular(path)  # a pipe among them would be waited for
    if len(paths) == 1:
        return [load(paths[0])]
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(load, paths))


def _check_labels(labels: Any, label_mode: str | None, class_names: list[str] | None) -> None:
    if isinstance(labels, str):
        is_valid = labels == "inferred"
    else:
        is_valid = labels is None or isinstance(labels, (list, tuple))
    if not is_valid:
        raise ValueError(
            '`labels` argument should be "inferred", None, or a list with a label for each file. '
            f"Received: labels={labels}"
        )
    if class_names is not None and labels != "inferred":
        raise ValueError(
            f'`class_names` goes with `labels="inferred"` only. Received: labels={labels} and '
            f"class_names={class_names}"
        )
    check_choice("label_mode", label_mode, ("int", "categorical", "binary", None))


def _check_split(
    validation_split: float | None, subset: str | None, shuffle: bool, seed: int | None
) -> None:
    if validation_split and not 0 < validation_split < 1:
        raise ValueError(
            f"`validation_split` must be between 0 and 1. Received: {validation_split}"
        )
    if bool(validation_split) != bool(subset):
        raise ValueError(
            "`validation_split` and `subset` go together: both or none. Received: "
            f"validation_split={validation_split} and subset={subset}"
        )
    if subset not in ("training", "validation", "both", None):
        raise ValueError(f'`subset` must be "training", "validation" or "both". Received: {subset}')
    if validation_split and shuffle and seed is None:
        raise ValueError(
            "With `validation_split` and shuffling, `seed` must be given, so that the training and "
            "validation parts do not overlap."
        )


# ---------------------------------------------------------------- images


@public(
    "keras.utils.image_dataset_from_directory", "keras.preprocessing.image_dataset_from_directory"
)
def image_dataset_from_directory(
    directory: str | os.PathLike,
    labels: Any = "inferred",
    label_mode: Any = "int",
    class_names: list[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A data set of images (batch, height, width, channels), float32, and labels, from files in
    folders.

    Args:
        directory: has one subfolder for each class.
        labels, label_mode, class_names, validation_split, subset: see `Folder`.
        color_mode: "rgb", "rgba" or "grayscale".
        image_size: (height, width) to which all are resized.
        interpolation: "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian"
            or "mitchellcubic".
        crop_to_aspect_ratio, pad_to_aspect_ratio: do not distort, but cut in the middle or fill up
            with black.
        format: "tf" for a `tf.data.Dataset`, where TensorFlow is installed; "grain" for a
            `Dataset`, which needs none, in the same order for each epoch.

    Returns:
        A data set with the attributes `class_names` and `file_paths`; two for `subset="both"`.
    """
    check_format(format)
    if isinstance(image_size, int):
        size = (image_size, image_size)
    else:
        size = image_size
    interpolation = interpolation.lower()
    data_format = standardize_data_format(data_format)
    check_choice("color_mode", color_mode, CHANNELS)
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise ValueError(f"`image_size` must be (height, width). Received: image_size={image_size}")
    check_choice("interpolation", interpolation, images.INTERPOLATIONS)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can be set.")
    is_of_tensorflow = format == "tf" and tensorflow() is not None
    if not is_of_tensorflow:
        images.pillow("image_dataset_from_directory")
    folder = Folder(
        directory,
        labels,
        label_mode,
        class_names,
        batch_size,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        verbose,
        IMAGE_FORMATS,
        "images",
    )

    def pixels(path: str) -> np.ndarray:
        if is_of_tensorflow:  # whose pixels of a JPEG are a little different ones
            return image_of(path, CHANNELS[color_mode])
        return images.img_to_array(
            images.load_img(path, color_mode), data_format="channels_last", dtype="float32"
        )

    def load(path: str) -> np.ndarray:
        img = _fitted(pixels(path), size, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
        if data_format == "channels_first":
            return img.transpose(2, 0, 1)
        return img

    shape = (*size, CHANNELS[color_mode])
    if data_format == "channels_first":
        shape = (CHANNELS[color_mode], *size)
    return folder.datasets(load, KerasTensor(shape, "float32"), format)


def _fitted(
    img: np.ndarray, size: tuple[int, int], interpolation: str, crop: bool, pad: bool
) -> np.ndarray:
    """An image in the size asked for."""
    height, width = img.shape[:2]
    if crop:
        top, left, height, width = images.crop_box(height, width, *size)
        img = img[top : top + height, left : left + width]
    if not pad:
        return images.resize_on_host(img, size, interpolation)
    original_size = np.float32((height, width))
    target_size = np.float32(size)
    # float32 and its roundings decide about pixels here, as in TensorFlow
    scaled = original_size / (original_size / target_size).max()
    inner = images.resize_on_host(img, np.maximum(scaled.astype(int), 1), interpolation)
    top, left = np.maximum((target_size - scaled) // 2, 0).astype(int)
    padded = np.zeros((*size, img.shape[2]), "float32")
    padded[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return padded


# ---------------------------------------------------------------- texts


@public(
    "keras.utils.text_dataset_from_directory", "keras.preprocessing.text_dataset_from_directory"
)
def text_dataset_from_directory(
    directory: str | os.PathLike,
    labels: Any = "inferred",
    label_mode: Any = "int",
    class_names: list[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A data set of the contents of ".txt" files (arrays of str, or tensors) and labels.

    Args:
        labels, label_mode, class_names, validation_split, subset: see `Folder`.
        max_length: the first letters of each text only; of tensors, the first bytes.
        format: see `image_dataset_from_directory`.

    Returns:
        A data set with the attribute `class_names`; two for `subset="both"`. Turn the texts into
        numbers with `.map(lambda x, y: (vectorization(x), y))` before training.
    """
    check_format(format)
    folder = Folder(
        directory,
        labels,
        label_mode,
        class_names,
        batch_size,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        verbose,
        (".txt",),
        "text files",
    )

    options = {"encoding": "utf-8", "errors": "replace"}
    if format == "tf" and tensorflow() is not None:
        options = {"mode": "rb"}  # tensors hold the bytes of the file as they are

    def load(path: str) -> str:
        with open(path, **options) as file:
            return file.read(-1 if max_length is None else max_length)

    return folder.datasets(load, KerasTensor((), "string"), format)


# ---------------------------------------------------------------- sounds


@public("keras.utils.audio_dataset_from_directory")
def audio_dataset_from_directory(
    directory: str | os.PathLike,
    labels: Any = "inferred",
    label_mode: Any = "int",
    class_names: list[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
    *,
    format: str = "tf",
) -> Any:
    """A data set of ".wav" files as float32 in [-1, 1), (batch, time, channels), and labels: one of
    `tf.data` where TensorFlow is installed, else a `Dataset`.

    Args:
        directory: has one subfolder for each class.
        labels: "inferred", by the names of subfolders; None; or an integer for each file.
        label_mode: "int" int32, "binary" float32 (batch, 1), "categorical" one-hot float32, or
            None.
        class_names: names of the subfolders, in the order of the labels.
        batch_size: how many sounds there are in a batch; None: they come one by one.
        shuffle: whether files come in another order, which follows from `seed`.
        seed: integer, of the order and the split.
        validation_split: the share of files that is held out.
        subset: "training", "validation" or "both", of a `validation_split`.
        follow_links: whether linked folders are looked into.
        verbose: whether to print how many files were found.
        sampling_rate: to which all are resampled, through scipy; by default they stay as they are.
        output_sequence_length: to which all are cut or filled up with zeros; by default the longest
            of the batch.
        ragged: batches are ragged tensors, or arrays of objects: each sound in its own length.
        format: "tf" for a `tf.data.Dataset`, where TensorFlow is installed; "grain" for a
            `Dataset`, which needs none and is not `ragged`. Of Keras 3.16.

    Returns:
        A data set with the attributes `class_names` and `file_paths`; two for `subset="both"`.

    Raises:
        ValueError: arguments that do not go together, or a folder that does not fit them.
    """
    check_format(format)
    if ragged and format == "grain":
        raise ValueError(
            "`ragged` data sets are of `format='tf'`. Received: ragged=True and format='grain'. To "
            "fix it: leave `ragged` out; shorter sounds are filled up with zeros."
        )
    if ragged and output_sequence_length is not None:
        raise ValueError("`ragged` and `output_sequence_length` cannot both be set.")
    _check_rate(sampling_rate)
    folder = Folder(
        directory,
        labels,
        label_mode,
        class_names,
        batch_size,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        verbose,
        (".wav",),
        "audio files",
    )

    def load(path: str) -> np.ndarray:
        return _length(_read_wave(path, sampling_rate), output_sequence_length)

    def collate(sounds: list[np.ndarray]) -> np.ndarray:
        if ragged:
            return _objects(sounds)
        longest = max(map(len, sounds))
        return np.stack([_length(sound, longest) for sound in sounds])

    sample = KerasTensor((output_sequence_length, None), "float32")
    return folder.datasets(load, sample, format, collate, is_ragged=ragged)


def _check_rate(value: int | None) -> None:
    if value is None:
        return
    if not isinstance(value, int):
        rule = "should have an integer value"
    elif value <= 0:
        rule = "should be higher than 0"
    else:
        return
    raise ValueError(f"`sampling_rate` {rule}. Received: sampling_rate={value!r}")


def _objects(values: list[np.ndarray]) -> np.ndarray:
    batch = np.empty(len(values), object)
    batch[:] = values
    return batch


def _length(sound: np.ndarray, length: int | None) -> np.ndarray:
    if length is None:
        return sound
    return np.pad(sound[:length], ((0, max(length - len(sound), 0)), (0, 0)))


def _read_wave(path: str, sampling_rate: int | None) -> np.ndarray:
    """A WAV file of whole numbers as float32 (time, channels)."""
    import wave  # on first use, as it takes time

    with wave.open(path) as file:
        width = file.getsampwidth()
        channels = file.getnchannels()
        rate = file.getframerate()
        data = file.readframes(file.getnframes())
    if width == 1:  # without sign, around 128
        sound = np.frombuffer(data, "uint8").astype("float32") - 128
    else:
        sample_bytes = np.frombuffer(data, "uint8").reshape(-1, width)  # little endian
        padded = np.zeros((len(sample_bytes), 4), "uint8")
        padded[:, 4 - width :] = sample_bytes
        sound = padded.view("<i4")[:, 0].astype("float64") / 2 ** (32 - 8 * width)
    sound = (sound / 2 ** (8 * width - 1)).astype("float32").reshape(-1, channels)
    if sampling_rate in (None, rate):
        return sound
    try:
        from scipy.signal import resample_poly
    except ImportError as error:
        raise ImportError(
            "`sampling_rate` needs scipy. Install it with `pip install scipy`."
        ) from error
    return resample_poly(sound, sampling_rate, rate).astype("float32")
