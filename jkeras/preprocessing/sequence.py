"""`keras.preprocessing.sequence`: padded sequences."""

from jkeras.utils.arrays import pad_sequences

__all__ = ["pad_sequences"]
