# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.utils.arrays import pad_sequences as pad_sequences
