"""One image changed at random: `random_rotation` and its like of `keras.preprocessing.image`."""

import numpy as np

from jkeras.keras2.image import moved

__all__ = [
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
]


def _with_axes(change):
    """A change of an image (rows, columns, channels) as one of images with their axes anywhere."""

    def changed(
        x, *args, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest", cval=0.0, **more
    ):
        axes = (row_axis, col_axis, channel_axis)
        image = np.moveaxis(np.asarray(x), axes, (0, 1, 2))
        image = moved(image, *change(image.shape, *args), fill_mode=fill_mode, cval=cval)
        return np.moveaxis(image, (0, 1, 2), axes)

    changed.__name__ = changed.__qualname__ = change.__name__
    changed.__doc__ = change.__doc__
    return changed


@_with_axes
def random_rotation(shape, rg):
    """Turns an image by up to `rg` degrees."""
    return np.deg2rad(np.random.uniform(-rg, rg)), 0.0, np.ones(2), (0.0, 0.0)


@_with_axes
def random_shift(shape, wrg, hrg):
    """Shifts an image by up to these parts of its width and height."""
    shift = np.random.uniform(-hrg, hrg) * shape[0], np.random.uniform(-wrg, wrg) * shape[1]
    return 0.0, 0.0, np.ones(2), shift


@_with_axes
def random_shear(shape, intensity):
    """Shears an image by up to `intensity` degrees."""
    return 0.0, np.deg2rad(np.random.uniform(-intensity, intensity)), np.ones(2), (0.0, 0.0)


@_with_axes
def random_zoom(shape, zoom_range):
    """Zooms rows and columns by factors of a range.

    Raises:
        ValueError: the range has not two numbers.
    """
    if len(zoom_range) != 2:
        raise ValueError(f"`zoom_range` should be two numbers. Received: {zoom_range}")
    zoom = np.ones(2) if tuple(zoom_range) == (1, 1) else np.random.uniform(*zoom_range, 2)
    return 0.0, 0.0, zoom, (0.0, 0.0)


def random_channel_shift(x, intensity_range, channel_axis=0):
    """Adds one number to each channel, up to `intensity_range`; stays within the image's values."""
    x = np.moveaxis(np.asarray(x), channel_axis, -1)
    shift = np.random.uniform(-intensity_range, intensity_range, x.shape[-1])
    return np.moveaxis(np.clip(x + shift, x.min(), x.max()), -1, channel_axis)


def random_brightness(x, brightness_range, scale=True):
    """Multiplies an image's values, between 0 and 255, by a factor of a range.

    Raises:
        ValueError: the range has not two numbers.
    """
    if len(brightness_range) != 2:
        raise ValueError(f"`brightness_range` should be two numbers. Received: {brightness_range}")
    return np.clip(np.asarray(x) * np.random.uniform(*brightness_range), 0, 255)
