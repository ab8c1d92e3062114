# Written by `python -m tests.make_stubs`.
from jkeras.preprocessing import image as image
from jkeras.preprocessing import sequence as sequence
from jkeras.utils.datasets import timeseries_dataset_from_array as timeseries_dataset_from_array
from jkeras.utils.folders import image_dataset_from_directory as image_dataset_from_directory
from jkeras.utils.folders import text_dataset_from_directory as text_dataset_from_directory
