"""`keras.preprocessing`: older names of utilities."""

from jkeras.core.names.exports import exported
from jkeras.preprocessing import image, sequence
from jkeras.utils.datasets import timeseries_dataset_from_array
from jkeras.utils.folders import image_dataset_from_directory, text_dataset_from_directory

__all__ = exported(globals(), "image", "sequence")
