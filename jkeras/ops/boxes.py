"""Boxes around things in images: formats, overlaps, moving with the image, and encoding for
detectors.

A box is four numbers on the last axis. The formats are corners ("xyxy", "yxyx"), a corner and a
size ("xywh"), or the center and a size ("center_xywh", "center_yxhw"); after "rel_" in shares of
the image's width and height.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import check_choice
from jkeras.core.names.registry import public
from jkeras.core.session.settings import epsilon
from jkeras.core.weights.types import BoxFormat, DType, Function, Shape, TensorLike

FORMATS = (
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
)


def _split(boxes: jax.Array) -> list[jax.Array]:
    return jnp.split(boxes, 4, axis=-1)


def _to_corners(
    boxes: jax.Array, name: str, width: Any, height: Any
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """x1, y1, x2, y2 in pixels (in shares where width and height are 1)."""
    a, b, c, d = _split(boxes)
    if name[-4] == "y":
        a, b, c, d = b, a, d, c
    if "center" in name:
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    elif "w" in name:
        c, d = a + c, b + d
    return a * width, b * height, c * width, d * height


def _from_corners(corners: Sequence[jax.Array], name: str, width: Any, height: Any) -> jax.Array:
    """The inverse of `_to_corners`."""
    a, b, c, d = corners
    if "center" in name:
        a, b, c, d = a + (c - a) / 2, b + (d - b) / 2, c - a, d - b
    elif "w" in name:
        c, d = c - a, d - b
    a, b, c, d = a / width, b / height, c / width, d / height
    if name[-4] == "y":
        a, b, c, d = b, a, d, c
    return jnp.concatenate([a, b, c, d], axis=-1)


@public("keras.utils.bounding_boxes.convert_format")
def convert_format(
    boxes: TensorLike,
    source: BoxFormat,
    target: BoxFormat,
    height: int | None = None,
    width: int | None = None,
    dtype: DType = "float32",
) -> jax.Array:
    """Boxes in another format.

    Args:
        boxes: (..., 4), or a dict whose "boxes" are converted.
        source, target: names of formats: "xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw",
            "rel_xyxy", "rel_yxyx", "rel_xywh" or "rel_center_xywh".
        height, width: of the image; needed between relative and absolute formats.
    Raises:
        ValueError: an unknown format, not four numbers, or a missing size.

    >>> print(convert_format([[2.0, 4.0, 6.0, 8.0]], "xyxy", "center_xywh"))
    [[4. 6. 4. 4.]]
    """
    if isinstance(boxes, dict):
        return {
            **boxes,
            "boxes": convert_format(boxes["boxes"], source, target, height, width, dtype),
        }
    boxes = jnp.asarray(boxes)
    source = source.lower()
    target = target.lower()
    if boxes.shape[-1:] != (4,):
        raise ValueError(
            f"`boxes` must have the shape (..., 4). Received: boxes.shape={boxes.shape}"
        )
    check_choice("source", source, FORMATS)
    check_choice("target", target, FORMATS)
    _check_image_size(source, target, height, width)
    boxes = boxes.astype(dtype)
    if source == target:
        return boxes
    source_units, target_units = _units(source, target, height, width, dtype)
    corners = _to_corners(boxes, source.removeprefix("rel_"), *source_units)
    return _from_corners(corners, target.removeprefix("rel_"), *target_units)


def _check_image_size(source: str, target: str, height: int | None, width: int | None) -> None:
    if height is not None and width is not None:
        return
    if _is_relative(source) or _is_relative(target):
        raise ValueError(
            "Relative formats must receive `height` and `width`, those of the image. Received: "
            f"source={source!r}, target={target!r}, height={height}, width={width}"
        )


def _is_relative(name: str) -> bool:
    return name.startswith("rel_")


def _units(
    source: str, target: str, height: int | None, width: int | None, dtype: DType
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The units of both formats, (width, height) each; 1 where both count in the same ones."""
    ones = (1, 1)
    if _is_relative(source) == _is_relative(target):
        return ones, ones
    image_size = (jnp.asarray(width, dtype), jnp.asarray(height, dtype))
    if _is_relative(source):
        return image_size, ones
    return ones, image_size


def _only_corners(name: str, formats: tuple[str, ...] = ("xyxy",)) -> None:
    if name not in formats:
        raise NotImplementedError(
            f"Only the formats {formats} are supported here: use `convert_format` first. Received: "
            f"bounding_box_format={name!r}"
        )


@public("keras.utils.bounding_boxes.clip_to_image_size")
def clip_to_image_size(
    bounding_boxes: Mapping[str, TensorLike],
    height: int | None = None,
    width: int | None = None,
    bounding_box_format: BoxFormat = "xyxy",
) -> dict[str, Any]:
    """Boxes cut at the edges of the image; labels of boxes with nothing left become -1.

    Args:
        bounding_boxes: a dict of "boxes" (..., 4) and perhaps "labels".
        height, width: of the image; for "xyxy".
        bounding_box_format: "xyxy" or "rel_xyxy".
    Raises:
        ValueError: a missing size.
        NotImplementedError: another format.

    >>> boxes = {"boxes": jnp.array([[-2.0, 1.0, 4.0, 9.0]]), "labels": jnp.array([7])}
    >>> print(clip_to_image_size(boxes, height=5, width=5)["boxes"])
    [[0. 1. 4. 5.]]
    """
    _only_corners(bounding_box_format, ("xyxy", "rel_xyxy"))
    if bounding_box_format == "rel_xyxy":
        height = width = 1
    elif height is None or width is None:
        raise ValueError(
            "`height` and `width` of the image are needed for the format 'xyxy'. Received: "
            f"height={height}, width={width}"
        )
    x1, y1, x2, y2 = _split(jnp.asarray(bounding_boxes["boxes"]))
    x1 = jnp.clip(x1, 0, width)
    y1 = jnp.clip(y1, 0, height)
    x2 = jnp.clip(x2, 0, width)
    y2 = jnp.clip(y2, 0, height)
    clipped = {**bounding_boxes, "boxes": jnp.concatenate([x1, y1, x2, y2], axis=-1)}
    if bounding_boxes.get("labels") is not None:
        area = ((x2 - x1) * (y2 - y1))[..., 0]
        clipped["labels"] = jnp.where(area > 0, bounding_boxes["labels"], -1)
    return clipped


def transform_corners(boxes: jax.Array, move: Function) -> jax.Array:
    """The rectangles around moved boxes (..., 4) in "xyxy"; `move(x, y)` gives the new positions of
    points.
    """
    x1, y1, x2, y2 = (boxes[..., i, None] for i in range(4))
    # (..., 4 corners)
    x, y = move(jnp.concatenate([x1, x2, x2, x1], -1), jnp.concatenate([y1, y1, y2, y2], -1))
    return jnp.stack([x.min(-1), y.min(-1), x.max(-1), y.max(-1)], -1)


@public("keras.utils.bounding_boxes.affine_transform")
def affine_transform(
    boxes: TensorLike,
    angle: TensorLike,
    translate_x: TensorLike,
    translate_y: TensorLike,
    scale: TensorLike,
    shear_x: TensorLike,
    shear_y: TensorLike,
    height: float,
    width: float,
    center_x: TensorLike | None = None,
    center_y: TensorLike | None = None,
    bounding_box_format: BoxFormat = "xyxy",
) -> jax.Array:
    """The rectangles around boxes that are rotated, scaled, sheared and shifted with their images.

    Args:
        boxes: (batch, boxes, 4).
        angle, shear_x, shear_y: in degrees, (batch,).
        translate_x, translate_y: in shares of the image's size, (batch,).
        scale: (batch,).
        height, width: of the images.
        center_x, center_y: the fixed point, in shares of the size; by default the middle, 0.5.
    Raises:
        NotImplementedError: a format other than "xyxy".

    >>> zero, one = jnp.zeros(1), jnp.ones(1)
    >>> box = jnp.array([[[1.0, 1.0, 3.0, 2.0]]])
    >>> print(affine_transform(box, zero + 90, zero, zero, one, zero, zero, 5, 5).round(4))
    [[[1. 1. 2. 3.]]]
    """
    _only_corners(bounding_box_format)
    if center_x is None:
        center_x = 0.5
    if center_y is None:
        center_y = 0.5
    cx = center_x * (width - 1)
    cy = center_y * (height - 1)
    turn, lean_x, lean_y = (-jnp.asarray(v) * (math.pi / 180) for v in (angle, shear_x, shear_y))
    # the map of images from output to input without shift is R(turn) after the shears; boxes go
    # with its inverse
    a = jnp.cos(turn - lean_y) / jnp.cos(lean_y)
    c = -jnp.sin(turn - lean_y) / jnp.cos(lean_y)
    b = a * jnp.tan(lean_x) + jnp.sin(turn)
    d = jnp.cos(turn) - c * jnp.tan(lean_x)
    shift_x = cx - translate_x * (width - 1)
    shift_y = cy - translate_y * (height - 1)
    a, b, c, d, shift_x, shift_y = (
        jnp.reshape(v, (-1, 1, 1)) for v in (a, b, c, d, shift_x, shift_y)
    )
    scale = jnp.reshape(jnp.asarray(scale), (-1, 1, 1))

    def move(x: jax.Array, y: jax.Array) -> tuple[jax.Array, ...]:
        return (
            scale * (d * (x - shift_x) - b * (y - shift_y)) + cx,
            scale * (-c * (x - shift_x) + a * (y - shift_y)) + cy,
        )

    return transform_corners(jnp.asarray(boxes).astype(turn.dtype), move)


@public("keras.utils.bounding_boxes.crop")
def crop(
    boxes: TensorLike,
    top: float,
    left: float,
    height: float,
    width: float,
    bounding_box_format: BoxFormat = "xyxy",
) -> jax.Array:
    """Boxes in a window of the image, cut at its edges.

    Args:
        top, left, height, width: the window.
    Raises:
        NotImplementedError: a format other than "xyxy".

    >>> print(crop(jnp.array([[2.0, 3.0, 9.0, 9.0]]), top=1, left=1, height=4, width=6))
    [[1. 2. 6. 4.]]
    """
    _only_corners(bounding_box_format)
    x1, y1, x2, y2 = _split(jnp.asarray(boxes))
    return jnp.concatenate(
        [
            jnp.clip(x1 - left, 0, width),
            jnp.clip(y1 - top, 0, height),
            jnp.clip(x2 - left, 0, width),
            jnp.clip(y2 - top, 0, height),
        ],
        axis=-1,
    )


@public("keras.utils.bounding_boxes.pad")
def pad(
    boxes: TensorLike,
    top: float,
    left: float,
    height: int | None = None,
    width: int | None = None,
    bounding_box_format: BoxFormat = "xyxy",
) -> jax.Array:
    """Boxes in an image that got a border.

    Args:
        top, left: the size of the border.
        height, width: of the new image; not looked at.
    Raises:
        NotImplementedError: a format other than "xyxy".

    >>> print(pad(jnp.array([[2.0, 3.0, 4.0, 5.0]]), top=1, left=10))
    [[12.  4. 14.  6.]]
    """
    _only_corners(bounding_box_format)
    x1, y1, x2, y2 = _split(jnp.asarray(boxes))
    return jnp.concatenate([x1 + left, y1 + top, x2 + left, y2 + top], axis=-1)


# ---------------------------------------------------------------- overlap


def _size(image_shape: Shape | None) -> tuple[int | None, int | None]:
    """(height, width) of an image shape (height, width, channels), or None twice."""
    if image_shape is None:
        return None, None
    return image_shape[:2]


@public("keras.utils.bounding_boxes.compute_iou")
def compute_iou(
    boxes1: TensorLike,
    boxes2: TensorLike,
    bounding_box_format: BoxFormat,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Shape | None = None,
) -> jax.Array:
    """Intersection over union of every box with every other: (..., m, 4), (..., n, 4) -> (..., m,
    n).

    Args:
        boxes1, boxes2: with or without a batch axis.
        use_masking: whether pairs with a box of only negative numbers get `mask_val`.
        image_shape: (height, width, channels); for relative formats.
    Raises:
        ValueError: not 2 or 3 axes, or a relative format without `image_shape`.

    >>> box = jnp.array([[0.0, 0, 2, 2]])
    >>> print(compute_iou(box, jnp.array([[0.0, 0, 2, 1], [5, 5, 6, 6]]), "xyxy"))
    [[0.5 0. ]]
    """
    boxes1 = jnp.asarray(boxes1)
    boxes2 = jnp.asarray(boxes2)
    if boxes1.ndim not in (2, 3) or boxes2.ndim not in (2, 3):
        raise ValueError(
            "`boxes1` and `boxes2` must have the shape (boxes, 4) or (batch, boxes, 4). Received: "
            f"boxes1.shape={boxes1.shape}, boxes2.shape={boxes2.shape}"
        )
    if "rel" in bounding_box_format and image_shape is None:
        raise ValueError(
            f"The relative format {bounding_box_format!r} needs `image_shape`. Received: "
            "image_shape=None"
        )
    boxes1, boxes2 = (
        convert_format(b, bounding_box_format, "xyxy", *_size(image_shape))
        for b in (boxes1, boxes2)
    )
    one = boxes1[..., :, None, :]  # (..., m, 1, 4)
    other = boxes2[..., None, :, :]  # (..., 1, n, 4)
    high = jnp.minimum(one[..., 2:], other[..., 2:])
    low = jnp.maximum(one[..., :2], other[..., :2])
    overlap = jnp.prod(jnp.maximum(high - low, 0), -1)
    areas = [jnp.prod(b[..., 2:] - b[..., :2], -1) for b in (one, other)]
    iou = overlap / (areas[0] + areas[1] - overlap + epsilon())
    if not use_masking:
        return iou
    masked = (one.max(-1) < 0) | (other.max(-1) < 0)
    return jnp.where(masked, jnp.asarray(mask_val, iou.dtype), iou)


@public("keras.utils.bounding_boxes.compute_ciou")
def compute_ciou(
    boxes1: TensorLike,
    boxes2: TensorLike,
    bounding_box_format: BoxFormat,
    image_shape: Shape | None = None,
) -> jax.Array:
    """The complete IoU of pairs of boxes: less for distant centers and other proportions (Zheng et
    al. 2020, AAAI).

    Args:
        boxes1, boxes2: (..., 4), pairwise.
        bounding_box_format: an absolute format.
    Raises:
        ValueError: a relative format.

    >>> box = jnp.array([[0.0, 0.0, 2.0, 2.0]])
    >>> print(compute_ciou(box, box, "xyxy").round(4))
    [1.]
    """
    if "rel" in bounding_box_format:
        raise ValueError(
            "Use an absolute format: convert with `convert_format` first. Received: "
            f"bounding_box_format={bounding_box_format!r}"
        )
    tiny = epsilon()
    boxes1, boxes2 = (
        convert_format(b, bounding_box_format, "xyxy", *_size(image_shape))
        for b in (boxes1, boxes2)
    )
    (low1, high1), (low2, high2) = ((b[..., :2], b[..., 2:4]) for b in (boxes1, boxes2))
    sizes1, sizes2 = (
        high - low + jnp.array([0, tiny]) for low, high in ((low1, high1), (low2, high2))
    )
    common_sides = jnp.minimum(high1, high2) - jnp.maximum(low1, low2)
    overlap = jnp.prod(jnp.maximum(common_sides, 0), -1)
    union = jnp.prod(sizes1, -1) + jnp.prod(sizes2, -1) - overlap + tiny
    iou = overlap / (union + tiny)
    hull = jnp.maximum(high1, high2) - jnp.minimum(low1, low2)
    between_centers = (low1 + high1) / 2 - (low2 + high2) / 2
    distance = jnp.sum(between_centers**2, -1) / (jnp.sum(hull**2, -1) + tiny)
    proportions = [jnp.arctan(s[..., 0] / s[..., 1]) for s in (sizes1, sizes2)]
    v = 4 / math.pi**2 * (proportions[1] - proportions[0]) ** 2
    return iou - (distance + v * v / (v - iou + (1 + tiny)))


# ---------------------------------------------------------------- deltas


def _check_encoding(encoding: str) -> None:
    if encoding not in ("center_xywh", "center_yxhw"):
        raise ValueError(
            f"Deltas are encoded as 'center_xywh' or 'center_yxhw'. Received: {encoding!r}"
        )


def _factors(variance: TensorLike | None) -> jax.Array | float:
    """The variance as an array of four numbers; the number 1 where there is none."""
    if variance is None:
        return 1.0
    variance = jnp.asarray(variance, "float32")
    if variance.shape[-1:] != (4,):
        raise ValueError(f"`variance` must have 4 entries. Received: variance={variance}")
    return variance


@public("keras.utils.bounding_boxes.encode_box_to_deltas")
def encode_box_to_deltas(
    anchors: TensorLike | Mapping[Any, TensorLike],
    boxes: TensorLike,
    anchor_format: BoxFormat,
    box_format: BoxFormat,
    encoding_format: BoxFormat = "center_yxhw",
    variance: TensorLike | None = None,
    image_shape: Shape | None = None,
) -> jax.Array:
    """Boxes as differences from anchors: centers in anchor sizes, and logarithms of the ratios of
    sizes.

    Args:
        anchors, boxes: (..., 4), of which each has its format.
        encoding_format: "center_yxhw" or "center_xywh".
        variance: four numbers that deltas are divided by.
        image_shape: (height, width, channels); for relative formats.
    Raises:
        ValueError: another encoding, or not four variances.

    >>> anchor = jnp.array([[0.0, 0, 4, 4]])
    >>> print(encode_box_to_deltas(anchor, jnp.array([[2.0, 0, 6, 4]]), "xyxy", "xyxy"))
    [[0.  0.5 0.  0. ]]
    """
    _check_encoding(encoding_format)
    factors = _factors(variance)
    anchors = convert_format(anchors, anchor_format, encoding_format, *_size(image_shape))
    boxes = convert_format(boxes, box_format, encoding_format, *_size(image_shape))
    anchor_sizes, sizes = (jnp.maximum(b[..., 2:], epsilon()) for b in (anchors, boxes))
    centers = (boxes[..., :2] - anchors[..., :2]) / anchor_sizes
    return jnp.concatenate([centers, jnp.log(sizes / anchor_sizes)], -1) / factors


@public("keras.utils.bounding_boxes.decode_deltas_to_boxes")
def decode_deltas_to_boxes(
    anchors: TensorLike | Mapping[Any, TensorLike],
    boxes_delta: TensorLike | Mapping[Any, TensorLike],
    anchor_format: BoxFormat,
    box_format: BoxFormat,
    encoded_format: BoxFormat = "center_yxhw",
    variance: TensorLike | None = None,
    image_shape: Shape | None = None,
) -> Any:
    """The boxes that `encode_box_to_deltas` made deltas of.

    Args:
        anchors, boxes_delta: (..., 4), or dicts of them (the levels of a pyramid).
    Raises:
        ValueError: another encoding, or not four variances.

    >>> anchor = jnp.array([[0.0, 0, 4, 4]])
    >>> print(decode_deltas_to_boxes(anchor, jnp.array([[0, 0.5, 0, 0]]), "xyxy", "xyxy"))
    [[2. 0. 6. 4.]]
    """
    _check_encoding(encoded_format)
    factors = _factors(variance)
    if isinstance(anchors, dict):
        return {
            level: decode_deltas_to_boxes(
                anchor,
                boxes_delta[level],
                anchor_format,
                box_format,
                encoded_format,
                variance,
                image_shape,
            )
            for level, anchor in anchors.items()
        }
    anchors = convert_format(anchors, anchor_format, encoded_format, *_size(image_shape))
    deltas = boxes_delta * factors
    anchor_sizes = anchors[..., 2:]
    centers = deltas[..., :2] * anchor_sizes + anchors[..., :2]
    sizes = jnp.exp(deltas[..., 2:]) * anchor_sizes
    boxes = jnp.concatenate([centers, sizes], -1)
    return convert_format(boxes, encoded_format, box_format, *_size(image_shape))
