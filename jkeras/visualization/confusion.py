"""Which classes a classifier takes for which: counted, and as a picture."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from jkeras.core.errors import check_choice
from jkeras.core.names.registry import public
from jkeras.visualization.classes import compared
from jkeras.visualization.galleries import matplotlib_parts, show_or_write

Names = Sequence[str] | Mapping[Any, str] | None
Shares = Literal["true", "pred", "all"] | bool | None
MOST_NUMBERS = 50  # classes, beyond which cells are too small for numbers


@public("jkeras.visualization.confusion_counts")
def confusion_counts(
    y_true: Any, y_pred: Any, names: Names = None, normalize: Shares = None
) -> np.ndarray:
    """How many examples of each class (the row) were taken for each class (the column).

    Args:
        y_true, y_pred: labels or texts (rows,), one-hot rows or probabilities (rows, classes), or
            probabilities of the second of two classes. Of images of labels each pixel counts.
        names: of the classes in order, or {class: name}; there are at least so many classes.
        normalize: "true" or True: shares of each row; "pred": of each column; "all": of all. A row
            or column without examples has zeros.

    Raises:
        ValueError: logits of two classes, or labels and predictions of different lengths.

    >>> confusion_counts([0, 0, 1], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]).tolist()
    [[1, 1], [0, 1]]
    >>> confusion_counts(["cat", "dog", "cat"], ["cat", "cat", "cat"], normalize=True).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    normalize = _checked(normalize)
    true, predicted, names = compared(y_true, y_pred, names, "confusion_counts")
    size = len(names)
    counts = np.bincount(true * size + predicted, minlength=size * size).reshape(size, size)
    if normalize is None:
        return counts
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    return counts / np.maximum(counts.sum(axis=axis, keepdims=True), 1)


def _checked(normalize: Shares) -> str | None:
    """`normalize` as a name, or None."""
    if isinstance(normalize, bool):
        normalize = {True: "true", False: None}[normalize]
    if normalize is not None:
        check_choice("normalize", normalize, ("true", "pred", "all"), "confusion_matrix")
    return normalize


@public("jkeras.visualization.confusion_matrix")
def confusion_matrix(
    y_true: Any,
    y_pred: Any,
    names: Names = None,
    normalize: Shares = None,
    title: str | None = None,
    path: str | os.PathLike | None = None,
    show: bool | None = None,
) -> None:
    """Shows which classes are taken for which, or writes the picture to a file: a row for each
    class that examples have, a column for each that they are taken for, in each cell how many.

    Args:
        y_true, y_pred, names, normalize: as of `confusion_counts`, which gives the numbers.
        title: above the picture.
        path: file to write; otherwise the picture is shown.
        show: show it; by default where there is no `path`.

    Raises:
        ValueError: `path` with `show`, logits of two classes, or different lengths.
            ImportError: no matplotlib.

    >>> try:
    ...     confusion_matrix([0, 1, 1], [0, 1, 0], ["cat", "dog"], show=False)
    ... except ImportError:
    ...     pass
    """
    pyplot, _ = matplotlib_parts()
    names = compared(y_true, y_pred, names, "confusion_matrix").names
    counts = confusion_counts(y_true, y_pred, names, normalize)
    size = len(names)
    side = 1.8 + size * max(0.25, min(0.6, 6 / size))  # inches
    figure, axes = pyplot.subplots(figsize=(side + 0.6, side), layout="constrained")
    drawn = axes.imshow(counts, cmap="Blues", vmin=0)
    figure.colorbar(drawn, shrink=0.8)
    axes.set(xlabel="predicted", ylabel="true", title=title or "")
    axes.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), names)
    if size <= MOST_NUMBERS:
        _write_numbers(axes, counts)
    show_or_write(figure, path, show)


def _write_numbers(axes: Any, counts: np.ndarray) -> None:
    """The number of each cell, light where the cell is dark."""
    form = "d" if counts.dtype.kind == "i" else ".2f"
    half = counts.max() / 2
    font = max(5, min(10, 100 / len(counts)))
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if count > half else "black"
        axes.text(
            column, row, format(count, form), ha="center", va="center", color=color, fontsize=font
        )
