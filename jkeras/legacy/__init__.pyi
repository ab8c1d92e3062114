# Written by `python -m tests.make_stubs`.
from jkeras.legacy import saving as saving
