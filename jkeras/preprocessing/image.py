"""`keras.preprocessing.image`: images as arrays and files."""

from jkeras.core.names.exports import exported
from jkeras.utils.images import array_to_img, img_to_array, load_img, save_img, smart_resize

__all__ = exported(globals())
