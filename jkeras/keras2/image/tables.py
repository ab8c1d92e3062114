"""Batches out of the image files that a table of pandas names."""

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.core.errors import check_choice
from jkeras.core.say import console
from jkeras.keras2.image.files import NAMES, BatchFromFilesMixin, Reading, Writing
from jkeras.keras2.image.iterator import Iterator

if TYPE_CHECKING:
    import pandas

    from jkeras.keras2.image.generator import ImageDataGenerator

# {modes with classes: (types of a label, in words)}
WITH_CLASSES = {
    "binary": (str, "strings"),
    "categorical": ((str, list, tuple), "strings, lists or tuples"),
    "sparse": (str, "strings"),
}


class DataFrameIterator(BatchFromFilesMixin, Iterator):
    """Batches of the files of a table: what `ImageDataGenerator.flow_from_dataframe` returns.

    Args:
        dataframe: one row for each image.
        directory: what the names of files are relative to.
        image_data_generator: what changes the images.
        x_col, y_col, weight_col: columns of files, labels (a list of columns for "multi_output")
            and weights.
        target_size, color_mode, interpolation, keep_aspect_ratio: as in `load_img`.
        classes: names of classes; rows of others are left out.
        class_mode: the labels: "categorical" (one-hot rows, of lists of classes also), "binary" or
            "sparse" (numbers), "raw" (the column as it is), "multi_output" (several columns),
            "input" (the images) or None.
        subset: "training" or "validation", where the generator has a `validation_split`: the
            first rows are those of validation.
        save_to_dir, save_prefix, save_format: where each image of a batch is written to.
        validate_filenames: leave out rows of files that are not there or are no images.

    Attributes:
        classes: the number of each image's class, or numbers.
        class_indices: {name of a class: its number}.
        filenames: as in the table.

    Raises:
        ValueError: there is no such mode or subset, or "binary" has not two classes.
        TypeError: a column has values of another type than its use wants.

    >>> import contextlib, io
    >>> names = {"cat": 0}
    >>> with contextlib.suppress(ImportError), contextlib.redirect_stdout(io.StringIO()):
    ...     import pandas
    ...     table = pandas.DataFrame({"filename": ["a.png"], "class": ["cat"]})
    ...     names = DataFrameIterator(table, validate_filenames=False).class_indices
    >>> names
    {'cat': 0}
    """

    allowed_class_modes = {
        "binary",
        "categorical",
        "input",
        "multi_output",
        "raw",
        "sparse",
        None,
    }

    def __init__(
        self,
        dataframe: "pandas.DataFrame",
        directory: Any = None,
        image_data_generator: "ImageDataGenerator | None" = None,
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
        data_format: str = "channels_last",
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = "float32",
        validate_filenames: bool = True,
    ) -> None:
        self._take_options(
            image_data_generator,
            subset,
            Reading(target_size, color_mode, interpolation, keep_aspect_ratio, data_format),
            Writing(save_to_dir, save_prefix, save_format, NAMES),
        )
        self.directory, self.class_mode, self.dtype = directory or "", class_mode, dtype
        check_choice("class_mode", class_mode, self.allowed_class_modes)
        self._check_columns(dataframe, x_col, y_col, weight_col, classes)
        table = dataframe
        if validate_filenames:
            table = self._with_files(table, x_col)
        if class_mode in WITH_CLASSES:
            table, classes = _of_classes(table, y_col, classes)
            self.class_indices = {name: number for number, name in enumerate(classes)}
        if self.split:
            begin, end = (int(part * len(table)) for part in self.split)
            table = table.iloc[begin:end]
        self._take_labels(table, y_col)
        self.filenames = table[x_col].tolist()
        self._sample_weight = table[weight_col].values if weight_col else None
        self.samples = len(self.filenames)
        self._filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        console.say(self._found(validate_filenames))
        super().__init__(self.samples, batch_size, shuffle, seed)

    @property
    def filepaths(self) -> list[str]:
        """The image files."""
        return self._filepaths

    @property
    def labels(self) -> Any:
        """What is to be said of the images."""
        return self._targets if self.class_mode in ("multi_output", "raw") else self.classes

    @property
    def sample_weight(self) -> np.ndarray | None:
        """The images' weights."""
        return self._sample_weight

    def _take_labels(self, table: "pandas.DataFrame", y_col: Any) -> None:
        if self.class_mode in WITH_CLASSES:
            self.classes = [self._numbers(label) for label in table[y_col]]
        elif self.class_mode == "multi_output":
            self._targets = [np.array(table[column].tolist()) for column in y_col]
        elif self.class_mode == "raw":
            self._targets = table[y_col].values

    def _numbers(self, label: Any) -> int | list[int]:
        if isinstance(label, (list, tuple)):
            return [self.class_indices[name] for name in label]
        return self.class_indices[label]

    def _found(self, is_validated: bool) -> str:
        kind = "validated" if is_validated else "non-validated"
        text = f"Found {self.samples} {kind} image filenames"
        if self.class_mode in WITH_CLASSES:
            text += f" belonging to {len(self.class_indices)} classes"
        return f"{text}."

    def _with_files(self, table: "pandas.DataFrame", x_col: str) -> "pandas.DataFrame":
        files = [os.path.join(self.directory, name) for name in table[x_col]]
        is_image = np.array([self._is_image(file) for file in files], dtype=bool)
        missing = [file for file, is_there in zip(files, is_image) if not is_there]
        if missing:
            warnings.warn(
                f'Found {len(missing)} invalid image filename(s) in x_col="{x_col}", which are '
                f"left out; the first is {missing[0]}.",
                stacklevel=4,
            )
        return table[is_image]

    def _is_image(self, file: str) -> bool:
        return file.lower().endswith(self.white_list_formats) and os.path.isfile(file)

    def _check_columns(
        self,
        table: "pandas.DataFrame",
        x_col: str,
        y_col: Any,
        weight_col: str | None,
        classes: Sequence[str] | None,
    ) -> None:
        mode = self.class_mode
        if mode == "multi_output" and not isinstance(y_col, list):
            raise TypeError(
                f'With class_mode="multi_output" `y_col` must be a list of columns. Received: '
                f"{y_col!r} (of type {type(y_col).__name__})"
            )
        _check_values(
            table, x_col, str, "`x_col` has the names of files: its values must be strings."
        )
        if mode in WITH_CLASSES:
            types, words = WITH_CLASSES[mode]
            _check_values(
                table, y_col, types, f'With class_mode="{mode}" values of `y_col` must be {words}.'
            )
        if mode == "binary":
            count = len(set(classes)) if classes else table[y_col].nunique()
            if count != 2:
                raise ValueError(f'`class_mode="binary"` tells 2 classes apart. Found: {count}')
        if classes and mode not in WITH_CLASSES:
            warnings.warn(f'`classes` will be ignored given the class_mode="{mode}"', stacklevel=4)
        if weight_col and not issubclass(table[weight_col].dtype.type, np.number):
            raise TypeError(f"Column weight_col={weight_col} must be numeric.")


def _check_values(table: "pandas.DataFrame", column: str, types: Any, words: str) -> None:
    for value in table[column]:
        if not isinstance(value, types):
            raise TypeError(
                f"{words} Column {column!r} has {value!r} (of type {type(value).__name__})."
            )


def _of_classes(
    table: "pandas.DataFrame", y_col: str, classes: Sequence[str] | None
) -> tuple["pandas.DataFrame", list[str]]:
    """The rows that have one of the classes, and all classes."""
    labels = table[y_col]
    if not classes:
        several = [v if isinstance(v, (list, tuple)) else [v] for v in labels]
        return table.dropna(subset=[y_col]), sorted({name for names in several for name in names})
    names = list(dict.fromkeys(classes))
    wanted = labels.map(lambda label: _wanted(label, names))
    return table.assign(**{y_col: wanted}).dropna(subset=[y_col]), names


def _wanted(label: Any, names: list[str]) -> Any:
    """A row's label without what is no class; None if nothing is left."""
    if isinstance(label, (list, tuple)):
        return [name for name in label if name in names] or None
    return label if label in names else None
