# Written by `python -m tests.make_stubs`.
from jkeras.utils.arrays import pad_sequences as pad_sequences
