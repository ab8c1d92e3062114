"""Data for training: whatever `fit` is given, as a source of batches `(x, y, sample_weight)`."""

from jkeras.training.data.array_source import ArraySource, OneBatch
from jkeras.training.data.arrays import as_arrays, take
from jkeras.training.data.making import is_array_like, make_source, split_validation
from jkeras.training.data.mapped import checked, weighted
from jkeras.training.data.source import shapes_of
