"""Galleries of images, drawn with matplotlib, which is imported when it is first needed."""

import math
import types
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jkeras.core.names.registry import public
from jkeras.core.session.settings import standardize_data_format
from jkeras.visualization.drawing import check_batch, draw_bounding_boxes, draw_segmentation_masks


def matplotlib_parts() -> tuple[types.ModuleType, types.ModuleType]:
    """(`pyplot`, `patches`) of matplotlib, imported when they are first needed."""
    try:
        from matplotlib import patches, pyplot
    except ImportError as error:
        raise ImportError(
            "Pictures need matplotlib. Install it with `pip install matplotlib`."
        ) from error
    return pyplot, patches


def show_or_write(
    figure: Any, path: str | os.PathLike | None, show: bool | None, **options: Any
) -> None:
    """Writes a figure to a file, or shows it, and closes it.

    Args:
        options: of the file.
    """
    pyplot, _ = matplotlib_parts()
    if path is not None and show:
        pyplot.close(figure)
        raise ValueError("Give either `path` or `show=True`, not both.")
    if path is not None:
        figure.savefig(path, **options)
    elif show or show is None:
        pyplot.show()
    pyplot.close(figure)


def _channels_last(array: Any, data_format: str | None) -> np.ndarray:
    array = np.asarray(array)
    if data_format == "channels_first" and array.ndim == 4:
        return array.transpose(0, 2, 3, 1)
    return array


@public("keras.visualization.plot_image_gallery")
def plot_image_gallery(
    images: Any,
    y_true: Any = None,
    y_pred: Any = None,
    label_map: dict[int, str] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: tuple[float, float] = (0, 255),
    scale: float = 2,
    path: str | os.PathLike | None = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: int = 60,
    legend_handles: Sequence[Any] | None = None,
    data_format: str | None = None,
) -> None:
    """Shows images in rows and columns, or writes them to a file.

    Args:
        images: (batch, height, width, channels).
        y_true, y_pred: labels, written above the images by their names in `label_map`.
        rows, cols: by default about as many rows as columns; where one is given, as many as the
            images need.
        value_range: of the images' values.
        scale: size of an image, in inches.
        path: file to write; otherwise the gallery is shown.
        show: show it; by default where there is no `path`.
        transparent, dpi: of the file.
        legend_handles: patches of matplotlib for a legend.
        data_format: "channels_last" or "channels_first".

    Raises:
        ValueError: `path` with `show`, labels without `label_map`, or no batch of images.
            ImportError: no matplotlib.

    >>> try:
    ...     plot_image_gallery(np.zeros((4, 8, 8, 3)), show=False)
    ... except ImportError:
    ...     pass
    """
    matplotlib_parts()
    check_batch(images)
    labels = _labels(y_true, y_pred, label_map)
    gallery = Gallery(
        value_range,
        rows,
        cols,
        scale,
        path,
        show,
        transparent,
        dpi,
        legend_handles,
        data_format,
    )
    draw_gallery(images, [_title(i, labels, label_map) for i in range(len(images))], gallery)


class Gallery(NamedTuple):
    """How images are laid out and shown, as `plot_image_gallery` explains."""

    value_range: tuple[float, float] = (0, 255)
    rows: int | None = None
    cols: int | None = None
    scale: float = 2
    path: str | os.PathLike | None = None
    show: bool | None = None
    transparent: bool = True
    dpi: int = 60
    legend_handles: Sequence[Any] | None = None
    data_format: str | None = None


def draw_gallery(images: Any, titles: Sequence[str], how: Gallery) -> None:
    """Images in rows and columns with a title above each, shown or written."""
    pyplot, _ = matplotlib_parts()
    images = _channels_last(images, standardize_data_format(how.data_format))
    pixels = _as_pixels(images, *how.value_range)
    rows, cols = _grid(len(images), how.rows, how.cols)
    figure, axes = pyplot.subplots(
        rows,
        cols,
        figsize=(cols * how.scale, rows * how.scale),
        frameon=False,
        layout="tight",
        squeeze=False,
        sharex="row",
        sharey="col",
    )
    if how.legend_handles is not None:
        figure.legend(handles=how.legend_handles, loc="lower center")
    for axis in axes.ravel():
        axis.margins(x=0, y=0)
        axis.axis("off")
    colors = "gray" if pixels.shape[-1] == 1 else None
    for title, axis, image in zip(titles, axes.ravel(), pixels):
        axis.imshow(image, cmap=colors)
        axis.set_title(title, fontsize=8)
    options = dict(pad_inches=0, bbox_inches="tight", transparent=how.transparent, dpi=how.dpi)
    show_or_write(figure, how.path, how.show, **options)


def _as_pixels(images: np.ndarray, low: float, high: float) -> np.ndarray:
    """Images of values in a range as bytes."""
    stretched = (images.astype("float32") - low) / (high - low) * 255
    return np.clip(stretched, 0, 255).astype("uint8")


def _grid(count: int, rows: int | None, cols: int | None) -> tuple[int, int]:
    """How many rows and columns so many images take."""
    if not rows and not cols:
        rows = math.ceil(math.sqrt(count))
    if not rows:
        rows = math.ceil(count / cols)
    if not cols:
        cols = math.ceil(count / rows)
    return rows, cols


def _labels(y_true: Any, y_pred: Any, label_map: dict[int, str] | None) -> dict[str, Any]:
    """The labels that are given, by the words that stand before them."""
    labels = {"Label": y_true, "Pred": y_pred}
    labels = {word: values for word, values in labels.items() if values is not None}
    if labels and label_map is None:
        raise ValueError("`y_true` and `y_pred` need a `label_map` from labels to names.")
    return labels


def _title(i: int, labels: dict[str, Any], label_map: dict[int, str] | None) -> str:
    """The names of an image's labels."""
    words = []
    for word, values in labels.items():
        if i < len(values):
            name = label_map.get(np.asarray(values[i]).item(), "Unknown")
            words.append(f"{word}: {name}")
    return "  ".join(words)


@public("keras.visualization.plot_bounding_box_gallery")
def plot_bounding_box_gallery(
    images: Any,
    bounding_box_format: str,
    y_true: Any = None,
    y_pred: Any = None,
    value_range: tuple[float, float] = (0, 255),
    true_color: tuple[int, int, int] = (0, 188, 212),
    pred_color: tuple[int, int, int] = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: dict[int, str] | None = None,
    ground_truth_mapping: dict[int, str] | None = None,
    prediction_mapping: dict[int, str] | None = None,
    legend: bool = False,
    legend_handles: Sequence[Any] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Shows images with boxes: those that are right and those that were predicted.

    Args:
        y_true, y_pred: dicts of boxes, as for `draw_bounding_boxes`.
        true_color, pred_color: their colours.
        class_mapping, ground_truth_mapping, prediction_mapping: dicts from labels to names, for
            both or each.
        legend: say which colour is which.
        legend_handles: a legend of one's own.
        **kwargs: for `plot_image_gallery`, as all others.

    Raises:
        ValueError: `legend` with `legend_handles`, or no batch of images.

    >>> try:
    ...     plot_bounding_box_gallery(np.zeros((1, 8, 8, 3)), "xyxy", show=False)
    ... except ImportError:
    ...     pass
    """
    _, patches = matplotlib_parts()
    check_batch(images)
    if legend and legend_handles:
        raise ValueError("Pass `legend` or `legend_handles`, not both.")
    drawn = _channels_last(images, standardize_data_format(data_format))
    for boxes, color, names in (
        (y_true, true_color, ground_truth_mapping),
        (y_pred, pred_color, prediction_mapping),
    ):
        if boxes is not None:
            drawn = draw_bounding_boxes(
                drawn,
                boxes,
                bounding_box_format,
                names or class_mapping,
                color,
                line_thickness,
                text_thickness,
                font_scale,
                data_format="channels_last",
            )
    if legend:
        legend_handles = [
            patches.Patch(color=np.array(color) / 255, label=label)
            for color, label in ((true_color, "Ground Truth"), (pred_color, "Prediction"))
        ]
    return plot_image_gallery(
        drawn,
        value_range=value_range,
        legend_handles=legend_handles,
        rows=rows,
        cols=cols,
        data_format="channels_last",
        **kwargs,
    )


@public("keras.visualization.plot_segmentation_mask_gallery")
def plot_segmentation_mask_gallery(
    images: Any,
    num_classes: int,
    value_range: tuple[float, float] = (0, 255),
    y_true: Any = None,
    y_pred: Any = None,
    color_mapping: Any = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Shows images, each beside itself with its masks: those that are right and those that were
    predicted.

    Args:
        y_true, y_pred: masks, as for `draw_segmentation_masks`.
        num_classes, color_mapping, blend, alpha, ignore_index: of `draw_segmentation_masks`.
        **kwargs: for `plot_image_gallery`, as all others.

    >>> images, masks = np.zeros((1, 8, 8, 3)), np.ones((1, 8, 8, 1))
    >>> try:
    ...     plot_segmentation_mask_gallery(images, 2, y_true=masks, show=False)
    ... except ImportError:
    ...     pass
    """
    check_batch(images)
    data_format = standardize_data_format(data_format)
    images = _channels_last(images, data_format)
    columns = [images] + [
        draw_segmentation_masks(
            images,
            _channels_last(masks, data_format).astype("int32"),
            num_classes,
            color_mapping,
            alpha,
            blend,
            ignore_index,
            data_format="channels_last",
        )
        for masks in (y_true, y_pred)
        if masks is not None
    ]
    # image, right, predicted, next image, ...
    rows = np.stack(columns, axis=1).reshape(-1, *images.shape[1:])
    return plot_image_gallery(
        rows,
        value_range=value_range,
        rows=len(images),
        cols=len(columns),
        data_format="channels_last",
        **kwargs,
    )
