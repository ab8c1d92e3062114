"""One image moved, or its values shifted; by a number that is given or drawn from `np.random`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jkeras.preprocessing.image import array_to_img, img_to_array


def apply_affine_transform(
    x: np.ndarray,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> np.ndarray:
    """An image turned, shifted, sheared and zoomed about its middle.

    Args:
        x: rank 3, the channels first or last.
        theta, shear: in degrees.
        tx, ty: shift of rows and of columns, in pixels.
        zx, zy: what rows and columns are multiplied by; below 1 the image becomes larger.
        fill_mode, cval, order: `mode`, `cval` and `order` of `scipy.ndimage.affine_transform`.

    Raises:
        ValueError: it is no image, or the axes are not its three.

    >>> image = np.arange(9.0).reshape(3, 3, 1)
    >>> turned = apply_affine_transform(image, 90, row_axis=0, col_axis=1, channel_axis=2)
    >>> np.round(turned[..., 0]).tolist()
    [[2.0, 5.0, 8.0], [1.0, 4.0, 7.0], [0.0, 3.0, 6.0]]
    """
    _check_axes(x, row_axis, col_axis, channel_axis)
    if (theta, tx, ty, shear, zx, zy) == (0, 0, 0, 0, 1, 1):
        return x
    matrix = _rotation(theta) @ _shift(tx, ty) @ _shear(shear) @ np.diag([zx, zy, 1.0])
    middle = [float(x.shape[axis]) / 2 - 0.5 for axis in (row_axis, col_axis)]
    matrix = _shift(*middle) @ matrix @ _shift(-middle[0], -middle[1])
    if col_axis > row_axis:  # the matrix is of (x, y), an array's places are (row, column)
        matrix = matrix[[1, 0, 2]][:, [1, 0, 2]]
    import scipy.ndimage

    moved = [
        scipy.ndimage.affine_transform(
            channel, matrix[:2, :2], matrix[:2, 2], order=order, mode=fill_mode, cval=cval
        )
        for channel in np.moveaxis(x, channel_axis, 0)
    ]
    return np.moveaxis(np.stack(moved), 0, channel_axis)


def apply_channel_shift(x: np.ndarray, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """Adds a number to all channels of an image; what leaves the image's range is cut.

    >>> apply_channel_shift(np.array([0.0, 1.0, 4.0]).reshape(1, 1, 3), 2.0).ravel().tolist()
    [2.0, 3.0, 4.0]
    """
    return np.clip(x + intensity, np.min(x), np.max(x))


def apply_brightness_shift(x: np.ndarray, brightness: float, scale: bool = True) -> np.ndarray:
    """An image made brighter or darker by Pillow, in 256 steps.

    Args:
        x: (rows, columns, channels).
        brightness: the factor; 1 leaves it as it is.
        scale: the values are stretched to 0 … 255 before. Those outside of this range always are,
            and get their range back where `scale` is False.

    Raises:
        ImportError: Pillow is missing.

    >>> apply_brightness_shift(np.full((2, 2, 1), 100.0), 0.5, scale=False).max().item()
    50.0
    """
    low, high = np.min(x), np.max(x)
    is_outside = low < 0 or high > 255
    image = array_to_img(x, scale=bool(is_outside or scale))
    from PIL import ImageEnhance

    x = img_to_array(ImageEnhance.Brightness(image).enhance(brightness))
    return x / 255 * (high - low) + low if is_outside and not scale else x


def random_rotation(x: np.ndarray, rg: float, *place: Any, **options: Any) -> np.ndarray:
    """Turns an image by up to `rg` degrees; the rest as in `apply_affine_transform`.

    >>> random_rotation(np.ones((1, 4, 4)), 30).shape
    (1, 4, 4)
    """
    return _affine(x, place, options, theta=np.random.uniform(-rg, rg))


def random_shift(x: np.ndarray, wrg: float, hrg: float, *place: Any, **options: Any) -> np.ndarray:
    """Shifts an image by up to these parts of its width and height.

    >>> random_shift(np.ones((1, 4, 4)), 0.5, 0.0, fill_mode="constant").shape
    (1, 4, 4)
    """
    rows, columns = _rows_and_columns(x, place, options)
    tx = np.random.uniform(-hrg, hrg) * rows
    ty = np.random.uniform(-wrg, wrg) * columns
    return _affine(x, place, options, tx=tx, ty=ty)


def random_shear(x: np.ndarray, intensity: float, *place: Any, **options: Any) -> np.ndarray:
    """Shears an image by up to `intensity` degrees.

    >>> random_shear(np.ones((1, 4, 4)), 20).shape
    (1, 4, 4)
    """
    return _affine(x, place, options, shear=np.random.uniform(-intensity, intensity))


def random_zoom(
    x: np.ndarray, zoom_range: Sequence[float], *place: Any, **options: Any
) -> np.ndarray:
    """Zooms rows and columns by factors of a range.

    Raises:
        ValueError: the range has not two numbers.

    >>> random_zoom(np.ones((1, 4, 4)), (0.5, 1.5)).shape
    (1, 4, 4)
    """
    _check_range("zoom_range", zoom_range)
    zx, zy = zooms(zoom_range)
    return _affine(x, place, options, zx=zx, zy=zy)


def random_channel_shift(
    x: np.ndarray, intensity_range: float, channel_axis: int = 0
) -> np.ndarray:
    """Adds one number, up to `intensity_range`, to all channels; stays within the image's range.

    >>> random_channel_shift(np.ones((1, 4, 4)), 9.0).max().item()
    1.0
    """
    intensity = np.random.uniform(-intensity_range, intensity_range)
    return apply_channel_shift(x, intensity, channel_axis)


def random_brightness(
    x: np.ndarray, brightness_range: Sequence[float], scale: bool = True
) -> np.ndarray:
    """Makes an image brighter by a factor of a range, as `apply_brightness_shift` does.

    Raises:
        ValueError: the range has not two numbers.

    >>> random_brightness(np.full((2, 2, 1), 100.0), (0.5, 0.5), scale=False).max().item()
    50.0
    """
    _check_range("brightness_range", brightness_range)
    return apply_brightness_shift(x, np.random.uniform(*brightness_range), scale)


def zooms(zoom_range: Sequence[float]) -> Sequence[float]:
    """Factors of rows and columns out of a range; nothing is drawn where it is 1 alone."""
    if tuple(zoom_range) == (1, 1):
        return 1, 1
    return np.random.uniform(*zoom_range, 2)


OPTIONS = ("row_axis", "col_axis", "channel_axis", "fill_mode", "cval", "interpolation_order")


def _affine(x: np.ndarray, place: tuple, options: dict[str, Any], **change: float) -> np.ndarray:
    """The change of an image, whose options are given by their place or name."""
    named = {**dict(zip(OPTIONS, place)), **options}
    order = named.pop("interpolation_order", 1)
    return apply_affine_transform(x, **change, **named, order=order)


def _rows_and_columns(x: np.ndarray, place: tuple, options: dict[str, Any]) -> tuple[int, int]:
    named = {"row_axis": 1, "col_axis": 2, **dict(zip(OPTIONS, place)), **options}
    return x.shape[named["row_axis"]], x.shape[named["col_axis"]]


def _check_range(name: str, values: Sequence[float]) -> None:
    if len(values) != 2:
        raise ValueError(f"`{name}` should be two numbers. Received: {values}")


def _check_axes(x: np.ndarray, row_axis: int, col_axis: int, channel_axis: int) -> None:
    axes = (row_axis, col_axis, channel_axis)
    if sorted(axes) != [0, 1, 2] or channel_axis == 1:
        raise ValueError(
            "`row_axis`, `col_axis` and `channel_axis` should be 0, 1 and 2 in some order, with "
            f"the channels first or last. Received: {axes}"
        )
    if x.ndim != 3:
        raise ValueError(f"Expected one image, an array of rank 3. Received shape {x.shape}.")


def _rotation(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )


def _shift(rows: float, columns: float) -> np.ndarray:
    return np.array([[1, 0, rows], [0, 1, columns], [0, 0, 1]])


def _shear(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([[1, -np.sin(angle), 0], [0, np.cos(angle), 0], [0, 0, 1]])
