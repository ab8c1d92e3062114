"""Boxes and masks drawn on images, with numpy; texts through Pillow."""

from typing import Any

import numpy as np

from jkeras.core.names.registry import public
from jkeras.core.session.settings import standardize_data_format
from jkeras.utils.bounding_boxes import convert_format
from jkeras.utils.images import pillow


def check_batch(images: Any) -> None:
    """Raises ValueError unless images are a batch."""
    if np.ndim(images) != 4:
        raise ValueError(
            "`images` must be a batch of images, an array of rank 4. Received shape "
            f"{np.shape(images)}"
        )


@public("keras.visualization.draw_bounding_boxes")
def draw_bounding_boxes(
    images: Any,
    bounding_boxes: Any,
    bounding_box_format: str,
    class_mapping: dict[int, str] | None = None,
    color: tuple[int, int, int] = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int | None = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> np.ndarray:
    """Images with boxes drawn on them, uint8.

    Args:
        images: (batch, height, width, channels); floats up to 1 are stretched to 255.
        bounding_boxes: dict with "boxes" (batch, n, 4), "labels" (batch, n), -1 for no box, and
            perhaps "confidences".
        bounding_box_format: "xyxy", "rel_yxyx", …; see `utils.bounding_boxes.convert_format`.
        class_mapping: dict from labels to names that are written beside the boxes (this needs
            Pillow).
        color: of boxes and texts.
        line_thickness, text_thickness, font_scale: sizes.
        data_format: "channels_last" or "channels_first".

    Raises:
        ValueError: no batch of images, or a missing key. TypeError: boxes that are not a dict.

    >>> boxes = {"boxes": np.array([[[1, 1, 4, 4]]]), "labels": np.array([[0]])}
    >>> images = np.zeros((1, 8, 8, 3), "uint8")
    >>> drawn = draw_bounding_boxes(images, boxes, "xyxy", color=(9, 0, 0), line_thickness=1)
    >>> int((drawn == 9).sum())
    12
    """
    check_batch(images)
    if not isinstance(bounding_boxes, dict):
        raise TypeError(f"`bounding_boxes` must be a dict. Received: {bounding_boxes!r}")
    if "boxes" not in bounding_boxes or "labels" not in bounding_boxes:
        raise ValueError(
            "`bounding_boxes` must have the keys 'boxes' and 'labels'. Received: "
            f"{list(bounding_boxes)}"
        )
    drawn = _as_pixels(images)
    view = drawn  # written through
    if standardize_data_format(data_format) == "channels_first":
        view = drawn.transpose(0, 2, 3, 1)
    height, width = view.shape[1:3]
    boxes = np.asarray(bounding_boxes["boxes"], "float32")
    boxes = np.asarray(convert_format(boxes, bounding_box_format, "xyxy", height, width))
    labels = np.asarray(bounding_boxes["labels"])
    confidences = bounding_boxes.get("confidences")
    for i, n in np.argwhere(labels != -1):
        corners = boxes[i, n].astype("int32").tolist()
        _frame(view[i], corners, color, line_thickness)
        name = (class_mapping or {}).get(int(labels[i, n]))
        if name is not None:
            if confidences is not None:
                name = f"{name} | {float(np.asarray(confidences)[i, n]):.2f}"
            _write(view[i], name, corners, color, font_scale, text_thickness or line_thickness)
    return drawn


def _as_pixels(images: np.ndarray) -> np.ndarray:
    images = np.array(images)
    if images.dtype.kind != "f":
        return images.astype("uint8")
    if images.size and images.max() <= 1:
        images = images * 255
    return np.clip(images, 0, 255).astype("uint8")


def _frame(
    image: np.ndarray, corners: list[int], color: tuple[int, int, int], thickness: int
) -> None:
    """The border of a box, half of its thickness to each side."""
    inside = (thickness - 1) // 2
    outside = inside + (thickness - 1) % 2
    left, top, right, bottom = corners
    mask = np.zeros(image.shape[:2], bool)
    mask[
        max(top - outside, 0) : max(bottom + outside + 1, 0),
        max(left - outside, 0) : max(right + outside + 1, 0),
    ] = True
    mask[
        max(top + inside + 1, 0) : max(bottom - inside, 0),
        max(left + inside + 1, 0) : max(right - inside, 0),
    ] = False
    image[mask] = np.resize(color, image.shape[-1])


def _write(
    image: np.ndarray,
    text: str,
    corners: list[int],
    color: tuple[int, int, int],
    scale: float,
    thickness: int,
) -> None:
    """A text above the box, or inside it where there is no room."""
    pil = pillow("draw_bounding_boxes with `class_mapping`")
    from PIL import ImageDraw, ImageFont

    size = max(int(20 * scale), 1)
    font = ImageFont.load_default(size)
    high = int(12 * scale)
    left, top = corners[:2]
    if top - 8 - 2 * high > 0:
        place = (left, top - 8)
    else:
        place = (left + 3, top + 2 * high + thickness + 3)
    canvas = pil.new("L", (image.shape[1], image.shape[0]))
    ImageDraw.Draw(canvas).text(
        place, text, fill=255, font=font, anchor="ls", stroke_width=max(thickness - 1, 0)
    )
    share = np.asarray(canvas)[:, :, None] / 255
    image[:] = (image * (1 - share) + np.resize(color, image.shape[-1]) * share).astype("uint8")


@public("keras.visualization.draw_segmentation_masks")
def draw_segmentation_masks(
    images: Any,
    segmentation_masks: Any,
    num_classes: int | None = None,
    color_mapping: Any = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> np.ndarray:
    """Images with the pixels of each class in its colour.

    Args:
        images: (batch, height, width, channels), values 0 … 255.
        segmentation_masks: whole numbers (batch, height, width) or (batch, height, width, 1): the
            class of each pixel.
        num_classes: by default the largest class.
        color_mapping: dict or list from classes to colours.
        alpha: opacity.
        blend: mix with the image, to uint8; else the colours alone, in float32.
        ignore_index: class that is not drawn.

    Raises:
        ValueError: no batch of images. TypeError: masks that are not whole numbers.

    >>> masks = np.array([[[1, 0]]])
    >>> colors = {0: (0, 0, 0), 1: (100, 0, 0)}
    >>> draw_segmentation_masks(np.zeros((1, 1, 2, 3)), masks, 2, colors, alpha=0.5).tolist()
    [[[[50, 0, 0], [0, 0, 0]]]]
    """
    check_batch(images)
    images = np.asarray(images, "float32")
    masks = np.asarray(segmentation_masks)
    if masks.dtype.kind not in "iu":
        raise TypeError(f"`segmentation_masks` must be whole numbers. Received dtype {masks.dtype}")
    if standardize_data_format(data_format) == "channels_first":
        images = images.transpose(0, 2, 3, 1)
        if masks.ndim == 4:
            masks = masks.transpose(0, 2, 3, 1)
    if masks.ndim == 4:
        masks = masks[..., 0]
    if num_classes is None:
        num_classes = int(masks.max())
    if color_mapping is None:
        color_mapping = {i: _color(i) for i in range(num_classes)}
    drawn = images.copy()
    for i in range(num_classes):
        drawn[masks == i] = color_mapping[i]
    if not blend:
        return drawn
    mixed = images * (1 - alpha) + drawn * alpha
    return np.where((masks != ignore_index)[..., None], mixed, images).astype("uint8")


def _color(i: int) -> list[int]:
    """A colour for a class, far from those of its neighbours."""
    return [i * (2**bits - 1) % 255 for bits in (25, 15, 21)]
