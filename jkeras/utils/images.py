"""Images as arrays and files, through Pillow, which is imported when it is first needed."""

import io
import os
import pathlib
import types
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras import ops
from jkeras.core.errors import check_choice
from jkeras.core.graph.keras_tensor import is_symbolic
from jkeras.core.names.dtypes import is_float
from jkeras.core.names.registry import public
from jkeras.core.session.settings import floatx, standardize_data_format

if TYPE_CHECKING:
    import PIL.Image

MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
GRAY_MODES = ("L", "I;16", "I")  # left as they are where grayscale is asked for


def pillow(user: str) -> types.ModuleType:
    """Pillow's module `Image`.

    Raises:
        ImportError: it is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"`{user}` needs Pillow. Install it with `pip install pillow`."
        ) from error
    return Image


@public("keras.utils.array_to_img", "keras.preprocessing.image.array_to_img")
def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> "PIL.Image.Image":
    """An array (height, width, channels) as an image of Pillow.

    Args:
        x: 1, 3 or 4 channels: gray, RGB, RGBA.
        data_format: "channels_last", or "channels_first" for (channels, height, width); by default
            that of `jkeras.config`.
        scale: stretch the values to 0 … 255.
        dtype: in which it is computed, by default `jkeras.config.floatx()`.
    Returns:
        a `PIL.Image.Image`.
    Raises:
        ValueError: an array of another rank, or of 2 or more than 4 channels.
        ImportError: Pillow is not installed.

    >>> try:
    ...     size = array_to_img(np.ones((2, 3, 1))).size
    ... except ImportError:
    ...     size = (3, 2)
    >>> size
    (3, 2)
    """
    image = pillow("array_to_img")
    data_format = standardize_data_format(data_format)
    x = np.asarray(x, dtype=dtype or floatx())
    if x.ndim != 3:
        raise ValueError(f"Expected one image, an array of rank 3. Received shape {x.shape}.")
    if data_format == "channels_first":
        x = x.transpose(1, 2, 0)
    if scale:
        x = x - x.min()
        x = x / (x.max() or 1) * 255
    if x.shape[2] not in (1, 3, 4):
        raise ValueError(f"Expected 1, 3 or 4 channels. Received shape {x.shape}.")
    if x.shape[2] == 1:
        x = x[:, :, 0]
        if x.max() > 255:
            return image.fromarray(x.astype("int32"))
    return image.fromarray(x.astype("uint8"))


@public("keras.utils.img_to_array", "keras.preprocessing.image.img_to_array")
def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """An image of Pillow as an array (height, width, channels), values 0 … 255.

    Args:
        img: an image of Pillow, or what numpy makes an array of rank 2 or 3 of.
        data_format: as for `array_to_img`, of the result.
        dtype: of the result, by default `jkeras.config.floatx()`.
    Returns:
        an array of rank 3; a gray image has one channel.
    Raises:
        ValueError: another rank.

    >>> img_to_array(np.array([[0, 128, 255]], "uint8")).tolist()
    [[[0.0], [128.0], [255.0]]]
    """
    data_format = standardize_data_format(data_format)
    x = np.asarray(img, dtype=dtype or floatx())
    if x.ndim not in (2, 3):
        raise ValueError(f"Expected an image of rank 2 or 3. Received shape {x.shape}.")
    if x.ndim == 2:
        x = x[:, :, None]
    if data_format == "channels_first":
        return x.transpose(2, 0, 1)
    return x


@public("keras.utils.save_img", "keras.preprocessing.image.save_img")
def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Writes an array as an image file.

    Args:
        path: a name or an open file.
        x: an array (height, width, channels) of 1, 3 or 4 channels.
        data_format: as for `array_to_img`.
        file_format: "png", "jpeg", …; by default from the name's ending.
        scale: stretch the values to 0 … 255.
        **kwargs: for `PIL.Image.save`.
    Returns:
        None.
    Raises:
        ValueError, ImportError: as for `array_to_img`.

    >>> import io  # doctest: +SKIP
    >>> file = io.BytesIO()  # doctest: +SKIP
    >>> save_img(file, np.array([[[0.0], [1.0]]]), file_format="png")  # doctest: +SKIP
    >>> img_to_array(load_img(file, "grayscale")).tolist()  # doctest: +SKIP
    [[[0.0], [255.0]]]
    """
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = pathlib.Path(path).suffix[1:].lower()
    if file_format and file_format.lower() == "jpg":
        file_format = "jpeg"
    img = array_to_img(x, data_format=standardize_data_format(data_format), scale=scale)
    if img.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("JPEG has no transparency: the image is saved as RGB.", stacklevel=2)
        img = img.convert("RGB")
    img.save(path, format=file_format, **kwargs)


@public("keras.utils.load_img", "keras.preprocessing.image.load_img")
def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> "PIL.Image.Image":
    """An image of Pillow from a file.

    Args:
        path: a name or `io.BytesIO`.
        color_mode: "rgb", "rgba" or "grayscale".
        target_size: (height, width) to which it is resized.
        interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos".
        keep_aspect_ratio: cut the image in the middle to the target's proportions first.
    Returns:
        a `PIL.Image.Image`.
    Raises:
        TypeError: `path` is neither a name nor `io.BytesIO`.
        ValueError: an unknown `color_mode` or `interpolation`.
        ImportError: Pillow is not installed.

    >>> import io, PIL.Image  # doctest: +SKIP
    >>> file = io.BytesIO()  # doctest: +SKIP
    >>> PIL.Image.fromarray(np.array([[0, 255]], "uint8")).save(file, "png")  # doctest: +SKIP
    >>> img_to_array(load_img(file, target_size=(1, 4)))[0, :, 0].tolist()  # doctest: +SKIP
    [0.0, 0.0, 255.0, 255.0]
    """
    image = pillow("load_img")
    if isinstance(path, io.BytesIO):
        img = image.open(path)
    elif isinstance(path, (str, bytes, os.PathLike)):
        with open(path, "rb") as file:
            img = image.open(io.BytesIO(file.read()))
    else:
        raise TypeError(
            f"`path` must be a path or io.BytesIO. Received: {path!r} (of type {type(path)})"
        )
    check_choice("color_mode", color_mode, MODES)
    is_gray = color_mode == "grayscale" and img.mode in GRAY_MODES
    if img.mode != MODES[color_mode] and not is_gray:
        img = img.convert(MODES[color_mode])
    if target_size is None or img.size == (target_size[1], target_size[0]):
        return img
    methods = {
        name: getattr(image.Resampling, name.upper())
        for name in ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
    }
    check_choice("interpolation", interpolation, methods)
    width, height = img.size
    top = left = 0
    if keep_aspect_ratio:
        top, left, height, width = crop_box(height, width, *target_size)
    return img.resize(
        (target_size[1], target_size[0]),
        methods[interpolation],
        box=(left, top, left + width, top + height),
    )


def crop_box(
    height: int, width: int, target_height: int, target_width: int
) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the largest part in the middle of an image with the target's
    proportions.

    >>> crop_box(340, 500, 200, 200)
    (0, 80, 340, 340)
    """
    cut_height = max(min(height, width * target_height // target_width), 1)
    cut_width = max(min(width, height * target_width // target_height), 1)
    return (height - cut_height) // 2, (width - cut_width) // 2, cut_height, cut_width


@public("keras.preprocessing.image.smart_resize")
def smart_resize(
    x: Any,
    size: Sequence[int],
    interpolation: str = "bilinear",
    data_format: str | None = "channels_last",
    **kwargs: Any,
) -> Any:
    """Images resized without distortion: cut in the middle to the target's proportions, then
    resized.

    Whole numbers become float32, unless values are only picked ("nearest").

    Args:
        x: (height, width, channels), or a batch of such.
        size: (height, width) of the result.

    >>> smart_resize(np.ones((4, 8, 3), "float32"), (2, 2)).shape
    (2, 2, 3)
    """
    kwargs.pop("backend_module", None)
    if kwargs:
        raise TypeError(f"smart_resize() got unexpected keyword arguments: {list(kwargs)}")
    if len(size) != 2:
        raise ValueError(f"Expected `size` to be (height, width). Received: size={size}")
    if np.ndim(x) not in (3, 4):
        raise ValueError(
            f"Expected an image (height, width, channels) or a batch. Received shape {np.shape(x)}"
        )
    was_host = isinstance(x, np.ndarray)
    if not is_symbolic(x):
        x = ops.convert_to_tensor(x)
    axis = np.ndim(x) - 2  # of the height
    if data_format == "channels_last":
        axis -= 1
    top, left, height, width = crop_box(*np.shape(x)[axis : axis + 2], *size)
    cut = x[(slice(None),) * axis + (slice(top, top + height), slice(left, left + width))]
    if interpolation != "nearest" and not is_float(cut.dtype):
        cut = ops.cast(cut, "float32")
    resized = ops.image.resize(
        cut, size=tuple(size), interpolation=interpolation, data_format=data_format
    )
    if was_host:
        return np.asarray(resized)
    return resized


# ---------------------------------------------------------------- resizing on the host


def _cubic(a: float, b: float) -> Callable[[np.ndarray], np.ndarray]:
    """The cubic of Mitchell and Netravali (1988) with parameters a and b; (0, 0.5) is
    Catmull-Rom.
    """

    def kernel(t: np.ndarray) -> np.ndarray:
        near = ((12 - 9 * a - 6 * b) * t**3 + (-18 + 12 * a + 6 * b) * t**2 + 6 - 2 * a) / 6
        far = (
            (-a - 6 * b) * t**3 + (6 * a + 30 * b) * t**2 + (-12 * a - 48 * b) * t + 8 * a + 24 * b
        ) / 6
        return np.where(t < 1, near, np.where(t < 2, far, 0))

    return kernel


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda t: np.where(t < radius, np.sinc(t) * np.sinc(t / radius), 0)


KERNELS = {
    "bilinear": lambda t: np.maximum(1 - t, 0),
    "bicubic": _cubic(0, 0.5),
    "mitchellcubic": _cubic(1 / 3, 1 / 3),
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
    "gaussian": lambda t: np.where(t < 1.5, np.exp(-2 * t**2), 0),
}
INTERPOLATIONS = ("nearest", "area", *KERNELS)


def resize_weights(size: int, target: int, interpolation: str) -> np.ndarray:
    """The matrix (target, size) that resizes one axis.

    >>> resize_weights(4, 2, "bilinear").tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    positions = np.arange(size)
    if interpolation == "area":
        edges = np.arange(target + 1)[:, None] * size / target
        overlap = np.minimum(positions + 1, edges[1:]) - np.maximum(positions, edges[:-1])
        weights = np.clip(overlap, 0, None)
    else:
        centers = (np.arange(target)[:, None] + 0.5) * size / target - 0.5
        if interpolation == "nearest":
            nearest = np.minimum(np.floor(centers + 0.5), size - 1)
            weights = (nearest == positions).astype(float)
        else:
            weights = KERNELS[interpolation](np.abs(centers - positions))
    return (weights / weights.sum(1, keepdims=True)).astype("float32")


def resize_on_host(img: np.ndarray, size: Sequence[int], interpolation: str) -> np.ndarray:
    """An array (height, width, channels) resized by numpy, so that images of many sizes need no
    compiling.

    >>> resize_on_host(np.ones((4, 6, 3)), (2, 2), "bilinear").shape
    (2, 2, 3)
    """
    img = np.asarray(img, "float32")
    if img.shape[:2] == tuple(size):
        return img
    down, across = (resize_weights(n, m, interpolation) for n, m in zip(img.shape, size))
    wide = np.tensordot(down, img, (1, 0))  # (target height, width, channels)
    return np.einsum("ow,hwc->hoc", across, wide, optimize=True)
