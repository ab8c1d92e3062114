"""`keras.preprocessing.sequence`: padded sequences."""

from jkeras.core.names.exports import exported
from jkeras.utils.arrays import pad_sequences

__all__ = exported(globals())
