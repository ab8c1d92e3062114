"""`keras.preprocessing.image`: batches of images, changed at random.

What is drawn comes from `np.random`, in Keras's order: a program with a seed sees Keras's images.
"""

from jkeras.keras2.image.arrays import NumpyArrayIterator
from jkeras.keras2.image.changes import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)
from jkeras.keras2.image.folders import DirectoryIterator
from jkeras.keras2.image.generator import ImageDataGenerator
from jkeras.keras2.image.iterator import Iterator
from jkeras.keras2.image.tables import DataFrameIterator
from jkeras.preprocessing.image import array_to_img, img_to_array, load_img, save_img

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
]
